"""Convolutions over three axes as convolutions over two: the third one's taps become channels."""

from dataclasses import dataclass, replace

import numpy as np

from suanzi.graph.depth import DepthPlaces, DepthWindows
from suanzi.graph.graph import Graph, Node
from suanzi.graph.passes.fold_constants import fold_constants
from suanzi.graph.rewrite import Draft, Rule, rewrite
from suanzi.operators._operator import Ints, Operator
from suanzi.operators._windows import Axis, Windowed
from suanzi.operators.convolution import Conv, ConvTranspose, ConvWeightGradient
from suanzi.operators.joining import Slice
from suanzi.operators.shape import Expand, Reshape, Transpose

END = np.iinfo(np.int64).min  # where a Slice ends that goes down to the first element


def fewer_axes(graph: Graph) -> Graph:
    """The graph without convolutions of float32 over three axes, for which there are no kernels.

    Two axes next to each other along which the filters do nothing become one. Else what the
    filters see along the first axis, D, becomes channels, and the places along D a part of the
    batch.
    """
    made = rewrite(graph, RULES)
    return graph if made.nodes == graph.nodes else fold_constants(made)


@dataclass(frozen=True)
class _Site:
    """A node over three axes, while others are put in its place."""

    draft: Draft
    node: Node
    operator: Windowed
    axes: tuple[Axis, ...]

    def sizes(self, name: str) -> Ints:
        return self.draft.types[name].sizes

    def emit(self, operator: Operator, *inputs: str) -> str:
        return self.draft.emit(operator, inputs, self.node.outputs[0])

    def constant(self, *numbers: int) -> str:
        return self.draft.constant(self.node.outputs[0], np.array(numbers, np.int64))

    def reshape(self, name: str, *shape: int) -> str:
        return self.emit(Reshape(), name, self.constant(*shape))

    def last(self, operator: Operator, *inputs: str) -> Node:
        return Node(operator, inputs, self.node.outputs, self.node.name)

    def reshaped(self, name: str) -> Node:
        """The node's output, from its elements in another shape."""
        return self.last(Reshape(), name, self.constant(*self.sizes(self.node.outputs[0])))

    def without(self, axis: int) -> Windowed:
        """The operator over the two other axes."""
        operator = self.operator.over([a for i, a in enumerate(self.axes) if i != axis])
        if isinstance(operator, ConvTranspose):
            padding = operator.output_padding or (0, 0, 0)
            return replace(operator, output_padding=padding[:axis] + padding[axis + 1 :])
        return operator

    def windows(self, name: str, places: int, depth: Axis) -> str:
        """The value's windows along D as channels."""
        kernel, stride, dilation, begin, _ = depth
        return self.emit(DepthWindows(places, kernel, stride, dilation, begin), name)


def _rule(draft: Draft, node: Node) -> Node | None:
    operator = node.operator
    assert isinstance(operator, Conv | ConvTranspose | ConvWeightGradient)
    types = [draft.types[name] for name in (*node.inputs, *node.outputs) if name]
    if not all(t.static and t.dtype == "float32" and t.size for t in types):
        return None
    if types[0].rank != 5:
        return None
    kernel = node.outputs[0] if isinstance(operator, ConvWeightGradient) else node.inputs[1]
    explicit = operator.explicit(types[0].sizes[2:], draft.types[kernel].sizes[2:])
    site = _Site(draft, node, explicit, tuple(explicit.axes(3)))
    data = (node.inputs[0], node.inputs[1] if kernel == node.outputs[0] else node.outputs[0])
    return _merged(site, data) or WAYS[type(operator)](site)


def _merged(s: _Site, data: tuple[str, str]) -> Node | None:
    """Two axes as one, where a filter's single tap goes over both from end to end."""
    sizes = zip(*(s.sizes(name)[2:] for name in data), strict=True)
    idle = [
        (axis.kernel, axis.stride, axis.begin, axis.end) == (1, 1, 0, 0) and a == b
        for axis, (a, b) in zip(s.axes, sizes, strict=True)
    ]
    if not idle[1] or not (idle[0] or idle[2]):
        return None
    first = 0 if idle[0] else 1

    def merge(name: str) -> str:
        batch, channels, *sizes = s.sizes(name)
        sizes[first : first + 2] = [sizes[first] * sizes[first + 1]]
        return s.reshape(name, batch, channels, *sizes)

    inputs = [merge(name) for name in s.node.inputs[:2]]
    return s.reshaped(s.emit(s.without(first), *inputs, *s.node.inputs[2:]))


def _conv(s: _Site) -> Node | None:
    X, W, *B = s.node.inputs
    depth = s.axes[0]
    places = s.sizes(s.node.outputs[0])[2]
    M, C, _, *kernel = s.sizes(W)
    filters = s.reshape(W, M, C * depth.kernel, *kernel)
    made = s.emit(s.without(0), s.windows(X, places, depth), filters, *B)
    return s.last(DepthPlaces(places), made)


def _gradient(s: _Site) -> Node | None:
    X, dY = s.node.inputs
    depth = s.axes[0]
    places = s.sizes(dY)[2]
    each = s.windows(dY, places, Axis(1, 1, 1, 0, 0))
    return s.reshaped(s.emit(s.without(0), s.windows(X, places, depth), each))


def _transpose(s: _Site) -> Node | None:
    """Output places whose number (plus padding) is the same modulo the stride take the same taps:
    for them it is a convolution along D with those in reverse order.
    """
    X, W, *B = s.node.inputs
    depth = s.axes[0]
    stride = depth.stride
    N, M, D, *sizes = s.sizes(s.node.outputs[0])
    if depth.dilation > 1 < stride or stride > D:
        return None
    made = DepthPlaces(D)
    operator, phases = s.without(0), []
    for phase, count in enumerate(made.counts(stride)):
        q, tap = divmod(phase + depth.begin, stride)
        taps = len(range(tap, depth.kernel, stride))
        if not taps:
            shape = s.constant(N * count, M, *sizes)
            bias = s.reshape(B[0], 1, M, 1, 1) if B and B[0] else _zero(s)
            phases.append(s.emit(Expand(), bias, shape))
            continue
        begin = (taps - 1) * depth.dilation - q
        seen = s.windows(X, count, Axis(taps, 1, depth.dilation, begin, 0))
        phases.append(s.emit(operator, seen, _filters(s, W, tap, taps), *B))
    return s.last(made, *phases)


def _zero(s: _Site) -> str:
    return s.draft.constant(s.node.outputs[0], np.zeros((1, 1, 1, 1), np.float32))


def _filters(s: _Site, W: str, tap: int, taps: int) -> str:
    """W [C, M/group, KD, KH, KW] to [C·taps, M/group, KH, KW]: every stride-th tap from one on, in
    reverse order."""
    C, M, _, *kernel = s.sizes(W)
    stride = s.axes[0].stride
    last = tap + (taps - 1) * stride
    limits = (s.constant(last), s.constant(END), s.constant(2), s.constant(-stride))
    cut = s.emit(Slice(), W, *limits)
    turned = s.emit(Transpose(perm=(0, 2, 1, 3, 4)), cut)
    return s.reshape(turned, C * taps, M, *kernel)


WAYS = {Conv: _conv, ConvTranspose: _transpose, ConvWeightGradient: _gradient}
RULES: dict[type[Operator], Rule] = dict.fromkeys(WAYS, _rule)
