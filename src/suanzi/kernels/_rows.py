"""What kernels over rows of vectors share: cutting rows into chunks, loops along a row, sums."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from suanzi.lang import Index, Lanes, Tensor, Trace, ceil_div

SMALLEST_CHUNK = 1 << 14
"""In elements read or written: some microseconds."""
PIECE = 256
"""Steps that are summed by themselves, before the sums are, so that rounding errors stay small."""
NEUTRAL = {"add": 0.0, "max": -math.inf, "min": math.inf, "top": -math.inf}


@dataclass(frozen=True)
class Grid:
    """Rows of vectors, cut into chunks: some whole rows, or where rows are long, pieces of one."""

    rows: int
    vectors: int
    chunk_rows: int
    chunk_vectors: int

    @staticmethod
    def cut(rows: int, vectors: int, elements: int, threads: int) -> "Grid":
        """`elements` is what one vector of a row reads or writes in all."""
        least = max(SMALLEST_CHUNK, rows * vectors * elements // (threads * 8))
        chunk_rows = max(1, min(rows, least // (vectors * elements)))
        pieces = max(1, vectors * elements // least) if chunk_rows == 1 else 1
        return Grid(rows, vectors, chunk_rows, ceil_div(vectors, pieces))

    @property
    def chunks(self) -> int:
        return ceil_div(self.rows, self.chunk_rows) * ceil_div(self.vectors, self.chunk_vectors)


def chunk_rows(
    k: Trace, rows: Index, vectors: Index, chunk_rows: Index, chunk_vectors: Index
) -> Iterator[tuple[Index, Index, Index]]:
    """The rows of this chunk of a Grid, each with its first vector and the one past its last."""
    pieces = (vectors + (chunk_vectors - 1)) // chunk_vectors
    first, begin = (k.chunk // pieces) * chunk_rows, (k.chunk % pieces) * chunk_vectors
    end = (begin + chunk_vectors).minimum(vectors)
    for row in k.range(first, (first + chunk_rows).minimum(rows)):
        yield row, begin, end


def steps(k: Trace, begin: Index | int, end: Index, unroll: int) -> Iterator[tuple[Index, int]]:
    """The loops from begin to end: `unroll` at a time, then one by one."""
    middle = begin
    if unroll > 1:
        middle = begin + (end - begin).maximum(0) // unroll * unroll
        for v in k.range(begin, middle, unroll):
            yield v, unroll
    for v in k.range(middle, end):
        yield v, 1


def offset(
    k: Trace,
    places: Sequence[Index],
    shape: Sequence[Index],
    kept: Sequence[bool],
    length: Index | int,
) -> Index:
    """Where a row begins in a tensor that has the kept axes alone, and rows of that length."""
    start, step = k.constant(0), length
    for place, size, own in reversed(list(zip(places, shape, kept, strict=True))):
        if own:
            start, step = start + place * step, size * step
    return start


def places(k: Trace, shape: Sequence[Index]) -> Iterator[tuple[Index, ...]]:
    """A loop over each axis."""
    if not shape:
        yield ()
        return
    for first in k.range(shape[0]):
        for others in places(k, shape[1:]):
            yield (first, *others)


def pieces(k: Trace, count: Index) -> Iterator[tuple[Index, Index]]:
    """The loop over pieces of `count` steps: each one's first step and the one past its last."""
    for first in k.range(0, count, PIECE):
        yield first, (first + PIECE).minimum(count)


class Readable(Protocol):
    """What vectors are read from: memory, or something made of it."""

    def vec(self, at: Index, /) -> Lanes: ...
    def vec_part(self, part: Index, at: Index, /) -> Lanes: ...


def load(x: Readable, at: Index, part: Index | None) -> Lanes:
    """The vector at an offset; of a part, only so many elements."""
    return x.vec(at) if part is None else x.vec_part(part, at)


Store = Callable[[Tensor, Lanes, Index, Index | None], None]


def store(y: Tensor, value: Lanes, at: Index, part: Index | None) -> None:
    if part is None:
        y.put(value, at)
    else:
        y.put_part(part, value, at)


PAST_CACHES = 1 << 24
"""Bytes of a result from which on it is written past the caches: before it is read again, most of
it would have left them anyway, and what isn't in them needn't be read first to be written."""


def goes_past(nbytes: int, rows: int, rest: int) -> bool:
    """Whether a result of so many bytes is written past the caches: it is large, and each of its
    rows begins where a vector does."""
    return nbytes >= PAST_CACHES and (rows == 1 or rest == 0)


def passing(k: Trace, y: Tensor, large: bool) -> Iterator[Store]:
    """How a result is written: `store`, and if it is `large` and lies so, past the caches, in code
    of its own."""
    if not large:
        yield store
        return

    def past(y: Tensor, value: Lanes, at: Index, part: Index | None) -> None:
        if part is None:
            y.put_past(value, at)
        else:
            store(y, value, at, part)

    with k.when(y.aligned):
        yield past
        k.fence()
    with k.when(y.aligned.invert()):
        yield store


def along(
    k: Trace, begin: Index | int, end: Index, vectors: Index, rest: Index | None, unroll: int
) -> Iterator[tuple[Index, Index | None]]:
    """The vectors from begin to end of a row: `unroll` at a time, one by one, then the rest, with
    how many elements that has.
    """
    for v, count in steps(k, begin, end.minimum(vectors), unroll):
        for u in range(count):
            yield v + u, None
    if rest is not None:
        with k.when(end > vectors):
            yield vectors, rest


Each = Callable[[Lanes, Index, Index | None], Lanes]
"""What is done to a vector before it is folded, given its offset and, of a part, its elements."""


def fold_row(
    k: Trace,
    how: str,
    x: Readable,
    start: Index,
    vectors: Index,
    rest: Index | None,
    each: Each = lambda value, at, part: value,
    unroll: int = 4,
) -> Lanes:
    """The sum, minimum or maximum of a row, lane by lane: some partial results, in pieces."""
    neutral = k.fill(NEUTRAL[how])

    def read(v: Index, part: Index | None = None) -> Lanes:
        at = start + v * k.lanes
        return each(load(x, at, part), at, part)

    total = k.var(neutral)
    groups = vectors // unroll
    for first, last in pieces(k, groups):
        partial = [k.var(neutral) for _ in range(unroll)]
        for group in k.range(first, last):
            for u, one in enumerate(partial):
                one.set(k.combine(how, one.get(), read(group * unroll + u)))
        while len(partial) > 1:
            half = len(partial) // 2
            for a, b in zip(partial[:half], partial[half:], strict=True):
                a.set(k.combine(how, a.get(), b.get()))
            partial = partial[:half]
        total.set(k.combine(how, total.get(), partial[0].get()))
    if unroll > 1:
        for v in k.range(groups * unroll, vectors):
            total.set(k.combine(how, total.get(), read(v)))
    if rest is not None:
        tail = k.select(k.first(rest), read(vectors, rest), neutral)
        total.set(k.combine(how, total.get(), tail))
    result = total.get()
    assert isinstance(result, Lanes)
    return result
