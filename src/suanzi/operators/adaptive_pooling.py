"""Pooling by windows that fit the output's size, or that random numbers place."""

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from suanzi.errors import SuanziError
from suanzi.operators._checks import require_shape, widen
from suanzi.operators._gradients import reshape, zeros
from suanzi.operators._operator import (
    Array,
    Dim,
    Example,
    Ints,
    Operator,
    TensorType,
    operator,
    require,
)
from suanzi.operators.indexing import ScatterElements
from suanzi.operators.linear import MatMul
from suanzi.operators.pooling_gradient import AveragePoolGradient

X = np.sin(np.arange(120, dtype=np.float32)).reshape(1, 2, 5, 12)


def bins(size: int, count: int) -> tuple[Array, Array]:
    """Where each of `count` windows along an axis starts and ends: ⌊i · size / count⌋ and
    ⌈(i + 1) · size / count⌉.

    >>> bins(5, 2)
    (array([0, 2]), array([3, 5]))
    """
    i = np.arange(count)
    return i * size // count, -(-(i + 1) * size // count)


@dataclass(frozen=True, kw_only=True)
class AdaptivePool(Operator):
    """X [N, C, *sizes], Y [N, C, *output_size]; where output_size has -1 the size is X's.
    Along each axis window i goes from ⌊i · size / output⌋ up to, not including,
    ⌈(i + 1) · size / output⌉.

    Source, of all here: https://docs.pytorch.org/docs/stable/nn.html#pooling-layers
    """

    output_size: Ints

    def infer_pool(self, X: TensorType) -> TensorType:
        n = len(self.output_size)
        require(X.rank in (None, n + 2), "wrong rank", "X", f"{n + 2} axes", X)
        if n == 0 or min(self.output_size) < -1:
            found = list(self.output_size)
            raise SuanziError("wrong output_size", expected="sizes, or -1", found=found)
        sizes = (None,) * (n + 2) if X.shape is None else X.shape
        require(0 not in sizes[2:], "nothing to pool", "X", "sizes above 0", X)
        return TensorType(X.dtype, (*sizes[:2], *self.places(sizes[2:])))

    def places(self, sizes: tuple[Dim, ...]) -> tuple[Dim, ...]:
        pairs = zip(self.output_size, sizes, strict=True)
        return tuple(size if output == -1 else output for output, size in pairs)

    def bins(self, sizes: Ints) -> list[tuple[Array, Array]]:
        """The starts and ends of the windows along each axis."""
        pairs = zip(sizes, self.places(sizes), strict=True)
        return [bins(size, output) for size, output in pairs if isinstance(output, int)]

    @classmethod
    def examples(cls) -> list[Example]:
        return [
            Example(cls(output_size=(2, 7)), (X,)),
            Example(cls(output_size=(5, 4)), (X,)),
            Example(cls(output_size=(-1, 1)), (X,)),
            Example(cls(output_size=(3,)), (X[:, :, 0],)),
        ]


@operator(family="pooling", torch="nn.AdaptiveAvgPool{n}d")
class AdaptiveAveragePool(AdaptivePool):
    """Y = the mean of each window."""

    def infer(self, X: TensorType) -> TensorType:
        return self.infer_pool(X)

    def numpy(self, X: Array) -> Array:
        Y = widen(X)
        for axis, weights in enumerate(self.weights(X.shape[2:], Y.dtype), 2):
            Y = np.moveaxis(np.moveaxis(Y, axis, -1) @ weights, -1, axis)
        return np.ascontiguousarray(Y).astype(X.dtype)

    def weights(self, sizes: Ints, dtype: np.dtype[Any]) -> Iterator[Array]:
        """For each axis [size, output]: what each element counts in each window's mean."""
        for size, (starts, ends) in zip(sizes, self.bins(sizes), strict=True):
            i = np.arange(size)[:, None]
            yield (((starts <= i) & (i < ends)) / (ends - starts)).astype(dtype)

    def grad(self, dY: Any, _Y: Any, _X: Any) -> tuple[Any, ...]:
        sizes = tuple(_X.shape[2:])
        pairs = zip(sizes, dY.shape[2:], strict=True)
        if all(output and size % output == 0 for size, output in pairs):  # all windows alike
            window = tuple(s // o for s, o in zip(sizes, dY.shape[2:], strict=True))
            return (AveragePoolGradient(kernel_shape=window, strides=window, sizes=sizes)(dY),)
        dX = dY
        for axis, weights in enumerate(self.weights(sizes, np.dtype(dY.dtype)), 2):
            before, after = dX.shape[:axis], dX.shape[axis + 1 :]
            rows = reshape(dX, (math.prod(before), dX.shape[axis], math.prod(after)))
            dX = reshape(MatMul()(weights, rows), (*before, len(weights), *after))
        return (dX,)

    def macs(self, inputs: Any, outputs: Any) -> int:
        """Each output element adds up its window."""
        sizes = inputs[0].sizes
        extents = [int((ends - starts).sum()) for starts, ends in self.bins(sizes[2:])]
        return int(math.prod(sizes[:2]) * math.prod(extents))


class IndexedPool(Operator):
    """Pooling whose second output says where in its channel, counted flat by rows, each largest
    element lies, as PyTorch has it.
    """

    grad_outputs = (1,)

    def largest(self, X: Array, windows: Iterator[tuple[Any, ...]]) -> tuple[Array, Array]:
        """The largest element (NaN, if there is one) of each window, and its place; a window is
        the slices, or indices that broadcast, of the spatial axes.
        """
        flat = np.arange(math.prod(X.shape[2:])).reshape(X.shape[2:])
        values, places = [], []
        for window in windows:
            seen = X[(..., *window)].reshape(*X.shape[:2], -1)
            best = seen.argmax(-1)
            values.append(np.take_along_axis(seen, best[..., None], -1)[..., 0])
            places.append(flat[window].reshape(-1)[best])
        return np.stack(values, -1), np.stack(places, -1)

    def grad(self, dY: Any, Y: Any, _X: Any, *_others: Any) -> tuple[Any, ...]:
        if dY[0] is None:
            return (None,)
        N, C, *sizes = _X.shape
        flat = (N * C, math.prod(dY[0].shape[2:]))
        nothing = zeros((N * C, math.prod(sizes)), dY[0])
        put = ScatterElements(axis=1, reduction="add")
        return (reshape(put(nothing, reshape(Y[1], flat), reshape(dY[0], flat)), _X.shape),)


@operator(family="pooling", torch="nn.AdaptiveMaxPool{n}d")
class AdaptiveMaxPool(AdaptivePool, IndexedPool):
    """Y = the largest element of each window; Indices (int64, Y's shape): where in its channel,
    counted flat by rows, it lies, the first of equal ones.
    """

    def infer(self, X: TensorType) -> tuple[TensorType, TensorType]:
        Y = self.infer_pool(X)
        return Y, TensorType(np.dtype(np.int64), Y.shape)

    def numpy(self, X: Array) -> tuple[Array, Array]:
        axes = [list(map(slice, *ends)) for ends in self.bins(X.shape[2:])]
        shape = (*X.shape[:2], *map(len, axes))
        if 0 in shape:
            return np.zeros(shape, X.dtype), np.zeros(shape, np.int64)
        Y, I = self.largest(X, itertools.product(*axes))  # noqa: E741
        return Y.reshape(shape), I.reshape(shape)


@operator(family="pooling", torch="nn.FractionalMaxPool2d")
class FractionalMaxPool(IndexedPool):
    """Y = the largest element of each window, which random numbers place; Indices (int64, Y's
    shape): where in its channel, counted flat by rows, it lies.

    X [N, C, *sizes], samples [N, C, n], from 0 up to 1, one for each of the n spatial axes: the
    last axis first in two dimensions, and the first axis first in three, as PyTorch has them.
    Along an axis window i of kernel_shape k starts at ⌊(i + u) · a⌋ - ⌊u · a⌋, where u is the
    sample and a = (size - k) / (output - 1); the last one at size - k.
    Source: https://arxiv.org/abs/1412.6071
    """

    kernel_shape: Ints
    output_size: Ints

    def infer(self, X: TensorType, samples: TensorType) -> tuple[TensorType, TensorType]:
        n = len(self.kernel_shape)
        require(X.rank in (None, n + 2), "wrong rank", "X", f"{n + 2} axes", X)
        shape = (None,) * (n + 2) if X.shape is None else X.shape
        require_shape(samples, (*shape[:2], n), "samples")
        if len(self.output_size) != n or min(self.output_size) < 1 or min(self.kernel_shape) < 1:
            found = (self.kernel_shape, self.output_size)
            raise SuanziError("wrong kernel_shape or output_size", found=found)
        for size, k, output in zip(shape[2:], self.kernel_shape, self.output_size, strict=True):
            fits = not isinstance(size, int) or output + k - 1 <= size
            require(fits, "too small for the windows", "X", f"at least {output + k - 1}", size)
        Y = TensorType(X.dtype, (*shape[:2], *self.output_size))
        return Y, TensorType(np.dtype(np.int64), Y.shape)

    def numpy(self, X: Array, samples: Array) -> tuple[Array, Array]:
        n = len(self.kernel_shape)
        order = range(n - 1, -1, -1) if n == 2 else range(n)  # of the axes, as samples go
        starts = [
            self.starts(samples[..., i], size, k, output)
            for i, size, k, output in zip(
                order, X.shape[2:], self.kernel_shape, self.output_size, strict=True
            )
        ]
        N, C, *sizes = X.shape
        flat = np.zeros((N, C, *(1,) * 2 * n), np.int64)  # outputs, then the window's elements
        for axis, (start, k) in enumerate(zip(starts, self.kernel_shape, strict=True)):
            seen = start[..., None] + np.arange(k)
            free = [1] * 2 * n
            free[axis], free[n + axis] = seen.shape[2:]
            flat = flat + seen.reshape(N, C, *free) * math.prod(sizes[axis + 1 :])
        flat = flat.reshape(N, C, math.prod(self.output_size), math.prod(self.kernel_shape))
        values = X.reshape(N, C, 1, math.prod(sizes))
        seen = flat.reshape(N, C, 1, math.prod(flat.shape[2:]))
        windows = np.take_along_axis(values, seen, -1).reshape(flat.shape)
        best = windows.argmax(-1)[..., None]
        shape = (N, C, *self.output_size)
        Y, I = (np.take_along_axis(a, best, -1).reshape(shape) for a in (windows, flat))  # noqa: E741
        return Y, I

    @staticmethod
    def starts(u: Array, size: int, k: int, output: int) -> Array:
        """Where the windows along an axis start, [N, C, output]."""
        if output == 1:
            return np.full((*u.shape, 1), size - k)
        u = u[..., None]
        a = u.dtype.type(size - k) / u.dtype.type(output - 1)
        i = np.arange(output, dtype=u.dtype)
        starts = ((i + u) * a).astype(int) - (u * a).astype(int)
        starts[..., -1] = size - k
        return np.asarray(starts)

    @classmethod
    def examples(cls) -> list[Example]:
        samples = np.array([[[0.2, 0.7], [0.9, 0.4]]], np.float32)
        return [
            Example(cls(kernel_shape=(2, 3), output_size=(3, 5)), (X, samples)),
            Example(cls(kernel_shape=(2, 2), output_size=(1, 7)), (X, samples)),
        ]
