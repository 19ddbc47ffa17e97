"""Puts a chain into the reduction that reads it, so that what it makes is never written."""

import numpy as np

from suanzi.graph.fused import Chain, Folded
from suanzi.graph.graph import Graph, Node
from suanzi.operators.reduction import Reduction

ELEMENTS = (np.float32, np.int32, np.int64, np.bool_)


def fuse_reductions(graph: Graph) -> Graph:
    """A chain and the reduction that alone reads it become one Folded node, in its place."""
    made_at = {name: i for i, node in enumerate(graph.nodes) for name in node.outputs}
    readers, outputs = graph.consumers(), set(graph.outputs)
    nodes: list[Node | None] = list(graph.nodes)
    for i, node in enumerate(graph.nodes):
        if not isinstance(node.operator, Reduction):
            continue
        data, *axes = node.inputs
        before = graph.nodes[made_at[data]] if data in made_at else None
        if (
            before is None
            or not isinstance(before.operator, Chain)
            or data in outputs
            or len(readers[data]) > 1
            or not all(name in graph.constants for name in axes)
            or graph.types[data].dtype != np.float32
            or any(graph.types[name].dtype not in ELEMENTS for name in before.inputs)
        ):
            continue
        operator = Folded(before.operator, node.operator)
        nodes[i] = Node(operator, (*before.inputs, *axes), node.outputs, node.name)
        nodes[made_at[data]] = None
    return graph.replace(nodes=tuple(node for node in nodes if node is not None))
