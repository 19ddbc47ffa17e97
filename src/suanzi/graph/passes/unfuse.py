"""Takes an operator and its chain apart again, where no kernel does both in one."""

from collections.abc import Callable

from suanzi.graph.fused import Folded, Fused
from suanzi.graph.graph import Graph, Node


def unfuse(graph: Graph, runs: Callable[[Node, Graph], bool]) -> Graph:
    """The graph with each Fused or Folded node that `runs` refuses as two nodes, the chain and
    what comes before or after it.

    Layouts are settled by now: what is refused is plain.
    """
    nodes: list[Node] = []
    types = dict(graph.types)
    for node in graph.nodes:
        fused = node.operator
        if not isinstance(fused, Fused | Folded) or runs(node, graph):
            nodes.append(node)
            continue
        arity = fused.arity if isinstance(fused, Fused) else fused.chain.arity
        inputs, others = node.inputs[:arity], node.inputs[arity:]
        first, last = (
            (fused.body, fused.chain) if isinstance(fused, Fused) else (fused.chain, fused.body)
        )
        between = f"{node.outputs[0]}:between"
        while between in types:
            between += "'"
        (types[between],) = first.infer_all([types[n] if n else None for n in inputs])
        nodes.append(Node(first, inputs, (between,), node.name))
        nodes.append(Node(last, (between, *others), node.outputs, node.name))
    return graph.replace(nodes=tuple(nodes), types=types)
