"""CumSum and CumProd."""

import numpy as np
import pytest

from suanzi.operators import CumProd, CumSum
from support import check, node_cases


@pytest.mark.parametrize(
    "case",
    [c for name in ("CumSum", "CumProd") for c in node_cases(name, 1)],
    ids=lambda c: c.id,
)
def test_backend_case(case):
    case.check()


@pytest.mark.parametrize("exclusive", [0, 1])
@pytest.mark.parametrize("reverse", [0, 1])
@pytest.mark.parametrize("shape", [(0, 3), (1, 3), (4, 3)])
def test_is_the_sum_and_product_of_what_comes_before(exclusive, reverse, shape):
    x = np.random.default_rng(0).integers(1, 9, shape)
    order = slice(None, None, -1 if reverse else 1)
    for cls, total in ((CumSum, np.sum), (CumProd, np.prod)):
        parts = [total(x[order][: i + 1 - exclusive], 0) for i in range(len(x))]
        expected = np.array(parts, x.dtype).reshape(shape)[order]
        check(cls(exclusive=exclusive, reverse=reverse), [x, np.array(0)], [expected])


def test_what_is_excluded_does_no_harm():
    x = np.array([1, np.inf, 0], np.float32)
    y = CumSum(exclusive=1).numpy(x, np.array(0))
    np.testing.assert_array_equal(y, [0, 1, np.inf])
