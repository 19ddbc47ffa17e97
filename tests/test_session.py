"""InferenceSession: onnxruntime's interface, and what it adds."""

import threading

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from suanzi import InferenceSession, SuanziError, data
from suanzi.graph.evaluate import evaluate
from suanzi.lang.target import AVX2, PORTABLE, host_target

PICTURES = data.digits()


@pytest.fixture(scope="module")
def digits():
    return InferenceSession(data.digits_model(), threads=2)


def convolutions(*shape):
    """Two convolutions, a residual, a normalization, a sum over space; the shape may be open."""
    rng = np.random.default_rng(0)

    def weight(name, *sizes):
        values = rng.standard_normal(sizes) / np.sqrt(max(1, np.prod(sizes[1:])))
        return numpy_helper.from_array(values.astype(np.float32), name)

    nodes = [
        helper.make_node("Conv", ["x", "w1"], ["a"], pads=[1, 1, 1, 1], name="first"),
        helper.make_node("BatchNormalization", ["a", "s", "s", "s", "v"], ["b"]),
        helper.make_node("Relu", ["b"], ["c"]),
        helper.make_node("Conv", ["c", "w2"], ["d"], name="second"),
        helper.make_node("Add", ["d", "c"], ["y"]),
        helper.make_node("GlobalAveragePool", ["y"], ["z"]),
    ]
    graph = helper.make_graph(
        nodes,
        "convolutions",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(n, TensorProto.FLOAT, None) for n in ("z", "y")],
        [
            weight("w1", 20, 3, 3, 3),
            weight("w2", 20, 20, 1, 1),
            weight("s", 20),
            numpy_helper.from_array(np.full(20, 0.5, np.float32), "v"),
        ],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], producer_name="p")


def feeds(*shape, seed=0):
    return {"x": np.random.default_rng(seed).standard_normal(shape, np.float32)}


def close(found, wanted):
    assert (found.dtype, found.shape) == (wanted.dtype, wanted.shape)
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-5 * np.abs(wanted).max())


def test_outputs_by_name():
    session = InferenceSession(convolutions(1, 3, 9, 9))
    x = feeds(1, 3, 9, 9)
    z, y = session.run(None, x)
    assert (z.shape, y.shape) == ((1, 20, 1, 1), (1, 20, 9, 9))
    swapped = session.run(["y", "z", "y"], x)
    for found, wanted in zip(swapped, [y, z, y], strict=True):
        np.testing.assert_array_equal(found, wanted)
    assert len(session.run([], x)) == 2  # all, as in onnxruntime


def test_what_a_session_says_of_its_model():
    session = InferenceSession(convolutions("N", 3, "H", None))
    (x,) = session.get_inputs()
    assert (x.name, x.type, x.shape) == ("x", "tensor(float)", ["N", 3, "H", None])
    assert [(y.name, y.shape) for y in session.get_outputs()] == [
        ("z", ["N", 20, 1, 1]),
        ("y", ["N", 20, "H", None]),
    ]
    meta = session.get_modelmeta()
    assert (meta.producer_name, meta.graph_name) == ("p", "convolutions")


def test_names_agree_with_onnxruntimes():
    onnxruntime = pytest.importorskip("onnxruntime")
    model = data.digits_model()
    theirs = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    ours = InferenceSession(model)
    for side in ("get_inputs", "get_outputs"):
        for a, b in zip(getattr(ours, side)(), getattr(theirs, side)(), strict=True):
            assert (a.name, a.type, a.shape) == (b.name, b.type, b.shape)
    for field in ("producer_name", "graph_name", "domain", "description", "version"):
        assert getattr(ours.get_modelmeta(), field) == getattr(theirs.get_modelmeta(), field)
    x = {"Input3": PICTURES["3.png"]}
    for a, b in zip(ours.run(None, x), theirs.run(None, x), strict=True):
        close(a, b)


def test_a_path_bytes_and_a_proto_are_one_model(tmp_path):
    model, x = convolutions(1, 3, 8, 8), feeds(1, 3, 8, 8)
    onnx.save(model, tmp_path / "m.onnx")
    sources = [tmp_path / "m.onnx", str(tmp_path / "m.onnx"), model.SerializeToString(), model]
    runs = [InferenceSession(source).run(None, x) for source in sources]
    for run in runs[1:]:
        for a, b in zip(run, runs[0], strict=True):
            np.testing.assert_array_equal(a, b)
    assert InferenceSession(tmp_path / "m.onnx").name == "m.onnx"


def test_programs_are_kept_by_shape(monkeypatch):
    monkeypatch.setattr("suanzi.stages.MOST_PROGRAMS", 3)
    session = InferenceSession(convolutions("N", 3, "H", "W"))
    made = []
    for shape in [(1, 3, 5, 7), (2, 3, 5, 7), (1, 3, 12, 3), (1, 3, 5, 7)]:
        x = feeds(*shape)
        wanted = evaluate(session.graph, x)
        for name, y in zip(("z", "y"), session.run(None, x), strict=True):
            close(y, wanted[name])
        made.append(session.program(x))
    assert made[0] is made[3]
    assert len({id(program) for program in made}) == 3
    session.run(None, feeds(1, 3, 4, 4))  # a fourth shape: the oldest program goes
    assert session.program(feeds(1, 3, 5, 7)) is not made[0]


def test_results_are_the_callers_own(digits):
    first = digits.run(None, {"Input3": PICTURES["1.png"]})[0]
    kept = first.copy()
    digits.run(None, {"Input3": PICTURES["8.png"]})
    np.testing.assert_array_equal(first, kept)


def test_any_memory_layout_of_an_input(digits):
    x = PICTURES["5.png"]
    (wanted,) = digits.run(None, {"Input3": x})
    bytes_before = np.frombuffer(b"\0" + x.tobytes(), np.uint8)[1:]
    unaligned = bytes_before.view(np.float32).reshape(x.shape)
    for other in (np.asfortranarray(x), x[..., ::-1].copy()[..., ::-1], unaligned):
        np.testing.assert_array_equal(digits.run(None, {"Input3": other})[0], wanted)


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("target", [None, AVX2, PORTABLE], ids=lambda t: t.name if t else "host")
def test_threads_and_targets_agree(threads, target):
    if target and target.lanes > host_target().lanes:
        pytest.skip("not on this machine")
    session = InferenceSession(convolutions(1, 3, 30, 31), threads=threads, target=target)
    x = feeds(1, 3, 30, 31)
    wanted = evaluate(session.graph, x)
    for name, y in zip(("z", "y"), session.run(None, x), strict=True):
        close(y, wanted[name])


@pytest.mark.parametrize("name", ["Conv", "ConvTranspose"])
def test_strict_precision(name):
    """No algorithm that rounds more than the direct sum, and results nearer to the exact ones."""
    W = np.random.default_rng(1).standard_normal((64, 64, 3, 3), np.float32) / 24
    node = helper.make_node(name, ["x", "w"], ["y"], pads=[1, 1, 1, 1])
    graph = helper.make_graph(
        [node],
        "one",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 64, "H", "W"])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(W, "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])
    x = feeds(1, 64, 40, 40)
    errors = {}
    for precision in ("fast", "strict"):
        session = InferenceSession(model, precision=precision)
        (y,) = session.run(None, x)
        kernels = {step.kernel for step in session.program(x).steps}
        assert any("Winograd" in kernel for kernel in kernels) == (precision == "fast")
        (operator,) = (node.operator for node in session.graph.nodes)
        exact = operator.numpy(x["x"].astype(np.float64), W.astype(np.float64))
        errors[precision] = np.abs(y - exact).max() / np.abs(exact).max()
    assert errors["strict"] < 2e-6 < errors["fast"] < 1e-4
    with pytest.raises(SuanziError, match="no such precision"):
        InferenceSession(model, precision="exact")


def test_threads_of_the_environment(monkeypatch):
    monkeypatch.setenv("SUANZI_THREADS", "3")
    assert InferenceSession(data.digits_model()).compiler.threads == 3
    assert InferenceSession(data.digits_model(), threads=1).compiler.threads == 1
    monkeypatch.setenv("SUANZI_THREADS", "none")
    with pytest.raises(SuanziError, match="SUANZI_THREADS"):
        InferenceSession(data.digits_model())


def test_many_python_threads_at_once():
    session = InferenceSession(convolutions("N", 3, 20, 20), threads=2)
    given = [feeds(1 + i % 3, 3, 20, 20, seed=i) for i in range(6)]
    wanted = [InferenceSession(convolutions("N", 3, 20, 20), threads=2).run(None, x) for x in given]
    wrong = []

    def work(number):
        for turn in range(20):
            at = (number + turn) % len(given)
            for a, b in zip(session.run(None, given[at]), wanted[at], strict=True):
                if not np.array_equal(a, b):
                    wrong.append(number)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


@pytest.mark.parametrize("shape", [(1, 3, 9, 9), ("N", 3, "H", "W")])
def test_trace_has_every_value(shape):
    session = InferenceSession(convolutions(*shape))
    x = feeds(1, 3, 9, 9)
    wanted = evaluate(session.graph, x)
    found = session.trace(x)
    assert list(found) == [name for node in session.graph.nodes for name in node.outputs]
    for name, value in found.items():
        close(value, wanted[name])


def test_trace_of_the_bundled_model(digits):
    x = {"Input3": PICTURES["9.png"]}
    wanted = evaluate(digits.graph, x)
    for name, value in digits.trace(x).items():
        close(value, wanted[name])


def test_a_model_without_inputs():
    nodes = [helper.make_node("Constant", [], ["c"], value_floats=[1.0, 2.0])]
    nodes.append(helper.make_node("Neg", ["c"], ["y"]))
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    session = InferenceSession(helper.make_model(helper.make_graph(nodes, "g", [], [y])))
    np.testing.assert_array_equal(session.run(None, {})[0], np.float32([-1, -2]))


def test_an_input_that_is_an_output():
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [2])
    model = helper.make_model(helper.make_graph([], "g", [x], [x]))
    given = np.float32([1, 2])
    (found,) = InferenceSession(model).run(None, {"x": given})
    np.testing.assert_array_equal(found, given)
    assert not np.shares_memory(found, given)


def test_lists_of_numbers_are_of_the_type_that_is_declared():
    """As onnxruntime takes them; but nothing is cut off."""
    node = helper.make_node("Identity", ["x"], ["y"])
    for kind, fits, fails in (
        (TensorProto.INT32, [[1, 2]], [[1, 2**40]]),
        (TensorProto.FLOAT, [[1, 2.5]], [["a", "b"]]),
        (TensorProto.INT64, ((3, 4),), [[1.5, 2]]),
        (TensorProto.UINT8, [[0, 255]], [[0, -1]]),
    ):
        value = [helper.make_tensor_value_info(name, kind, [1, 2]) for name in "xy"]
        model = helper.make_model(helper.make_graph([node], "lists", value[:1], value[1:]))
        session = InferenceSession(model)
        (y,) = session.run(None, {"x": fits})
        assert y.tolist() == np.asarray(fits).tolist()
        with pytest.raises(SuanziError, match="wrong type"):
            session.run(None, {"x": fails})
