"""Matrix multiplication: a tile of rows by columns is summed in registers, written once.

A tile holds T rows of A by OCB vectors of columns of B. For each k it loads OCB vectors of B's row
k and broadcasts T numbers of A. A constant B is packed into panels of OCB vectors; one that
arrives at run time is read where it lies, or packed first where many rows will read it.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar

from suanzi.graph.fused import TransposedMatMul
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
from suanzi.kernels._panels import PackPanels, in_panels, in_rows
from suanzi.kernels._product import Batch, Product, Strides, product_of
from suanzi.kernels._tiles import cycles
from suanzi.lang import Index, Lanes, Target, Trace, ceil_div


def panel_columns(k: Trace, panel: Index, N: int, width: int) -> Iterator[int]:
    """How many columns this panel has; what is traced meanwhile runs for such a panel."""
    whole, rest = divmod(N, width)
    if whole and rest:
        with k.when(panel < whole):
            yield width
        with k.when(panel.equals(whole)):
            yield rest
    else:
        yield rest or width


def terms(k: Trace, count: int, chains: int) -> Iterator[tuple[Index | int, int]]:
    """The terms of a sum, some to a turn of a loop, and which of `chains` sums each goes to."""
    unroll = max(chains, 4)
    whole = count // unroll * unroll
    for place in k.range(0, whole, unroll):
        for u in range(unroll):
            yield place + u, u % chains
    for u in range(whole, count):
        yield u, u % chains


Tile = tuple[tuple[Index, Index, Index], Index, Index, int, int]
"""The numbers of the product, of its matrix A and B; its first row, its panel of columns; how many
rows and columns it has."""


def tiles_of_chunk(k: Trace, N: int, width: int, T: int, rest: int, batch: Batch) -> Iterator[Tile]:
    """The tiles of a chunk, some rows by one panel of columns; k.sizes: M, and a chunk's rows."""
    M, rows = k.sizes
    shape = [size for size, *_ in batch]
    row_blocks = (M - 1 + rows) // rows
    *at, panel, block = k.unravel(k.chunk, *shape, ceil_div(N, width), row_blocks)
    number, a, b = k.constant(0), k.constant(0), k.constant(0)
    for place, (_, a_step, b_step, y_step) in zip(at, batch, strict=True):
        number, a, b = number + place * y_step, a + place * a_step, b + place * b_step
    first = block * rows
    last = (first + rows).minimum(M)
    for columns in panel_columns(k, panel, N, width):
        for m in k.range(first, last - (T - 1), T):
            yield (number, a, b), m, panel, T, columns
        if rest:
            with k.when(last.equals(M)):
                yield (number, a, b), M - rest, panel, rest, columns


Steps = tuple[Index | int, ...]


@dataclass(frozen=True)
class MatMulTiles(Kernel):
    """One chunk: `rows` rows of A by one panel of B's columns.

    Y = alpha · A·B + beta · C, where C (if any) is broadcast by its steps along rows and columns.
    The sizes: M, and the rows of a chunk, a multiple of T.
    """

    K: int
    N: int
    T: int
    OCB: int
    rest: int
    """M % T: the last tile's rows."""
    batch: Batch
    transposed: bool
    """A is [K, M]."""
    packed: bool
    """B is in panels."""
    chains: int
    """Sums that each take every chains-th k, so that one addition needn't wait for another."""
    alpha: float
    beta: float
    c_steps: tuple[int, int] | None
    epilogue: PlainEpilogue
    strides: Strides | None = None
    sizes: ClassVar[int] = 2

    def pointer_count(self) -> int:
        return 4 + len(self.epilogue.kinds)

    def chunk(self, k: Trace) -> None:
        for tile in tiles_of_chunk(k, self.N, self.OCB * k.lanes, self.T, self.rest, self.batch):
            self.tile(k, *tile)

    def tile(
        self, k: Trace, at: tuple[Index, Index, Index], m: Index, panel: Index, T: int, columns: int
    ) -> None:
        V, K, N, M = k.lanes, self.K, self.N, k.sizes[0]
        width = self.OCB * V
        number, a, b = at
        x_steps: Steps = (M * K, *((1, M) if self.transposed else (K, 1)))
        w_steps: Steps = (K * N, width, N, 1)
        y_steps: Steps = (M * N, N, 1)
        if self.strides:
            (unit, row, _), y_steps = self.strides.b, (*self.strides.y, 1)
            x_steps, w_steps = self.strides.a, (unit, width, row, 1)
        if self.packed:
            w_steps = (ceil_div(N, width) * K * width, K * width, width, 1)
        x, w, y = (k.tensor(i, strides=s) for i, s in ((0, x_steps), (1, w_steps), (3, y_steps)))
        counts = [min(V, columns - o * V) for o in range(self.OCB) if columns > o * V]
        sums = [[[k.var(k.zero()) for _ in counts] for _ in range(T)] for _ in range(self.chains)]

        def multiply(place: Index | int, chain: int) -> None:
            weights = [
                w.vec_part(V if self.packed else count, b, panel, place, o * V)
                for o, count in enumerate(counts)
            ]
            for t in range(T):
                value = x.bcast(a, m + t, place)
                for sum_, weight in zip(sums[chain][t], weights, strict=True):
                    sum_.set(k.fma(weight, value, sum_.get()))

        for place, chain in terms(k, K, self.chains):
            multiply(place, chain)

        for t in range(T):
            for o, count in enumerate(counts):
                column = panel * width + o * V
                value = sums[0][t][o].get()
                for chain in range(1, self.chains):
                    value = value + sums[chain][t][o].get()
                value = self.finish(k, value, m + t, column, count)
                offset = number * y_steps[0] + (m + t) * y_steps[1] + column
                places = {"full": offset, "last": column}
                value = self.epilogue.apply(k, value, 4, places, count)
                y.put_part(count, value, number, m + t, column)

    def finish(self, k: Trace, value: Lanes, row: Index, column: Index, count: int) -> Lanes:
        """alpha · value + beta · C."""
        if self.alpha != 1:
            value = value * self.alpha
        if self.c_steps is None:
            return value
        c = k.tensor(2, strides=self.c_steps)
        added = c.vec_part(count, row, column) if self.c_steps[1] else c.bcast(row, column)
        return value + (added if self.beta == 1 else added * self.beta)


def plan(target: Target, M: int, N: int, K: int, threads: int, beside: int = 0) -> tuple[int, int]:
    """T and OCB with the least estimated time for M rows by N columns; a row of a tile needs some
    registers `beside` its sums.

    Few rows are bound by memory: each panel is one long stream, read once, and threads need some
    panels each to share the work evenly. With many rows a panel that doesn't stay in the second
    cache costs its way from the third, measured at 100 bytes a cycle beside the arithmetic; with
    some rows, a B that fits no cache costs its way from memory, at 10, for each tile of rows. More
    than 12 rows a power of two apart would fight for the first.
    """
    vectors = ceil_div(N, target.lanes)
    widest = 8 if M > 4 or threads == 1 else max(1, min(8, vectors // (8 * threads)))
    best, best_cost = (1, 1), float("inf")
    for OCB in range(1, min(vectors, widest) + 1):
        row = OCB * target.lanes * 4
        late = row / 100 if M > 12 and row * K > target.l2 // 2 else 0
        if 4 < M <= 12 and 16 * target.l2 < 4 * K * N:
            late = row / 10
        for T in range(1, min(M, 12) + 1):
            if T * (OCB + beside) + (OCB + 1 if T > 1 else 2) > target.registers:
                break
            whole, rest = divmod(M, T)
            tall = whole * (cycles(T, OCB) + late) + (cycles(rest, OCB) + late if rest else 0)
            cost = tall * vectors / OCB + 0.1 * tall * (-vectors % OCB)
            if cost < best_cost * (0.98 if M > 4 else 1.001):
                best, best_cost = (T, OCB), cost
    return best


def choose(site: Site) -> Choice:
    A, B = site.inputs[0], site.inputs[1]
    assert A is not None
    assert B is not None
    operands = [x for x in (*site.inputs, *site.outputs) if x is not None]
    if any(x.lanes or not x.is_float32 or x.type.size == 0 for x in operands):
        return None
    p = product_of(site)
    if site.output.type.size != p.matrices * p.M * p.N:  # the chain broadcasts it further
        return None
    last = ("last",) if len(B.shape) > 1 else ()  # a lone axis of B leaves Y no columns
    epilogue = plain_epilogue(site, ("scalar", *last, "full"))
    if epilogue is None:
        return None

    calls: list[Call] = []
    a: Argument = Input(0)
    column = p.strides.a[2] if p.strides else p.M if p.a_transposed else 1
    nbytes = 4 * p.M * p.K
    if column > 1 and min(p.M, p.K) > 1 and nbytes >= site.target.l2 // 2:
        made = in_rows(site)  # else each step along K is to another page
        if made is None:
            return None
        site, moved, a = made
        p = product_of(site)
        calls.extend(moved)
    T, OCB = plan(site.target, p.M, p.N, p.K, site.threads)
    width = OCB * site.target.lanes
    b: Argument = Input(1)
    alpha, packed = p.alpha, True
    lies = p.N == 1 or not (p.b_transposed or (p.strides and p.strides.b[2] != 1))
    large = p.M >= 8 * T and site.target.l1 < p.K * p.N * 4 and len(p.batch) <= 1
    one = not any(step for _, _, step, _ in p.batch) and (not p.strides or len(B.shape) == 2)
    if B.constant is not None and one:
        transposed = isinstance(site.operator, TransposedMatMul) and site.operator.b == (1, 0)
        turned = p.b_transposed or transposed
        b, alpha = Packed(PackPanels(width, turned, p.alpha), (1,)), 1.0
    elif large or not lies:
        panels = in_panels(site, width)
        if panels is None:
            return None
        calls.extend(panels[0])
        b = panels[1]
    else:
        packed = False
    p = product_of(site, packed and isinstance(b, Scratch))

    arguments = (a, b, Input(0 if p.c is None else p.c), Output(), *epilogue[1])
    product = replace(p, alpha=alpha)
    calls.append(
        tiles(product, (T, OCB), packed, arguments, site.target, site.threads, epilogue[0])
    )
    return tuple(calls)


def tiles(
    p: Product,
    tile: tuple[int, int],
    packed: bool,
    arguments: tuple[Argument, ...],
    target: Target,
    threads: int,
    epilogue: PlainEpilogue,
) -> Call:
    """The call that computes a product by tiles of T rows by OCB vectors of columns."""
    (T, OCB), width = tile, tile[1] * target.lanes
    chains = min(4, max(1, 8 // (T * min(OCB, ceil_div(p.N, target.lanes)))))
    rows = T * chunks_for(T * p.K * width, ceil_div(p.M, T), threads)
    kernel = MatMulTiles(
        p.K, p.N, T, OCB, p.M % T, p.batch, p.a_transposed, packed,
        chains, p.alpha, p.beta, p.c_steps, epilogue, p.strides,
    )  # fmt: skip
    why = f"tile {T} rows x {width} columns, {rows} rows a chunk" + (
        "; B in panels" if packed else "; B where it lies"
    )
    chunks = p.matrices * ceil_div(p.N, width) * ceil_div(p.M, rows)
    return Call(kernel, arguments, chunks, why, (p.M, rows))
