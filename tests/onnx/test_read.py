"""What a file says arrives in the graph: names, types, constants, order, metadata."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

import suanzi.onnx
from suanzi.errors import SuanziError
from suanzi.graph.evaluate import evaluate
from suanzi.onnx.contrib import EXPANSIONS
from suanzi.operators._operator import OPERATORS, TensorType, qualified

DATA = Path(suanzi.onnx.__file__).parents[1] / "data"
LIGHT = sorted((Path(onnx.__file__).parent / "backend/test/data/light").glob("*.onnx"))
FETCHED = sorted((Path(__file__).parents[2] / "models").rglob("*.onnx"))
FLOAT = TensorProto.FLOAT


def model(nodes, inputs, outputs, initializers=(), opset=18, **more):
    def info(name, shape):
        return helper.make_tensor_value_info(name, FLOAT, shape)

    graph = helper.make_graph(
        nodes,
        "the graph",
        [info(*item) for item in inputs.items()],
        [info(name, None) for name in outputs],
        [numpy_helper.from_array(array, name) for name, array in initializers],
        doc_string=more.pop("graph_doc", ""),
    )
    opsets = [helper.make_opsetid("", opset), *more.pop("opsets", [])]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8, **more)


def relu(x="x", y="y"):
    return helper.make_node("Relu", [x], [y])


def test_a_path_bytes_or_a_proto(tmp_path):
    proto = model([relu()], {"x": [2]}, ["y"])
    path = tmp_path / "net.onnx"
    path.write_bytes(proto.SerializeToString())
    found = [suanzi.onnx.read(s) for s in (path, str(path), proto, proto.SerializeToString())]
    assert [m.name for m in found] == ["net.onnx", "net.onnx", "<bytes>", "<bytes>"]
    for m in found:
        assert m.graph.inputs == ("x",)
        assert m.graph.outputs == ("y",)
        assert m.graph.nodes[0].operator == OPERATORS["Relu"]()


def test_metadata_and_opsets():
    proto = model(
        [relu()],
        {"x": [2]},
        ["y"],
        producer_name="maker",
        domain="org.example",
        doc_string="what it is",
        graph_doc="of the graph",
        model_version=7,
        opsets=[helper.make_opsetid("com.example", 3)],
    )
    helper.set_model_props(proto, {"author": "someone"})
    found = suanzi.onnx.read(proto)
    assert found.opsets == {"": 18, "com.example": 3}
    plain = model([relu()], {"x": [2]}, ["y"], producer_name="maker", domain="org.example")
    plain.doc_string, plain.model_version = "what it is", 7
    plain.graph.doc_string = "of the graph"
    helper.set_model_props(plain, {"author": "someone"})
    theirs = onnxruntime.InferenceSession(plain.SerializeToString()).get_modelmeta()
    for field in (
        "producer_name",
        "graph_name",
        "domain",
        "description",
        "graph_description",
        "version",
        "custom_metadata_map",
    ):
        assert getattr(found.metadata, field) == getattr(theirs, field), field


def test_sizes_known_symbolic_and_unknown():
    proto = model([relu()], {"x": ["N", 3, "?", None, -1, 0]}, ["y"])
    proto.graph.input[0].type.tensor_type.shape.dim[4].dim_value = -1
    graph = suanzi.onnx.read(proto).graph
    assert graph.types["x"] == TensorType(np.float32, ("N", 3, None, None, None, None))
    proto.graph.input[0].type.tensor_type.ClearField("shape")
    assert suanzi.onnx.read(proto).graph.types["x"] == TensorType(np.float32, None)


def test_initialisers_are_constants_and_no_inputs():
    b = np.arange(3, dtype=np.float32)
    add = helper.make_node("Add", ["x", "b"], ["y"])
    graph = suanzi.onnx.read(model([add], {"x": [3], "b": [3]}, ["y"], [("b", b)])).graph
    assert graph.inputs == ("x",)
    np.testing.assert_array_equal(graph.constants["b"], b)
    assert graph.types["b"].value is graph.constants["b"]


@pytest.mark.parametrize(
    ("attribute", "expected"),
    [
        ({"value": numpy_helper.from_array(np.eye(2, dtype=np.int8))}, np.eye(2, dtype=np.int8)),
        ({"value_float": 1.5}, np.float32(1.5)),
        ({"value_floats": [1.5, 2]}, np.float32([1.5, 2])),
        ({"value_int": 3}, np.int64(3)),
        ({"value_ints": [3, 4]}, np.int64([3, 4])),
    ],
)
def test_every_form_of_constant(attribute, expected):
    node = helper.make_node("Constant", [], ["c"], **attribute)
    graph = suanzi.onnx.read(model([node], {}, ["c"])).graph
    assert graph.nodes == ()
    assert graph.constants["c"].dtype == expected.dtype
    np.testing.assert_array_equal(graph.constants["c"], expected)


def test_nodes_are_put_in_order():
    nodes = [relu("b", "c"), relu("a", "b"), relu("x", "a")]
    graph = suanzi.onnx.read(model(nodes, {"x": [1]}, ["c"])).graph
    assert [n.outputs for n in graph.nodes] == [("a",), ("b",), ("c",)]


def test_an_order_that_works_stays():
    nodes = [relu("x", "b"), relu("x", "a"), relu("b", "c")]
    graph = suanzi.onnx.read(model(nodes, {"x": [1]}, ["a", "c"])).graph
    assert [n.outputs for n in graph.nodes] == [("b",), ("a",), ("c",)]


def test_names_that_adapters_make_are_new():
    nodes = [
        helper.make_node("Clip", ["x"], ["y"], min=0.0),
        helper.make_node("Relu", ["y"], ["y_min"]),
    ]
    graph = suanzi.onnx.read(model(nodes, {"x": [1]}, ["y_min"], opset=6)).graph
    assert graph.nodes[0].inputs == ("x", "y_min_1", "")
    assert evaluate(graph, {"x": np.float32([-3])})["y_min"] == 0


def test_functions_are_written_out():
    body = [helper.make_node("Add", ["a", "a"], ["t"]), relu("t", "b")]
    imports = [helper.make_opsetid("", 18)]
    proto = model(
        [helper.make_node("Twice", ["x"], ["y"], domain="mine")],
        {"x": [2]},
        ["y"],
        opsets=[helper.make_opsetid("mine", 1)],
        functions=[helper.make_function("mine", "Twice", ["a"], ["b"], body, imports)],
    )
    graph = suanzi.onnx.read(proto).graph
    np.testing.assert_array_equal(evaluate(graph, {"x": np.float32([-1, 2])})["y"], [0, 4])


ARRAYS = [
    np.arange(6).reshape(2, 3).astype(dtype)
    for dtype in [
        "f4",
        "f8",
        "f2",
        "i1",
        "i2",
        "i4",
        "i8",
        "u1",
        "u2",
        "u4",
        "u8",
        "?",
        "c8",
        "c16",
    ]
]
NARROW = ["BFLOAT16", "FLOAT8E4M3FN", "FLOAT8E5M2", "INT4", "UINT4", "FLOAT4E2M1", "INT2", "UINT2"]


@pytest.mark.parametrize("raw", [True, False])
@pytest.mark.parametrize("array", ARRAYS, ids=lambda a: a.dtype.name)
def test_element_types(array, raw):
    kind = helper.np_dtype_to_tensor_dtype(array.dtype)
    contents = array.tobytes() if raw else array.reshape(-1)
    tensor = helper.make_tensor("c", kind, array.shape, contents, raw=raw)
    found = suanzi.onnx.read(constant(tensor)).graph.constants["c"]
    assert found.dtype == array.dtype
    np.testing.assert_array_equal(found, array)


@pytest.mark.parametrize("raw", [True, False])
@pytest.mark.parametrize("kind", NARROW)
def test_narrow_element_types(kind, raw):
    values = [[0, 1, 1], [1, 0, 1]]
    dtype = helper.tensor_dtype_to_np_dtype(TensorProto.DataType.Value(kind))
    tensor = numpy_helper.from_array(np.array(values, np.float32).astype(dtype), "c")
    if not raw:
        bytes = np.frombuffer(tensor.raw_data, "u2" if kind == "BFLOAT16" else "u1")
        tensor.ClearField("raw_data")
        tensor.int32_data.extend(bytes)
    found = suanzi.onnx.read(constant(tensor)).graph.constants["c"]
    assert found.dtype == dtype
    np.testing.assert_array_equal(found.astype(np.float32), values)


@pytest.mark.parametrize("shape", [(), (0,), (0, 3)])
def test_scalars_and_empty_tensors(shape):
    array = np.zeros(shape, np.float32)
    for tensor in (
        numpy_helper.from_array(array, "c"),
        helper.make_tensor("c", FLOAT, shape, array.reshape(-1)),
    ):
        found = suanzi.onnx.read(constant(tensor)).graph.constants["c"]
        assert found.shape == shape


def constant(tensor):
    proto = model([], {}, ["c"])
    proto.graph.initializer.append(tensor)
    return proto


def test_external_data(tmp_path):
    a, b = np.arange(4, dtype=np.float32), np.arange(6, dtype=np.int64).reshape(2, 3)
    proto = model([], {}, ["a", "b"], [("a", a), ("b", b)])
    onnx.save(
        proto,
        tmp_path / "m.onnx",
        save_as_external_data=True,
        location="weights.bin",
        size_threshold=0,
    )
    assert (tmp_path / "weights.bin").stat().st_size >= a.nbytes + b.nbytes
    found = suanzi.onnx.read(tmp_path / "m.onnx").graph.constants
    np.testing.assert_array_equal(found["a"], a)
    np.testing.assert_array_equal(found["b"], b)


def test_the_bundled_model_knows_the_bundled_digits():
    graph = suanzi.onnx.read(DATA / "mnist-8.onnx").graph
    for digit in range(10):
        picture = np.asarray(Image.open(DATA / f"digits/{digit}.png"))
        assert (picture.shape, picture.dtype) == ((28, 28), np.uint8)
        values = evaluate(graph, {"Input3": picture[None, None].astype(np.float32)})
        assert values[graph.outputs[0]].argmax() == digit


@pytest.mark.parametrize("path", LIGHT, ids=lambda p: p.stem)
def test_the_zoo_architectures(path):
    graph = suanzi.onnx.read(path).graph
    proto = onnx.load(path)
    assert len(graph.nodes) >= sum(n.op_type != "Constant" for n in proto.graph.node)
    assert graph.outputs == tuple(o.name for o in proto.graph.output)


@pytest.mark.skipif(not FETCHED, reason="scripts/fetch_models.py has not been run")
def test_the_fetched_models():
    """Each is read, or its error names an operator that we lack."""
    for path in FETCHED:
        lacking = operators(onnx.load(path).graph) - {*OPERATORS, *EXPANSIONS, "Constant"}
        if lacking:
            with pytest.raises(SuanziError, match="operators that we don't") as caught:
                suanzi.onnx.read(path)
            assert all(f"{name} (" in caught.value.found for name in lacking)
        else:
            assert suanzi.onnx.read(path).graph.nodes


def operators(graph):
    """The names of all operators, those of subgraphs included."""
    inner = (a.g for node in graph.node for a in node.attribute if a.HasField("g"))
    return {qualified(n.domain, n.op_type) for n in graph.node}.union(*map(operators, inner))
