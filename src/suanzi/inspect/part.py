"""A part of an operator's output, for which its inputs are asked what it depends on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from suanzi.graph import Graph, Node
from suanzi.operators._operator import Array, TensorType

Masks = tuple[Array, ...]
"""For each axis, whether each place matters."""
Needed = tuple[Masks, bool] | None
"""What matters of an input, and whether that is exact; None: nothing does."""

MOST_MOVED = 1 << 24
"""Elements that are still followed one by one."""


def everything(t: TensorType) -> Masks:
    return tuple(np.ones(n, bool) for n in t.sizes)


class Unknown(Exception):  # noqa: N818 - no error: the rule doesn't apply
    """What a rule needs isn't known."""


class Call:
    """A node, and the part of one of its outputs that is asked for."""

    def __init__(
        self, graph: Graph, node: Node, place: int, masks: Masks, known: Mapping[str, Any]
    ) -> None:
        self.node, self.place, self.masks = node, place, masks
        self.operator: Any = node.operator
        self.graph, self.known = graph, known
        self.types = graph.input_types(node)

    def input(self, i: int) -> TensorType:
        t = self.types[i] if i < len(self.types) else None
        if t is None or not (t.is_tensor and t.static):
            raise Unknown
        return t

    def value(self, i: int) -> Array | None:
        """The contents of an input that is there, None of one left out."""
        name = self.node.inputs[i] if i < len(self.node.inputs) else ""
        if not name:
            return None
        for held in (self.graph.constants.get(name), self.graph.types[name].value):
            if held is not None:
                return held
        if name in self.known:
            return np.asarray(self.known[name])
        raise Unknown

    def all(self, exact: bool) -> list[Needed]:
        """All of every input."""
        return [self.whole(i, exact) for i in range(len(self.types))]

    def whole(self, i: int, exact: bool = True) -> Needed:
        t = self.types[i]
        if t is None or not (t.is_tensor and t.static):
            return None
        return everything(t), exact

    def first(self, masks: Masks, exact: bool = True) -> list[Needed]:
        """So much of the first input, and all of the others."""
        return [(masks, exact), *(self.whole(i) for i in range(1, len(self.types)))]
