"""Resize of rows and columns: each output element is a few of the input's, weighed by tables.

The tables come from the operator's definition as the model loads, so that one code serves many
modes: nearest has one tap along an axis, linear two, cubic four.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from suanzi.kernels._kernel import (
    Call,
    Choice,
    Input,
    Kernel,
    Output,
    Packed,
    Site,
    chunks_for,
)
from suanzi.kernels.copy import MOVED
from suanzi.lang import Index, Lanes, Tensor, Trace, ceil_div
from suanzi.operators._operator import Array, Ints
from suanzi.operators.resize import Resize

MOST = 4
"""Taps along an axis; antialias can ask for more."""


@dataclass(frozen=True)
class Taps:
    """What each output place of one axis is made of: the elements, or their weights.

    [taps][places], with zeros to whole vectors.
    """

    operator: Resize
    shape: Ints
    axis: int
    scales: bool
    """Whether the input that says how to resize is `scales`; else it is `sizes`."""
    weights: bool
    lanes: int

    def __call__(self, numbers: Array) -> Array:
        scales, sizes = (numbers, None) if self.scales else (None, numbers)
        size = self.shape[self.axis]
        elements, weights = np.arange(size)[None], np.ones((1, size))
        for axis, x, scale in self.operator.places(self.shape, None, scales, sizes):
            if axis == self.axis:
                elements, weights = self.operator.taps(x, size, scale)
        table = weights.astype(np.float32) if self.weights else elements.astype(np.int64)
        return np.pad(table, [(0, 0), (0, -table.shape[1] % self.lanes)])


@dataclass(frozen=True)
class ResizeKernel(Kernel):
    """One chunk: `rows` output rows. The sizes: all rows (of all planes), rows, H, W, OH, OW.

    A plane is a block of channels, or one channel where the layout is plain.
    """

    taps: tuple[int, int]
    """Along rows and columns; a single one weighs 1."""
    blocked: bool
    pointers: ClassVar[int] = 6
    sizes: ClassVar[int] = 6

    def chunk(self, k: Trace) -> None:
        total, rows, H, W, OH, OW = k.sizes
        V, width = k.lanes, k.lanes if self.blocked else 1
        x, y = k.tensor(0, 0, H, W, width), k.tensor(1, 0, OH, OW, width)
        high = (OH + (V - 1)) // V * V
        elements, weights = k.tensor(2, 0, high, element="int64"), k.tensor(3, 0, high)
        first, write = k.chunk * rows, self.blocked_row if self.blocked else self.plain_row
        for row in k.range(first, (first + rows).minimum(total)):
            plane, oh = k.unravel(row, 0, OH)
            starts = [x.at(plane, elements.index(i, oh), 0, 0) for i in range(self.taps[0])]
            lines = [Tensor(k, start, (0, width)) for start in starts]
            heights = [weights.bcast(i, oh) for i in range(self.taps[0])]
            write(k, Tensor(k, y.at(plane, oh, 0, 0), (0, width)), lines, heights)

    def across(self, k: Trace) -> tuple[Tensor, Tensor]:
        """The columns' table: elements and weights."""
        wide = (k.sizes[5] + (k.lanes - 1)) // k.lanes * k.lanes
        return k.tensor(4, 0, wide, element="int64"), k.tensor(5, 0, wide)

    def blocked_row(self, k: Trace, y: Tensor, lines: list[Tensor], heights: list[Lanes]) -> None:
        elements, weights = self.across(k)
        for ow in k.range(k.sizes[5]):
            places = [elements.index(j, ow) for j in range(self.taps[1])]
            widths = [weights.bcast(j, ow) for j in range(self.taps[1])]
            sums = [_weighed(k, [line.vec(p, 0) for p in places], widths) for line in lines]
            y.put(_weighed(k, sums, heights), ow, 0)

    def plain_row(self, k: Trace, y: Tensor, lines: list[Tensor], heights: list[Lanes]) -> None:
        elements, weights = self.across(k)

        def some(ow: Index) -> Lanes:
            """The outputs from ow on; those past the end of the row are made of element 0."""
            lanes = [[elements.index(j, ow + i) for i in range(k.lanes)] for j in range(taps)]
            widths = [weights.vec(j, ow) for j in range(taps)]
            found = [[line.gather([(i, 0) for i in tap]) for tap in lanes] for line in lines]
            return _weighed(k, [_weighed(k, values, widths) for values in found], heights)

        taps, OW = self.taps[1], k.sizes[5]
        whole = OW // k.lanes * k.lanes
        for ow in k.range(0, whole, k.lanes):
            y.put(some(ow), ow, 0)
        with k.when(whole < OW):
            y.put_part(OW - whole, some(whole), whole, 0)


def _weighed(k: Trace, values: list[Lanes], weights: list[Lanes]) -> Lanes:
    """Σ value · weight; a single weight is 1."""
    if len(values) == 1:
        return values[0]
    total = values[0] * weights[0]
    for value, weight in zip(values[1:], weights[1:], strict=True):
        total = k.fma(value, weight, total)
    return total


def choose(site: Site) -> Choice:
    """For Resize of the last two axes, blocked in and out or plain in and out."""
    op, X, Y = site.operator, site.inputs[0], site.output
    assert isinstance(op, Resize)
    assert X is not None
    _, _, scales, sizes = (*site.inputs, None, None, None)[:4]
    crops = op.coordinate_transformation_mode == "tf_crop_and_resize"
    if not X.is_float32 or X.lanes != Y.lanes or site.chain or crops or len(X.shape) != 4:
        return None
    if not Y.type.size or X.shape[:2] != Y.shape[:2]:
        return None
    number = 2 if scales is not None and scales.type.size else 3
    given = scales if number == 2 else sizes
    if given is None or given.constant is None:
        return None
    V = site.target.lanes
    tables = [
        Taps(op, X.shape, axis, number == 2, weights, V)
        for axis in (2, 3)
        for weights in (False, True)
    ]
    down, across = (len(tables[i](given.constant)) for i in (0, 2))
    if max(down, across) > MOST:
        return None
    N, C, H, W = X.shape
    _, _, OH, OW = Y.shape
    planes = N * ceil_div(C, V) if X.lanes else N * C
    work = OW * down * across * (V if X.lanes else 4)
    rows = chunks_for(work, planes * OH, site.threads, MOVED)
    kernel = ResizeKernel((down, across), bool(X.lanes))
    packed = [Packed(table, (number,)) for table in tables]
    chunks = ceil_div(planes * OH, rows)
    why = f"{down} x {across} taps from tables, {rows} rows a chunk"
    sizes_ = (planes * OH, rows, H, W, OH, OW)
    return (Call(kernel, (Input(0), Output(), *packed), chunks, why, sizes_),)
