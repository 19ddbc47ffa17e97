"""Dropout, at inference and in training."""

import numpy as np
import pytest

from suanzi.errors import SuanziError
from suanzi.operators import Dropout
from support import node_cases

YES, HALF = np.array(True), np.array(0.5, np.float32)


@pytest.mark.parametrize("case", node_cases("Dropout", 12), ids=lambda c: c.id)
def test_backend_case(case):
    case.check()


def test_keeps_as_many_as_the_ratio_says_and_the_mean():
    data = np.ones(100_000, np.float32)
    for ratio in (0.1, 0.75):
        output, mask = Dropout(seed=3).numpy(data, np.array(ratio, np.float32), YES)
        assert abs(mask.mean() - (1 - ratio)) < 0.01
        assert abs(output.mean() - 1) < 0.05
        np.testing.assert_array_equal(output == 0, ~mask)


def test_a_seed_makes_the_same_mask_and_none_another():
    data = np.ones(1000, np.float32)

    def mask(seed):
        return Dropout(seed=seed).numpy(data, HALF, YES)[1]

    np.testing.assert_array_equal(mask(-1), mask(-1))
    assert (mask(1) != mask(2)).any()
    assert (mask(None) != mask(None)).any()


@pytest.mark.parametrize("ratio", [-0.5, 1, np.nan])
def test_refuses_other_ratios(ratio):
    with pytest.raises(SuanziError, match="ratio"):
        Dropout().numpy(np.ones(3, np.float32), np.array(ratio, np.float32), YES)
