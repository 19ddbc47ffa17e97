"""Regions of interest: boxes that a detector has found in pictures."""

from collections.abc import Iterator

import numpy as np

from suanzi.errors import SuanziError
from suanzi.operators._checks import require_dtype, require_shape, widen
from suanzi.operators._interpolation import Tap, linear_taps, tapped
from suanzi.operators._operator import (
    Array,
    Example,
    Ints,
    Operator,
    TensorType,
    operator,
    require,
)


def _require_picture(batch: Array, N: int, input: str) -> None:
    """Every region lies in a picture that there is."""
    inside = (batch >= 0) & (batch < N)
    require(np.all(inside), "no such picture", input, f"from 0 to {N - 1}", batch[~inside][:1])


@operator(family="vision", torch="torchvision.ops.roi_align")
class RoiAlign(Operator):
    """Y[r, c, i, j] = the mean, or the largest, of X[batch_indices[r], c] at the places sampled in
    bin (i, j) of region r.

    X [N, C, H, W], rois [R, 4] (x1, y1, x2, y2), batch_indices [R], Y [R, C, output_height,
    output_width]. A region, times spatial_scale (and moved by -1/2 for half_pixel, else widened
    to 1 at least), is cut into bins; each is sampled at the middles of sampling_ratio parts along
    either axis, or if that is 0 of ⌈region's size / bins⌉ parts. In between X is linear; up to 1
    beyond its ends the last element goes on, further out all is 0. `max` takes the largest of the
    weighted elements about the samples, before they are added up. Before opset 16 without
    half_pixel.
    Source: https://arxiv.org/abs/1703.06870,
    https://onnx.ai/onnx/operators/onnx__RoiAlign.html (opset 22)
    """

    coordinate_transformation_mode: str = "half_pixel"
    mode: str = "avg"
    output_height: int = 1
    output_width: int = 1
    sampling_ratio: int = 0
    spatial_scale: float = 1.0

    def infer(self, X: TensorType, rois: TensorType, batch_indices: TensorType) -> TensorType:
        require_dtype(rois, X.dtype, "rois")
        require_shape(X, (None,) * 4, "X")
        require_shape(batch_indices, (None,), "batch_indices")
        require_shape(rois, (*(batch_indices.shape or (None,)), 4), "rois")
        numbers = (self.output_height, self.output_width, self.sampling_ratio + 1)
        if min(numbers) < 1:
            raise SuanziError("wrong output_height, output_width or sampling_ratio", found=numbers)
        C = None if X.shape is None else X.shape[1]
        R = None if rois.shape is None else rois.shape[0]
        return TensorType(X.dtype, (R, C, self.output_height, self.output_width))

    def numpy(self, X: Array, rois: Array, batch_indices: Array) -> Array:
        N, C, H, W = X.shape
        _require_picture(batch_indices, N, "batch_indices")
        half = self.coordinate_transformation_mode == "half_pixel"
        corners = widen(rois) * rois.dtype.type(self.spatial_scale) - (0.5 if half else 0)
        x, y = corners[:, 0], corners[:, 1]
        bins = np.array([self.output_height, self.output_width])
        sizes = corners[:, [3, 2]] - corners[:, [1, 0]]
        sizes = sizes if half else np.maximum(sizes, 1)
        samples = np.full(sizes.shape, self.sampling_ratio)
        if self.sampling_ratio == 0:
            samples = np.maximum(np.ceil(sizes / bins), 0).astype(int)
        Y = np.zeros((len(rois), C, *bins), widen(X).dtype)
        # Regions with as many samples in a bin are computed together.
        for count in np.unique(samples, axis=0):
            found = np.flatnonzero((samples == count).all(1))
            if not count.all():  # a region without an inside has no samples
                continue
            rows = self._taps(y[found], sizes[found, 0], bins[0], count[0], H)
            columns = self._taps(x[found], sizes[found, 1], bins[1], count[1], W)
            taps = [
                [Tap(k[:, :, None], w[:, :, None]) for k, w in rows],
                [Tap(k[:, None, :], w[:, None, :]) for k, w in columns],
            ]
            parts = tapped(widen(X), batch_indices[found].reshape(-1, 1, 1), taps)
            grouped = (len(found), bins[0], count[0], bins[1], count[1], C)
            if self.mode == "avg":
                pooled = np.asarray(sum(parts)).reshape(grouped).mean((2, 4))
            else:
                pooled = np.maximum.reduce(list(parts)).reshape(grouped).max((2, 4))
            Y[found] = np.moveaxis(pooled, -1, 1)
        return Y.astype(X.dtype)

    @staticmethod
    def _taps(start: Array, extent: Array, bins: int, count: int, size: int) -> Iterator[Tap]:
        """The taps along one axis for count samples in each of the bins, [R, bins · count]."""
        middles = ((np.arange(bins * count) + 0.5) / (bins * count)).astype(start.dtype)
        places = start[:, None] + middles * extent[:, None]
        near = (places >= -1) & (places <= size)
        for element, weight in linear_taps(places.clip(0, size - 1)):
            yield Tap(element.clip(0, size - 1), np.where(near, weight, 0))

    @classmethod
    def examples(cls) -> list[Example]:
        X = np.sin(np.arange(72, dtype=np.float32)).reshape(2, 1, 6, 6)
        rois = np.array([[0, 0, 5, 5], [1, 2, 4, 3], [-4, 1, 7, 9]], np.float32)
        batch = np.array([0, 1, 0])
        old = cls(
            coordinate_transformation_mode="output_half_pixel",
            mode="max",
            output_width=2,
            sampling_ratio=2,
        )
        return [
            Example(cls(output_height=2, output_width=3), (X, rois, batch)),
            Example(old, (X, rois, batch)),
        ]


@operator(family="vision", torch="torchvision.ops.roi_pool")
class MaxRoiPool(Operator):
    """Y[r, c, i, j] = the largest element of X[b, c] in bin (i, j) of region r; 0 if it has none.

    X [N, C, H, W], rois [R, 5] (b, x1, y1, x2, y2), Y [R, C, *pooled_shape]. The corners, times
    spatial_scale, are rounded (halves away from 0), and both belong to the region. Bin i of n
    goes from ⌊i · size / n⌋ up to, not including, ⌈(i + 1) · size / n⌉; they may overlap.
    Source: https://arxiv.org/abs/1504.08083,
    https://onnx.ai/onnx/operators/onnx__MaxRoiPool.html (opset 22, as 1)
    """

    pooled_shape: Ints
    spatial_scale: float = 1.0

    def infer(self, X: TensorType, rois: TensorType) -> TensorType:
        require_dtype(rois, X.dtype, "rois")
        require_shape(X, (None,) * 4, "X")
        require_shape(rois, (None, 5), "rois")
        if len(self.pooled_shape) != 2 or min(self.pooled_shape) < 1:
            found = list(self.pooled_shape)
            raise SuanziError("wrong pooled_shape", expected="2 numbers above 0", found=found)
        C = None if X.shape is None else X.shape[1]
        R = None if rois.shape is None else rois.shape[0]
        return TensorType(X.dtype, (R, C, *self.pooled_shape))

    def numpy(self, X: Array, rois: Array) -> Array:
        batch = rois[:, 0].astype(int)
        _require_picture(batch, len(X), "rois")
        scaled = widen(rois)[:, 1:] * self.spatial_scale
        corners = np.trunc(scaled + np.copysign(0.5, scaled)).astype(int)
        x_starts, x_ends = self._bins(corners[:, 0], corners[:, 2], 1, X.shape[3])
        y_starts, y_ends = self._bins(corners[:, 1], corners[:, 3], 0, X.shape[2])
        Y = np.empty((len(rois), X.shape[1], *self.pooled_shape), X.dtype)
        for r, b in enumerate(batch):
            rows = _largest(X[b], y_starts[r], y_ends[r], 1)
            Y[r] = _largest(rows, x_starts[r], x_ends[r], 2)
        return np.where(np.isneginf(Y), 0, Y).astype(X.dtype)

    def _bins(self, first: Array, last: Array, axis: int, size: int) -> tuple[Array, Array]:
        """Where the bins along an axis start and end, [R, bins]."""
        n = self.pooled_shape[axis]
        extent = np.maximum(last - first + 1, 1)[:, None]
        i = np.arange(n)
        starts, ends = i * extent // n, -(-(i + 1) * extent // n)
        return (starts + first[:, None]).clip(0, size), (ends + first[:, None]).clip(0, size)

    @classmethod
    def examples(cls) -> list[Example]:
        X = np.sin(np.arange(72, dtype=np.float32)).reshape(2, 1, 6, 6)
        rois = np.array([[0, 0, 0, 5, 5], [1, 1, 2, 4, 3], [0, 4, 4, 20, 30]], np.float32)
        return [
            Example(cls(pooled_shape=(2, 2)), (X, rois)),
            Example(cls(pooled_shape=(1, 3), spatial_scale=0.5), (X, rois)),
        ]


def _largest(X: Array, starts: Array, ends: Array, axis: int) -> Array:
    """The largest elements from each start to each end along the axis; -∞ of none."""
    pads = [(0, int(a == axis)) for a in range(X.ndim)]
    bounded = np.pad(X, pads, constant_values=-np.inf)  # so that an end may be a place
    empty = np.where(starts < ends, starts, X.shape[axis])
    bounds = np.stack([empty, np.maximum(ends, empty)], 1).reshape(-1)
    every = np.maximum.reduceat(bounded, bounds, axis)
    return np.asarray(every.take(np.arange(0, len(bounds), 2), axis))
