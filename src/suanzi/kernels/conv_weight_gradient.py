"""The gradient of a convolution's weights: for each tap a product of matrices, summed over pixels.

A tile holds T input channels by OCB vectors of output channels of one tap. For each pixel of the
output's gradient it loads OCB vectors, broadcasts T numbers of the input, and does T·OCB
multiply-adds. The tiles of all taps go over some rows at a time, which so stay in the first cache;
between them their sums lie in memory, [tap][channel][OCB·V], and are transposed at the end.
"""

import functools
import math
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from suanzi.kernels._kernel import Call, Choice, Input, Kernel, Output, Scratch, Site
from suanzi.kernels._tiles import Shape, cycles, places_inside
from suanzi.kernels._tiles import shape_of as convolution_shape
from suanzi.kernels._weight_blocks import PackWeights, Reach
from suanzi.kernels.conv_depthwise import weight_gradient
from suanzi.kernels.conv_direct import add
from suanzi.kernels.copy import copy
from suanzi.lang import Index, Lanes, Target, Tensor, Trace, ceil_div
from suanzi.operators.convolution import Conv, ConvWeightGradient, attributes

SHORT = 4
"""Rows no longer than this are gone through sample by sample, not pixel by pixel."""
IN_CACHE = 24 << 10
"""Bytes of the rows that the tiles of all taps go over before the next."""


@dataclass(frozen=True)
class Grid:
    """Sums for each row of OCB blocks of output channels and each block of input channels."""

    shape: Shape
    plain_input: bool
    OCB: int
    parts: int
    """In how many parts of the pixels the sums are made."""

    def inner(self, V: int) -> int:
        """The channels of a block of the input."""
        return self.shape.C if self.plain_input else V

    def reach(self, V: int) -> Reach:
        s = self.shape
        return Reach(s.K, s.C, s.group, self.inner(V), V * self.OCB)

    def counts(self, V: int) -> tuple[int, int, int]:
        """Parts, rows, blocks of input channels that a row has sums for."""
        return self.parts, ceil_div(self.shape.K, V * self.OCB), self.reach(V).blocks

    def tensor(self, k: Trace, pointer: int) -> Tensor:
        """The sums [part · row · block][tap][channel][o][V]."""
        taps = math.prod(self.shape.kernel)
        return k.tensor(pointer, 0, taps, self.inner(k.lanes), self.OCB, k.lanes)

    def elements(self, V: int) -> int:
        """Of one part, row and block."""
        return math.prod(self.shape.kernel) * self.inner(V) * self.OCB * V

    def write(
        self,
        k: Trace,
        y: Tensor,
        row: Index,
        block: Index,
        load: Callable[[Index, Index, Index], Lanes],
    ) -> None:
        """y [K, C·taps] from load(tap, channel, o): V output channels by V elements at a time."""
        V, s, taps = k.lanes, self.shape, math.prod(self.shape.kernel)
        length = self.inner(V) * taps
        whole = s.C * taps % V == 0 and length % V == 0
        first = block * length
        count = (k.constant(s.C * taps) - first).minimum(length)
        for e in k.range(0, count, V):
            places = [(e + i).minimum(count - 1) for i in range(V)]
            for o in k.range(self.OCB):
                channel = (row * self.OCB + o) * V
                lines = [load(place % taps, place // taps, o) for place in places]
                for i, line in enumerate(k.transpose(lines)):
                    all_rows = s.K % (V * self.OCB) == 0
                    with nullcontext() if all_rows else k.when(channel + i < s.K):
                        width = V if whole else (count - e).minimum(V)
                        y.put_part(width, line, channel + i, first + e)


@dataclass(frozen=True)
class ConvWeightSums(Kernel):
    """One chunk: the sums of a part of the pixels for a row of output blocks and an input block.

    The tiles go over `units` at a time: rows, or samples where rows are short.
    """

    grid: Grid
    T: int
    units: int
    alone: bool
    """The sums are all there are, and are written to dW at once."""
    pointers: ClassVar[int] = 4

    def chunk(self, k: Trace) -> None:
        g, s, V = self.grid, self.grid.shape, k.lanes
        part, row, j = k.unravel(k.chunk, *g.counts(V))
        sums, slot = g.tensor(k, 2), k.thread if self.alone else k.chunk
        block = self.first(k, row) + j
        if s.group > 1:  # a row may read fewer blocks than others
            block = block.minimum(ceil_div(s.C, g.inner(V)) - 1)
        for tap in k.range(math.prod(s.kernel)):
            for c in k.range(g.inner(V)):
                for o in range(g.OCB):
                    sums.put(k.zero(), slot, tap, c, o, 0)
        total = s.N if s.OW <= SHORT else s.N * s.OH
        each = ceil_div(total, g.parts)
        last = (part * each + each).minimum(total)
        for unit in k.range(part * each, last, self.units):
            end = (unit + self.units).minimum(last)
            for kh in k.range(s.kernel[0]):
                for kw in k.range(s.kernel[1]):
                    for c in k.range(0, g.inner(V), self.T):
                        self.tile(k, sums, slot, (row, block), (unit, end), (kh, kw), c)
        if self.alone:
            y = k.tensor(3, s.K, s.C * math.prod(s.kernel))
            g.write(k, y, row, block, lambda *place: sums.vec(slot, *place, 0))

    def first(self, k: Trace, row: Index) -> Index:
        """The first block of input channels that a row of output blocks reads."""
        g, s = self.grid, self.grid.shape
        if s.group == 1:
            return k.constant(0)
        group = row * (g.OCB * k.lanes) // (s.K // s.group)
        return group * (s.C // s.group) // g.inner(k.lanes)

    def tile(
        self,
        k: Trace,
        sums: Tensor,
        slot: Index,
        blocks: tuple[Index, Index],
        units: tuple[Index, Index],
        taps: tuple[Index, Index],
        c: Index,
    ) -> None:
        g, s, V = self.grid, self.grid.shape, k.lanes
        (row, block), tap = blocks, taps[0] * s.kernel[1] + taps[1]
        if g.plain_input:
            x = k.tensor(0, strides=(s.C * s.H * s.W, 0, s.W, 1, s.H * s.W))
        else:
            x = k.tensor(0, s.N, ceil_div(s.C, V), s.H, s.W, V)
        dy = k.tensor(1, s.N, ceil_div(s.K, V), s.OH, s.OW, V)
        tile = [(t, o) for t in range(self.T) for o in range(g.OCB)]
        acc = [
            [k.var(sums.vec(slot, tap, c + t, o, 0)) for o in range(g.OCB)] for t in range(self.T)
        ]
        for n, oh, ow in self.pixels(k, units, taps):
            ih = oh * s.strides[0] + taps[0] * s.dilations[0] - s.top
            iw = ow * s.strides[1] + taps[1] * s.dilations[1] - s.left
            rows = [dy.vec(n, row * g.OCB + o, oh, ow, 0) for o in range(g.OCB)]
            for t in range(self.T):
                add(acc[t], rows, x.bcast(n, block, ih, iw, c + t), k)
        for t, o in tile:
            sums.put(acc[t][o].get(), slot, tap, c + t, o, 0)

    def pixels(
        self, k: Trace, units: tuple[Index, Index], taps: tuple[Index, Index]
    ) -> Iterator[tuple[Index, Index, Index]]:
        """The pixels of some units (sample, row, column) that a tap sees inside the input."""
        s = self.grid.shape
        columns = places_inside(k, taps[1], s.OW, s.W, s.strides[1], s.dilations[1], s.left)
        rows = places_inside(k, taps[0], s.OH, s.H, s.strides[0], s.dilations[0], s.top)
        if s.OW <= SHORT:
            for oh in k.range(*rows):
                for ow in k.range(*columns):
                    for n in k.range(*units):
                        yield n, oh, ow
            return
        for unit in k.range(*units):
            n, oh = k.unravel(unit, s.N, s.OH)
            with k.when((rows[0] <= oh) & (oh < rows[1])):
                for ow in k.range(*columns):
                    yield n, oh, ow


@dataclass(frozen=True)
class ConvWeightWrite(Kernel):
    """One chunk: dW for a row of output blocks and an input block, from the sums of all parts."""

    grid: Grid
    pointers: ClassVar[int] = 2

    def chunk(self, k: Trace) -> None:
        g, s = self.grid, self.grid.shape
        _, rows, blocks = g.counts(k.lanes)
        row, block = k.unravel(k.chunk, rows, blocks)
        sums = g.tensor(k, 0)

        def load(*place: Index) -> Lanes:
            total = k.var(sums.vec(k.chunk, *place, 0))
            for part in k.range(1, g.parts):
                total.set(total.get() + sums.vec(part * (rows * blocks) + k.chunk, *place, 0))
            return total.get()  # type: ignore[no-any-return]

        y = k.tensor(1, s.K, s.C * math.prod(s.kernel))
        g.write(k, y, row, block, load)


@functools.cache
def tile(target: Target, channels: int, blocks: int) -> tuple[int, int]:
    """T, which divides the input's channels, and OCB with the least estimated time."""
    best, best_cost = (1, 1), float("inf")
    for OCB in (2, 3, 4, 1):
        for T in (t for t in range(1, 17) if channels % t == 0 and blocks % OCB == 0):
            if target.registers < T * OCB + OCB + 1 or T * OCB > 28:
                break
            cost = cycles(T, OCB) / (T * OCB)
            if cost < best_cost * 0.98:
                best, best_cost = (T, OCB), cost
    return best


def shape_of(site: Site) -> Shape | None:
    """The sizes of the convolution whose weights these are."""
    operator, X, dY = site.operator, site.inputs[0], site.inputs[1]
    assert isinstance(operator, ConvWeightGradient)
    assert X is not None
    assert dY is not None
    made = attributes(operator.explicit(X.shape[2:]))
    conv = replace(site, operator=Conv(**made), inputs=(X, site.output), outputs=(dY,))
    return convolution_shape(conv)


def choose(site: Site) -> Choice:
    X, dY, Y = site.inputs[0], site.inputs[1], site.output
    assert X is not None
    assert dY is not None
    if not X.is_float32 or Y.lanes or not dY.lanes or site.chain is not None:
        return None
    s = shape_of(site)
    if s is None or (s.group > 1 and not X.lanes):
        return None
    depthwise = weight_gradient(site, s)
    if depthwise is not None:
        return depthwise
    V = site.target.lanes
    plain = not X.lanes
    if s.pointwise and s.group == 1:
        s = replace(s, H=1, OH=1, W=s.H * s.W, OW=s.OH * s.OW)
    T, OCB = tile(site.target, s.C if plain else V, ceil_div(s.K, V))
    by_rows = s.OW > SHORT
    total = s.N * s.OH if by_rows else s.N
    read = s.strides[0] * s.W * (s.C if plain else V) if by_rows else s.H * s.W * V
    bytes_each = 4 * (read + s.OW * OCB * V * (1 if by_rows else s.OH))
    units = max(1, IN_CACHE // bytes_each)
    grid = Grid(s, plain, OCB, 1)
    _, rows, blocks = grid.counts(V)
    if s.group == 1 and s.macs > 1 << 20:  # few chunks: the pixels are shared too
        grid = replace(grid, parts=min(ceil_div(4 * site.threads, rows * blocks), total))
    alone = s.group == 1 and grid.parts == 1
    many = 1 if alone else grid.parts * rows * blocks
    sums = Scratch("sums", 4 * grid.elements(V) * many, per_thread=alone)
    kernel = ConvWeightSums(grid, T, units, alone)
    why = f"weights' gradient, tile {T} x {OCB * V} channels, {units} rows or samples at a time"
    chunks = grid.parts * rows * blocks
    calls = [Call(kernel, (Input(0), Input(1), sums, Output()), chunks, why)]
    if alone:
        return tuple(calls)
    if s.group == 1:
        write = ConvWeightWrite(grid)
        return (*calls, Call(write, (sums, Output()), rows * blocks, "the parts' sums"))
    pack = PackWeights(s.group, V, OCB * V)
    packed, W = np.empty(pack.shape(Y.shape), np.float32), np.empty(Y.shape, np.float32)
    for place, piece in pack.pieces(packed, W):
        moved = copy(piece, place, Output(), sums, site.target, site.threads)
        if moved is None:
            return None
        calls.extend(moved)
    return tuple(calls)
