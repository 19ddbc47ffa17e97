"""onnxruntime's own operators (com.microsoft) that no few operators of ONNX's make up.

Source, of all here: https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md
"""

from typing import Any

import numpy as np

from suanzi.errors import SuanziError
from suanzi.operators._compose import swap_last
from suanzi.operators._heads import split, split_dims
from suanzi.operators._operator import Array, Example, Operator, TensorType, operator, require
from suanzi.operators._recurrent import Function
from suanzi.operators.attention import Attention
from suanzi.operators.quantization import DequantizeLinear, DynamicQuantizeLinear
from suanzi.operators.recurrent import LSTM
from suanzi.operators.rotary_embedding import RotaryEmbedding

DOMAIN = "com.microsoft"


@operator(family="linear", domain=DOMAIN, torch="torch.linalg.inv")
class Inverse(Operator):
    """Y = X⁻¹, of each of the matrices X [..., n, n]."""

    def infer(self, X: TensorType) -> TensorType:
        square = X.shape is None or (len(X.shape) >= 2 and X.shape[-1] == X.shape[-2])
        require(square, "not square", "X", "[..., n, n]", X)
        return TensorType(X.dtype, X.shape)

    def numpy(self, X: Array) -> Array:
        try:
            return np.linalg.inv(X.astype(np.float64)).astype(X.dtype)
        except np.linalg.LinAlgError:
            raise SuanziError("a matrix has no inverse", input="X") from None

    def grad(self, dY: Any, Y: Any, _X: Any) -> tuple[Any, ...]:
        across = swap_last(Y)
        return (-(across @ dY @ across),)

    @classmethod
    def examples(cls) -> list[Example]:
        return [Example(cls(), (np.array([[[2, 1], [1, 1]], [[0, 4], [1, 0]]], np.float32),))]


def requantized(x: Array) -> Array:
    """x rounded as DynamicQuantizeLinear does, then made real again."""
    return np.asarray(DequantizeLinear().numpy(*DynamicQuantizeLinear().numpy(x)))


@operator(family="recurrent", domain=DOMAIN, torch="torch.ao.nn.quantized.dynamic.LSTM")
class DynamicQuantizeLSTM(LSTM):
    """LSTM, whose W and R are integers, and X and H are made so (DynamicQuantizeLinear) before
    they are multiplied by them: X as a whole, H at each step.

    W [D, I, 4·H] and R [D, H, 4·H] have the axes that LSTM's have, in another order; their scales
    and zero points are [D], or [D, 4·H].
    """

    grad = None  # type: ignore[assignment]  # what is rounded has none

    def infer(
        self, X: TensorType, W: TensorType, R: TensorType, *others: TensorType | None
    ) -> tuple[TensorType, TensorType, TensorType]:
        require(len(others) == 9, "wrong number of inputs", "X", 12, 3 + len(others))
        real = (TensorType(X.dtype, _turned(t)) for t in (W, R))
        return super().infer(X, *real, *others[:5])

    def numpy(self, X: Array, W: Array, R: Array, *others: Array | None) -> tuple[Array, ...]:
        *state, W_scale, W_zero, R_scale, R_zero = others
        real = (
            ((q.astype(np.float32) - zero[..., None, :]) * scale[..., None, :]).swapaxes(1, 2)
            for q, scale, zero in (
                (W, *_columns(W, W_scale, W_zero)),
                (R, *_columns(R, R_scale, R_zero)),
            )
        )
        return super().numpy(requantized(X), *real, *state)

    def step(
        self, x: Array, state: tuple[Array, ...], R: Array, Rb: Array, P: Array, f: list[Function]
    ) -> tuple[Array, ...]:
        return super().step(x, (requantized(state[0]), *state[1:]), R, Rb, P, f)

    @classmethod
    def examples(cls) -> list[Example]:
        X, W, R, B = cls.data()
        q = [(w.swapaxes(1, 2) * 100).clip(-128, 127).astype(np.int8) for w in (W, R)]
        scale, zero = np.array([0.01], np.float32), np.array([0], np.int8)
        inputs = (X, *q, B, None, None, None, None, scale, zero, scale, zero)
        return [Example(cls(hidden_size=3), inputs)]


def _turned(t: TensorType) -> tuple[int | str | None, ...] | None:
    return None if t.shape is None else (t.shape[0], *t.shape[:0:-1])


def _columns(q: Array, scale: Array | None, zero: Array | None) -> tuple[Array, Array]:
    """Scale and zero point of each direction's columns, [D, 1 or 4·H]."""
    assert scale is not None
    zero = np.zeros(1, np.float32) if zero is None else zero
    D = len(q)
    return tuple(
        np.broadcast_to(
            v.reshape(-1, 1) if v.size in (1, D) else v.reshape(D, -1), (D, max(1, v.size // D))
        )
        for v in (scale, zero.astype(np.float32))
    )  # type: ignore[return-value]


@operator(family="attention", domain=DOMAIN, torch="F.scaled_dot_product_attention")
class GroupQueryAttention(Operator):
    """Attention with a cache: each query looks at the keys up to its own place, in the cache and
    among the new ones; num_heads / kv_num_heads heads of the query share one of key and value.

    query [N, T, num_heads · size], key and value [N, T, kv_num_heads · size]; or all three in
    query, one after another along its last axis. past_key and past_value [N, kv_num_heads, P,
    size]; seqlens_k [N]: how many keys each sequence has with the new ones, less 1. Those stand in
    present_key and present_value after the sequence's own past, which is none where
    total_sequence_length = T. Y [N, T, num_heads · size]; present_key and present_value
    [N, kv_num_heads, max(P, total_sequence_length), size].

    With do_rotary the queries and the new keys are turned (RotaryEmbedding) by cos_cache and
    sin_cache at their places, or at position_ids. local_window_size: how many keys, its own among
    them, a query sees at most (-1: all). attention_bias is added to the scores.
    """

    do_rotary: int = 0
    kv_num_heads: int
    local_window_size: int = -1
    num_heads: int
    rotary_interleaved: int = 0
    scale: float | None = None
    softcap: float = 0.0

    def infer(
        self,
        query: TensorType,
        key: TensorType | None,
        value: TensorType | None,
        past_key: TensorType | None,
        past_value: TensorType | None,
        seqlens_k: TensorType,
        total_sequence_length: TensorType,
        cos_cache: TensorType | None = None,
        sin_cache: TensorType | None = None,
        position_ids: TensorType | None = None,
        attention_bias: TensorType | None = None,
    ) -> tuple[TensorType, TensorType, TensorType]:
        heads = self.num_heads + (0 if key is not None else 2 * self.kv_num_heads)
        N, _, T, size = split_dims(query, heads, "query")
        require((key is None) == (value is None), "key or value alone", "key", "both", key)
        require(not self.do_rotary or cos_cache, "missing", "cos_cache", "a tensor", cos_cache)
        width = self.num_heads * size if isinstance(size, int) else None
        S = None
        if total_sequence_length.value is not None and (past_key is None or past_key.static):
            past = 0 if past_key is None else past_key.sizes[2]
            S = max(past, total_sequence_length.value.item())
        cache = TensorType(query.dtype, (N, self.kv_num_heads, S, size))
        return TensorType(query.dtype, (N, T, width)), cache, cache

    def numpy(
        self,
        query: Array,
        key: Array | None,
        value: Array | None,
        past_key: Array | None,
        past_value: Array | None,
        seqlens_k: Array,
        total_sequence_length: Array,
        cos_cache: Array | None = None,
        sin_cache: Array | None = None,
        position_ids: Array | None = None,
        attention_bias: Array | None = None,
    ) -> tuple[Array, ...]:
        total, T = total_sequence_length.item(), query.shape[1]
        if key is None or value is None:
            packed = split(query, self.num_heads + 2 * self.kv_num_heads)
            q, k, v = np.split(packed, [self.num_heads, self.num_heads + self.kv_num_heads], 1)
        else:
            q = split(query, self.num_heads)
            k, v = (split(x, self.kv_num_heads) for x in (key, value))
        before = np.where(total == T, 0, seqlens_k.reshape(-1) + 1 - T)
        places = before[:, None] + np.arange(T)
        require(
            before.min() >= 0 and places.max() < total,
            "doesn't fit total_sequence_length",
            "seqlens_k",
            f"{T - 1} to {total - 1}",
            seqlens_k,
        )
        if self.do_rotary:
            assert cos_cache is not None
            assert sin_cache is not None
            turn = RotaryEmbedding(
                interleaved=self.rotary_interleaved, rotary_embedding_dim=2 * cos_cache.shape[1]
            )
            ids = places if position_ids is None else position_ids
            q, k = (turn.numpy(x, cos_cache, sin_cache, ids) for x in (q, k))
        keys = _extended(past_key, k, places, total)
        values = _extended(past_value, v, places, total)
        where, mine = np.arange(total), places[..., None]
        seen = where <= mine
        if self.local_window_size >= 0:
            seen &= where > mine - self.local_window_size
        mask = np.where(seen[:, None], 0, -np.inf).astype(query.dtype)
        bias = mask if attention_bias is None else mask + attention_bias
        attend = Attention(scale=self.scale, softcap=self.softcap)
        Y = attend.numpy(q, keys[:, :, :total], values[:, :, :total], bias)[0]
        return Y.transpose(0, 2, 1, 3).reshape(*query.shape[:2], -1), keys, values

    @classmethod
    def examples(cls) -> list[Example]:
        rng = np.random.default_rng(0)
        q, k = (rng.normal(size=(2, 3, 4 * n)).astype(np.float32) for n in (4, 2))
        lengths, total = np.array([2, 2], np.int32), np.array(3, np.int32)
        past = rng.normal(size=(2, 2, 2, 4)).astype(np.float32)
        heads = cls(num_heads=4, kv_num_heads=2)
        return [
            Example(heads, (q, k, k, None, None, lengths, total)),
            Example(heads, (q, k, k, past, past, lengths + 2, total + 2)),
        ]


def _extended(past: Array | None, new: Array, places: Array, total: int) -> Array:
    """The cache with what is new at its places, as long as it was, or as the total."""
    N, heads, _, size = new.shape
    length = total if past is None else max(total, past.shape[2])
    cache = np.zeros((N, heads, length, size), new.dtype)
    if past is not None:
        cache[:, :, : past.shape[2]] = past
    cache[np.arange(N)[:, None], :, places] = new.swapaxes(1, 2)
    return cache
