"""Drops the nodes and the constants that nothing needs."""

from suanzi.graph.graph import Graph, Node


def dead_code(graph: Graph) -> Graph:
    """The graph without what no output depends on. Its inputs stay, used or not."""
    needed = set(graph.outputs)
    nodes: list[Node] = []
    for node in reversed(graph.nodes):
        if needed.isdisjoint(name for name in node.outputs if name):
            continue
        needed.update(node.inputs)
        if len(node.outputs) > 1:
            node = _trimmed(node, needed)
        nodes.append(node)
    constants = {name: array for name, array in graph.constants.items() if name in needed}
    there = {*graph.inputs, *constants, *(name for node in nodes for name in node.outputs)}
    return graph.replace(
        nodes=tuple(reversed(nodes)),
        constants=constants,
        types={name: type for name, type in graph.types.items() if name in there},
        lanes={name: lanes for name, lanes in graph.lanes.items() if name in there},
    )


def _trimmed(node: Node, needed: set[str]) -> Node:
    """The node without the optional outputs that nothing reads."""
    outputs = [name if name in needed else "" for name in node.outputs]
    while not outputs[-1]:
        outputs.pop()
    return Node(node.operator, node.inputs, tuple(outputs), node.name)
