"""Reductions over axes. Source, of all here: https://onnx.ai/onnx/operators/"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from suanzi.operators._axes import axes_of, axis_of, ints, length
from suanzi.operators._checks import widen
from suanzi.operators._gradients import expand, like, reshape
from suanzi.operators._operator import Array, Dim, Example, Ints, Operator, TensorType, operator
from suanzi.operators.arithmetic import Exp, Sign
from suanzi.operators.cast import cast
from suanzi.operators.logic import Equal, Where, masked
from suanzi.operators.shape import Unsqueeze

DATA = np.array([[[1, -2], [3, 4]], [[5, 6], [-7, 8]], [[9, 10], [11, 12]]], np.float32)


def reduced_shape(shape: tuple[Dim, ...], axes: Ints, keepdims: int) -> tuple[Dim, ...]:
    """The shape with 1 at the axes, or without them.

    >>> reduced_shape(("N", 3, 5), (1,), keepdims=1)
    ('N', 1, 5)
    """
    if keepdims:
        return tuple(1 if i in axes else d for i, d in enumerate(shape))
    return tuple(d for i, d in enumerate(shape) if i not in axes)


@dataclass(frozen=True, kw_only=True)
class Reduction(Operator):
    """Defines `reduce(data, axes)`, which keeps the reduced axes with size 1.

    `axes` is a list of axes; absent or empty it means all, or with noop_with_empty_axes none, and
    then what isn't summing (squares, logarithms) is still done. Without `keepdims` the reduced axes
    vanish. The output has data's type. Before opset 18 (ReduceSum: 13) axes was an attribute.
    """

    keepdims: int = 1
    noop_with_empty_axes: int = 0

    def reduce(self, data: Array, axes: Ints) -> Array:
        raise NotImplementedError

    def reduced_axes(self, axes: Ints, rank: int) -> Ints:
        """The axes counted from the front, absent ones filled in."""
        if not axes and not self.noop_with_empty_axes:
            return tuple(range(rank))
        return axes_of(axes, rank)

    def infer(self, data: TensorType, axes: TensorType | None = None) -> TensorType:
        if data.shape is None:
            return TensorType(data.dtype, None)
        if axes is None or length(axes, "axes") == 0:
            given: Ints = ()
        elif axes.value is not None:
            given = ints(axes.value)
        else:
            rank = len(data.shape)
            return TensorType(data.dtype, (None,) * rank if self.keepdims else None)
        over = self.reduced_axes(given, len(data.shape))
        return TensorType(data.dtype, reduced_shape(data.shape, over, self.keepdims))

    def numpy(self, data: Array, axes: Array | None = None) -> Array:
        over = self.reduced_axes(() if axes is None else ints(axes), data.ndim)
        with np.errstate(all="ignore"):
            y = self.reduce(widen(data), over).astype(data.dtype, copy=False)
        return y if self.keepdims else np.squeeze(y, over)

    def spread(self, y: Any, data: Any, axes: Any) -> Any:
        """A value of the output's shape again at every element that was reduced to it."""
        if not self.keepdims:
            named = axes is not None and axes.shape != (0,)
            y = Unsqueeze()(y, axes) if named else reshape(y, self._kept(data.shape))
        return expand(y, data.shape)

    def _kept(self, shape: Ints) -> Ints:
        """The shape with the reduced axes of size 1, where `axes` names none."""
        return shape if self.noop_with_empty_axes else (1,) * len(shape)

    def total(self, value: Any, axes: Any) -> Any:
        """A value of the data's shape summed as this reduces it."""
        add = ReduceSum(keepdims=self.keepdims, noop_with_empty_axes=self.noop_with_empty_axes)
        return add(value, axes)

    @classmethod
    def examples(cls) -> list[Example]:
        return [
            Example(cls(), (DATA, np.array([1]))),
            Example(cls(keepdims=0), (DATA, np.array([-1, 0]))),
            Example(cls(), (DATA,)),
            Example(cls(noop_with_empty_axes=1), (DATA,)),
        ]


@operator(family="reduction", torch="torch.sum")
class ReduceSum(Reduction):
    """Y = Σ X."""

    def reduce(self, data: Array, axes: Ints) -> Array:
        return np.asarray(data.sum(axes, keepdims=True))

    def grad(self, dY: Any, _Y: Any, _data: Any, axes: Any = None) -> tuple[Any, ...]:
        return (self.spread(dY, _data, axes),)


@operator(family="reduction", torch="torch.mean")
class ReduceMean(Reduction):
    """Y = Σ X / how many."""

    def reduce(self, data: Array, axes: Ints) -> Array:
        return np.asarray(data.mean(axes, keepdims=True))

    def grad(self, dY: Any, _Y: Any, _data: Any, axes: Any = None) -> tuple[Any, ...]:
        share = math.prod(_Y.shape) / max(math.prod(_data.shape), 1)
        return (self.spread(dY * share, _data, axes),)


def _extreme(dtype: np.dtype[Any], sign: int) -> float:
    """The number that is above (sign 1) or below (-1) all others of the type."""
    if dtype == np.bool_:
        return sign > 0
    if np.issubdtype(dtype, np.integer):
        return np.iinfo(dtype).max if sign > 0 else np.iinfo(dtype).min
    return sign * np.inf


def shared(by: Reduction, dY: Any, Y: Any, data: Any, axes: Any) -> Any:
    """The gradient of data whose extremes are Y: equal ones share dY."""
    extreme = Equal()(data, by.spread(Y, data, axes))
    part = dY / by.total(cast(extreme, data.dtype), axes)
    return masked(extreme, by.spread(part, data, axes))


@operator(family="reduction", torch="torch.amax")
class ReduceMax(Reduction):
    """Y = the largest X; of nothing, the lowest number of the type (-∞)."""

    def reduce(self, data: Array, axes: Ints) -> Array:
        return np.asarray(data.max(axes, keepdims=True, initial=_extreme(data.dtype, -1)))

    def grad(self, dY: Any, Y: Any, data: Any, axes: Any = None) -> tuple[Any, ...]:
        return (shared(self, dY, Y, data, axes),)


@operator(family="reduction", torch="torch.amin")
class ReduceMin(Reduction):
    """Y = the smallest X; of nothing, the highest number of the type (∞)."""

    def reduce(self, data: Array, axes: Ints) -> Array:
        return np.asarray(data.min(axes, keepdims=True, initial=_extreme(data.dtype, 1)))

    def grad(self, dY: Any, Y: Any, data: Any, axes: Any = None) -> tuple[Any, ...]:
        return (shared(self, dY, Y, data, axes),)


@operator(family="reduction", torch="torch.prod")
class ReduceProd(Reduction):
    """Y = Π X."""

    def reduce(self, data: Array, axes: Ints) -> Array:
        return np.asarray(data.prod(axes, keepdims=True))

    def grad(self, dY: Any, _Y: Any, data: Any, axes: Any = None) -> tuple[Any, ...]:
        """Each element's is the product of the others."""
        zero = Equal()(data, like(0, data))
        safe, zeros = Where()(zero, like(1, data), data), cast(zero, data.dtype)
        product = self.spread(self(safe, axes), data, axes)
        count = self.spread(self.total(zeros, axes), data, axes)
        others = masked(Equal()(count, zeros), product / safe)  # no zero but itself
        return (self.spread(dY, data, axes) * others,)


@operator(family="reduction", torch="torch.linalg.vector_norm")
class ReduceL1(Reduction):
    """Y = Σ |X|."""

    def reduce(self, data: Array, axes: Ints) -> Array:
        return np.asarray(np.abs(data).sum(axes, keepdims=True))

    def grad(self, dY: Any, _Y: Any, data: Any, axes: Any = None) -> tuple[Any, ...]:
        return (self.spread(dY, data, axes) * Sign()(data),)


@operator(family="reduction", torch="torch.linalg.vector_norm")
class ReduceL2(Reduction):
    """Y = √(Σ X²)."""

    def reduce(self, data: Array, axes: Ints) -> Array:
        return np.asarray(np.sqrt(np.square(data).sum(axes, keepdims=True)))

    def grad(self, dY: Any, Y: Any, data: Any, axes: Any = None) -> tuple[Any, ...]:
        length = Where()(Y > 0, Y, like(1, Y))  # of nothing the gradient is 0
        return (self.spread(dY / length, data, axes) * data,)


@operator(family="reduction")
class ReduceSumSquare(Reduction):
    """Y = Σ X²."""

    def reduce(self, data: Array, axes: Ints) -> Array:
        return np.asarray(np.square(data).sum(axes, keepdims=True))

    def grad(self, dY: Any, _Y: Any, data: Any, axes: Any = None) -> tuple[Any, ...]:
        return (self.spread(dY + dY, data, axes) * data,)


@operator(family="reduction")
class ReduceLogSum(Reduction):
    """Y = log(Σ X)."""

    def reduce(self, data: Array, axes: Ints) -> Array:
        return np.asarray(np.log(data.sum(axes, keepdims=True)))

    def grad(self, dY: Any, Y: Any, _data: Any, axes: Any = None) -> tuple[Any, ...]:
        return (self.spread(dY / Exp()(Y), _data, axes),)


@operator(family="reduction", torch="torch.logsumexp")
class ReduceLogSumExp(Reduction):
    """Y = log(Σ exp(X))."""

    def reduce(self, data: Array, axes: Ints) -> Array:
        largest = data.max(axes, keepdims=True, initial=-np.inf)
        shift = np.where(np.isfinite(largest), largest, 0)  # keeps exp from overflowing
        return np.asarray(np.log(np.exp(data - shift).sum(axes, keepdims=True)) + shift)

    def grad(self, dY: Any, Y: Any, data: Any, axes: Any = None) -> tuple[Any, ...]:
        weights = Exp()(data - self.spread(Y, data, axes))
        return (self.spread(dY, data, axes) * weights,)


@dataclass(frozen=True, kw_only=True)
class ArgExtreme(Operator):
    """Where along `axis` the extreme lies, as int64; of equal ones the first, or the last."""

    axis: int = 0
    keepdims: int = 1
    select_last_index: int = 0

    def infer(self, data: TensorType) -> TensorType:
        if data.shape is None:
            return TensorType(np.dtype(np.int64), None)
        axis = axis_of(self.axis, len(data.shape))
        return TensorType(np.dtype(np.int64), reduced_shape(data.shape, (axis,), self.keepdims))

    def place(self, data: Array) -> Array:
        """The index of the first extreme along the axis, which is kept."""
        raise NotImplementedError

    def numpy(self, data: Array) -> Array:
        if self.select_last_index:
            last = data.shape[self.axis] - 1
            y = last - self.place(np.flip(data, self.axis))
        else:
            y = self.place(data)
        return y if self.keepdims else np.asarray(np.squeeze(y, self.axis))

    @classmethod
    def examples(cls) -> list[Example]:
        data = np.array([[2, 1, 2], [0, 0, 3]], np.float32)
        return [
            Example(cls(axis=1), (data,)),
            Example(cls(axis=-1, keepdims=0, select_last_index=1), (data,)),
        ]


@operator(family="reduction", torch="torch.argmax")
class ArgMax(ArgExtreme):
    """Y = the index of the largest X along `axis`.

    Before opset 12 always the first of equal ones.
    """

    def place(self, data: Array) -> Array:
        return np.asarray(np.argmax(data, self.axis, keepdims=True))


@operator(family="reduction", torch="torch.argmin")
class ArgMin(ArgExtreme):
    """Y = the index of the smallest X along `axis`.

    Before opset 12 always the first of equal ones.
    """

    def place(self, data: Array) -> Array:
        return np.asarray(np.argmin(data, self.axis, keepdims=True))
