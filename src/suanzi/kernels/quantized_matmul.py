"""Matrix multiplication of 8-bit integers: exact sums in int32, of four products at a time.

A tile is MatMulTiles's, but a step along k takes four numbers of A's row (a quad), broadcast, by
four rows of B, which lie as the four bytes of one int32 for each column. The machine multiplies
uint8 by int8: a signed A is moved up by 128, an unsigned B down, and the zero points with them.

With a and b the zero points so moved, Σ (A - a)(B - b) = Σ A·B + a·(K·b - Σ B) - b·Σ A. The
bracket is made where B is packed, the last term only where b isn't 0.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from suanzi.graph.quantized import QuantizedMatMul, writes_bytes
from suanzi.kernels._epilogue import PlainEpilogue, plain_epilogue
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
    chunks_for,
)
from suanzi.kernels._product import Batch, Product, matmul_product
from suanzi.kernels.matmul import panel_columns, plan, terms, tiles_of_chunk
from suanzi.lang import Index, Lanes, Trace, ceil_div
from suanzi.operators._operator import Array
from suanzi.operators.quantization import MatMulInteger

BYTES = ("int8", "uint8")
NOTHING = PlainEpilogue()
TOP_BITS, ONES = 0x80808080 - (1 << 32), 0x01010101
"""The four bytes of an int32: 128 each, which moves them between int8 and uint8; 1 each."""


@dataclass(frozen=True)
class PackQuads:
    """B [K, N] and its zero point b to panels [ceil(N/width)][ceil(K/4) + 2][width] of int32:
    the quads, then K·b - Σ B, then b. What is beyond K and N is 0."""

    width: int

    def __call__(self, B: Array, zero_point: Array | None = None) -> Array:
        B = B[:, None] if B.ndim == 1 else B.reshape(B.shape[-2:])
        K, N = B.shape
        panels, quads = ceil_div(N, self.width), ceil_div(K, 4)
        down = 128 if B.dtype == np.uint8 else 0
        b = np.zeros(1, np.int32) if zero_point is None else zero_point.ravel().astype(np.int32)
        lowered = B.astype(np.int16) - down
        padded = np.zeros((quads * 4, panels * self.width), np.int8)
        padded[:K, :N] = lowered
        packed = np.zeros((panels, quads + 2, self.width), np.int32)
        in_quads = padded.reshape(quads, 4, panels, self.width).transpose(2, 0, 3, 1)
        packed[:, :quads] = np.ascontiguousarray(in_quads).view(np.int32)[..., 0]
        below = np.zeros((2, panels * self.width), np.int32)
        below[0, :N] = K * (b - down) - lowered.sum(0, dtype=np.int32)
        below[1, :N] = b - down
        packed[:, quads:] = below.reshape(2, panels, self.width).transpose(1, 0, 2)
        return packed


def quads_of(k: Trace, K: int, chains: int) -> Iterator[tuple[Index | int, int, int]]:
    """The quads of K rows, which of `chains` sums each goes to, and how many of its rows exist."""
    for quad, chain in terms(k, K // 4, chains):
        yield quad, chain, 4
    if K % 4:
        yield K // 4, 0, K % 4


def byte(k: Trace, pointer: int, element: str) -> Lanes:
    """The one number of 8 bits behind a pointer, in every lane."""
    return k.tensor(pointer, 1, element=element).bcast(0)


@dataclass(frozen=True)
class PackQuadRows(Kernel):
    """PackQuads of B [matrices, K, N] that arrives at run time; one chunk is one panel."""

    K: int
    N: int
    vectors: int
    """The panels' width."""
    element: str
    zero_point: bool
    pointers: ClassVar[int] = 3

    def chunk(self, k: Trace) -> None:
        width, quads = self.vectors * k.lanes, ceil_div(self.K, 4)
        panels = ceil_div(self.N, width)
        matrix, panel = k.unravel(k.chunk, 1, panels)
        packed = k.tensor(2, 1, panels, quads + 2, width, element="int32")
        down = 128 if self.element == "uint8" else 0
        b = byte(k, 1, self.element) if self.zero_point else k.fill_int(0)
        for columns in panel_columns(k, panel, self.N, width):
            counts = [min(k.lanes, columns - o * k.lanes) for o in range(self.vectors)]
            sums = [k.var(k.fill_int(0)) for _ in counts]
            for quad, _, rows in quads_of(k, self.K, 1):
                for o, (count, total) in enumerate(zip(counts, sums, strict=True)):
                    if count <= 0:
                        continue
                    place = panel * width + o * k.lanes
                    words = self.words(k, matrix, quad * 4, place, count, rows)
                    packed.put(words, matrix, panel, quad, o * k.lanes)
                    total.set(k.dot4(total.get(), k.fill_int(ONES), words))
            for o, total in enumerate(sums):
                below = (b - down) * self.K - total.get()
                packed.put(below, matrix, panel, quads, o * k.lanes)
                packed.put(b - down, matrix, panel, quads + 1, o * k.lanes)

    def words(
        self, k: Trace, matrix: Index, row: Index | int, column: Index, count: int, rows: int
    ) -> Lanes:
        """The quads of a vector of columns; of the last of them only some rows are there."""
        B = k.tensor(0, strides=(self.K * self.N, self.N, 1), element="uint8")
        value = k.fill_int(0)
        for i in range(rows):
            value = value | (B.vec_part(count, matrix, row + i, column) << 8 * i)
        if self.element == "uint8":
            value = value ^ _low_bytes(TOP_BITS, rows)
        return value


def _low_bytes(word: int, count: int) -> int:
    """The low `count` bytes of an int32, the others 0."""
    return word if count == 4 else word & ((1 << 8 * count) - 1)


LONG = 4
"""From so many operators on, an epilogue is a machine loop over rows: else it's much code."""


def rows_of(
    k: Trace, sums: list[list[Lanes]], epilogue: PlainEpilogue
) -> Iterator[tuple[Index | int, list[Lanes]]]:
    """A tile's rows, each with its number."""
    if epilogue.chain is None or len(epilogue.chain.links) < LONG:
        yield from enumerate(sums)
        return
    kept = k.put_down(sums)
    for t in k.range(len(sums)):
        yield t, [kept.vec(t, o, 0) for o in range(len(sums[0]))]


@dataclass(frozen=True)
class QuantizedTiles(Kernel):
    """One chunk: `rows` rows of A by one panel of B's columns.

    Y = (A - a)·(B - b) as int32; with a scale as float32, times it. The sizes: M, and the rows of
    a chunk, a multiple of T.
    """

    K: int
    N: int
    T: int
    OCB: int
    rest: int
    """M % T: the last tile's rows."""
    batch: Batch
    chains: int
    """Sums that each take every chains-th quad, so that one addition needn't wait for another."""
    element: str
    """A's type."""
    a_zero_point: bool
    b_zero_point: bool
    """Whether each may be other than 0, b's as moved."""
    scale: str
    """One for all ("scalar"), for each column ("last"), or none."""
    written: str
    """Y's type."""
    epilogue: PlainEpilogue
    sizes: ClassVar[int] = 2

    def pointer_count(self) -> int:
        return 5 + len(self.epilogue.kinds)

    def chunk(self, k: Trace) -> None:
        for tile in tiles_of_chunk(k, self.N, self.OCB * k.lanes, self.T, self.rest, self.batch):
            self.tile(k, *tile)

    def tile(
        self, k: Trace, at: tuple[Index, Index, Index], m: Index, panel: Index, T: int, columns: int
    ) -> None:
        V, K, N, M = k.lanes, self.K, self.N, k.sizes[0]
        width, quads = self.OCB * V, ceil_div(self.K, 4)
        number, a, b = at
        x = k.tensor(0, strides=(M * K, K, 1), element=self.element)
        w = k.tensor(1, 1, ceil_div(N, width), quads + 2, width, element="int32")
        counts = [min(V, columns - o * V) for o in range(self.OCB) if columns > o * V]
        up = 128 if self.element == "int8" else 0

        starts = [k.fill_int(0) for _ in counts]
        if self.a_zero_point or up:
            zero = byte(k, 2, self.element) + up if self.a_zero_point else k.fill_int(up)
            starts = [w.vec(b, panel, quads, o * V) * zero for o in range(len(counts))]
        sums = [
            [[k.var(start if chain == 0 else k.fill_int(0)) for start in starts] for _ in range(T)]
            for chain in range(self.chains)
        ]
        a_sums = [k.var(k.fill_int(0)) for _ in range(T if self.b_zero_point else 0)]
        for quad, chain, present in quads_of(k, K, self.chains):
            weights = [w.vec(b, panel, quad, o * V) for o in range(len(counts))]
            for t in range(T):
                value = x.bcast_four(a, m + t, quad * 4, count=present)
                if up:
                    value = value ^ TOP_BITS
                for total, weight in zip(sums[chain][t], weights, strict=True):
                    total.set(k.dot4(total.get(), value, weight))
                if a_sums:
                    ones = k.fill_int(_low_bytes(ONES, present))
                    a_sums[t].set(k.dot4(a_sums[t].get(), value, ones))

        y = k.tensor(4, strides=(M * N, N, 1), element=self.written)
        totals: list[list[Lanes]] = []
        for t in range(T):
            row = [one.get() for one in sums[0][t]]
            for others in sums[1:]:
                row = [x + one.get() for x, one in zip(row, others[t], strict=True)]
            if a_sums:
                zeros = [w.vec(b, panel, quads + 1, o * V) for o in range(len(counts))]
                row = [x - zero * a_sums[t].get() for x, zero in zip(row, zeros, strict=True)]
            totals.append(row)
        for r, row in rows_of(k, totals, self.epilogue):
            for o, (count, value) in enumerate(zip(counts, row, strict=True)):
                column = panel * width + o * V
                places = {"full": (number * M + m + r) * N + column, "last": column}
                if self.scale:
                    scale = k.tensor(3, 1)
                    value = value.to_float() * (
                        scale.bcast(0) if self.scale == "scalar" else scale.vec_part(count, column)
                    )
                    value = self.epilogue.apply(k, value, 5, places, count)
                y.put_part(count, value, number, m + r, column)


def choose(site: Site) -> Choice:
    A, B, a_zero, b_zero, scale = (*site.inputs, None, None, None)[:5]
    assert A is not None
    assert B is not None
    if any(x.lanes or x.type.size == 0 for x in (A, B, site.output)):
        return None
    if A.type.dtype.name not in BYTES or B.type.dtype.name not in BYTES:
        return None
    p = matmul_product(A.shape, B.shape)
    if site.output.type.size != p.matrices * p.M * p.N:  # the chain broadcasts it further
        return None
    if a_zero is not None and a_zero.type.size != 1:
        return None
    if b_zero is not None and b_zero.type.size not in (1, p.N):
        return None
    if not isinstance(site.operator, QuantizedMatMul | MatMulInteger):
        return None
    last = ("last",) if len(B.shape) > 1 else ()  # a lone axis of B leaves Y no columns
    epilogue = plain_epilogue(site, ("scalar", *last, "full"))
    if epilogue is None or (scale is None and site.chain is not None):
        return None
    written = site.output.type.dtype.name
    if written in BYTES and not (site.chain is not None and writes_bytes(site.chain)):
        return None

    known = b_zero is None or b_zero.constant is not None
    moved = 128 if B.type.dtype == np.uint8 else 0
    zero = np.zeros(1) if b_zero is None else b_zero.constant
    b_moves = zero is None or bool((zero != moved).any())
    quads = ceil_div(p.K, 4)
    T, OCB = plan(site.target, p.M, p.N, quads, site.threads, beside=int(b_moves))
    width = OCB * site.target.lanes
    panels = ceil_div(p.N, width)
    calls: list[Call] = []
    if B.constant is not None and p.matrices == 1 and known:
        sources = (1,) if b_zero is None else (1, 3)
        b: Argument = Packed(PackQuads(width), sources)
    elif b_zero is None or b_zero.type.size == 1:
        count = B.type.size // (p.K * p.N)
        b = Scratch("panels", 4 * count * panels * (quads + 2) * width)
        pack = PackQuadRows(p.K, p.N, OCB, B.type.dtype.name, b_zero is not None)
        zero_point = Input(1 if b_zero is None else 3)
        calls.append(Call(pack, (Input(1), zero_point, b), count * panels, "packs B into quads"))
    else:
        return None

    one = "scalar" if scale is not None and scale.type.size == 1 else "last"
    arguments = (
        Input(0),
        b,
        Input(0 if a_zero is None else 2),
        Input(0 if scale is None else 4),
        Output(),
        *epilogue[1],
    )
    scaled = one if scale is not None else ""
    types = A.type.dtype.name, written
    moves = a_zero is not None, b_moves
    calls.append(tiles(site, p, (T, OCB), arguments, types, moves, scaled, epilogue[0]))
    return tuple(calls)


def tiles(
    site: Site,
    p: Product,
    tile: tuple[int, int],
    arguments: tuple[Argument, ...],
    types: tuple[str, str],
    moves: tuple[bool, bool],
    scale: str = "",
    epilogue: PlainEpilogue = NOTHING,
) -> Call:
    """The product in such tiles, from A's type to Y's; `moves`: whether A's and B's zero points may
    be other than 0."""
    T, OCB = tile
    width, quads = OCB * site.target.lanes, ceil_div(p.K, 4)
    chains = min(4, max(1, 8 // (T * min(OCB, ceil_div(p.N, site.target.lanes)))))
    rows = T * chunks_for(T * quads * width, ceil_div(p.M, T), site.threads)
    kernel = QuantizedTiles(
        p.K, p.N, T, OCB, p.M % T, p.batch, chains, types[0], *moves, scale, types[1], epilogue
    )
    why = f"tile {T} rows x {width} columns, {rows} rows a chunk; B in quads of int8"
    chunks = p.matrices * ceil_div(p.N, width) * ceil_div(p.M, rows)
    return Call(kernel, arguments, chunks, why, (p.M, rows))
