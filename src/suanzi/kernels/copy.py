"""Copies elements from one strided view of memory to another: what only moves data comes to this.

A copy is told as NumPy would do it, `result[...] = source`, by two views of arrays whose contents
don't matter. Sizes and strides are arguments of the call, so all copies share four machine codes.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from suanzi.kernels._kernel import Argument, Call, Kernel, chunks_for
from suanzi.lang import Index, Target, Tensor, Trace, ceil_div
from suanzi.operators._operator import Array

MOVED = 1 << 15
"""The fewest elements that make a chunk of a kernel that only moves them."""
OUTER = 4
"""The axes of a copy beside the two inner ones."""


@dataclass(frozen=True)
class Axis:
    """One loop of a copy: how often, and how many elements further each time."""

    size: int
    source: int
    result: int


@dataclass(frozen=True)
class StridedCopy(Kernel):
    """One chunk: `several` steps of the outer axes, and in each `span` steps of the middle axis.

    The sizes: offsets of source and result, several, span, and each axis: outer, middle, inner.
    """

    inner: str
    """How the inner axis, and with "tiles" the middle one too, is copied:

    rows       vectors; it is contiguous in both
    fill       one element to a row
    tiles      V by V elements transposed in registers: the middle axis is contiguous in the
               source, the inner one in the result
    elements   one by one, at any strides
    """
    element: str = "int32"
    pointers: ClassVar[int] = 2
    sizes: ClassVar[int] = 4 + 3 * (OUTER + 2)

    def chunk(self, k: Trace) -> None:
        source, result, several, span, *numbers = k.sizes
        axes = [numbers[i : i + 3] for i in range(0, len(numbers), 3)]
        outer, (size, *strides), inner = axes[:OUTER], axes[-2], axes[-1]
        total = outer[0][0]
        for axis in outer[1:]:
            total = total * axis[0]
        group, part = k.unravel(k.chunk, 0, (size + span - 1) // span)
        first = part * span
        last = (first + span).minimum(size)
        for step in k.range(group * several, (group * several + several).minimum(total)):
            x, y = source, result
            places = k.unravel(step, *(axis[0] for axis in outer))
            for place, axis in zip(places, outer, strict=True):
                x, y = x + place * axis[1], y + place * axis[2]
            if self.inner == "tiles":
                self.tiles(k, x, y, first, last, strides[1], inner[0], inner[1])
                continue
            for i in k.range(first, last):
                self.row(k, x + i * strides[0], y + i * strides[1], inner)

    def at(self, k: Trace, pointer: int, offset: Index, *strides: Index | int) -> Tensor:
        """The memory of an argument from an offset on."""
        corner = k.tensor(pointer, 0, element=self.element).at(offset)
        shape = [0] * len(strides)
        return Tensor(k, corner, shape, strides, element=self.element)

    def row(self, k: Trace, x: Index, y: Index, inner: Sequence[Index]) -> None:
        V, (size, source, result) = k.lanes, inner
        if self.inner == "elements":
            a, b = self.at(k, 0, x, source), self.at(k, 1, y, result)
            for i in k.range(size):
                b.put(a.vec(i, lanes=1), i)
            return
        a, b = self.at(k, 0, x, 1), self.at(k, 1, y, 1)
        one = a.bcast(0) if self.inner == "fill" else None
        whole = size // V * V
        for i in k.range(0, whole, V):
            b.put(one or a.vec(i), i)
        with k.when(whole < size):
            rest = size - whole
            b.put_part(rest, one or a.vec_part(rest, whole), whole)

    def tiles(
        self,
        k: Trace,
        x: Index,
        y: Index,
        first: Index,
        last: Index,
        result: Index,
        rows: Index,
        source: Index,
    ) -> None:
        """Rows of the source are `source` apart; its columns `first` to `last` become rows of the
        result, `result` apart.
        """
        V = k.lanes
        for i in k.range(first, last, V):
            width = (last - i).minimum(V)
            for j in k.range(0, rows, V):
                height = (rows - j).minimum(V)
                a = self.at(k, 0, x + j * source + i, source, 1)
                b = self.at(k, 1, y + i * result + j, result, 1)
                whole = width.equals(V) & height.equals(V)
                with k.when(whole):
                    for column, row in enumerate(k.transpose([a.vec(r, 0) for r in range(V)])):
                        b.put(row, column, 0)
                with k.when((width < V) | (height < V)):
                    none = k.constant(0)
                    counts = [k.select(height > r, width, none) for r in range(V)]
                    lines = [a.vec_part(count, r, 0) for r, count in enumerate(counts)]
                    for column, row in enumerate(k.transpose(lines)):
                        b.put_part(k.select(width > column, height, none), row, column, 0)


def copy(
    result: Array,
    source: Array,
    to: Argument,
    from_: Argument,
    target: Target,
    threads: int,
) -> tuple[Call, ...] | None:
    """The calls that do `result[...] = source`, both views of whole arrays of one type.

    None where there are too many axes, or the elements haven't 4 or 8 bytes.
    """
    if result.dtype.kind not in "fiu" or result.itemsize not in (4, 8):
        return None
    if result.size == 0:
        return ()
    offsets = _offset(source), _offset(result)
    axes = collapse(
        [
            Axis(size, a // source.itemsize, b // result.itemsize)
            for size, a, b in zip(result.shape, source.strides, result.strides, strict=True)
        ]
    )
    plan = _plan(axes, result.itemsize, target.lanes)
    if plan is None:
        return None
    kernel, axes = plan
    if kernel.inner == "rows" and result.itemsize == 8:  # as twice as many of 4 bytes
        *outer, row = axes
        axes = [Axis(a.size, a.source * 2, a.result * 2) for a in outer]
        axes.append(Axis(row.size * 2, 1, 1))
        offsets = offsets[0] * 2, offsets[1] * 2
    calls = []
    for start, parts in _cut(axes):
        places = offsets[0] + start, offsets[1] + start
        calls.append(_call(kernel, parts, places, to, from_, target, threads))
    return tuple(calls)


def _offset(view: Array) -> int:
    """How many elements from its array's beginning a view begins."""
    root = view
    while isinstance(root.base, np.ndarray):
        root = root.base
    return (view.ctypes.data - root.ctypes.data) // view.itemsize


def collapse(axes: Sequence[Axis]) -> list[Axis]:
    """Fewer axes that go over the same places.

    >>> collapse([Axis(2, 12, 12), Axis(1, 7, 7), Axis(3, 4, 4), Axis(2, 1, 2)])
    [Axis(size=6, source=4, result=4), Axis(size=2, source=1, result=2)]
    """
    made: list[Axis] = []
    for axis in axes:
        if axis.size == 1:
            continue
        last = made[-1] if made else None
        steps = (axis.size * axis.source, axis.size * axis.result)
        if last is not None and (last.source, last.result) == steps:
            made[-1] = Axis(last.size * axis.size, axis.source, axis.result)
        else:
            made.append(axis)
    return made or [Axis(1, 1, 1)]


def _plan(axes: list[Axis], itemsize: int, V: int) -> tuple[StridedCopy, list[Axis]] | None:
    """The kernel, and the axes in its order."""
    if len(axes) > OUTER + 2:
        return None
    read = next((a for a in axes if a.source == 1), None)
    written = next((a for a in axes if a.result == 1), None)
    element = "int32" if itemsize == 4 else "int64"

    def last(*inner: Axis) -> list[Axis]:
        return [a for a in axes if a not in inner] + list(inner)

    if written is not None and read is written:
        return StridedCopy("rows"), last(written)
    if written is not None and written.source == 0 and itemsize == 4:
        return StridedCopy("fill"), last(written)
    found = [a for a in (read, written) if a is not None]
    if len(found) == 2 and itemsize == 4 and min(a.size for a in found) >= V // 2:
        return StridedCopy("tiles"), last(*found)
    inner = max(found or axes[-1:], key=lambda a: a.size)
    return StridedCopy("elements", element), last(inner)


def _cut(axes: list[Axis]) -> list[tuple[int, list[Axis]]]:
    """A single long row as rows that threads can share, and what is left: (start, axes)."""
    size = axes[-1].size
    if len(axes) > 1 or size < 2 * MOVED or (axes[0].source, axes[0].result) != (1, 1):
        return [(0, axes)]
    whole = size // MOVED * MOVED
    rows = (0, [Axis(size // MOVED, MOVED, MOVED), Axis(MOVED, 1, 1)])
    return [rows, (whole, [Axis(size - whole, 1, 1)])] if whole < size else [rows]


def _call(
    kernel: StridedCopy,
    axes: list[Axis],
    offsets: tuple[int, int],
    to: Argument,
    from_: Argument,
    target: Target,
    threads: int,
) -> Call:
    axes = [Axis(1, 0, 0)] * (OUTER + 2 - len(axes)) + axes
    *outer, middle, inner = axes
    total, unit = math.prod(a.size for a in outer), inner.size
    step = target.lanes if kernel.inner == "tiles" else 1
    several, span = share(unit * step, ceil_div(middle.size, step), total, threads)
    span *= step
    chunks = ceil_div(total, several) * ceil_div(middle.size, span)
    sizes = (*offsets, several, span, *(n for a in axes for n in (a.size, a.source, a.result)))
    shape = " x ".join(str(a.size) for a in axes if a.size > 1) or "1"
    why = f"strided copy of {shape}, by {kernel.inner}"
    return Call(kernel, (from_, to), chunks, why, sizes)


def share(work: int, units: int, outer: int, threads: int) -> tuple[int, int]:
    """How a chunk takes from two nested loops: (so many outer turns, so many inner units).

    It takes whole inner loops where there are enough of them and none is too much at once.
    """
    whole = work * units
    if whole <= 4 * MOVED and (threads == 1 or outer >= 2 * threads):
        return chunks_for(whole, outer, threads, MOVED), units
    return 1, chunks_for(work, units, threads, MOVED)
