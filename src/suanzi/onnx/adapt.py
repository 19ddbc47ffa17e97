"""Older opsets to the newest meaning: one small function per change, all in the table ADAPTERS.

An adapter is given a call with the meaning that its operator had up to some opset, and returns
calls that mean the same from the next opset on: the changed call itself (`call.but(...)`), and
helpers beside it, which have the newest meaning (`Call(...)`). Later changes are applied to it
in turn. Left out are changes of documents and of accepted types, and new attributes and inputs
whose absence means what was before.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import DTypeLike
from onnx import TensorProto

from suanzi.errors import SuanziError
from suanzi.graph import Graph
from suanzi.onnx.build import Builder
from suanzi.onnx.contrib import EXPANSIONS, expand
from suanzi.onnx.nodes import Call, to_node
from suanzi.operators._operator import qualified

Adapter = Callable[[Call, Builder], list[Call]]
Changes = dict[int, Adapter]
"""An operator's adapters, each by the last opset of the old form."""


def adapt(call: Call, graph: Builder) -> list[Call]:
    """The calls with the newest meaning that together mean what this one does."""
    name = qualified(call.domain, call.op_type)
    if name in EXPANSIONS:
        return [new for step in expand(call, graph) for new in adapt(step, graph)]
    changes = ADAPTERS.get(name, {})
    last = min((opset for opset in changes if opset >= call.opset), default=None)
    if last is None:
        return [call]
    made = changes[last](call, graph)
    return [new for step in made for new in adapt(step.but(opset=max(step.opset, last + 1)), graph)]


def as_inputs(*names: str, dtype: DTypeLike = np.int64) -> Adapter:
    """Attributes that became inputs after the others, in this order, as 1-D tensors."""

    def change(call: Call, graph: Builder) -> list[Call]:
        inputs = list(call.inputs)
        for name in names:
            value = call.attributes.get(name)
            array = None if value is None else np.atleast_1d(np.array(value, dtype))
            inputs.append("" if array is None else graph.constant(_stem(call, name), array))
        while not inputs[-1]:
            inputs.pop()
        return [call.but(*names, inputs=tuple(inputs))]

    return change


def without(*names: str) -> Adapter:
    """Attributes that say nothing about what the operator computes here."""
    return lambda call, graph: [call.but(*names)]


def with_default(**attributes: int | float | str) -> Adapter:
    """The default was another, or there was no choice."""
    return lambda call, graph: [call.but(attributes=attributes | call.attributes)]


def broadcast_6(call: Call, graph: Builder) -> list[Call]:
    """B's axes lay along A's from `axis` on; without it they were the last, as in NumPy."""
    A, B = call.inputs
    if "axis" not in call.attributes:
        return [call.but("broadcast")]
    rank_A, rank_B = _rank(graph, A), _rank(graph, B)
    axis = call.attributes["axis"] % max(rank_A, 1)
    if axis + rank_B >= rank_A:
        return [call.but("broadcast", "axis")]
    wide = graph.fresh(_stem(call, "B"))
    axes = graph.constant(_stem(call, "axes"), np.arange(rank_B, rank_A - axis))
    unsqueeze = Call("Unsqueeze", (B, axes), (wide,))
    return [unsqueeze, call.but("broadcast", "axis", inputs=(A, wide))]


def batch_normalization_6(call: Call, graph: Builder) -> list[Call]:
    """`is_test` chose between training and inference; files of inference often leave it out."""
    training = {"training_mode": 1} if call.attributes.get("is_test") == 0 else {}
    return [call.but("is_test", attributes=training)]


def batch_normalization_8(call: Call, graph: Builder) -> list[Call]:
    """With `spatial` = 0, each place had a scale of its own: as many channels, no space."""
    if call.attributes.get("spatial", 1):
        return [call.but("spatial")]
    X, *parameters = call.inputs
    each = graph.constant(_stem(call, "each"), np.array([0, -1]))
    flat = graph.constant(_stem(call, "flat"), np.array([-1]))
    inputs, calls = [], []
    for name, shape in ((X, each), *((p, flat) for p in parameters)):
        inputs.append(graph.fresh(f"{name}_flat"))
        calls.append(Call("Reshape", (name, shape), (inputs[-1],)))
    made = graph.fresh(_stem(call, "flat"))
    normalize = call.but("spatial", inputs=tuple(inputs), outputs=(made, *call.outputs[1:]))
    return [*calls, normalize, *_reshape_like(call, graph, made)]


def batch_normalization_13(call: Call, graph: Builder) -> list[Call]:
    """In training alone there was more than one output; two that are gone were for its gradient."""
    if any(call.outputs[3:]):
        raise SuanziError("batch normalization for a gradient", expected="at most 3 outputs")
    training = {"training_mode": 1} if any(call.outputs[1:]) else {}
    return [call.but(outputs=call.outputs[:3], attributes=training)]


def cast_5(call: Call, graph: Builder) -> list[Call]:
    """Types were named by words."""
    name = call.attributes["to"].upper()
    if name not in TensorProto.DataType.keys():  # noqa: SIM118 - an enumeration, not a dict
        raise SuanziError("an element type that we don't have", found=name)
    return [call.but(attributes={"to": int(TensorProto.DataType.Value(name))})]


def clip_10(call: Call, graph: Builder) -> list[Call]:
    """The limits were attributes; as inputs they have X's type."""
    return _typed_inputs(call, graph, "min", "max")


def dropout_9(call: Call, graph: Builder) -> list[Call]:
    """The mask had the data's type."""
    if not any(call.outputs[1:]):
        return [call]
    mask = graph.fresh(_stem(call, "mask"))
    return [
        call.but(outputs=(call.outputs[0], mask)),
        Call("CastLike", (mask, call.inputs[0]), call.outputs[1:]),
    ]


def dft_19(call: Call, graph: Builder) -> list[Call]:
    """The axis was an attribute; the default another."""
    axis = graph.constant(_stem(call, "axis"), np.array(call.attributes.get("axis", 1)))
    length = call.inputs[1] if len(call.inputs) > 1 else ""
    return [call.but("axis", inputs=(call.inputs[0], length, axis))]


def grid_sample_19(call: Call, graph: Builder) -> list[Call]:
    """Modes were named after the picture's two axes."""
    mode = call.attributes.get("mode", "bilinear")
    names = {"bilinear": "linear", "bicubic": "cubic"}
    return [call.but(attributes={"mode": names.get(mode, mode)})]


def group_normalization_20(call: Call, graph: Builder) -> list[Call]:
    """Scale and bias were per group, not per channel: one instance's channels are the groups."""
    X, scale, bias = call.inputs
    groups = np.array([0, call.attributes["num_groups"], -1])
    shape = graph.constant(_stem(call, "groups"), groups)
    grouped, made = graph.fresh(f"{X}_grouped"), graph.fresh(_stem(call, "grouped"))
    epsilon = {"epsilon": call.attributes.get("epsilon", 1e-5)}
    return [
        Call("Reshape", (X, shape), (grouped,)),
        Call("InstanceNormalization", (grouped, scale, bias), (made,), epsilon, name=call.name),
        *_reshape_like(call, graph, made),
    ]


def label_encoder_1(call: Call, graph: Builder) -> list[Call]:
    """Text stood for its place in a list; or places for text."""
    texts = call.attributes["classes_strings"]
    places = tuple(range(len(texts)))
    keys: dict[str, object] = {"keys_strings": texts, "values_int64s": places}
    if graph.type(call.inputs[0]).dtype != object:
        keys = {"keys_int64s": places, "values_strings": texts}
    return [call.but("classes_strings", attributes=keys)]


def lp_pool_1(call: Call, graph: Builder) -> list[Call]:
    """The norm's power was a float."""
    p = call.attributes.get("p", 2.0)
    if not float(p).is_integer():
        raise SuanziError("the power of an Lp pool", expected="a whole number", found=p)
    return [call.but(attributes={"p": int(p)})]


def pad_1(call: Call, graph: Builder) -> list[Call]:
    """The pads' name was another."""
    return [call.but("paddings", attributes={"pads": call.attributes["paddings"]})]


def pad_10(call: Call, graph: Builder) -> list[Call]:
    """Pads and value were attributes; as an input the value is one element of X's type."""
    (moved,) = as_inputs("pads")(call, graph)
    return _typed_inputs(moved, graph, "value")


def prelu_6(call: Call, graph: Builder) -> list[Call]:
    """The slopes of the channels were 1-D, where broadcasting now wants them along axis 1."""
    X, slope = call.inputs
    axes = np.arange(1, _rank(graph, X) - 1)
    if not axes.size or _rank(graph, slope) != 1:
        return [call]
    wide = graph.fresh(f"{slope}_wide")
    unsqueeze = Call("Unsqueeze", (slope, graph.constant(_stem(call, "axes"), axes)), (wide,))
    return [unsqueeze, call.but(inputs=(X, wide))]


def gru_2(call: Call, graph: Builder) -> list[Call]:
    """The schema misspelt its own default direction."""
    if call.attributes.get("direction") == "foward":
        return [call.but("direction")]
    return [call]


def resize_10(call: Call, graph: Builder) -> list[Call]:
    """There was one rule for places (x / scale), and for the nearest one two: the one below when
    growing, the one above when shrinking. So growing axes go first, then shrinking ones."""
    X, scales = call.inputs
    mode = call.attributes.get("mode", "nearest")
    mode = {"bilinear": "linear", "trilinear": "linear"}.get(mode, mode)
    places = {"mode": mode, "coordinate_transformation_mode": "asymmetric"}
    known = graph.type(scales).value
    below, above = {"nearest_mode": "floor"}, {"nearest_mode": "ceil"}
    if mode != "nearest" or (known is not None and np.all(known >= 1)):
        return [call.but(inputs=(X, "", scales), attributes=places | below)]
    if known is not None and np.all(known <= 1):
        return [call.but(inputs=(X, "", scales), attributes=places | above)]
    one = graph.constant(_stem(call, "one"), np.ones(1, np.float32))
    growing, shrinking = graph.fresh(f"{scales}_growing"), graph.fresh(f"{scales}_shrinking")
    grown = graph.fresh(f"{X}_grown")
    return [
        Call("Max", (scales, one), (growing,)),
        Call("Min", (scales, one), (shrinking,)),
        Call("Resize", (X, "", growing), (grown,), places | below),
        call.but(inputs=(grown, "", shrinking), attributes=places | above),
    ]


def resize_12(call: Call, graph: Builder) -> list[Call]:
    """What is not given (roi, and one of scales and sizes) was an empty tensor, now absent."""
    inputs = [
        "" if place and name in graph.constants and not graph.constants[name].size else name
        for place, name in enumerate(call.inputs)
    ]
    return [call.but(inputs=tuple(inputs))]


RENAMED = {"Scatter": "ScatterElements", "Upsample": "Resize"}


def renamed(call: Call, graph: Builder) -> list[Call]:
    """The same under another name."""
    return [call.but(op_type=RENAMED[call.op_type])]


def scan_8(call: Call, graph: Builder) -> list[Call]:
    """All inputs had a first axis more, over which everything was repeated: a Scan over it."""
    lengths, *inputs = call.inputs
    if lengths:
        raise SuanziError("Scan before opset 9 with sequences of several lengths", input=lengths)
    captures = call.attributes["captures"]
    whole = len(inputs) - captures
    given = (*(f"x{i}" for i in range(whole)), *inputs[whole:])
    directions = call.attributes.get("directions")
    changes = {"scan_input_directions": directions} if directions else {}
    once = call.but("directions", inputs=given, attributes=changes)
    body = Graph(given, call.outputs, (to_node(once),))
    attributes = {"body": body, "num_scan_inputs": whole, "captures": captures}
    return [Call("Scan", tuple(inputs), call.outputs, attributes, name=call.name)]


def softmax_12(call: Call, graph: Builder) -> list[Call]:
    """The axes from `axis` on were taken together, as if the input were a matrix."""
    X, shape = call.inputs[0], graph.type(call.inputs[0]).shape
    axis = call.attributes.get("axis", 1)
    if shape is not None and axis < 0:
        axis += len(shape)
    after = (None,) if shape is None else shape[axis + 1 :]
    if axis == -1 or all(size == 1 for size in after):
        return [call.but(attributes={"axis": axis})]
    flat, made = graph.fresh(f"{X}_flat"), graph.fresh(_stem(call, "flat"))
    return [
        Call("Flatten", (X,), (flat,), {"axis": axis}),
        call.but(inputs=(flat,), outputs=(made,), attributes={"axis": -1}),
        *_reshape_like(call, graph, made),
    ]


def split_17(call: Call, graph: Builder) -> list[Call]:
    """Without sizes, the number of equal parts was that of the outputs."""
    if len(call.inputs) > 1 and call.inputs[1]:
        return [call]
    return [call.but(attributes={"num_outputs": len(call.outputs)})]


def tile_5(call: Call, graph: Builder) -> list[Call]:
    """One axis and its number of tiles were inputs; now there is a number for every axis."""
    X, tiles, axis = call.inputs
    count, place = graph.type(tiles).value, graph.type(axis).value
    if count is None or place is None or count.size != 1 or place.size != 1:
        raise SuanziError("Tile before opset 6", expected="a constant axis and number of tiles")
    repeats = np.ones(_rank(graph, X), np.int64)
    if not (0 <= place.item() < repeats.size and 0 <= count.item() < 2**31):
        raise SuanziError("no such axis, or too many tiles", found=(place.item(), count.item()))
    repeats[int(place.item())] = int(count.item())
    return [call.but(inputs=(X, graph.constant(_stem(call, "repeats"), repeats)))]


def upsample_6(call: Call, graph: Builder) -> list[Call]:
    """Only height and width, each with its scale."""
    height, width = call.attributes["height_scale"], call.attributes["width_scale"]
    scales = {"scales": (1.0, 1.0, height, width)}
    return [call.but("height_scale", "width_scale", attributes=scales)]


def _stem(call: Call, what: str) -> str:
    """A name for what belongs to this call."""
    return f"{call.outputs[0]}_{what}"


def _rank(graph: Builder, name: str) -> int:
    rank = graph.type(name).rank
    if rank is None:
        raise SuanziError("the number of axes must be known here", input=name)
    return rank


def _typed_inputs(call: Call, graph: Builder, *names: str) -> list[Call]:
    """Attributes that became inputs after the others, as scalars of X's type."""
    dtype = graph.type(call.inputs[0]).dtype
    inputs = list(call.inputs)
    for name in names:
        value = call.attributes.get(name)
        with np.errstate(all="ignore"):  # float32's largest, a usual limit, is float16's infinity
            array = None if value is None else np.array(value).astype(dtype)
        inputs.append("" if array is None else graph.constant(_stem(call, name), array))
    return [call.but(*names, inputs=tuple(inputs))]


def _reshape_like(call: Call, graph: Builder, made: str) -> list[Call]:
    """Gives what was made the shape of the call's first input, and the call's output name."""
    shape = graph.fresh(_stem(call, "shape"))
    return [
        Call("Shape", call.inputs[:1], (shape,)),
        Call("Reshape", (made, shape), call.outputs[:1]),
    ]


RENAMED = {"Scatter": "ScatterElements", "Upsample": "Resize"}

BROADCAST: Changes = {6: broadcast_6}
REDUCE: Changes = {17: as_inputs("axes")}
SOFTMAX: Changes = {12: softmax_12}
SQUEEZE: Changes = {12: as_inputs("axes")}
LP_POOL: Changes = {1: lp_pool_1}
RECURRENT: Changes = {6: without("output_sequence")}

ADAPTERS: dict[str, Changes] = {
    **dict.fromkeys(["Add", "And", "Div", "Equal", "Greater", "Less"], BROADCAST),
    **dict.fromkeys(["Mul", "Or", "Pow", "Sub", "Xor"], BROADCAST),
    "BatchNormalization": {
        6: batch_normalization_6,
        8: batch_normalization_8,
        13: batch_normalization_13,
    },
    "Cast": {5: cast_5},
    "Clip": {10: clip_10},
    "Concat": {3: with_default(axis=1)},
    "DFT": {19: dft_19},
    "Dropout": {6: without("is_test"), 9: dropout_9, 11: without("ratio")},
    "Gemm": {6: without("broadcast")},
    "GridSample": {19: grid_sample_19},
    "GroupNormalization": {20: group_normalization_20},
    **dict.fromkeys(["GlobalLpPool", "LpPool"], LP_POOL),
    "GRU": {2: gru_2} | RECURRENT,
    "ai.onnx.ml.LabelEncoder": {1: label_encoder_1},
    **dict.fromkeys(["LSTM", "RNN"], RECURRENT),
    "Pad": {1: pad_1, 10: pad_10},
    "PRelu": {6: prelu_6},
    **dict.fromkeys(["ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp"], REDUCE),
    **dict.fromkeys(["ReduceMax", "ReduceMean", "ReduceMin", "ReduceProd"], REDUCE),
    "ReduceSum": {12: as_inputs("axes")},
    "ReduceSumSquare": REDUCE,
    "Reshape": {4: as_inputs("shape")},
    "Resize": {10: resize_10, 12: resize_12},
    "RoiAlign": {15: with_default(coordinate_transformation_mode="output_half_pixel")},
    "Scan": {8: scan_8},
    "Scatter": {10: renamed},
    "Selu": {5: with_default(alpha=1.6732, gamma=1.0507)},
    "Slice": {9: as_inputs("starts", "ends", "axes")},
    **dict.fromkeys(["Hardmax", "LogSoftmax", "Softmax"], SOFTMAX),
    "Split": {12: as_inputs("split"), 17: split_17},
    **dict.fromkeys(["Squeeze", "Unsqueeze"], SQUEEZE),
    "Tile": {5: tile_5},
    "TopK": {9: as_inputs("k")},
    "Upsample": {6: upsample_6, 8: as_inputs("scales", dtype=np.float32), 9: renamed},
}
"""By operator, what changed."""
