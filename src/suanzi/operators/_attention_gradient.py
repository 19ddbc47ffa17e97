"""The gradient of attention: the shares are made again from Q and K, and passed back through."""

import functools
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from suanzi.operators._compose import join, part, swap_last, total
from suanzi.operators._gradients import like, reshape, sum_to, transpose
from suanzi.operators._types import element_type
from suanzi.operators._values import as_type
from suanzi.operators.activation import Tanh
from suanzi.operators.joining import Pad
from suanzi.operators.logic import Equal, Less, Where
from suanzi.operators.reduction import ReduceMax
from suanzi.operators.softmax import Softmax

if TYPE_CHECKING:
    from suanzi.operators.attention import Attention


def heads_apart(x: Any, heads: int | None) -> Any:
    """[N, heads, T, size] from [N, T, heads · size]; what has four axes stays."""
    if len(x.shape) == 4 or heads is None:
        return x
    N, T, width = x.shape
    return transpose(reshape(x, (N, T, heads, width // heads)), 0, 2, 1, 3)


def heads_together(x: Any, shape: tuple[int, ...]) -> Any:
    """The shape that `heads_apart` was given."""
    return x if len(shape) == 4 else reshape(transpose(x, 0, 2, 1, 3), shape)


def attention_gradient(
    op: "Attention",
    dY: Any,
    Q: Any,
    K: Any,
    V: Any,
    attn_mask: Any,
    past_key: Any,
    past_value: Any,
    nonpad_kv_seqlen: Any,
) -> tuple[Any, ...]:
    """The gradients of Attention's inputs."""
    d_out, d_key, d_value, d_scores = dY
    q, key, value = (
        heads_apart(x, heads)
        for x, heads in ((Q, op.q_num_heads), (K, op.kv_num_heads), (V, op.kv_num_heads))
    )
    past = 0
    if past_key is not None:
        key, value, past = join([past_key, key], 2), join([past_value, value], 2), past_key.shape[2]
    (N, heads, T, size), (_, kv_heads, S, _) = q.shape, key.shape
    # The queries that a head of keys serves are rows of one matrix.
    rows, scores_shape = (N, kv_heads, heads // kv_heads * T), (N, heads, T, S)
    q = reshape(q, (*rows, size))
    scale = 1 / math.sqrt(size) if op.scale is None else op.scale

    scores = reshape((q * scale) @ swap_last(key), scores_shape)
    capped = Tanh()(scores * (1 / op.softcap)) if op.softcap else None
    biased = scores if capped is None else capped * op.softcap
    bias = _bias(op, scores, past, attn_mask, nonpad_kv_seqlen)
    if bias is not None:
        biased = biased + bias
    if op.softmax_precision is not None:
        biased = as_type(biased, element_type(op.softmax_precision))
    shares = Softmax()(_answerable(biased, bias))
    if bias is not None:  # where no key can be reached nothing is shared
        shares = Where()(Equal()(biased, like(-math.inf, biased)), like(0, biased), shares)

    d_rows = None
    if d_out is not None:
        d_rows = reshape(heads_apart(d_out, op.q_num_heads), (*rows, value.shape[-1]))

    def values() -> Any:
        return reshape(as_type(shares, np.dtype(Q.dtype)), (*rows, S))

    @functools.cache
    def d_biased() -> Any:
        """The gradient of the scores after softcap, and of the bias."""
        d_shares = None if d_rows is None else reshape(d_rows @ swap_last(value), scores_shape)
        d_shares = _added(d_shares, d_scores if op.qk_matmul_output_mode == 3 else None)
        d = None
        if d_shares is not None:
            d = as_type(d_shares, np.dtype(shares.dtype))
            d = as_type(shares * (d - total(d * shares, (-1,))), np.dtype(Q.dtype))
        return _added(d, d_scores if op.qk_matmul_output_mode == 2 else None)

    @functools.cache
    def d_products() -> Any:
        """The gradient of q @ keyᵀ, as rows."""
        d = _added(d_biased(), d_scores if op.qk_matmul_output_mode == 1 else None)
        if capped is not None and d is not None:
            d = d * (1 - capped * capped)
        d = _added(d, d_scores if op.qk_matmul_output_mode == 0 else None)
        return None if d is None else reshape(d * scale, (*rows, S))

    def d_queries() -> Any:
        d = d_products()
        made = None if d is None else reshape(d @ key, (N, heads, T, size))
        return None if made is None else heads_together(made, Q.shape)

    @functools.cache
    def d_keys() -> Any:
        d = d_products()
        return _added(None if d is None else swap_last(d) @ q, d_key)

    @functools.cache
    def d_values() -> Any:
        return _added(None if d_rows is None else swap_last(values()) @ d_rows, d_value)

    def new(d: Any, shape: tuple[int, ...]) -> Any:
        d = d if d is None or not past else part(d, 2, past, S)
        return None if d is None else heads_together(d, shape)

    def old(d: Any) -> Any:
        return None if d is None else part(d, 2, 0, past)

    def d_mask() -> Any:
        d = d_biased()
        if d is None:
            return None
        if attn_mask.shape[-1] != S:
            d = part(d, 3, 0, attn_mask.shape[-1])
        return sum_to(d, attn_mask.shape)

    floating = attn_mask is not None and np.dtype(attn_mask.dtype) != np.bool_
    return (
        d_queries,
        lambda: new(d_keys(), K.shape),
        lambda: new(d_values(), V.shape),
        d_mask if floating else None,
        None if past_key is None else lambda: old(d_keys()),
        None if past_key is None else lambda: old(d_values()),
        None,
    )


def _added(a: Any, b: Any) -> Any:
    return b if a is None else a if b is None else a + b


def _answerable(biased: Any, bias: Any) -> Any:
    """The biased scores, but 0 for queries that reach no key, of which softmax can say nothing."""
    if bias is None or (isinstance(bias, np.ndarray) and np.isfinite(bias).any(-1).all()):
        return biased
    most = ReduceMax()(biased, np.array([-1]))
    return Where()(Equal()(most, like(-math.inf, most)), like(0, biased), biased)


def _bias(op: "Attention", scores: Any, past: int, attn_mask: Any, lens: Any) -> Any:
    """What is added to the scores: None if nothing is, an array where no mask is a value's."""
    *_, T, S = scores.shape
    i, j = np.arange(T)[:, None], np.arange(S)
    reached = None
    if lens is None:
        p = i + past
        near = np.ones((T, S), bool)
        if op.is_causal:
            near &= j <= p
        if op.left_window_size >= 0:
            near &= j >= p - op.left_window_size
        if op.right_window_size >= 0:
            near &= j <= p + op.right_window_size
        reached = None if near.all() else near
    else:
        end = reshape(as_type(lens, np.dtype(np.int64)), (-1, 1, 1, 1))
        reached, p = Less()(j, end), end + (i - T)
        if op.is_causal:
            reached = reached & Less()(j, p + 1)
        if op.left_window_size >= 0:
            reached = reached & Less()(p - (op.left_window_size + 1), j)
        if op.right_window_size >= 0:
            reached = reached & Less()(j, p + (op.right_window_size + 1))
    none, least = like(0, scores), like(-math.inf, scores)
    if attn_mask is None:
        return None if reached is None else Where()(reached, none, least)
    if np.dtype(attn_mask.dtype) == np.bool_:
        attn_mask = Where()(attn_mask, none, least)
    short = S - attn_mask.shape[-1]
    if short:
        attn_mask = Pad()(attn_mask, np.array([0, short]), least, np.array([-1]))
    return attn_mask if reached is None else Where()(reached, attn_mask, least)
