"""Gradient, held to ONNX's cases and to differences of values."""

import numpy as np
import onnx
import pytest
from onnx import helper
from onnx.backend.test.loader import load_model_tests

from suanzi.errors import SuanziError
from suanzi.graph.evaluate import evaluate
from suanzi.onnx import read

CASES = [case for case in load_model_tests(kind="simple") if "gradient" in case.name]
A = np.array([[0.5, 1.5, 2], [0.25, 3, 1]])
B = np.array([1.25, 0.75, 2.5])


def model(text):
    """The function of a and b to y, and its gradients by both."""
    header = '<ir_version: 8, opset_import: ["": 13, "ai.onnx.preview.training": 1]>'
    gradient = 'da, db = ai.onnx.preview.training.Gradient <xs=["a", "b"], y="y"> (a, b)'
    signature = "g (double[2,3] a, double[3] b) => (double y, double da, double db)"
    return onnx.parser.parse_model(f"{header} {signature} {{ {text} {gradient} }}")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_backend_cases(case):
    folder = case.model_dir
    proto = onnx.load(f"{folder}/model.onnx")
    feeds, expected = (
        [
            onnx.numpy_helper.to_array(onnx.load_tensor(f"{folder}/test_data_set_0/{side}_{i}.pb"))
            for i in range(len(values))
        ]
        for side, values in (("input", proto.graph.input), ("output", proto.graph.output))
    )
    graph = read(proto).graph
    values = evaluate(graph, dict(zip(graph.inputs, feeds, strict=True)))
    for name, e in zip(graph.outputs, expected, strict=True):
        np.testing.assert_allclose(values[name], e, 1e-6)


@pytest.mark.parametrize(
    "text",
    [
        "y = Add(a, b)",
        "c = Mul(a, b) y = Mul(c, a)",
        "c = Sub(a, b) d = Neg(c) y = Div(d, b)",
        "c = Exp(b) d = Log(a) e = Sqrt(a) f = Mul(d, e) y = Mul(f, c)",
        "c = Sub(a, b) y = Relu(c)",
        "c = Tanh(a) d = Sigmoid(b) y = Mul(c, d)",
        "n = Constant <value_ints=[3, 1]> () c = Reshape(b, n) y = Identity(a)",
        "n = Constant <value_ints=[3, 1]> () c = Reshape(b, n) d = MatMul(a, c) y = Sin(d)",
        "n = Constant <value_ints=[2, 1]> () c, d = Split <axis=1>(a, n) y = Softmax(c)",
        "c, m = Dropout(a) y = Mul(c, c)",
        "c = Dropout(a) y = Mul(c, b)",
    ],
)
def test_differences(text):
    graph = read(model(text)).graph
    found = evaluate(graph, {"a": A, "b": B})
    for name, at in (("a", A), ("b", B)):
        expected = np.empty_like(at)
        for i in np.ndindex(at.shape):
            step = np.zeros_like(at)
            step[i] = 1e-6
            above, below = (
                evaluate(graph, {"a": A, "b": B} | {name: at + sign * step})["y"].sum()
                for sign in (1, -1)
            )
            expected[i] = (above - below) / 2e-6
        np.testing.assert_allclose(found[f"d{name}"], expected, 1e-5, 1e-8)


def test_products_of_matrices():
    attributes = {"xs": ["a", "b"], "y": "y"}
    nodes = [
        helper.make_node("MatMul", ["a", "b"], ["y"]),
        helper.make_node(
            "Gradient", ["a", "b"], ["da", "db"], domain="ai.onnx.preview.training", **attributes
        ),
    ]
    inputs = [helper.make_tensor_value_info(n, 11, s) for n, s in (("a", (2, 3)), ("b", (3, 4)))]
    outputs = [helper.make_tensor_value_info(n, 11, None) for n in ("da", "db")]
    opsets = [helper.make_opsetid("", 13), helper.make_opsetid("ai.onnx.preview.training", 1)]
    proto = helper.make_model(helper.make_graph(nodes, "g", inputs, outputs), opset_imports=opsets)
    b = np.arange(12.0).reshape(3, 4)
    found = evaluate(read(proto).graph, {"a": A, "b": b})
    np.testing.assert_allclose(found["da"], np.ones((2, 4)) @ b.T)
    np.testing.assert_allclose(found["db"], A.T @ np.ones((2, 4)))


@pytest.mark.parametrize(("text", "message"), [("y = Unique(a)", "Unique")])
def test_operators_without_a_rule_are_named(text, message):
    with pytest.raises(SuanziError, match=message):
        read(model(text))
