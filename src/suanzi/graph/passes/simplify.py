"""Small rewrites of one node at a time: what does nothing goes, what is costly is put simply."""

import math

import numpy as np

from suanzi.graph.graph import Graph, Node
from suanzi.graph.rewrite import Draft, Rule, rewrite
from suanzi.operators._operator import Array, Operator
from suanzi.operators.arithmetic import Add, Div, Mul, Pow, Sqrt, Sub, Sum
from suanzi.operators.cast import Cast, CastLike, Identity
from suanzi.operators.dropout import Dropout
from suanzi.operators.joining import Concat, Pad, Slice
from suanzi.operators.logic import Where
from suanzi.operators.pooling import AveragePool, GlobalAveragePool, GlobalMaxPool, MaxPool
from suanzi.operators.reduction import ReduceMax, ReduceMean, ReduceMin, ReduceProd, ReduceSum
from suanzi.operators.shape import Expand, Reshape


def simplify(graph: Graph) -> Graph:
    """The graph without nodes that leave their input as it is, and with cheaper ones for some."""
    return rewrite(graph, RULES)


def _input(draft: Draft, node: Node) -> str | None:
    """The first input, where the output has its type and so must equal it."""
    first, output = draft.types[node.inputs[0]], draft.types[node.outputs[0]]
    return node.inputs[0] if first == output and first.static else None


def _identity(draft: Draft, node: Node) -> str | None:
    return node.inputs[0] if len(node.outputs) == 1 else None


def _cast(draft: Draft, node: Node) -> Node | str | None:
    x, y = draft.types[node.inputs[0]].dtype, draft.types[node.outputs[0]].dtype
    if x == y:
        return node.inputs[0]
    if x != np.bool_ or y not in (np.float32, np.int32, np.int64):
        return None
    numbers = [draft.constant(f"{node.outputs[0]}_{n}", np.array(n, y)) for n in (1, 0)]
    return Node(Where(), (node.inputs[0], *numbers), node.outputs, node.name)  # chains know it


def _dropout(draft: Draft, node: Node) -> str | None:
    """At inference; in training it does something."""
    training = node.inputs[2] if len(node.inputs) > 2 else ""
    known = draft.constants.get(training, np.array(training != ""))
    return None if known.any() else _identity(draft, node)


def _slice(draft: Draft, node: Node) -> str | None:
    """A slice of everything, forwards."""
    steps = draft.constants.get(node.inputs[4]) if len(node.inputs) > 4 else np.array(1)
    return _input(draft, node) if steps is not None and (steps > 0).all() else None


def _pad(draft: Draft, node: Node) -> str | None:
    pads = draft.constants.get(node.inputs[1])
    return _input(draft, node) if pads is not None and not pads.any() else None


def _pool(draft: Draft, node: Node) -> str | None:
    """Windows of one element each."""
    operator = node.operator
    assert isinstance(operator, AveragePool | MaxPool)
    alone = len(node.outputs) == 1 and {*operator.kernel_shape, *(operator.strides or ())} == {1}
    return _input(draft, node) if alone else None


def _concat(draft: Draft, node: Node) -> str | None:
    return node.inputs[0] if len(node.inputs) == 1 else None


def _sum(draft: Draft, node: Node) -> Node | str | None:
    """Sum in additions of two, which chains and residual blocks know."""
    first, *others = node.inputs
    if not others:
        return first
    for other in others[:-1]:
        first = draft.emit(Add(), (first, other), node.outputs[0])
    return Node(Add(), (first, others[-1]), node.outputs, node.name)


def _neutral(number: float, *, commutes: bool) -> Rule:
    """Add 0, Mul 1 and their like are their other input, unless the constant broadcasts it."""

    def rule(draft: Draft, node: Node) -> str | None:
        pairs = [node.inputs, node.inputs[::-1]] if commutes else [node.inputs]
        for kept, other in pairs:
            constant, type = draft.constants.get(other), draft.types[kept]
            if constant is None or not type.static or type != draft.types[node.outputs[0]]:
                continue
            if _is(constant, number):  # x + 0 is x but for x = -0, which nothing tells from 0
                return kept
        return None

    return rule


def _div(draft: Draft, node: Node) -> Node | str | None:
    """Division by a number, float32, as multiplication: some times faster, at most an ulp off."""
    divisor = draft.constants.get(node.inputs[1])
    if divisor is None or divisor.dtype != np.float32:
        return None
    if _is(divisor, 1):
        return _input(draft, node)
    with np.errstate(all="ignore"):
        inverse = np.asarray(1 / divisor, np.float32)
    if not np.isfinite(inverse).all() or (np.abs(inverse) < np.finfo(np.float32).tiny).any():
        return None
    name = draft.constant(f"{node.inputs[1]}_inverse", inverse)
    return Node(Mul(), (node.inputs[0], name), node.outputs, node.name)


def _pow(draft: Draft, node: Node) -> Node | str | None:
    base, exponent = node.inputs
    power = draft.constants.get(exponent)
    if power is None or power.size != 1 or len(power.shape) > len(draft.types[base].shape or ()):
        return None
    if _is(power, 1):
        return base
    if _is(power, 2):
        return Node(Mul(), (base, base), node.outputs, node.name)
    floating = draft.types[base].dtype.kind == "f"
    return Node(Sqrt(), (base,), node.outputs, node.name) if _is(power, 0.5) and floating else None


def _reduce(draft: Draft, node: Node) -> Node | None:
    """A mean, sum, product or extreme of one element each."""
    first, output = draft.types[node.inputs[0]], draft.types[node.outputs[0]]
    if not first.static or not output.static or first.size != output.size or not output.size:
        return None
    shape = draft.constant(f"{node.outputs[0]}_shape", np.array(output.sizes, np.int64))
    return Node(Reshape(), (node.inputs[0], shape), node.outputs, node.name)


def _is(array: Array, number: float) -> bool:
    return array.size > 0 and math.prod(array.shape) <= 1 << 16 and bool((array == number).all())


RULES: dict[type[Operator], Rule] = {
    Add: _neutral(0, commutes=True),
    AveragePool: _pool,
    Cast: _cast,
    CastLike: _cast,
    Concat: _concat,
    Div: _div,
    Dropout: _dropout,
    Expand: _input,
    GlobalAveragePool: _input,
    GlobalMaxPool: _input,
    Identity: _identity,
    MaxPool: _pool,
    Mul: _neutral(1, commutes=True),
    Pad: _pad,
    Pow: _pow,
    **dict.fromkeys((ReduceMax, ReduceMean, ReduceMin, ReduceProd, ReduceSum), _reduce),
    Slice: _slice,
    Sub: _neutral(0, commutes=False),
    Sum: _sum,
}
