"""Graphs of one function, traced at several sizes, as one graph for all sizes.

A trace holds sizes as numbers: in the shape of a Reshape, the end of a Slice, in zeros to begin
with. Where the graphs' numbers differ they are expressed by the sizes of a value that is there,
computed in the graph; what can't be is an error that names the operation which fixes the size.
"""

import dataclasses
import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from suanzi.errors import SuanziError
from suanzi.graph.graph import Graph, Node
from suanzi.graph.size_nodes import SizeNodes
from suanzi.graph.sizes import Numbers, alike, fit, products
from suanzi.operators import (
    RandomNormal,
    RandomNormalLike,
    RandomUniform,
    RandomUniformLike,
    Reshape,
)
from suanzi.operators._operator import Dim, Operator, TensorType

LIKE: dict[type[Operator], type[Operator]] = {
    RandomNormal: RandomNormalLike,
    RandomUniform: RandomUniformLike,
}
"""Random numbers of a shape that isn't fixed."""


def unify(graphs: Sequence[Graph], sizes: Mapping[str, Numbers]) -> Graph:
    """One graph for all; `sizes` are those that the symbols had in each of the graphs."""
    first = graphs[0]
    if len({len(graph.inputs) for graph in graphs}) > 1:
        raise SuanziError("the sizes decide what the function reads")
    made = _Unified(graphs, sizes)
    for names in zip(*(graph.inputs for graph in graphs), strict=True):
        made.pair(names)
    for nodes in itertools.zip_longest(*(graph.nodes for graph in graphs)):
        made.add(nodes)
    outputs = [made.value(names, None) for names in zip(*(g.outputs for g in graphs), strict=True)]
    return Graph(
        inputs=first.inputs,
        outputs=tuple(outputs),
        nodes=tuple(made.nodes),
        constants=made.constants,
        types=made.types,
        name=first.name,
    )


class _Unified(SizeNodes):
    def __init__(self, graphs: Sequence[Graph], sizes: Mapping[str, Numbers]) -> None:
        super().__init__()
        self.graphs = graphs
        self.symbols = [(numbers, symbol) for symbol, numbers in sizes.items()]
        self.names: dict[tuple[str, ...], str] = {("",) * len(graphs): ""}
        """What the value of these names, one in each graph, is called."""
        self.taken = {name for graph in graphs for name in graph.types}

    def pair(self, names: tuple[str, ...]) -> str:
        """Values that are one and the same, from here on by the first one's name."""
        name = names[0]
        types = [g.types[n] for g, n in zip(self.graphs, names, strict=True)]
        if len({t.rank for t in types}) > 1 or len({t.dtype for t in types}) > 1:
            raise SuanziError("the sizes decide what this is", found=[str(t) for t in types])
        self.names[names] = name
        shape = tuple(zip(*(t.sizes for t in types), strict=True))
        self.shapes[name] = shape
        self.types[name] = TensorType(types[0].dtype, tuple(map(self._dim, shape)))
        for numbers, term in products(name, shape):
            self.terms.setdefault(numbers, term)
        return name

    def _dim(self, numbers: Numbers) -> Dim:
        if len(set(numbers)) == 1:
            return numbers[0]
        found = fit(numbers, self.symbols)
        return None if found is None else str(found)

    def add(self, nodes: Sequence[Node | None]) -> None:
        """A node that all graphs have."""
        first = nodes[0]
        kinds = {type(node.operator) if node else None for node in nodes}
        if first is None or len(kinds) > 1 or None in nodes:
            titles = sorted({node.operator.title if node else "nothing" for node in nodes})
            label = next(node.label for node in nodes if node)
            raise SuanziError("the sizes decide which operations there are", node=label,
                              found=" or ".join(titles))  # fmt: skip
        there = [node for node in nodes if node is not None]
        counts = {(len(node.inputs), len(node.outputs)) for node in there}
        try:
            if len(counts) > 1:
                raise SuanziError("the sizes decide how many inputs or outputs there are")
            places = list(zip(*(node.inputs for node in there), strict=True))
            own = [self.names[names] for names in places if self.names.get(names)]
            operator, given = self._operator([node.operator for node in there])
            if isinstance(operator, Reshape) and len(places) == 2:
                operator, shape = self._reshape(operator, places, own)
                given = (self.value(places[0], own), shape)
            inputs = given or tuple(self.value(names, own) for names in places)
            outputs = tuple(zip(*(node.outputs for node in there), strict=True))
            names = tuple(self.pair(names) if names[0] else "" for names in outputs)
        except SuanziError as error:
            hint = error.hint or "Its size is fixed while others are dynamic."
            error.hint = hint
            raise error.at(node=first.label) from None
        self.nodes.append(Node(operator, inputs, names, first.name))

    def _operator(self, operators: Sequence[Operator]) -> tuple[Operator, tuple[str, ...]]:
        """The operator; random numbers of dynamic shapes are those like another value."""
        first = operators[0]
        differing = [
            field.name
            for field in dataclasses.fields(first)
            if not all(
                _equal(getattr(first, field.name), getattr(o, field.name)) for o in operators[1:]
            )
        ]
        if not differing:
            return first, ()
        if differing == ["shape"] and type(first) in LIKE:
            settings = dataclasses.asdict(first)
            del settings["shape"]
            shapes = [getattr(o, "shape") for o in operators]  # noqa: B009
            return LIKE[type(first)](**settings), (self.filled(np.float32(0), shapes, []),)
        found = [getattr(o, differing[0]) for o in operators]
        raise SuanziError(f"its {differing[0]} depends on a dynamic size", found=found)

    def value(self, names: tuple[str, ...], own: Sequence[str] | None) -> str:
        """The value of these names; where they are constants that differ, one that is computed.
        `own` are other inputs of the same node, whose sizes tell the most."""
        if names in self.names:
            return self.names[names]
        arrays = [g.constants.get(n) for g, n in zip(self.graphs, names, strict=True)]
        known = [a for a in arrays if a is not None]
        if len(known) < len(names):
            raise SuanziError("the sizes decide what this reads", found=" or ".join(names))
        if all(_equal(known[0], a) for a in known[1:]):
            name = names[0]
            while name in self.constants and not _equal(self.constants[name], known[0]):
                name = self.fresh(names[0])
            self.constants[name] = known[0]
            self.types[name] = TensorType.of(known[0])
            self.names[names] = name
            self.shapes.setdefault(name, tuple((d,) * len(names) for d in known[0].shape))
            return name
        made = self.computed(known, own or ())
        self.names[names] = made
        self.shapes[made] = tuple(zip(*(a.shape for a in known), strict=True))
        dims = tuple(map(self._dim, self.shapes[made]))
        self.types[made] = TensorType(known[0].dtype, dims)
        return made

    # --- numbers that follow from sizes

    def _reshape(
        self, operator: Reshape, places: Sequence[tuple[str, ...]], own: Sequence[str]
    ) -> tuple[Operator, str]:
        """A shape of which one number differs has -1 there; what stays as it was has 0."""
        targets = [g.constants.get(n) for g, n in zip(self.graphs, places[1], strict=True)]
        known = [t for t in targets if t is not None]
        if len(known) < len(targets) or all(_equal(known[0], t) for t in known):
            return operator, self.value(places[1], own)
        name = self.value(places[0], own)
        before, rows = self.shapes[name], list(zip(*(t.tolist() for t in known), strict=True))
        made = [row[0] if len(set(row)) == 1 else None for row in rows]
        if 0 in made or -1 in made:
            return operator, self.value(places[1], own)
        left = [i for i, number in enumerate(made) if number is None]
        if len(left) > 1:
            for i in left:
                if i < len(before) and before[i] == rows[i]:
                    made[i] = 0
            left = [i for i, number in enumerate(made) if number is None]
        if len(left) > 1:
            return operator, self.value(places[1], own)
        shape = np.array([-1 if number is None else number for number in made], np.int64)
        return Reshape(), self.constant(shape)


def _equal(a: Any, b: Any) -> bool:
    if a is b:
        return True
    if isinstance(a, np.ndarray) and isinstance(b, np.ndarray):
        return alike(a, b)
    if isinstance(a, Graph) and isinstance(b, Graph):
        same = (a.inputs, a.outputs, a.nodes) == (b.inputs, b.outputs, b.nodes)
        if not same or a.constants.keys() != b.constants.keys():
            return False
        return all(_equal(array, b.constants[name]) for name, array in a.constants.items())
    return type(a) is type(b) and bool(a == b)
