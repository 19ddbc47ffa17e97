"""Adapters: a node of an old opset, and what it becomes at the newest, compute the same.

What it becomes is run by onnxruntime, so that the adapters are held to a peer and not to our own
operators. The old node is run by onnxruntime as well where it still can, from opset 7 on; older
forms are held to NumPy.
"""

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from suanzi.errors import SuanziError
from suanzi.onnx.adapt import ADAPTERS, adapt
from suanzi.onnx.build import Builder
from suanzi.onnx.nodes import decode, to_node
from suanzi.operators._operator import TensorType, qualified

NEW = 21
"""As new as onnxruntime has kernels for all; nothing that adapters produce changed later."""

random = np.random.default_rng(0)


def array(*shape, dtype=np.float32):
    return random.standard_normal(shape).astype(dtype)


def run(nodes, feeds, constants, outputs, opset):
    graph = helper.make_graph(
        nodes,
        "g",
        [value(name, x) for name, x in feeds.items()],
        [helper.make_empty_tensor_value_info(name) for name in outputs],
        [numpy_helper.from_array(np.asarray(x), name) for name, x in constants.items()],
    )
    opsets = [helper.make_opsetid("", opset)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(model.SerializeToString(), options)
    return session.run(None, feeds)


def value(name, x):
    return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(x.dtype), x.shape)


def adapted(node, feeds, constants, opset):
    """The new nodes as ONNX's, and all constants."""
    builder = Builder(
        {name: TensorType(x.dtype, x.shape) for name, x in feeds.items()},
        {name: np.asarray(x) for name, x in constants.items()},
        [*feeds, *constants, *node.output],
    )
    calls = adapt(decode(node, opset, None), builder)
    nodes = [helper.make_node(c.op_type, c.inputs, c.outputs, **c.attributes) for c in calls]
    return nodes, builder.constants


def check(node, feeds, opset, constants=None, expected=None):
    """Holds what the node becomes to what it was; returns the new operators' names."""
    constants = constants or {}
    outputs = [name for name in node.output if name]
    nodes, more = adapted(node, feeds, constants, opset)
    found = run(nodes, feeds, more, outputs, NEW)
    if expected is None:
        expected = run([node], feeds, constants, outputs, opset)
    assert len(found) == len(expected)
    for x, y in zip(found, expected, strict=True):
        assert x.dtype == y.dtype
        np.testing.assert_allclose(x, y, rtol=1e-5, atol=1e-6)
    return [new.op_type for new in nodes]


def node(op_type, inputs, outputs=("y",), **attributes):
    return helper.make_node(op_type, inputs, list(outputs), **attributes)


X = array(2, 3, 4, 5)

# Forms that onnxruntime still runs: the node, its opset, constants, what it becomes.
STILL_RUN = [
    (node("BatchNormalization", ["x", *"abcd"], spatial=1, momentum=0.8), 7, "c4", 1),
    (node("BatchNormalization", ["x", *"abcd"], epsilon=1e-3), 9, "c4", 1),
    (node("Clip", ["x"], min=-0.5, max=0.5), 7, None, 1),
    (node("Clip", ["x"], max=0.5), 10, None, 1),
    (node("Dropout", ["x"], ratio=0.3), 7, None, 1),
    (node("Dropout", ["x"], ratio=0.3), 10, None, 1),
    (node("Hardmax", ["x"], axis=2), 7, None, 4),
    (node("LogSoftmax", ["x"], axis=1), 12, None, 4),
    (node("Softmax", ["x"]), 7, None, 4),
    (node("Softmax", ["x"], axis=3), 8, None, 1),
    (node("Softmax", ["x"], axis=-1), 12, None, 1),
    (node("Softmax", ["x"], axis=-3), 11, None, 4),
    (node("Softmax", ["x"], axis=0), 9, None, 4),
    (node("PRelu", ["x", "slope"]), 7, {"slope": array(3, 1, 1)}, 1),
    (node("Pad", ["x"], pads=[0, 0, 1, 2, 0, 0, 3, 4]), 7, None, 1),
    (node("Pad", ["x"], pads=[0, 0, 1, -1, 0, 0, 1, 1], value=1.5), 10, None, 1),
    (node("Pad", ["x"], pads=[0, 0, 1, 1, 0, 0, 1, 1], mode="edge"), 8, None, 1),
    *((node(f"Reduce{kind}", ["x"], axes=[1, -1]), 11, None, 1) for kind in ("Sum", "Max", "L2")),
    (node("ReduceMean", ["x"], keepdims=0), 7, None, 1),
    (node("ReduceMin", ["x"], axes=[0], keepdims=0), 17, None, 1),
    (node("Slice", ["x"], starts=[1, 0], ends=[3, -1], axes=[1, 3]), 9, None, 1),
    (node("Slice", ["x"], starts=[0, 1], ends=[2, 1000]), 7, None, 1),
    (node("Split", ["x"], ["y", "z"], axis=2), 7, None, 1),
    (node("Split", ["x"], ["y", "z"], axis=3, split=[2, 3]), 11, None, 1),
    (node("Split", ["x"], ["y", "z"], axis=0), 13, None, 1),
    (node("Split", ["x", "s"], ["y", "z"], axis=3), 13, {"s": np.array([1, 4])}, 1),
    (node("Squeeze", ["one"], axes=[0, 2]), 7, {"one": array(1, 3, 1)}, 1),
    (node("Squeeze", ["one"]), 11, {"one": array(1, 3, 1)}, 1),
    (node("Unsqueeze", ["x"], axes=[0, 3]), 7, None, 1),
    (node("TopK", ["x"], ["y", "z"], k=2, axis=3), 9, None, 1),
    (node("Upsample", ["x"], scales=[1.0, 1.0, 2.0, 3.0]), 7, None, 1),
    (node("Upsample", ["x"], scales=[1.0, 1.0, 1.5, 2.0], mode="linear"), 8, None, 1),
    (node("Upsample", ["x", "s"]), 9, {"s": np.array([1, 1, 2, 2.5], np.float32)}, 1),
    (node("Resize", ["x", "s"]), 10, {"s": np.array([1, 1, 2, 1.5], np.float32)}, 1),
    (node("Resize", ["x", "s"]), 10, {"s": np.array([1, 1, 0.6, 0.6], np.float32)}, 1),
    (
        node("Resize", ["x", "s"], mode="linear"),
        10,
        {"s": np.array([1, 1, 0.6, 2], np.float32)},
        1,
    ),
    (
        node("Resize", ["x", "none", "s"], mode="linear"),
        11,
        {"none": np.zeros(0, np.float32), "s": np.array([1, 1, 2, 2], np.float32)},
        1,
    ),
    (
        node("Resize", ["x", "none", "none", "n"], coordinate_transformation_mode="align_corners"),
        12,
        {"none": np.zeros(0, np.float32), "n": np.array([2, 3, 8, 7])},
        1,
    ),
    (
        node("Scatter", ["x", "i", "u"], axis=1),
        9,
        {"i": np.array([[[[2, 0]]]]), "u": array(1, 1, 1, 2)},
        1,
    ),
    (node("DFT", ["r"], onesided=1), 17, {"r": array(1, 8, 3, 1)}, 1),
    (node("DFT", ["r"], axis=2, inverse=1), 17, {"r": array(1, 8, 3, 2)}, 1),
    (
        node("GridSample", ["x", "grid"], mode="bicubic"),
        16,
        {"grid": array(2, 3, 3, 2) / 2},
        1,
    ),
    (node("GridSample", ["x", "grid"]), 16, {"grid": array(2, 3, 3, 2) / 2}, 1),
    (
        node("RoiAlign", ["x", "rois", "i"], output_height=2, output_width=2),
        10,
        {"rois": np.array([[0, 0, 3, 3]], np.float32), "i": np.array([1])},
        1,
    ),
]


@pytest.mark.parametrize(("old", "opset", "constants", "count"), STILL_RUN)
def test_as_onnxruntime_runs_the_old_form(old, opset, constants, count):
    if constants == "c4":
        constants = {name: np.abs(array(3)) for name in "abcd"}
    feeds = {"x": X} if "x" in old.input else {}
    assert len(check(old, feeds, opset, constants)) == count


@pytest.mark.parametrize("opset", [1, 6])
@pytest.mark.parametrize(
    ("axis", "shape"), [(None, (4, 5)), (None, ()), (1, (3, 4)), (0, (2,)), (1, (3,)), (3, (5,))]
)
def test_broadcasting_along_an_axis(opset, axis, shape):
    b = array(*shape)
    place = {} if axis is None else {"axis": axis}
    after = 0 if axis is None else X.ndim - axis - b.ndim
    expected = [X * b.reshape(b.shape + (1,) * after)]
    check(node("Mul", ["x", "b"], broadcast=1, **place), {"x": X, "b": b}, opset, None, expected)


def test_no_attribute_of_before_opset_6_is_left():
    hint = {"consumed_inputs": [0, 0]}
    check(node("Add", ["x", "x"], **hint), {"x": X}, 1, None, [X + X])
    check(node("Relu", ["x"], consumed_inputs=[0]), {"x": X}, 1, None, [np.maximum(X, 0)])


BEFORE_7 = [
    (node("Cast", ["x"], to="INT64"), 1, None, [X.astype(np.int64)]),
    (node("Concat", ["x", "x"]), 1, None, [np.concatenate([X, X], 1)]),
    (node("Dropout", ["x"], is_test=1), 6, None, [X]),
    (node("Dropout", ["x"], ["y", "mask"]), 9, None, [X, np.ones_like(X)]),
    (node("GlobalLpPool", ["x"], p=1.0), 1, None, [np.abs(X).sum((2, 3), keepdims=True)]),
    (
        node("Gemm", ["m", "w", "c"], broadcast=1),
        6,
        {"m": np.eye(3, dtype=np.float32), "w": X[0, 0, :3], "c": X[0, 0, 0]},
        [X[0, 0, :3] + X[0, 0, 0]],
    ),
    (
        node("PRelu", ["x", "slope"]),
        6,
        {"slope": np.float32([0.1, 0.2, 0.3])},
        [np.where(X < 0, X * np.float32([0.1, 0.2, 0.3])[:, None, None], X)],
    ),
    (
        node("Pad", ["x"], paddings=[0, 0, 0, 1, 0, 0, 0, 2], value=2.0),
        1,
        None,
        [np.pad(X, [(0, 0), (0, 0), (0, 0), (1, 2)], constant_values=2)],
    ),
    (node("Reshape", ["x"], shape=[0, -1]), 1, None, [X.reshape(2, 60)]),
    (
        node("Selu", ["x"]),
        1,
        None,
        [(1.0507 * np.where(X > 0, X, 1.6732 * np.expm1(X))).astype(np.float32)],
    ),
    (
        node("Tile", ["x", "count", "axis"]),
        1,
        {"count": np.float32(3), "axis": np.float32(2)},
        [np.tile(X, (1, 1, 3, 1))],
    ),
    (
        node("Upsample", ["x"], height_scale=2.0, width_scale=3.0),
        1,
        None,
        [X.repeat(2, 2).repeat(3, 3)],
    ),
    (
        node("BatchNormalization", ["x", *"abcd"], is_test=1, consumed_inputs=[0, 0, 0, 1, 1]),
        1,
        dict(zip("abcd", np.float32([[1] * 3, [2] * 3, [0] * 3, [4] * 3]), strict=True)),
        [X / np.sqrt(np.float32(4 + 1e-5)) + 2],
    ),
]


@pytest.mark.parametrize(("old", "opset", "constants", "expected"), BEFORE_7)
def test_forms_that_only_numpy_remembers(old, opset, constants, expected):
    check(old, {"x": X} if "x" in old.input else {}, opset, constants, expected)


def test_batch_normalization_of_every_place():
    p = {name: np.abs(array(*X.shape[1:])) for name in "abcd"}
    expected = p["a"] * (X - p["c"]) / np.sqrt(p["d"] + 1e-5) + p["b"]
    old = node("BatchNormalization", ["x", *"abcd"], spatial=0)
    check(old, {"x": X}, 8, p, [expected])


@pytest.mark.parametrize(
    ("old", "opset"),
    [
        (node("BatchNormalization", ["x", *"xxxx"], list("yab"), momentum=0.5), 9),
        (node("BatchNormalization", ["x", *"xxxx"], list("yab"), momentum=0.5, is_test=0), 6),
        (node("BatchNormalization", ["x", *"xxxx"], momentum=0.5, is_test=0), 6),
    ],
)
def test_batch_normalization_in_training(old, opset):
    (new,), _ = adapted(old, {"x": X}, {}, opset)
    attributes = {a.name: helper.get_attribute_value(a) for a in new.attribute}
    assert (attributes["training_mode"], attributes["momentum"]) == (1, 0.5)
    assert list(new.output) == list(old.output)


def test_group_normalization_with_parameters_of_each_group():
    x, scale, bias = array(2, 4, 3, 3), array(2), array(2)
    groups = x.reshape(2, 2, -1)
    normal = (groups - groups.mean(-1, keepdims=True)) / np.sqrt(
        groups.var(-1, keepdims=True) + 1e-5
    )
    expected = (normal * scale[:, None] + bias[:, None]).reshape(x.shape)
    old = node("GroupNormalization", ["x", "s", "b"], num_groups=2)
    check(old, {"x": x}, 18, {"s": scale, "b": bias}, [expected])


@pytest.mark.parametrize("constant", [True, False])
def test_resize_10_takes_the_place_below_to_grow_and_above_to_shrink(constant):
    scales = {"s": np.array([1, 1, 2, 0.6], np.float32)}
    expected = [X.repeat(2, 2)[..., [0, 2, 4]]]
    old = node("Resize", ["x", "s"])
    feeds, constants = ({"x": X}, scales) if constant else ({"x": X} | scales, {})
    check(old, feeds, 10, constants, expected)


def test_softmax_over_axes_of_size_1_needs_no_matrix():
    assert check(node("Softmax", ["x"], axis=1), {"x": array(2, 3, 1, 1)}, 9) == ["Softmax"]


def test_limits_have_the_type_of_the_input():
    X16 = X.astype(np.float16)
    old = node("Clip", ["x"], min=0.0, max=3.4028234663852886e38)
    check(old, {"x": X16}, 6, None, [np.maximum(X16, 0)])


@pytest.mark.parametrize("op_type", ["GRU", "LSTM", "RNN"])
def test_recurrent_networks(op_type):
    gates = {"GRU": 3, "LSTM": 4, "RNN": 1}[op_type]
    x = array(4, 2, 3)
    constants = {"W": array(1, gates * 5, 3), "R": array(1, gates * 5, 5)}
    new = node(op_type, ["x", "W", "R"], ["y", "h"], hidden_size=5)
    expected = run([new], {"x": x}, constants, ["y", "h"], NEW)
    odd = {"direction": "foward"} if op_type == "GRU" else {}
    old = node(op_type, ["x", "W", "R"], ["y", "h"], hidden_size=5, output_sequence=1, **odd)
    check(old, {"x": x}, 1, constants, expected)


@pytest.mark.parametrize(
    ("old", "opset"),
    [
        (node("BatchNormalization", ["x", *"xxxx"], list("yabcd")), 9),
        (node("Cast", ["x"], to="NONSENSE"), 1),
        (node("GlobalLpPool", ["x"], p=1.5), 1),
        (node("Tile", ["x", "x", "x"]), 1),
    ],
)
def test_what_has_no_newer_form(old, opset):
    with pytest.raises(SuanziError):
        adapted(old, {"x": X}, {}, opset)


@pytest.mark.parametrize(
    ("x", "expected"),
    [
        (np.array(["b", "c", "a"], object), np.array([1, 7, 0])),
        (np.array([1, 2, 0]), np.array(["b", "none", "a"], object)),
    ],
)
def test_label_encoder(x, expected):
    texts = {"classes_strings": ["a", "b"], "default_int64": 7, "default_string": "none"}
    old = helper.make_node("LabelEncoder", ["x"], ["y"], domain="ai.onnx.ml", **texts)
    (call,) = adapt(decode(old, 1, None), Builder({"x": TensorType.of(x)}, {}, "xy"))
    np.testing.assert_array_equal(to_node(call).operator.numpy(x), expected)


def test_every_adapter_is_held_to_something():
    in_tables = {old.op_type for old, *_ in [*STILL_RUN, *BEFORE_7]}
    with_tests_of_their_own = {
        "ai.onnx.ml.LabelEncoder",
        "Mul",
        "GRU",
        "LSTM",
        "RNN",
        "GroupNormalization",
        "Scan",  # in test_bodies.py
    }
    tested = in_tables | with_tests_of_their_own
    for op_type, changes in ADAPTERS.items():
        assert any(changes == ADAPTERS[other] for other in tested), op_type


@pytest.mark.parametrize("op_type", ADAPTERS)
def test_the_table_follows_the_schemas(op_type):
    """Each adapter's opset is the last before a version of the operator, as ONNX lists them."""
    history = onnx.defs.get_all_schemas_with_history()
    versions = {s.since_version for s in history if qualified(s.domain, s.name) == op_type}
    assert {last + 1 for last in ADAPTERS[op_type]} <= versions


def test_types_are_ones_of_onnx():
    (call,) = adapt(
        decode(node("Cast", ["x"], to="float16"), 1, None),
        Builder({"x": TensorType(np.float32, (1,))}, {}, ["x", "y"]),
    )
    assert call.attributes == {"to": TensorProto.FLOAT16}
