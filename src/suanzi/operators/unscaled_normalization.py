"""Normalization that has no scale and no shift."""

from typing import Any

import numpy as np

from suanzi.errors import SuanziError
from suanzi.operators._axes import axes_of, axis_of
from suanzi.operators._checks import widen
from suanzi.operators._compose import mean, total
from suanzi.operators._gradients import like
from suanzi.operators._operator import Array, Example, Ints, Operator, TensorType, operator
from suanzi.operators._standard import through_standard
from suanzi.operators.arithmetic import Reciprocal, Sign, Sqrt
from suanzi.operators.logic import Equal, Where
from suanzi.operators.reduction import ReduceL1, ReduceL2

X = np.sin(np.arange(48, dtype=np.float32)).reshape(2, 4, 2, 3)


@operator(family="normalization")
class MeanVarianceNormalization(Operator):
    """Y = (X - mean) / (√var + 10⁻⁹), mean and var over the `axes`.

    Source: https://onnx.ai/onnx/operators/onnx__MeanVarianceNormalization.html (opset 13, as 9)
    """

    axes: Ints = (0, 2, 3)

    def infer(self, X: TensorType) -> TensorType:
        if X.rank is not None:
            axes_of(self.axes, X.rank)
        return TensorType(X.dtype, X.shape)

    def numpy(self, X: Array) -> Array:
        x = widen(X)
        centred = x - x.mean(self.axes, keepdims=True)
        deviation = np.sqrt((centred * centred).mean(self.axes, keepdims=True))
        return np.asarray(centred / (deviation + 1e-9)).astype(X.dtype)

    def grad(self, dY: Any, Y: Any, X: Any) -> tuple[Any, ...]:
        axes = axes_of(self.axes, len(X.shape))
        centred = X - mean(X, axes)
        inverse = Reciprocal()(Sqrt()(mean(centred * centred, axes)) + 1e-9)
        return (through_standard(dY, Y, inverse, axes),)

    @classmethod
    def examples(cls) -> list[Example]:
        return [Example(cls(), (X,)), Example(cls(axes=(-1,)), (X[0, 0],))]


@operator(family="normalization", torch="F.normalize")
class LpNormalization(Operator):
    """Y = X / norm along `axis`: Σ|x| for p = 1, √Σx² for p = 2; 0 where the norm is 0.

    Source: https://onnx.ai/onnx/operators/onnx__LpNormalization.html (opset 22, as 1)
    """

    axis: int = -1
    p: int = 2

    def infer(self, input: TensorType) -> TensorType:
        if input.rank is not None:
            axis_of(self.axis, input.rank)
        if self.p not in (1, 2):
            raise SuanziError("no such norm", expected="1 or 2", found=self.p)
        return TensorType(input.dtype, input.shape)

    def numpy(self, input: Array) -> Array:
        x = widen(input)
        norm = np.linalg.norm(x, self.p, self.axis, keepdims=True)
        return np.asarray(x / np.where(norm == 0, 1, norm)).astype(input.dtype)

    def grad(self, dY: Any, Y: Any, input: Any) -> tuple[Any, ...]:
        norm = {1: ReduceL1, 2: ReduceL2}[self.p]()(input, np.array([self.axis]))
        norm = Where()(Equal()(norm, like(0, norm)), like(1, norm), norm)
        slope = Y if self.p == 2 else Sign()(input)
        return ((dY - slope * total(dY * Y, (self.axis,))) / norm,)

    @classmethod
    def examples(cls) -> list[Example]:
        padded = np.array([[3, 4], [0, 0]], np.float32)
        return [Example(cls(), (padded,)), Example(cls(axis=1, p=1), (X,))]
