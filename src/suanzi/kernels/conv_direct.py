"""Direct convolution: a tile of pixels by output channels is summed in registers, written once.

A tile holds T pixels of one output row by OCB vectors of output channels. For each input channel
and tap it loads OCB vectors of weights and broadcasts T numbers of the input, and does T·OCB
multiply-adds. With AVX-512 (32 registers, broadcasts read from memory) 14 x 2 sums, 2 weights:
30 registers; with AVX2 (16) 6 x 2 sums, 2 weights, 1 input: 15.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from suanzi.kernels._epilogue import Epilogue, PackChannels, blocked_epilogue
from suanzi.kernels._kernel import (
    Argument,
    Call,
    Choice,
    Input,
    Kernel,
    Output,
    Packed,
    Site,
    chunks_for,
)
from suanzi.kernels._tiles import (
    Shape,
    row_cycles,
    row_tiles,
    shape_of,
    tap_columns,
    tap_rows,
    tile,
)
from suanzi.lang import Index, Lanes, Target, Trace, Var, ceil_div
from suanzi.operators._operator import Array


@dataclass(frozen=True)
class PackWeights:
    """W [K, C/group, KH, KW] to [K/(V·OCB)][blocks][KH][KW][inner][OCB·V].

    A block of input channels has `inner` of them. A row of output blocks reads the input blocks
    of all the groups that it touches, so where it touches several, other groups' weights are 0.
    """

    group: int
    inner: int
    width: int
    """OCB · V, a row's output channels."""

    def __call__(self, W: Array) -> Array:
        K, Cg, *taps = W.shape
        C, Kg, inner, width = Cg * self.group, K // self.group, self.inner, self.width
        taps = [1] * (2 - len(taps)) + taps
        W = W.reshape(K, Cg, *taps)
        reach = Reach(K, C, self.group, inner, width)
        rows, blocks = ceil_div(K, width), reach.blocks
        if self.group == 1:
            if K % width or C % inner:
                full = np.zeros((rows * width, blocks * inner, *taps), np.float32)
                full[:K, :C] = W
                W = full
            split = W.reshape(rows, width, blocks, inner, *taps)
            return np.ascontiguousarray(split.transpose(0, 2, 4, 5, 3, 1))
        packed = np.zeros((rows, blocks, *taps, inner, width), np.float32)
        for k in range(K):
            row, column = divmod(k, width)
            channels = np.arange(Cg) + (k // Kg) * Cg - reach.first(row) * inner
            packed[row, channels // inner, :, :, channels % inner, column] = W[k]
        return packed


@dataclass(frozen=True)
class Reach:
    """Which blocks of `inner` input channels a row of `width` output channels reads: those of all
    the groups that it touches."""

    K: int
    C: int
    group: int
    inner: int
    width: int

    def first(self, row: int) -> int:
        return (row * self.width * self.group // self.K) * (self.C // self.group) // self.inner

    def end(self, row: int) -> int:
        last = min((row + 1) * self.width, self.K) - 1
        return ceil_div((last * self.group // self.K + 1) * (self.C // self.group), self.inner)

    @property
    def counts(self) -> list[int]:
        """How many blocks each row reads."""
        rows = range(ceil_div(self.K, self.width))
        return [self.end(row) - self.first(row) for row in rows]

    @property
    def blocks(self) -> int:
        return max(self.counts)


@dataclass(frozen=True)
class Reads:
    """The mean number of blocks that a row of OCB blocks of output channels reads."""

    shape: Shape
    inner: int
    lanes: int

    def __call__(self, OCB: int) -> float:
        s = self.shape
        counts = Reach(s.K, s.C, s.group, self.inner, OCB * self.lanes).counts
        return sum(counts) / len(counts)


@dataclass(frozen=True)
class Grid:
    """A larger output [OH, OW] of which every `steps`-th pixel along the axes is made."""

    OH: int
    OW: int
    steps: tuple[int, int]


@dataclass(frozen=True)
class ConvDirect(Kernel):
    """One chunk: `rows` output rows of one sample by OCB blocks of output channels.

    The sizes: those rows, and where the first pixel made stands in the output.
    """

    shape: Shape
    plain_input: bool
    bias: bool
    T: int
    OCB: int
    unroll: int
    weights_stay: bool
    """Consecutive chunks share the weights (they fit the cache beside some rows), not the rows."""
    epilogue: Epilogue
    grid: Grid | None = None
    sizes: ClassVar[int] = 2

    def pointer_count(self) -> int:
        return 4 + len(self.epilogue.extras)

    def chunk(self, k: Trace) -> None:
        s, V = self.shape, k.lanes
        KB = ceil_div(s.K, V)
        row_blocks = (s.OH - 1 + k.sizes[0]) // k.sizes[0]
        if self.weights_stay:
            kb, n, rb = k.unravel(k.chunk, KB // self.OCB, s.N, row_blocks)
        else:
            n, rb, kb = k.unravel(k.chunk, s.N, row_blocks, KB // self.OCB)
        first = rb * k.sizes[0]
        for oh in k.range(first, (first + k.sizes[0]).minimum(s.OH)):
            for ow, T, fixed in row_tiles(k, s, self.T):
                self.tile(k, n, kb, oh, ow, T, fixed)

    def tile(
        self, k: Trace, n: Index, kb: Index, oh: Index, ow: Index, T: int, fixed: int | None
    ) -> None:
        s, V, OCB = self.shape, k.lanes, self.OCB
        KB, inner = ceil_div(s.K, V), s.C if self.plain_input else V
        if self.plain_input:
            x = k.tensor(0, strides=(s.C * s.H * s.W, 0, s.W, 1, s.H * s.W))
        else:
            x = k.tensor(0, s.N, ceil_div(s.C, V), s.H, s.W, V)
        blocks = Reach(s.K, s.C, s.group, inner, V * OCB).blocks
        w = k.tensor(1, KB // OCB, blocks, *s.kernel, inner, OCB, V)
        start = [
            k.tensor(2, KB, V).vec(kb * OCB + o, 0) if self.bias else k.zero() for o in range(OCB)
        ]
        acc = [[k.var(start[o]) for o in range(OCB)] for _ in range(T)]
        origin, begin, end = self.input_range(k, kb, inner)

        def multiply(cb: Index, channels: int) -> None:
            for kh in tap_rows(k, s, oh):
                ih = oh * s.strides[0] + kh * s.dilations[0] - s.top
                for kw, pixels in tap_columns(k, s, T, fixed):
                    iw = ow * s.strides[1] + kw * s.dilations[1] - s.left
                    U = self.unroll if channels % self.unroll == 0 else 1
                    for ic in k.range(0, channels, U):
                        for u in range(U):
                            at = (cb - origin, kh, kw, ic + u)
                            weights = [w.vec(kb, *at, o, 0) for o in range(OCB)]
                            for t in pixels:
                                value = x.bcast(n, cb, ih, iw + t * s.strides[1], ic + u)
                                add(acc[t], weights, value, k)

        for cb in k.range(begin, end if s.C % inner == 0 else end.minimum(s.C // inner)):
            multiply(cb, inner)
        if s.C % inner:  # the last block's channels beyond C hold anything
            with k.when(end > s.C // inner):
                multiply(k.constant(s.C // inner), s.C % inner)

        g = self.grid or Grid(s.OH, s.OW, (1, 1))
        y = k.tensor(3, s.N, KB, g.OH * g.OW, V)
        row = oh * (g.steps[0] * g.OW) + k.sizes[1]
        for t in range(T):
            for o in range(OCB):
                pixel, block = row + (ow + t) * g.steps[1], kb * OCB + o
                value = acc[t][o].get()
                value = self.epilogue.apply(k, value, 4, KB, g.OH * g.OW, n, block, pixel)
                y.put(value, n, block, pixel, 0)

    def input_range(self, k: Trace, kb: Index, inner: int) -> tuple[Index, Index, Index]:
        """Where the packed blocks of this row of output blocks start, and the blocks to read."""
        s, width = self.shape, self.OCB * k.lanes
        Cg, Kg = s.C // s.group, s.K // s.group
        if s.group == 1:
            return k.constant(0), k.constant(0), k.constant(ceil_div(s.C, inner))
        first = (kb * width) // Kg * Cg // inner
        last = (kb * width + (width - 1)).minimum(s.K - 1)
        return first, first, ((last // Kg + 1) * Cg + (inner - 1)) // inner


def add(acc: list[Var], weights: list[Lanes], value: Lanes, k: Trace) -> None:
    for sum_, weight in zip(acc, weights, strict=True):
        sum_.set(k.fma(weight, value, sum_.get()))


@functools.cache
def flat(s: Shape, target: Target, blocks: int, inputs: Callable[[int], float] | None) -> Shape:
    """A pointwise convolution with its pixels in rows that suit the tile."""
    pixels = s.H * s.W
    widths = [w for w in range(1, pixels + 1) if pixels % w == 0]

    def cost(width: int) -> float:
        T, OCB = tile(target, width, blocks, inputs)
        row = row_cycles(T, OCB, width) / OCB * (inputs(OCB) if inputs else 1)
        return row * (pixels // width) * (1.02 if width % T else 1)

    width = min(widths, key=lambda w: (round(cost(w)), abs(w - 56)))
    rows = pixels // width
    return Shape(s.N, s.C, rows, width, s.K, rows, width, group=s.group)


def choose(site: Site) -> Choice:
    X, W, Y = site.inputs[0], site.inputs[1], site.output
    assert X is not None
    assert W is not None
    B = site.inputs[2] if len(site.inputs) > 2 else None
    s = shape_of(site)
    if s is None or W.constant is None or not X.is_float32 or not Y.lanes:
        return None
    if B is not None and B.constant is None:
        return None
    plain = not X.lanes
    if plain and s.group > 1:
        return None
    epilogue = blocked_epilogue(site)
    if epilogue is None:
        return None
    target = site.target
    V = target.lanes
    KB = ceil_div(s.K, V)
    inner = s.C if plain else V
    inputs = Reads(s, inner, V) if s.group > 1 else None
    if s.pointwise and not plain:
        s = flat(s, target, KB, inputs)
    T, OCB = tile(target, s.OW, KB, inputs)
    unroll = next(u for u in (4, 3, 2, 1) if inner % u == 0)
    weights = KB * V * (s.C // s.group) * s.kernel[0] * s.kernel[1] * 4
    stay = weights > target.l2 // 2
    kernel = ConvDirect(s, plain, B is not None, T, OCB, unroll, stay, epilogue[0])
    row_macs = s.macs // (s.N * s.OH * (KB // OCB))
    rows = chunks_for(row_macs, s.OH, site.threads)
    pack = Packed(PackWeights(s.group, inner, OCB * V), (1,))
    bias: Argument = Packed(PackChannels(V), (2,)) if B is not None else Input(0)
    chunks = s.N * (KB // OCB) * ceil_div(s.OH, rows)
    why = f"direct, tile {T} pixels x {OCB * V} channels, {rows} rows a chunk" + (
        "; reads plain input" if plain else ""
    )
    arguments = (Input(0), pack, bias, Output(), *epilogue[1])
    return (Call(kernel, arguments, chunks, why, (rows, 0)),)
