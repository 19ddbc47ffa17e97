"""The steps of optimizers, held to ONNX's cases."""

import numpy as np
import pytest

from suanzi.errors import SuanziError
from suanzi.operators import Adam, Momentum
from support import node_cases

CASES = [
    pytest.param(case, id=case.id)
    for name in ("Adagrad", "Adam", "Momentum")
    for case in node_cases(f"ai.onnx.preview.training.{name}")
]
R, T, X = np.array(0.1, np.float32), np.array(1), np.ones(2, np.float32)


@pytest.mark.parametrize("case", CASES)
def test_backend_cases(case):
    case.check()


def test_wrong_use():
    with pytest.raises(SuanziError, match="number of inputs"):
        Adam().infer_all([None, None])
    settings = {"alpha": 0.9, "beta": 0.1, "norm_coefficient": 0.0}
    with pytest.raises(SuanziError, match="mode"):
        Momentum(**settings, mode="odd").numpy(R, T, X, X, X)
