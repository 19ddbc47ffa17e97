"""Quantized numbers: a real number is (q - zero_point) · scale, q a small integer."""

from collections.abc import Sequence
from typing import Any

import ml_dtypes
import numpy as np

from suanzi.errors import SuanziError
from suanzi.operators._axes import axis_of
from suanzi.operators._checks import require_dtype, require_shape
from suanzi.operators._operator import (
    Array,
    Example,
    Operator,
    TensorType,
    operator,
)
from suanzi.operators._types import element_type, is_integer
from suanzi.operators.linear import matmul_macs, matmul_shape

UINT8, INT32, FLOAT32 = np.dtype(np.uint8), np.dtype(np.int32), np.dtype(np.float32)


def saturate(x: Array, zero_point: Array, dtype: np.dtype[Any]) -> Array:
    """x rounded to the nearest, ties to even, plus the zero point; beyond dtype's range its end,
    and for NaN its least, as in onnxruntime. Into floating point it isn't rounded first."""
    if not is_integer(dtype):
        largest = float(ml_dtypes.finfo(dtype).max)  # type: ignore[no-untyped-call]
        y = x + zero_point.astype(x.dtype)
        return np.asarray(y.clip(-largest, largest)).astype(dtype)
    limits = ml_dtypes.iinfo(dtype)  # type: ignore[no-untyped-call]
    q = np.rint(x).astype(np.float64) + zero_point.astype(np.float64)
    return (
        np.nan_to_num(q, nan=limits.min).clip(limits.min, limits.max).astype(np.int32).astype(dtype)
    )


def without_zero(x: Array, zero_point: Array | None) -> Array:
    """q - zero_point. As float64, which holds every sum of their products and has a fast matmul."""
    return x.astype(np.float64) - (0 if zero_point is None else zero_point.astype(np.float64))


def wrap(x: Array) -> Array:
    """Whole numbers as int32, modulo 2³² as sums in 32 bits go."""
    return x.astype(np.int64).astype(np.int32)


def spread(scale: Array, x: Array, axis: int, block_size: int) -> Array:
    """The scale (or zero point) that each element of x has: one for all, or one for each index
    along the axis, or one for each block of indices along it."""
    if scale.size == 1 and scale.ndim < 2:
        return scale.reshape(())
    axis = axis_of(axis, x.ndim)
    if scale.ndim == 1:
        return scale.reshape(-1, *(1,) * (x.ndim - axis - 1))
    places = np.arange(x.shape[axis]) // block_size
    return scale.take(places, axis)


def require_spread(x: TensorType, scale: TensorType, axis: int, block_size: int, name: str) -> None:
    """The scale is one number, or fits x along the axis, or in blocks along it."""
    if x.shape is None or scale.shape is None or scale.shape in ((), (1,)):
        return
    axis = axis_of(axis, len(x.shape))
    if len(scale.shape) == 1:
        require_shape(scale, (x.shape[axis],), name)
        return
    if block_size < 1:
        raise SuanziError("wrong block_size", expected="at least 1", found=block_size)
    blocked, size = list(x.shape), x.shape[axis]
    blocked[axis] = -(-size // block_size) if isinstance(size, int) else None
    require_shape(scale, tuple(blocked), name)


@operator(family="quantization", torch="torch.quantize_per_tensor")
class QuantizeLinear(Operator):
    """y = saturate(round(x / y_scale) + y_zero_point), rounded to the nearest, ties to even.

    y has x's shape, and the type of y_zero_point, else output_dtype, else uint8. y_scale and
    y_zero_point: one number; or one for each index along `axis`; or one for each block of
    `block_size` indices along it. The quotient is computed in the type `precision`, else in
    y_scale's. Into floating-point types of 8 and 4 bits it isn't rounded first, and `saturate`
    says whether what is too large becomes the largest. Before opset 23 there was no `precision`,
    before 21 no blocks, before 19 no `saturate`, before 13 no `axis`.
    Source: https://onnx.ai/onnx/operators/onnx__QuantizeLinear.html (opset 28)
    """

    axis: int = 1
    block_size: int = 0
    output_dtype: int = 0
    precision: int = 0
    saturate: int = 1

    def infer(
        self, x: TensorType, y_scale: TensorType, y_zero_point: TensorType | None = None
    ) -> TensorType:
        require_spread(x, y_scale, self.axis, self.block_size, "y_scale")
        dtype = element_type(self.output_dtype) if self.output_dtype else None
        if y_zero_point is None:
            return TensorType(dtype or UINT8, x.shape)
        if y_scale.shape is not None and y_scale.shape not in ((), (1,)):
            require_shape(y_zero_point, y_scale.shape, "y_zero_point")
        require_dtype(y_zero_point, dtype or y_zero_point.dtype, "y_zero_point")
        return TensorType(y_zero_point.dtype, x.shape)

    def numpy(self, x: Array, y_scale: Array, y_zero_point: Array | None = None) -> Array:
        if y_zero_point is None:
            dtype = element_type(self.output_dtype) if self.output_dtype else UINT8
            y_zero_point = np.zeros((), dtype)
        dtype = y_zero_point.dtype
        scale = spread(y_scale, x, self.axis, self.block_size)
        zero = spread(y_zero_point, x, self.axis, self.block_size)
        precision = element_type(self.precision) if self.precision else scale.dtype
        with np.errstate(all="ignore"):
            quotient = x.astype(precision) / scale.astype(precision)
            if is_integer(dtype):
                return saturate(quotient, zero, dtype)
            q = quotient + zero.astype(precision)
            if self.saturate:
                largest = float(ml_dtypes.finfo(dtype).max)  # type: ignore[no-untyped-call]
                q = q.clip(-largest, largest)
            return np.asarray(q).astype(dtype)

    @classmethod
    def examples(cls) -> list[Example]:
        x = np.array([[-3, -1, 0.5, 1.5], [2.5, 4, 100, 600]], np.float32)
        one, zero = np.array(2, np.float32), np.array(10, np.uint8)
        rows = np.array([0.5, 4], np.float32)
        blocks = np.array([[1, 0.5], [2, 4]], np.float32)
        return [
            Example(cls(), (x, one, zero)),
            Example(cls(axis=0), (x, rows, np.array([-1, 3], np.int8))),
            Example(cls(block_size=2, output_dtype=5), (x, blocks)),
        ]


@operator(family="quantization", torch="torch.dequantize")
class DequantizeLinear(Operator):
    """y = (x - x_zero_point) · x_scale.

    y has x's shape, and the type output_dtype, else x_scale's. x_scale and x_zero_point are as
    QuantizeLinear's. Before opset 21 there were no blocks, before 13 no `axis`.
    Source: https://onnx.ai/onnx/operators/onnx__DequantizeLinear.html (opset 28)
    """

    axis: int = 1
    block_size: int = 0
    output_dtype: int = 0

    def infer(
        self, x: TensorType, x_scale: TensorType, x_zero_point: TensorType | None = None
    ) -> TensorType:
        require_spread(x, x_scale, self.axis, self.block_size, "x_scale")
        require_dtype(x_zero_point, x.dtype, "x_zero_point")
        if x_scale.shape is not None and x_scale.shape not in ((), (1,)):
            require_shape(x_zero_point, x_scale.shape, "x_zero_point")
        return TensorType(self._result(x_scale.dtype), x.shape)

    def _result(self, scale: np.dtype[Any]) -> np.dtype[Any]:
        return element_type(self.output_dtype) if self.output_dtype else scale

    def numpy(self, x: Array, x_scale: Array, x_zero_point: Array | None = None) -> Array:
        dtype = self._result(x_scale.dtype)
        wide = INT32 if is_integer(x.dtype) else FLOAT32
        q = x.astype(wide)
        if x_zero_point is not None:
            q = q - spread(x_zero_point.astype(wide), x, self.axis, self.block_size)
        scale = spread(x_scale, x, self.axis, self.block_size)
        return np.asarray(q.astype(dtype) * scale.astype(dtype))

    @classmethod
    def examples(cls) -> list[Example]:
        x = np.array([[0, 10, 20, 30], [40, 50, 200, 255]], np.uint8)
        one, zero = np.array(0.5, np.float32), np.array(10, np.uint8)
        rows = np.array([0.5, 4], np.float32)
        blocks = np.array([[1, 0.5], [2, 4]], np.float32)
        return [
            Example(cls(), (x, one, zero)),
            Example(cls(axis=0), (x, rows, np.array([0, 128], np.uint8))),
            Example(cls(block_size=2), (x, blocks)),
        ]


@operator(family="quantization", torch="torch.quantize_per_tensor_dynamic")
class DynamicQuantizeLinear(Operator):
    """y = saturate(round(x / y_scale) + y_zero_point), as uint8, scale and zero point such that
    0 and the whole range of x can be told: y_scale = (max(x, 0) - min(x, 0)) / 255 and
    y_zero_point = saturate(round(-min(x, 0) / y_scale)); y_scale is 1 where x is 0 throughout.

    x float32; y its shape; y_scale (float32) and y_zero_point (uint8) scalars.
    Source: https://onnx.ai/onnx/operators/onnx__DynamicQuantizeLinear.html (opset 11)
    """

    def infer(self, x: TensorType) -> tuple[TensorType, TensorType, TensorType]:
        require_dtype(x, FLOAT32, "x")
        return TensorType(UINT8, x.shape), TensorType(FLOAT32, ()), TensorType(UINT8, ())

    def numpy(self, x: Array) -> tuple[Array, Array, Array]:
        low, high = x.min(initial=0), x.max(initial=0)
        scale = np.asarray((high - low) / np.float32(255) or np.float32(1))
        zero_point = saturate(-low / scale, np.zeros(()), UINT8)
        return saturate(x / scale, zero_point, UINT8), scale, zero_point

    @classmethod
    def examples(cls) -> list[Example]:
        x = np.array([[-1, 0, 2], [0.5, 1.25, 4]], np.float32)
        return [Example(cls(), (x,)), Example(cls(), (x + 2,)), Example(cls(), (0 * x,))]


def by_row(numbers: Array) -> Array:
    """One number for each row of a matrix, as a column; one for all, and more axes, as they are."""
    return numbers[:, None] if numbers.ndim == 1 else numbers


@operator(family="quantization")
class MatMulInteger(Operator):
    """Y = (A - a_zero_point) @ (B - b_zero_point), as int32.

    A [..., M, K] and B [..., K, N] of 8 bits, Y [..., M, N]. a_zero_point: one number, or one for
    each row, [M] or [..., M, 1]; b_zero_point one for each column, [N] or [..., 1, N].
    Source: https://onnx.ai/onnx/operators/onnx__MatMulInteger.html (opset 10)
    """

    def infer(
        self,
        A: TensorType,
        B: TensorType,
        a_zero_point: TensorType | None = None,
        b_zero_point: TensorType | None = None,
    ) -> TensorType:
        require_dtype(a_zero_point, A.dtype, "a_zero_point")
        require_dtype(b_zero_point, B.dtype, "b_zero_point")
        return TensorType(INT32, matmul_shape(A, B))

    def numpy(
        self,
        A: Array,
        B: Array,
        a_zero_point: Array | None = None,
        b_zero_point: Array | None = None,
    ) -> Array:
        rows = None if a_zero_point is None else by_row(a_zero_point)
        return wrap(without_zero(A, rows) @ without_zero(B, b_zero_point))

    def macs(self, inputs: Sequence[TensorType | None], outputs: Sequence[TensorType]) -> int:
        return matmul_macs(inputs, outputs)

    @classmethod
    def examples(cls) -> list[Example]:
        A = np.arange(6, dtype=np.uint8).reshape(2, 3)
        B = np.arange(-6, 6, dtype=np.int8).reshape(3, 4)
        zeros = (np.array(2, np.uint8), np.array([0, 1, -1, 2], np.int8))
        return [Example(cls(), (A, B)), Example(cls(), (A, B, *zeros))]


@operator(family="quantization")
class QLinearMatMul(Operator):
    """y = saturate(round((a - a_zero_point) @ (b - b_zero_point) · a_scale · b_scale / y_scale)
    + y_zero_point), in y_zero_point's type.

    a [..., M, K], b [..., K, N], y [..., M, N]. A scale and its zero point: one number, or one
    for each row of a, [M] or [..., M, 1], or column of b, [N] or [..., 1, N]. Before opset 21 the
    scales were float32.
    Source: https://onnx.ai/onnx/operators/onnx__QLinearMatMul.html (opset 21)
    """

    def infer(
        self,
        a: TensorType,
        a_scale: TensorType,
        a_zero_point: TensorType,
        b: TensorType,
        b_scale: TensorType,
        b_zero_point: TensorType,
        y_scale: TensorType,
        y_zero_point: TensorType,
    ) -> TensorType:
        require_dtype(a_zero_point, a.dtype, "a_zero_point")
        require_dtype(b_zero_point, b.dtype, "b_zero_point")
        return TensorType(y_zero_point.dtype, matmul_shape(a, b, "a", "b"))

    def numpy(
        self,
        a: Array,
        a_scale: Array,
        a_zero_point: Array,
        b: Array,
        b_scale: Array,
        b_zero_point: Array,
        y_scale: Array,
        y_zero_point: Array,
    ) -> Array:
        product = without_zero(a, by_row(a_zero_point)) @ without_zero(b, b_zero_point)
        scales = [s.astype(np.float32) for s in (by_row(a_scale), b_scale, by_row(y_scale))]
        factor = scales[0] * scales[1] / scales[2]
        q = product.astype(np.float32) * factor
        return saturate(q, by_row(y_zero_point), y_zero_point.dtype)

    def macs(self, inputs: Sequence[TensorType | None], outputs: Sequence[TensorType]) -> int:
        return matmul_macs(inputs, outputs)

    @classmethod
    def examples(cls) -> list[Example]:
        a = np.arange(6, dtype=np.uint8).reshape(2, 3)
        b = np.arange(-6, 6, dtype=np.int8).reshape(3, 4)
        scale, zero = np.array(0.5, np.float32), np.array(3, np.uint8)
        columns = np.array([0.5, 1, 2, 4], np.float32), np.array([0, 1, -1, 2], np.int8)
        return [Example(cls(), (a, scale, zero, b, *columns, scale * 2, zero))]
