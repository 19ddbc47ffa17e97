"""Operators that passes make of quantized models: what the kernels need, and no more.

Scale and zero point are constants mostly. Zero points of what is elementwise are float32 here, so
that in a chain all is float32, whole numbers included, but for what it reads first and writes last.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from suanzi.graph.fused import Chain
from suanzi.operators._checks import per_channel
from suanzi.operators._elementwise import Elementwise, Mathematics
from suanzi.operators._operator import Array, Dim, Operator, TensorType, broadcast_shapes
from suanzi.operators.convolution import Convolution
from suanzi.operators.integer_convolution import by_filter
from suanzi.operators.linear import matmul_macs, matmul_shape
from suanzi.operators.quantization import FLOAT32, without_zero, wrap

MAX_STRIDE = 4
"""Of a convolution in integers: beyond it the bytes between are most of what would be read."""


@dataclass(frozen=True)
class Quantize(Elementwise):
    """y = clip(round(x / scale) + zero_point) in the range of `dtype`, of 8 bits; halves to even.

    QuantizeLinear's meaning, with scale and zero_point float32, of shapes that broadcast.
    """

    dtype: str
    family = "quantization"

    def infer(self, *inputs: TensorType | None) -> TensorType:
        return TensorType(np.dtype(self.dtype), _shape(inputs))

    def formula(self, m: Mathematics, x: Any, scale: Any, zero_point: Any) -> Any:
        limits = np.iinfo(self.dtype)
        low, high = float(limits.min), float(limits.max)
        q = m.round(x / scale) + zero_point
        q = m.where(q > low, q, low)  # NaN too
        return m.where(q < high, q, high)


@dataclass(frozen=True)
class Dequantize(Elementwise):
    """y = (x - zero_point) · scale, as float32; x of 8 bits.

    DequantizeLinear's meaning, with scale and zero_point float32, of shapes that broadcast.
    """

    family = "quantization"

    def infer(self, *inputs: TensorType | None) -> TensorType:
        return TensorType(FLOAT32, _shape(inputs))

    def formula(self, m: Mathematics, x: Any, scale: Any, zero_point: Any) -> Any:
        return (x - zero_point) * scale


def _shape(inputs: Sequence[TensorType | None]) -> tuple[Dim, ...] | None:
    return broadcast_shapes(*(t.shape for t in inputs if t is not None))


def reads_bytes(operator: Elementwise, source: int) -> bool:
    """Whether an input may be of 8 bits: it is only ever dequantized, or a zero point."""
    if isinstance(operator, Chain):
        uses = [
            (link.operator, place)
            for link in operator.links
            for place, s in enumerate(link.sources)
            if s == source
        ]
        return all(reads_bytes(reader, place) for reader, place in uses)
    places = {Dequantize: (0, 2), Quantize: (2,)}.get(type(operator), ())
    return source in places


def writes_bytes(operator: Elementwise) -> bool:
    """Whether the result is quantized."""
    last = operator.links[-1].operator if isinstance(operator, Chain) else operator
    return isinstance(last, Quantize)


@dataclass(frozen=True)
class QuantizedMatMul(Operator):
    """Y = ((A - a_zero_point) @ (B - b_zero_point)) · scale, as float32.

    The product is exact in int32, modulo 2³²; it becomes float32, then is scaled. A [..., M, K],
    B [..., K, N], of 8 bits; a_zero_point one number; b_zero_point and scale (float32) one
    number, or one for each column, [N].
    """

    family = "quantization"

    def infer(
        self,
        A: TensorType,
        B: TensorType,
        a_zero_point: TensorType,
        b_zero_point: TensorType,
        scale: TensorType,
    ) -> TensorType:
        return TensorType(FLOAT32, matmul_shape(A, B))

    def numpy(
        self, A: Array, B: Array, a_zero_point: Array, b_zero_point: Array, scale: Array
    ) -> Array:
        product = without_zero(A, a_zero_point) @ without_zero(B, b_zero_point)
        return np.asarray(wrap(product).astype(np.float32) * scale.astype(np.float32))

    def macs(self, inputs: Sequence[TensorType | None], outputs: Sequence[TensorType]) -> int:
        return matmul_macs(inputs, outputs)


@dataclass(frozen=True, kw_only=True)
class QuantizedConv(Convolution):
    """Y = Conv(X - x_zero_point, W - w_zero_point) · scale, as float32; padding is x_zero_point.

    The sums are exact in int32, modulo 2³²; they become float32, then are scaled. X and W of 8
    bits; x_zero_point one number; w_zero_point and scale (float32) one, or one for each filter.
    """

    family = "quantization"

    def infer(
        self,
        X: TensorType,
        W: TensorType,
        x_zero_point: TensorType,
        w_zero_point: TensorType,
        scale: TensorType,
    ) -> TensorType:
        return TensorType(FLOAT32, self.infer_conv(X, W, None))

    def numpy(
        self, X: Array, W: Array, x_zero_point: Array, w_zero_point: Array, scale: Array
    ) -> Array:
        filters = without_zero(W, by_filter(w_zero_point, W))
        sums = wrap(self.convolve(without_zero(X, x_zero_point.reshape(())), filters))
        return np.asarray(sums.astype(np.float32) * per_channel(scale.reshape(-1), X.ndim))
