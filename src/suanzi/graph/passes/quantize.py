"""Finds what a quantized model means to be computed in small integers."""

from collections.abc import Mapping
from dataclasses import fields
from typing import NamedTuple

import numpy as np

from suanzi.graph.graph import Graph, Node
from suanzi.graph.quantized import MAX_STRIDE, Dequantize, Quantize, QuantizedConv, QuantizedMatMul
from suanzi.graph.rewrite import Draft, Rule, rewrite
from suanzi.operators._axes import axis_of
from suanzi.operators._operator import Array, Operator
from suanzi.operators.arithmetic import Add
from suanzi.operators.cast import Cast
from suanzi.operators.convolution import Conv
from suanzi.operators.integer_convolution import QLinearConv
from suanzi.operators.linear import Gemm, MatMul
from suanzi.operators.quantization import (
    FLOAT32,
    DequantizeLinear,
    MatMulInteger,
    QLinearMatMul,
    QuantizeLinear,
)
from suanzi.operators.shape import Reshape

BYTES = ("int8", "uint8")
LONGEST = 1 << 16
"""The most products of 8 bits whose sum always fits int32."""

FEWEST = 16
"""Channels and filters of a group of a convolution in integers."""


def quantize(graph: Graph) -> Graph:
    """Products of dequantized values become products of integers that are scaled afterwards, and
    QuantizeLinear and DequantizeLinear elementwise operators, which chains can take in.

    A product's sum is exact then, where sums of float32 products would each be rounded: results
    differ by that rounding, so that one that is quantized again may fall to the next number.
    """
    return rewrite(rewrite(graph, PRODUCTS), ELEMENTWISE)


class Quantized(NamedTuple):
    """A value (q - zero_point) · scale: the names of q and zero_point, and the scale. One number
    of each, or one for each index along the axis."""

    q: str
    zero_point: str
    scale: Array
    axis: int | None


def _quantized(draft: Draft, name: str) -> Quantized | None:
    """What the value is dequantized from, with constant scale and zero point; None if it isn't."""
    node = draft.producer(name)
    if node is None or not isinstance(node.operator, DequantizeLinear | Dequantize):
        return None
    q, scale_name, *rest = node.inputs
    type, scale = draft.types[q], draft.constants.get(scale_name)
    if isinstance(node.operator, Dequantize):  # the pass ran before, with sizes unknown
        zero_point = draft.constants.get(rest[0])
        if scale is None or zero_point is None or scale.size * zero_point.size > 1:
            return None
        zero = draft.constant("zero_point", zero_point.astype(type.dtype))
        return Quantized(q, zero, scale.reshape(()), None)
    if type.dtype.name not in BYTES or type.shape is None or draft.types[name].dtype != FLOAT32:
        return None
    if scale is None or scale.ndim > 1 or scale.dtype != FLOAT32:
        return None
    zero = rest[0] if rest and rest[0] else draft.constant("zero_point", np.zeros((), type.dtype))
    if zero not in draft.constants:
        return None
    one = scale.size == 1 and draft.constants[zero].size == 1
    return Quantized(q, zero, scale, None if one else axis_of(node.operator.axis, len(type.shape)))


def _product(draft: Draft, node: Node, transposed: bool = False) -> tuple[str, ...] | None:
    """The inputs of the QuantizedMatMul that a MatMul or Gemm of dequantized values is."""
    a, b = (_quantized(draft, name) for name in node.inputs[:2])
    if a is None or b is None or a.axis is not None:
        return None
    shape = draft.types[b.q].shape
    assert shape is not None
    if transposed:
        if b.q not in draft.constants:
            return None
        turned = draft.constant(f"{b.q}_transposed", np.ascontiguousarray(draft.constants[b.q].T))
        b = Quantized(turned, b.zero_point, b.scale, None if b.axis is None else 1 - b.axis)
        shape = shape[::-1]
    if len(shape) < 2 or not isinstance(shape[-2], int) or shape[-2] > LONGEST:
        return None
    if b.axis is not None and b.axis != len(shape) - 1:
        return None
    scale = draft.constant("scale", a.scale.reshape(()) * b.scale)
    return (a.q, b.q, a.zero_point, b.zero_point, scale)


def _matmul(draft: Draft, node: Node) -> Node | None:
    inputs = _product(draft, node)
    return None if inputs is None else Node(QuantizedMatMul(), inputs, node.outputs, node.name)


def _gemm(draft: Draft, node: Node) -> Node | None:
    gemm = node.operator
    assert isinstance(gemm, Gemm)
    C = node.inputs[2] if len(node.inputs) > 2 else ""
    if gemm.transA or gemm.alpha != 1 or (C and gemm.beta != 1):
        return None
    inputs = _product(draft, node, bool(gemm.transB))
    if inputs is None:
        return None
    if not C:
        return Node(QuantizedMatMul(), inputs, node.outputs, node.name)
    product = draft.emit(QuantizedMatMul(), inputs, f"{node.outputs[0]}:product")
    return Node(Add(), (product, C), node.outputs, node.name)


def _qlinear_matmul(draft: Draft, node: Node) -> Node | None:
    """Where all but B's columns have one constant scale and zero point."""
    a, a_scale, a_zero, b, b_scale, b_zero, y_scale, y_zero = node.inputs
    if any(name not in draft.constants for name in (a_scale, b_scale, y_scale, y_zero)):
        return None
    scales = [draft.constants[name].astype(np.float32) for name in (a_scale, b_scale, y_scale)]
    ones = (a_scale, a_zero, y_scale, y_zero)
    if any(draft.types[name].size != 1 for name in ones) or scales[1].ndim > 1:
        return None
    scale = draft.constant("scale", scales[0].reshape(()) * scales[1] / scales[2].reshape(()))
    product = draft.emit(
        QuantizedMatMul(), (a, b, a_zero, b_zero, scale), f"{node.outputs[0]}:product"
    )
    one = draft.constant("one", np.ones((), np.float32))
    zero = draft.constants[y_zero]
    zero_point = draft.constant("zero_point", zero.astype(np.float32).reshape(()))
    return Node(Quantize(zero.dtype.name), (product, one, zero_point), node.outputs, node.name)


def _conv(draft: Draft, node: Node) -> Node | None:
    """Of constant weights whose zero point is the middle, with enough channels in a group that
    gathering what windows see pays."""
    conv = node.operator
    assert isinstance(conv, Conv)
    x, w = (_quantized(draft, name) for name in node.inputs[:2])
    if x is None or w is None or x.axis is not None or w.axis not in (None, 0):
        return None
    if w.q not in draft.constants:
        return None
    W, middle = draft.constants[w.q], draft.constants[w.zero_point]
    if (middle != (128 if W.dtype == np.uint8 else 0)).any() or W.ndim not in (3, 4):
        return None
    few = conv.group > 1 and min(W.shape[1], len(W) // conv.group) < FEWEST
    if few or W[0].size > LONGEST or max(conv.strides or (1,)) > MAX_STRIDE:
        return None
    scale = draft.constant("scale", x.scale.reshape(()) * w.scale)
    operator = QuantizedConv(**{field.name: getattr(conv, field.name) for field in fields(conv)})
    inputs = (x.q, w.q, x.zero_point, w.zero_point, scale)
    bias = node.inputs[2] if len(node.inputs) > 2 else ""
    if not bias:
        return Node(operator, inputs, node.outputs, node.name)
    made = draft.emit(operator, inputs, f"{node.outputs[0]}:product")
    columns = draft.constant("shape", np.array([len(W), *(1,) * (W.ndim - 2)]))
    bias = draft.emit(Reshape(), (bias, columns), f"{bias}:columns")
    return Node(Add(), (made, bias), node.outputs, node.name)


def _qlinear_conv(draft: Draft, node: Node) -> Node | None:
    """As DequantizeLinear, Conv and QuantizeLinear: the bias is added after sums are scaled."""
    x, x_scale, x_zero, w, w_scale, w_zero, y_scale, y_zero, *bias = node.inputs
    known = (x_scale, w, w_scale, w_zero, y_scale, y_zero, *filter(None, bias))
    if any(name not in draft.constants for name in known):
        return None
    output = node.outputs[0]
    x = draft.emit(DequantizeLinear(), (x, x_scale, x_zero), f"{x}:float")
    filters = draft.emit(DequantizeLinear(axis=0), (w, w_scale, w_zero), f"{w}:float")
    B = ""
    if bias and bias[0]:
        unit = draft.constants[x_scale].reshape(()) * draft.constants[w_scale].reshape(-1)
        counts = draft.constants[bias[0]].astype(np.float32)
        B = draft.constant(f"{bias[0]}:float", counts * unit)
    attributes = {field.name: getattr(node.operator, field.name) for field in fields(Conv)}
    made = draft.fresh(f"{output}:float")
    conv = Node(Conv(**attributes), (x, filters, B), (made,))
    draft.add(_conv(draft, conv) or conv)
    return Node(QuantizeLinear(), (made, y_scale, y_zero), node.outputs, node.name)


def _cast(draft: Draft, node: Node) -> Node | None:
    """MatMulInteger's result as float32: dynamically quantized models scale it afterwards."""
    made = draft.producer(node.inputs[0])
    if made is None or not isinstance(made.operator, MatMulInteger):
        return None
    if draft.types[node.outputs[0]].dtype != FLOAT32:
        return None
    A, B, *zeros = (*made.inputs, "", "")[:4]
    for i, q in enumerate((A, B)):
        if not zeros[i]:
            zeros[i] = draft.constant("zero_point", np.zeros((), draft.types[q].dtype))
    if not draft.types[zeros[0]].static or draft.types[zeros[0]].size != 1:
        return None
    one = draft.constant("one", np.ones((), np.float32))
    return Node(QuantizedMatMul(), (A, B, *zeros, one), node.outputs, node.name)


def _against(draft: Draft, node: Node) -> tuple[str, str] | None:
    """Scale and zero point of a (De)QuantizeLinear as float32 that broadcast; None if they can't
    be had."""
    operator = node.operator
    assert isinstance(operator, QuantizeLinear | DequantizeLinear)
    x, scale, *rest = node.inputs
    shape = draft.types[x].shape
    zero = draft.constants.get(rest[0]) if rest and rest[0] else np.zeros((), np.float32)
    if zero is None or shape is None or draft.types[scale].dtype != FLOAT32:
        return None
    if draft.types[scale].shape not in ((), (1,)):
        if scale not in draft.constants or draft.constants[scale].ndim > 1:
            return None
        columns = (-1, *(1,) * (len(shape) - axis_of(operator.axis, len(shape)) - 1))
        scale = draft.constant(f"{scale}_spread", draft.constants[scale].reshape(columns))
    else:
        columns = ()
    spread = zero.astype(np.float32).reshape(columns if zero.size > 1 else ())
    return scale, draft.constant("zero_point", spread)


def _quantize(draft: Draft, node: Node) -> Node | None:
    operator, dtype = node.operator, draft.types[node.outputs[0]].dtype
    assert isinstance(operator, QuantizeLinear)
    if dtype.name not in BYTES or draft.types[node.inputs[0]].dtype != FLOAT32:
        return None
    if operator.precision not in (0, 1):  # float32
        return None
    against = _against(draft, node)
    if against is None:
        return None
    return Node(Quantize(dtype.name), (node.inputs[0], *against), node.outputs, node.name)


def _dequantize(draft: Draft, node: Node) -> Node | None:
    x = node.inputs[0]
    if x in draft.constants or draft.types[x].dtype.name not in BYTES:
        return None
    if draft.types[node.outputs[0]].dtype != FLOAT32:
        return None
    against = _against(draft, node)
    return None if against is None else Node(Dequantize(), (x, *against), node.outputs, node.name)


PRODUCTS: Mapping[type[Operator], Rule] = {
    Cast: _cast,
    Conv: _conv,
    Gemm: _gemm,
    MatMul: _matmul,
    QLinearConv: _qlinear_conv,
    QLinearMatMul: _qlinear_matmul,
}
ELEMENTWISE: Mapping[type[Operator], Rule] = {
    DequantizeLinear: _dequantize,
    QuantizeLinear: _quantize,
}
