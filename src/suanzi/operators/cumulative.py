"""Running sums and products along an axis. Source: https://onnx.ai/onnx/operators/"""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from suanzi.operators._axes import axis_of
from suanzi.operators._checks import widen
from suanzi.operators._gradients import like
from suanzi.operators._operator import Array, Example, Operator, TensorType, operator
from suanzi.operators.cast import cast
from suanzi.operators.logic import Equal, Where


@dataclass(frozen=True, kw_only=True)
class Cumulative(Operator):
    """y[i] of x[j] along `axis`, over j ≤ i; j < i if exclusive; from the end if reverse.

    axis is a scalar, and y has x's shape and type.
    """

    exclusive: int = 0
    reverse: int = 0
    function: ClassVar[np.ufunc]

    def infer(self, x: TensorType, axis: TensorType) -> TensorType:
        if axis.value is not None and x.rank is not None:
            axis_of(int(axis.value.item()), x.rank)
        return TensorType(x.dtype, x.shape)

    def numpy(self, x: Array, axis: Array) -> Array:
        along = axis_of(int(axis.item()), x.ndim)
        steps = np.moveaxis(widen(x), along, 0)
        steps = np.flip(steps, 0) if self.reverse else steps
        if self.exclusive:  # one place later, after the sum or product of nothing
            nothing = np.full_like(steps[:1], self.function.identity)
            steps = np.concatenate([nothing, steps[:-1]])
        with np.errstate(all="ignore"):
            y = self.function.accumulate(steps, 0, dtype=steps.dtype)
        y = np.flip(y, 0) if self.reverse else y
        return np.moveaxis(y, 0, along).astype(x.dtype, copy=False)

    def back(self, dY: Any, axis: Any) -> Any:
        """The sum of dY over the elements that each x has a part in."""
        return CumSum(exclusive=self.exclusive, reverse=1 - self.reverse)(dY, axis)

    @classmethod
    def examples(cls) -> list[Example]:
        x = np.array([[1, 2, 3], [4, 5, 6]], np.float32)
        return [
            Example(cls(), (x, np.array(1))),
            Example(cls(exclusive=1, reverse=1), (x, np.array(0))),
        ]


@operator(family="reduction", torch="torch.cumsum")
class CumSum(Cumulative):
    """y[i] = Σ x[j]; integers wrap around."""

    function = np.add

    def grad(self, dY: Any, _Y: Any, _x: Any, axis: Any) -> tuple[Any, ...]:
        return self.back(dY, axis), None


@operator(family="reduction", torch="torch.cumprod")
class CumProd(Cumulative):
    """y[i] = Π x[j]; integers wrap around. New in opset 26."""

    function = np.multiply

    def grad(self, dY: Any, Y: Any, x: Any, axis: Any) -> tuple[Any, ...]:
        """Σ dY·Y/x over the products that x is in; at the first zero the products without it."""
        zero = Equal()(x, like(0, x))
        count = CumSum(reverse=self.reverse)(cast(zero, x.dtype), axis)
        first, one = zero & (count < 2), like(1, x)
        without = self(Where()(first, one, x), axis)
        rest = self.back(dY * Y, axis) / Where()(zero, one, x)
        return Where()(first, self.back(dY * without, axis), rest), None
