"""Folds constant factors and terms into the weights and bias of the operator before."""

from collections import Counter
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from suanzi.graph.graph import Graph, Node
from suanzi.graph.rewrite import Draft
from suanzi.operators._operator import Array, Operator
from suanzi.operators.arithmetic import Add, Div, Mul, Sub
from suanzi.operators.convolution import Conv, ConvTranspose
from suanzi.operators.linear import Gemm, MatMul

BODIES: tuple[type[Operator], ...] = (Conv, ConvTranspose, Gemm, MatMul)
"""The operators that multiply matrices: weights are their second input, a bias their third."""


class Line(NamedTuple):
    """Y · slope + offset; each float64, one number or one for each channel."""

    slope: Array
    offset: Array

    def then(self, after: "Line") -> "Line":
        return Line(self.slope * after.slope, self.offset * after.slope + after.offset)


ZERO, ONE = np.array(0.0), np.array(1.0)


def fold_scale(graph: Graph) -> Graph:
    """Mul, Div, Add and Sub with a number or one for each channel, right after a Conv,
    ConvTranspose, Gemm or MatMul of constant weights whose output nothing else reads, go into
    the weights and the bias. These are computed in float64 and rounded once.
    """
    draft = Draft(graph)
    reads = Counter(name for node in graph.nodes for name in node.inputs)
    reads.update(graph.outputs)
    lines: dict[str, Line] = {}  # by the body's output
    for original in graph.nodes:
        node = draft.resolve(original)
        for at, source in enumerate(node.inputs):
            line = _line(draft, node, at) if reads[original.inputs[at]] == 1 else None
            if line is not None:
                lines[source] = lines.get(source, Line(ONE, ZERO)).then(line)
                draft.same(node.outputs[0], source)
                break
        else:
            draft.add(node)
    for name, line in lines.items():
        _apply(draft, name, line)
    return draft.finish()


def _line(draft: Draft, node: Node, at: int) -> Line | None:
    """What the node does to its input `at`, if that is a body's output and the body can do it."""
    if not isinstance(node.operator, Add | Sub | Mul | Div):
        return None
    source, other = node.inputs[at], draft.constants.get(node.inputs[1 - at])
    body, type = draft.producer(source), draft.types[source]
    if body is None or other is None or type.shape is None or type.dtype.kind != "f":
        return None
    if not isinstance(body.operator, BODIES) or draft.types[node.outputs[0]] != type:
        return None
    weights = draft.constants.get(body.inputs[1])
    if weights is None or any(name and name not in draft.constants for name in body.inputs[2:]):
        return None
    additive = isinstance(node.operator, Add | Sub)
    if isinstance(body.operator, MatMul) and (additive or weights.ndim < 2):
        return None  # it has no bias
    rank = len(type.shape)
    axis = 1 if isinstance(body.operator, Conv | ConvTranspose) else rank - 1
    sizes = (1,) * (rank - other.ndim) + other.shape
    if any(size != 1 for i, size in enumerate(sizes) if i != axis):
        return None
    number = other.astype(np.float64).reshape(-1 if other.size > 1 else ())
    with np.errstate(all="ignore"):
        match node.operator:
            case Add():
                line = Line(ONE, number)
            case Sub():
                line = Line(ONE, -number) if at == 0 else Line(-ONE, number)
            case Mul():
                line = Line(number, ZERO)
            case _:
                line = Line(1 / number, ZERO)
    divides = isinstance(node.operator, Div) and at == 1
    finite = np.isfinite(line.slope).all() and np.isfinite(line.offset).all()
    return line if finite and not divides else None


def _apply(draft: Draft, name: str, line: Line) -> None:
    """Puts the line into the weights and the bias of the body that makes the value."""
    body = draft.producer(name)
    assert body is not None
    operator, (data, weights, *rest) = body.operator, body.inputs
    W = draft.constants[weights]
    bias = draft.constants[rest[0]].astype(np.float64) if rest and rest[0] else ZERO
    if isinstance(operator, Gemm):
        bias = bias * operator.beta
        operator = replace(operator, beta=1.0)
    bias = bias * line.slope + line.offset
    if (line.slope != 1).any():
        slope = line.slope.astype(W.dtype)  # in the weights' own type: four times as fast
        weights = draft.constant(f"{weights}_scaled", W * _along(operator, W, slope))
    inputs = [data, weights]
    if bias.any():
        if not isinstance(operator, Gemm):
            # The shape is W's to tell: the output's may be unknown.
            each = isinstance(operator, ConvTranspose) and operator.group
            bias = np.broadcast_to(bias, W.shape[1] * each if each else W.shape[0])
        inputs.append(draft.constant(f"{name}_bias", bias.astype(W.dtype)))
    draft.amend(body, operator, inputs)


def _along(operator: Operator, W: Array, slope: Array) -> Array:
    """The slope in a shape that broadcasts over the weights, along their output channels."""
    if slope.ndim == 0:
        return slope
    if isinstance(operator, Conv):
        return slope.reshape(-1, *(1,) * (W.ndim - 1))
    if isinstance(operator, ConvTranspose):
        # W is [C, M/group, ...]: the inputs of a group have the slopes of its outputs.
        each = slope.reshape(operator.group, 1, W.shape[1])
        each = np.repeat(each, W.shape[0] // operator.group, 1)
        return each.reshape(W.shape[:2] + (1,) * (W.ndim - 2))
    return slope[:, None] if isinstance(operator, Gemm) and operator.transB else slope
