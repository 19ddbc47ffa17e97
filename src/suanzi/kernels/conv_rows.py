"""Convolution in plain layout, vectors along the output's rows: for few output channels.

A tile holds KT output channels by OHT output rows by R vectors of columns. A vector of an input row
is loaded once for each tap column and added, times a weight, to every sum that it belongs to.
"""

import math
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from itertools import product
from typing import ClassVar

from suanzi.kernels._epilogue import PackChannels, PlainEpilogue, plain_epilogue
from suanzi.kernels._kernel import (
    Call,
    Choice,
    Input,
    Kernel,
    Output,
    Site,
    chunks_for,
)
from suanzi.kernels._tiles import Shape, row_cycles, shape_of
from suanzi.kernels._tiles import tile as blocked_tile
from suanzi.kernels._weights import Packing, Pieces, has_bias, with_bias
from suanzi.lang import Index, Lanes, Target, Trace, ceil_div
from suanzi.operators._operator import Array, Ints


@dataclass(frozen=True)
class PackFilters(Packing):
    """W [K, C, KH, KW] to [K/KT][C][KH·KW][KT]; KT divides K."""

    channels: int
    transposed: bool = False
    """W is a transposed convolution's, [C, K, KH, KW]."""

    def shape(self, weights: Ints) -> Ints:
        K, C, *taps = weights
        if self.transposed:
            K, C = C, K
        return K // self.channels, C, math.prod(taps), self.channels

    def pieces(self, packed: Array, weights: Array) -> Pieces:
        if self.transposed:
            weights = weights.swapaxes(0, 1)
        K, C = weights.shape[:2]
        split = weights.reshape(K // self.channels, self.channels, C, -1)
        yield packed, split.transpose(0, 2, 3, 1)


@dataclass(frozen=True)
class ConvRows(Kernel):
    """One chunk: `blocks` of OHT output rows of KT output channels of a sample."""

    shape: Shape
    bias: bool
    KT: int
    OHT: int
    R: int
    epilogue: PlainEpilogue
    sizes: ClassVar[int] = 1

    def pointer_count(self) -> int:
        return 4 + len(self.epilogue.kinds)

    def chunk(self, k: Trace) -> None:
        s, width = self.shape, self.R * k.lanes
        K, OH = s.K // self.KT, s.OH // self.OHT
        first = k.chunk * k.sizes[0]
        whole = [self.inside(k, ow, width) for ow in range(0, s.OW, width)]
        left = whole.index(True) if True in whole else len(whole)
        right = left + sum(whole)
        for block in k.range(first, (first + k.sizes[0]).minimum(s.N * K * OH)):
            n, kb, row = k.unravel(block, s.N, K, OH)
            at = (n, kb, row * self.OHT)
            for ow in k.range(left * width, right * width, width):
                self.tile(k, at, ow, None)
            for i in [*range(left), *range(right, len(whole))]:
                self.tile(k, at, k.constant(i * width), i * width)

    def inside(self, k: Trace, ow: int, columns: int) -> bool:
        """Whether the taps of these output columns all fall inside the input, read by vectors."""
        s, (SW, DW) = self.shape, (self.shape.strides[1], self.shape.dilations[1])
        end = (ow + columns) * SW + (s.kernel[1] - 1) * DW - s.left
        return ow * SW >= s.left and end <= s.W and ow + columns <= s.OW

    def tile(self, k: Trace, at: tuple[Index, Index, Index], ow: Index, fixed: int | None) -> None:
        """One tile. `fixed` is ow's number where the tile reaches beyond the input or output."""
        s, V, (n, kb, oh) = self.shape, k.lanes, at
        (KH, KW), (SH, SW), (DH, DW) = s.kernel, s.strides, s.dilations
        counts = [V] * self.R
        if fixed is not None:
            counts = [min(V, s.OW - fixed - v * V) for v in range(self.R)]
            counts = [count for count in counts if count > 0]
        x = k.tensor(0, s.N, s.C, s.H, s.W)
        w = k.tensor(1, s.K // self.KT, s.C, KH, KW, self.KT)
        b = k.tensor(2, s.K)
        sums = [
            [
                [k.var(b.bcast(kb * self.KT + c) if self.bias else k.zero()) for _ in counts]
                for c in range(self.KT)
            ]
            for _ in range(self.OHT)
        ]
        rows, taps = range(self.OHT), range(KH)
        for ic, kw in ((ic, kw) for ic in k.range(s.C) for kw in k.range(KW)):
            iw = ow * SW + kw * DW - s.left
            reads = [self.columns(k, iw + v * V * SW, v, fixed) for v in range(len(counts))]
            for offset in sorted({r * SH + kh * DH for r in rows for kh in taps}):
                ih = oh * SH + (offset - s.top)
                with self.row_inside(k, ih, offset):
                    values = [read(x, n, ic, ih) for read in reads]
                    for r, kh, c in product(rows, taps, range(self.KT)):
                        if r * SH + kh * DH != offset:
                            continue
                        weight = w.bcast(kb, ic, kh, kw, c)
                        for sum_, value in zip(sums[r][c], values, strict=True):
                            sum_.set(k.fma(weight, value, sum_.get()))
        y = k.tensor(3, s.N, s.K, s.OH, s.OW)
        for r in range(self.OHT):
            for c in range(self.KT):
                channel = kb * self.KT + c
                for v, count in enumerate(counts):
                    column = ow + v * V
                    places = {
                        "channel": channel,
                        "gate": n * s.K + channel,
                        "full": ((n * s.K + channel) * s.OH + oh + r) * s.OW + column,
                    }
                    value = self.epilogue.apply(k, sums[r][c][v].get(), 4, places, count)
                    y.put_part(count, value, n, channel, oh + r, column)

    def row_inside(self, k: Trace, ih: Index, offset: int) -> AbstractContextManager[None]:
        """What is traced inside runs if the input has row ih, an output tile's `offset`-th."""
        s = self.shape
        below = (s.OH - self.OHT) * s.strides[0] + offset - s.top < s.H
        if offset >= s.top and below:
            return nullcontext()
        return k.when((k.constant(0) <= ih) & (ih < s.H))

    def columns(self, k: Trace, first: Index, v: int, fixed: int | None) -> Callable[..., Lanes]:
        """A reader of the v-th vector of a tile: each SW-th column from `first` on, 0 outside."""
        s, V = self.shape, k.lanes

        def reader(first: Index) -> Callable[..., Lanes]:
            if fixed is None or self.inside(k, fixed + v * V, V):
                return lambda x, *row: x.vec(*row, first)
            mask = k.first(k.constant(s.W) - first) & ~k.first(k.constant(0) - first)
            return lambda x, *row: x.vec_where(mask, *row, first)

        if s.strides[1] == 1:
            return reader(first)
        low, high = reader(first), reader(first + V)
        even = list(range(0, 2 * V, 2))
        return lambda *row: low(*row).shuffle(high(*row), even)


def tile(target: Target, s: Shape) -> tuple[int, int, int, float]:
    """KT, OHT and R with the least estimated time of an output element, and that time."""
    best, best_cost = (1, 1, 1), float("inf")
    KH, width = s.kernel[0], ceil_div(s.OW, target.lanes)
    for KT in (t for t in range(8, 0, -1) if s.K % t == 0):
        for OHT in (t for t in (1, 2, 3, 4) if s.OH % t == 0):
            for R in range(1, min(width, 3) + 1):
                sums = KT * OHT * R
                # Several rows are one long stretch of code: with more sums LLVM would spill.
                if sums + 2 * R + 1 > target.registers or (OHT > 1 and sums > 18):
                    break
                # Unaligned vectors take a cycle each, broadcasts half a cycle.
                rows = (OHT - 1) * s.strides[0] + KH
                loads = rows * R * (2.5 if s.strides[1] == 2 else 1) + KH * OHT * KT / 2
                cycles = max(KH * sums / 2, loads, rows * 4.5) + 1
                cost = cycles / KH / (KT * OHT) * ceil_div(width, R) / s.OW
                if cost < best_cost * 0.98:
                    best, best_cost = (KT, OHT, R), cost
    return (*best, best_cost)


MOVING = 0.5
"""Cycles that an element takes from blocks to plain layout or back."""


def prefers_plain(s: Shape, target: Target, moved: int) -> bool:
    """Whether plain layout and this algorithm are better than blocks of output channels, though
    so many elements must be moved from blocks or to them."""
    if not applies(s):
        return False
    KB = ceil_div(s.K, target.lanes)
    T, OCB = blocked_tile(target, s.OW, KB)
    taps = s.C * s.kernel[0] * s.kernel[1]
    blocked = row_cycles(T, OCB, s.OW) / s.OW * (KB // OCB) * taps + KB  # and to write
    plain = s.K * tile(target, s)[3] * taps + MOVING * moved / (s.N * s.OH * s.OW)
    return plain < blocked


def applies(s: Shape) -> bool:
    return s.group == 1 and s.strides[1] <= 2


def choose(site: Site) -> Choice:
    X, Y = site.inputs[0], site.output
    assert X is not None
    s = shape_of(site)
    if s is None or not applies(s) or not X.is_float32 or X.lanes or Y.lanes:
        return None
    if Y.type.size != s.N * s.K * s.OH * s.OW:  # the chain broadcasts it further
        return None
    epilogue = plain_epilogue(site, ("scalar", "channel", "gate", "full"))
    if epilogue is None:
        return None
    KT, OHT, R, _ = tile(site.target, s)
    made = with_bias(site, PackFilters(KT), PackChannels(1))
    if made is None:
        return None
    (packing, weights), (adding, bias) = made
    kernel = ConvRows(s, has_bias(site), KT, OHT, R, epilogue[0])
    total = s.N * (s.K // KT) * (s.OH // OHT)
    blocks = chunks_for(s.macs // total, total, site.threads)
    arguments = (Input(0), weights, bias, Output(), *epilogue[1])
    why = f"along rows, tile {KT} channels x {OHT} rows x {R * site.target.lanes} columns"
    return (*packing, *adding, Call(kernel, arguments, ceil_div(total, blocks), why, (blocks,)))
