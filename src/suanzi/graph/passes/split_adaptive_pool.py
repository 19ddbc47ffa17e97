"""Adaptive pooling as operators that have kernels.

An average is a weighted sum, along one axis at a time: products. For the largest element the
windows are made alike, by elements taken twice.
"""

import math

import numpy as np

from suanzi.graph.graph import Graph, Node
from suanzi.graph.rewrite import Draft, rewrite
from suanzi.operators.adaptive_pooling import AdaptiveAveragePool, AdaptiveMaxPool
from suanzi.operators.indexing import Gather
from suanzi.operators.linear import MatMul
from suanzi.operators.pooling import MaxPool
from suanzi.operators.shape import Reshape


def split_adaptive_pool(graph: Graph) -> Graph:
    """The graph with a MatMul for each axis in place of AdaptiveAveragePool of float32, and MaxPool
    after Gather in place of AdaptiveMaxPool whose indices nobody reads."""
    return rewrite(graph, {AdaptiveAveragePool: _average, AdaptiveMaxPool: _largest})


def _largest(draft: Draft, node: Node) -> Node | None:
    operator, (X,) = node.operator, node.inputs
    Y, Indices = (*node.outputs, "")[:2]
    assert isinstance(operator, AdaptiveMaxPool)
    type = draft.types[X]
    if Indices or not type.static or type.dtype != np.float32 or not draft.types[Y].size:
        return None
    value, window = X, []
    for axis, (starts, ends) in enumerate(operator.bins(type.sizes[2:]), 2):
        starts, ends = np.array(starts), np.array(ends)
        longest = int((ends - starts).max())
        places = np.minimum(starts[:, None] + np.arange(longest), ends[:, None] - 1).reshape(-1)
        if not np.array_equal(places, np.arange(type.sizes[axis])):
            value = draft.emit(Gather(axis=axis), (value, draft.constant(Y, places)), Y)
        window.append(longest)
    kernel = tuple(window)
    return Node(MaxPool(kernel_shape=kernel, strides=kernel), (value,), (Y,), node.name)


def _average(draft: Draft, node: Node) -> Node | None:
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
        if along.shape[0] == along.shape[1]:
            continue  # each element is a window
        after = math.prod(sizes[axis + 1 :])
        rows, size = math.prod(sizes[:axis]), sizes[axis]
        if after == 1:
            factors = (reshape(value, rows, size), draft.constant(Y, along))
        else:
            factors = (draft.constant(Y, along.T.copy()), reshape(value, rows, size, after))
        value = draft.emit(MatMul(), factors, Y)
        sizes[axis] = along.shape[1]
    return Node(Reshape(), (value, draft.constant(Y, np.array(sizes, np.int64))), (Y,), node.name)
