"""Batch normalization, in inference a line for each channel, as multiplication and addition."""

import numpy as np

from suanzi.graph.graph import Graph, Node
from suanzi.graph.rewrite import Draft, Rule, rewrite
from suanzi.operators._operator import Operator
from suanzi.operators.arithmetic import Add, Div, Mul, Sqrt, Sub
from suanzi.operators.normalization import BatchNormalization
from suanzi.operators.shape import Reshape


def fold_batch_norm(graph: Graph) -> Graph:
    """(X - mean) / √(var + ε) · scale + B becomes X · slope + offset: two constants where all but X
    are constant; else, in float32, a few numbers made in each run.
    """
    return rewrite(graph, RULES)


def _batch_norm(draft: Draft, node: Node) -> Node | None:
    operator = node.operator
    assert isinstance(operator, BatchNormalization)
    X, *parameters = node.inputs
    rank = draft.types[X].rank
    if len(node.outputs) > 1 or operator.training_mode or rank is None:
        return None
    if any(name not in draft.constants for name in parameters):
        return _arriving(draft, node, operator)
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


def _arriving(draft: Draft, node: Node, operator: BatchNormalization) -> Node | None:
    X, scale, B, mean, var = node.inputs
    types, stem = [draft.types[name] for name in node.inputs], node.outputs[0]
    if not types[0].static or len(types[0].sizes) < 2 or any(t.dtype != np.float32 for t in types):
        return None
    shape = (types[0].sizes[1], *(1,) * (len(types[0].sizes) - 2))
    column = draft.constant(f"{stem}_column", np.array(shape, np.int64))
    epsilon = draft.constant(f"{stem}_epsilon", np.array(operator.epsilon, np.float32))
    deviation = draft.emit(Sqrt(), (draft.emit(Add(), (var, epsilon), stem),), stem)
    slope = draft.emit(Div(), (scale, deviation), stem)
    offset = draft.emit(Sub(), (B, draft.emit(Mul(), (mean, slope), stem)), stem)
    factor, term = (draft.emit(Reshape(), (x, column), stem) for x in (slope, offset))
    return Node(Add(), (draft.emit(Mul(), (X, factor), stem), term), node.outputs, node.name)


RULES: dict[type[Operator], Rule] = {BatchNormalization: _batch_norm}
