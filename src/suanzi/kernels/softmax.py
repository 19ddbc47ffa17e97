"""Softmax and its logarithm along any axis: the largest, the sum of exp, then the result.

Along the last axis a row is done at a time; along another, some vectors of columns at a time. What
is done stays in the cache between the three passes.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from suanzi.kernels._kernel import Call, Choice, Input, Kernel, Output, Site
from suanzi.kernels._rows import NEUTRAL, Grid, along, chunk_rows, fold_row, load, steps, store
from suanzi.lang import Index, Lanes, Trace
from suanzi.lang.mathematics import VectorMathematics
from suanzi.operators._axes import axis_of
from suanzi.operators._operator import Ints
from suanzi.operators.softmax import LogSoftmax, Softmax


@dataclass(frozen=True)
class SoftmaxRows(Kernel):
    """Along the last axis of [rows][length]. One chunk: some rows.

    The sizes of a call: rows, the whole vectors of a row, the elements after them, and the Grid's.
    """

    logarithm: bool
    tail: bool
    pointers: ClassVar[int] = 2
    sizes: ClassVar[int] = 5

    def chunk(self, k: Trace) -> None:
        m = VectorMathematics(k)
        rows, vectors, over, *chunk = k.sizes
        x, y = k.tensor(0, 1), k.tensor(1, 1)
        rest = over if self.tail else None
        for row, _, _ in chunk_rows(k, rows, k.constant(1), *chunk):
            start = row * (vectors * k.lanes + over)

            # A NaN needn't win here: it makes the sum NaN, and so the whole row.
            largest = k.reduce("top", fold_row(k, "top", x, start, vectors, rest))

            def power(
                value: Lanes, at: Index, part: Index | None, largest: Lanes = largest
            ) -> Lanes:
                e = m.exp_below_zero(value - largest)
                if not self.logarithm:  # kept for the last pass
                    store(y, e, at, part)
                return e

            total = k.reduce("add", fold_row(k, "add", x, start, vectors, rest, power, unroll=1))
            finish = _finish(m, largest, total, self.logarithm)
            source = x if self.logarithm else y
            for v, part in along(k, 0, vectors + 1, vectors, rest, 4):
                at = start + v * k.lanes
                store(y, finish(load(source, at, part)), at, part)


@dataclass(frozen=True)
class SoftmaxColumns(Kernel):
    """Along the middle axis of [rows][length][width]. One chunk: some vectors of columns.

    The sizes of a call: rows, length, the whole vectors of the width, the elements after them, and
    the Grid's.
    """

    logarithm: bool
    tail: bool
    pointers: ClassVar[int] = 2
    sizes: ClassVar[int] = 6

    def chunk(self, k: Trace) -> None:
        rows, length, vectors, over, *chunk = k.sizes
        width = vectors * k.lanes + over
        row_vectors = vectors + 1 if self.tail else vectors
        for row, begin, end in chunk_rows(k, rows, row_vectors, *chunk):
            start = row * length * width
            for v, count in steps(k, begin, end.minimum(vectors), 4):
                self.columns(k, start + v * k.lanes, length, width, count, None)
            if self.tail:
                with k.when(end > vectors):
                    self.columns(k, start + vectors * k.lanes, length, width, 1, over)

    def columns(
        self, k: Trace, start: Index, length: Index, width: Index, count: int, part: Index | None
    ) -> None:
        """`count` vectors of columns, whose first elements are at `start`."""
        m = VectorMathematics(k)
        x, y = k.tensor(0, 1), k.tensor(1, 1)

        def fold(how: str, read: Callable[[int, Index], Lanes]) -> list[Lanes]:
            folded = [k.var(k.fill(NEUTRAL[how])) for _ in range(count)]
            for i in k.range(length):
                for u, one in enumerate(folded):
                    value = read(u, start + i * width + u * k.lanes)
                    one.set(k.combine(how, one.get(), value))
            return [one.get() for one in folded]

        largest = fold("top", lambda u, at: load(x, at, part))

        def power(u: int, at: Index) -> Lanes:
            e = m.exp_below_zero(load(x, at, part) - largest[u])
            if not self.logarithm:
                store(y, e, at, part)
            return e

        totals = fold("add", power)
        pairs = zip(largest, totals, strict=True)
        finish = [_finish(m, most, total, self.logarithm) for most, total in pairs]
        source = x if self.logarithm else y
        for i in k.range(length):
            for u in range(count):
                at = start + i * width + u * k.lanes
                store(y, finish[u](load(source, at, part)), at, part)


def _finish(
    m: VectorMathematics, largest: Lanes, total: Lanes, logarithm: bool
) -> Callable[[Lanes], Lanes]:
    """The last pass: from the input the logarithm, or from exp the quotient."""
    if logarithm:
        logarithm_of_total = m.log(total)
        return lambda x: (x - largest) - logarithm_of_total
    inverse = 1 / total
    return lambda e: e * inverse


def choose(site: Site) -> Choice:
    operator, X, Y = site.operator, site.inputs[0], site.output
    assert X is not None
    if not isinstance(operator, Softmax | LogSoftmax) or site.chain is not None:
        return None
    if not X.is_float32 or X.lanes or Y.lanes or X.type.size == 0 or not X.shape:
        return None
    logarithm, V = isinstance(operator, LogSoftmax), site.target.lanes
    axis = axis_of(operator.axis, len(X.shape))
    length, width = X.shape[axis], math.prod(X.shape[axis + 1 :])
    rows = X.type.size // (length * width)
    why = f"{rows} x {width} times along {length}"
    kernel: Kernel
    if width == 1:
        vectors, rest = divmod(length, V)
        grid = Grid.cut(rows, 1, length * 4, site.threads)
        kernel = SoftmaxRows(logarithm, rest > 0)
        sizes: Ints = (rows, vectors, rest)
    else:
        vectors, rest = divmod(width, V)
        grid = Grid.cut(rows, vectors + (rest > 0), V * length * 4, site.threads)
        kernel = SoftmaxColumns(logarithm, rest > 0)
        sizes = (rows, length, vectors, rest)
    sizes += (grid.chunk_rows, grid.chunk_vectors)
    return (Call(kernel, (Input(0), Output()), grid.chunks, why, sizes),)
