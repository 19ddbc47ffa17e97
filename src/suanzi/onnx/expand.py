"""What ONNX lacks, or an older opset, written out in ONNX's operators: one small function each.

A function is given the operator and the node's inputs as symbols, None where one is left out, and
gives the outputs. The sizes of what ONNX lacks must all be known.
"""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from suanzi.errors import SuanziError
from suanzi.graph import Graph, Node
from suanzi.graph.rewrite import Draft
from suanzi.graph.trace import Trace
from suanzi.onnx import expand_young as young
from suanzi.onnx.expand_losses import ctc_loss
from suanzi.onnx.expand_pooling import (
    adaptive_average_pool,
    adaptive_max_pool,
    average_pool_gradient,
    fractional_max_pool,
    max_pool_gradient,
    unfold,
)
from suanzi.onnx.opsets import objection
from suanzi.operators import (
    GRU,
    LRN,
    LSTM,
    RNN,
    AdaptiveAveragePool,
    AdaptiveMaxPool,
    AveragePool,
    AveragePoolGradient,
    BatchNormalization,
    ChannelShuffle,
    Conv,
    ConvWeightGradient,
    CTCLoss,
    EmbeddingBag,
    Equal,
    FractionalMaxPool,
    Gather,
    Gelu,
    GroupNormalization,
    HardSwish,
    LayerNormalization,
    LessOrEqual,
    LpPool,
    MaxPool,
    MaxPoolGradient,
    Mish,
    ReduceMean,
    ReduceSum,
    Reshape,
    Resize,
    ResizeGradient,
    RMSNormalization,
    ScatterND,
    SoftmaxCrossEntropyLossGradient,
    Squeeze,
    SwiGLU,
    Swish,
    Unfold,
    Where,
)
from suanzi.operators._compose import part
from suanzi.operators._gradients import like, reshape, transpose, zeros
from suanzi.operators._operator import Operator
from suanzi.operators.cast import cast


def channel_shuffle(op: ChannelShuffle, X: Any) -> Any:
    """The channels as a matrix, transposed."""
    N, C, *sizes = X.shape
    grouped = reshape(X, (N, op.group, C // op.group, *sizes))
    order = (0, 2, 1, *range(3, 3 + len(sizes)))
    return reshape(transpose(grouped, *order), X.shape)


def conv_weight_gradient(op: ConvWeightGradient, X: Any, dY: Any) -> Any:
    """A convolution whose batch are the channels of X, and whose filters are those of dY."""
    (N, C, *sizes), G = X.shape, op.group
    axes = op.explicit(tuple(sizes)).axes(len(sizes))
    n = len(sizes)
    grouped = transpose(reshape(X, (N, G, C // G, *sizes)), 2, 1, 0, *range(3, 3 + n))
    convolve = Conv(
        strides=tuple(a.dilation for a in axes),
        dilations=tuple(a.stride for a in axes),
        pads=tuple(a.begin for a in axes) + tuple(a.end for a in axes),
        group=G,
    )
    filters = transpose(dY, 1, 0, *range(2, 2 + n))
    made = convolve(reshape(grouped, (C // G, G * N, *sizes)), filters)
    for axis, a in enumerate(axes, 2):
        if made.shape[axis] > a.kernel:
            made = part(made, axis, 0, a.kernel)
    return transpose(made, 1, 0, *range(2, 2 + n))


def embedding_bag(
    op: EmbeddingBag, weight: Any, indices: Any, offsets: Any, samples: Any = None
) -> Any:
    """Rows scattered to their bags, of which each knows its own by how many have begun."""
    L, B, D = indices.shape[0], offsets.shape[0], weight.shape[1]
    whole = np.dtype(np.int64)
    begun = LessOrEqual()(reshape(offsets, (1, B)), np.arange(L, dtype=offsets.dtype)[:, None])
    bag = ReduceSum(keepdims=1)(cast(begun, whole), np.array([1])) - 1
    rows, low = Gather()(weight, indices), op.mode == "max"
    nothing = like(-np.inf if low else 0, weight)
    if samples is not None:
        rows = rows * reshape(samples, (L, 1))
    kept: Any = np.ones((L, 1), bool)
    if op.padding_idx is not None:
        padding = np.array(op.padding_idx, indices.dtype)
        kept = ~Equal()(reshape(indices, (L, 1)), padding)
        rows = Where()(kept, rows, nothing)
    start = zeros((B, D), weight) + nothing
    made = ScatterND(reduction="max" if low else "add")(start, bag, rows)
    if op.mode == "sum":
        return made
    ones = cast(kept, weight.dtype)
    counts = ScatterND(reduction="add")(zeros((B, 1), weight), bag, ones)
    if low:
        return Where()(counts > 0, made, like(0, weight))
    return made / Where()(counts > 0, counts, like(1, weight))


def resize_gradient(op: ResizeGradient, dY: Any, *others: Any) -> Any:
    """Axis by axis a product with what each element of X weighs in each of Y."""
    roi, scales, sizes = (*others, None, None, None)[:3]
    known = [None if x is None else np.asarray(x) for x in (roi, scales, sizes)]
    resize, dX = op.resize, dY
    for axis, x, scale in [*resize.places(op.shape, known[0], known[1], known[2])][::-1]:
        size = op.shape[axis]
        weights = np.zeros((len(x), size))
        inside = (x >= 0) & (x <= size - 1) if resize.crops else np.ones(len(x), bool)
        rows = np.flatnonzero(inside)
        for element, weight in zip(*resize.taps(x[inside], size, scale), strict=True):
            np.add.at(weights, (rows, element), weight)
        order = [i for i in range(len(dX.shape)) if i != axis] + [axis]
        moved = transpose(dX, *order) @ weights.astype(dX.dtype)
        dX = transpose(moved, *np.argsort(order).tolist())
    return dX


def batch_normalization(
    op: BatchNormalization, X: Any, scale: Any, B: Any, mean: Any, var: Any
) -> Any:
    """In training by the batch's own mean and variance, which are computed before: onnxruntime's
    kernel puts the running ones into the memory of its inputs, which may be anyone's weights."""
    if not op.training_mode:
        return None
    axes = np.array([0, *range(2, len(X.type.shape))])
    middle = ReduceMean(keepdims=1)(X, axes)
    centred = X - middle
    found = (Squeeze()(middle, axes), ReduceMean(keepdims=0)(centred * centred, axes))
    Y = BatchNormalization(epsilon=op.epsilon)(X, scale, B, *found)
    if op.momentum == 0:
        return Y, *found
    old, new = op.momentum, 1 - op.momentum
    return Y, mean * old + found[0] * new, var * old + found[1] * new


def pool(op: AveragePool | LpPool | MaxPool, X: Any) -> Any:
    """With what onnxruntime has otherwise spelt out: it counts windows that begin beyond the
    padding, which without ceil_mode aren't there; and its auto_pad knows no dilations."""
    if not X.type.static:
        return None
    sizes, plain = X.shape[2:], op
    spelt = op.explicit(sizes)
    if op.auto_pad.startswith("SAME") and any(d > 1 for d in spelt.dilations or ()):
        plain = spelt
    if op.ceil_mode:
        axes = zip(sizes, spelt.axes(len(sizes)), strict=True)
        counted = tuple(-(-(s + a.begin + a.end - a.extent) // a.stride) + 1 for s, a in axes)
        bare = replace(plain, ceil_mode=0)
        if op.places(sizes) == bare.places(sizes) != counted:
            plain = bare
    return None if plain is op else plain(X)


def recurrent(op: GRU | LSTM | RNN, X: Any, W: Any, R: Any, *others: Any) -> Any:
    """onnxruntime has the batch in the second axis alone."""
    if not op.layout:
        return None
    B, lengths, *states = (*others, None, None)[: max(2, len(others))]
    turned = [x if x is None or i == 2 else transpose(x, 1, 0, 2) for i, x in enumerate(states)]
    plain = replace(op, layout=0)(transpose(X, 1, 0, 2), W, R, B, lengths, *turned)
    Y, *last = plain
    return transpose(Y, 2, 0, 1, 3), *(transpose(x, 1, 0, 2) for x in last)


def lrn(op: LRN, X: Any) -> Any:
    """onnxruntime wants two spatial axes."""
    if len(X.type.shape) == 4 or not X.type.static:
        return None
    N, C, *sizes = X.shape
    return reshape(op(reshape(X, (N, C, math.prod(sizes), 1))), X.shape)


Expansion = Callable[..., Any]

LACKING: dict[type[Operator], Expansion] = {
    AdaptiveAveragePool: adaptive_average_pool,
    AdaptiveMaxPool: adaptive_max_pool,
    AveragePool: pool,
    AveragePoolGradient: average_pool_gradient,
    BatchNormalization: batch_normalization,
    ChannelShuffle: channel_shuffle,
    ConvWeightGradient: conv_weight_gradient,
    CTCLoss: ctc_loss,
    EmbeddingBag: embedding_bag,
    FractionalMaxPool: fractional_max_pool,
    **dict.fromkeys([GRU, LSTM, RNN], recurrent),
    LRN: lrn,
    LpPool: pool,
    MaxPool: pool,
    MaxPoolGradient: max_pool_gradient,
    ResizeGradient: resize_gradient,
    SoftmaxCrossEntropyLossGradient: SoftmaxCrossEntropyLossGradient.composed,
    SwiGLU: young.swi_glu,
    Unfold: unfold,
}
"""Of what ONNX lacks, or onnxruntime: where it gives None the node stays as it is."""

YOUNG: dict[type[Operator], Expansion] = {
    Gelu: young.gelu,
    GroupNormalization: young.group_normalization,
    HardSwish: young.hard_swish,
    LayerNormalization: young.layer_normalization,
    Mish: young.mish,
    Reshape: young.reshape,
    Resize: young.resize,
    RMSNormalization: young.rms_normalization,
    Swish: young.swish,
}
"""Of what an older opset lacks that was asked for."""


def expand(graph: Graph, opset: int | None = None) -> Graph:
    """The graph, whose types are known, in ONNX's operators, those of an opset if one is given."""
    draft = Draft(graph)
    for node in graph.nodes:
        try:
            _add(draft, draft.resolve(node), opset)
        except SuanziError as error:
            raise error.at(node=node.label) from None
    return needed(draft.finish())


def _add(draft: Draft, node: Node, opset: int | None) -> None:
    """Adds the node, or what stands for it."""
    kind = type(node.operator)
    write = LACKING.get(kind)
    if write is None and opset is not None and objection(node, draft.types, opset):
        write = YOUNG.get(kind)
    if write is None:
        return draft.add(node)
    trace = Trace()
    symbols = {n: trace.input(draft.types[n], n) for n in dict.fromkeys(node.inputs) if n}
    made = write(node.operator, *(symbols.get(name) for name in node.inputs))
    if made is None:
        return draft.add(node)
    results = [trace.symbol(x).name for x in (made if isinstance(made, tuple) else (made,))]
    names = {name: name for name in ("", *trace.inputs)}
    given = {*trace.inputs, *trace.constants}
    renamed: dict[str, str] = {}
    for result, name in zip(results, node.outputs, strict=False):
        if name and result not in given:
            renamed.setdefault(result, name)
    stem = next(filter(None, node.outputs))
    for name, array in trace.constants.items():
        names[name] = draft.constant(f"{stem}_{name}", array)
    for step in trace.nodes:
        for name in step.outputs:
            names[name] = renamed.get(name) or draft.fresh(f"{stem}_{name}")
            draft.types[names[name]] = trace.types[name]
        inputs, outputs = (tuple(names[n] for n in side) for side in (step.inputs, step.outputs))
        _add(draft, Node(step.operator, inputs, outputs, node.name), opset)
    for result, name in zip(results, node.outputs, strict=False):
        if name and names[result] != name:
            draft.same(name, names[result])
    return None


def needed(graph: Graph) -> Graph:
    """Without the nodes and the constants that no output depends on."""
    wanted = set(graph.outputs)
    nodes = []
    for node in reversed(graph.nodes):
        if not wanted.isdisjoint(filter(None, node.outputs)):
            wanted.update(node.inputs)
            nodes.append(node)
    constants = {name: array for name, array in graph.constants.items() if name in wanted}
    return graph.replace(nodes=tuple(reversed(nodes)), constants=constants)
