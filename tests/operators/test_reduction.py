"""Reductions, ArgMax, ArgMin, CumSum and the softmax family."""

import numpy as np
import pytest

from suanzi.errors import SuanziError
from suanzi.operators import OPERATORS, TensorType
from suanzi.operators.reduction import ArgMax, ReduceLogSumExp, ReduceMax, ReduceMean, ReduceSum
from suanzi.operators.softmax import LogSoftmax, Softmax
from support import check, node_cases

FLOAT32 = np.dtype(np.float32)


def names(*families):
    return sorted(name for name, cls in OPERATORS.items() if cls.family in families)


@pytest.mark.parametrize("name", names("reduction", "softmax"))
def test_agrees_with_onnx(name):
    cases = node_cases(name)
    assert cases
    for case in cases:
        case.check()


def test_sizes_stay_symbolic():
    data = TensorType(FLOAT32, ("N", 3, "H"))
    axes = TensorType.of(np.array([-1]))
    assert ReduceMean().infer(data, axes).shape == ("N", 3, 1)
    assert ReduceMean(keepdims=0).infer(data, axes).shape == ("N", 3)
    assert ReduceMean().infer(data).shape == (1, 1, 1)
    assert ReduceMean(noop_with_empty_axes=1).infer(data).shape == data.shape
    unknown = TensorType(np.dtype(np.int64), (1,))
    assert ReduceMean().infer(data, unknown).shape == (None, None, None)
    assert ReduceMean(keepdims=0).infer(data, unknown).shape is None


@pytest.mark.parametrize("axes", [[3], [-4], [0, 0], [1, -2]])
def test_wrong_axes(axes):
    with pytest.raises(SuanziError) as caught:
        ReduceSum().infer(TensorType(FLOAT32, (2, 3, 4)), TensorType.of(np.array(axes)))
    assert caught.value.input == "axes"


@pytest.mark.parametrize("operator", [Softmax(axis=2), ArgMax(axis=-3)])
def test_wrong_axis(operator):
    with pytest.raises(SuanziError, match="no such axis"):
        operator.infer(TensorType(FLOAT32, (2, 3)))


def test_extremes_of_nothing_and_of_infinities():
    nothing = np.zeros((2, 0), np.float32)
    check(ReduceMax(), [nothing, np.array([1])], [np.full((2, 1), -np.inf, np.float32)])
    low = np.full((1, 2), -np.inf, np.float32)
    check(ReduceLogSumExp(), [low], [np.full((1, 1), -np.inf, np.float32)])


def test_softmax_of_large_numbers():
    x = np.array([[1e4, 1e4]], np.float32)
    check(Softmax(), [x], [np.array([[0.5, 0.5]], np.float32)])
    check(LogSoftmax(), [x], [np.log(np.array([[0.5, 0.5]], np.float32))])
