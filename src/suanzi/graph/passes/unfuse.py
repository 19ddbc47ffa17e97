"""Takes an operator and its chain apart again, where no kernel does both in one."""

from collections.abc import Callable

from suanzi.graph.fused import Fused
from suanzi.graph.graph import Graph, Node


def unfuse(graph: Graph, runs: Callable[[Node, Graph], bool]) -> Graph:
    """The graph with each Fused node that `runs` refuses as two nodes, the body and the chain.

    Layouts are settled by now: what is refused is plain.
    """
    nodes: list[Node] = []
    types = dict(graph.types)
    for node in graph.nodes:
        fused = node.operator
        if not isinstance(fused, Fused) or runs(node, graph):
            nodes.append(node)
            continue
        body, extras = node.inputs[: fused.arity], node.inputs[fused.arity :]
        between = f"{node.outputs[0]}:body"
        while between in types:
            between += "'"
        (types[between],) = fused.body.infer_all([types[n] if n else None for n in body])
        nodes.append(Node(fused.body, body, (between,), node.name))
        nodes.append(Node(fused.chain, (between, *extras), node.outputs, node.name))
    return graph.replace(nodes=tuple(nodes), types=types)
