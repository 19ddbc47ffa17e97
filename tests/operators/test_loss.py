"""Losses: ONNX's cases, and what is refused."""

import numpy as np
import pytest

from suanzi.errors import SuanziError
from suanzi.operators import NegativeLogLikelihoodLoss, SoftmaxCrossEntropyLoss, TensorType
from support import check, node_cases


@pytest.mark.parametrize(
    "case",
    [*node_cases("NegativeLogLikelihoodLoss"), *node_cases("SoftmaxCrossEntropyLoss")],
    ids=lambda c: c.id,
)
def test_backend_case(case):
    case.check()


@pytest.mark.parametrize("target", [-1, 3])
def test_a_class_that_there_is_not(target):
    x, targets = np.zeros((2, 3), np.float32), np.array([0, target])
    for loss in (NegativeLogLikelihoodLoss, SoftmaxCrossEntropyLoss):
        with pytest.raises(SuanziError, match="no such class"):
            loss().numpy(x, targets)
        ignoring = loss(ignore_index=target, reduction="none").numpy_all([x, targets])
        assert ignoring[0][1] == 0


def test_the_mean_of_nothing_is_not_a_number():
    ignoring = NegativeLogLikelihoodLoss(ignore_index=7)
    inputs = [np.ones((1, 3), np.float32), np.array([7])]
    check(ignoring, inputs, [np.array(np.nan, np.float32)])


def test_large_scores_do_not_overflow():
    scores = np.array([[1000, 0], [-1000, 0]], np.float32)
    expected = np.array([1000, 0], np.float32)
    loss = SoftmaxCrossEntropyLoss(reduction="none")
    check(loss, [scores, np.array([1, 1])], [expected])


@pytest.mark.parametrize(
    ("shapes", "input"),
    [([(2, 3), (3,)], "labels"), ([(2, 3), (2,), (2,)], "weights"), ([(3,), (3,)], "scores")],
)
def test_what_does_not_fit_is_named(shapes, input):
    dtypes = (np.float32, np.int64, np.float32)
    types = [TensorType(d, s) for d, s in zip(dtypes, shapes, strict=False)]
    with pytest.raises(SuanziError) as error:
        SoftmaxCrossEntropyLoss().infer(*types)
    assert error.value.input == input
