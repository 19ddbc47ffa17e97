"""Commands with values that aren't tensors, and with graphs that the data decide upon."""

import json

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

node = helper.make_node
FLOAT, TEXT = TensorProto.FLOAT, TensorProto.STRING


def written(path, nodes, inputs, outputs, constants=()):
    graph = helper.make_graph(
        nodes,
        "values",
        inputs,
        [helper.make_value_info(name, onnx.TypeProto()) for name in outputs],
        [numpy_helper.from_array(np.asarray(x), name) for name, x in dict(constants).items()],
    )
    opsets = [helper.make_opsetid("", 20), helper.make_opsetid("ai.onnx.ml", 4)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=10), path)
    return str(path)


@pytest.fixture
def holding(tmp_path):
    """A sequence of two floats, one of maps, an empty optional, and a text with control codes."""
    element = helper.make_tensor_type_proto(FLOAT, [2])
    nodes = [
        node("SequenceConstruct", ["x", "x"], ["sequence"]),
        node("ZipMap", ["x2"], ["maps"], domain="ai.onnx.ml", classlabels_strings=["a", "b"]),
        node("Optional", [], ["nothing"], type=element),
        node("StringConcat", ["text", "text"], ["twice"]),
    ]
    inputs = [
        helper.make_tensor_value_info("x", FLOAT, [2]),
        helper.make_tensor_value_info("x2", FLOAT, [1, 2]),
    ]
    outputs = ["sequence", "maps", "nothing", "twice"]
    text = {"text": np.array(["\x1b[2J算"], object)}
    return written(tmp_path / "holding.onnx", nodes, inputs, outputs, text)


def test_run_prints_values_of_all_kinds(suanzi, holding):
    out = suanzi("run", holding).out
    for text in ("sequence: sequence of 2", "  1: float32[2]", "    a: ", "nothing: none"):
        assert text in out
    assert "twice: string[1]" in out
    assert "\x1b" not in out
    assert "算" in out


def test_run_gives_values_of_all_kinds_to_programs(suanzi, holding):
    found = suanzi("run", holding, "--json").json
    assert [part["shape"] for part in found["sequence"]["values"]] == [[2], [2]]
    (only,) = found["maps"]["values"]
    assert (only["type"], sorted(only["values"])) == ("map", ["a", "b"])
    assert found["nothing"] == {"type": "none", "values": None}
    assert found["twice"] == {"type": "string", "shape": [1], "values": ["\x1b[2J算" * 2]}


def test_run_saves_what_numpy_can(suanzi, holding, tmp_path):
    assert suanzi("run", holding, "--save", tmp_path / "y.npz").status == 0
    with np.load(tmp_path / "y.npz") as found:
        names = {"sequence[0]", "sequence[1]", "maps[0].keys", "maps[0].values", "twice"}
        assert set(found) == names
        assert found["maps[0].keys"].tolist() == ["a", "b"]
        assert found["twice"].tolist() == ["\x1b[2J算" * 2]


def test_trace_takes_values_of_all_kinds_apart(suanzi, holding, tmp_path):
    rows = suanzi("trace", holding, "--json", "--save", tmp_path / "kept").json
    by = {row["value"]: row for row in rows}
    assert by["twice"]["type"] == "string"
    assert by["sequence[1]"]["shape"] == [2]
    assert np.load(tmp_path / "kept" / by["twice"]["file"]).tolist() == ["\x1b[2J算" * 2]
    assert "sequence[0]" in suanzi("trace", holding).out


def test_a_sequence_from_an_archive(suanzi, refused, tmp_path):
    given = [helper.make_tensor_sequence_value_info("s", TEXT, None)]
    nodes = [node("SequenceAt", ["s", "last"], ["y"])]
    model = written(tmp_path / "s.onnx", nodes, given, ["y"], {"last": np.array(-1)})
    np.savez(tmp_path / "s.npz", np.array(["one"]), np.array(["two", "three"]))
    found = suanzi("run", model, "-i", f"s={tmp_path / 's.npz'}", "--json").json
    assert found["y"]["values"] == ["two", "three"]
    refused(["run", model], "input s", "no random value", "--input")
    (row,) = suanzi("show", model, "--stage", "plan", "--json").json
    assert (row["step"], row["kernel"]) == ("y", ["NumPy"])
    assert suanzi("show", model, "--json").json["steps"] == 1


@pytest.fixture
def staged(tmp_path):
    """Places of what is positive, then a row for each; an If that holds weights."""
    same = helper.make_graph(
        [node("Mul", ["x", "weight"], ["made"])],
        "then",
        [],
        [helper.make_value_info("made", onnx.TypeProto())],
        [numpy_helper.from_array(np.ones((5, 3), np.float32), "weight")],
    )
    other = helper.make_graph(
        [node("Neg", ["x"], ["made"])],
        "else",
        [],
        [helper.make_value_info("made", onnx.TypeProto())],
    )
    nodes = [
        node("Relu", ["x"], ["r"], name="first"),
        node("NonZero", ["r"], ["places"], name="cut"),
        node("Transpose", ["places"], ["rows"], name="after"),
        node("If", ["yes"], ["z"], name="choice", then_branch=same, else_branch=other),
    ]
    inputs = [
        helper.make_tensor_value_info("x", FLOAT, [5, 3]),
        helper.make_tensor_value_info("yes", TensorProto.BOOL, []),
    ]
    return written(tmp_path / "staged.onnx", nodes, inputs, ["rows", "z"])


def test_show_counts_what_bodies_hold(suanzi, staged):
    found = suanzi("show", staged, "--json").json
    assert found["parameters"] == 15
    assert found["nodes"] == 6
    assert found["operators"]["Mul"] == found["operators"]["Neg"] == 1


def test_the_plan_says_what_follows_the_first_stage(suanzi, refused, staged):
    rows = {row["step"]: row for row in suanzi("show", staged, "--stage", "plan", "--json").json}
    assert rows["first"]["kernel"] not in (["NumPy"], [""])
    assert rows["cut"]["kernel"] == ["NumPy"]
    assert "data" in rows["cut"]["why"][0]
    assert rows["choice"]["kernel"] == ["bodies"]
    assert "later stage" in rows["after"]["why"][0]
    assert "later stage" in suanzi("show", staged, "--stage", "plan").out
    assert "NonZero" in suanzi("show", staged, "--stage", "graph").out
    one = suanzi("show", staged, "--stage", "plan", "--node", "after", "--json").json
    assert [row["step"] for row in one] == ["after"]
    assert len(json.loads(suanzi("show", staged, "--stage", "ir", "--json").out)) == 1
    refused(["show", staged, "--stage", "asm", "--node", "cut"], "no kernel")
