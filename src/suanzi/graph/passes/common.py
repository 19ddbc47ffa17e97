"""Computes each thing once."""

from collections.abc import Hashable

from suanzi.graph.graph import Graph
from suanzi.graph.rewrite import Draft

_SMALL = 256
"""Bytes of the largest constants that are compared."""


def common(graph: Graph) -> Graph:
    """Nodes that apply equal operators to the same inputs become one, as small constants do."""
    draft = Draft(graph)
    outputs = set(graph.outputs)
    first: dict[Hashable, tuple[str, ...]] = {}
    for name, array in graph.constants.items():
        if array.nbytes <= _SMALL and name not in outputs:
            key = (array.dtype, array.shape, array.tobytes())
            (kept,) = first.setdefault(key, (name,))
            if kept != name:
                draft.same(name, kept)
    for original in graph.nodes:
        node = draft.resolve(original)
        if not node.operator.deterministic:
            draft.add(node)
            continue
        present = tuple(bool(name) for name in node.outputs)
        try:
            earlier = first.setdefault((node.operator, node.inputs, present), node.outputs)
        except TypeError:  # an attribute is a tensor, which has no hash
            earlier = node.outputs
        if earlier is node.outputs:
            draft.add(node)
            continue
        for name, kept in zip(node.outputs, earlier, strict=True):
            draft.same(name, kept)
    return draft.finish()
