"""Winograd's convolution F(4x4, 3x3): 36 multiplications where the direct sum takes 144.

Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", 2015. Each tile of 4x4 outputs
comes from 6x6 inputs d and the filter g: Y = Aᵀ [(G g Gᵀ) ⊙ (Bᵀ d B)] A. The elementwise products,
summed over the input channels, are 36 matrix products, one for each place in the tile.

The sums round otherwise than the direct ones, and more: `Precision` states by how much, and where
it is "strict" this isn't chosen.
"""

import itertools
from collections.abc import Callable, Iterator
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
    Scratch,
    Site,
)
from suanzi.kernels._tiles import Shape, shape_of, tile
from suanzi.kernels._weights import has_bias, packed
from suanzi.kernels._winograd import (
    AT,
    BT,
    PLACES,
    D,
    M,
    PackWeights,
    R,
    WinogradWeights,
    transform,
)
from suanzi.kernels.conv_direct import add
from suanzi.lang import Index, Lanes, Tensor, Trace, Var, ceil_div
from suanzi.operators._operator import Array


@dataclass(frozen=True)
class Tiling:
    """How the tiles of all samples are taken: `NT` at a time."""

    shape: Shape
    NT: int

    @property
    def across(self) -> int:
        return ceil_div(self.shape.OW, M)

    @property
    def down(self) -> int:
        return ceil_div(self.shape.OH, M)

    @property
    def tiles(self) -> int:
        return self.shape.N * self.down * self.across

    @property
    def groups(self) -> int:
        return ceil_div(self.tiles, self.NT)

    def blocks(self, lanes: int) -> int:
        return ceil_div(self.shape.C, lanes)

    def at(self, k: Trace, number: Index) -> tuple[Index, Index, Index]:
        """The sample, and the tile's first output row and column."""
        n, th, tw = k.unravel(number, self.shape.N, self.down, self.across)
        return n, th * M, tw * M

    def members(self, k: Trace, group: Index) -> Index:
        """How many tiles a group has."""
        return (k.constant(self.tiles) - group * self.NT).minimum(self.NT)

    def put_inputs(
        self, k: Trace, v: Tensor, at: Index, group: Index, member: Index, cb: Index
    ) -> None:
        """v[at, :, cb, member] = Bᵀ d B of a group's tile, for one block of channels; outside the
        input d is 0."""
        s = self.shape
        x = k.tensor(0, s.N, self.blocks(k.lanes), s.H, s.W, k.lanes)
        n, oh, ow = self.at(k, group * self.NT + member)
        ih, iw = oh - s.top, ow - s.left
        inside = (ih >= 0) & (iw >= 0) & (ih <= s.H - D) & (iw <= s.W - D)

        def put(load: Callable[[int, int], Lanes]) -> None:
            made = transform(BT, k, [[load(i, j) for j in range(D)] for i in range(D)])
            for place, vector in enumerate(itertools.chain(*made)):
                v.put(vector, at, place, cb, member, 0)

        def careful(i: int, j: int) -> Lanes:
            row, column = ih + i, iw + j
            there = (row >= 0) & (row < s.H) & (column >= 0) & (column < s.W)
            row = row.maximum(0).minimum(s.H - 1)
            column = column.maximum(0).minimum(s.W - 1)
            value = x.vec(n, cb, row, column, 0)
            return k.select(there, value, k.zero())  # type: ignore[no-any-return]

        with k.when(inside):
            put(lambda i, j: x.vec(n, cb, ih + i, iw + j, 0))
        with k.when(inside.invert()):
            put(careful)


@dataclass(frozen=True)
class WinogradInput(Kernel):
    """Bᵀ d B of all tiles: one chunk is a block of channels of a group of tiles."""

    tiling: Tiling
    pointers: ClassVar[int] = 2

    def chunk(self, k: Trace) -> None:
        t = self.tiling
        group, cb = k.unravel(k.chunk, t.groups, t.blocks(k.lanes))
        v = k.tensor(1, t.groups, PLACES, t.blocks(k.lanes), t.NT, k.lanes)
        for member in k.range(0, t.members(k, group)):
            t.put_inputs(k, v, group, group, member, cb)


@dataclass(frozen=True)
class WinogradProduct(Kernel):
    """The 36 products and Aᵀ m A for a row of output channels of a group of tiles.

    The sums fill T x OCB registers as in the direct algorithm. `fused`: one chunk makes the inputs
    of its group in scratch of its thread's own, then does all rows; else they are there already.
    """

    tiling: Tiling
    T: int
    OCB: int
    fused: bool
    epilogue: Epilogue

    def pointer_count(self) -> int:
        return 6 + len(self.epilogue.extras)

    def chunk(self, k: Trace) -> None:
        t, V = self.tiling, k.lanes
        rows = ceil_div(t.shape.K, V * self.OCB)
        if not self.fused:
            row, group = k.unravel(k.chunk, rows, t.groups)
            v = k.tensor(1, t.groups, PLACES, t.blocks(V), t.NT, V)
            self.row(k, v, group, group, row)
            return
        group = k.chunk
        v = k.tensor(1, 1, PLACES, t.blocks(V), t.NT, V)
        for member in k.range(0, t.members(k, group)):
            for cb in k.range(t.blocks(V)):
                t.put_inputs(k, v, k.thread, group, member, cb)
        for row in k.range(rows):
            self.row(k, v, k.thread, group, row)

    def row(self, k: Trace, v: Tensor, at: Index, group: Index, row: Index) -> None:
        """A row of output channels; the inputs are v[at]."""
        t, OCB = self.tiling, self.OCB
        m = k.tensor(4, 1, PLACES, OCB, t.NT, k.lanes)
        members = t.members(k, group)
        for place in k.range(PLACES):
            for first in k.range(0, members, self.T):
                sums = self.products(k, v, at, row, place, first)
                for i in range(self.T):
                    for o in range(OCB):
                        m.put(sums[i][o].get(), k.thread, place, o, first + i, 0)
        for member in k.range(0, members):
            n, oh, ow = t.at(k, group * t.NT + member)
            for block in k.range(OCB):
                self.put_outputs(k, m, member, block, n, oh, ow, row * OCB + block)

    def products(
        self, k: Trace, v: Tensor, at: Index, row: Index, place: Index, first: Index
    ) -> list[list[Var]]:
        """Σ over the input channels of weight times input, T tiles from `first` by OCB blocks."""
        s, V, OCB = self.tiling.shape, k.lanes, self.OCB
        C = self.tiling.blocks(V) * V
        u = k.tensor(2, ceil_div(s.K, V * OCB), PLACES, C, OCB, V)
        sums = [[k.var(k.zero()) for _ in range(OCB)] for _ in range(self.T)]
        for cb, channels in channel_blocks(k, s.C):
            unroll = next(n for n in (4, 2, 1) if channels % n == 0)
            for start in k.range(0, channels, unroll):
                for ic in (start + n for n in range(unroll)):
                    weights = [u.vec(row, place, cb * V + ic, o, 0) for o in range(OCB)]
                    for i in range(self.T):
                        add(sums[i], weights, v.bcast(at, place, cb, first + i, ic), k)
        return sums

    def put_outputs(
        self, k: Trace, m: Tensor, i: Index, o: Index, n: Index, oh: Index, ow: Index, block: Index
    ) -> None:
        """Aᵀ m A of one tile for one block of channels, the bias and the epilogue; what lies
        outside the output is left out."""
        s, V = self.tiling.shape, k.lanes
        KB = ceil_div(s.K, V)
        y = k.tensor(5, s.N, KB, s.OH * s.OW, V)
        bias = k.tensor(3, KB, V).vec(block, 0)
        made = transform(
            AT, k, [[m.vec(k.thread, r * D + c, o, i, 0) for c in range(D)] for r in range(D)]
        )

        def put(row: int, column: int) -> None:
            pixel = (oh + row) * s.OW + ow + column
            value = made[row][column] + bias
            value = self.epilogue.apply(k, value, 6, KB, s.OH * s.OW, n, block, pixel)
            y.put(value, n, block, pixel, 0)

        if s.OH % M == 0 and s.OW % M == 0:
            for row in range(M):
                for column in range(M):
                    put(row, column)
            return
        for row in range(M):
            with k.when(oh + row < s.OH):
                for column in range(M):
                    if column and s.OW % M:
                        with k.when(ow + column < s.OW):
                            put(row, column)
                    else:
                        put(row, column)


def channel_blocks(k: Trace, C: int) -> Iterator[tuple[Index, int]]:
    """The blocks of C channels, and how many each has: the lanes beyond C hold anything."""
    for cb in k.range(C // k.lanes):
        yield cb, k.lanes
    if C % k.lanes:
        yield k.constant(C // k.lanes), C % k.lanes


PEAK, BANDWIDTH = 60.0, 12.0  # multiply-adds and bytes a cycle, measured in whole networks


def choose(site: Site) -> Choice:
    s = shape_of(site)
    return None if s is None else winograd(site, s)


def winograd(site: Site, s: Shape, transposed: bool = False) -> Choice:
    """The algorithm for a convolution of these sizes; `transposed`: its weights are a transposed
    convolution's.
    """
    X, W = site.inputs[0], site.inputs[1]
    assert X is not None
    assert W is not None
    if (
        site.precision == "strict"
        or not X.lanes
        or not site.output.lanes
        or not (X.is_float32 and W.is_float32)
        or (s.kernel, s.strides, s.dilations, s.group) != ((R, R), (1, 1), (1, 1), 1)
    ):
        return None
    epilogue = blocked_epilogue(site)
    V = site.target.lanes
    CB, KB = ceil_div(s.C, V), ceil_div(s.K, V)
    tiles = s.N * ceil_div(s.OH, M) * ceil_div(s.OW, M)
    weights = PLACES * CB * KB * V * V * 4
    if epilogue is None or not _pays(s, tiles, weights, W.constant is None):
        return None
    # Small weights stay in the cache: chunks take few tiles. Large ones are streamed by all tiles.
    fused = weights <= 3 * site.target.l2 // 2 and tiles >= 16 * site.threads
    most = min(tiles, max(7, site.target.l2 // 2 // (PLACES * CB * V * 4)) if fused else 98)
    T, OCB = tile(site.target, most, KB)
    NT = max(1, most // T) * T
    if fused:  # no thread should wait for another's last chunk
        NT = min(NT, ceil_div(ceil_div(tiles, 4 * site.threads), T) * T)
    elif most % T:
        NT = ceil_div(most, T) * T
    tiling = Tiling(s, NT)
    product = WinogradProduct(tiling, T, OCB, fused, epilogue[0])
    groups = tiling.groups
    inputs = Scratch("inputs", PLACES * CB * V * NT * 4 * (1 if fused else groups), fused)
    products = Scratch("products", PLACES * OCB * V * NT * 4, True)
    why = f"Winograd F(4,3), {tiles} tiles in groups of {NT}, {T} x {OCB * V} in registers"
    bias = packed(site, 2, PackChannels(V)) if has_bias(site) else ((), Packed(NoBias(KB * V), ()))
    if bias is None:
        return None
    calls = [*bias[0]]
    pack: Argument = Packed(PackWeights(V, OCB * V, transposed), (1,))
    if W.constant is None:
        pack = Scratch("weights", weights)
        made = WinogradWeights(s.K, s.C, OCB, transposed)
        calls.append(Call(made, (Input(1), pack), KB, why + ": the weights"))
    arguments = (Input(0), inputs, pack, bias[1], products, Output(), *epilogue[1])
    if fused:
        return (*calls, Call(product, arguments, groups, why + ", in one pass"))
    calls.append(Call(WinogradInput(tiling), (Input(0), inputs), groups * CB, why + ": the inputs"))
    return (*calls, Call(product, arguments, KB // OCB * groups, why))


@dataclass(frozen=True)
class NoBias:
    elements: int

    def __call__(self) -> Array:
        return np.zeros(self.elements, np.float32)


def _pays(s: Shape, tiles: int, weights: int, arriving: bool) -> bool:
    """Whether it should beat the direct algorithm by a tenth, in estimated cycles.

    Both stream their weights; Winograd's are four times as many, and those that arrive are written
    and read once more.
    """
    weights *= 3 if arriving else 1
    direct = s.macs / PEAK + weights / 4 / BANDWIDTH
    products = tiles * PLACES * s.C * s.K / PEAK
    transforms = tiles * (s.C + s.K) * PLACES / 8
    return s.C >= 16 and s.K >= 16 and products + transforms + weights / BANDWIDTH < 0.9 * direct
