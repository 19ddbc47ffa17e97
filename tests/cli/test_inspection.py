"""suanzi compare, diff and extract."""

import json

import onnx
import pytest

from suanzi import InferenceSession
from suanzi.inspect.saved import file_names


@pytest.fixture
def other(digits, tmp_path):
    """The model with one activation replaced."""
    model = onnx.load(digits)
    next(node for node in model.graph.node if node.name == "ReLU114").op_type = "Tanh"
    path = tmp_path / "other.onnx"
    onnx.save(model, path)
    return str(path)


def test_compare(suanzi, digits):
    done = suanzi("compare", digits)
    assert done.status == 0
    assert "they agree" in done.out
    found = suanzi("compare", digits, "--against", "definitions", "--json").json
    assert (found["against"], found["first"], len(found["values"])) == ("definitions", None, 12)


def test_compare_where_they_part(suanzi, digits):
    """With no tolerance at all, rounding parts them."""
    done = suanzi("compare", digits, "--tolerance", "0", "--against", "definitions", "--seed", "3")
    assert done.status == 0
    assert "they agree" in done.out or "They part first at node" in done.out


def test_compare_saves_the_part_that_differs(suanzi, digits, tmp_path):
    """Without tolerance some node rounds in another way; the part and its inputs show it again."""
    with_all = ["compare", digits, "--tolerance", "0", "--against", "definitions", "--json"]
    found = suanzi(*with_all, "--save", tmp_path / "part").json
    assert found["first"] is not None
    assert found["saved"] == str(tmp_path / "part")
    part = InferenceSession(tmp_path / "part" / "model.onnx")
    assert len(part.graph.nodes) <= len(found["nodes"])
    words = ["compare", tmp_path / "part" / "model.onnx", *with_all[2:]]
    for name in part.graph.inputs:
        words += ["-i", f"{name}={tmp_path / 'part' / 'inputs' / file_names([name])[name]}"]
    assert any(value["apart"] for value in suanzi(*words).json["values"])
    assert "differ" in (tmp_path / "part" / "README.md").read_text()
    assert "they agree" in suanzi("compare", digits, "--save", tmp_path / "none").out
    assert not (tmp_path / "none").exists()


def test_compare_with_what_trace_saved(suanzi, digits, tmp_path):
    assert suanzi("trace", digits, "--save", tmp_path / "all").status == 0
    found = suanzi("compare", digits, "--against", tmp_path / "all", "--json").json
    assert (found["first"], found["missing"]) == (None, [])


def test_optimize_and_convert(suanzi, digits, tmp_path):
    found = suanzi("optimize", digits, tmp_path / "less.onnx", "--json").json
    assert found["after"]["nodes"] < found["before"]["nodes"]
    words = ["convert", digits, tmp_path / "half.onnx", "--weights", "float16", "--opset", "21"]
    assert "opset" in suanzi(*words).out
    found = suanzi(*words, "--json").json
    assert found["after"]["opset"] == 21
    assert found["after"]["weight_bytes"] < 0.6 * found["before"]["weight_bytes"]
    for name in ("less", "half"):
        assert suanzi("run", tmp_path / f"{name}.onnx").status == 0


def test_diff(suanzi, digits, other):
    assert "are the same model" in suanzi("diff", digits, digits).out
    done = suanzi("diff", digits, other)
    assert "1 added, 1 removed" in done.out
    found = suanzi("diff", digits, other, "--json").json
    assert [(d["operator"], d["change"]) for d in found["nodes"]] == [
        ("Relu", "removed"), ("Tanh", "added")
    ]  # fmt: skip


def test_extract(suanzi, digits, tmp_path):
    part = tmp_path / "part.onnx"
    ends = ["--from", "Pooling66_Output_0", "--to", "ReLU114_Output_0"]
    assert "3 of 12 nodes" in suanzi("extract", digits, part, *ends).out
    assert len(InferenceSession(part).graph.nodes) == 3
    found = suanzi("extract", digits, part, *ends, "--json").json
    assert found["inputs"] == {"Pooling66_Output_0": "float32[1, 8, 14, 14]"}


def test_a_timeline_for_perfetto(suanzi, digits, tmp_path):
    file = tmp_path / "trace.json"
    assert suanzi("profile", digits, "--rounds", 1, "--save", file).status == 0
    events = json.loads(file.read_text())["traceEvents"]
    assert {event["name"] for event in events if event["ph"] == "X"} >= {"ReLU32", "Pooling66"}
    assert {event["ph"] for event in events} == {"M", "X", "C"}


def test_mistakes(refused, digits, tmp_path):
    refused(["compare", digits, "--against", "magic"], "no such runtime", "definitions", "magic")
    refused(["compare", digits, "--tolerance", "-1"], "--tolerance")
    refused(["diff", digits, "none.onnx"], "none.onnx")
    part = tmp_path / "part.onnx"
    refused(["extract", digits, str(part), "--to", "nobody"], "no such value", "nobody")
    refused(["extract", digits, str(tmp_path / "no" / "part.onnx")], "can't write")
    assert not part.exists()


def test_open_and_its_mistakes(refused):
    refused(["open", "none.onnx", "--no-browser"], "none.onnx: there is no such file")
    refused(["open", "--port", "99999"], "--port")
