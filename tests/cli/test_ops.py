"""suanzi ops: the list, and one operator."""

import numpy as np
import pytest

from suanzi.inspect.operators import every_operator
from suanzi.operators import OPERATORS


def test_the_list(suanzi):
    done = suanzi("ops")
    assert done.status == 0
    conv = next(line for line in done.out.splitlines() if line.split()[1:2] == ["Conv"])
    assert {"convolution", "ai.onnx", "22", "conv_depthwise", "nn.Conv{n}d"} <= {*conv.split()}
    assert "com.microsoft.FusedConv" in done.out
    assert f"{len(OPERATORS)} operators, with definition: {len(OPERATORS)}" in done.out


@pytest.mark.parametrize(
    ("columns", "shown", "left_out"),
    [(80, "family", "PyTorch"), (100, "PyTorch", "versions"), (160, "types", None)],
)
def test_a_narrow_terminal(suanzi, monkeypatch, columns, shown, left_out):
    monkeypatch.setenv("COLUMNS", str(columns))
    lines = suanzi("ops", "--family", "quantization").out.splitlines()
    assert max(map(len, lines[1:])) <= columns
    assert shown in lines[1]
    assert left_out is None or left_out not in lines[1]


def test_the_list_as_data(suanzi):
    found = {known["name"]: known for known in suanzi("ops", "--json").json}
    assert found.keys() == {known.name for known in every_operator()}
    assert found["Conv"]["versions"] == [1, 11, 22]
    assert "conv_direct" in found["Conv"]["kernels"]["neon"]


def test_filters(suanzi):
    found = suanzi("ops", "--family", "pooling", "--without", "kernel", "--json").json
    names = {known["name"] for known in found}
    assert "LpPool" in names
    assert "MaxPool" not in names
    assert {known["family"] for known in found} == {"pooling"}


def test_one(suanzi):
    out = suanzi("ops", "Conv").out
    assert out.startswith("Conv(X, W, B=None) -> Y\n\nSlides each filter over the input")
    for text in (
        "ai.onnx, opset 1, 11, 22",
        "suanzi.operators.convolution.Conv\n",
        "conv_winograd, conv_samples, conv_direct, conv_flat, conv_rows (avx512, avx2, neon, ",
        "nn.Conv{n}d",
        "auto_pad       string   'NOTSET'",
        "B      optional   bfloat16, float16, float32, float64",
        "Example 1: Conv(pads=(1, 1, 1, 1))",
        "X float32[1, 2, 5, 5]\n    [[[[ 0.  1.  2.  3.  4.]",
        "-> Y float32[1, 2, 5, 5]\n    [[[[  55.4 ",
        "B left out",
    ):
        assert text in out


def test_one_as_data(suanzi):
    found = suanzi("ops", "Relu", "--json").json
    (example,) = found["examples"]
    x, y = example["inputs"]["X"], example["outputs"]["Y"]
    assert (x["type"], x["shape"]) == ("float32", [7])
    np.testing.assert_array_equal(np.maximum(x["values"], 0), y["values"])


def test_one_that_is_read_as_others(suanzi):
    out = suanzi("ops", "FusedConv").out
    assert out.startswith("com.microsoft.FusedConv\n\nactivation(Conv(X, W, B) + Z).")
    assert "Example" not in out


def test_every_one_can_be_shown(suanzi):
    for known in every_operator():
        done = suanzi("ops", known.name)
        assert done.status == 0
        assert done.out.startswith(known.name)


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["conv"], "no such operator; found conv. maybe Conv"),
        (["--family", "poolin"], "no such family; expected activation, "),
        (["--without", "beauty"], "expected definition, formula, gradient, kernel, page, torch"),
        (["Conv", "--family", "pooling"], "are of the list"),
    ],
)
def test_mistakes(refused, words, text):
    refused(["ops", *words], text)
