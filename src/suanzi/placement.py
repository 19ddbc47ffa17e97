"""Where the values of a graph lie: which share memory, and when each memory is needed.

A view (Reshape and its kin) lies where its source lies; a piece of a concatenation is written
straight into its place in the whole; an elementwise result overwrites an input that nobody
needs any more. What is left is a few storages, each with a lifetime.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from suanzi.graph import Graph, Node
from suanzi.graph.fused import Fused
from suanzi.graph.memory import require_memory
from suanzi.lang import ceil_div
from suanzi.operators._elementwise import Elementwise
from suanzi.operators.cast import Identity
from suanzi.operators.joining import Concat
from suanzi.operators.shape import Flatten, Reshape, Squeeze, Unsqueeze
from suanzi.runtime.memory import Lifetime, Slot, Stored, plan

VIEWS = (Reshape, Squeeze, Unsqueeze, Flatten, Identity)


@dataclass(frozen=True)
class Place:
    """A storage, by the name of the value that owns it, and an offset in bytes."""

    storage: str
    offset: int = 0


@dataclass
class Placement:
    """The places of all values, the nodes that need no step, and the storages' lives in steps."""

    places: dict[str, Place] = field(default_factory=dict)
    free: set[int] = field(default_factory=set)
    """Numbers of nodes that sharing has done away with: views, whole concatenations."""
    lives: dict[str, tuple[int, int]] = field(default_factory=dict)


def nbytes(graph: Graph, value: str) -> int:
    """How many bytes a value takes in its layout."""
    kind, lanes = graph.types[value], graph.lanes.get(value, 0)
    if not lanes:
        return kind.nbytes
    N, C, *spatial = kind.sizes
    return N * ceil_div(C, lanes) * lanes * math.prod(spatial) * kind.dtype.itemsize


def pieces(graph: Graph, node: Node) -> list[int] | None:
    """The offset of each input of a Concat in its output, where each lies in one stretch."""
    assert isinstance(node.operator, Concat)
    out = node.outputs[0]
    kind = graph.types[out]
    axis = node.operator.axis % len(kind.sizes)
    if math.prod(kind.sizes[:axis]) != 1:
        return None
    lanes = graph.lanes.get(out, 0)
    if lanes and axis > 1:
        return None
    offsets, offset = [], 0
    for name in node.inputs:
        if lanes and graph.types[name].sizes[1] % lanes:
            return None
        offsets.append(offset)
        offset += nbytes(graph, name)
    return offsets


def place(graph: Graph) -> Placement:
    """Decides for every value of a graph whose layouts are settled."""
    result = Placement()
    fixed = {*graph.inputs, *graph.outputs, *graph.constants}
    parent: dict[str, tuple[str, int]] = {}

    def movable(value: str, into: str) -> bool:
        """Whether a value can lie inside another's memory: its place isn't given already."""
        return value not in fixed and value not in parent and _root(parent, into)[0] != value

    for number in reversed(range(len(graph.nodes))):
        node = graph.nodes[number]
        if isinstance(node.operator, VIEWS) and _same_layout(graph, node):
            source, out = node.inputs[0], node.outputs[0]
            for value, into in ((out, source), (source, out)):
                if movable(value, into):
                    parent[value] = (into, 0)
                    result.free.add(number)
                    break
        elif isinstance(node.operator, Concat):
            offsets, whole = pieces(graph, node), node.outputs[0]
            apart = len(set(node.inputs)) == len(node.inputs)
            if offsets and apart and all(movable(name, whole) for name in node.inputs):
                parent.update(
                    (name, (whole, offset))
                    for name, offset in zip(node.inputs, offsets, strict=True)
                )
                result.free.add(number)
    _overwrite(graph, parent, fixed)
    for value in graph.types:
        root, offset = _root(parent, value)
        result.places[value] = Place(root, offset)
    result.lives = _lives(graph, parent, result.free)
    return result


def _same_layout(graph: Graph, node: Node) -> bool:
    return graph.lanes.get(node.inputs[0], 0) == graph.lanes.get(node.outputs[0], 0) and (
        isinstance(node.operator, Identity) or not graph.lanes.get(node.inputs[0], 0)
    )


def _root(parent: dict[str, tuple[str, int]], value: str) -> tuple[str, int]:
    offset = 0
    while value in parent:
        value, step = parent[value]
        offset += step
    return value, offset


def _lives(
    graph: Graph,
    parent: dict[str, tuple[str, int]],
    free: set[int] = frozenset(),  # type: ignore[assignment]
) -> dict[str, tuple[int, int]]:
    """First and last node at which each storage is written or read."""
    lives: dict[str, tuple[int, int]] = {}
    for number, node in enumerate(graph.nodes):
        if number in free:
            continue
        for name in (*node.inputs, *node.outputs):
            if name:
                root = _root(parent, name)[0]
                first, _ = lives.get(root, (number, number))
                lives[root] = (first, number)
    return lives


def _overwrite(graph: Graph, parent: dict[str, tuple[str, int]], fixed: set[str]) -> None:
    """Lets elementwise results, and convolutions with a residual, take the place of an input that
    dies there."""
    lives = _lives(graph, parent)
    for number, node in enumerate(graph.nodes):
        out = node.outputs[0]
        if out in fixed or out in parent:
            continue
        for name in _candidates(graph, node):
            root = _root(parent, name)[0]
            if root in fixed or root not in lives or lives[root][1] != number:
                continue
            if any(_root(parent, other)[0] == root for other in node.inputs if other != name):
                continue
            if _root(parent, name)[1] or nbytes(graph, root) != nbytes(graph, name):
                continue  # only a part of its storage
            parent[out] = (name, 0)
            lives[root] = (lives[root][0], lives.get(out, (number, number))[1])
            break


def _candidates(graph: Graph, node: Node) -> Sequence[str]:
    """Inputs read at each element's own place, just before that element is written."""
    if isinstance(node.operator, Elementwise):
        names = node.inputs
    elif isinstance(node.operator, Fused):
        names = node.inputs[node.operator.arity :]
    else:
        return ()
    out = node.outputs[0]
    lanes, kind = graph.lanes.get(out, 0), graph.types[out]
    return [
        name
        for name in names
        if name
        and graph.types[name].shape == kind.shape
        and graph.types[name].dtype == kind.dtype
        and graph.lanes.get(name, 0) == lanes
    ]


class Arena:
    """Offsets in a program's arena for storages and scratch, by the steps that use them."""

    def __init__(
        self, graph: Graph, placement: Placement, steps: Mapping[int, tuple[int, int]]
    ) -> None:
        """`steps`: each node's first and last step."""
        self.placement, self.bytes = placement, 0
        self._lives: dict[str, Lifetime] = {}
        self._offsets: dict[str, int] = {}
        self._fixed = {*graph.inputs, *graph.outputs, *graph.constants}
        for name, (first, last) in placement.lives.items():
            if name not in self._fixed:
                self.add(name, nbytes(graph, name), steps[first][0], steps[last][1])

    def add(self, name: str, size: int, first: int, last: int) -> None:
        self._lives[name] = Lifetime(max(1, size), first, last)

    def settle(self) -> None:
        offsets, self.bytes = plan(list(self._lives.values()))
        require_memory(self.bytes, "the program's memory")
        self._offsets = dict(zip(self._lives, offsets, strict=True))

    def storages(self) -> dict[str, Stored]:
        """All that lies in the arena."""
        held: dict[str, list[str]] = {}
        for value, where in self.placement.places.items():
            held.setdefault(where.storage, []).append(value)
        return {
            name: Stored(self._offsets[name], life, tuple(held.get(name, ())))
            for name, life in self._lives.items()
        }

    def slot(self, name: str) -> Slot:
        """Where a value or a scratch memory lies."""
        if name not in self.placement.places:
            return Slot("", self._offsets[name])
        where = self.placement.places[name]
        if where.storage in self._fixed:
            return Slot(where.storage, where.offset)
        return Slot("", self._offsets[where.storage] + where.offset)
