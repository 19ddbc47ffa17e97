"""Depthwise convolution: each channel with its own filter, a vector of channels at a time.

A tile holds T pixels of one output row. For each row of taps it loads the row's weights, then each
input pixel once, and adds it to every sum that it belongs to.
"""

import math
from dataclasses import dataclass
from typing import ClassVar

from suanzi.kernels._epilogue import Epilogue, PackChannels, blocked_epilogue
from suanzi.kernels._kernel import (
    Argument,
    Call,
    Choice,
    Input,
    Kernel,
    Output,
    Scratch,
    Site,
    chunks_for,
)
from suanzi.kernels._tiles import (
    Grid,
    Shape,
    Taps,
    input_columns,
    places_inside,
    row_tiles,
    shape_of,
    tap_columns,
    tap_rows,
)
from suanzi.kernels._weights import Packing, Pieces, has_bias, split, with_bias
from suanzi.lang import Index, Target, Trace, Var, ceil_div
from suanzi.operators._operator import Array, Ints

UNROLLED = 7
"""The widest row of taps that is unrolled, its weights in registers."""


@dataclass(frozen=True)
class PackTaps(Packing):
    """W [C, 1, KH, KW] to [C/V][KH·KW][V]; `reverse`: the taps in reverse order."""

    lanes: int
    reverse: bool = False

    def shape(self, weights: Ints) -> Ints:
        return ceil_div(weights[0], self.lanes), math.prod(weights[1:]), self.lanes

    def pieces(self, packed: Array, weights: Array) -> Pieces:
        taps = weights.reshape(len(weights), -1)
        packed = packed[:, ::-1] if self.reverse else packed
        for rows, blocks, lanes in split(len(taps), self.lanes):
            piece = taps[rows].reshape(blocks, lanes, -1).transpose(0, 2, 1)
            first = rows.start // self.lanes
            yield packed[first : first + blocks, :, :lanes], piece


@dataclass(frozen=True)
class ConvDepthwise(Kernel):
    """One chunk: `rows` output rows, each of one sample and block of channels.

    The sizes: those rows, and where the first pixel made stands in the output.
    """

    shape: Shape
    bias: bool
    T: int
    epilogue: Epilogue
    grid: Grid | None = None
    taps: Taps | None = None
    sizes: ClassVar[int] = 2

    def pointer_count(self) -> int:
        return 4 + len(self.epilogue.extras)

    def chunk(self, k: Trace) -> None:
        s = self.shape
        CB, first = ceil_div(s.C, k.lanes), k.chunk * k.sizes[0]
        for row in k.range(first, (first + k.sizes[0]).minimum(s.N * CB * s.OH)):
            n, cb, oh = k.unravel(row, s.N, CB, s.OH)
            for ow, T, fixed in row_tiles(k, s, self.T):
                self.tile(k, n, cb, oh, ow, T, fixed)

    def tile(
        self, k: Trace, n: Index, cb: Index, oh: Index, ow: Index, T: int, fixed: int | None
    ) -> None:
        s, V = self.shape, k.lanes
        CB, KW, (SH, SW), (DH, DW) = ceil_div(s.C, V), s.kernel[1], s.strides, s.dilations
        x = k.tensor(0, s.N, CB, s.H, s.W, V)
        packed = self.taps or Taps(s.kernel, (0, 0), (1, 1))
        w = k.tensor(1, CB, *packed.kernel, V)
        start = k.tensor(2, CB, V).vec(cb, 0) if self.bias else k.zero()
        acc = [k.var(start) for _ in range(T)]
        for kh in tap_rows(k, s, oh):
            ih = oh * SH + kh * DH - s.top
            origin = ow * SW - s.left
            if KW > UNROLLED:
                for tap, pixels in tap_columns(k, s, T, fixed):
                    weight = w.vec(cb, *packed.places(kh, tap), 0)
                    for t in pixels:
                        value = x.vec(n, cb, ih, origin + tap * DW + t * SW, 0)
                        acc[t].set(k.fma(weight, value, acc[t].get()))
            else:
                taps = [w.vec(cb, *packed.places(kh, k.constant(kw)), 0) for kw in range(KW)]
                for column, pairs in input_columns(s, T, fixed):
                    value = x.vec(n, cb, ih, origin + column, 0)
                    for kw, t in pairs:
                        acc[t].set(k.fma(taps[kw], value, acc[t].get()))
        g = self.grid or Grid(s.OH, s.OW, (1, 1))
        y, row = k.tensor(3, s.N, CB, g.OH * g.OW, V), oh * (g.steps[0] * g.OW) + k.sizes[1]
        for t, sum_ in enumerate(acc):
            pixel = row + (ow + t) * g.steps[1]
            value = self.epilogue.apply(k, sum_.get(), 4, CB, g.OH * g.OW, n, cb, pixel)
            y.put(value, n, cb, pixel, 0)


def tile(target: Target, s: Shape) -> int:
    """The T that takes a row the least estimated time."""
    KW = s.kernel[1]
    most = max(1, target.registers - 2 - (KW if KW <= UNROLLED else 1))

    def cost(T: int) -> float:
        return ceil_div(s.OW, T) * (max(4.0, KW * T / 2) + 4)

    return min(range(1, min(most, s.OW, 14) + 1), key=cost)


def choose(site: Site) -> Choice:
    s = shape_of(site)
    return None if s is None else depthwise(site, s)


def depthwise(site: Site, s: Shape, transposed: bool = False) -> Choice:
    """The algorithm for a convolution of these sizes; `transposed`: its weights are a transposed
    convolution's, whose taps are in reverse order.
    """
    X, Y = site.inputs[0], site.output
    assert X is not None
    if not s.group == s.C == s.K or not X.is_float32 or not X.lanes or not Y.lanes:
        return None
    V, T = site.target.lanes, tile(site.target, s)
    epilogue = blocked_epilogue(site)
    made = with_bias(site, PackTaps(V, transposed), PackChannels(V))
    if epilogue is None or made is None:
        return None
    (packing, weights), (adding, bias) = made
    arguments = (Input(0), weights, bias, Output(), *epilogue[1])
    kernel = ConvDepthwise(s, has_bias(site), T, epilogue[0])
    return (*packing, *adding, call(site, kernel, arguments, 0))


def call(site: Site, kernel: ConvDepthwise, arguments: tuple[Argument, ...], first: int) -> Call:
    """The kernel's call, and what it says; `first` is where the first pixel made stands."""
    s, V = kernel.shape, site.target.lanes
    total = s.N * ceil_div(s.C, V) * s.OH
    work = s.OW * V * max(16, s.kernel[0] * s.kernel[1])  # few taps: as long as it takes to move
    rows = chunks_for(work, total, site.threads)
    why = f"depthwise, tile {kernel.T} pixels x {V} channels, {rows} rows a chunk"
    return Call(kernel, arguments, ceil_div(total, rows), why, (rows, first))


@dataclass(frozen=True)
class DepthwiseWeightSums(Kernel):
    """dW [C, 1, KH, KW]: one chunk is a block of channels. For each row of taps as many sums."""

    shape: Shape
    pointers: ClassVar[int] = 4

    def chunk(self, k: Trace) -> None:
        s, V, cb = self.shape, k.lanes, k.chunk
        KH, KW = s.kernel
        sums = k.tensor(2, 0, KH, KW, V)
        for kh in k.range(KH):
            acc = [k.var(k.zero()) for _ in range(KW)]
            rows = places_inside(k, kh, s.OH, s.H, s.strides[0], s.dilations[0], s.top)
            for n in k.range(s.N):
                for oh in k.range(*rows):
                    self.row(k, acc, n, cb, oh, kh)
            for kw in range(KW):
                sums.put(acc[kw].get(), k.thread, kh, kw, 0)
        y = k.tensor(3, s.C, KH * KW)
        flat = sums.view((0, KH * KW, V))
        for first in range(0, KH * KW, V):
            count = min(V, KH * KW - first)
            lines = [flat.vec(k.thread, first + i, 0) for i in range(count)]
            lines += [k.zero()] * (V - count)
            for i, line in enumerate(k.transpose(lines)):
                with k.when(cb * V + i < s.C):
                    y.put_part(count, line, cb * V + i, first)

    def row(self, k: Trace, acc: list[Var], n: Index, cb: Index, oh: Index, kh: Index) -> None:
        """A row of pixels: those that see all taps in a loop, the others one by one."""
        s, V, CB = self.shape, k.lanes, ceil_div(self.shape.C, k.lanes)
        x = k.tensor(0, s.N, CB, s.H, s.W, V)
        dy = k.tensor(1, s.N, CB, s.OH, s.OW, V)
        ih = oh * s.strides[0] + kh * s.dilations[0] - s.top

        def add(ow: Index, taps: list[int]) -> None:
            value, origin = dy.vec(n, cb, oh, ow, 0), ow * s.strides[1] - s.left
            for kw in taps:
                seen = x.vec(n, cb, ih, origin + kw * s.dilations[1], 0)
                acc[kw].set(k.fma(value, seen, acc[kw].get()))

        whole = list(range(s.kernel[1]))
        seen = [seen_taps(s, ow) for ow in range(s.OW)]
        left = seen.index(whole) if whole in seen else s.OW
        right = left + seen.count(whole)
        for ow in [*range(left), *range(right, s.OW)]:
            add(k.constant(ow), seen[ow])
        for column in k.range(left, right):
            add(column, whole)


def seen_taps(s: Shape, ow: int) -> list[int]:
    """The taps of a row that are inside the input for a column of the output."""
    at = ow * s.strides[1] - s.left
    return [kw for kw in range(s.kernel[1]) if 0 <= at + kw * s.dilations[1] < s.W]


MOST_ALONE = 16
"""How many columns of a row at most see only some taps, each in code of its own."""


def weight_gradient(site: Site, s: Shape) -> Choice:
    """The algorithm for the gradient of a depthwise convolution's weights, of these sizes."""
    X, dY, V = site.inputs[0], site.inputs[1], site.target.lanes
    assert X is not None
    assert dY is not None
    if not s.group == s.C == s.K or not X.lanes or s.kernel[1] > UNROLLED:
        return None
    if sum(len(seen_taps(s, ow)) < s.kernel[1] for ow in range(s.OW)) > MOST_ALONE:
        return None
    sums = Scratch("sums", 4 * s.kernel[0] * s.kernel[1] * V, per_thread=True)
    arguments = (Input(0), Input(1), sums, Output())
    why = f"weights' gradient, depthwise, {s.kernel[1]} taps at a time"
    return (Call(DepthwiseWeightSums(s), arguments, ceil_div(s.C, V), why),)
