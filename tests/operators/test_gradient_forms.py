"""Gradients where examples don't go: all forms of inputs, attributes, ties and kinks."""

import itertools

import numpy as np
import pytest

from gradient_support import check, rule
from suanzi.operators import (
    OPERATORS,
    Abs,
    Clip,
    CumProd,
    Dropout,
    Einsum,
    Gather,
    GatherElements,
    GatherND,
    Gemm,
    MatMul,
    Max,
    Mean,
    Min,
    Mul,
    OneHot,
    Pad,
    Pow,
    PRelu,
    Range,
    ReduceL2,
    ReduceLogSumExp,
    ReduceMax,
    ReduceMin,
    ReduceProd,
    ReduceSum,
    ScatterElements,
    ScatterND,
    Slice,
    Softmax,
    Split,
    Where,
)  # fmt: skip


def numbers(*shape):
    """Different numbers, some below zero."""
    return np.random.default_rng(len(shape)).normal(size=shape)


A, B = numbers(2, 3), numbers(3, 4)
INDEX = np.array([[1, -1], [0, 1]])


@pytest.mark.parametrize(
    ("operator", "inputs"),
    [
        (MatMul(), pair)
        for pair in (
            (A, B), (A[0], B[:, 0]), (A[0], B), (A, B[:, 0]), (numbers(5, 2, 3), B[:, 0]),
            (A[0], numbers(5, 3, 4)), (numbers(5, 2, 3), B), (A, numbers(5, 3, 4)),
            (numbers(5, 1, 2, 3), numbers(1, 6, 3, 4)), (numbers(5, 2, 3), numbers(5, 3, 4)),
            (numbers(2, 0), numbers(0, 3)),
        )
    ]
    + [
        (Gemm(alpha=0.5, beta=2.0, transA=a, transB=b), (A.T if a else A, B.T if b else B, C))
        for a, b in itertools.product((0, 1), repeat=2)
        for C in (None, numbers(4), numbers(2, 1), np.array(1.5))
    ]
    + [
        (Mul(), (numbers(2, 1, 3), numbers(4, 1))),
        (Mul(), (np.array(2.0), A)),
        (Where(), (A[:1] > 0, numbers(4, 2, 1), numbers(3))),
        (Mean(), (A, numbers(2, 1), numbers(1))),
        (Max(), (A, numbers(2, 1), numbers(1))),
        (Min(), (A, numbers(2, 1), numbers(1))),
        (PRelu(), (numbers(2, 3, 4), np.full((3, 1), 0.25))),
        (Pow(), (np.abs(A), numbers(2, 1))),
        (Pow(), (A, np.array(3))),
        (Pow(), (A, np.array([[0, 1, 2]]))),
        (Clip(), (A, np.array(-0.2), np.array(0.3))),
        (Clip(), (A, np.array(0.3), np.array(-0.2))),
        (ReduceProd(), (np.array([[0.5, 0.0, 2.0], [0.0, 0.0, 3.0]]), np.array([-1]))),
        (ReduceProd(keepdims=0), (A, np.array([-2, -1]))),
        (ReduceMax(keepdims=0), (A, np.array([-2]))),
        (ReduceSum(), (A, np.array([], np.int64))),
        (ReduceSum(noop_with_empty_axes=1, keepdims=0), (A, np.array([], np.int64))),
        (ReduceLogSumExp(noop_with_empty_axes=1), (A,)),
        (Softmax(axis=-2), (numbers(2, 3, 2),)),
        *[
            (CumProd(exclusive=e, reverse=r), (np.array([[2, 0, 3, 0, 1.5], [1, 2, 0, 4, 5]]), i))
            for e, r in itertools.product((0, 1), repeat=2)
            for i in (np.array(1), np.array(-2))
        ],
        *[
            (Slice(), (numbers(2, 9), np.array([start]), np.array([end]), np.array([-1]), jump))
            for start, end, step in (
                (1, 8, 1), (0, 9, 2), (1, 9, 3), (-1, -10, -1), (7, 0, -3), (5, 5, 1), (-3, 99, 4),
            )
            for jump in [np.array([step])]
        ],
        *[
            (Pad(mode=mode), (numbers(3, 4), np.array([1, pad, 2, 3]), None, None))
            for mode in ("constant", "reflect", "edge", "wrap")
            for pad in (-1, 2)
        ],
        (Pad(), (A, np.array([2, -1]), np.array(1.5), np.array([-1]))),
        (Pad(mode="reflect"), (A, np.array([2, 1]), None, np.array([-1]))),
        (Split(axis=-1), (B, np.array([1, 3]))),
        *[(Gather(axis=axis), (A, i)) for axis in (0, -1) for i in (INDEX, np.array(1))],
        (GatherElements(axis=-1), (A, np.array([[0, 0, 2, -1], [1, 1, 1, 0]]))),
        (GatherND(batch_dims=1), (numbers(2, 3, 4), np.array([[[0], [-1]], [[1], [1]]]))),
        (GatherND(), (A, np.array([[[0, 0], [0, 0]], [[1, -1], [0, 2]]]))),
        (ScatterElements(axis=-1), (A, np.array([[0], [-1]]), numbers(2, 1))),
        (ScatterElements(reduction="add"), (A, INDEX * 0, numbers(2, 2))),
        (ScatterND(), (A, np.array([[1]]), numbers(1, 3))),
        (ScatterND(reduction="add"), (A, np.array([[1], [1]]), numbers(2, 3))),
        (OneHot(), (INDEX, np.array(3), np.array([0.5, 2.0]))),
        (Range(), (np.array(1.5), np.array(4.25), np.array(0.5))),
        *[
            (Einsum(equation=equation), inputs)
            for equation, inputs in (
                ("ij,jk", (A, B)), ("ij->j", (A,)), ("ij->", (A,)), ("ii->i", (numbers(3, 3),)),
                ("ii", (numbers(3, 3),)), ("iij->j", (numbers(3, 3, 2),)),
                ("...ij,jk->...ik", (numbers(2, 2, 3), B)),
                ("...ij->...j", (numbers(2, 2, 3),)),
                ("i...,...->i...", (numbers(2, 3), numbers(4, 3))), ("i,j->ij", (A[0], B[0])),
                ("i...j,...->ji...", (numbers(2, 1, 3), numbers(4, 5))),
                ("i,j...->...i", (A[0], numbers(4, 3))),
                (",i->i", (np.array(2.0), A[0])),
                ("bij,bjk,k->bi", (numbers(2, 2, 3), numbers(2, 3, 4), B[0])),
            )
        ],
    ],
    ids=lambda value: repr(value) if not isinstance(value, tuple) else "",
)  # fmt: skip
def test_forms(operator, inputs):
    check(operator, *inputs)


@pytest.mark.parametrize(
    ("operator", "inputs", "expected"),
    [
        (Abs(), (np.array([-2.0, 0, 3]),), ([-1, 0, 1],)),
        (Max(), (np.array([1.0, 2]), np.array([1.0, 5])), ([0.5, 0], [0.5, 1])),
        (Min(), (np.array([1.0]), np.array([1.0]), np.array([1.0])), ([1 / 3],) * 3),
        (ReduceMax(), (np.array([[1.0, 3, 3]]), np.array([1])), ([[0, 0.5, 0.5]],)),
        (ReduceMin(keepdims=0), (np.array([1.0, 1, 1, 1]),), ([0.25] * 4,)),
        (ReduceL2(), (np.zeros(3),), ([0, 0, 0],)),
        (Clip(), (np.array([-1.0, 0, 2]), np.array(-1.0), np.array(2.0)), ([1, 1, 1], 0, 0)),
        (Pow(), (np.array([0.0, 0, 2]), np.array([0.0, 2, 0])), ([0, 0, 0], [0, 0, np.log(2)])),
        (PRelu(), (np.array([0.0]), np.array([0.25])), ([0.25], [0])),
    ]
    + [
        (OPERATORS[name](), (np.zeros(1),), ([slope],))
        for name, slope in {
            "Relu": 0, "LeakyRelu": 0.01, "Elu": 1, "Celu": 1,
            "Selu": 1.0507010221481323 * 1.6732631921768188,
            "ThresholdedRelu": 0, "HardSwish": 0.5, "Softsign": 1, "Gelu": 0.5, "Mish": 0.6,
        }.items()
    ],
)  # fmt: skip
def test_at_kinks_as_pytorch_does(operator, inputs, expected):
    Y = operator.numpy_all(inputs)
    made = rule(operator, [np.ones_like(y) for y in Y], Y, inputs, [True] * len(inputs))
    for part, e in zip(made, expected, strict=False):
        np.testing.assert_allclose(part, e, 1e-12)


def test_dropout_passes_what_it_kept():
    X, ratio = numbers(50), np.array(0.25)
    Y = Dropout(seed=3).numpy(X, ratio, np.array(True))
    dY = numbers(50, 1)[:, 0], None
    (dX, *_) = rule(Dropout(), dY, Y, (X, ratio, np.array(True)), [True, False, False])
    np.testing.assert_allclose(dX, np.where(Y[1], dY[0] / 0.75, 0))
    assert rule(Dropout(), dY, Y, (X, ratio), [True, False])[0] is dY[0]


def test_a_part_of_split_that_nothing_depends_on():
    Y = Split(num_outputs=3).numpy(numbers(6))
    (dX,) = rule(Split(num_outputs=3), (Y[0], None, Y[2]), Y, (numbers(6),), [True])
    np.testing.assert_array_equal(dX, [*Y[0], 0, 0, *Y[2]])
