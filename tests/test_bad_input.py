"""Bad input, to a session and to the command: a SuanziError that says where, what was expected and
what was found; status 1 and no traceback; never a crash, whatever the bytes."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import suanzi
from suanzi import InferenceSession, SuanziError, cli, data

FLOAT = TensorProto.FLOAT


def model(*nodes, initializers=(), shape=(2, 3), opset=18, kind=FLOAT):
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", kind, shape)],
        [helper.make_empty_tensor_value_info("y")],
        initializers,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def node(op_type="Relu", inputs=("x",), outputs=("y",), **attributes):
    return helper.make_node(op_type, list(inputs), list(outputs), name="n1", **attributes)


def external(location):
    tensor = TensorProto(name="w", data_type=FLOAT, dims=[2], data_location=TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value=location)
    return model(node("Add", ["x", "w"]), initializers=[tensor])


def constant(values, name="c"):
    return numpy_helper.from_array(np.asarray(values), name)


MODELS = {
    "empty": (b"", ["empty"]),
    "no ONNX file": (b"It was a bright cold day in April", ["not an ONNX file"]),
    "truncated": (data.digits_model()[:20000], ["not an ONNX file", "truncated"]),
    "cycle": (
        model(node("Add", ["x", "y"], ["a"]), node("Relu", ["a"])),
        ["a cycle", "n1 (Add)", "n1 (Relu)"],
    ),
    "operator": (model(node("NoSuch")), ["operators that we don't", "NoSuch (1)"]),
    "opset": (model(node(), opset=99), ["opset", "expected 1 to 28", "found 99"]),
    "type of a tensor": (model(node(), kind=99), ["input x", "element type", "99"]),
    "type of an operator": (
        model(node("Add", ["x", "c"]), initializers=[constant(np.ones(3, np.int64))]),
        ["n1 (Add)", "input B", "expected float32", "found int64"],
    ),
    "attribute": (model(node("Relu", beta=1.0)), ["n1 (Relu)", "no attribute beta"]),
    "value of an attribute": (
        model(node("Transpose", perm=[0, 0])),
        ["n1 (Transpose)", "perm", "found"],
    ),
    "missing data": (external("gone.bin"), ["input w", "missing", "gone.bin"]),
    "data elsewhere": (external("../../etc/passwd"), ["input w", "folder", "../../etc/passwd"]),
    "shapes": (
        model(node("MatMul", ["x", "c"]), initializers=[constant(np.ones((4, 2), "f"))]),
        ["n1 (MatMul)", "input B", "expected 3", "found float32[4, 2]"],
    ),
    "memory": (
        model(node("Expand", ["x", "c"]), initializers=[constant([10**7, 10**6, 2, 3])]),
        ["memory", "GiB"],
    ),
    "memory of a constant": (
        model(node("ConstantOfShape", ["c"]), initializers=[constant([10**7, 10**6])]),
        ["n1 (ConstantOfShape)", "memory", "GiB"],
    ),
}  # fmt: skip


def command(monkeypatch, capsys, *words):
    """The message of a command that ends with status 1."""
    monkeypatch.setattr(sys, "argv", ["suanzi", *map(str, words)])
    with pytest.raises(SystemExit) as end:
        cli.main()
    out, err = capsys.readouterr()
    assert (end.value.code, out) == (1, "")
    assert err.startswith("suanzi: ")
    assert "Traceback" not in err
    return err


@pytest.mark.parametrize("case", MODELS)
def test_models(case, tmp_path, monkeypatch, capsys):
    source, words = MODELS[case]
    path = tmp_path / "model.onnx"
    path.write_bytes(source if isinstance(source, bytes) else source.SerializeToString())
    with pytest.raises(SuanziError) as caught:
        InferenceSession(path).run(None, {"x": np.ones((2, 3), np.float32)})
    messages = [str(caught.value)]
    messages += [command(monkeypatch, capsys, name, path) for name in ("run", "profile", "trace")]
    if "memory" not in case:
        messages.append(command(monkeypatch, capsys, "show", path))
    for message in messages:
        assert "model.onnx: " in message
        for word in words:
            assert word in message, message
    assert [*tmp_path.iterdir()] == [path]


def test_a_model_that_is_not_there(tmp_path, monkeypatch, capsys):
    path = tmp_path / "none.onnx"
    with pytest.raises(SuanziError, match=r"none\.onnx"):
        InferenceSession(path)
    for name in ("run", "show", "profile", "trace"):
        assert "none.onnx" in command(monkeypatch, capsys, name, path)
    assert "none.onnx" in command(monkeypatch, capsys, "bench", path, "--against", "")


DIGIT = np.zeros((1, 1, 28, 28), np.float32)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, ["input Input3", "missing", "expected float32[1, 1, 28, 28]", "no inputs"]),
        ({"x": DIGIT}, ["no such input", "expected Input3", "found x"]),
        ({"Input3": DIGIT, "x": DIGIT}, ["no such input", "found x"]),
        ({"Input3": DIGIT.astype(np.float64)}, ["expected float32[", "found float64["]),
        ({"Input3": DIGIT.astype(">f4")}, ["expected float32[", "found >f4["]),
        ({"Input3": DIGIT[0]}, ["[1, 1, 28, 28]", "found float32[1, 28, 28]"]),
        ({"Input3": DIGIT[..., 1:]}, ["found float32[1, 1, 28, 27]"]),
        ({"Input3": np.zeros((1, 1, 28, 0), np.float32)}, ["found float32[1, 1, 28, 0]"]),
        ({"Input3": "text"}, ["input Input3", "wrong type or shape"]),
        ({"Input3": None}, ["input Input3", "wrong type or shape"]),
        ({"Input3": [[1], [2, 3]]}, ["input Input3", "not an array"]),
        ([DIGIT], ["by name", "expected Input3"]),
    ],
)
def test_inputs(given, words):
    session = InferenceSession(data.digits_model())
    for call in (lambda: session.run(None, given), lambda: session.trace(given),
                 lambda: session.profile(given)):  # fmt: skip
        with pytest.raises(SuanziError) as caught:
            call()
        assert str(caught.value).startswith("<bytes>: ")
        for word in words:
            assert word in str(caught.value)


def test_outputs_and_threads():
    session = InferenceSession(data.digits_model())
    with pytest.raises(SuanziError, match="no such output; expected Plus214_Output_0, found y"):
        session.run(["y"], {"Input3": DIGIT})
    with pytest.raises(SuanziError, match="threads"):
        InferenceSession(data.digits_model(), threads=0)


def test_a_shape_too_large_for_the_memory(tmp_path, monkeypatch, capsys):
    """Open sizes: the model is sound, and what it would need is known before anything is taken."""
    nodes = [
        node("Shape", ["x"], ["s"]),
        node("Tile", ["x", "c"], ["t"]),
        node("Relu", ["t"]),
    ]
    proto = model(*nodes, initializers=[constant([10**6, 10**6])], shape=("N", "M"))
    path = tmp_path / "tile.onnx"
    onnx.save(proto, path)
    with pytest.raises(SuanziError, match="memory"):
        InferenceSession(path).run(None, {"x": np.ones((4, 5), np.float32)})
    assert "memory" in command(monkeypatch, capsys, "run", path, "-s", "x=4,5")
    huge = command(monkeypatch, capsys, "run", path, "-s", "x=100000000,100000000")
    assert "tile.onnx: input x" in huge
    assert "memory" in huge


def test_data_that_decide_nothing_native_can_trust():
    """Indices from the data are checked before they are used."""
    gather = model(node("Gather", ["c", "x"]), initializers=[constant(np.ones((4, 5), "f"))],
                   shape=(3,), kind=TensorProto.INT64)  # fmt: skip
    session = InferenceSession(gather)
    assert session.run(None, {"x": np.array([0, 3, -4])})[0].shape == (3, 5)
    for index in (4, -5, 2**40, -(2**63), 2**63 - 1):
        with pytest.raises(SuanziError, match=r"n1 \(Gather\)"):
            session.run(None, {"x": np.array([0, index, 1])})


@pytest.mark.parametrize("first", range(0, 600, 200))
def test_hostile_models(first):
    """In another process, so that a crash would be seen; tests/hostile.py takes any seeds."""
    here, package = Path(__file__).parent, Path(suanzi.__file__).parents[1]
    done = subprocess.run(
        [sys.executable, here / "hostile.py", str(first), str(first + 200)],
        env={**os.environ, "PYTHONPATH": str(package), "PYTHONWARNINGS": "ignore"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, f"{done.stdout[-300:]}\n{done.stderr[-3000:]}"
    assert done.stdout.count("agrees") > 20
    assert done.stdout.count("refused") > 20
