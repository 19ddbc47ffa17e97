"""A model is untrusted: whatever its bytes, a Model or a SuanziError that says what and where."""

import os
import random
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import suanzi.onnx
from suanzi.errors import SuanziError

FLOAT = TensorProto.FLOAT
ROUNDS = 600
MNIST = Path(suanzi.onnx.__file__).parents[1] / "data/mnist-8.onnx"


def model(*nodes, initializers=(), inputs=("x",), outputs=("y",), opset=18):
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info(name, FLOAT, [2]) for name in inputs],
        [helper.make_tensor_value_info(name, FLOAT, None) for name in outputs],
        initializers,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def node(op_type="Relu", inputs=("x",), outputs=("y",), **attributes):
    return helper.make_node(op_type, list(inputs), list(outputs), **attributes)


def refused(source, *words):
    """The error, which names every word given."""
    with pytest.raises(SuanziError) as caught:
        suanzi.onnx.read(source)
    text = str(caught.value)
    assert caught.value.model
    for word in words:
        assert word in text, text
    return caught.value


def test_files_that_are_none(tmp_path):
    empty, text = tmp_path / "empty.onnx", tmp_path / "text.onnx"
    empty.touch()
    text.write_text("It was a bright cold day in April.\n" * 9)
    refused(empty, "empty.onnx", "empty")
    refused(text, "text.onnx", "not an ONNX file")
    refused(tmp_path, "a folder")
    refused(tmp_path / "none.onnx", "none.onnx", "No such file")
    refused("a\0b.onnx", "can't read")
    refused(b"", "<bytes>", "empty")
    refused(b"\0" * 100, "not an ONNX file")
    refused(42, "a path, bytes or a ModelProto")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.onnx")
    refused(tmp_path / "pipe.onnx", "not a file")


def test_a_truncated_file():
    whole = MNIST.read_bytes()
    refused(whole[: len(whole) // 2], "not an ONNX file")


def test_nesting_without_end():
    data = b""
    for _ in range(300):  # an attribute's graph's node's attribute's graph ...
        node = b"\x2a" + length(inner := b"\x32" + length(data) + data) + inner
        data = b"\x0a" + length(node) + node
    refused(b"\x08\x08\x3a" + length(data) + data, "not an ONNX file")


def length(data):
    n, out = len(data), b""
    while n > 127:
        out, n = out + bytes([n & 127 | 128]), n >> 7
    return out + bytes([n])


def test_opsets():
    refused(model(node(), opset=29), "opset", "1 to 28", "29")
    refused(model(node(), opset=0), "opset")


def test_all_missing_operators_are_named_at_once():
    nodes = [
        node("NoSuch", outputs=["a"]),
        node("NoSuch", outputs=["b"]),
        node("Quant", outputs=["c"], domain="onnx.brevitas"),
        node(inputs=["a"]),
    ]
    refused(model(*nodes), "NoSuch (2)", "onnx.brevitas.Quant (1)")


def test_operators_in_subgraphs_are_named_too():
    branch = helper.make_graph([node("NoSuch", [], ["z"])], "b", [], [])
    refused(model(node("If", then_branch=branch, else_branch=branch)), "NoSuch (2)")


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (node(alpha=1.0), ["y (Relu)", "no attribute alpha"]),
        (node("LeakyRelu", alpha=1), ["alpha", "expected FLOAT", "found INT"]),
        (node("LeakyRelu", alpha="1"), ["alpha", "expected FLOAT", "found STRING"]),
        (node("Concat"), ["axis is missing"]),
        (node("Relu", ["x", "x"]), ["number of inputs", "expected 1", "found 2"]),
        (node("Add", ["x"]), ["number of inputs", "expected 2", "found 1"]),
        (node("Add", ["x", ""]), ["input B can't be left out"]),
        (node("Relu", outputs=["y", "z"]), ["number of outputs"]),
        (node(inputs=["nobody"], name="n1"), ["n1 (Relu)", "nobody", "nothing makes"]),
        (node(outputs=["other"]), ["nothing makes this output", "'y'"]),
        (node(outputs=["x"]), ["x is made twice"]),
    ],
)
def test_wrong_nodes(bad, words):
    refused(model(bad), *words)


def test_names_used_twice():
    c = numpy_helper.from_array(np.zeros(2, np.float32), "c")
    refused(model(node(), node()), "y is made twice")
    refused(model(node(), initializers=[c, c]), "'c'")
    refused(model(node(), inputs=["x", "x"]), "'x'")
    constant = node("Constant", [], ["c"], value_float=1.0)
    refused(model(node(), constant, initializers=[c]), "'c'")


def test_a_cycle_names_its_nodes():
    nodes = [node("Add", ["x", "b"], ["a"]), node(inputs=["a"], outputs=["b"]), node()]
    refused(model(*nodes), "cycle", "a (Add)", "b (Relu)")


def test_inputs_that_are_no_tensors():
    proto = model(node())
    sparse = helper.make_sparse_tensor_type_proto(FLOAT, [2, 2])
    proto.graph.input[0].CopyFrom(helper.make_value_info("x", sparse))
    refused(proto, "input x", "a type that we don't have", "sparse_tensor_type")
    proto.graph.input[0].ClearField("type")
    refused(proto, "input x")
    refused(typed("x", 99), "input x", "type 99")


def typed(name, kind):
    proto = model(node())
    proto.graph.input[0].type.tensor_type.elem_type = kind
    return proto


@pytest.mark.parametrize(
    ("kind", "dims", "raw", "words"),
    [
        (FLOAT, [2], b"1234567", ["8 bytes", "found 7"]),
        (FLOAT, [3], b"12345678", ["12 bytes", "found 8"]),
        (FLOAT, [-2], b"12345678", ["negative"]),
        (FLOAT, [-2, -1], b"12345678", ["negative"]),
        (FLOAT, [2**62], b"12345678", ["bytes"]),
        (FLOAT, [2**62, 0], b"", ["NumPy"]),
        (FLOAT, [1] * 100, b"1234", ["NumPy"]),
        (TensorProto.INT4, [5], b"12", ["3 bytes", "found 2"]),
        (TensorProto.STRING, [1], b"12", ["string_data"]),
        (TensorProto.UNDEFINED, [1], b"12", ["type 0"]),
        (77, [1], b"12", ["type 77"]),
    ],
)
def test_tensors_whose_bytes_are_wrong(kind, dims, raw, words):
    tensor = TensorProto(name="weight", data_type=kind, dims=dims, raw_data=raw)
    refused(model(node(), initializers=[tensor]), "weight", *words)


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        (FLOAT, {"float_data": [1.0]}),
        (FLOAT, {"int32_data": [1, 2]}),
        (FLOAT, {}),
        (TensorProto.INT8, {"int32_data": [1]}),
        (TensorProto.INT4, {"int32_data": [1, 2]}),
        (TensorProto.COMPLEX64, {"float_data": [1.0, 2.0]}),
    ],
)
def test_tensors_whose_elements_are_too_few_or_elsewhere(kind, fields):
    tensor = TensorProto(name="weight", data_type=kind, dims=[2], **fields)
    refused(model(node(), initializers=[tensor]), "weight", "don't fill")


def test_tensors_in_segments():
    tensor = TensorProto(name="weight", data_type=FLOAT, dims=[1], float_data=[1.0])
    tensor.segment.begin = 0
    refused(model(node(), initializers=[tensor]), "weight", "segments")


def test_sparse_tensors():
    proto = model(node())
    proto.graph.sparse_initializer.add().values.name = "s"
    refused(proto, "sparse", "s")


def external(**entries):
    tensor = TensorProto(name="w", data_type=FLOAT, dims=[2], data_location=TensorProto.EXTERNAL)
    for key, value in entries.items():
        tensor.external_data.add(key=key, value=str(value))
    return model(node(), initializers=[tensor])


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        ({"location": "gone.bin"}, ["missing", "gone.bin"]),
        ({"location": "../outside.bin"}, ["folder", "../outside.bin"]),
        ({"location": "/etc/hostname"}, ["folder", "/etc/hostname"]),
        ({"location": "link.bin"}, ["folder", "link.bin"]),
        ({"location": "links/outside.bin"}, ["folder"]),
        ({"location": "loop.bin"}, ["loop.bin"]),
        ({"location": "a\0b"}, ["reach"]),
        ({"location": "x" * 5000}, ["w"]),
        ({"location": ""}, ["no location"]),
        ({}, ["no location"]),
        ({"location": "."}, ["missing"]),
        ({"location": "short.bin"}, ["8 bytes", "4 bytes"]),
        ({"location": "in.bin", "offset": 1, "length": 8}, ["8 bytes at 1"]),
        ({"location": "in.bin", "length": 2**60}, ["8 bytes at 0"]),
        ({"location": "in.bin", "offset": 99}, ["8 bytes at 99"]),
        ({"location": "in.bin", "offset": -1}, ["offset", "-1"]),
        ({"location": "in.bin", "length": "many"}, ["length", "many"]),
        ({"location": "in.bin", "length": "9" * 5000}, ["length"]),
    ],
)
def test_external_data(tmp_path, entries, words):
    folder = tmp_path / "model"
    folder.mkdir()
    (tmp_path / "outside.bin").write_bytes(b"12345678")
    (folder / "in.bin").write_bytes(b"12345678")
    (folder / "short.bin").write_bytes(b"1234")
    (folder / "link.bin").symlink_to("../outside.bin")
    (folder / "links").symlink_to("..")
    (folder / "loop.bin").symlink_to("loop.bin")
    path = folder / "m.onnx"
    path.write_bytes(external(**entries).SerializeToString())
    refused(path, "m.onnx", "input w", *words)
    path.write_bytes(external(location="in.bin").SerializeToString())
    assert suanzi.onnx.read(path).graph.constants["w"].shape == (2,)


def test_external_data_of_a_model_without_a_folder():
    refused(external(location="in.bin").SerializeToString(), "w", "Give the path")


def functions(*bodies):
    proto = model(node("f0", domain="d"))
    proto.opset_import.append(helper.make_opsetid("d", 1))
    imports = [helper.make_opsetid("", 18), helper.make_opsetid("d", 1)]
    for i, body in enumerate(bodies):
        proto.functions.append(helper.make_function("d", f"f{i}", ["x"], ["y"], body, imports))
    return proto


def test_a_function_that_calls_itself():
    refused(functions([node("f1", domain="d")], [node("f0", domain="d")]), "calls itself", "f")


def test_functions_that_grow_beyond_measure():
    def twice(name):
        return [node(name, ["x"], ["t"], domain="d"), node(name, ["t"], ["y"], domain="d")]

    refused(functions(*(twice(f"f{i + 1}") for i in range(40)), [node()]), "too many nodes")


def test_a_name_that_is_no_text():
    data = model(node(inputs=["x"], name="plain")).SerializeToString()
    refused(data.replace(b"plain", b"pl\xff\xfen"))
    data = model(node("LeakyRelu", alpha=0.5, name="plain")).SerializeToString()
    refused(data.replace(b"alpha", b"al\xffha"))


def old_model():
    """Constants of several kinds, adapters at work, a function: much that can break."""
    nodes = [
        node("Reshape", ["x"], ["a"], shape=[1, 2]),
        node("Constant", [], ["c"], value=numpy_helper.from_array(np.eye(2, dtype=np.float32))),
        node("Mul", ["a", "c"], ["b"], broadcast=1, axis=0),
        node("Clip", ["b"], ["d"], min=-1.0, max=1.0),
        node("Softmax", ["d"], ["e"], axis=0),
        node("Sub", ["e", "w"], ["f"], broadcast=1),
        node("Relu", ["f"], ["y"]),
    ]
    w = helper.make_tensor("w", FLOAT, [2], [1.0, 2.0])
    return model(*nodes, initializers=[w], opset=4)


@pytest.mark.parametrize("name", ["mnist", "old"])
def test_damaged_bytes(name):
    whole = MNIST.read_bytes() if name == "mnist" else old_model().SerializeToString()
    suanzi.onnx.read(whole)
    generator = random.Random(name)
    refusals = []
    for round in range(ROUNDS):
        data = bytearray(whole)
        if round % 3 == 0:
            del data[generator.randrange(len(data)) :]
        # Most of mnist is weights, where a flip says nothing: half of the flips go elsewhere.
        for _ in range(generator.choice([1, 1, 3, 10])):
            if data:
                span = len(data) if round % 2 else min(len(data), 2000)
                data[generator.randrange(span)] ^= 1 << generator.randrange(8)
        try:
            suanzi.onnx.read(bytes(data))
        except SuanziError as error:
            refusals.append(str(error))
    assert 0 < len(refusals) < ROUNDS
    assert all(text.startswith("<bytes>: ") for text in refusals)


def test_the_newest_opset_is_the_librarys():
    assert onnx.defs.onnx_opset_version() == 28
