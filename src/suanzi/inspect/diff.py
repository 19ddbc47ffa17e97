"""Two models side by side: nodes added, removed, changed in structure, attributes or weights.

Nodes are matched by what they make, then by name; then, between those that match, by operator in
order, as two versions of a text are.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from suanzi.graph import Graph, Node
from suanzi.graph.bodies import bodies_of
from suanzi.inspect.model import attribute_values
from suanzi.inspect.nodes import is_weight, title
from suanzi.operators._operator import Array, TensorType

MOST_MATCHED = 20_000
"""Nodes that are still matched by order: it takes time in the square of their number."""


@dataclass(frozen=True)
class Change:
    """What differs: the operator, an attribute, an input, a weight, or the type of an output.
    `max_abs` is the largest difference of weights of one shape."""

    kind: str
    name: str
    ours: str
    theirs: str
    max_abs: float | None = None


@dataclass(frozen=True)
class NodeDiff:
    """A node on both sides, by its number, or on one alone: removed where only we have it."""

    ours: str | None
    theirs: str | None
    name: str
    operator: str
    change: str
    what: tuple[Change, ...]


@dataclass(frozen=True)
class ModelDiff:
    """`inputs` and `outputs` tell what differs in them; nodes that are the same aren't listed."""

    ours: str
    theirs: str
    same: bool
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    nodes: tuple[NodeDiff, ...]
    counts: dict[str, int]


def diff(ours: Graph, theirs: Graph, names: tuple[str, str] = ("ours", "theirs")) -> ModelDiff:
    """What `theirs` has that `ours` hasn't, and the other way round."""
    pairs = _matched(ours, theirs)
    # A value of ours is the value of theirs that the matched node makes in the same place.
    same = {name: name for name in ours.inputs if name in theirs.inputs}
    for i, j in pairs.items():
        made = zip(ours.nodes[i].outputs, theirs.nodes[j].outputs, strict=False)
        same.update((a, b) for a, b in made if a and b)
    found: list[NodeDiff] = []
    for i, node in enumerate(ours.nodes):
        if i not in pairs:
            found.append(_alone(node, str(i), None, "removed"))
            continue
        what = _changes(ours, theirs, node, theirs.nodes[pairs[i]], same)
        if what:
            found.append(
                NodeDiff(str(i), str(pairs[i]), _name(node), title(node.operator), "changed", what)
            )
    matched = set(pairs.values())
    found += [
        _alone(node, None, str(j), "added")
        for j, node in enumerate(theirs.nodes)
        if j not in matched
    ]
    counts = {
        change: sum(d.change == change for d in found) for change in ("added", "removed", "changed")
    }
    counts["same"] = len(pairs) - counts["changed"]
    inputs = _ends(ours, theirs, ours.inputs, theirs.inputs)
    outputs = _ends(ours, theirs, ours.outputs, theirs.outputs)
    return ModelDiff(
        *names, not (found or inputs or outputs), inputs, outputs, tuple(found), counts
    )


def _name(node: Node) -> str:
    return node.name or next(filter(None, node.outputs))


def _alone(node: Node, ours: str | None, theirs: str | None, change: str) -> NodeDiff:
    return NodeDiff(ours, theirs, _name(node), title(node.operator), change, ())


def _matched(ours: Graph, theirs: Graph) -> dict[int, int]:
    """The numbers of our nodes with those of theirs that correspond."""
    pairs: dict[int, int] = {}
    taken: set[int] = set()

    def match(i: int, j: int) -> None:
        if i not in pairs and j not in taken:
            pairs[i] = j
            taken.add(j)

    by_output = {name: j for j, node in enumerate(theirs.nodes) for name in node.outputs if name}
    by_name = {node.name: j for j, node in enumerate(theirs.nodes) if node.name}
    for keys in ("output", "name"):
        for i, node in enumerate(ours.nodes):
            j = by_output.get(node.outputs[0]) if keys == "output" else by_name.get(node.name)
            if j is not None and title(theirs.nodes[j].operator) == title(node.operator):
                match(i, j)
    left = [i for i in range(len(ours.nodes)) if i not in pairs]
    right = [j for j in range(len(theirs.nodes)) if j not in taken]
    if left and right and len(left) + len(right) <= MOST_MATCHED:
        a, b = _structure(ours, left), _structure(theirs, right)
        matcher = difflib.SequenceMatcher(None, a, b, autojunk=False)
        for block in matcher.get_matching_blocks():
            for k in range(block.size):
                match(left[block.a + k], right[block.b + k])
    return pairs


def _structure(graph: Graph, numbers: Sequence[int]) -> list[tuple[str, str]]:
    """Each node as what makes it alike to another: its operator and its result's type."""
    nodes = [graph.nodes[i] for i in numbers]
    return [(title(node.operator), str(graph.types.get(node.outputs[0]))) for node in nodes]


def _changes(
    ours: Graph, theirs: Graph, mine: Node, other: Node, same: dict[str, str]
) -> tuple[Change, ...]:
    """What differs between two nodes that correspond."""
    found: list[Change] = []
    a, b = attribute_values(mine.operator), attribute_values(other.operator)
    for key in dict.fromkeys((*a, *b)):
        if a.get(key) != b.get(key):
            found.append(Change("attribute", key, _shown(a.get(key, "")), _shown(b.get(key, ""))))
    bodies = zip(bodies_of(mine.operator), bodies_of(other.operator), strict=False)
    for number, (body, their_body) in enumerate(bodies):
        inner = diff(body, their_body)
        if not inner.same:
            counts = ", ".join(f"{n} {kind}" for kind, n in inner.counts.items() if n)
            found.append(Change("operator", f"body {number}", "", counts))
    longest = max(len(mine.inputs), len(other.inputs))
    for k in range(longest):
        x = mine.inputs[k] if k < len(mine.inputs) else ""
        y = other.inputs[k] if k < len(other.inputs) else ""
        change = _input(ours, theirs, k, x, y, same)
        if change:
            found.append(change)
    for x, y in zip(mine.outputs, other.outputs, strict=False):
        t, u = ours.types.get(x), theirs.types.get(y)
        if t is not None and u is not None and str(t) != str(u):
            found.append(Change("type", x, str(t), str(u)))
    return tuple(found)


def _input(
    ours: Graph, theirs: Graph, k: int, x: str, y: str, same: dict[str, str]
) -> Change | None:
    a, b = ours.constants.get(x), theirs.constants.get(y)
    if a is None and b is None:
        return None if same.get(x, x) == y else Change("input", str(k), x, y)
    if a is None or b is None:
        return Change("input", str(k), x or "none", y or "none")
    if a.shape != b.shape or a.dtype != b.dtype:
        before, after = (str(TensorType(c.dtype, c.shape)) for c in (a, b))
        return Change("weight", x, before, after)
    if np.array_equal(a, b, equal_nan=a.dtype.kind in "fc"):
        return None
    if not is_weight(a) and a.size <= 16:
        return Change("weight", x, str(a.tolist()), str(b.tolist()))
    kind = str(TensorType(a.dtype, a.shape))
    return Change("weight", x, kind, kind, _apart(a, b))


def _apart(a: Array, b: Array) -> float | None:
    if a.dtype == object:
        return None
    with np.errstate(invalid="ignore"):
        apart = np.abs(a.astype(np.float64) - b.astype(np.float64)).max()
    return float(apart) if np.isfinite(apart) else None


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else str(value)


def _ends(
    ours: Graph, theirs: Graph, mine: Sequence[str], others: Sequence[str]
) -> tuple[str, ...]:
    """What differs between the inputs, or outputs, of two graphs."""
    found = [f"{name}: only the first has it" for name in mine if name not in others]
    found += [f"{name}: only the second has it" for name in others if name not in mine]
    for name in mine:
        t, u = ours.types.get(name), theirs.types.get(name)
        if name in others and t is not None and u is not None and str(t) != str(u):
            found.append(f"{name}: {t}, {u}")
    return tuple(found)
