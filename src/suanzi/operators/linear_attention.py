"""Attention whose memory doesn't grow: a state that each token updates."""

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np

from suanzi.errors import SuanziError
from suanzi.operators._checks import require_dtype, require_shape, widen
from suanzi.operators._compose import join, part
from suanzi.operators._elementwise import NUMPY
from suanzi.operators._gradients import zeros
from suanzi.operators._heads import merge, split, split_dims
from suanzi.operators._operator import Array, Dim, Example, Operator, TensorType, operator, require
from suanzi.operators.activation import Sigmoid
from suanzi.operators.convolution import Conv

GATED = ("gated", "gated_delta")
CORRECTED = ("delta", "gated_delta")


@operator(family="attention")
class LinearAttention(Operator):
    """output_t = scale · q_tᵀ S_t, where the state S_t [size, v_size] follows from the one before.

    linear: S_t = S_{t-1} + k_t ⊗ v_t. gated: S_{t-1} is first multiplied by exp(decay_t). delta:
    in place of v_t stands beta_t · (v_t - S_{t-1}ᵀ k_t), what is new in it. gated_delta: both.

    query [N, T, q_num_heads · size], key [N, T, kv_num_heads · size], value [N, T, kv_num_heads ·
    v_size], past_state and present_state [N, kv_num_heads, size, v_size] (absent: 0), decay [N, T,
    kv_num_heads · size or kv_num_heads], beta [N, T, kv_num_heads or 1], output [N, T,
    q_num_heads · v_size]. A head of keys serves q_num_heads / kv_num_heads heads of queries;
    scale is 1/√size where it's 0. chunk_size is a hint that we don't need. Computed in float32.
    New in opset 27.
    Source: https://onnx.ai/onnx/operators/onnx__LinearAttention.html (opset 27)
    """

    kv_num_heads: int
    q_num_heads: int
    chunk_size: int = 64
    scale: float = 0.0
    update_rule: str = "gated_delta"

    def infer(
        self,
        query: TensorType,
        key: TensorType,
        value: TensorType,
        past_state: TensorType | None = None,
        decay: TensorType | None = None,
        beta: TensorType | None = None,
    ) -> tuple[TensorType, TensorType]:
        if self.update_rule not in ("linear", *GATED, *CORRECTED):
            raise SuanziError("no such update_rule", found=self.update_rule)
        for name, t, rules in (("decay", decay, GATED), ("beta", beta, CORRECTED)):
            wanted = self.update_rule in rules
            require(
                (t is not None) == wanted,
                f"update_rule is {self.update_rule}",
                name,
                "a tensor" if wanted else "nothing",
                t,
            )
        heads, least = self.q_num_heads, self.kv_num_heads
        if least < 1 or heads < 1 or heads % least:
            expected = "a multiple of kv_num_heads"
            raise SuanziError("wrong q_num_heads", expected=expected, found=heads)
        for name, t in (("query", query), ("key", key), ("value", value)):
            require_shape(t, (None,) * 3, name)
            require_dtype(t, query.dtype, name)
        N, _, T, size = split_dims(query, heads, "query")
        v_size = split_dims(value, least, "value")[3]
        width = least * size if isinstance(size, int) else None
        require_shape(key, (N, T, width), "key")
        require_shape(value, (N, T, None), "value")
        require_shape(past_state, (N, least, size, v_size), "past_state")
        for name, t, widths in (("decay", decay, (least, width)), ("beta", beta, (least, 1))):
            require_shape(t, (N, T, None), name)
            if t is not None and t.shape is not None and isinstance(t.shape[2], int):
                fits = t.shape[2] in widths or None in widths
                require(fits, "wrong width", name, " or ".join(map(str, widths)), t)
        out: Dim = heads * v_size if isinstance(v_size, int) else None
        state = query.dtype if past_state is None else past_state.dtype
        return (
            TensorType(query.dtype, (N, T, out)),
            TensorType(state, (N, least, size, v_size)),
        )

    def numpy(
        self,
        query: Array,
        key: Array,
        value: Array,
        past_state: Array | None = None,
        decay: Array | None = None,
        beta: Array | None = None,
    ) -> tuple[Array, Array]:
        (N, T, _), heads = query.shape, self.kv_num_heads
        single = np.float32
        q = split(query, self.q_num_heads).astype(single)
        # Beside each head of keys its group of queries: [N, kv_num_heads, group, T, size].
        q = q.reshape(N, heads, -1, *q.shape[2:])
        k, v = (split(x, heads).astype(single) for x in (key, value))
        state = np.zeros((N, heads, k.shape[-1], v.shape[-1]), single)
        if past_state is not None:
            state = past_state.astype(single)
        kept = None if decay is None else np.exp(split(decay, heads).astype(single))
        rate = None if beta is None else split(beta, beta.shape[-1]).astype(single)
        scale = single(self.scale or k.shape[-1] ** -0.5)
        output = np.empty((*q.shape[:-1], v.shape[-1]), single)
        for t in range(T):
            new = v[:, :, t]
            if kept is not None:
                state = state * kept[:, :, t, :, None]
            if rate is not None:
                new = rate[:, :, t] * (new - (k[:, :, t, None] @ state)[:, :, 0])
            state = state + k[:, :, t, :, None] * new[:, :, None]
            output[:, :, :, t] = scale * (q[:, :, :, t] @ state)
        made = merge(output.reshape(N, self.q_num_heads, T, -1)).astype(query.dtype)
        return made, state.astype(query.dtype if past_state is None else past_state.dtype)

    def macs(self, inputs: Sequence[TensorType | None], outputs: Sequence[TensorType]) -> int:
        """For each token, its queries' products with the state, its update, and the correction."""
        (_, T, _), state = outputs[0].sizes, outputs[1].size
        updates = 2 if self.update_rule in CORRECTED else 1
        return T * state * (self.q_num_heads // self.kv_num_heads + updates)

    @classmethod
    def examples(cls) -> list[Example]:
        query = np.sin(np.arange(24, dtype=np.float32)).reshape(1, 3, 8)
        key, value = np.cos(query[..., :4]), query[..., 2:8] / 2
        decay, beta = -np.abs(query[..., :2]), np.abs(query[..., :1])
        state = np.ones((1, 2, 2, 3), np.float32)
        return [
            Example(cls(q_num_heads=4, kv_num_heads=2, update_rule="linear"), (query, key, value)),
            Example(cls(q_num_heads=4, kv_num_heads=2), (query, key, value, state, decay, beta)),
        ]


@operator(family="attention")
class CausalConvWithState(Operator):
    """output[n, c, t] = activation(bias[c] + Σ_k weight[c, 0, k] · x[n, c, t + k]), x being input
    after past_state: each place sees itself and what was before.

    input and output [N, C, T], weight [C, 1, K], bias [C], past_state and present_state
    [N, C, K - 1] (absent: 0), x's last. activation is none, or silu (swish): y · sigmoid(y).
    New in opset 27.
    Source: https://onnx.ai/onnx/operators/onnx__CausalConvWithState.html (opset 27)
    """

    activation: str = "none"

    def infer(
        self,
        input: TensorType,
        weight: TensorType,
        bias: TensorType | None = None,
        past_state: TensorType | None = None,
    ) -> tuple[TensorType, TensorType]:
        if self.activation not in ("none", "silu", "swish"):
            raise SuanziError("no such activation", found=self.activation)
        for name, t in (("weight", weight), ("bias", bias), ("past_state", past_state)):
            require_dtype(t, input.dtype, name)
        require_shape(input, (None,) * 3, "input")
        N, C, T = input.shape or (None,) * 3
        require_shape(weight, (C, 1, None), "weight")
        K = None if weight.shape is None else weight.shape[2]
        require(K != 0, "empty filters", "weight", "1 or more", weight)
        before = K - 1 if isinstance(K, int) else None
        require_shape(bias, (C,), "bias")
        require_shape(past_state, (N, C, before), "past_state")
        return TensorType(input.dtype, (N, C, T)), TensorType(input.dtype, (N, C, before))

    def numpy(
        self,
        input: Array,
        weight: Array,
        bias: Array | None = None,
        past_state: Array | None = None,
    ) -> tuple[Array, Array]:
        (N, C, T), K = input.shape, weight.shape[2]
        past = np.zeros((N, C, K - 1), input.dtype) if past_state is None else past_state
        x = np.concatenate([past, input], 2)
        seen = np.lib.stride_tricks.sliding_window_view(widen(x), K, 2)
        Y = np.einsum("nctk,ck->nct", seen, widen(weight)[:, 0])
        if bias is not None:
            Y = Y + widen(bias)[:, None]
        if self.activation != "none":
            Y = Y * NUMPY.sigmoid(Y)
        return np.asarray(Y).astype(input.dtype), x[:, :, T:].copy()

    def grad(
        self,
        dY: Any,
        _Y: Any,
        input: Any,
        weight: Any,
        bias: Any = None,
        past_state: Any = None,
    ) -> tuple[Any, ...]:
        (N, C, T), K = input.shape, weight.shape[2]
        past = zeros((N, C, K - 1), input) if past_state is None else past_state
        x, conv, d = join([past, input], 2), Conv(group=C), dY[0]
        if d is not None and self.activation != "none":
            z = conv(x, weight, bias)
            s = Sigmoid()(z)
            d = d * (s + z * s * (1 - s))

        def part_of(number: int) -> Any:
            if d is None:
                return None
            made = conv.grad(d, d, x, weight, bias)[number]
            return made() if callable(made) else made

        @functools.cache
        def dx() -> Any:
            last = None if dY[1] is None else join([zeros((N, C, T), input), dY[1]], 2)
            made = part_of(0)
            return last if made is None else made if last is None else made + last

        return (
            lambda: part(dx(), 2, K - 1, K - 1 + T),
            lambda: part_of(1),
            None if bias is None else lambda: part_of(2),
            None if past_state is None else lambda: part(dx(), 2, 0, K - 1),
        )

    def macs(self, inputs: Sequence[TensorType | None], outputs: Sequence[TensorType]) -> int:
        assert inputs[1] is not None
        return outputs[0].size * inputs[1].sizes[2]

    @classmethod
    def examples(cls) -> list[Example]:
        input = np.sin(np.arange(12, dtype=np.float32)).reshape(1, 3, 4)
        weight = np.arange(6, dtype=np.float32).reshape(3, 1, 2) - 2
        bias, past = np.array([0, 1, -1], np.float32), np.ones((1, 3, 1), np.float32)
        return [
            Example(cls(), (input, weight)),
            Example(cls(activation="silu"), (input, weight, bias, past)),
        ]
