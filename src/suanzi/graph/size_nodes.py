"""Nodes that compute numbers from the sizes of values."""

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from suanzi.errors import SuanziError
from suanzi.graph.graph import Node
from suanzi.graph.sizes import FORMS, Form, Numbers, Term, alike, fit, products
from suanzi.operators import Add, Cast, Concat, Div, Expand, Mul, Range, Reshape, Shape
from suanzi.operators._operator import Array, Operator, TensorType
from suanzi.operators._types import element_number

MOST = 1024
"""Elements of a constant that is put together from numbers."""


class SizeNodes:
    """A graph in the making, for all sizes: the nodes, constants and types so far, and of each
    value its sizes in each of the graphs that it is made of."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.constants: dict[str, Array] = {}
        self.types: dict[str, TensorType] = {}
        self.shapes: dict[str, tuple[Numbers, ...]] = {}
        self.terms: dict[Numbers, Term] = {}
        """The first value's sizes, multiplied, that are these."""
        self.taken: set[str] = set()
        self._made: dict[Any, str] = {}

    def computed(self, arrays: Sequence[Array], own: Sequence[str]) -> str:
        """The name of what is these constants, one in each graph, as the sizes say. `own` are
        values whose sizes are the likeliest."""
        first = arrays[0]
        shapes = [a.shape for a in arrays]
        filled = first.size and all(a.size and (a == first.flat[0]).all() for a in arrays)
        if len({a.ndim for a in arrays}) == 1:
            if len(set(shapes)) == 1 and first.dtype.kind in "iu" and first.size <= MOST:
                return self._integers(arrays, own)
            if len(set(shapes)) == 1 and first.dtype.kind == "f" and first.size == 1:
                return self._float([float(a.item()) for a in arrays], first, own)
            if filled and len(set(shapes)) > 1:
                return self.filled(first.flat[0], shapes, own)
            if first.dtype.kind in "iuf" and len(set(shapes)) > 1:
                return self._range(arrays, own)
        found = [str(TensorType.of(a)) for a in arrays]
        raise SuanziError("a constant depends on a dynamic size", found=found)

    def _integers(self, arrays: Sequence[Array], own: Sequence[str]) -> str:
        rows = list(zip(*(a.reshape(-1).tolist() for a in arrays), strict=True))
        made = self._vector(rows, own)
        if arrays[0].ndim != 1:
            shape = self.constant(np.array(arrays[0].shape, np.int64))
            made = self._emit(Reshape(), [made, shape])
        return self._cast(made, arrays[0].dtype)

    def _vector(self, rows: Sequence[Numbers], own: Sequence[str]) -> str:
        """int64[n] of these numbers, those that differ computed."""
        parts: list[str] = []
        for fixed, group in itertools.groupby(rows, lambda row: len(set(row)) == 1):
            if fixed:
                parts.append(self.constant(np.array([row[0] for row in group], np.int64)))
            else:
                parts += [self._number(row, own) for row in group]
        return self._emit(Concat(axis=0), parts) if len(parts) > 1 else parts[0]

    def _number(self, numbers: Numbers, own: Sequence[str]) -> str:
        """int64[1], computed from sizes."""
        found = fit(numbers, self._terms(own))
        if found is None:
            raise SuanziError("a number doesn't follow from the dynamic sizes", found=numbers)
        key = (numbers, found)
        if key not in self._made:
            made = self._size(found.term)
            for operator, number, neutral in (
                (Mul(), found.factor, 1), (Add(), found.shift, 0), (Div(), found.divisor, 1),
            ):  # fmt: skip
                if number != neutral:
                    made = self._emit(operator, [made, self.constant(np.array([number]))])
            self._made[key] = made
        return self._made[key]

    def _size(self, term: Term) -> str:
        """int64[1]: a value's sizes along some axes, multiplied."""
        if term not in self._made:
            parts = [self._emit(Shape(start=axis, end=axis + 1), [term.name]) for axis in term.axes]
            made = parts[0]
            for other in parts[1:]:
                made = self._emit(Mul(), [made, other])
            self._made[term] = made
        return self._made[term]

    def _terms(self, own: Sequence[str]) -> Iterator[tuple[Numbers, Term]]:
        for name in own:
            yield from products(name, self.shapes[name])
        yield from self.terms.items()

    def _float(self, numbers: Sequence[float], like: Array, own: Sequence[str]) -> str:
        """A number such as 1/n, √n or n/(n - 1), times some factor, for a size n, or a product."""
        target = np.array(numbers, np.float64)
        close = 1e-12 if like.dtype == np.float64 else 1e-6
        seen: set[Numbers] = set()
        for name in dict.fromkeys([*own, *self.shapes]):
            for values, term in products(name, self.shapes[name], fixed=True):
                if values in seen:
                    continue
                seen.add(values)
                for form in FORMS:
                    with np.errstate(all="ignore"):
                        made = form.value(np.array(values, np.float64))
                        factor = target[0] / made[0]
                        if np.allclose(factor * made, target, close, 0):
                            return self._formula(term, form, factor, like)
        raise SuanziError("a number doesn't follow from the dynamic sizes", found=list(numbers))

    def _formula(self, term: Term, form: Form, factor: float, like: Array) -> str:
        made = self._cast(self._size(term), like.dtype)
        for operator, number in form.steps:
            one = [] if number is None else [self.constant(np.full(1, number, like.dtype))]
            made = self._emit(operator, [*one, made] if operator == Div() else [made, *one])
        if form.less:
            n = self._cast(self._size(term), like.dtype)
            less = self._emit(Add(), [n, self.constant(np.full(1, -1, like.dtype))])
            made = self._emit(Div(), [made, less])
        made = self._emit(Mul(), [made, self.constant(np.full(1, factor, like.dtype))])
        if like.shape == (1,):
            return made
        return self._emit(Reshape(), [made, self.constant(np.array(like.shape, np.int64))])

    def filled(self, number: Any, shapes: Sequence[tuple[int, ...]], own: Sequence[str]) -> str:
        """One number in a shape that is computed."""
        shape = self._vector(list(zip(*shapes, strict=True)), own)
        return self._emit(Expand(), [self.constant(np.array(number)), shape])

    def _range(self, arrays: Sequence[Array], own: Sequence[str]) -> str:
        """start, start + step, ... along one axis."""
        flat = [a.reshape(-1) for a in arrays]
        step = flat[0][1] - flat[0][0] if len(flat[0]) > 1 else flat[0].dtype.type(1)
        start = flat[0][0] if len(flat[0]) else flat[0].dtype.type(0)
        for a in flat:
            if not np.array_equal(a, start + np.arange(len(a), dtype=a.dtype) * step):
                raise SuanziError("a constant depends on a dynamic size",
                                  found=[str(TensorType.of(a)) for a in arrays])  # fmt: skip
        count = self._number(tuple(map(len, flat)), own)
        scalar = self.constant(np.array([], np.int64))
        limit = self._emit(Reshape(), [count, scalar])
        whole = [self.constant(np.array(i)) for i in (0, 1)]
        made = self._cast(self._emit(Range(), [whole[0], limit, whole[1]]), arrays[0].dtype)
        for operator, number, neutral in ((Mul(), step, 1), (Add(), start, 0)):
            if number != neutral:
                made = self._emit(operator, [made, self.constant(np.asarray(number))])
        if arrays[0].ndim == 1:
            return made
        rows = list(zip(*(a.shape for a in arrays), strict=True))
        return self._emit(Reshape(), [made, self._vector(rows, own)])

    def _cast(self, name: str, dtype: np.dtype[Any]) -> str:
        if self.types[name].dtype == dtype:
            return name
        return self._emit(Cast(to=element_number(dtype)), [name])

    def constant(self, array: Array) -> str:
        for name, known in self.constants.items():
            if known is array or (known.size <= 16 and alike(known, array)):
                return name
        name = self.fresh("constant")
        self.constants[name], self.types[name] = array, TensorType.of(array)
        self.shapes[name] = ()
        return name

    def _emit(self, operator: Operator, inputs: Sequence[str]) -> str:
        name = self.fresh(operator.title.lower())
        given = [self.types[i] for i in inputs]
        if isinstance(operator, Expand | Reshape):
            shape = given[1].value
            rank = given[1].sizes[0]
            dims = (None,) * rank if shape is None else tuple(shape.tolist())
            kind = TensorType(given[0].dtype, dims)
        else:
            (made,) = operator.infer_all([TensorType(t.dtype, t.shape) for t in given])
            kind = made
        self.types[name] = kind
        self.nodes.append(Node(operator, tuple(inputs), (name,)))
        return name

    def fresh(self, stem: str) -> str:
        name, count = stem, 0
        while name in self.taken:
            count += 1
            name = f"{stem}_{count}"
        self.taken.add(name)
        return name
