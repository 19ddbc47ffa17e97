"""The numbers that tell a healthy tensor from a sick one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from suanzi.errors import SuanziError
from suanzi.operators._operator import Array

MOST_CHANNELS = 4096
SAMPLE = 1 << 20
"""Elements that quantiles are taken of; a larger tensor's are taken evenly."""
QUANTILES = (0.01, 0.25, 0.5, 0.75, 0.99)


@dataclass(frozen=True)
class Brief:
    """Of some elements; least, mean, largest and std are of the finite ones, None if there are
    none, as among texts. `zeros` is a share, 0 to 1."""

    least: float | None
    mean: float | None
    largest: float | None
    std: float | None
    zeros: float
    nan: int
    inf: int
    size: int

    @property
    def not_finite(self) -> int:
        return self.nan + self.inf


@dataclass(frozen=True)
class Histogram:
    """How many finite elements lie between each edge and the next."""

    edges: Array
    counts: Array


@dataclass(frozen=True)
class TensorStatistics:
    """Of a whole tensor. `first_bad` is the index of the first NaN or infinity; `channels` are
    the same numbers of each part along an axis."""

    dtype: str
    shape: tuple[int, ...]
    whole: Brief
    histogram: Histogram
    quantiles: dict[str, Any]
    first_bad: tuple[int, ...] | None
    axis: int | None
    channels: list[Brief] | None


def brief(x: Array) -> Brief:
    """
    >>> b = brief(np.float32([0, 3, np.inf, np.nan]))
    >>> b.least, b.mean, b.largest, b.std, b.zeros, b.nan, b.inf
    (0.0, 1.5, 3.0, 1.5, 0.25, 1, 1)
    """
    if x.dtype == object or not x.size:
        return Brief(None, None, None, None, 0.0, 0, 0, x.size)
    x = numbers(x)
    nan = inf = 0
    finite = x
    if x.dtype.kind in "fc":
        good = np.isfinite(x)
        if not good.all():
            nan = int(np.isnan(x).sum())
            inf = x.size - int(good.sum()) - nan
            finite = x[good]
    zeros = 1 - int(np.count_nonzero(x)) / x.size
    if not finite.size:
        return Brief(None, None, None, None, zeros, nan, inf, x.size)
    mean = finite.mean(dtype=np.float64)
    with np.errstate(over="ignore"):
        std = finite.std(dtype=np.float64, mean=mean)
    low, high = float(finite.min()), float(finite.max())
    return Brief(low, float(mean), high, float(std), zeros, nan, inf, x.size)


def numbers(x: Array) -> Array:
    """The array in a type that NumPy computes with: narrow types widened, magnitudes for complex
    numbers."""
    if x.dtype.kind in "V" or x.dtype == np.float16 or x.dtype.name.startswith(("int", "uint")):
        return x.astype(np.float32 if x.dtype.itemsize < 4 else np.float64)
    if x.dtype.kind == "b":
        return x.astype(np.float32)
    return np.abs(x) if x.dtype.kind == "c" else x


def tensor_statistics(x: Array, bins: int = 64, axis: int | None = None) -> TensorStatistics:
    """All of a tensor's numbers; of each channel where an axis is given."""
    dtype = "string" if x.dtype == object else x.dtype.name
    whole = brief(x)
    if axis is not None and not -x.ndim <= axis < x.ndim:
        raise SuanziError("the tensor has no such axis", expected=f"0 to {x.ndim - 1}", found=axis)
    if whole.least is None:
        nothing = Histogram(np.zeros(0), np.zeros(0))
        return TensorStatistics(
            dtype, x.shape, whole, nothing, {"at": [], "values": []}, None, axis, None
        )
    x = numbers(x)
    bad = None
    finite = x.ravel()
    if whole.not_finite:
        good = np.isfinite(x)
        bad = tuple(int(i) for i in np.unravel_index(int(np.argmin(good)), x.shape))
        finite = x[good]
    histogram = _histogram(finite.astype(np.float64), bins)
    few = finite[:: max(1, finite.size // SAMPLE)]
    quantiles = {"at": [*QUANTILES], "values": np.quantile(few, QUANTILES)}
    channels = None
    if axis is not None:
        parts = np.moveaxis(x, axis, 0)[:MOST_CHANNELS]
        channels = [brief(part) for part in parts]
    return TensorStatistics(dtype, x.shape, whole, histogram, quantiles, bad, axis, channels)


def _histogram(x: Array, bins: int) -> Histogram:
    try:
        counts, edges = np.histogram(x, bins)
    except ValueError:  # so narrow that no numbers lie between: one bin holds all
        counts, edges = np.array([x.size]), np.array([x.min(), x.max()])
    return Histogram(edges, counts)
