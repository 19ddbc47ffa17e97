"""Puts a chain into the last write of the operator before it."""

import numpy as np

from suanzi.graph.fused import Chain, Fused, Link, TransposedMatMul
from suanzi.graph.graph import Graph, Node
from suanzi.graph.passes.fold_scale import BODIES
from suanzi.graph.quantized import QuantizedConv, QuantizedMatMul

QUANTIZED = (QuantizedConv, QuantizedMatMul)


def fuse_epilogues(graph: Graph) -> Graph:
    """A chain and the body that makes one of its inputs become one Fused node.

    The body's output must have the chain's shape and no other reader; all that the chain reads and
    makes must be float32, but for quantized bodies. The node takes the chain's
    place in the order: all that either reads is made before it. Of several bodies the latest joins.
    """
    made_at = {name: i for i, node in enumerate(graph.nodes) for name in node.outputs}
    readers = graph.consumers()
    outputs = set(graph.outputs)
    nodes: list[Node | None] = list(graph.nodes)
    for i, node in enumerate(graph.nodes):
        if not isinstance(node.operator, Chain):
            continue
        made = graph.types[node.outputs[0]]
        values = [made, *(graph.types[name] for name in node.inputs)]
        kinds = (*BODIES, TransposedMatMul) if all(t.dtype == np.float32 for t in values) else ()
        bodies = [
            made_at[name]
            for name in node.inputs
            if name in made_at
            and isinstance(graph.nodes[made_at[name]].operator, (*kinds, *QUANTIZED))
            and len(readers[name]) == 1
            and name not in outputs
            and graph.types[name].shape == made.shape
        ]
        if bodies:
            latest = max(bodies)
            nodes[i] = _fused(graph.nodes[latest], node, node.operator)
            nodes[latest] = None
    return graph.replace(nodes=tuple(node for node in nodes if node is not None))


def _fused(body: Node, node: Node, chain: Chain) -> Node:
    """The chain's inputs turn so that the body's output is the first of them."""
    at = node.inputs.index(body.outputs[0])
    extras = node.inputs[:at] + node.inputs[at + 1 :]

    def moved(source: int | None) -> int | None:
        if source is None or source > at:
            return source
        return 0 if source == at else source + 1

    links = tuple(Link(link.operator, tuple(map(moved, link.sources))) for link in chain.links)
    operator = Fused(body.operator, len(body.inputs), Chain(chain.arity, links))
    return Node(operator, body.inputs + extras, node.outputs, node.name or body.name)
