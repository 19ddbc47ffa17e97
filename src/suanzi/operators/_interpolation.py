"""Reading between the elements: the elements about a place, their weights, and the sums."""

import itertools
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from suanzi.operators._operator import Array, Ints


def triangle(d: Array) -> Array:
    """What linear interpolation weighs an element at the distance d."""
    return np.asarray(np.maximum(0, 1 - d))


def cubic(d: Array, a: float = -0.75) -> Array:
    """Keys's polynomial of the distance: https://ieeexplore.ieee.org/document/1163711"""
    near = ((a + 2) * d - (a + 3)) * d * d + 1
    far = a * (((d - 5) * d + 8) * d - 4)
    return np.where(d <= 1, near, np.where(d < 2, far, 0))


class Tap(NamedTuple):
    """For every place one element along an axis, and what it weighs."""

    element: Array
    weight: Array


def nearest_taps(x: Array) -> list[Tap]:
    """The element nearest to each place x, of two the even one."""
    return [Tap(np.rint(x), np.ones_like(x))]


def linear_taps(x: Array) -> list[Tap]:
    """The two elements about each place x."""
    return [Tap(k, triangle(np.abs(k - x))) for k in (np.floor(x) + i for i in (0, 1))]


def cubic_taps(x: Array) -> list[Tap]:
    """The four elements about each place x."""
    return [Tap(k, cubic(np.abs(k - x))) for k in (np.floor(x) + i for i in (-1, 0, 1, 2))]


def nearest_slopes(x: Array) -> list[Array]:
    """The derivatives of the weights in `nearest_taps` by the place."""
    return [np.zeros_like(x)]


def linear_slopes(x: Array) -> list[Array]:
    """The derivatives of the weights in `linear_taps` by the place."""
    return [np.full_like(x, -1), np.ones_like(x)]


def cubic_slopes(x: Array, a: float = -0.75) -> list[Array]:
    """The derivatives of the weights in `cubic_taps` by the place."""
    slopes = []
    for k, _ in cubic_taps(x):
        d = np.abs(k - x)
        near = (3 * (a + 2) * d - 2 * (a + 3)) * d
        far = a * ((3 * d - 10) * d + 8)
        slopes.append(np.where(d <= 1, near, np.where(d < 2, far, 0)) * np.sign(x - k))
    return slopes


def zero_outside(tap: Tap, size: int) -> Tap:
    """An element beyond the ends of its axis weighs nothing."""
    inside = (tap.element >= 0) & (tap.element < size)  # false for NaN too
    return Tap(np.where(inside, tap.element, 0), np.where(inside, tap.weight, 0))


Taps = Sequence[Sequence[Tap]]
"""The taps along each spatial axis."""


def zero_padded_linear(places: Sequence[Array], sizes: Ints) -> Taps:
    """Linear interpolation at the places, one array for each axis; 0 lies beyond the ends."""
    axes = zip(places, sizes, strict=True)
    return [[zero_outside(tap, size) for tap in linear_taps(x)] for x, size in axes]


def tapped(X: Array, batch: Array, taps: Taps) -> Iterator[Array]:
    """X [N, C, *sizes] at each combination of one tap for each axis, times their weights.

    `batch` and the taps' arrays broadcast to the places; what comes is [*places, C].
    """
    rows = np.ascontiguousarray(np.moveaxis(X, 1, -1))
    for combination in itertools.product(*taps):
        weight = np.ones((), rows.dtype)
        for tap in combination:
            weight = weight * tap.weight.astype(rows.dtype)
        yield rows[(batch, *(tap.element.astype(int) for tap in combination))] * weight[..., None]


def interpolate(X: Array, batch: Array, taps: Taps) -> Array:
    """The sum of what `tapped` gives: X between its elements, [*places, C]."""
    return np.asarray(sum(tapped(X, batch, taps)))
