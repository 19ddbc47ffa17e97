"""The numbers that tell a healthy tensor from a sick one."""

from dataclasses import dataclass

import numpy as np

from suanzi.operators._operator import Array


@dataclass(frozen=True)
class Statistics:
    """Of one array; least, mean and largest are of its finite elements, None if there are none, as
    among texts."""

    type: str
    shape: tuple[int, ...]
    least: float | None
    mean: float | None
    largest: float | None
    not_finite: int


def statistics(x: Array) -> Statistics:
    """
    >>> s = statistics(np.float32([1, 2, np.inf]))
    >>> s.least, s.mean, s.largest, s.not_finite
    (1.0, 1.5, 2.0, 1)
    """
    if x.dtype == object:
        return Statistics("string", x.shape, None, None, None, 0)
    wide = x.astype(np.float64)
    finite = wide[np.isfinite(wide)]
    if not finite.size:
        return Statistics(x.dtype.name, x.shape, None, None, None, x.size)
    least, mean, largest = float(finite.min()), float(finite.mean()), float(finite.max())
    return Statistics(x.dtype.name, x.shape, least, mean, largest, x.size - finite.size)
