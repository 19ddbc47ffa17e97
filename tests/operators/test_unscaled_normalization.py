"""Normalization without a scale: ONNX's cases, and what is refused."""

import numpy as np
import pytest

from suanzi.errors import SuanziError
from suanzi.operators import LpNormalization, MeanVarianceNormalization, TensorType
from support import check, node_cases


@pytest.mark.parametrize(
    "case",
    [*node_cases("MeanVarianceNormalization"), *node_cases("LpNormalization")],
    ids=lambda c: c.id,
)
def test_backend_case(case):
    case.check()


def test_any_axes():
    X = np.random.default_rng(0).standard_normal((3, 4, 5)).astype(np.float32)
    expected = (X - X.mean(1, keepdims=True)) / X.std(1, keepdims=True)
    check(MeanVarianceNormalization(axes=(-2,)), [X], [expected])


def test_a_norm_of_0_leaves_0():
    X = np.array([[3, 0], [4, 0]], np.float32)
    check(LpNormalization(axis=0), [X], [np.array([[0.6, 0], [0.8, 0]], np.float32)])


@pytest.mark.parametrize(
    "operator", [LpNormalization(p=3), LpNormalization(axis=2), MeanVarianceNormalization()]
)
def test_what_does_not_fit_is_refused(operator):
    with pytest.raises(SuanziError):
        operator.infer(TensorType(np.float32, (2, 3)))
