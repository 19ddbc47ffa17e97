"""Memory of a program: where each value lies in one arena, so that values not needed at the same
time share their bytes."""

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from suanzi.errors import SuanziError
from suanzi.operators._operator import Array

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


def address(array: Array) -> int:
    """Where an array in one piece begins."""
    try:
        return ctypes.addressof(ctypes.c_char.from_buffer(array.data))  # takes a tenth of the other
    except (TypeError, ValueError):  # read-only, empty, or of a type that buffers don't know
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
