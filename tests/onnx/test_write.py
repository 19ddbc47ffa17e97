"""Graphs written as ONNX: each operator alone, bodies, opsets, and real models read and written."""

import functools
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

from model_support import F32, FETCHED
from suanzi.errors import SuanziError
from suanzi.graph import Graph, Node
from suanzi.graph.bodies import type_of
from suanzi.graph.evaluate import evaluate
from suanzi.onnx import read
from suanzi.onnx import write as writing
from suanzi.onnx.expand import needed
from suanzi.onnx.write import write
from suanzi.operators import (
    AdaptiveMaxPool,
    AveragePool,
    BatchNormalization,
    Clip,
    Gelu,
    GridSampleGradient,
    Relu,
    RMSNormalization,
    Swish,
)
from suanzi.operators._operator import OPERATORS, SequenceType, TensorType

ONNX_ALONE = {
    "Attention": {3, 4},  # is_causal beside a cache; a length beside a cache
    "Col2Im": {2},
    "ConvInteger": {1},  # a zero point for each channel
    "DeformConv": {2},  # three spatial axes
    "Einsum": {2},  # an ellipsis of no axes beside one of some
    "GridSample": {3},  # cubic, in three dimensions
    "LRN": {1},  # an even size
    "MaxUnpool": {1},
    "AffineGrid": {1},
    "MelWeightMatrix": {1},
    **dict.fromkeys(["ImageDecoder", "LinearAttention", "StringNormalizer"], range(9)),
    "ai.onnx.ml.LabelEncoder": {1},  # a key that is NaN
    "ai.onnx.ml.LinearClassifier": {1},
    "ai.onnx.ml.SVMClassifier": {2},
    "ai.onnx.ml.SVMRegressor": {5},
    "ai.onnx.ml.Scaler": {0, 1},  # what is left out must be there
    "com.microsoft.DynamicQuantizeLSTM": {0},
    "com.microsoft.GroupQueryAttention": {0, 1},
}
"""Examples that onnxruntime can't run, or runs with other numbers."""
RANDOM = {"Bernoulli", "Multinomial", "RandomNormal", "RandomNormalLike", "RandomUniform",
          "RandomUniformLike", "Dropout"}  # fmt: skip
NOWHERE = {"CTCLossGradient", "EmbeddingBagGradient", "GridSampleGradient"}
"""What can't be written."""

EXAMPLES = [
    pytest.param(name, number, id=f"{name}-{number}")
    for name, kind in sorted(OPERATORS.items())
    if name not in NOWHERE
    for number in range(len(kind.examples()))
]


def bare(t):
    return TensorType(t.dtype, t.shape) if t.is_tensor else t


def alone(operator, inputs, fixed=False):
    """A graph of one node, and its feeds; if `fixed` what isn't floating point is constant."""
    names = tuple("" if x is None else f"x{i}" for i, x in enumerate(inputs))
    given = {n: x for n, x in zip(names, inputs, strict=True) if n}
    arrays = {n: x for n, x in given.items() if isinstance(x, np.ndarray)}
    kept = {n: x for n, x in arrays.items() if fixed and (x.dtype.kind != "f" or n != "x0")}
    outputs = tuple(f"y{i}" for i in range(len(operator.numpy_all(inputs))))
    types = {n: type_of(x) if n in kept else bare(type_of(x)) for n, x in given.items()}
    feeds = {n: x for n, x in given.items() if n not in kept}
    node = Node(operator, names, outputs, "node")
    return Graph(tuple(feeds), outputs, (node,), kept, types, name="one"), feeds


def ran(model, feeds):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    holders = (list, dict)
    given = {n: x if isinstance(x, holders) else np.asarray(x) for n, x in feeds.items()}
    return session.run(None, given)


def same(found, expected, rtol=1e-4, atol=1e-5):
    for a, e in zip(found, expected, strict=True):
        if isinstance(e, list | dict) or e is None:
            continue
        a, e = np.asarray(a), np.asarray(e)
        assert a.shape == e.shape
        if e.dtype.kind in "fc":
            np.testing.assert_allclose(a, e, rtol, atol)
        elif e.dtype.kind in "iubO":
            np.testing.assert_array_equal(a, e)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("name", "number"), EXAMPLES)
def test_examples(name, number):
    example = OPERATORS[name].examples()[number]
    graph, feeds = alone(example.operator, example.inputs)
    expected = evaluate(graph, feeds)
    types = [None if x is None else bare(type_of(x)) for x in example.inputs]
    made = [t for t in example.operator.infer_all(types) if t.is_tensor]
    if (
        any(t.shape is None for t in made) or name == "ResizeGradient"
    ):  # axes, or scales, as constants
        graph, feeds = alone(example.operator, example.inputs, fixed=True)
    model = write(graph)
    strange = name.startswith("com.") or (name, number) in [
        ("Attention", 4), ("Einsum", 2), ("ai.onnx.ml.LinearClassifier", 1),
    ]  # fmt: skip
    if not strange:  # onnx's own inference refuses what its definition allows
        onnx.checker.check_model(model, full_check=True)
    expected = [expected[n] for n in graph.outputs]
    if name in RANDOM:
        read(model)
        return
    again = read(model).graph
    found = evaluate(again, feeds)
    same([found[n] for n in again.outputs], expected)
    training = name.startswith("ai.onnx.preview.training")
    if not training and number not in ONNX_ALONE.get(name, ()):
        same(ran(model, feeds), expected)


@pytest.mark.parametrize("name", sorted(NOWHERE))
def test_what_cannot_be_written(name):
    example = OPERATORS[name].examples()[0]
    with pytest.raises(SuanziError, match=name):
        write(alone(example.operator, example.inputs)[0])


# --- opsets


def one(operator, *inputs):
    return alone(operator, inputs)


def test_the_lowest_opset():
    x = np.linspace(-3, 3, 6, dtype=F32).reshape(2, 3)
    assert write(one(Relu(), x)[0]).opset_import[0].version == 18
    assert write(one(Gelu(), x)[0]).opset_import[0].version == 20
    assert write(one(Swish(), x)[0]).opset_import[0].version == 24
    assert write(one(Relu(), x)[0], 21).opset_import[0].version == 21
    young = AveragePool(kernel_shape=(2,), dilations=(2,))
    assert write(one(young, np.ones((1, 1, 5), F32))[0]).opset_import[0].version == 19
    whole = one(Relu(), x.astype(np.int32))[0]  # of whole numbers since opset 14
    with pytest.raises(SuanziError, match=r"node \(Relu\): can't be written at opset 13: X"):
        write(whole, 13)
    with pytest.raises(SuanziError, match="opset_version"):
        write(one(Relu(), x)[0], 99)


@pytest.mark.parametrize(
    "operator", [Gelu(), Gelu(approximate="tanh"), Swish(), Swish(alpha=1.5)], ids=str
)
def test_written_out_for_an_older_opset(operator):
    graph, feeds = one(operator, np.linspace(-3, 3, 6, dtype=F32))
    model = write(graph, 17)
    onnx.checker.check_model(model, full_check=True)
    same(ran(model, feeds), [operator.numpy(feeds["x0"])])


@pytest.mark.parametrize("opset", [11, 13, 17, 18])
def test_axes_that_were_attributes(opset):
    x = np.arange(12, dtype=F32).reshape(2, 6)
    of = OPERATORS
    nodes = (
        Node(of["ReduceMean"](keepdims=0), ("x", "axes"), ("mean",)),
        Node(of["Unsqueeze"](), ("mean", "axes"), ("wide",)),
        Node(of["ReduceSum"](), ("wide", "axes"), ("sum",)),
        Node(of["Squeeze"](), ("sum", "axes"), ("narrow",)),
        Node(of["Split"](axis=-1, num_outputs=2), ("x",), ("a", "b")),
    )
    axes = np.array([1])
    types = {"x": TensorType(F32, x.shape), "axes": TensorType.of(axes)}
    graph = Graph(("x",), ("narrow", "b"), nodes, {"axes": axes}, types)
    model = write(graph, opset)
    onnx.checker.check_model(model, full_check=True)
    same(ran(model, {"x": x}), [x.mean(1), x[:, 3:]])
    found = evaluate(read(model).graph, {"x": x})
    same([found["narrow"], found["b"]], [x.mean(1), x[:, 3:]])


def test_rms_normalization_for_an_older_opset():
    operator = RMSNormalization(axis=-1)
    graph, feeds = one(operator, np.arange(6, dtype=F32).reshape(2, 3), np.array([1, 2, 3], F32))
    same(ran(write(graph, 18), feeds), [operator.numpy(*feeds.values())])


def test_optional_inputs_and_outputs_left_out():
    x = np.arange(12, dtype=F32).reshape(1, 1, 3, 4)
    graph, feeds = one(Clip(), x, None, np.array(5, F32))
    model = write(graph)
    assert [*model.graph.node[0].input] == ["x0", "", "x2"]
    same(ran(model, feeds), [x.clip(max=5)])
    pooled, _ = one(AdaptiveMaxPool(output_size=(1, 2)), x)
    both = write(pooled)
    assert len(both.graph.output) == 2
    first = write(pooled.replace(outputs=("y0",)))
    assert "ArgMax" not in [node.op_type for node in first.graph.node]


def test_training_form_of_batch_normalization():
    """Equal weights are one tensor to onnxruntime, whose own kernel would write into it."""
    x = np.random.default_rng(0).normal(2, 3, (4, 3, 5)).astype(F32)
    ones, zeros = np.ones(3, F32), np.zeros(3, F32)
    operator = BatchNormalization(training_mode=1, momentum=0.75)
    graph, _ = one(operator, x, ones, zeros, zeros, ones)
    constants = dict(zip(["x1", "x2", "x3", "x4"], (ones, zeros, zeros, ones), strict=True))
    graph = graph.replace(
        inputs=("x0",),
        constants=constants,
        types={"x0": graph.types["x0"]} | {n: TensorType.of(a) for n, a in constants.items()},
    )
    same(ran(write(graph), {"x0": x}), operator.numpy(x, ones, zeros, zeros, ones))


def test_gradient_without_an_expansion_is_named():
    x = np.ones((1, 1, 2, 2), F32)
    grid = np.zeros((1, 2, 2, 2), F32)
    with pytest.raises(SuanziError, match=r"node \(GridSampleGradient\)"):
        write(one(GridSampleGradient(), x, x, grid)[0])


# --- names, types, files


def test_symbolic_sizes_names_and_metadata():
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 3, None])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 3, None])
    nodes = [
        helper.make_node("Relu", ["x"], ["mid"], "first"),
        helper.make_node("Abs", ["mid"], ["y"]),
    ]
    proto = helper.make_model(helper.make_graph(nodes, "net", [x], [y]), producer_name="someone")
    helper.set_model_props(proto, {"key": "value"})
    found = read(proto)
    model = write(found.graph, metadata=found.metadata)
    onnx.checker.check_model(model, full_check=True)
    assert [n.name for n in model.graph.node] == ["first", ""]
    assert model.graph.name == "net"
    again = read(model)
    assert again.metadata == found.metadata
    assert again.graph.types["x"].shape == ("N", 3, None)
    (info,) = model.graph.value_info
    assert (info.name, info.type.tensor_type.shape.dim[0].dim_param) == ("mid", "N")


def test_outputs_that_no_node_makes():
    x = np.ones(2, F32)
    graph = Graph(("x",), ("x", "c", "x"), (), {"c": x}, {"x": bare(type_of(x)), "c": type_of(x)})
    model = write(graph)
    onnx.checker.check_model(model, full_check=True)
    same(ran(model, {"x": x * 2}), [x * 2, x, x * 2])


def test_sequences_have_their_type():
    graph, _ = alone(OPERATORS["SequenceLength"](), ([np.ones(2, F32)],))
    (info,) = write(graph).graph.input
    assert info.type.sequence_type.elem_type.tensor_type.elem_type == TensorProto.FLOAT
    assert isinstance(graph.types["x0"], SequenceType)


def test_weights_beyond_the_limit_lie_beside_the_file(tmp_path, monkeypatch):
    monkeypatch.setattr(writing, "LARGEST", 5000)
    rng = np.random.default_rng(0)
    weights = {f"w{i}": rng.normal(size=(64, 32)).astype(F32) for i in range(2)}
    small = {"b": np.ones(32, F32)}
    constants = weights | small
    add = OPERATORS["Add"]()
    inputs = (("x", "w0"), ("a", "w1"), ("c", "b"))
    nodes = tuple(Node(add, i, (o,)) for i, o in zip(inputs, ("a", "c", "y"), strict=True))
    types = {"x": TensorType(F32, (32,))} | {n: TensorType.of(a) for n, a in constants.items()}
    path = tmp_path / "large.onnx"
    write(Graph(("x",), ("y",), nodes, constants, types), path=path)
    assert path.stat().st_size < 5000 < (tmp_path / "large.onnx.data").stat().st_size
    onnx.checker.check_model(path, full_check=True)
    x = np.ones(32, F32)
    session = onnxruntime.InferenceSession(path)
    expected = x + weights["w0"] + weights["w1"] + 1
    same(session.run(None, {"x": x}), [expected])
    same([evaluate(read(path).graph, {"x": x})["y"]], [expected])


# --- real models

LIGHT = Path(onnx.__file__).parent / "backend/test/data/light"
REAL = sorted([*LIGHT.glob("*.onnx"), *FETCHED.glob("**/*.onnx")])


def operators(graph):
    return [node.operator.title for node in graph.nodes]


@functools.lru_cache(maxsize=1)
def source(path):
    try:
        return read(path)
    except SuanziError as error:
        if "operators that we don't" in str(error):
            pytest.skip(str(error))
        raise


@pytest.mark.parametrize("path", REAL, ids=lambda p: f"{p.parent.name}-{p.stem}")
def test_real_models(path):
    found = source(path)
    model = write(found.graph, metadata=found.metadata)
    onnx.checker.check_model(model, full_check=True)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    one = onnxruntime.InferenceSession(model.SerializeToString(), options)
    again = read(model)
    assert again.metadata.custom_metadata_map == found.metadata.custom_metadata_map
    assert operators(again.graph) == operators(needed(found.graph))
    other = onnxruntime.InferenceSession(str(path), options)
    feeds = {}
    for given in other.get_inputs():
        sizes = [d if isinstance(d, int) and d > 0 else 1 for d in given.shape]
        assert given.name in [i.name for i in one.get_inputs()]
        if given.type != "tensor(float)" or sizes != given.shape:
            return
        feeds[given.name] = np.random.default_rng(0).standard_normal(sizes, F32)
    for a, e in zip(one.run(None, feeds), other.run(None, feeds), strict=True):
        assert a.shape == e.shape
        assert np.abs(a - e).max(initial=0) <= 1e-4 * max(1, np.abs(e).max(initial=0))
