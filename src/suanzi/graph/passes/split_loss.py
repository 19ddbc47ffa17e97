"""Cross entropy as softmax and what takes from it, and its gradient as a chain that fuses."""

import numpy as np

from suanzi.graph.graph import Graph, Node
from suanzi.graph.rewrite import Draft, rewrite
from suanzi.operators._operator import Operator
from suanzi.operators.arithmetic import Exp, Mul, Neg, Sub
from suanzi.operators.indexing import GatherElements
from suanzi.operators.logic import Equal, Less, Where
from suanzi.operators.loss import (
    SoftmaxCrossEntropyLoss,
    SoftmaxCrossEntropyLossGradient,
    class_numbers,
)
from suanzi.operators.shape import Reshape
from suanzi.operators.softmax import LogSoftmax


def split_loss(graph: Graph) -> Graph:
    """The graph with kernels' operators for losses of float32, those of each sample alone."""
    rules = {SoftmaxCrossEntropyLoss: _loss, SoftmaxCrossEntropyLossGradient: _gradient}
    return rewrite(graph, rules)


class _Emitter:
    """Adds nodes and constants in a node's place."""

    def __init__(self, draft: Draft, node: Node, scores: str) -> None:
        self.draft, self.stem, self.sizes = draft, node.outputs[0], draft.types[scores].sizes

    def __call__(self, operator: Operator, *inputs: str | int) -> str:
        """Numbers are float32's."""
        names = [x if isinstance(x, str) else self.number(x, np.float32) for x in inputs]
        return self.draft.emit(operator, names, self.stem)

    def number(self, value: int, dtype: type) -> str:
        return self.draft.constant(self.stem, np.array(value, dtype))

    def column(self, name: str) -> str:
        """A number for each sample, beside its classes."""
        N, _, *sizes = self.sizes
        shape = self.draft.constant(self.stem, np.array((N, 1, *sizes), np.int64))
        return self(Reshape(), name, shape)


def _fits(draft: Draft, scores: str, labels: str) -> bool:
    type, kind = draft.types[scores], draft.types[labels].dtype
    return type.static and type.dtype == "float32" and type.size > 0 and kind == np.int64


def _loss(draft: Draft, node: Node) -> Node | None:
    operator, (scores, labels, *weights) = node.operator, node.inputs
    assert isinstance(operator, SoftmaxCrossEntropyLoss)
    plain = operator.reduction == "none" and operator.ignore_index is None and not any(weights)
    if not plain or not _fits(draft, scores, labels):
        return None
    emit = _Emitter(draft, node, scores)
    Y, *rest = node.outputs
    log_prob = rest[0] if rest and rest[0] else draft.fresh(Y)
    logarithm = Node(LogSoftmax(axis=1), (scores,), (log_prob,))
    if not Y:
        return logarithm
    draft.add(logarithm)
    classes = emit.number(emit.sizes[1], np.int64)
    negative = emit(Less(), labels, emit.number(0, np.int64))  # no class, not one from the end
    places = emit(Where(), negative, classes, labels)
    found = emit(GatherElements(axis=1), log_prob, emit.column(places))
    shape = draft.constant(Y, np.array(draft.types[Y].sizes, np.int64))
    return Node(Neg(), (emit(Reshape(), found, shape),), (Y,), node.name)


def _gradient(draft: Draft, node: Node) -> Node | None:
    dY, log_prob, labels = node.inputs
    if not _fits(draft, log_prob, labels):
        return None
    emit = _Emitter(draft, node, log_prob)
    numbers = draft.constant(node.outputs[0], class_numbers(emit.sizes, np.dtype(np.int64)))
    chosen = emit(Where(), emit(Equal(), emit.column(labels), numbers), 1, 0)
    slope = emit(Sub(), emit(Exp(), log_prob), chosen)
    return Node(Mul(), (emit.column(dY), slope), node.outputs, node.name)
