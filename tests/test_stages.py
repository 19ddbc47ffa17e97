"""Graphs that the data decide upon: in stages, held to the definitions."""

import threading
from collections import Counter

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from suanzi import InferenceSession, SuanziError
from suanzi.graph.evaluate import evaluate

F32 = np.float32


def session(nodes, inputs, outputs, constants=(), threads=1):
    graph = helper.make_graph(
        nodes,
        "staged",
        [helper.make_tensor_value_info(n, t, shape) for n, (t, shape) in inputs.items()],
        [helper.make_value_info(name, onnx.TypeProto()) for name in outputs],
        [numpy_helper.from_array(np.asarray(x), name) for name, x in dict(constants).items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    return InferenceSession(model, threads=threads)


node = helper.make_node
X = {"x": (TensorProto.FLOAT, [None, 3, 8, 8])}
WEIGHTS = {"w": np.random.default_rng(0).standard_normal((8, 3, 3, 3)).astype(F32)}


def pictures(*kept):
    """Pictures of which some are all zero."""
    x = np.random.default_rng(len(kept)).standard_normal((len(kept), 3, 8, 8)).astype(F32)
    return {"x": x * np.array(kept, F32).reshape(-1, 1, 1, 1)}


@pytest.fixture(scope="module")
def chosen():
    """Convolutions of the pictures that have anything positive in them."""
    nodes = [
        node("Relu", ["x"], ["r"], name="before"),
        node("ReduceMax", ["r", "axes"], ["most"], keepdims=0),
        node("NonZero", ["most"], ["places"]),
        node("Squeeze", ["places", "zero"], ["rows"]),
        node("Gather", ["r", "rows"], ["some"]),
        node("Conv", ["some", "w"], ["c"], name="after"),
        node("Relu", ["c"], ["y"]),
    ]
    axes = {"axes": np.array([1, 2, 3]), "zero": np.array([0])}
    return session(nodes, X, ["y", "rows"], WEIGHTS | axes)


@pytest.mark.parametrize("kept", [(1, 0, 1), (0, 0), (1, 1), (1, 0, 1, 0, 1)])
def test_what_the_data_decide_comes_before_its_readers(chosen, kept):
    feeds = pictures(*kept)
    expected = evaluate(chosen.graph, feeds)
    y, rows = chosen.run(None, feeds)
    np.testing.assert_array_equal(rows, np.flatnonzero(kept))
    assert y.shape == (sum(kept), 8, 6, 6)
    np.testing.assert_allclose(y, expected["y"], rtol=1e-4, atol=1e-4)
    np.testing.assert_array_equal(chosen.run(["rows"], feeds)[0], rows)


def test_every_stage_has_kernels_and_shows_in_the_profile(chosen):
    steps = chosen.profile(pictures(1, 0, 1), rounds=2).steps
    by = {step.operator: step for step in steps}
    assert by["NonZero"].kernel == "NumPy"
    assert by["NonZero"].shape == (1, 2)
    assert "data" in by["NonZero"].why
    places = [step.operator for step in steps]
    convolution = next(step for step in steps if step.operator.startswith("Conv"))
    assert convolution.kernel != "NumPy"
    assert convolution.macs == 2 * 8 * 6 * 6 * 27
    assert places.index("NonZero") < places.index(convolution.operator)


def ran(staged, feeds):
    """The kernel of each operator in a run."""
    timings = []
    staged.stages.run(staged.check(feeds), timings)
    return {type(step.node.operator).__name__: step.kernel for step, _ in timings}


def test_what_follows_is_compiled_when_its_shapes_come_back(chosen):
    feeds = pictures(1, 1, 1, 0, 1, 1, 1)
    first, second = (ran(chosen, feeds) for _ in range(2))
    assert first["Conv"] == "NumPy"
    assert second.get("Conv", second.get("Fused")) not in (None, "NumPy")
    expected = evaluate(chosen.graph, feeds)["y"]
    np.testing.assert_allclose(chosen.run(["y"], feeds)[0], expected, rtol=1e-4, atol=1e-4)


def test_much_work_is_compiled_at_once(chosen, monkeypatch):
    feeds = pictures(1, 0, 1, 0, 1, 1, 1, 1)
    monkeypatch.setattr("suanzi.stages.MUCH", 1000)
    assert ran(chosen, feeds).get("Conv") != "NumPy"


def test_outputs_of_definitions_are_their_own():
    """Neither the inputs nor the weights change when a user writes to an output."""
    nodes = [
        node("NonZero", ["x"], ["places"]),
        node("Squeeze", ["places", "zero"], ["rows"]),
        node("Gather", ["x", "rows"], ["some"]),
        node("Shape", ["some"], ["size"]),
        node("Expand", ["one", "size"], ["wide"]),
        node("Identity", ["wide"], ["y"]),
        node("If", ["yes"], ["z"], then_branch=branch("x"), else_branch=branch("weight")),
    ]
    inputs = {"x": (TensorProto.FLOAT, [4]), "yes": (TensorProto.BOOL, [])}
    constants = {"zero": np.array([0]), "one": np.ones(1, F32), "weight": np.ones(4, F32)}
    owning = session(nodes, inputs, ["y", "z"], constants)
    x = np.array([1, 0, 1, 1], F32)
    for yes, expected in ((True, x.copy()), (False, np.ones(4, F32))) * 3:
        y, z = owning.run(None, {"x": x, "yes": np.array(yes)})
        np.testing.assert_array_equal(y, np.ones(3, F32))
        np.testing.assert_array_equal(z, expected)
        y[...], z[...] = 7, 7


def branch(name):
    made = [helper.make_value_info("same", onnx.TypeProto())]
    return helper.make_graph([node("Identity", [name], ["same"])], "branch", [], made)


def test_a_trace_has_every_value(chosen):
    feeds = pictures(0, 1)
    traced, expected = chosen.trace(feeds), evaluate(chosen.graph, feeds)
    names = {name for n in chosen.graph.nodes for name in n.outputs}
    assert set(traced) == names
    for name in names:
        np.testing.assert_allclose(traced[name], expected[name], rtol=1e-4, atol=1e-4)


def loop(threads=1):
    """x through a convolution, a residual and a sum of its own, n times; `n` from outside."""
    body = helper.make_graph(
        [
            node("Conv", ["s", "w"], ["c"], pads=[1, 1, 1, 1]),
            node("Add", ["c", "x"], ["a"]),
            node("Tanh", ["a"], ["next"]),
            node("ReduceMean", ["next"], ["mean"], keepdims=0),
            node("Identity", ["go"], ["again"]),
        ],
        "body",
        [
            helper.make_tensor_value_info("i", TensorProto.INT64, []),
            helper.make_tensor_value_info("go", TensorProto.BOOL, []),
            helper.make_tensor_value_info("s", TensorProto.FLOAT, None),
        ],
        [helper.make_value_info(name, onnx.TypeProto()) for name in ("again", "next", "mean")],
    )
    nodes = [
        node("Abs", ["x"], ["begin"]),
        node("Loop", ["n", "", "begin"], ["end", "means"], body=body, name="loop"),
        node("Neg", ["end"], ["y"]),
    ]
    inputs = X | {"n": (TensorProto.INT64, [])}
    weights = {"w": np.random.default_rng(0).standard_normal((3, 3, 3, 3)).astype(F32) / 5}
    return session(nodes, inputs, ["y", "means"], weights, threads)


def test_a_loops_body_is_compiled_with_the_weights_that_it_captures():
    looping = loop()
    feeds = pictures(1, 1) | {"n": np.array(4)}
    expected = evaluate(looping.graph, feeds)
    for name, found in zip(("y", "means"), looping.run(None, feeds), strict=True):
        np.testing.assert_allclose(found, expected[name], rtol=1e-4, atol=1e-5)
    stage = looping.stages.at(feeds)
    (cut,) = stage.cuts
    assert cut.step.kernel == "bodies"
    (body,) = cut.bodies.values()
    (inside,) = body._made.values()
    kernels = Counter(step.kernel for step in inside.steps)
    assert kernels["NumPy"] <= 1
    assert "w" not in body.graph.inputs
    means = looping.run(None, feeds | {"n": np.array(0)})[1]
    assert means.shape == (0,)


def test_any_number_of_threads_may_run_one_staged_session():
    looping = loop(threads=2)
    feeds = [pictures(*[1] * n) | {"n": np.array(n)} for n in (1, 2, 3)]
    expected = [loop().run(None, fed) for fed in feeds]
    wrong = []

    def work(number):
        for turn in range(6):
            chosen = (number + turn) % 3
            for a, b in zip(looping.run(None, feeds[chosen]), expected[chosen], strict=True):
                if not np.allclose(a, b, atol=1e-5):
                    wrong.append(chosen)

    workers = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert not wrong


def test_an_index_out_of_range_names_the_node():
    nodes = [
        node("NonZero", ["x"], ["places"]),
        node("Add", ["places", "far"], ["beyond"]),
        node("Transpose", ["beyond"], ["rows"]),
        node("GatherND", ["x", "rows"], ["y"], name="pick"),
    ]
    picking = session(nodes, {"x": (TensorProto.FLOAT, [4])}, ["y"], {"far": np.array(9)})
    with pytest.raises(SuanziError, match="pick"):
        picking.run(None, {"x": np.ones(4, F32)})


def test_sequences_and_texts_in_and_out():
    given = helper.make_tensor_sequence_value_info("s", TensorProto.STRING, None)
    nodes = [
        node("SequenceAt", ["s", "last"], ["t"]),
        node("StringConcat", ["t", "t"], ["twice"]),
        node("SequenceInsert", ["s", "twice"], ["more"]),
    ]
    graph = helper.make_graph(
        nodes,
        "texts",
        [given],
        [
            helper.make_tensor_sequence_value_info("more", TensorProto.STRING, None),
            helper.make_tensor_value_info("twice", TensorProto.STRING, None),
        ],
        [numpy_helper.from_array(np.array(-1), "last")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    texts = InferenceSession(model)
    assert [a.type for a in texts.get_inputs()] == ["seq(tensor(string))"]
    assert [a.type for a in texts.get_outputs()] == ["seq(tensor(string))", "tensor(string)"]
    more, twice = texts.run(None, {"s": [np.array(["a"]), np.array(["b", "算"])]})
    assert twice.tolist() == ["bb", "算算"]
    assert [x.tolist() for x in more] == [["a"], ["b", "算"], ["bb", "算算"]]
    with pytest.raises(SuanziError, match="not a list"):
        texts.run(None, {"s": np.array(["a"])})
    with pytest.raises(SuanziError, match="not a text"):
        texts.run(None, {"s": [np.array([1], object)]})


def test_a_sequence_where_a_tensor_belongs():
    given = helper.make_tensor_sequence_value_info("s", TensorProto.FLOAT, None)
    graph = helper.make_graph(
        [node("Relu", ["s"], ["y"], name="rectify")],
        "wrong",
        [given],
        [helper.make_value_info("y", onnx.TypeProto())],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    with pytest.raises(SuanziError, match=r"rectify.*not a tensor"):
        InferenceSession(model)
