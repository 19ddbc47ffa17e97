"""One node: its code runs and means the same, its text is the file's, its steps are found."""

import numpy as np
import pytest
from onnx import helper

from inspect_support import branching, digits, make
from suanzi import InferenceSession, data
from suanzi import operators as ops
from suanzi.errors import SuanziError
from suanzi.graph import Graph, Node
from suanzi.graph.infer import infer
from suanzi.inspect.code import onnx_code, suanzi_code, variables
from suanzi.inspect.feeds import input_types
from suanzi.inspect.node import node_detail
from suanzi.inspect.plan import code, covers, plan, prepared
from suanzi.inspect.pytorch import torch_code
from suanzi.onnx.cut import Original
from suanzi.operators._operator import TensorType


def test_a_convolution():
    original = Original(data.digits_model())
    steps = prepared(digits(), input_types(digits())).steps
    found = node_detail(digits(), "5", original, steps)
    assert (found.name, found.operator, found.family) == ("Convolution110", "Conv", "convolution")
    assert "Σ" in found.doc
    assert found.definition.source.startswith("@operator(")
    assert "class Conv(" in found.definition.source
    assert found.definition.file == "suanzi/operators/convolution.py"
    assert [(p.parameter, p.value, p.constant) for p in found.inputs] == [
        ("X", "Pooling66_Output_0", False), ("W", "Parameter87", True)
    ]  # fmt: skip
    given = {a.name: a.value for a in found.attributes if a.given}
    assert given["auto_pad"] == "SAME_UPPER"
    assert found.file_node.startswith("[Convolution110]")
    (step,) = found.steps
    assert (step.operator, step.nodes, step.kernel) == (
        "Conv+Relu",
        ["5", "6", "7"],
        ["ConvDirect"],
    )
    assert found.code["pytorch"].endswith(
        "F.conv2d(Pooling66_Output_0, Parameter87, stride=1, padding=2, dilation=1, groups=1)"
    )


@pytest.mark.parametrize("id", ["99", "x", "0.then_branch.0", ""])
def test_nodes_that_are_not_there(id):
    with pytest.raises(SuanziError, match="no such node"):
        node_detail(digits(), id)


def test_nodes_of_bodies():
    found = node_detail(InferenceSession(branching()), "0.then_branch.0", Original(branching()))
    assert (found.name, found.file_node, found.steps) == ("inner/Add", None, [])


NODES = {
    "Conv": (ops.Conv(strides=(2, 2), pads=(0, 1, 1, 0)), [(1, 4, 6, 7), (6, 4, 3, 2), (6,)]),
    "grouped": (ops.Conv(group=2, dilations=(2,), pads=(1, 1)), [(1, 4, 9), (6, 2, 3)]),
    "ConvTranspose": (
        ops.ConvTranspose(strides=(2, 2), pads=(1, 1, 1, 1)), [(1, 2, 4, 4), (2, 3, 3, 3)]
    ),
    "MaxPool": (ops.MaxPool(kernel_shape=(3, 3), strides=(2, 2), pads=(0, 0, 1, 1)),
                [(1, 2, 7, 7)]),
    "AveragePool": (ops.AveragePool(kernel_shape=(2,), strides=(2,)), [(1, 2, 7)]),
    "GlobalAveragePool": (ops.GlobalAveragePool(), [(1, 2, 3, 3)]),
    "BatchNormalization": (ops.BatchNormalization(), [(1, 2, 3), (2,), (2,), (2,), (2,)]),
    "LayerNormalization": (ops.LayerNormalization(), [(2, 3), (3,), (3,)]),
    "Gemm": (ops.Gemm(transB=1), [(2, 3), (4, 3), (4,)]),
    "scaled Gemm": (ops.Gemm(alpha=0.5, beta=2.0, transA=1), [(3, 2), (3, 4), (4,)]),
    "Softmax": (ops.Softmax(axis=1), [(2, 3, 4)]),
    "Concat": (ops.Concat(axis=-1), [(2, 3), (2, 4)]),
    "Transpose": (ops.Transpose(perm=(1, 0, 2)), [(2, 3, 4)]),
    "Flatten": (ops.Flatten(), [(2, 3, 4)]),
    "LeakyRelu": (ops.LeakyRelu(alpha=0.3), [(2, 3)]),
    "Relu": (ops.Relu(), [(2, 3)]),
    "MatMul": (ops.MatMul(), [(2, 3), (3, 4)]),
    "Add": (ops.Add(), [(2, 3), (3,)]),
    "ReduceMean": (ops.ReduceMean(keepdims=0), [(2, 3, 4), np.array([1])]),
    "Reshape": (ops.Reshape(), [(2, 6), np.array([3, 4])]),
    "Unsqueeze": (ops.Unsqueeze(), [(2, 6), np.array([1])]),
    "Slice": (ops.Slice(), [(2, 6), np.array([1]), np.array([6]), np.array([1]), np.array([2])]),
    "Gather": (ops.Gather(axis=1), [(2, 6), np.array([4, 0])]),
    "Clip": (ops.Clip(), [(2, 6), np.float32(-0.5), np.float32(0.5)]),
    "Cast": (ops.Cast(to=7), [(2, 6)]),
    "Resize": (
        ops.Resize(mode="linear"), [(1, 1, 3, 3), None, np.array([1, 1, 2, 2], np.float32)]
    ),
}  # fmt: skip


def arguments(given):
    random = np.random.default_rng(0)
    return [
        np.abs(random.standard_normal(x)).astype(np.float32) if isinstance(x, tuple) else x
        for x in given
    ]


@pytest.mark.parametrize("name", NODES)
def test_the_code_means_the_same(name):
    """In PyTorch and with our operators, the lines run as they stand."""
    torch = pytest.importorskip("torch")
    operator, given = NODES[name]
    arrays = arguments(given)
    wanted = operator.numpy_all(arrays)[0]
    names = [f"v{i}" if x is not None else "" for i, x in enumerate(arrays)]
    constants = {
        n: np.asarray(x) for n, x, g in zip(names, arrays, given, strict=True)
        if n and not isinstance(g, tuple)
    }  # fmt: skip
    inputs = [n for n in names if n and n not in constants]
    node = Node(operator, tuple(names), ("y",))
    types = {n: TensorType.of(x) for n, x in zip(names, arrays, strict=True) if n in inputs}
    types = {n: TensorType(t.dtype, t.shape) for n, t in types.items()}
    graph = infer(Graph(tuple(inputs), ("y",), (node,), constants, types))
    variables = {n: x for n, x in zip(names, arrays, strict=True) if n}
    exec(suanzi_code(graph, node), variables)
    np.testing.assert_array_equal(variables["y"], wanted)
    tensors = {n: torch.from_numpy(np.asarray(x)) for n, x in zip(names, arrays, strict=True) if n}
    exec(torch_code(graph, node), tensors)
    np.testing.assert_allclose(tensors["y"].numpy(), wanted, rtol=1e-4, atol=1e-5)
    made = {}
    exec(onnx_code(node), made)
    assert made["node"].op_type == type(operator).__name__
    assert [*made["node"].output] == ["y"]


def test_variables_are_names():
    node = Node(ops.Add(), ("/a/b/out:0", "1"), ("class",))
    assert variables(node) == (["out", "v1"], ["class_"])
    node = Node(ops.Add(), ("a/x", "b/x"), ("x",))
    assert variables(node) == (["x", "x_"], ["x__"])


def test_what_pytorch_lacks():
    node = Node(ops.StringConcat(), ("a", "b"), ("y",))
    assert torch_code(Graph(("a", "b"), ("y",), (node,)), node) is None


def test_every_node_is_done_by_one_step():
    graph = digits().graph
    found = plan(digits(), input_types(digits()))
    done = [id for step in found.steps for id in step.nodes]
    assert sorted(map(int, done)) == [*range(len(graph.nodes))]
    assert [p.name for p in found.passes][:2] == ["model", "dead_code"]
    assert found.passes[0].nodes == 12
    assert found.passes[-1].nodes == len(found.steps)
    by_name = {step.name: step for step in found.steps}
    assert by_name["ReLU32"].nodes == ["1", "2", "3"]


def test_a_reorder_does_nothing_of_the_model():
    convolution = Node(ops.Conv(), ("x", "w"), ("y",), "c")
    graph = Graph(("x",), ("y",), (convolution,), {"w": np.ones((1, 1, 1), np.float32)})
    from suanzi.graph.fused import Reorder

    steps = [Node(ops.Conv(), ("x", "w"), ("y:16",), "c"), Node(Reorder(0), ("y:16",), ("y",))]
    assert covers(graph, steps) == [[0], []]


def test_sizes_that_are_open():
    value = helper.make_tensor_value_info
    model = make([helper.make_node("Relu", ["x"], ["y"])], [value("x", 1, ["N", "T"])],
                 [value("y", 1, None)])  # fmt: skip
    session = InferenceSession(model)
    with pytest.raises(SuanziError, match="--dim SYMBOL=SIZE"):
        plan(session, input_types(session))
    assert plan(session, input_types(session, {"T": 3})).steps[0].types == ["float32[1, 3]"]


def test_code_of_kernels():
    ready = prepared(digits(), input_types(digits()))
    calls = [call for node in ready.step_nodes("ReLU114") for call in ready.calls(node)]
    (ir,) = code(digits(), calls, "ir").values()
    assert ir.startswith("; ModuleID")
    (assembly,) = code(digits(), calls, "asm").values()
    assert ".text" in assembly
