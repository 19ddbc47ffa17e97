"""Convolutions of quantized numbers."""

from collections.abc import Sequence

import numpy as np

from suanzi.operators._checks import per_channel, require_dtype, require_shape
from suanzi.operators._operator import Array, Example, TensorType, operator
from suanzi.operators.convolution import Convolution
from suanzi.operators.quantization import INT32, saturate, without_zero, wrap


def by_filter(numbers: Array, W: Array) -> Array:
    """One number for each filter of W, or one for all."""
    return per_channel(numbers, W.ndim + 1) if numbers.size > 1 else numbers.reshape(())


@operator(family="quantization")
class ConvInteger(Convolution):
    """y = Conv(x - x_zero_point, w - w_zero_point), as int32; padding is x_zero_point.

    x and w of 8 bits; x_zero_point one number, w_zero_point one, or one for each filter.
    Source: https://onnx.ai/onnx/operators/onnx__ConvInteger.html (opset 10)
    """

    def infer(
        self,
        x: TensorType,
        w: TensorType,
        x_zero_point: TensorType | None = None,
        w_zero_point: TensorType | None = None,
    ) -> TensorType:
        require_dtype(x_zero_point, x.dtype, "x_zero_point")
        require_dtype(w_zero_point, w.dtype, "w_zero_point")
        return TensorType(INT32, self.infer_conv(x, w, None))

    def numpy(
        self,
        x: Array,
        w: Array,
        x_zero_point: Array | None = None,
        w_zero_point: Array | None = None,
    ) -> Array:
        zeros = None if w_zero_point is None else by_filter(w_zero_point, w)
        return wrap(self.convolve(without_zero(x, x_zero_point), without_zero(w, zeros)))

    @classmethod
    def examples(cls) -> list[Example]:
        x = np.arange(9, dtype=np.uint8).reshape(1, 1, 3, 3)
        w = np.arange(8, dtype=np.uint8).reshape(2, 1, 2, 2)
        zeros = np.array(1, np.uint8), np.array([1, 2], np.uint8)
        return [Example(cls(), (x, w)), Example(cls(pads=(1, 1, 1, 1)), (x, w, *zeros))]


@operator(family="quantization", torch="torch.ao.nn.quantized.Conv{n}d")
class QLinearConv(Convolution):
    """y = saturate(round((Conv(x - x_zero_point, w - w_zero_point) + B) · x_scale · w_scale /
    y_scale) + y_zero_point), in y_zero_point's type; padding is x_zero_point.

    B (int32) counts in units of x_scale · w_scale. w_scale and w_zero_point are one number, or
    one for each filter; the others one number.
    Source: https://onnx.ai/onnx/operators/onnx__QLinearConv.html (opset 10)
    """

    def infer(
        self,
        x: TensorType,
        x_scale: TensorType,
        x_zero_point: TensorType,
        w: TensorType,
        w_scale: TensorType,
        w_zero_point: TensorType,
        y_scale: TensorType,
        y_zero_point: TensorType,
        B: TensorType | None = None,
    ) -> TensorType:
        require_dtype(x_zero_point, x.dtype, "x_zero_point")
        require_dtype(w_zero_point, w.dtype, "w_zero_point")
        require_dtype(B, INT32, "B")
        for name, t in (("w_scale", w_scale), ("w_zero_point", w_zero_point)):
            if w.shape is not None and t.shape not in ((), (1,)):
                require_shape(t, w.shape[:1], name)
        return TensorType(y_zero_point.dtype, self.infer_conv(x, w, B))

    def numpy(
        self,
        x: Array,
        x_scale: Array,
        x_zero_point: Array,
        w: Array,
        w_scale: Array,
        w_zero_point: Array,
        y_scale: Array,
        y_zero_point: Array,
        B: Array | None = None,
    ) -> Array:
        filters = without_zero(w, by_filter(w_zero_point, w))
        sums = self.convolve(without_zero(x, x_zero_point.reshape(())), filters)
        if B is not None:
            sums = sums + per_channel(B, x.ndim)
        factor = x_scale.reshape(()) * w_scale.reshape(-1) / y_scale.reshape(())
        q = sums.astype(np.float32) * per_channel(factor, x.ndim)
        return saturate(q, y_zero_point.reshape(()), y_zero_point.dtype)

    @classmethod
    def examples(cls) -> list[Example]:
        x = np.arange(0, 250, 10, dtype=np.uint8).reshape(1, 1, 5, 5)
        w = np.arange(-4, 4, dtype=np.int8).reshape(2, 1, 2, 2)
        one, zero = np.array(0.5, np.float32), np.array(10, np.uint8)
        scales, zeros = np.array([0.5, 0.25], np.float32), np.array([0, 1], np.int8)
        B = np.array([100, -100], np.int32)
        return [
            Example(cls(), (x, one, zero, w, one, zeros[0], one * 8, zero)),
            Example(cls(pads=(1, 1, 0, 0)), (x, one, zero, w, scales, zeros, one * 8, zero, B)),
        ]

    def macs(self, inputs: Sequence[TensorType | None], outputs: Sequence[TensorType]) -> int:
        return super().macs((inputs[0], inputs[3]), outputs)
