"""The kernel of reductions: what is folded is read as it comes, a value or a chain of some.

Where the last axis is reduced, a row is folded in vectors, and those across their lanes; where it
is kept, whole vectors of results are folded at once. Sums are made of pieces, so that the rounding
errors of long ones stay small.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from suanzi.graph.fused import Chain
from suanzi.kernels._kernel import Kernel
from suanzi.kernels._rows import NEUTRAL, chunk_rows, fold_row, load, pieces, steps, store
from suanzi.kernels._rows import places as loops
from suanzi.kernels.elementwise import Source, operand_value
from suanzi.lang import Index, Lanes, Trace
from suanzi.lang.mathematics import VectorMathematics
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

    The sizes of a call: the axes (the last MAX_AXES - axes of them unused), the last axis in whole
    vectors and elements after them, how many results lie in a row, and the Grid's.
    """

    operator: type[Reduction]
    reduced: tuple[bool, ...]
    tail: bool
    chain: Chain | None = None
    sources: tuple[Source, ...] = ()
    """How the chain's operands lie; `kept` is told of every axis."""
    edge: bool = False
    """The last axis is a block's channels, of which the last block's results have fewer."""
    sizes: ClassVar[int] = MAX_AXES + 5

    def pointer_count(self) -> int:
        return 1 + len(self.sources)

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

    def axes(self, k: Trace, reduced: bool) -> tuple[list[Index], list[int]]:
        """The sizes and the numbers of the axes before the last that are reduced, or are not."""
        found = [i for i, r in enumerate(self.reduced[:-1]) if r is reduced]
        return [k.sizes[i] for i in found], found

    def across(self, k: Trace) -> None:
        """One result at a time: rows whose elements it is made of."""
        kept, kept_axes = self.axes(k, False)
        over, over_axes = self.axes(k, True)
        vectors, rest, _, *chunk = k.sizes[MAX_AXES:]
        tail = rest if self.tail else None
        y, stream = k.tensor(0, 1), Stream(k, self)
        rows = math.prod(kept, start=k.constant(1))
        for row, _, _ in chunk_rows(k, rows, k.constant(1), *chunk):
            here = stream.moved(kept_axes, k.unravel(row, *kept) if kept else ())

            def fold(how: str, each: Each, here: "Stream" = here) -> list[Lanes]:
                total = k.var(k.fill(NEUTRAL[how]))
                for at in loops(k, over):
                    found = fold_row(
                        k,
                        how,
                        here.moved(over_axes, at),
                        k.constant(0),
                        vectors,
                        tail,
                        lambda value, at, part: each(0, value),
                    )
                    total.set(k.combine(how, total.get(), found))
                return [k.reduce(how, total.get())]

            y.put_lane(self.results(k, fold)[0], 0, row)

    def down(self, k: Trace) -> None:
        """Vectors of results at a time: the rows they are made of lie one below the other."""
        kept, kept_axes = self.axes(k, False)
        over, over_axes = self.axes(k, True)
        vectors, rest, width, *chunk = k.sizes[MAX_AXES:]
        y = k.tensor(0, 1)
        rows = math.prod(kept, start=k.constant(1))
        row_vectors = vectors + 1 if self.tail else vectors
        for row, begin, end in chunk_rows(k, rows, row_vectors, *chunk):
            at = k.unravel(row, *kept) if kept else ()
            out, limit = row * width, None
            if self.edge:
                channel = at[-1] * k.lanes
                out, limit = row // kept[-1] * width + channel, (width - channel).minimum(k.lanes)
            here = Stream(k, self, limit).moved(kept_axes, at)

            def columns(
                column: Index, count: int, part: Index | None, here: "Stream" = here
            ) -> list[Lanes]:
                def fold(how: str, each: Each) -> list[Lanes]:
                    neutral = k.fill(NEUTRAL[how])
                    totals = [k.var(neutral) for _ in range(count)]
                    for at in loops(k, over[:-1]):
                        above = here.moved(over_axes[:-1], at)
                        for first, last in pieces(k, over[-1]):
                            sums = [k.var(neutral) for _ in range(count)]
                            for i in k.range(first, last):
                                line = above.moved(over_axes[-1:], (i,))
                                for u, one in enumerate(sums):
                                    value = each(u, line.read(column + u * k.lanes, part))
                                    one.set(k.combine(how, one.get(), value))
                            for total, one in zip(totals, sums, strict=True):
                                total.set(k.combine(how, total.get(), one.get()))
                    return [total.get() for total in totals]

                return self.results(k, fold)

            for v, count in steps(k, begin, end.minimum(vectors), 4):
                for u, value in enumerate(columns(v * k.lanes, count, None)):
                    store(y, value, out + (v + u) * k.lanes, limit)
            if self.tail:
                with k.when(end > vectors):
                    column = vectors * k.lanes
                    (value,) = columns(column, 1, rest)
                    y.put_part(rest, value, out + column)


class Stream:
    """What is folded, as if it lay in memory from some place on: a value, or a chain of some."""

    def __init__(
        self,
        k: Trace,
        kernel: Reduce,
        limit: Index | None = None,
        starts: Sequence[Index] | None = None,
    ) -> None:
        """`limit`: how many of a block's channels are real."""
        self.k, self.kernel, self.limit = k, kernel, limit
        self.starts = starts or [k.constant(0)] * len(kernel.sources)

    def moved(self, axes: Sequence[int], at: Sequence[Index]) -> "Stream":
        """It from so many steps further along these axes on."""
        starts = list(self.starts)
        for number, source in enumerate(self.kernel.sources):
            for axis, places in zip(axes, at, strict=True):
                if source.kept[axis]:
                    starts[number] = starts[number] + places * self.step(source, axis)
        return Stream(self.k, self.kernel, self.limit, starts)

    def step(self, source: Source, axis: int) -> Index:
        """How many elements of its own a source passes in one step along an axis."""
        kept = zip(self.k.sizes, source.kept, strict=False)
        sizes = [size for i, (size, own) in enumerate(kept) if i > axis and own]
        return math.prod(sizes, start=self.k.constant(1))

    def read(self, column: Index, part: Index | None) -> Lanes:
        """The vector from a column of the last axis on."""
        values = []
        for number, (source, start) in enumerate(
            zip(self.kernel.sources, self.starts, strict=True), 1
        ):
            memory = self.k.tensor(number, 1, element=source.element)
            if not source.kept[-1]:
                value = memory.bcast(start)
            else:
                own = self.limit if source.kind == "channel" else part
                value = load(memory, start + column, own)
            values.append(operand_value(memory, value))
        if self.kernel.chain is None:
            (only,) = values
        else:
            only = self.kernel.chain.formula(VectorMathematics(self.k), *values)
        assert isinstance(only, Lanes)
        return only

    def vec(self, at: Index) -> Lanes:
        return self.read(at, None)

    def vec_part(self, part: Index, at: Index) -> Lanes:
        return self.read(at, part)
