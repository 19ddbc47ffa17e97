"""Batch normalization, in inference a line for each channel, as multiplication and addition."""

import numpy as np

from suanzi.graph.graph import Graph, Node
from suanzi.graph.rewrite import Draft, Rule, rewrite
from suanzi.operators._operator import Operator
from suanzi.operators.arithmetic import Add, Mul
from suanzi.operators.normalization import BatchNormalization


def fold_batch_norm(graph: Graph) -> Graph:
    """(X - mean) / √(var + ε) · scale + B, all but X constant, becomes X · slope + offset."""
    return rewrite(graph, RULES)


def _batch_norm(draft: Draft, node: Node) -> Node | None:
    operator = node.operator
    assert isinstance(operator, BatchNormalization)
    X, *parameters = node.inputs
    rank = draft.types[X].rank
    constant = all(name in draft.constants for name in parameters)
    if len(node.outputs) > 1 or operator.training_mode or not constant or rank is None:
        return None
    scale, B, mean, var = (draft.constants[name].astype(np.float64) for name in parameters)
    with np.errstate(all="ignore"):  # a negative variance gives NaN, as in the operator
        slope = scale / np.sqrt(var + operator.epsilon)
        offset = B - mean * slope
    stem, shape = node.outputs[0], (-1,) + (1,) * (rank - 2)
    dtype = draft.types[X].dtype
    factor = draft.constant(f"{stem}_slope", slope.astype(dtype).reshape(shape))
    term = draft.constant(f"{stem}_offset", offset.astype(dtype).reshape(shape))
    scaled = draft.emit(Mul(), (X, factor), f"{stem}_scaled")
    return Node(Add(), (scaled, term), node.outputs, node.name)


RULES: dict[type[Operator], Rule] = {BatchNormalization: _batch_norm}
