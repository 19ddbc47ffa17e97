"""Pooling: the largest or the mean of what a window sees, over any number of spatial axes."""

import functools
import math
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from suanzi.operators._checks import widen
from suanzi.operators._gradients import expand, like
from suanzi.operators._operator import (
    Array,
    Example,
    Ints,
    Operator,
    TensorType,
    operator,
    require,
)
from suanzi.operators._windows import Axis, Windowed
from suanzi.operators.arithmetic import Abs, Pow, Sign
from suanzi.operators.logic import Equal, Where


@dataclass(frozen=True, kw_only=True)
class Pool(Windowed):
    """X [N, C, *sizes], Y [N, C, *places], as Conv's; ⌈ ⌉ in place of ⌊ ⌋ in ceil_mode, where a
    window that would begin beyond X and the padding before it doesn't count.

    Source, of all here: https://onnx.ai/onnx/operators/ (opset 22)
    """

    kernel_shape: Ints
    ceil_mode: int = 0

    def _steps(self, room: int, size: int, axis: Axis) -> int:
        if not self.ceil_mode:
            return super()._steps(room, size, axis)
        places = -(-room // axis.stride) + 1
        return places - 1 if (places - 1) * axis.stride >= size + axis.begin else places

    def window(self) -> dict[str, Any]:
        """The attributes that every kind of pooling has, and their gradients."""
        return {f.name: getattr(self, f.name) for f in fields(Pool)}

    def infer_pool(self, X: TensorType) -> TensorType:
        require(X.rank is None or X.rank > 2, "wrong rank", "X", "at least 3 axes", X)
        if X.shape is None:
            return X
        return TensorType(X.dtype, (*X.shape[:2], *self.output_sizes(X.shape[2:])))

    @classmethod
    def examples(cls) -> list[Example]:
        X = np.sin(np.arange(50, dtype=np.float32)).reshape(1, 2, 5, 5)
        return [
            Example(cls(kernel_shape=(2, 2), strides=(2, 2)), (X,)),
            Example(cls(kernel_shape=(3, 3), strides=(2, 2), pads=(1, 1, 1, 1)), (X,)),
            Example(cls(kernel_shape=(2, 2), strides=(2, 2), ceil_mode=1), (X,)),
            Example(cls(kernel_shape=(3, 2), auto_pad="SAME_UPPER", dilations=(1, 2)), (X,)),
        ]


def taps(view: Array) -> tuple[int, ...]:
    """The axes of a view of windows [N, C, *places, *kernel] that run within a window."""
    return tuple(range(view.ndim // 2 + 1, view.ndim))


@operator(family="pooling", torch="nn.MaxPool{n}d")
class MaxPool(Pool):
    """Y = the largest element that the window sees; padding is never the largest.

    Indices (int64, Y's shape): where in X it lies, X counted flat, and within each channel by
    rows or, where storage_order is 1, by columns. Before opset 8 there were no Indices, before 10
    no dilations and no ceil_mode.
    """

    storage_order: int = 0

    def infer(self, X: TensorType) -> tuple[TensorType, TensorType]:
        Y = self.infer_pool(X)
        return Y, TensorType(np.dtype(np.int64), Y.shape)

    def numpy(self, X: Array) -> tuple[Array, Array]:
        N, C, *sizes = X.shape
        least = np.iinfo(X.dtype).min if X.dtype.kind in "iu" else -np.inf
        view = self.windows(X, least)
        flat = (*view.shape[: X.ndim], -1)
        channel = np.arange(np.prod(sizes)).reshape(sizes, order="F" if self.storage_order else "C")
        places = self.windows(channel[None, None], 0).reshape(1, 1, *flat[2:])
        best = view.reshape(flat).argmax(-1)[..., None]
        inside = np.take_along_axis(places, best, -1)[..., 0]
        first = np.arange(N * C).reshape(N, C, *(1,) * len(sizes)) * channel.size
        return view.max(taps(view)), first + inside

    def grad(self, dY: Any, _Y: Any, X: Any) -> tuple[Any, ...]:
        from suanzi.operators.pooling_gradient import MaxPoolGradient

        return (None if dY[0] is None else MaxPoolGradient(**self.window())(dY[0], X),)


@operator(family="pooling", torch="nn.AvgPool{n}d")
class AveragePool(Pool):
    """Y = the mean of the elements that the window sees; padding counts as 0 where
    count_include_pad is 1, and not at all where it is 0.

    What lies beyond the padding, where ceil_mode lets the last window reach, never counts.
    Before opset 7 there was no count_include_pad, before 10 no ceil_mode, before 19 no dilations.
    """

    count_include_pad: int = 0

    def infer(self, X: TensorType) -> TensorType:
        return self.infer_pool(X)

    def numpy(self, X: Array) -> Array:
        view, count = self.windows(widen(X), 0), self.counts(X.shape[2:])
        return np.asarray(view.sum(taps(view)) / count).astype(X.dtype)

    def grad(self, dY: Any, _Y: Any, _X: Any) -> tuple[Any, ...]:
        from suanzi.operators.pooling_gradient import AveragePoolGradient

        sizes = tuple(_X.shape[2:])
        return (AveragePoolGradient(**vars(self), sizes=sizes)(dY),)

    def counts(self, sizes: Ints) -> Array:
        """How many elements count in each of the window's places, at least 1."""
        axes = self.explicit(sizes).axes(len(sizes))
        each = map(self._counts, axes, sizes, self.places(sizes))
        return np.maximum(functools.reduce(np.multiply.outer, each), 1)

    def _counts(self, axis: Axis, size: int, places: int) -> Array:
        """How many elements along this axis count in each of the window's places."""
        starts = np.arange(places)[:, None] * axis.stride
        seen = starts + np.arange(axis.kernel) * axis.dilation - axis.begin
        low, high = (-axis.begin, size + axis.end) if self.count_include_pad else (0, size)
        return np.asarray(((low <= seen) & (seen < high)).sum(1), np.float32)


@operator(family="pooling", torch="nn.LPPool{n}d")
class LpPool(Pool):
    """Y = (Σ |x|^p)^(1/p) over the elements x that the window sees; padding is 0.

    Before opset 2 p was a float, before 18 there were no dilations and no ceil_mode.
    """

    p: int = 2

    def infer(self, X: TensorType) -> TensorType:
        return self.infer_pool(X)

    def numpy(self, X: Array) -> Array:
        view = self.windows(np.abs(widen(X)) ** self.p, 0)
        return np.asarray(view.sum(taps(view)) ** (1 / self.p)).astype(X.dtype)

    def grad(self, dY: Any, Y: Any, X: Any) -> tuple[Any, ...]:
        mean = AveragePool(**self.window(), count_include_pad=1)
        counts = mean.counts(tuple(X.shape[2:])).astype(X.dtype)  # their gradient without division
        (spread,) = mean.grad(norm_slope(dY, Y, self.p) * counts, Y, X)
        return (signed_power(X, self.p) * spread,)


def norm_slope(dY: Any, Y: Any, p: int) -> Any:
    """dY · Y^(1-p), the part of a p-norm's gradient that its summands share; 0 where Y is 0."""
    zero = Equal()(Y, like(0, Y))
    return Where()(zero, like(0, Y), dY * Pow()(Where()(zero, like(1, Y), Y), like(1 - p, Y)))


def signed_power(X: Any, p: int) -> Any:
    """sign(x) · |x|^(p-1), the part of a p-norm's gradient that is each summand's own."""
    return X if p == 2 else Sign()(X) * Pow()(Abs()(X), like(p - 1, X))


class GlobalPool(Operator):
    """One window that sees all of a channel: X [N, C, *sizes], Y [N, C, 1, ...].

    Source, of all: https://onnx.ai/onnx/operators/ (opset 22)
    """

    def infer(self, X: TensorType) -> TensorType:
        require(X.rank is None or X.rank > 1, "wrong rank", "X", "at least 2 axes", X)
        if X.shape is None:
            return X
        return TensorType(X.dtype, (*X.shape[:2], *(1,) * (len(X.shape) - 2)))

    @classmethod
    def examples(cls) -> list[Example]:
        X = np.sin(np.arange(24, dtype=np.float32))
        return [Example(cls(), (X.reshape(1, 2, 3, 4),)), Example(cls(), (X.reshape(2, 3, 4),))]


@operator(family="pooling", torch="nn.AdaptiveMaxPool{n}d")
class GlobalMaxPool(GlobalPool):
    """Y = the largest element of each channel."""

    def numpy(self, X: Array) -> Array:
        return np.asarray(X.max(tuple(range(2, X.ndim)), keepdims=True))

    def grad(self, dY: Any, Y: Any, X: Any) -> tuple[Any, ...]:
        if len(X.shape) == 2:
            return (dY,)
        return MaxPool(kernel_shape=tuple(X.shape[2:])).grad((dY, None), Y, X)


@operator(family="pooling", torch="nn.AdaptiveAvgPool{n}d")
class GlobalAveragePool(GlobalPool):
    """Y = the mean of each channel."""

    def numpy(self, X: Array) -> Array:
        return np.asarray(widen(X).mean(tuple(range(2, X.ndim)), keepdims=True)).astype(X.dtype)

    def grad(self, dY: Any, _Y: Any, _X: Any) -> tuple[Any, ...]:
        each = dY * (1 / max(math.prod(_X.shape[2:]), 1))
        return (expand(each, _X.shape),)


@operator(family="pooling", torch="nn.LPPool{n}d")
class GlobalLpPool(GlobalPool):
    """Y = (Σ |x|^p)^(1/p) over the elements x of each channel; before opset 2 p was a float."""

    p: int = 2

    def numpy(self, X: Array) -> Array:
        powers = np.abs(widen(X)) ** self.p
        total = powers.sum(tuple(range(2, X.ndim)), keepdims=True)
        return np.asarray(total ** (1 / self.p)).astype(X.dtype)

    def grad(self, dY: Any, Y: Any, X: Any) -> tuple[Any, ...]:
        return (signed_power(X, self.p) * norm_slope(dY, Y, self.p),)
