"""Activations, arithmetic, trigonometry, logic: formulas held to ONNX's cases."""

import numpy as np
import pytest

from suanzi.errors import SuanziError
from suanzi.operators import OPERATORS, TensorType
from suanzi.operators._elementwise import Elementwise, Pointwise
from suanzi.operators.activation import Clip, Elu, PRelu, Sigmoid, Softplus
from suanzi.operators.arithmetic import Add, Div, Max, Mod, Neg, Pow, Sign
from suanzi.operators.logic import And, IsInf, Where
from support import check, node_cases

POINTWISE = sorted(name for name, cls in OPERATORS.items() if issubclass(cls, Pointwise))
FLOAT32, INT64 = np.dtype(np.float32), np.dtype(np.int64)


@pytest.mark.parametrize("name", POINTWISE)
def test_agrees_with_onnx(name):
    cases = node_cases(name)
    assert cases
    for case in cases:
        case.check()


@pytest.mark.parametrize("name", [n for n in POINTWISE if issubclass(OPERATORS[n], Elementwise)])
def test_half_precision_stays_half_precision(name):
    for example in OPERATORS[name].examples():
        if example.inputs[0].dtype != np.float32:
            continue
        halves = [x if x is None else x.astype(np.float16) for x in example.inputs]
        operator, wanted = example.operator, example.operator.numpy(*example.inputs)
        dtype = np.float16 if wanted.dtype == np.float32 else wanted.dtype
        check(operator, halves, [wanted.astype(dtype)], rtol=1e-2, atol=1e-2)


@pytest.mark.parametrize(
    ("operator", "inputs", "expected"),
    [
        (Div(), [np.array([-7, 7, -8]), np.array([2, -2, -3])], np.array([-3, -3, 2])),
        (Div(), [np.array([7, 9], np.uint8), np.array([2], np.uint8)], np.array([3, 4], np.uint8)),
        (Sign(), [np.array([0, 200], np.uint8)], np.array([0, 1], np.uint8)),
        (Sign(), [np.array([-np.inf, np.nan], np.float32)], np.array([-1, np.nan], np.float32)),
        (Max(), [np.array([1, np.nan]), np.array([np.nan, 1])], np.array([np.nan, np.nan])),
        (Pow(), [np.array([2, 3]), np.array([0.5, 2.0])], np.array([1, 9])),
        (Mod(), [np.array([-7, 7]), np.array([3, -3])], np.array([2, -2])),
        (Elu(), [np.array([1000, -1000], np.float32)], np.array([1000, -1], np.float32)),
        (Softplus(), [np.array([1000, -1000], np.float32)], np.array([1000, 0], np.float32)),
        (Sigmoid(), [np.array([-30], np.float32)], np.array([9.357623e-14], np.float32)),
        (Clip(), [np.array([5]), np.array(3), np.array(1)], np.array([1])),
        (IsInf(detect_negative=0, detect_positive=0), [np.array([np.inf])], np.array([False])),
    ],
)
def test_corners(operator, inputs, expected):
    check(operator, inputs, [expected], atol=0)


@pytest.mark.parametrize(
    ("operator", "types", "input"),
    [
        (Add(), [TensorType(FLOAT32, (2,)), TensorType(INT64, (2,))], "B"),
        (Where(), [TensorType(FLOAT32, ()), *[TensorType(INT64, ())] * 2], "condition"),
        (And(), [TensorType(INT64, ())] * 2, "A"),
        (Clip(), [TensorType(FLOAT32, (2,)), None, TensorType(FLOAT32, (2,))], "max"),
        (PRelu(), [TensorType(FLOAT32, (2,)), TensorType(FLOAT32, (3, 2))], "slope"),
        (Max(), [TensorType(FLOAT32, (2,)), TensorType(INT64, (2,))], "data_1"),
    ],
)
def test_a_mistake_names_the_input(operator, types, input):
    with pytest.raises(SuanziError) as caught:
        operator.infer_all(types)
    assert caught.value.input == input


def test_shapes_that_do_not_broadcast():
    with pytest.raises(SuanziError, match="broadcast"):
        Add().infer(TensorType(FLOAT32, (2, 3)), TensorType(FLOAT32, (2, 4)))


def test_too_few_inputs():
    with pytest.raises(SuanziError):
        Pow().infer_all([TensorType(FLOAT32, ())])


def test_symbols_broadcast():
    made = Add().infer(TensorType(FLOAT32, ("N", 1, 4)), TensorType(FLOAT32, ("H", 1)))
    assert made.shape == ("N", "H", 4)


def test_known_small_contents_are_computed():
    (made,) = Neg().infer_all([TensorType.of(np.array([1, -2]))])
    np.testing.assert_array_equal(made.value, [-1, 2])
    (large,) = Neg().infer_all([TensorType.of(np.zeros(2000))])
    assert large.value is None
