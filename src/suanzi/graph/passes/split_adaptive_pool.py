"""Adaptive average pooling as products: each output is a weighted sum, along one axis at a time."""

import math

import numpy as np

from suanzi.graph.graph import Graph, Node
from suanzi.graph.rewrite import Draft, rewrite
from suanzi.operators.adaptive_pooling import AdaptiveAveragePool
from suanzi.operators.linear import MatMul
from suanzi.operators.shape import Reshape


def split_adaptive_pool(graph: Graph) -> Graph:
    """The graph with a MatMul for each axis in place of AdaptiveAveragePool of float32."""
    return rewrite(graph, {AdaptiveAveragePool: _split})


def _split(draft: Draft, node: Node) -> Node | None:
    operator, (X,), (Y,) = node.operator, node.inputs, node.outputs
    assert isinstance(operator, AdaptiveAveragePool)
    type = draft.types[X]
    if not type.static or type.dtype != np.float32 or not draft.types[Y].size:
        return None
    sizes, value = list(type.sizes), X

    def reshape(value: str, *shape: int) -> str:
        return draft.emit(Reshape(), (value, draft.constant(Y, np.array(shape, np.int64))), Y)

    weights = [*operator.weights(type.sizes[2:], np.dtype(np.float32))]
    for axis, along in reversed([*enumerate(weights, 2)]):
        after = math.prod(sizes[axis + 1 :])
        rows, size = math.prod(sizes[:axis]), sizes[axis]
        if after == 1:
            factors = (reshape(value, rows, size), draft.constant(Y, along))
        else:
            factors = (draft.constant(Y, along.T.copy()), reshape(value, rows, size, after))
        value = draft.emit(MatMul(), factors, Y)
        sizes[axis] = along.shape[1]
    return Node(Reshape(), (value, draft.constant(Y, np.array(sizes, np.int64))), (Y,), node.name)
