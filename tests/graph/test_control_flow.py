"""If, Loop and Scan: what they compute, what is known before, and the pass over them."""

import numpy as np
import pytest

from graph_support import Net, counts
from suanzi.errors import SuanziError
from suanzi.graph import Graph, Node
from suanzi.graph.control_flow import If, Loop, Scan
from suanzi.graph.evaluate import evaluate
from suanzi.graph.passes.control_flow import control_flow
from suanzi.graph.passes.dead_code import dead_code
from suanzi.graph.pipeline import optimize
from suanzi.graph.verify import verify
from suanzi.operators import Add, Concat, Identity, Mul, ReduceSum, Relu, TensorType

F32 = np.dtype(np.float32)


def body(operator, inputs, output="y"):
    return Graph(inputs, (output,), (Node(operator, inputs, (output,)),))


def branches(then, otherwise):
    return If(then_branch=then, else_branch=otherwise, captures=len(then.inputs))


CHOICE = branches(body(Relu(), ("x",)), body(ReduceSum(), ("x",)))
TRUTH = TensorType(np.dtype(np.bool_), ())


def test_an_if_knows_what_its_branches_agree_on():
    x = TensorType(F32, (2, "N"))
    (y,) = CHOICE.infer(TRUTH, x)
    assert y == TensorType(F32, (None, None))
    (y,) = CHOICE.infer(TensorType.of(np.array(True)), x)
    assert y == x
    (y,) = CHOICE.infer(TensorType.of(np.array(False)), x)
    assert y == TensorType(F32, (1, 1))


def test_branches_of_different_types_are_an_error():
    casts = branches(body(Relu(), ("x",)), Graph(("x",), ("y",), (), {"y": np.array(1)}))
    with pytest.raises(SuanziError, match="type changes"):
        casts.infer(TRUTH, TensorType(F32, (2,)))


def growing(captures=1):
    """Doubles the state by joining it to itself, and gives the capture times the iteration."""
    nodes = (
        Node(Identity(), ("go",), ("again",)),
        Node(Concat(axis=0), ("s", "s"), ("next",)),
        Node(Mul(), ("c", "c"), ("square",)),
    )
    return Loop(
        body=Graph(("i", "go", "s", "c"), ("again", "next", "square"), nodes), captures=captures
    )


def test_what_a_loop_changes_is_not_known():
    s, c = TensorType(F32, (1, 3)), TensorType(F32, (5,))
    state, scan = growing().infer(TensorType.of(np.array(4)), None, s, c)
    assert (state, scan) == (TensorType(F32, (None, 3)), TensorType(F32, (4, 5)))
    state, scan = growing().infer(TensorType(np.dtype(np.int64), ()), TRUTH, s, c)
    assert (state, scan) == (TensorType(F32, (None, 3)), TensorType(F32, (None, 5)))


@pytest.mark.parametrize("trips", [0, 1, 3, -2])
def test_a_loop_runs_as_often_as_it_is_told(trips):
    s, c = np.ones((1, 3), np.float32), np.array([2, 3], np.float32)
    state, scan = growing().numpy(np.array(trips), None, s, c)
    trips = max(trips, 0)
    assert state.shape == (2**trips, 3)
    np.testing.assert_array_equal(scan, np.tile(c * c, (trips, 1)))


def test_a_loop_ends_when_its_condition_does():
    nodes = (Node(Add(), ("s", "s"), ("next",)),)
    loop = Loop(body=Graph(("i", "go", "s"), ("stop", "next"), nodes, {"stop": np.array(False)}))
    assert loop.numpy(None, None, np.array(3))[0] == 6
    assert loop.numpy(None, np.array(True), np.array(3))[0] == 6
    assert loop.numpy(np.array(9), np.array(False), np.array(3))[0] == 3


def test_a_scan_of_nothing():
    scan = Scan(body=body(Relu(), ("x",)), num_scan_inputs=1, scan_output_axes=(1,))
    (y,) = scan.numpy(np.empty((0, 4), np.float32))
    assert y.shape == (4, 0)


def test_scans_take_inputs_of_one_length():
    scan = Scan(body=body(Add(), ("a", "b")), num_scan_inputs=2)
    with pytest.raises(SuanziError, match="lengths"):
        scan.infer(TensorType(F32, (3,)), TensorType(F32, (4,)))


def test_an_if_with_a_known_condition_becomes_its_branch():
    net = Net()
    x = net.input("x", (2, 3))
    inner = branches(body(Relu(), ("x",)), body(Identity(), ("x",)))
    outer = Graph(
        ("x",),
        ("y",),
        (Node(Add(), ("x", "c"), ("a",)), Node(inner, ("t", "a"), ("y",))),
        {"c": np.float32(1), "t": np.array(True)},
    )
    a = net(branches(outer, body(Identity(), ("x",))), np.array(True), x)
    b = net(branches(outer, body(Identity(), ("x",))), np.array(True), a)
    graph = net.graph(a, b)
    after = dead_code(control_flow(graph))
    verify(after)
    assert counts(after) == {"Add": 2, "Relu": 2}
    feeds = {"x": np.array([[-3, 1, 2], [4, -5, 6]], np.float32)}
    for name in (a, b):
        np.testing.assert_array_equal(evaluate(after, feeds)[name], evaluate(graph, feeds)[name])


def test_bodies_take_over_the_constants_that_they_capture():
    net = Net()
    x, cond = net.input("x", (2, 3)), net.input("cond", (), np.bool_)
    both = branches(body(Add(), ("x", "c")), body(Mul(), ("x", "c")))
    y = net(both, cond, x, np.full((2, 3), 2, np.float32))
    graph = net.graph(y)
    after = optimize(graph)
    (node,) = after.nodes
    assert node.inputs == ("cond", "x")
    assert node.operator.captures == 1
    for truth in (True, False):
        feeds = {"x": np.ones((2, 3), np.float32), "cond": np.array(truth)}
        np.testing.assert_array_equal(evaluate(after, feeds)[y], evaluate(graph, feeds)[y])
