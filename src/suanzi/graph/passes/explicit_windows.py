"""Spells out windows: auto_pad and defaults become numbers, and a Pad before a Conv its pads."""

from dataclasses import replace

import numpy as np

from suanzi.graph.graph import Graph, Node
from suanzi.graph.rewrite import Draft, Rule, rewrite
from suanzi.operators._operator import OPERATORS, Ints, Operator
from suanzi.operators._windows import Windowed
from suanzi.operators.convolution import Conv, Convolution
from suanzi.operators.integer_convolution import QLinearConv
from suanzi.operators.joining import Pad
from suanzi.operators.shape import Reshape, Squeeze, Unsqueeze


def explicit_windows(graph: Graph) -> Graph:
    """The graph with kernel_shape, strides, dilations and pads given for every window."""
    return rewrite(graph, RULES)


def _explicit(draft: Draft, node: Node) -> Node | None:
    assert isinstance(node.operator, Windowed)
    data = draft.types[node.inputs[0]]
    kernel = None
    if isinstance(node.operator, Convolution):
        at = 3 if isinstance(node.operator, QLinearConv) else 1
        weights = draft.types[node.inputs[at]]
        if not weights.static:
            return None
        kernel = weights.sizes[2:]
    if not data.static or data.size == 0:  # no window fits into nothing
        return None
    operator = node.operator.explicit(data.sizes[2:], kernel)
    if operator == node.operator:
        return None
    return Node(operator, node.inputs, node.outputs, node.name)


def _conv(draft: Draft, node: Node) -> Node | None:
    return _explicit(draft, node) or _padded(draft, node)


def _padded(draft: Draft, node: Node) -> Node | None:
    """The Conv on what the Pad before it reads, where that pads its spatial axes with zeros."""
    conv = node.operator
    assert isinstance(conv, Conv)
    before = draft.producer(node.inputs[0])
    if before is None or conv.pads is None:
        return None
    if isinstance(before.operator, Reshape | Squeeze | Unsqueeze):
        before = _pad_after_reshape(draft, before)
    if before is None or not isinstance(before.operator, Pad):
        return None
    pads = _zeros(draft, before)
    if pads is None or min(pads) < 0:
        return None
    rank = len(pads) // 2
    begin, end = pads[:rank], pads[rank:]
    if any((*begin[:2], *end[:2])):
        return None
    more = begin[2:] + end[2:]
    operator = replace(conv, pads=tuple(a + b for a, b in zip(conv.pads, more, strict=True)))
    return Node(operator, (before.inputs[0], *node.inputs[1:]), node.outputs, node.name)


def _pad_after_reshape(draft: Draft, reshape: Node) -> Node | None:
    """A Pad before what adds or drops axes of 1, as a Pad after it (which isn't added: the Conv
    takes its place)."""
    pad = draft.producer(reshape.inputs[0])
    if pad is None or not isinstance(pad.operator, Pad):
        return None
    zeros = _zeros(draft, pad)
    if zeros is None or min(zeros) < 0:
        return None
    inner, outer = draft.types[pad.outputs[0]], draft.types[reshape.outputs[0]]
    if not inner.static or not outer.static:
        return None
    old = [axis for axis, size in enumerate(inner.sizes) if size != 1]
    new = [axis for axis, size in enumerate(outer.sizes) if size != 1]
    if [inner.sizes[a] for a in old] != [outer.sizes[a] for a in new]:
        return None
    pads = np.array(zeros).reshape(2, -1)
    moved = np.zeros((2, len(outer.sizes)), np.int64)
    moved[:, new] = pads[:, old]
    sizes = draft.constant(f"{reshape.outputs[0]}_shape", np.array(outer.sizes) - moved.sum(0))
    source = draft.emit(Reshape(), (pad.inputs[0], sizes), f"{reshape.outputs[0]}_unpadded")
    amounts = draft.constant(f"{reshape.outputs[0]}_pads", moved.reshape(-1))
    return Node(Pad(), (source, amounts), reshape.outputs)


def _zeros(draft: Draft, node: Node) -> Ints | None:
    """How much a Pad pads each axis, at the beginning and at the end, if it is with zeros."""
    assert isinstance(node.operator, Pad)
    data, pads, value, axes = (*node.inputs, "", "")[:4]
    rank = draft.types[data].rank
    constants = [draft.constants.get(name) for name in (pads, value, axes) if name]
    if node.operator.mode != "constant" or rank is None or any(c is None for c in constants):
        return None
    if value and draft.constants[value].any():
        return None
    widths = node.operator.widths(rank, draft.constants[pads], draft.constants.get(axes))
    return (*(before for before, _ in widths), *(after for _, after in widths))


RULES: dict[type[Operator], Rule] = {
    **{kind: _explicit for kind in OPERATORS.values() if issubclass(kind, Windowed)},
    Conv: _conv,
}
