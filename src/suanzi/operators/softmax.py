"""Softmax and its relatives: each works along one axis."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from suanzi.operators._axes import axis_of
from suanzi.operators._operator import Array, Example, Operator, TensorType, operator
from suanzi.operators.arithmetic import Exp
from suanzi.operators.reduction import ReduceSum


@dataclass(frozen=True, kw_only=True)
class AlongAxis(Operator):
    """Y has the shape and the type of the input, and is computed in it: Attention, whose body
    has a Softmax, names that type by its attribute softmax_precision.

    Before opset 13 the default axis was 1, and all axes from it on were taken as one.
    Source, of all here: https://onnx.ai/onnx/operators/
    """

    axis: int = -1

    def infer(self, input: TensorType) -> TensorType:
        if input.rank is not None:
            axis_of(self.axis, input.rank)
        return TensorType(input.dtype, input.shape)

    @classmethod
    def examples(cls) -> list[Example]:
        x = np.array([[1, 2, 3], [1, -1000, 1000]], np.float32)
        return [Example(cls(), (x,)), Example(cls(axis=0), (x,))]


@operator(family="softmax", torch="nn.Softmax")
class Softmax(AlongAxis):
    """Y = exp(X) / Σ exp(X), the sum along `axis`."""

    def numpy(self, input: Array) -> Array:
        # Taking the largest away changes nothing and keeps exp from overflowing.
        e = np.exp(input - input.max(self.axis, keepdims=True, initial=-np.inf))
        return np.asarray(e / e.sum(self.axis, keepdims=True), input.dtype)

    def grad(self, dY: Any, Y: Any, _X: Any) -> tuple[Any, ...]:
        return (Y * (dY - ReduceSum()(dY * Y, np.array([self.axis]))),)


@operator(family="softmax", torch="nn.LogSoftmax")
class LogSoftmax(AlongAxis):
    """Y = X - log(Σ exp(X)), the sum along `axis`."""

    def numpy(self, input: Array) -> Array:
        x = input - input.max(self.axis, keepdims=True, initial=-np.inf)
        return np.asarray(x - np.log(np.exp(x).sum(self.axis, keepdims=True)), input.dtype)

    def grad(self, dY: Any, Y: Any, _X: Any) -> tuple[Any, ...]:
        return (dY - Exp()(Y) * ReduceSum()(dY, np.array([self.axis])),)


@operator(family="softmax")
class Hardmax(AlongAxis):
    """Y = 1 at the first of the largest elements along `axis`, 0 elsewhere."""

    def numpy(self, input: Array) -> Array:
        y = np.zeros_like(input)
        first = np.argmax(input, self.axis, keepdims=True)
        np.put_along_axis(y, first, np.ones((), input.dtype), self.axis)
        return y

    def grad(self, dY: Any, _Y: Any, _X: Any) -> tuple[Any, ...]:
        return (None,)
