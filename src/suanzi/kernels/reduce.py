"""Sums, means and extremes over axes.

Neighbouring axes that are both reduced, or both kept, become one. Where the last axis is reduced, a
row is folded in vectors, and those across their lanes; where it is kept, whole vectors of results
are folded at once. Sums are made of pieces, so that the rounding errors of long ones stay small.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from suanzi.kernels._kernel import Call, Choice, Input, Kernel, Output, Site
from suanzi.kernels._rows import (
    NEUTRAL,
    Grid,
    chunk_rows,
    fold_row,
    pieces,
    places,
    steps,
)
from suanzi.lang import Index, Lanes, Trace, ceil_div
from suanzi.lang.mathematics import VectorMathematics
from suanzi.operators._axes import ints
from suanzi.operators._operator import Ints
from suanzi.operators.reduction import (
    ReduceL1,
    ReduceL2,
    ReduceLogSum,
    ReduceLogSumExp,
    ReduceMax,
    ReduceMean,
    ReduceMin,
    ReduceSum,
    ReduceSumSquare,
    Reduction,
)

MAX_AXES = 5
Each = Callable[[int, Lanes], Lanes]
"""What is done to an element before it is folded, in the vector of that number."""
Fold = Callable[[str, Each], list[Lanes]]
"""Folds vectors of elements, each into a vector of results."""


@dataclass(frozen=True)
class Form:
    """What is folded, how, and what is made of the result; `count` is how many were folded."""

    how: str = "add"
    each: Callable[[VectorMathematics, Lanes], Lanes] = lambda m, x: x
    end: Callable[[VectorMathematics, Lanes, Lanes], Lanes] = lambda m, x, count: x


FORMS: dict[type[Reduction], Form] = {
    ReduceSum: Form(),
    ReduceMean: Form(end=lambda m, x, count: x / count),
    ReduceMax: Form("max"),
    ReduceMin: Form("min"),
    ReduceL1: Form(each=lambda m, x: m.abs(x)),
    ReduceL2: Form(each=lambda m, x: x * x, end=lambda m, x, count: m.sqrt(x)),
    ReduceSumSquare: Form(each=lambda m, x: x * x),
    ReduceLogSum: Form(end=lambda m, x, count: m.log(x)),
    ReduceLogSumExp: Form(),  # folds twice: see Reduce.results
}


@dataclass(frozen=True)
class Reduce(Kernel):
    """One chunk: some results, or vectors of results.

    The sizes of a call: the axes (the last MAX_AXES - axes of them unused), then the last axis in
    whole vectors and elements after them, then the Grid's rows and vectors of a chunk.
    """

    operator: type[Reduction]
    reduced: tuple[bool, ...]
    tail: bool
    pointers: ClassVar[int] = 2
    sizes: ClassVar[int] = MAX_AXES + 4

    def chunk(self, k: Trace) -> None:
        if self.reduced[-1]:
            self.across(k)
        else:
            self.down(k)

    def results(self, k: Trace, fold: Fold) -> list[Lanes]:
        """Vectors of results, made by folding once or twice."""
        m, form = VectorMathematics(k), FORMS[self.operator]
        if self.operator is ReduceLogSumExp:
            # Taken away, the largest keeps exp from overflowing.
            largest = fold("max", lambda u, x: x)
            shift = [m.where(m.abs(x) < math.inf, x, 0) for x in largest]
            sums = fold("add", lambda u, x: m.exp(x - shift[u]))
            return [m.log(x) + s for x, s in zip(sums, shift, strict=True)]
        sizes = zip(k.sizes, self.reduced, strict=False)
        count = math.prod((n for n, reduced in sizes if reduced), start=k.constant(1))
        folded = fold(form.how, lambda u, x: form.each(m, x))
        return [form.end(m, x, k.floats(count)) for x in folded]

    def axes(self, k: Trace, reduced: bool) -> tuple[list[Index], list[Index]]:
        """The sizes and the strides of the axes before the last that are reduced, or are not."""
        steps = [k.constant(1)]
        for size in k.sizes[len(self.reduced) - 1 : 0 : -1]:
            steps.insert(0, steps[0] * size)
        found = [i for i, r in enumerate(self.reduced[:-1]) if r is reduced]
        return [k.sizes[i] for i in found], [steps[i] for i in found]

    def across(self, k: Trace) -> None:
        """One result at a time: rows whose elements it is made of."""
        kept, kept_steps = self.axes(k, False)
        over, over_steps = self.axes(k, True)
        vectors, rest, *chunk = k.sizes[MAX_AXES:]
        tail = rest if self.tail else None
        x, y = k.tensor(0, 1), k.tensor(1, 1)
        rows = math.prod(kept, start=k.constant(1))
        for row, _, _ in chunk_rows(k, rows, k.constant(1), *chunk):
            start = place(k, k.unravel(row, *kept) if kept else (), kept_steps)

            def fold(how: str, each: Each, start: Index = start) -> list[Lanes]:
                total = k.var(k.fill(NEUTRAL[how]))
                for at in places(k, over):
                    first = start + place(k, at, over_steps)
                    found = fold_row(
                        k, how, x, first, vectors, tail, lambda value, at, part: each(0, value)
                    )
                    total.set(k.combine(how, total.get(), found))
                return [k.reduce(how, total.get())]

            y.put_lane(self.results(k, fold)[0], 0, row)

    def down(self, k: Trace) -> None:
        """Vectors of results at a time: the rows they are made of lie one below the other."""
        kept, kept_steps = self.axes(k, False)
        over, over_steps = self.axes(k, True)
        vectors, rest, *chunk = k.sizes[MAX_AXES:]
        x, y = k.tensor(0, 1), k.tensor(1, 1)
        width = k.sizes[len(self.reduced) - 1]
        rows = math.prod(kept, start=k.constant(1))
        row_vectors = vectors + 1 if self.tail else vectors
        for row, begin, end in chunk_rows(k, rows, row_vectors, *chunk):
            start = place(k, k.unravel(row, *kept) if kept else (), kept_steps)

            def columns(
                column: Index, count: int, read: Callable[[Index], Lanes], start: Index = start
            ) -> list[Lanes]:
                def fold(how: str, each: Each) -> list[Lanes]:
                    neutral = k.fill(NEUTRAL[how])
                    totals = [k.var(neutral) for _ in range(count)]
                    for at in places(k, over[:-1]):
                        above = start + place(k, at, over_steps[:-1]) + column
                        for first, last in pieces(k, over[-1]):
                            sums = [k.var(neutral) for _ in range(count)]
                            for i in k.range(first, last):
                                here = above + i * over_steps[-1]
                                for u, one in enumerate(sums):
                                    value = each(u, read(here + u * k.lanes))
                                    one.set(k.combine(how, one.get(), value))
                            for total, one in zip(totals, sums, strict=True):
                                total.set(k.combine(how, total.get(), one.get()))
                    return [total.get() for total in totals]

                return self.results(k, fold)

            out = row * width
            for v, count in steps(k, begin, end.minimum(vectors), 4):
                for u, value in enumerate(columns(v * k.lanes, count, x.vec)):
                    y.put(value, out + (v + u) * k.lanes)
            if self.tail:
                with k.when(end > vectors):
                    column = vectors * k.lanes
                    (value,) = columns(column, 1, lambda at: x.vec_part(rest, at))
                    y.put_part(rest, value, out + column)


def place(k: Trace, at: Sequence[Index], steps: Sequence[Index]) -> Index:
    """The offset of a place, given the axes' strides."""
    return sum((i * step for i, step in zip(at, steps, strict=True)), start=k.constant(0))


def choose(site: Site) -> Choice:
    operator, X, Y = site.operator, site.inputs[0], site.output
    axes = site.inputs[1] if len(site.inputs) > 1 else None
    assert X is not None
    if not isinstance(operator, Reduction) or type(operator) not in FORMS or site.chain is not None:
        return None
    if not X.is_float32 or X.lanes != Y.lanes or X.type.size == 0:
        return None
    if axes is not None and axes.constant is None:
        return None
    given = ints(axes.constant) if axes is not None and axes.constant is not None else ()
    over = operator.reduced_axes(given, len(X.shape))
    shape, reduced = collapse(X.shape, over)
    V = site.target.lanes
    if X.lanes:  # over all pixels, whose vectors of channels stay vectors
        if sorted(over) != list(range(2, len(X.shape))):
            return None
        N, C, *pixels = X.shape
        shape, reduced = (N * ceil_div(C, V), math.prod(pixels), V), (False, True, False)
    if True not in reduced or len(shape) > MAX_AXES:
        return None
    vectors, rest = divmod(shape[-1], V)
    count = math.prod(size for size, r in zip(shape, reduced, strict=True) if r)
    results = math.prod(shape) // count
    if reduced[-1]:
        grid = Grid.cut(results, 1, count, site.threads)
    else:
        grid = Grid.cut(results // shape[-1], vectors + (rest > 0), V * count, site.threads)
    kernel = Reduce(type(operator), reduced, rest > 0)
    padded = shape + (1,) * (MAX_AXES - len(shape))
    sizes = (*padded, vectors, rest, grid.chunk_rows, grid.chunk_vectors)
    why = f"{results} results of {count} elements, " + ("across" if reduced[-1] else "down")
    return (Call(kernel, (Input(0), Output()), grid.chunks, why, sizes),)


def collapse(shape: Ints, over: Ints) -> tuple[Ints, tuple[bool, ...]]:
    """The fewest axes, and which of them are reduced; those of size 1 don't matter.

    >>> collapse((8, 1, 5, 7), (2, 3))
    ((8, 35), (False, True))
    """
    sizes: list[int] = []
    reduced: list[bool] = []
    for axis, size in enumerate(shape):
        if size == 1:
            continue
        if reduced and reduced[-1] is (axis in over):
            sizes[-1] *= size
        else:
            sizes.append(size)
            reduced.append(axis in over)
    return tuple(sizes), tuple(reduced)
