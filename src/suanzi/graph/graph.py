"""A graph: nodes that apply operators to values, and values known by name."""

from dataclasses import dataclass, field, replace
from typing import Any, Self

from suanzi.operators._operator import Array, Operator, TensorType


@dataclass(frozen=True)
class Node:
    """One application of an operator. An empty name is an optional input or output left out."""

    operator: Operator
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    name: str = ""

    @property
    def label(self) -> str:
        """How messages call it: its own name, or its first output's."""
        name = self.name or next(filter(None, self.outputs))
        return f"{name} ({type(self.operator).__name__})"


@dataclass(frozen=True)
class Graph:
    """Nodes in an order in which each one's inputs come before it. Passes return a new one.

    A value is an input, a constant, or the output of one node. `types` knows the inputs', the
    constants' and, after `infer`, all others'. `lanes` lists the values that the layout pass has
    put in blocks of channels: [N][C/lanes][...][lanes]; their types keep the logical shape.
    """

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    nodes: tuple[Node, ...]
    constants: dict[str, Array] = field(default_factory=dict)
    types: dict[str, TensorType] = field(default_factory=dict)
    lanes: dict[str, int] = field(default_factory=dict)
    name: str = ""

    def replace(self, **changes: Any) -> Self:
        return replace(self, **changes)

    def consumers(self) -> dict[str, list[Node]]:
        """The nodes that read each value, each listed once; what nothing reads has no entry."""
        found: dict[str, list[Node]] = {}
        for node in self.nodes:
            for name in dict.fromkeys(node.inputs):
                if name:
                    found.setdefault(name, []).append(node)
        return found

    def input_types(self, node: Node) -> tuple[TensorType | None, ...]:
        return tuple(self.types[name] if name else None for name in node.inputs)

    def _repr_svg_(self) -> str:
        """How notebooks show it."""
        from suanzi.graph.drawing import draw

        return draw(self)
