"""suanzi compare, diff and extract."""

import json

import onnx
import pytest

from suanzi import InferenceSession


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
