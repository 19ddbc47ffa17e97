"""Memory of a program: where each value lies in one arena, so that values not needed at the same
time share their bytes."""

import ctypes
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from suanzi.errors import SuanziError
from suanzi.operators._operator import Array, Ints

ALIGNMENT = 64
"""A cache line: no two values share one, and no vector straddles two."""


@dataclass(frozen=True)
class Slot:
    """Where some bytes lie: in the arena, or in the array of an input, an output or a constant."""

    storage: str  # "" is the arena
    offset: int


@dataclass(frozen=True)
class Lifetime:
    """Bytes that are needed from one step to another, both included."""

    bytes: int
    first: int
    last: int


@dataclass(frozen=True)
class Stored:
    """Where in the arena some bytes lie, when, and the values that lie in them."""

    offset: int
    life: Lifetime
    values: tuple[str, ...]


def plan(lifetimes: Sequence[Lifetime]) -> tuple[list[int], int]:
    """An offset for each, and the size of the arena: the largest are placed first, each at the
    lowest place that is free for its whole life.

    >>> plan([Lifetime(64, 0, 1), Lifetime(128, 1, 2), Lifetime(64, 2, 3)])
    ([128, 0, 128], 192)
    """
    offsets = [0] * len(lifetimes)
    placed: list[int] = []
    total = 0
    for i in sorted(range(len(lifetimes)), key=lambda i: (-lifetimes[i].bytes, i)):
        me = lifetimes[i]
        size = -(-me.bytes // ALIGNMENT) * ALIGNMENT
        busy = sorted(
            (offsets[j], offsets[j] + -(-lifetimes[j].bytes // ALIGNMENT) * ALIGNMENT)
            for j in placed
            if lifetimes[j].first <= me.last and me.first <= lifetimes[j].last
        )
        place, gap = 0, None
        for start, end in busy:
            if start - place >= size and (gap is None or start - place < gap[1]):
                gap = (place, start - place)  # the tightest gap wastes least
            place = max(place, end)
        offsets[i] = gap[0] if gap else place
        placed.append(i)
        total = max(total, offsets[i] + size)
    return offsets, total


_HEAD = object.__basicsize__
"""Bytes of an object's head, after which NumPy's arrays have their pointer (PyArrayObject.data)."""
_pointer = ctypes.c_ssize_t.from_address
_probe = np.empty(1)
_KNOWN = sys.implementation.name == "cpython" and (
    _pointer(id(_probe) + _HEAD).value == _probe.ctypes.data
)


def address(array: Array) -> int:
    """Where an array in one piece begins."""
    if _KNOWN:  # a fifth of the time that NumPy takes to tell
        return _pointer(id(array) + _HEAD).value
    return array.ctypes.data


def allocate(nbytes: int, what: str) -> Array:
    """Bytes at a cache line's start."""
    try:
        whole = np.empty(nbytes + ALIGNMENT, np.uint8)
    except MemoryError:
        raise SuanziError(
            f"{what} needs more memory than there is", found=f"{nbytes / 2**20:.0f} MiB"
        ) from None
    start = -whole.ctypes.data % ALIGNMENT
    return whole[start : start + nbytes]


class Results:
    """New arrays of one type for a program's output, on memory that is used again once nobody
    holds an array on it: fresh pages of the system cost more than many a kernel.

    One thread at a time may take from it.
    """

    KEPT = 2
    """While a run fills the second, its caller may still hold what the run before it gave."""
    LEAST = 1 << 16
    """Bytes from which on memory is kept; what is smaller, malloc has at hand."""

    def __init__(self, sizes: Ints, dtype: np.dtype[Any], what: str) -> None:
        self.sizes, self.dtype, self.what = sizes, dtype, what
        self.nbytes = math.prod(sizes) * dtype.itemsize
        self._kept: list[Array] = []

    def take(self) -> Array:
        if self.nbytes < self.LEAST:
            return np.empty(self.sizes, self.dtype)
        kept = self._kept
        for i in range(len(kept)):
            # All arrays on the memory, slices of slices too, hold its owner itself.
            if sys.getrefcount(kept[i]) == _ALONE:
                return self._on(kept[i])
        if len(kept) == self.KEPT:
            del kept[0]
        owner = allocate(self.nbytes, self.what).base
        assert owner is not None
        kept.append(owner)
        return self._on(owner)

    def _on(self, owner: Array) -> Array:
        start = -owner.ctypes.data % ALIGNMENT
        return owner[start : start + self.nbytes].view(self.dtype).reshape(self.sizes)


_LONE = [object()]
_ALONE = sys.getrefcount(_LONE[0])
"""What is told of an object that a list alone holds."""
