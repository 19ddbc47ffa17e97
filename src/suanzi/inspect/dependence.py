"""Which places of an operator's inputs a part of its output depends on, by its kind."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from suanzi.errors import SuanziError
from suanzi.graph import Graph, Node
from suanzi.graph.evaluate import evaluate_node
from suanzi.inspect.part import MOST_MOVED, Call, Masks, Needed, Unknown, everything
from suanzi.inspect.windows import (
    convolution_rule,
    groups_of,
    pool_rule,
    resize_rule,
    transposed_rule,
)
from suanzi.operators import (
    cast,
    channel_shuffle,
    convolution,
    dropout,
    filling,
    indexing,
    joining,
    linear,
    normalization,
    pooling,
    quantization,
    reduction,
    resize,
    shape,
    softmax,
)
from suanzi.operators._elementwise import Elementwise
from suanzi.operators._operator import Array, Operator


def dependence(
    graph: Graph, node: Node, place: int, masks: Masks, known: Mapping[str, Any]
) -> list[Needed]:
    """What matters of each input for a part of the output number `place`."""
    call = Call(graph, node, place, masks, known)
    rule = next((r for kind, r in RULES.items() if isinstance(node.operator, kind)), None)
    if rule is None:
        return call.all(exact=False)
    try:
        return rule(call)
    except (SuanziError, Unknown):  # contents that only a run would show
        return call.all(exact=False)


def _broadcast(call: Call) -> list[Needed]:
    """Each element of the output from the same place of each input."""
    found: list[Needed] = []
    for i, t in enumerate(call.types):
        if t is None:
            found.append(None)
            continue
        sizes = call.input(i).sizes
        aligned = call.masks[len(call.masks) - len(sizes) :]
        found.append((tuple(_seen(n, m) for n, m in zip(sizes, aligned, strict=True)), True))
    return found


def _seen(size: int, mask: Array) -> Array:
    return mask.copy() if size == len(mask) else np.full(size, mask.any())


def _channelwise(call: Call) -> list[Needed]:
    """The first input at the same place, others at the channel; in training all of the channel,
    for its mean and variance."""
    if call.operator.training_mode:
        return _in_training(call)
    channels = call.masks[1] if len(call.masks) > 1 else call.masks[0]
    rest: list[Needed] = [
        ((channels.copy(),), True) if t is not None and t.shape == channels.shape else call.whole(i)
        for i, t in enumerate(call.types)
    ]
    return [(tuple(m.copy() for m in call.masks), True), *rest[1:]]


def _in_training(call: Call) -> list[Needed]:
    """All of the channel's elements; the running statistics depend on theirs, Y doesn't."""
    sizes = call.input(0).sizes
    channels = (call.masks[1] if call.place == 0 else call.masks[0]).copy()
    x = tuple(channels if axis == 1 else np.ones(n, bool) for axis, n in enumerate(sizes))
    at: Needed = ((channels,), True)
    match call.place:
        case 0:
            return [(x, True), at, at, None, None]
        case 1:
            return [(x, True), None, None, at, None]
    return [(x, True), None, None, None, at]


def _quantized(call: Call) -> list[Needed]:
    return call.first(tuple(m.copy() for m in call.masks))


def _spatial(call: Call) -> list[Needed]:
    """All places of the same channels."""
    sizes = call.input(0).sizes
    kept = [m.copy() for m in call.masks[:2]]
    return call.first((*kept, *(np.ones(n, bool) for n in sizes[2:])))


def _grouped(call: Call) -> list[Needed]:
    sizes = call.input(0).sizes
    channels = groups_of(call.masks[1], call.operator.num_groups, sizes[1])
    return call.first((call.masks[0].copy(), channels, *(np.ones(n, bool) for n in sizes[2:])))


def _trailing(call: Call) -> list[Needed]:
    """All along the axes from one on."""
    sizes = call.input(0).sizes
    axis = call.operator.axis % len(sizes)
    return call.first((*(m.copy() for m in call.masks[:axis]), *_full(sizes[axis:])))


def _full(sizes: Sequence[int]) -> Masks:
    return tuple(np.ones(n, bool) for n in sizes)


def _along(call: Call) -> list[Needed]:
    """All along one axis."""
    sizes = call.input(0).sizes
    axis = call.operator.axis % len(sizes)
    masks = [m.copy() for m in call.masks]
    masks[axis] = np.ones(sizes[axis], bool)
    return call.first(tuple(masks))


def _neighbours(call: Call) -> list[Needed]:
    """Channels around each."""
    masks = [m.copy() for m in call.masks]
    size, count = call.operator.size, len(masks[1])
    before, after = (size - 1) // 2, size // 2
    for c in np.flatnonzero(call.masks[1]):
        masks[1][max(0, c - before) : min(count, c + after + 1)] = True
    return [(tuple(masks), True)]


def _reduction(call: Call) -> list[Needed]:
    sizes = call.input(0).sizes
    op = call.operator
    if isinstance(op, reduction.ArgExtreme):
        axes = [op.axis]
    else:
        given = call.value(1)
        if given is None or not given.size:
            axes = [] if op.noop_with_empty_axes else [*range(len(sizes))]
        else:
            axes = [int(a) for a in given.ravel()]
    over = {a % len(sizes) for a in axes}
    kept = iter(call.masks)
    masks = []
    for axis, n in enumerate(sizes):
        if axis in over:
            if op.keepdims:
                next(kept)
            masks.append(np.ones(n, bool))
        else:
            masks.append(next(kept).copy())
    return call.first(tuple(masks))


def _matmul(call: Call) -> list[Needed]:
    A, B = call.input(0).sizes, call.input(1).sizes
    masks = list(call.masks)
    columns = masks.pop() if len(B) > 1 else np.ones(1, bool)
    rows = masks.pop() if len(A) > 1 else np.ones(1, bool)

    def batch(sizes: Sequence[int]) -> list[Array]:
        aligned = masks[len(masks) - max(0, len(sizes) - 2) :]
        return [_seen(n, m) for n, m in zip(sizes[:-2], aligned, strict=True)]

    inner_a, inner_b = np.ones(A[-1], bool), np.ones(B[0] if len(B) == 1 else B[-2], bool)
    a = (*batch(A), rows.copy(), inner_a) if len(A) > 1 else (inner_a,)
    b = (*batch(B), inner_b, columns.copy()) if len(B) > 1 else (inner_b,)
    rest: list[Needed] = [call.whole(i) for i in range(2, len(call.types))]
    return [(a, True), (b, True), *rest]


def _gemm(call: Call) -> list[Needed]:
    A, B = call.input(0).sizes, call.input(1).sizes
    rows, columns = call.masks
    a = (rows.copy(), np.ones(A[0 if call.operator.transA else 1], bool))
    b = (np.ones(B[1 if call.operator.transB else 0], bool), columns.copy())
    found: list[Needed] = [
        (a[::-1] if call.operator.transA else a, True),
        (b[::-1] if call.operator.transB else b, True),
    ]
    return [*found, *(_broadcast(call)[i] for i in range(2, len(call.types)))]


def _concat(call: Call) -> list[Needed]:
    """Each input its own stretch of the axis."""
    axis = call.operator.axis % len(call.masks)
    found: list[Needed] = []
    begin = 0
    for i in range(len(call.types)):
        end = begin + call.input(i).sizes[axis]
        masks = [m.copy() for m in call.masks]
        masks[axis] = masks[axis][begin:end]
        found.append((tuple(masks), True) if masks[axis].any() else None)
        begin = end
    return found


def _moved(call: Call) -> list[Needed]:
    """Elements that only change their place: the operator, applied to the places themselves."""
    t = call.input(0)
    made = math.prod(len(m) for m in call.masks)
    if isinstance(call.operator, VIEWS) and all(m.all() for m in call.masks):
        return call.first(everything(t))
    if max(t.size, made) > MOST_MOVED:
        raise Unknown
    inputs: list[Any] = [np.arange(t.size).reshape(t.sizes)]
    inputs += [call.value(i) for i in range(1, len(call.types))]
    if isinstance(call.operator, joining.Pad) and call.operator.mode == "constant":
        inputs = [*inputs[:2], np.array(-1), *inputs[3:]]
    moved = evaluate_node(call.node, inputs)[call.place]
    seen = np.zeros(t.size + 1, bool)  # the last stands for what is no element
    seen[moved[np.ix_(*call.masks)] if call.masks else moved] = True
    whole = seen[:-1].reshape(t.sizes)
    axes = range(whole.ndim)
    masks = tuple(np.asarray(whole.any(axis=tuple(k for k in axes if k != axis))) for axis in axes)
    exact = math.prod(int(m.sum()) for m in masks) == int(whole.sum())
    return [(masks, exact), *([None] * (len(call.types) - 1))]


def _nothing(call: Call) -> list[Needed]:
    """Only shapes matter."""
    return [None] * len(call.types)


VIEWS = (shape.Reshape, shape.Transpose, shape.Squeeze, shape.Unsqueeze, shape.Flatten)
MOVERS: tuple[type[Operator], ...] = (
    *VIEWS, shape.Expand, shape.Blocks, joining.Split, joining.Slice, joining.Pad,
    joining.Tile, indexing.Gather, indexing.GatherElements, indexing.GatherND, indexing.Trilu,
    channel_shuffle.ChannelShuffle,
)  # fmt: skip
"""What only moves elements."""

Rule = Callable[[Call], list[Needed]]
RULES: dict[type[Operator], Rule] = {
    Elementwise: _broadcast,
    cast.Cast: _broadcast,
    cast.Identity: _broadcast,
    dropout.Dropout: _quantized,
    quantization.QuantizeLinear: _quantized,
    quantization.DequantizeLinear: _quantized,
    normalization.BatchNormalization: _channelwise,
    normalization.InstanceNormalization: _spatial,
    normalization.GroupNormalization: _grouped,
    normalization.TrailingNormalization: _trailing,
    normalization.LRN: _neighbours,
    convolution.Conv: convolution_rule,
    convolution.ConvTranspose: transposed_rule,
    pooling.Pool: pool_rule,
    pooling.GlobalPool: _spatial,
    joining.Concat: _concat,
    linear.MatMul: _matmul,
    linear.Gemm: _gemm,
    softmax.AlongAxis: _along,
    reduction.Reduction: _reduction,
    reduction.ArgExtreme: _reduction,
    resize.Resize: resize_rule,
    indexing.TopK: _along,
    filling.Shape: _nothing,
    filling.Size: _nothing,
    filling.ConstantOfShape: _nothing,
}
"""By the operator's class; of what isn't here, all of every input matters."""
RULES.update(dict.fromkeys(MOVERS, _moved))
