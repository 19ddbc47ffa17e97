"""Elements taken from, and put at, places that come at run time.

The data is seen as [outer][size][inner]: the middle axis is the one that indices name. An index
names a whole inner row, or, where `each`, every element has its own. None is trusted: one outside
is left in the Fault's word, for the run to fail by, and 0 is used meanwhile.
"""

import math
from dataclasses import dataclass
from typing import ClassVar

from suanzi.kernels._kernel import (
    Argument,
    Call,
    Choice,
    Fault,
    Input,
    Kernel,
    Operand,
    Output,
    Site,
    chunks_for,
)
from suanzi.kernels._rows import along
from suanzi.kernels.copy import MOVED
from suanzi.lang import Index, Lanes, Tensor, Trace, ceil_div
from suanzi.operators._axes import axis_of
from suanzi.operators.indexing import (
    Gather,
    GatherElements,
    GatherND,
    Scatter,
    ScatterElements,
    ScatterND,
)

INTEGERS = ("int32", "int64")


@dataclass(frozen=True)
class Places:
    """The indices, which name places from 0 to size - 1, or from the end below zero."""

    k: Trace
    indices: Tensor
    fault: Tensor
    size: Index

    def __getitem__(self, number: Index) -> Index:
        k, given = self.k, self.indices.index(number)
        place = k.select(given < 0, given + self.size, given)
        outside = (place < 0) | (place >= self.size)
        with k.when(outside):
            self.fault.put_index(given, 0)
        return k.select(outside, k.constant(0), place)  # type: ignore[no-any-return]


@dataclass(frozen=True)
class Take(Kernel):
    """Y [outer][count][inner]. One chunk: `several` of its rows.

    The sizes of a call: outer, size, inner, count, several.
    """

    each: bool
    index: str
    pointers: ClassVar[int] = 4
    sizes: ClassVar[int] = 5

    def chunk(self, k: Trace) -> None:
        outer, size, inner, count, several = k.sizes
        data, y = (k.tensor(i, 0, inner, 1, element="int32") for i in (0, 2))
        indices, fault = k.tensor(1, 0, element=self.index), k.tensor(3, 0, element="int64")
        places = Places(k, indices, fault, size)
        first = k.chunk * several
        for row in k.range(first, (first + several).minimum(outer * count)):
            o, j = k.unravel(row, outer, count)
            if self.each:
                for i in k.range(inner):
                    source = o * size + places[row * inner + i]
                    y.put(data.vec(source, i, 0, lanes=1), row, i, 0)
                continue
            source, whole = o * size + places[j], inner // k.lanes
            for v, part in along(k, 0, whole + 1, whole, inner % k.lanes, 4):
                move(data, y, (source, v * k.lanes), (row, v * k.lanes), part)


@dataclass(frozen=True)
class Put(Kernel):
    """Y = data [outer][size][inner], with updates [outer][count][inner] put or added one after
    another. One chunk: `span` elements of the inner rows of `several` of the outer ones.

    The sizes of a call: outer, size, inner, count, several, span.
    """

    each: bool
    index: str
    add: bool
    element: str
    zeros: bool
    """The data, a constant, is 0 everywhere."""
    pointers: ClassVar[int] = 5
    sizes: ClassVar[int] = 6

    def chunk(self, k: Trace) -> None:
        outer, size, inner, count, several, span = k.sizes
        data, updates, y = (k.tensor(i, 0, inner, 1, element=self.element) for i in (0, 2, 3))
        indices, fault = k.tensor(1, 0, element=self.index), k.tensor(4, 0, element="int64")
        places = Places(k, indices, fault, size)
        group, part = k.unravel(k.chunk, 0, (inner + span - 1) // span)
        first, begin = group * several, part * span
        columns = span.minimum(inner - begin)
        whole, rest = columns // k.lanes, columns % k.lanes
        for o in k.range(first, (first + several).minimum(outer)):
            with k.when(columns.equals(inner)):  # all of it is one stretch
                self.start(k, data, y, o * size, k.constant(0), size * inner)
            with k.when(columns < inner):
                for row in k.range(o * size, o * size + size):
                    self.start(k, data, y, row, begin, columns)
            for row in k.range(o * count, o * count + count):
                if self.each:
                    for i in k.range(begin, begin + columns):
                        place = o * size + places[row * inner + i]
                        value = updates.vec(row, i, 0, lanes=1)
                        if self.add:
                            value = y.vec(place, i, 0, lanes=1) + value
                        y.put(value, place, i, 0)
                    continue
                place = o * size + places[row - o * count]
                for v, some in along(k, 0, whole + 1, whole, rest, 1):
                    here = begin + v * k.lanes
                    old = load(y, (place, here), some) if self.add else None
                    move(updates, y, (row, here), (place, here), some, old)

    def start(
        self, k: Trace, data: Tensor, y: Tensor, row: Index, begin: Index, count: Index
    ) -> None:
        """Y where nothing has been put yet: so many elements from a place in a row on."""
        whole, zero = count // k.lanes, k.fill(0) if self.element == "float32" else k.fill_int(0)
        for v, some in along(k, 0, whole + 1, whole, count % k.lanes, 4):
            at = (row, begin + v * k.lanes)
            put(y, zero if self.zeros else load(data, at, some), at, some)


def load(x: Tensor, at: tuple[Index, Index], part: Index | None) -> Lanes:
    return x.vec(*at, 0) if part is None else x.vec_part(part, *at, 0)


def put(y: Tensor, value: Lanes, at: tuple[Index, Index], part: Index | None) -> None:
    if part is None:
        y.put(value, *at, 0)
    else:
        y.put_part(part, value, *at, 0)


def move(
    source: Tensor,
    result: Tensor,
    from_: tuple[Index, Index],
    to: tuple[Index, Index],
    part: Index | None,
    added: Lanes | None = None,
) -> None:
    """Moves a vector, or the first elements of one; adds another to it on the way."""
    value = load(source, from_, part)
    put(result, value if added is None else value + added, to, part)


@dataclass(frozen=True)
class Form:
    """The sizes, and whether each element has its own index."""

    outer: int
    size: int
    inner: int
    count: int
    each: bool


def _form(site: Site) -> Form | None:
    """How the operator's data and indices lie; None for those that aren't of this form."""
    operator, (data, indices) = site.operator, site.inputs[:2]
    assert data is not None
    assert indices is not None
    if any(x is None or x.lanes or not x.type.size for x in (*site.inputs, *site.outputs)):
        return None
    if indices.type.dtype.name not in INTEGERS or site.chain is not None:
        return None
    if isinstance(operator, GatherND | ScatterND):
        batched = isinstance(operator, GatherND) and operator.batch_dims > 0
        if indices.shape[-1] != 1 or batched:
            return None
        axis, each = 0, False
    else:
        assert isinstance(operator, Gather | GatherElements | ScatterElements)
        axis, each = axis_of(operator.axis, len(data.shape)), not isinstance(operator, Gather)
    outer, inner = math.prod(data.shape[:axis]), math.prod(data.shape[axis + 1 :])
    if not each:
        return Form(outer, data.shape[axis], inner, indices.type.size, each)
    if any(a != b for i, (a, b) in enumerate(_pairs(data, indices)) if i != axis):
        return None
    return Form(outer, data.shape[axis], inner, indices.shape[axis], each)


def _pairs(data: Operand, indices: Operand) -> list[tuple[int, int]]:
    return list(zip(data.shape, indices.shape, strict=True))


def choose(site: Site) -> Choice:
    """For Gather, GatherElements and GatherND of elements of 4 bytes."""
    form = _form(site)
    data, indices = site.inputs[:2]
    assert data is not None
    assert indices is not None
    if form is None or data.type.dtype.itemsize != 4 or data.type.dtype.kind not in "fiu":
        return None
    rows = form.outer * form.count
    several = chunks_for(form.inner, rows, site.threads, MOVED)
    kernel = Take(form.each, indices.type.dtype.name)
    arguments: tuple[Argument, ...] = (Input(0), Input(1), Output(), Fault(1, form.size))
    why = f"{rows} rows of {form.inner} elements, {several} a chunk"
    sizes = (form.outer, form.size, form.inner, form.count, several)
    return (Call(kernel, arguments, ceil_div(rows, several), why, sizes),)


def choose_scatter(site: Site) -> Choice:
    """For ScatterElements and ScatterND that put or add float32 or int32."""
    form, operator = _form(site), site.operator
    data, indices = site.inputs[:2]
    assert data is not None
    assert indices is not None
    assert isinstance(operator, Scatter)
    element = data.type.dtype.name
    if form is None or element not in ("float32", "int32"):
        return None
    if operator.reduction not in ("none", "add"):
        return None
    outer, inner = form.outer, form.inner
    work = form.size + form.count
    several = chunks_for(work * inner, outer, site.threads, MOVED)
    vectors = ceil_div(inner, site.target.lanes)
    span = inner
    if outer < 2 * site.threads and site.threads > 1:  # then several columns, each by one thread
        span = site.target.lanes * chunks_for(
            work * site.target.lanes, vectors, site.threads, MOVED
        )
    zeros = data.constant is not None and not data.constant.any()
    kernel = Put(form.each, indices.type.dtype.name, operator.reduction == "add", element, zeros)
    arguments = (Input(0), Input(1), Input(2), Output(), Fault(1, form.size))
    chunks = ceil_div(outer, several) * ceil_div(inner, span)
    why = f"{outer} x {form.count} updates of {min(span, inner)} elements at a time"
    sizes = (outer, form.size, inner, form.count, several, span)
    return (Call(kernel, arguments, chunks, why, sizes),)
