"""Finds channel shuffles, which ONNX spells in three nodes."""

from suanzi.graph.graph import Graph, Node
from suanzi.graph.rewrite import Draft, rewrite
from suanzi.operators.channel_shuffle import ChannelShuffle
from suanzi.operators.shape import Reshape, Transpose


def channel_shuffle(graph: Graph) -> Graph:
    """Reshape to [N, group, C/group, ...], Transpose of axes 1 and 2, and Reshape back become
    one ChannelShuffle."""
    return rewrite(graph, {Reshape: _shuffle})


def _shuffle(draft: Draft, node: Node) -> Node | None:
    transpose = draft.producer(node.inputs[0])
    if transpose is None or not isinstance(transpose.operator, Transpose):
        return None
    split = draft.producer(transpose.inputs[0])
    if split is None or not isinstance(split.operator, Reshape):
        return None
    source, middle, result = (
        draft.types[name].shape for name in (split.inputs[0], split.outputs[0], node.outputs[0])
    )
    if source is None or middle is None or source != result or len(middle) < 3:
        return None
    if len(source) < 2 or (source[0], source[2:]) != (middle[0], middle[3:]):
        return None
    swapped = (0, 2, 1, *range(3, len(middle)))
    known = all(isinstance(d, int) for d in middle[1:3])
    if transpose.operator.perm != swapped or None in source or not known:
        return None
    (group,) = (d for d in middle[1:2] if isinstance(d, int))
    return Node(ChannelShuffle(group=group), split.inputs[:1], node.outputs, node.name)
