"""Batch normalization in training as reductions and elementwise operators, which then fuse."""

import numpy as np

from suanzi.graph.graph import Graph, Node
from suanzi.graph.rewrite import Draft, rewrite
from suanzi.operators.arithmetic import Add, Mul, Reciprocal, Sqrt, Sub
from suanzi.operators.normalization import BatchNormalization
from suanzi.operators.reduction import ReduceMean
from suanzi.operators.shape import Reshape


def split_batch_norm(graph: Graph) -> Graph:
    """The variance is the mean square of what is left without the mean: exact where that is large.

    In float32 alone; statistics at inference fold into weights instead.
    """
    return rewrite(graph, {BatchNormalization: _split})


def _split(draft: Draft, node: Node) -> Node | None:
    operator, (X, scale, B, *running) = node.operator, node.inputs
    assert isinstance(operator, BatchNormalization)
    type = draft.types[X]
    if not operator.training_mode or not type.static or type.dtype != np.float32 or not type.size:
        return None
    stem, rank = node.outputs[0], len(type.sizes)
    axes = draft.constant(f"{stem}_axes", np.array([0, *range(2, rank)], np.int64))
    shape = (type.sizes[1], *(1,) * (rank - 2))
    column = draft.constant(f"{stem}_column", np.array(shape, np.int64))
    epsilon = draft.constant(f"{stem}_epsilon", np.array(operator.epsilon, np.float32))

    def emit(operator: object, *inputs: str) -> str:
        return draft.emit(operator, inputs, stem)  # type: ignore[arg-type]

    mean = emit(ReduceMean(), X, axes)
    centred = emit(Sub(), X, mean)
    variance = emit(ReduceMean(), emit(Mul(), centred, centred), axes)
    inverse = emit(Reciprocal(), emit(Sqrt(), emit(Add(), variance, epsilon)))
    slope = emit(Mul(), inverse, emit(Reshape(), scale, column))
    for made, old, output in zip((mean, variance), running, node.outputs[1:], strict=False):
        if output:
            draft.add(_mixed(draft, operator.momentum, made, old, output))
    scaled = emit(Mul(), centred, slope)
    return Node(Add(), (scaled, emit(Reshape(), B, column)), node.outputs[:1], node.name)


def _mixed(draft: Draft, momentum: float, new: str, old: str, output: str) -> Node:
    """old · momentum + new · (1 - momentum), for each channel."""
    shape = draft.constant(f"{output}_shape", np.array(draft.types[output].sizes, np.int64))
    if momentum == 0:
        return Node(Reshape(), (new, shape), (output,))
    parts = [
        draft.emit(
            Mul(), (value, draft.constant(f"{output}_part", np.array(part, np.float32))), output
        )
        for value, part in (
            (old, momentum),
            (draft.emit(Reshape(), (new, shape), output), 1 - momentum),
        )
    ]
    return Node(Add(), tuple(parts), (output,))
