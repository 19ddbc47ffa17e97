"""Attention: each query gathers the values of the keys that it resembles."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from suanzi.errors import SuanziError
from suanzi.operators._attention_gradient import attention_gradient
from suanzi.operators._checks import agree, require_dtype, require_shape, widen
from suanzi.operators._heads import Dims, merge, split, split_dims
from suanzi.operators._operator import (
    Array,
    Example,
    Operator,
    TensorType,
    operator,
    require,
)
from suanzi.operators._types import element_type


@operator(family="attention", torch="F.scaled_dot_product_attention")
class Attention(Operator):
    """Y = P @ V, P = softmax(softcap(scale · Q @ Kᵀ) + bias) along the keys.

    Q [N, q_num_heads, T, size], K [N, kv_num_heads, S, size], V [N, kv_num_heads, S, v_size],
    Y [N, q_num_heads, T, v_size]; or all of them [N, T, heads · size]. A head of K and V serves
    q_num_heads / kv_num_heads heads of Q. present_key is K after past_key, present_value
    likewise; S below counts both.

    softcap(x) = softcap · tanh(x / softcap), x where the attribute is 0; scale is 1/√size by
    default. The bias is attn_mask (broadcast to [N, q_num_heads, T, S], the last axis filled up
    with -∞; of a boolean one 0 where true), and -∞ for key j of query i where is_causal and
    j > p, where j < p - left_window_size or j > p + right_window_size (-1: no bound), and where
    j ≥ nonpad_kv_seqlen[n]. Here p = i + offset is the query's place among the keys: the offset
    is the length of past_key, nonpad_kv_seqlen[n] - T, or 0. A query without any key gives 0.

    The fourth output is scale · Q @ Kᵀ (qk_matmul_output_mode 0), that after softcap (1), with
    the bias (2), or P (3). All is rounded to Q's type at each step, the softmax computed in it
    or in softmax_precision. Before opset 24 there was no nonpad_kv_seqlen, before 25 no windows.
    Source: https://arxiv.org/abs/1706.03762,
    https://onnx.ai/onnx/operators/onnx__Attention.html (opset 25)
    """

    is_causal: int = 0
    kv_num_heads: int | None = None
    left_window_size: int = -1
    q_num_heads: int | None = None
    qk_matmul_output_mode: int = 0
    right_window_size: int = -1
    scale: float | None = None
    softcap: float = 0.0
    softmax_precision: int | None = None

    def infer(
        self,
        Q: TensorType,
        K: TensorType,
        V: TensorType,
        attn_mask: TensorType | None = None,
        past_key: TensorType | None = None,
        past_value: TensorType | None = None,
        nonpad_kv_seqlen: TensorType | None = None,
    ) -> tuple[TensorType, TensorType, TensorType, TensorType]:
        if self.qk_matmul_output_mode not in (0, 1, 2, 3):
            found = self.qk_matmul_output_mode
            raise SuanziError("no such qk_matmul_output_mode", expected="0 to 3", found=found)
        require(
            (past_key is None) == (past_value is None),
            "only one of past_key and past_value",
            "past_key",
            "both or neither",
            past_key,
        )
        require(
            past_key is None or nonpad_kv_seqlen is None,
            "not beside past_key",
            "nonpad_kv_seqlen",
            None,
            nonpad_kv_seqlen,
        )
        require_dtype(K, Q.dtype, "K")
        N, heads, T, size = split_dims(Q, self.q_num_heads, "Q")
        k, v = split_dims(K, self.kv_num_heads, "K"), split_dims(V, self.kv_num_heads, "V")
        fits = all(map(agree, k, (N, None, None, size))) and K.rank in (Q.rank, None)
        require(fits, f"doesn't fit Q, which is {Q}", "K", f"{size} along the last axis", K)
        fits = all(map(agree, v, (*k[:3], None))) and V.rank in (K.rank, None)
        require(fits, f"doesn't fit K, which is {K}", "V", "as many heads and keys", V)
        if isinstance(heads, int) and isinstance(k[1], int):
            fits = k[1] > 0 and heads % k[1] == 0
            require(fits, "doesn't serve Q's heads evenly", "K", f"a divisor of {heads}", k[1])
        S = k[2]
        if past_key is not None and past_value is not None:
            require_shape(past_key, (*k[:2], None, k[3]), "past_key")
            require_shape(past_value, (*v[:2], None, v[3]), "past_value")
            past = None if past_key.shape is None else past_key.shape[2]
            S = past + S if isinstance(past, int) and isinstance(S, int) else None
        require_shape(nonpad_kv_seqlen, (N,), "nonpad_kv_seqlen")
        self._require_mask(attn_mask, (N, heads, T, S), Q)
        Y: Dims | None = (N, heads, T, v[3])
        if Q.rank == 3:
            whole = isinstance(heads, int) and isinstance(v[3], int)
            Y = (N, T, heads * v[3] if whole else None)  # type: ignore[operator]
        return (
            TensorType(Q.dtype, None if Q.rank is None else Y),
            TensorType(K.dtype, (*k[:2], S, k[3])),
            TensorType(V.dtype, (*v[:2], S, v[3])),
            TensorType(Q.dtype, (N, heads, T, S)),
        )

    @staticmethod
    def _require_mask(attn_mask: TensorType | None, scores: Dims, Q: TensorType) -> None:
        if attn_mask is None:
            return
        known = attn_mask.dtype in (np.dtype(np.bool_), Q.dtype)
        require(known, "wrong element type", "attn_mask", f"bool or {Q.dtype}", attn_mask.dtype)
        if attn_mask.shape is None:
            return
        *leading, last = attn_mask.shape
        pairs = zip(leading[::-1], scores[-2::-1], strict=False)
        fits = len(leading) < 4 and all(m == 1 or agree(m, s) for m, s in pairs)
        if isinstance(last, int) and isinstance(scores[-1], int):
            fits = fits and last <= scores[-1]
        require(fits, "doesn't broadcast to the scores", "attn_mask", list(scores), attn_mask)

    def numpy(
        self,
        Q: Array,
        K: Array,
        V: Array,
        attn_mask: Array | None = None,
        past_key: Array | None = None,
        past_value: Array | None = None,
        nonpad_kv_seqlen: Array | None = None,
    ) -> tuple[Array, Array, Array, Array]:
        q, key, value = (
            split(x, heads)
            for x, heads in ((Q, self.q_num_heads), (K, self.kv_num_heads), (V, self.kv_num_heads))
        )
        N, heads, T, size = q.shape
        offset = np.zeros((1, 1, 1, 1), np.int64)
        if past_key is not None and past_value is not None:
            key = np.concatenate([past_key, key], 2)
            value = np.concatenate([past_value, value], 2)
            offset = offset + past_key.shape[2]
        elif nonpad_kv_seqlen is not None:
            offset = nonpad_kv_seqlen.reshape(-1, 1, 1, 1) - T
        # A head of K and V beside each group of Q's: [N, kv_num_heads, group, T or S, size].
        groups = (N, key.shape[1], heads // key.shape[1], T)
        scale = Q.dtype.type(math.sqrt(1 / math.sqrt(size) if self.scale is None else self.scale))
        keys = (key * scale)[:, :, None].swapaxes(-1, -2)
        scores = _product((q * scale).reshape(*groups, size), keys).reshape(N, heads, T, -1)
        bias = self._bias(T, scores.shape[-1], offset, attn_mask, nonpad_kv_seqlen, Q.dtype)
        alone = np.asarray(np.isneginf(bias).all(-1, keepdims=True))
        cap = Q.dtype.type(self.softcap)
        stages = [scores, cap * np.tanh(scores / cap) if self.softcap else scores]
        stages.append(stages[1] + bias)
        stages.append(self._softmax(stages[2], alone).astype(Q.dtype))
        shares = stages[3].reshape(*groups, -1)
        Y = _product(shares, value[:, :, None]).reshape(N, heads, T, -1)
        qk = stages[self.qk_matmul_output_mode]
        return merge(Y) if Q.ndim == 3 else Y, key, value, qk

    def grad(
        self,
        dY: Any,
        _Y: Any,
        Q: Any,
        K: Any,
        V: Any,
        attn_mask: Any = None,
        past_key: Any = None,
        past_value: Any = None,
        nonpad_kv_seqlen: Any = None,
    ) -> tuple[Any, ...]:
        rest = (attn_mask, past_key, past_value, nonpad_kv_seqlen)
        return attention_gradient(self, dY, Q, K, V, *rest)

    def _bias(
        self,
        T: int,
        S: int,
        offset: Array,
        attn_mask: Array | None,
        nonpad_kv_seqlen: Array | None,
        dtype: np.dtype[np.generic],
    ) -> Array:
        """What is added to the scores: 0, -∞ for keys that are out of reach, and attn_mask."""
        p, j = np.arange(T)[:, None] + offset, np.arange(S)
        reached = np.ones(np.broadcast_shapes(p.shape, j.shape), bool)
        if self.is_causal:
            reached &= j <= p
        if self.left_window_size >= 0:
            reached &= j >= p - self.left_window_size
        if self.right_window_size >= 0:
            reached &= j <= p + self.right_window_size
        if nonpad_kv_seqlen is not None:
            reached &= j < nonpad_kv_seqlen.reshape(-1, 1, 1, 1)
        if attn_mask is None:
            return np.where(reached, 0, -np.inf).astype(dtype)
        short = [(0, 0)] * (attn_mask.ndim - 1) + [(0, S - attn_mask.shape[-1])]
        if attn_mask.dtype == np.bool_:
            return np.where(reached & np.pad(attn_mask, short), 0, -np.inf).astype(dtype)
        mask = np.pad(attn_mask.astype(dtype), short, constant_values=-np.inf)
        return np.where(reached, mask, -np.inf).astype(dtype)

    def _softmax(self, x: Array, alone: Array) -> Array:
        """exp(x) / Σ exp(x) along the last axis; 0 for queries that are left alone."""
        if self.softmax_precision is not None:
            x = x.astype(element_type(self.softmax_precision))
        most = x.max(-1, keepdims=True)
        zero, one = x.dtype.type(0), x.dtype.type(1)
        e = np.where(alone, zero, np.exp(x - np.where(alone, zero, most)))
        return np.asarray(e / np.where(alone, one, e.sum(-1, keepdims=True)))

    def macs(self, inputs: Sequence[TensorType | None], outputs: Sequence[TensorType]) -> int:
        """Both products: each score takes Q's size, and V's."""
        sizes = outputs[1].sizes[-1] + outputs[2].sizes[-1]
        return outputs[3].size * sizes

    @classmethod
    def examples(cls) -> list[Example]:
        Q = np.sin(np.arange(24, dtype=np.float32)).reshape(1, 2, 3, 4)
        K, V = np.cos(Q), Q[..., :3] + 1
        mask = np.array([[True, True, False], [False] * 3, [True] * 3])
        flat = [merge(x) for x in (Q, K[:, :1], V[:, :1])]
        return [
            Example(cls(), (Q, K, V)),
            Example(cls(is_causal=1, softcap=2.0, qk_matmul_output_mode=3), (Q, K, V, mask)),
            Example(cls(q_num_heads=2, kv_num_heads=1), (*flat,)),
            Example(cls(is_causal=1), (Q[:, :, :1], K, V, None, K, V)),
            Example(cls(left_window_size=1), (Q, K, V, None, None, None, np.array([2]))),
        ]


def _product(A: Array, B: Array) -> Array:
    """A @ B, the sums of half-precision numbers in float32."""
    return np.asarray(widen(A) @ widen(B)).astype(A.dtype)
