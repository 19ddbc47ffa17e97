"""Graphs inside nodes: what they capture, declare and hold, at every depth and in every opset."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from suanzi.errors import SuanziError
from suanzi.graph.control_flow import If
from suanzi.graph.evaluate import evaluate
from suanzi.onnx import read

node = helper.make_node
F32 = np.float32


def tensor(name, *shape, kind=TensorProto.FLOAT):
    return helper.make_tensor_value_info(name, kind, shape)


def untyped(*names):
    return [onnx.ValueInfoProto(name=name) for name in names]


def graph(nodes, outputs, inputs=(), **constants):
    values = [numpy_helper.from_array(np.asarray(x), name) for name, x in constants.items()]
    return helper.make_graph(nodes, "graph", list(inputs), untyped(*outputs), values)


def model(main, opset=20, **kwargs):
    return helper.make_model(
        main, opset_imports=[helper.make_opsetid("", opset)], ir_version=10, **kwargs
    )


def ran(main, feeds, opset=20):
    found = read(model(main, opset)).graph
    return found, evaluate(found, feeds)


def test_bodies_capture_through_every_depth():
    inner = graph(
        [node("Mul", ["x", "two"], ["m"]), node("Add", ["m", "a"], ["b"])], ["b"], two=F32(2)
    )
    middle = graph(
        [
            node("Add", ["x", "one"], ["a"]),
            node("If", ["cond"], ["c"], then_branch=inner, else_branch=graph([], ["a"])),
        ],
        ["c"],
        one=F32(1),
    )
    main = graph(
        [
            node("If", ["cond"], ["y"], then_branch=middle, else_branch=graph([], ["x"])),
        ],
        ["y"],
        [tensor("x", 3), tensor("cond", kind=TensorProto.BOOL)],
    )
    x = np.array([1, 2, 3], F32)
    found, values = ran(main, {"x": x, "cond": np.array(True)})
    np.testing.assert_array_equal(values["y"], 2 * x + (x + 1))
    assert evaluate(found, {"x": x, "cond": np.array(False)})["y"] is x
    (outer,) = found.nodes
    assert outer.inputs == ("cond", "x", "cond")
    assert outer.operator.then_branch.inputs == ("x", "cond")
    assert isinstance(outer.operator.then_branch.nodes[1].operator, If)


def test_a_capture_may_come_later_in_the_file():
    body = graph([node("Neg", ["late"], ["n"])], ["n"])
    main = graph(
        [
            node("If", ["cond"], ["y"], then_branch=body, else_branch=body),
            node("Abs", ["x"], ["late"]),
        ],
        ["y"],
        [tensor("x", 2), tensor("cond", kind=TensorProto.BOOL)],
    )
    _, values = ran(main, {"x": np.array([-1, 2], F32), "cond": np.array(True)})
    np.testing.assert_array_equal(values["y"], [-1, -2])


def test_a_capture_that_nothing_makes():
    body = graph([node("Neg", ["nowhere"], ["n"])], ["n"])
    main = graph(
        [node("If", ["cond"], ["y"], then_branch=body, else_branch=body, name="choice")],
        ["y"],
        [tensor("cond", kind=TensorProto.BOOL)],
    )
    with pytest.raises(SuanziError, match=r"choice.*nowhere"):
        read(model(main))


def test_a_body_need_not_say_what_it_takes():
    body = graph(
        [
            node("Identity", ["go"], ["again"]),
            node("Add", ["s", "step"], ["next"]),
            node("Softmax", ["next"], ["soft"]),  # whose old form asks for the number of axes
        ],
        ["again", "next", "soft"],
        untyped("i", "go", "s"),
    )
    main = graph(
        [node("Loop", ["n", "", "x"], ["end", "softs"], body=body)],
        ["end", "softs"],
        [tensor("x", 2, 3)],
        n=np.array(2),
        step=F32(1),
    )
    x = np.array([[1, 2, 3], [4, 4, 4]], F32)
    _, values = ran(main, {"x": x}, opset=11)
    np.testing.assert_array_equal(values["end"], x + 2)
    assert values["softs"].shape == (2, 2, 3)
    np.testing.assert_allclose(values["softs"].sum(-1), 1, rtol=1e-6)


def test_captures_come_after_what_a_loop_leaves_out():
    body = graph(
        [node("Identity", ["go"], ["again"]), node("Mul", ["x", "x"], ["square"])],
        ["again", "square"],
        untyped("i", "go"),
    )
    main = graph(
        [node("Loop", ["n", ""], ["y"], body=body)], ["y"], [tensor("x", 2)], n=np.array(3)
    )
    found, values = ran(main, {"x": np.array([1, 2], F32)})
    assert found.nodes[0].inputs == ("n", "", "x")
    np.testing.assert_array_equal(values["y"], [[1, 4]] * 3)


def test_a_scan_before_opset_9_repeats_over_a_first_axis():
    body = graph(
        [node("Add", ["s", "x"], ["next"]), node("Mul", ["next", "scale"], ["scaled"])],
        ["next", "scaled"],
        [tensor("s", 2), tensor("x", 2)],
    )
    main = graph(
        [
            node(
                "Scan",
                ["", "start", "xs"],
                ["end", "all"],
                body=body,
                num_scan_inputs=1,
                directions=[1],
            )
        ],
        ["end", "all"],
        [tensor("start", 3, 2), tensor("xs", 3, 4, 2)],
        scale=F32(10),
    )
    rng = np.random.default_rng(0)
    start = rng.standard_normal((3, 2)).astype(F32)
    xs = rng.standard_normal((3, 4, 2)).astype(F32)
    _, values = ran(main, {"start": start, "xs": xs}, opset=8)
    sums = start[:, None] + np.cumsum(xs[:, ::-1], axis=1)
    np.testing.assert_allclose(values["end"], sums[:, -1], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(values["all"], 10 * sums, rtol=1e-5, atol=1e-5)


def test_an_operator_that_we_lack_is_what_its_schema_says_it_is():
    main = graph(
        [node("FlexAttention", ["q", "q", "q"], ["y"], domain="ai.onnx.preview")],
        ["y"],
        [tensor("q", 1, 2, 3, 4)],
    )
    proto = model(main, opset=26)
    proto.opset_import.append(helper.make_opsetid("ai.onnx.preview", 1))
    q = np.random.default_rng(0).standard_normal((1, 2, 3, 4)).astype(F32)
    scores = np.exp(q @ q.swapaxes(2, 3) / 2)
    y = scores / scores.sum(-1, keepdims=True) @ q
    np.testing.assert_allclose(evaluate(read(proto).graph, {"q": q})["y"], y, rtol=1e-5, atol=1e-6)
