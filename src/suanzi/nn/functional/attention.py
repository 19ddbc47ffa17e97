"""Attention: each query gathers the values of the keys that it resembles."""

import math
from typing import Any

import numpy as np

from suanzi.errors import SuanziError
from suanzi.nn.functional._arguments import require_tensor
from suanzi.nn.functional.activation import softmax
from suanzi.nn.functional.dropout import dropout
from suanzi.nn.functional.linear import linear
from suanzi.operators import Where
from suanzi.tensor import Tensor, apply, cat, leaf


def scaled_dot_product_attention(
    query: Tensor, key: Tensor, value: Tensor, attn_mask: Tensor | None = None,
    dropout_p: float = 0.0, is_causal: bool = False, *, scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:  # fmt: skip
    """softmax(scale · query·keyᵀ + mask)·value, the scale 1/√E by default.

    query (..., L, E), key (..., S, E), value (..., S, Ev). The mask broadcasts to (..., L, S): of
    bools where a key takes part, or numbers that are added. is_causal: query i sees keys up to i.
    With enable_gqa a head of key and value, the axis before the last two, serves several of the
    query. A query that sees no key gets 0.

    >>> import suanzi
    >>> x = suanzi.ones(1, 2, 3, 4)
    >>> scaled_dot_product_attention(x, x, x).shape
    suanzi.Size([1, 2, 3, 4])
    """
    _require_fit(query, key, value, enable_gqa)
    if attn_mask is not None and is_causal:
        raise SuanziError("is_causal is a mask of its own", input="attn_mask", expected="None",
                          found=tuple(attn_mask.shape))  # fmt: skip
    shape, size = tuple(query.shape), query.shape[-1]
    factor = (1 / math.sqrt(size) if size else 1.0) if scale is None else scale
    q = query * factor
    groups = (*shape[:-3], key.shape[-3]) if enable_gqa else ()
    if enable_gqa:  # a group's queries one after another, as if they were of one head
        q = q.reshape(*groups, shape[-3] // key.shape[-3] * shape[-2], size)
    scores = q @ key.transpose(-2, -1)
    if enable_gqa:
        scores = scores.reshape(*shape[:-1], key.shape[-2])
    alive = None
    if is_causal:
        seen = leaf(np.tril(np.ones((shape[-2], key.shape[-2]), np.bool_)))
        scores = apply(Where(), seen, scores, leaf(np.array(-np.inf, query._value.dtype)))
    elif attn_mask is not None:
        bias, alive = _bias(attn_mask, query)
        scores = scores + bias
    shares = softmax(scores, -1)
    if dropout_p:
        shares = dropout(shares, dropout_p, True)
    if enable_gqa:
        made = (shares.reshape(*groups, -1, key.shape[-2]) @ value).reshape(*shape[:-1], -1)
    else:
        made = shares @ value
    if alive is None:
        return made  # type: ignore[no-any-return]
    return apply(Where(), alive, made, leaf(np.zeros((), query._value.dtype)))  # type: ignore[no-any-return]


def _require_fit(query: Tensor, key: Tensor, value: Tensor, shared: bool) -> None:
    for name, x in (("query", query), ("key", key), ("value", value)):
        require_tensor(x, name)
        if x.ndim < (3 if shared else 2):
            raise SuanziError("wrong rank", input=name, expected="(..., L, E)",
                              found=tuple(x.shape))  # fmt: skip
        if x.dtype != query.dtype:
            raise SuanziError("the types differ", input=name, expected=query.dtype, found=x.dtype)
    if key.shape[-1] != query.shape[-1]:
        raise SuanziError("key doesn't fit query", input="key", found=tuple(key.shape),
                          expected=f"{query.shape[-1]} along the last axis")  # fmt: skip
    if value.shape[-2] != key.shape[-2]:
        raise SuanziError("value doesn't fit key", input="value", found=tuple(value.shape),
                          expected=f"(..., {key.shape[-2]}, Ev)")  # fmt: skip
    if shared and (key.shape[-3] != value.shape[-3] or query.shape[-3] % key.shape[-3]):
        raise SuanziError("the heads don't serve query's evenly", input="key",
                          expected=f"a divisor of {query.shape[-3]}, as many as value has",
                          found=(key.shape[-3], value.shape[-3]))  # fmt: skip


def _bias(mask: Tensor, query: Tensor) -> tuple[Tensor, Tensor]:
    """What the mask adds to the scores, 0 for a query that sees no key; and which see one."""
    kind = query._value.dtype
    if mask._value.dtype not in (np.bool_, kind):
        raise SuanziError("wrong type", input="attn_mask", expected=f"bool or {query.dtype}",
                          found=mask.dtype)  # fmt: skip
    truth = mask._value.dtype == np.bool_
    seen = mask if truth else mask > -math.inf
    alive = seen.any(-1, keepdim=True)
    zero = leaf(np.zeros((), kind))
    if truth:
        mask = apply(Where(), mask, zero, leaf(np.array(-np.inf, kind)))
    return apply(Where(), alive, mask, zero), alive


def canonical_mask(mask: Tensor | None, name: str, like: Tensor) -> Tensor | None:
    """A mask of bools, true where a key takes no part, as numbers that are added."""
    if mask is None or mask.is_floating_point():
        return mask
    if mask._value.dtype != np.bool_:
        raise SuanziError("wrong type", input=name, expected="bool or floating-point numbers",
                          found=mask.dtype)  # fmt: skip
    kind = like._value.dtype
    ends = leaf(np.array(-np.inf, kind)), leaf(np.zeros((), kind))
    return apply(Where(), mask, *ends)  # type: ignore[no-any-return]


def multi_head_attention_forward(
    query: Tensor, key: Tensor, value: Tensor, embed_dim_to_check: int, num_heads: int,
    in_proj_weight: Tensor | None, in_proj_bias: Tensor | None, bias_k: Tensor | None,
    bias_v: Tensor | None, add_zero_attn: bool, dropout_p: float, out_proj_weight: Tensor,
    out_proj_bias: Tensor | None, training: bool = True, key_padding_mask: Tensor | None = None,
    need_weights: bool = True, attn_mask: Tensor | None = None,
    use_separate_proj_weight: bool = False, q_proj_weight: Tensor | None = None,
    k_proj_weight: Tensor | None = None, v_proj_weight: Tensor | None = None,
    static_k: Tensor | None = None, static_v: Tensor | None = None,
    average_attn_weights: bool = True, is_causal: bool = False, *, batch_first: bool = False,
) -> tuple[Tensor, Tensor | None]:  # fmt: skip
    """The attention of several heads, each of its part of the projected query, key and value; and
    each query's shares in the keys if need_weights.

    query (L, N, E) or (L, E), key (S, N, Ek), value (S, N, Ev); batch_first: (N, L, E) and so on.
    key_padding_mask (N, S), attn_mask (L, S) or (N·num_heads, L, S): true where a key takes no
    part, or numbers that are added. Source: https://arxiv.org/abs/1706.03762
    """
    batched = _require_shapes(query, key, value, key_padding_mask, attn_mask, num_heads)
    at = 0 if batch_first or not batched else 1
    if not batched:
        query, key, value = query.unsqueeze(0), key.unsqueeze(0), value.unsqueeze(0)
        key_padding_mask = None if key_padding_mask is None else key_padding_mask.unsqueeze(0)
    N, L, E = query.shape[at], query.shape[1 - at], query.shape[2]
    if embed_dim_to_check != E or E % num_heads:
        raise SuanziError("wrong width", input="query", found=E,
                          expected=f"{embed_dim_to_check}, a multiple of {num_heads}")  # fmt: skip
    alike = (
        key.shape[:2] == value.shape[:2] if use_separate_proj_weight else key.shape == value.shape
    )
    if not alike or key.shape[at] != N:
        raise SuanziError("query, key and value don't fit", input="key",
                          expected=tuple(value.shape), found=tuple(key.shape))  # fmt: skip
    if is_causal and attn_mask is None:
        raise SuanziError("is_causal says what attn_mask is", input="attn_mask",
                          expected="the causal mask", found=None)  # fmt: skip
    causal = is_causal and key_padding_mask is None and not need_weights
    padding = canonical_mask(key_padding_mask, "key_padding_mask", query)
    mask = None if causal else _mask(attn_mask, query, (N, num_heads, L, key.shape[1 - at]))
    weights = (q_proj_weight, k_proj_weight, v_proj_weight)
    if not use_separate_proj_weight:
        weights = (in_proj_weight, None, None)
    if weights[0] is None or (use_separate_proj_weight and any(w is None for w in weights)):
        raise SuanziError("a weight is missing", input="in_proj_weight", expected="a tensor",
                          found=None)  # fmt: skip
    q, k, v = _projected(query, key, value, weights, in_proj_bias)
    extra = 0
    if (bias_k is None) != (bias_v is None):
        raise SuanziError("only one of bias_k and bias_v", input="bias_k", expected="both or none")
    if bias_k is not None and bias_v is not None:
        if static_k is not None or static_v is not None:
            raise SuanziError("static keys and values take no bias", input="bias_k",
                              expected=None, found=tuple(bias_k.shape))  # fmt: skip
        shape = [1, 1, E]
        shape[at] = N
        k, v = (cat([x, b.expand(shape)], 1 - at) for x, b in ((k, bias_k), (v, bias_v)))
        extra += 1

    order = (0, 2, 1, 3) if at == 0 else (1, 2, 0, 3)

    def heads(x: Tensor) -> Tensor:
        """(N, num_heads, length, size)"""
        return x.reshape(*x.shape[:2], num_heads, E // num_heads).permute(*order)  # type: ignore[no-any-return]

    q = heads(q)
    k = heads(k) if static_k is None else _static(static_k, "static_k", N, num_heads, E)
    v = heads(v) if static_v is None else _static(static_v, "static_v", N, num_heads, E)
    if add_zero_attn:
        nothing = k.new_zeros((N, num_heads, 1, E // num_heads))
        k, v = cat([k, nothing], 2), cat([v, nothing], 2)
        extra += 1
    S = k.shape[2]
    if padding is not None:
        padding = padding.reshape(N, 1, 1, -1)
    if extra:  # what was added takes part always
        mask, padding = (
            None if m is None else cat([m, m.new_zeros((*m.shape[:-1], extra))], -1)
            for m in (mask, padding)
        )
    if padding is not None:
        mask = padding if mask is None else mask + padding
    if mask is not None and mask.shape[-1] != S:
        raise SuanziError("the mask doesn't fit the keys", input="attn_mask", expected=S,
                          found=mask.shape[-1])  # fmt: skip
    rate = dropout_p if training else 0.0
    shares = None
    if need_weights:
        scores = (q * math.sqrt(num_heads / E)) @ k.transpose(-2, -1)
        shares = softmax(scores if mask is None else scores + mask, -1)
        shares = dropout(shares, rate) if rate else shares
        made = shares @ v
        shares = shares.mean(1) if average_attn_weights else shares
        shares = shares if batched else shares.squeeze(0)
    else:
        made = scaled_dot_product_attention(q, k, v, mask, rate, causal)
    joined = made.permute(0, 2, 1, 3) if at == 0 else made.permute(2, 0, 1, 3)
    out = linear(joined.reshape(*query.shape[:2], E), out_proj_weight, out_proj_bias)
    return out if batched else out.squeeze(0), shares


def _projected(
    query: Tensor, key: Tensor, value: Tensor, weights: tuple[Any, ...], bias: Tensor | None
) -> tuple[Tensor, ...]:
    """Query, key and value by their weights, (W of all three, None, None) or one of each; in one
    product where they are the same tensor."""
    if weights[1] is None:
        if query is key and key is value:
            return linear(query, weights[0], bias).chunk(3, -1)  # type: ignore[no-any-return]
        weights = weights[0].chunk(3)
    biases = (None,) * 3 if bias is None else bias.chunk(3)
    given = zip((query, key, value), weights, biases, strict=True)
    return tuple(linear(x, W, b) for x, W, b in given)


def _static(x: Tensor, name: str, N: int, num_heads: int, E: int) -> Tensor:
    if x.ndim != 3 or x.shape[0] != N * num_heads or x.shape[2] != E // num_heads:
        raise SuanziError("wrong shape", input=name, found=tuple(x.shape),
                          expected=f"({N * num_heads}, S, {E // num_heads})")  # fmt: skip
    return x.reshape(N, num_heads, *x.shape[1:])  # type: ignore[no-any-return]


def _mask(attn_mask: Tensor | None, like: Tensor, sizes: tuple[int, ...]) -> Tensor | None:
    """The mask as numbers, (1, 1, L, S) or (N, num_heads, L, S)."""
    mask = canonical_mask(attn_mask, "attn_mask", like)
    if mask is None:
        return None
    N, heads, L, S = sizes
    expected = (L, S) if mask.ndim == 2 else (N * heads, L, S)
    if tuple(mask.shape) != expected:
        raise SuanziError("the mask doesn't fit", input="attn_mask", expected=expected,
                          found=tuple(mask.shape))  # fmt: skip
    return mask.reshape(1, 1, L, S) if mask.ndim == 2 else mask.reshape(sizes)  # type: ignore[no-any-return]


def _require_shapes(
    query: Tensor, key: Tensor, value: Tensor, key_padding_mask: Tensor | None,
    attn_mask: Tensor | None, num_heads: int,
) -> bool:  # fmt: skip
    """Whether there is a batch axis, after checks of the ranks."""
    for name, x in (("query", query), ("key", key), ("value", value)):
        require_tensor(x, name)
        if x.ndim not in (2, 3) or x.ndim != query.ndim:
            raise SuanziError("wrong rank", input=name, expected="3 axes, or 2 without a batch",
                              found=tuple(x.shape))  # fmt: skip
    rank = query.ndim - 1
    if key_padding_mask is not None and key_padding_mask.ndim != rank:
        raise SuanziError("wrong rank", input="key_padding_mask", expected=rank,
                          found=tuple(key_padding_mask.shape))  # fmt: skip
    if attn_mask is not None and attn_mask.ndim not in (2, 3):
        raise SuanziError("wrong rank", input="attn_mask", expected="2 or 3",
                          found=tuple(attn_mask.shape))  # fmt: skip
    return rank == 2


__all__ = ["multi_head_attention_forward", "scaled_dot_product_attention"]
