"""Computes what doesn't depend on the graph's inputs."""

import numpy as np

from suanzi.errors import SuanziError
from suanzi.graph.evaluate import evaluate_node
from suanzi.graph.graph import Graph, Node
from suanzi.graph.memory import require_memory
from suanzi.graph.rewrite import Draft
from suanzi.operators._operator import Array


def fold_constants(graph: Graph) -> Graph:
    """Nodes of constants alone, and values that `infer` knows (shapes mostly), become constants."""
    draft = Draft(graph)
    for node in graph.nodes:
        arrays = _contents(draft, node)
        if arrays is None:
            draft.add(node)
            continue
        for name, array in zip(node.outputs, arrays, strict=False):
            if name:
                draft.constants[name] = np.asarray(array, order="C")
    return draft.finish()


def _contents(draft: Draft, node: Node) -> tuple[Array, ...] | None:
    """The outputs, where the graph's inputs have no part in them."""
    types = [draft.types[name] for name in node.outputs if name]
    known = tuple(type.value for type in types if type.value is not None)
    if len(known) == len(node.outputs):
        return known
    if not all(type.is_tensor for type in types):
        return None
    fixed = all(not name or name in draft.constants for name in node.inputs)
    if not (fixed and node.operator.deterministic):
        return None
    try:
        require_memory(sum(type.nbytes for type in types if type.static), "its output")
    except SuanziError as error:
        raise error.at(node=node.label) from None
    return evaluate_node(node, [draft.constants[name] if name else None for name in node.inputs])
