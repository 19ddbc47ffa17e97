"""Gradient, written out: from y back to the xs, each operator's rule in turn.

Source: https://onnx.ai/onnx/operators/onnx_aionnxpreviewtraining_Gradient.html (version 1)
"""

from collections.abc import Callable

from suanzi.errors import SuanziError
from suanzi.graph import Node
from suanzi.onnx.contrib_steps import Steps

Rule = Callable[[Steps, Node, str], tuple[str, ...]]
"""Writes the gradients of the inputs, from the node and the gradient of its output."""


def gradient(s: Steps) -> tuple[str, ...]:
    """dy/dx for each x of xs: what y's elements, summed, gain with each element of x."""
    xs, zs, y = s.required("xs"), s.attribute("zs", ()), s.required("y")
    if (*xs, *zs) != s.call.inputs:
        raise SuanziError("Gradient at other values isn't supported", expected=(*xs, *zs))
    one = s.like(1.0, y)
    gradients = {y: s("Expand", one, s("Shape", y))}
    needs = set(xs)
    for node in s.graph.nodes:  # what depends on the xs
        if needs.intersection(node.inputs) and not set(xs).intersection(node.outputs):
            needs.update(node.outputs)
    for node in reversed(s.graph.nodes):
        made = gradients.get(node.outputs[0])
        if made is None or node.outputs[0] in xs or not needs.intersection(node.inputs):
            continue
        kind = type(node.operator).__name__
        if kind not in RULES:
            raise SuanziError(f"Gradient has no rule for {kind}", expected=[*RULES])
        for name, part in zip(node.inputs, RULES[kind](s, node, made), strict=True):
            if name in needs:
                part = _shrunk(s, part, name)
                gradients[name] = s("Add", gradients[name], part) if name in gradients else part
    zero = s.like(0.0, y)
    return tuple(s("Identity", gradients[x]) if x in gradients else s("Mul", x, zero) for x in xs)


def _shrunk(s: Steps, made: str, name: str) -> str:
    """Summed over the axes along which the input was broadcast."""
    wide, narrow = s.type(made).shape, s.type(name).shape
    if wide == narrow and wide is not None:
        return made
    if wide is None or narrow is None or None in (*wide, *narrow):
        raise SuanziError("Gradient must know the shape", input=name)
    extra = len(wide) - len(narrow)
    axes = [*range(extra), *(i + extra for i, d in enumerate(narrow) if d != wide[i + extra])]
    return s("Reshape", s("ReduceSum", made, s.constant(axes)), s("Shape", name))


def _mul(s: Steps, node: Node, d: str) -> tuple[str, ...]:
    A, B = node.inputs
    return s("Mul", d, B), s("Mul", d, A)


def _div(s: Steps, node: Node, d: str) -> tuple[str, ...]:
    B = node.inputs[1]
    by_A = s("Div", d, B)
    return by_A, s("Neg", s("Mul", by_A, node.outputs[0]))


def _relu(s: Steps, node: Node, d: str) -> tuple[str, ...]:
    (X,) = node.inputs
    zero = s.like(0.0, X)
    return (s("Where", s("Greater", X, zero), d, zero),)


def _tanh(s: Steps, node: Node, d: str) -> tuple[str, ...]:
    Y = node.outputs[0]
    return (s("Mul", d, s("Sub", s.like(1.0, Y), s("Mul", Y, Y))),)


def _sigmoid(s: Steps, node: Node, d: str) -> tuple[str, ...]:
    Y = node.outputs[0]
    return (s("Mul", d, s("Mul", Y, s("Sub", s.like(1.0, Y), Y))),)


def _sqrt(s: Steps, node: Node, d: str) -> tuple[str, ...]:
    Y = node.outputs[0]
    return (s("Div", d, s("Add", Y, Y)),)


def _matmul(s: Steps, node: Node, d: str) -> tuple[str, ...]:
    A, B = node.inputs
    if s.rank(A) != 2 or s.rank(B) != 2:
        raise SuanziError("Gradient has a rule for products of matrices alone", input=A)
    turned = {"perm": (1, 0)}
    return s("MatMul", d, s("Transpose", B, **turned)), s("MatMul", s("Transpose", A, **turned), d)


RULES: dict[str, Rule] = {
    "Add": lambda s, node, d: (d, d),
    "Div": _div,
    "Exp": lambda s, node, d: (s("Mul", d, node.outputs[0]),),
    "Identity": lambda s, node, d: (d,),
    "Log": lambda s, node, d: (s("Div", d, node.inputs[0]),),
    "MatMul": _matmul,
    "Mul": _mul,
    "Neg": lambda s, node, d: (s("Neg", d),),
    "Relu": _relu,
    "Sigmoid": _sigmoid,
    "Sqrt": _sqrt,
    "Sub": lambda s, node, d: (d, s("Neg", d)),
    "Tanh": _tanh,
}
"""By operator."""
