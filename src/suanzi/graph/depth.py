"""Operators that passes make: windows along the first of three spatial axes, and the way back."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from suanzi.operators._operator import Array, Operator, TensorType


@dataclass(frozen=True)
class DepthWindows(Operator):
    """Each window along D as further channels of a sample of its own:

    Y[n·places + o, c·kernel + u] = X[n, c, o·stride + u·dilation - begin], 0 outside X.

    X [N, C, D, H, W], Y [N·places, C·kernel, H, W].
    """

    places: int
    kernel: int
    stride: int
    dilation: int
    begin: int
    family = "fused"

    def infer(self, X: TensorType) -> TensorType:
        N, C, _, H, W = X.sizes
        return TensorType(X.dtype, (N * self.places, C * self.kernel, H, W))

    def taps(self, Y: Array, X: Array) -> Iterator[tuple[Array, Array | None]]:
        """Views of Y's memory, and the views of X's that they show; None: they are 0."""
        N, C, D, H, W = X.shape
        Y = Y.reshape(N, self.places, C, self.kernel, H, W)
        for u in range(self.kernel):
            first = u * self.dilation - self.begin
            low = min(self.places, max(0, -(first // self.stride)))
            high = max(low, min(self.places, (D - 1 - first) // self.stride + 1))
            for border in (slice(0, low), slice(high, self.places)):
                yield Y[:, border, :, u], None
            if low < high:
                start = first + low * self.stride
                seen = X[:, :, start : start + (high - low - 1) * self.stride + 1 : self.stride]
                yield Y[:, low:high, :, u], seen.swapaxes(1, 2)

    def numpy(self, X: Array) -> Array:
        N, C, _, H, W = X.shape
        Y = np.empty((N * self.places, C * self.kernel, H, W), X.dtype)
        for place, seen in self.taps(Y, X):
            place[...] = 0 if seen is None else seen
        return Y


@dataclass(frozen=True)
class DepthPlaces(Operator):
    """The samples of several values as places along D, taking turns: with S values

    Y[n, c, i·S + s] = X_s[n·places_s + i, c], where places_s = ⌈(D - s) / S⌉.

    X_s [N·places_s, C, H, W], Y [N, C, D, H, W].
    """

    depth: int
    family = "fused"

    def counts(self, values: int) -> list[int]:
        """The places that each value has."""
        return [-(-(self.depth - s) // values) for s in range(values)]

    def infer(self, *X: TensorType) -> TensorType:
        samples, C, H, W = X[0].sizes
        N = samples // self.counts(len(X))[0]
        return TensorType(X[0].dtype, (N, C, self.depth, H, W))

    def numpy(self, *X: Array) -> Array:
        samples, C, H, W = X[0].shape
        Y = np.empty((samples // self.counts(len(X))[0], C, self.depth, H, W), X[0].dtype)
        for place, seen in self.parts(Y, X):
            place[...] = seen
        return Y

    def parts(self, Y: Array, X: tuple[Array, ...]) -> Iterator[tuple[Array, Array]]:
        """Views of Y's memory, and the views of each value's that they show."""
        for s, (x, count) in enumerate(zip(X, self.counts(len(X)), strict=True)):
            yield Y[:, :, s :: len(X)], x.reshape(len(Y), count, *x.shape[1:]).swapaxes(1, 2)
