"""Direct convolution: a tile of pixels by output channels is summed in registers, written once.

A tile holds T pixels of one output row by OCB vectors of output channels. For each input channel
and tap it loads OCB vectors of weights and broadcasts T numbers of the input, and does T·OCB
multiply-adds. With AVX-512 (32 registers, broadcasts read from memory) 14 x 2 sums, 2 weights:
30 registers; with AVX2 (16) 6 x 2 sums, 2 weights, 1 input: 15.
"""

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
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
    row_cycles,
    row_tiles,
    shape_of,
    tap_columns,
    tap_rows,
    tile,
)
from suanzi.kernels._weight_blocks import PackWeights, Reach
from suanzi.kernels._weight_rows import Rows, slot_size
from suanzi.kernels._weights import arrive, has_bias, packed, with_bias
from suanzi.lang import Index, Lanes, Target, Trace, Var, ceil_div


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
    taps: Taps | None = None
    rows: Rows | None = None
    """How the weights are packed, where each chunk does that for its row of output channels: it
    makes all rows of all samples of these."""
    sizes: ClassVar[int] = 2

    def pointer_count(self) -> int:
        return 4 + (self.rows is not None) + len(self.epilogue.extras)

    def chunk(self, k: Trace) -> None:
        s, V = self.shape, k.lanes
        KB = ceil_div(s.K, V)
        if self.rows:
            self.rows.pack(k, 4, 1, k.thread, k.chunk)
            for n in k.range(s.N):
                for oh in k.range(s.OH):
                    for ow, T, fixed in row_tiles(k, s, self.T):
                        self.tile(k, n, k.chunk, oh, ow, T, fixed)
            return
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
        taps = self.taps or Taps(s.kernel, (0, 0), (1, 1))
        w = k.tensor(1, KB // OCB, blocks, *taps.kernel, inner, OCB, V)
        slot, extra = kb, 4
        if self.rows:
            count, each = math.prod(s.kernel), OCB * V
            whole = slot_size(s.C * count, V) * each
            steps = (whole, V * count * each, s.kernel[1] * each, each, count * each, V, 1)
            w, slot, extra = k.tensor(1, strides=steps), k.thread, 5
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
                    tap = [
                        i * n + a for i, n, a in zip((kh, kw), taps.steps, taps.first, strict=True)
                    ]
                    U = self.unroll if channels % self.unroll == 0 else 1
                    for ic in k.range(0, channels, U):
                        for u in range(U):
                            at = (cb - origin, *tap, ic + u)
                            weights = [w.vec(slot, *at, o, 0) for o in range(OCB)]
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
                value = self.epilogue.apply(k, value, extra, KB, g.OH * g.OW, n, block, pixel)
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
    s = shape_of(site)
    return None if s is None else direct(site, s)


def direct(site: Site, s: Shape, transposed: bool = False) -> Choice:
    """The direct algorithm for a convolution of these sizes; `transposed`: its weights are a
    transposed convolution's.
    """
    X, Y = site.inputs[0], site.output
    assert X is not None
    plain = not X.lanes
    if not X.is_float32 or not Y.lanes or (plain and s.group > 1):
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
    size = KB * V * (s.C // s.group) * s.kernel[0] * s.kernel[1] * 4
    stay = size > target.l2 // 2
    kernel = ConvDirect(s, plain, has_bias(site), T, OCB, unroll, stay, epilogue[0])
    if stay and not plain and s.group == 1 and arrive(site):
        calls = packed_by_chunks(site, kernel, transposed, epilogue[1])
        if calls is not None:
            return calls
    found = with_bias(site, PackWeights(s.group, inner, OCB * V, transposed), PackChannels(V))
    if found is None:
        return None
    (packing, weights), (adding, bias) = found
    row_macs = s.macs // (s.N * s.OH * (KB // OCB))
    rows = chunks_for(row_macs, s.OH, site.threads)
    chunks = s.N * (KB // OCB) * ceil_div(s.OH, rows)
    why = f"direct, tile {T} pixels x {OCB * V} channels, {rows} rows a chunk" + (
        "; reads plain input" if plain else ""
    )
    arguments = (Input(0), weights, bias, Output(), *epilogue[1])
    return (*packing, *adding, Call(kernel, arguments, chunks, why, (rows, 0)))


def packed_by_chunks(
    site: Site, direct: ConvDirect, transposed: bool, extras: tuple[Argument, ...]
) -> Choice:
    """The calls where each chunk packs the weights that it needs; None where that doesn't pay."""
    s, V, OCB = direct.shape, site.target.lanes, direct.OCB
    taps, rows = math.prod(s.kernel), ceil_div(s.K, V * OCB)
    size = 4 * slot_size(s.C * taps, V) * OCB * V
    bias = packed(site, 2, PackChannels(V)) if has_bias(site) else ((), Input(0))
    if rows < 2 * site.threads or size > 3 * site.target.l2 // 4 or bias is None:
        return None
    packs = Rows(s.K, s.C, taps, OCB, transposed, reverse=transposed)
    weights = Scratch("weights", size, per_thread=True)
    arguments = (Input(0), weights, bias[1], Output(), Input(1), *extras)
    why = f"direct, tile {direct.T} pixels x {OCB * V} channels, whose weights each chunk packs"
    return (*bias[0], Call(replace(direct, rows=packs), arguments, rows, why, (s.OH, 0)))
