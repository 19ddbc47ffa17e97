"""Merges what changes the shape or the order of the axes alone."""

import numpy as np

from suanzi.graph.graph import Graph, Node
from suanzi.graph.rewrite import Draft, Rule, rewrite
from suanzi.operators._operator import Ints, Operator
from suanzi.operators.shape import Flatten, Reshape, Squeeze, Transpose, Unsqueeze


def reshapes(graph: Graph) -> Graph:
    """Chains of Reshape, Flatten, Squeeze and Unsqueeze become one Reshape to a constant shape;
    Transposes in a row become one. What ends as it began goes."""
    return rewrite(graph, RULES)


def _reshape(draft: Draft, node: Node) -> Node | str | None:
    source, output = node.inputs[0], draft.types[node.outputs[0]]
    if not output.static or 0 in output.sizes:  # a 0 in Reshape's shape has a meaning of its own
        return None
    before = draft.producer(source)
    if before is not None and isinstance(before.operator, Reshape):
        source = before.inputs[0]
    if draft.types[source].shape == output.shape:
        return source
    if isinstance(node.operator, Reshape) and source == node.inputs[0]:
        return None
    shape = draft.constant(f"{node.outputs[0]}_shape", np.array(output.sizes, np.int64))
    return Node(Reshape(), (source, shape), node.outputs, node.name)


def _transpose(draft: Draft, node: Node) -> Node | str | None:
    source = node.inputs[0]
    type = draft.types[source]
    if type.shape is None:
        return None
    perm = _perm(node.operator, len(type.shape))
    before = draft.producer(source)
    if before is not None and isinstance(before.operator, Transpose):
        first = _perm(before.operator, len(perm))
        composed = Transpose(perm=tuple(first[axis] for axis in perm))
        return Node(composed, before.inputs, node.outputs, node.name)
    if perm == tuple(range(len(perm))):
        return source
    moved = [axis for axis in perm if type.shape[axis] != 1]
    output = draft.types[node.outputs[0]]
    if moved == sorted(moved) and output.static and 0 not in output.sizes:
        # Only axes of size 1 change places, so the elements stay in order.
        shape = draft.constant(f"{node.outputs[0]}_shape", np.array(output.sizes, np.int64))
        return Node(Reshape(), (source, shape), node.outputs, node.name)
    return None


def _perm(operator: Operator, rank: int) -> Ints:
    assert isinstance(operator, Transpose)
    return tuple(reversed(range(rank))) if operator.perm is None else operator.perm


RULES: dict[type[Operator], Rule] = {
    Flatten: _reshape,
    Reshape: _reshape,
    Squeeze: _reshape,
    Transpose: _transpose,
    Unsqueeze: _reshape,
}
