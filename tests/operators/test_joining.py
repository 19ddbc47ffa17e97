"""Operators that join, cut, pad, repeat, gather and scatter."""

import numpy as np
import pytest

from suanzi.errors import SuanziError
from suanzi.operators import OPERATORS, TensorType
from suanzi.operators.indexing import (
    Gather,
    GatherElements,
    GatherND,
    NonZero,
    ScatterElements,
    ScatterND,
    TopK,
    Trilu,
)
from suanzi.operators.joining import Concat, Pad, Slice, Split, Tile
from support import check, node_cases, onnxruntime_outputs

FLOAT32, INT64 = np.dtype(np.float32), np.dtype(np.int64)
X = TensorType(FLOAT32, ("N", 3, "H", 8))
IMAGE = np.arange(24, dtype=np.float32).reshape(2, 3, 4)


def ints(*values):
    return TensorType.of(np.array(values, np.int64))


def names(*families):
    return sorted(name for name, cls in OPERATORS.items() if cls.family in families)


@pytest.mark.parametrize("name", names("joining", "indexing"))
def test_agrees_with_onnx(name):
    cases = node_cases(name)
    assert cases
    for case in cases:
        case.check()


def test_symbols_survive():
    assert Concat(axis=1).infer(X, TensorType(FLOAT32, (None, 5, 7, 8))).shape == ("N", 8, 7, 8)
    assert Concat(axis=0).infer(X, X).shape == (None, 3, "H", 8)
    assert [t.shape[3] for t in Split(axis=3, num_outputs=3).infer(X)] == [3, 3, 2]
    assert [t.shape for t in Split(axis=0, num_outputs=2).infer(X)] == [(None, 3, "H", 8)] * 2
    assert Slice().infer(X, ints(1), ints(2**62), ints(-1)).shape == ("N", 3, "H", 7)
    assert Slice().infer(X, ints(0, 0), ints(2**31 - 1, 2)).shape == ("N", 2, "H", 8)
    unknown = TensorType(INT64, (1,))
    assert Slice().infer(X, unknown, unknown, ints(3)).shape == ("N", 3, "H", None)
    assert Slice().infer(X, unknown, unknown).shape == (None,) * 4
    assert Pad().infer(X, ints(1, 2), None, ints(3)).shape == ("N", 3, "H", 11)
    assert Tile().infer(X, ints(1, 2, 3, 1)).shape == ("N", 6, None, 8)
    assert Gather(axis=1).infer(X, TensorType(INT64, ("M", 2))).shape == ("N", "M", 2, "H", 8)
    assert GatherND().infer(X, TensorType(INT64, ("M", 2))).shape == ("M", "H", 8)
    assert NonZero().infer(X).shape == (4, None)
    assert [t.shape for t in TopK(axis=1).infer(X, ints(2))] == [("N", 2, "H", 8)] * 2


@pytest.mark.parametrize(
    ("operator", "types", "input"),
    [
        (Concat(axis=4), [X, X], "axis"),
        (Concat(axis=0), [X, TensorType(INT64, X.shape)], "inputs_1"),
        (Concat(axis=0), [X, TensorType(FLOAT32, (1, 4, 1, 8))], "inputs_1"),
        (Concat(axis=0), [X, TensorType(FLOAT32, (1,))], "inputs_1"),
        (Split(axis=3), [X, ints(3, 3)], "split"),
        (Split(axis=3), [X], "split"),
        (Split(axis=1, num_outputs=5), [X], "input"),
        (Slice(), [X, ints(0), ints(1), ints(0), ints(0)], "steps"),
        (Slice(), [X, ints(0), ints(1), ints(4)], "axes"),
        (Slice(), [X, ints(0), ints(1, 2)], "starts"),
        (Pad(), [X, ints(1, 2)], "pads"),
        (Pad(), [X, ints(-5, -4), None, ints(3)], "pads"),
        (Pad(mode="mirror"), [X, ints(1, 2), None, ints(3)], "data"),
        (Tile(), [X, ints(1, 2)], "repeats"),
        (Gather(), [X, TensorType(FLOAT32, (1,))], "indices"),
        (GatherElements(), [X, TensorType(INT64, (1,))], "indices"),
        (GatherND(), [X, TensorType(INT64, (1, 5))], "indices"),
        (ScatterElements(), [X, TensorType(INT64, (1,)), TensorType(FLOAT32, (2,))], "updates"),
        (ScatterND(reduction="xor"), [X, TensorType(INT64, (1, 1)), X], "updates"),
        (TopK(axis=1), [X, ints(4)], "K"),
        (Trilu(), [TensorType(FLOAT32, (3,))], "input"),
    ],
)
def test_a_mistake_names_the_input(operator, types, input):
    with pytest.raises(SuanziError) as caught:
        operator.infer_all(types)
    assert caught.value.input == input


def test_an_index_outside():
    with pytest.raises(SuanziError, match="out of bounds"):
        Gather().infer_all([TensorType.of(IMAGE), ints(2)])


@pytest.mark.parametrize("mode", ["constant", "reflect", "edge", "wrap"])
@pytest.mark.parametrize("pads", [(0, 1, 2, 0, 2, 1), (1, -1, 0, 0, 0, -2)])
def test_pad_agrees_with_onnxruntime(mode, pads):
    if mode == "reflect" and pads[0] == 1:
        pads = (0, *pads[1:])
    inputs = [IMAGE, np.array(pads)]
    check(Pad(mode=mode), inputs, onnxruntime_outputs(Pad(mode=mode), inputs))


@pytest.mark.parametrize("reduction", ["none", "add", "mul", "max", "min"])
def test_scatter_agrees_with_onnxruntime(reduction):
    places = np.array([[[0, 3]], [[-1, 1]]])
    updates = np.array([[[10, 20]], [[-30, 40]]], np.float32)
    operator = ScatterElements(axis=2, reduction=reduction)
    inputs = [IMAGE, places, updates]
    check(operator, inputs, onnxruntime_outputs(operator, inputs))
    once = ScatterND(reduction=reduction)
    inputs = [IMAGE, np.array([[0, -1], [1, 0]]), IMAGE[0, :2] * -1]
    check(once, inputs, onnxruntime_outputs(once, inputs))


def test_topk_of_equal_elements_takes_the_first():
    x = np.array([3, 1, 3, 3], np.float32)
    top, bottom = (TopK(largest=largest).numpy(x, np.array([2]))[1] for largest in (1, 0))
    assert (top.tolist(), bottom.tolist()) == ([0, 2], [1, 0])
