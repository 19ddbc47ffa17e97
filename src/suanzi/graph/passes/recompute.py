"""Computes what is cheap once more for each reader, rather than to write it and read it again."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from suanzi.graph.graph import Graph, Node
from suanzi.operators._elementwise import Elementwise
from suanzi.operators._operator import TensorType
from suanzi.operators.activation import Relu
from suanzi.operators.arithmetic import Add, Mul, Neg, Sub
from suanzi.operators.logic import Comparison, Not, Where
from suanzi.operators.reduction import Reduction

CHEAP = (Add, Comparison, Mul, Neg, Not, Relu, Sub, Where)
MOST_READERS = 4
SMALLEST = 1 << 12
"""Elements; a step that makes fewer costs little."""
SMALLER = 8
"""So many times fewer elements than the output an input has that doesn't count."""


def recompute(graph: Graph) -> Graph:
    """An operator of an instruction or two that reads one tensor of its output's size, beside
    small ones, is repeated for each reader where chains can take in every one: they read its input
    as cheaply as they would its output, which then needn't be.
    """
    types, outputs = dict(graph.types), set(graph.outputs)
    kept: list[Node] = []  # the last first, so that all readers of a node are decided before it
    readers: dict[str, list[int]] = {}
    for node in reversed(graph.nodes):
        name, copies = node.outputs[0], [node]
        found = readers.get(name, [])
        if (
            1 < len(found) <= MOST_READERS
            and name not in outputs
            and _cheap(types, node)
            and all(_takes_in(types, kept[reader], name) for reader in found)
        ):
            for number, reader in enumerate(found[1:], 1):
                again = f"{name}:{number}"
                while again in types:
                    again += "'"
                types[again] = types[name]
                renamed = tuple(again if n == name else n for n in kept[reader].inputs)
                kept[reader] = replace(kept[reader], inputs=renamed)
                copies.append(replace(node, outputs=(again,)))
        for copy in copies:
            for source in dict.fromkeys(copy.inputs):
                readers.setdefault(source, []).append(len(kept))
            kept.append(copy)
    return graph.replace(nodes=tuple(reversed(kept)), types=types)


def _cheap(types: Mapping[str, TensorType], node: Node) -> bool:
    made = types[node.outputs[0]]
    if not isinstance(node.operator, CHEAP) or made.dtype not in (np.float32, np.bool_):
        return False
    sources = [types[name] for name in dict.fromkeys(filter(None, node.inputs))]
    if not made.static or made.size < SMALLEST or not all(t.static for t in sources):
        return False
    return sum(t.size * SMALLER > made.size for t in sources) == 1


def _takes_in(types: Mapping[str, TensorType], reader: Node, name: str) -> bool:
    """Whether what the reader does can be one chain, or Folded, with what makes its input."""
    if isinstance(reader.operator, Reduction):
        return reader.inputs[0] == name and types[name].dtype == np.float32
    made = types[reader.outputs[0]]
    return isinstance(reader.operator, Elementwise) and made.shape == types[name].shape
