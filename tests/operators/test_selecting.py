"""Compress and Unique."""

import numpy as np
import pytest

from suanzi.errors import SuanziError
from suanzi.operators import Compress, TensorType, Unique
from support import check, node_cases


@pytest.mark.parametrize(
    "case",
    [c for name in ("Compress", "Unique") for c in node_cases(name, 1)],
    ids=lambda c: c.id,
)
def test_backend_case(case):
    case.check()


@pytest.mark.parametrize("axis", [None, 0, 1, -1])
@pytest.mark.parametrize("shape", [(7, 2, 3), (0, 2, 3), (3, 0, 2), (1, 1, 1)])
def test_unique_as_numpy_where_numpy_can(axis, shape):
    X = np.random.default_rng(0).integers(0, 2, shape)
    Y, first, inverse, counts = np.unique(X, True, True, True, axis)
    check(Unique(axis=axis), [X], [Y, first, inverse.reshape(-1), counts])


@pytest.mark.parametrize("axis", [None, 0, 1])
def test_unsorted_keeps_the_order_and_both_lead_back(axis):
    X = np.array(list("cabaccabba"), object).reshape(5, 2)
    x = X.reshape(-1) if axis is None else X
    for ordered in (0, 1):
        Y, first, inverse, counts = Unique(axis=axis, sorted=ordered).numpy(X)
        np.testing.assert_array_equal(Y, np.take(x, first, axis or 0))
        np.testing.assert_array_equal(x, np.take(Y, inverse, axis or 0))
        np.testing.assert_array_equal(counts, np.bincount(inverse))
        assert ordered or list(first) == sorted(first)


def test_compress_refuses():
    X = TensorType(np.float32, (2, 3))
    with pytest.raises(SuanziError, match="condition"):
        Compress().infer(X, TensorType(np.int64, (2,)))
    with pytest.raises(SuanziError, match="out of bounds"):
        Compress(axis=0).infer_all(
            [TensorType.of(np.ones((2, 3))), TensorType.of(np.ones(3, bool))]
        )
