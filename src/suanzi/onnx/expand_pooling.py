"""Pooling and sliding windows that ONNX lacks, written out in its operators.

What a window sees is gathered by constant places in the flattened spatial axes.
"""

import itertools
import math
from typing import Any

import numpy as np

from suanzi.operators import (
    AdaptiveAveragePool,
    AdaptiveMaxPool,
    ArgMax,
    AveragePool,
    AveragePoolGradient,
    Cast,
    ConvTranspose,
    Floor,
    FractionalMaxPool,
    Gather,
    GatherElements,
    MaxPool,
    MaxPoolGradient,
    Pad,
    ReduceMax,
    ScatterElements,
    Unfold,
)
from suanzi.operators._compose import cut
from suanzi.operators._gradients import reshape, transpose, zeros

LAST = np.array([-1], np.int64)


def adaptive_average_pool(op: AdaptiveAveragePool, X: Any) -> Any:
    """The mean of each window: AveragePool where all are alike; else, axis by axis, a product
    with what each element counts."""
    sizes = X.shape[2:]
    outputs = op.places(sizes)
    if all(s % o == 0 for s, o in zip(sizes, outputs, strict=True)):
        window = tuple(s // o for s, o in zip(sizes, outputs, strict=True))
        return AveragePool(kernel_shape=window, strides=window)(X)
    for axis, weights in enumerate(op.weights(sizes, np.dtype(X.dtype)), 2):
        if outputs[axis - 2] == sizes[axis - 2]:
            continue
        order = [i for i in range(len(X.shape)) if i != axis] + [axis]
        moved = transpose(X, *order) @ weights
        X = transpose(moved, *np.argsort(order).tolist())
    return X


def adaptive_max_pool(op: AdaptiveMaxPool, X: Any) -> Any:
    """The largest element of each window, and its place."""
    sizes = X.shape[2:]
    axes = [[np.arange(a, b) for a, b in zip(*ends, strict=True)] for ends in op.bins(sizes)]
    flat = np.arange(math.prod(sizes)).reshape(sizes)
    windows = [flat[np.ix_(*window)].reshape(-1) for window in itertools.product(*axes)]
    longest = max(map(len, windows))
    # A shorter window sees its last element several times, and the first of equal ones counts.
    places = np.stack([np.pad(w, (0, longest - len(w)), "edge") for w in windows])
    shape = (*X.shape[:2], *op.places(sizes))
    seen = Gather(axis=2)(reshape(X, (*X.shape[:2], -1)), places)
    best = ArgMax(axis=-1, keepdims=1)(seen)
    spread = reshape(np.arange(len(places)) * longest, (len(places), 1))
    index = Gather()(places.reshape(-1), best + spread)
    return reshape(ReduceMax(keepdims=0)(seen, LAST), shape), reshape(index, shape)


def fractional_max_pool(op: FractionalMaxPool, X: Any, samples: Any) -> Any:
    """The largest element of each window, and its place."""
    n, sizes, outputs = len(op.kernel_shape), X.shape[2:], op.output_size
    order = range(n - 1, -1, -1) if n == 2 else range(n)  # of the axes, as samples go
    drawn = cut(samples, 2, n)
    places: Any = np.zeros((1,) * (2 + 2 * n), np.int64)
    for axis, i in enumerate(order):
        size, k, output = sizes[axis], op.kernel_shape[axis], outputs[axis]
        starts = _starts(drawn[i], size, k, output)
        wide = [*X.shape[:2], *(1,) * (2 * n)]
        wide[2 + axis] = output
        steps = [1] * (2 + 2 * n)
        steps[2 + n + axis] = k
        along = reshape(starts, tuple(wide)) + np.arange(k).reshape(steps)
        places = places * size + along
    flat = reshape(places, (*X.shape[:2], -1))
    each = (*X.shape[:2], *outputs, math.prod(op.kernel_shape))
    seen = reshape(GatherElements(axis=2)(reshape(X, (*X.shape[:2], -1)), flat), each)
    best = ArgMax(axis=-1, keepdims=1)(seen)
    index = GatherElements(axis=-1)(reshape(places, each), best)
    return ReduceMax(keepdims=0)(seen, LAST), reshape(index, each[:-1])


def _starts(u: Any, size: int, k: int, output: int) -> Any:
    """Where the windows along an axis start, [N, C, output]."""
    if output == 1:
        return Cast(to=7)(u * 0) + (size - k)
    dtype = np.dtype(u.dtype).type
    a = dtype(size - k) / dtype(output - 1)
    i = np.arange(output, dtype=dtype)
    starts = Cast(to=7)(Floor()((u + i) * a)) - Cast(to=7)(Floor()(u * a))
    last = np.arange(output) == output - 1
    return starts * ~last + last * (size - k)


def unfold(op: Unfold, X: Any) -> Any:
    """Every window's elements, gathered from X with its padding."""
    N, C, *sizes = X.shape
    n, op = len(sizes), op.explicit(tuple(sizes))
    axes = op.axes(n)
    pads = [(a.begin, a.end) for a in axes]
    if any(map(any, pads)):
        before, after = zip(*pads, strict=True)
        X = Pad()(X, np.array([0, 0, *before, 0, 0, *after]))
        sizes = [size + a + b for size, (a, b) in zip(sizes, pads, strict=True)]
    flat = np.arange(math.prod(sizes)).reshape(1, 1, *sizes)
    bare = Unfold(kernel_shape=op.kernel_shape, strides=op.strides, dilations=op.dilations)
    places = bare.numpy(flat)[0]
    seen = Gather(axis=2)(reshape(X, (N, C, -1)), places)
    return reshape(seen, (N, C * len(places), places.shape[1]))


def max_pool_gradient(op: MaxPoolGradient, dY: Any, X: Any) -> Any:
    """Each element of dY added at the place of the largest one that its window sees."""
    places = MaxPool(**op.window())(X)[1]
    put = ScatterElements(axis=0, reduction="add")
    flat = put(zeros((math.prod(X.shape),), dY), reshape(places, (-1,)), reshape(dY, (-1,)))
    return reshape(flat, X.shape)


def average_pool_gradient(op: AveragePoolGradient, dY: Any) -> Any:
    """Each element's share laid down over its window: a transposed convolution with ones."""
    N, C, *places = dY.shape
    n, axes = len(places), op.reach(op.sizes)
    shares = dY / op.pool.counts(op.sizes).astype(dY.dtype)
    made = [
        (o - 1) * a.stride + a.extent - a.begin - a.end for o, a in zip(places, axes, strict=True)
    ]
    lay = ConvTranspose(
        strides=tuple(a.stride for a in axes),
        dilations=tuple(a.dilation for a in axes),
        pads=tuple(a.begin for a in axes) + tuple(a.end for a in axes),
    )
    kernel = np.ones((1, 1, *(a.kernel for a in axes)), dY.dtype)
    dX = reshape(lay(reshape(shares, (N * C, 1, *places)), kernel), (N, C, *made))
    short = [max(0, size - m) for size, m in zip(op.sizes, made, strict=True)]
    return Pad()(dX, np.array([0] * (n + 4) + short)) if any(short) else dX
