"""Lets elementwise operators broadcast what was broadcast for them before."""

import numpy as np

from suanzi.graph.graph import Graph, Node
from suanzi.graph.rewrite import Draft
from suanzi.operators._elementwise import Elementwise
from suanzi.operators._operator import broadcast_shapes
from suanzi.operators.shape import Expand

LARGE = 64
"""Elements from which on a constant is looked at."""


def broadcasts(graph: Graph) -> Graph:
    """An Expand, or a large constant of one number, that an elementwise operator reads is read as
    it was before, where another input gives the result its shape."""
    draft = Draft(graph)
    for original in graph.nodes:
        node = draft.resolve(original)
        if isinstance(node.operator, Elementwise):
            for number in range(len(node.inputs)):
                node = _narrowed(draft, node, number)
        draft.add(node)
    return draft.finish()


def _narrowed(draft: Draft, node: Node, number: int) -> Node:
    name = node.inputs[number]
    before = draft.producer(name)
    if before is not None and isinstance(before.operator, Expand):
        source = before.inputs[0]
        shape = draft.types[source].shape
    elif _uniform(draft, name):
        source, shape = "", ()
    else:
        return node
    others = [draft.types[n].shape for i, n in enumerate(node.inputs) if n and i != number]
    if shape is None or any(other is None for other in others):
        return node
    made = broadcast_shapes(shape, *others) if others else shape
    if made != draft.types[node.outputs[0]].shape:
        return node
    if not source:
        source = draft.constant(f"{name}_number", draft.constants[name].reshape(-1)[0].reshape(()))
    inputs = (*node.inputs[:number], source, *node.inputs[number + 1 :])
    return Node(node.operator, inputs, node.outputs, node.name)


def _uniform(draft: Draft, name: str) -> bool:
    array = draft.constants.get(name)
    if array is None or array.size < LARGE or array.dtype.kind not in "fiub":
        return False
    flat = array.reshape(-1)
    return bool(flat[0] == flat[-1]) and bool(np.all(flat == flat[0]))
