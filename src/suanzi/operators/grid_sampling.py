"""Reading a picture at the places of a grid: AffineGrid makes grids, GridSample reads at them."""

import functools
import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from suanzi.errors import SuanziError
from suanzi.operators._axes import ints, length
from suanzi.operators._checks import agree, require_shape, widen
from suanzi.operators._gradients import reshape, transpose
from suanzi.operators._interpolation import (
    Tap,
    cubic_slopes,
    cubic_taps,
    interpolate,
    linear_slopes,
    linear_taps,
    nearest_slopes,
    nearest_taps,
    zero_outside,
)
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


@dataclass(frozen=True, kw_only=True)
class Grid(Operator):
    """An axis runs from -1 to 1: from its first element's middle to its last one's if
    align_corners, else from the outer edge of the first to that of the last. A place lists its
    coordinates from the last axis to the first: x, y, z.
    """

    align_corners: int = 0


@operator(family="vision", torch="F.affine_grid")
class AffineGrid(Grid):
    """grid[n, ..., :] = theta[n] · (x, y, 1), or (x, y, z, 1): where an affine map puts the places
    of a picture of the given size.

    theta [N, 2, 3] and size (N, C, H, W) make grid [N, H, W, 2]; in space, [N, 3, 4] and
    (N, C, D, H, W) make [N, D, H, W, 3]; any other number of axes likewise. An axis runs from -1
    to 1 as GridSample has it; one with a single element, aligned at its corners, is at 0.
    Source: https://onnx.ai/onnx/operators/onnx__AffineGrid.html (opset 20)
    """

    def infer(self, theta: TensorType, size: TensorType) -> TensorType:
        rank = length(size, "size")
        require(rank is None or rank > 2, "wrong length", "size", "at least 3 sizes", size)
        if rank is None:
            return TensorType(theta.dtype, None)
        n = rank - 2
        require_shape(theta, (None, n, n + 1), "theta")
        N = None if theta.shape is None else theta.shape[0]
        if size.value is None:
            return TensorType(theta.dtype, (N, *(None,) * n, n))
        given = ints(size.value)
        require(min(given) >= 0, "wrong sizes", "size", "0 or more", given)
        require(agree(N, given[0]), "wrong number of maps", "theta", given[0], N)
        return TensorType(theta.dtype, (given[0], *given[2:], n))

    def numpy(self, theta: Array, size: Array) -> Array:
        N, _, *sizes = ints(size)
        grid = self._places(tuple(sizes), widen(theta).dtype) @ widen(theta).swapaxes(1, 2)
        return grid.reshape(N, *sizes, len(sizes)).astype(theta.dtype)

    def grad(self, dY: Any, _Y: Any, _theta: Any, _size: Any) -> tuple[Any, ...]:
        N, *sizes, n = dY.shape
        rows = transpose(reshape(dY, (N, math.prod(sizes), n)), 0, 2, 1)
        return lambda: rows @ self._places(tuple(sizes), np.dtype(dY.dtype)), None

    def _places(self, sizes: Ints, dtype: np.dtype[Any]) -> Array:
        """Where the middles of all elements lie, by rows: x, y, ..., 1."""
        axes = [self._axis(s, dtype.type) for s in sizes]
        places = np.stack(np.meshgrid(*axes, indexing="ij")[::-1], -1)
        whole = np.concatenate([places, np.ones_like(places[..., :1])], -1)
        return whole.reshape(-1, len(sizes) + 1)

    def _axis(self, size: int, dtype: type) -> Array:
        """Where the middles of the elements lie."""
        steps = max(size - 1, 1) if self.align_corners else size
        return np.array((2 * np.arange(size) - (size - 1)) / max(steps, 1), dtype)

    @classmethod
    def examples(cls) -> list[Example]:
        theta = np.array([[[1, 0.5, 0], [-0.5, 1, 0.25]]], np.float32)
        space = np.eye(3, 4, dtype=np.float32)[None] * 0.5
        return [
            Example(cls(), (theta, np.array([1, 1, 2, 3]))),
            Example(cls(align_corners=1), (theta, np.array([1, 1, 1, 3]))),
            Example(cls(), (space, np.array([1, 2, 2, 1, 2]))),
        ]


@dataclass(frozen=True, kw_only=True)
class Sampling(Grid):
    """The attributes of GridSample, and of its gradient."""

    mode: str = "linear"
    padding_mode: str = "zeros"


@operator(family="vision", torch="F.grid_sample")
class GridSample(Sampling):
    """Y[n, c, o] = X[n, c] at the place grid[n, o], interpolated.

    X [N, C, *sizes], grid [N, *places, r], r the number of sizes, Y [N, C, *places]. mode is
    nearest (the even one of two), linear, or cubic by Keys's polynomial, along each axis. Beyond
    X lies what padding_mode says: zeros, the last element (border), or X mirrored (reflection):
    about the end that -1 and 1 stand for. Before opset 20 modes were called bilinear and bicubic,
    and X had two spatial axes.
    Source: https://onnx.ai/onnx/operators/onnx__GridSample.html (opset 22)
    """

    def infer(self, X: TensorType, grid: TensorType) -> TensorType:
        choices = {"mode": TAPS, "padding_mode": ("zeros", "border", "reflection")}
        for name, allowed in choices.items():
            if getattr(self, name) not in allowed:
                found = getattr(self, name)
                raise SuanziError(f"no such {name}", expected=", ".join(allowed), found=found)
        require(X.rank is None or X.rank > 2, "wrong rank", "X", "at least 3 axes", X)
        if X.shape is None or grid.shape is None:
            return TensorType(X.dtype, None if X.rank is None else (None,) * X.rank)
        expected: tuple[Dim, ...] = (X.shape[0], *(None,) * (len(X.shape) - 2), len(X.shape) - 2)
        require_shape(grid, expected, "grid")
        return TensorType(X.dtype, (*X.shape[:2], *grid.shape[1:-1]))

    def numpy(self, X: Array, grid: Array) -> Array:
        sizes = X.shape[2:]
        taps = self.taps(grid, sizes)
        batch = np.arange(len(X)).reshape(-1, *(1,) * len(sizes))
        x = X.astype(np.result_type(widen(X), np.float32)) if X.dtype.kind != "c" else X
        return np.asarray(np.moveaxis(interpolate(x, batch, taps), -1, 1)).astype(X.dtype)

    def grad(self, dY: Any, _Y: Any, X: Any, grid: Any) -> tuple[Any, ...]:
        from suanzi.operators.grid_sampling_gradient import GridSampleGradient

        both = functools.cache(lambda: GridSampleGradient(**vars(self))(dY, X, grid))
        return lambda: both()[0], lambda: both()[1]

    def taps(self, grid: Array, sizes: Ints, slope: bool = False) -> list[list[Tap]]:
        """The taps along each axis, or with `slope` the derivatives of their weights by the
        grid's coordinates.
        """
        # What isn't a number lies in the middle.
        places = np.nan_to_num(np.moveaxis(widen(grid), -1, 0)[::-1], posinf=1e9, neginf=-1e9)
        return [self._taps(x, size, slope) for x, size in zip(places, sizes, strict=True)]

    def _taps(self, place: Array, size: int, slope: bool) -> list[Tap]:
        """The taps along one axis for coordinates from -1 to 1."""
        half = (place + 1) / 2
        x = half * (size - 1) if self.align_corners else half * size - 0.5
        made = TAPS[self.mode](x)
        if slope:
            step = (size - 1 if self.align_corners else size) / 2
            made = [
                t._replace(weight=w * step) for t, w in zip(made, SLOPES[self.mode](x), strict=True)
            ]
        return [self._pad(tap, size) for tap in made]

    def _pad(self, tap: Tap, size: int) -> Tap:
        match self.padding_mode:
            case "zeros":
                return zero_outside(tap, size)
            case "border":
                return tap._replace(element=tap.element.clip(0, size - 1))
            case _:
                return tap._replace(element=self._reflect(tap.element, size))

    def _reflect(self, k: Array, size: int) -> Array:
        """Which element the mirrors at both ends show in place of k."""
        if self.align_corners:  # the last elements themselves are the mirrors
            k = np.abs(k) % max(2 * (size - 1), 1)
            return np.asarray(np.minimum(k, 2 * (size - 1) - k))
        k = k % (2 * size)
        return np.asarray(np.minimum(k, 2 * size - 1 - k))

    @classmethod
    def examples(cls) -> list[Example]:
        X = np.arange(12, dtype=np.float32).reshape(1, 1, 3, 4)
        grid = np.array([[[-1.2, -0.6], [0, 0], [0.4, 0.9], [1.5, -2]]], np.float32)[None]
        modes = (("linear", "zeros"), ("nearest", "border"), ("cubic", "reflection"))
        examples = [
            Example(cls(mode=mode, padding_mode=padding, align_corners=i % 2), (X, grid))
            for i, (mode, padding) in enumerate(modes)
        ]
        return [*examples, Example(cls(), (X[:, :, 0], grid[:, 0, :, :1]))]


SLOPES = {"nearest": nearest_slopes, "linear": linear_slopes, "cubic": cubic_slopes}
TAPS = {"nearest": nearest_taps, "linear": linear_taps, "cubic": cubic_taps}
