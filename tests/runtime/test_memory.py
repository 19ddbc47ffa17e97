"""Where arrays begin."""

import ml_dtypes
import numpy as np
import pytest

from suanzi.runtime.memory import address

X = np.arange(12, dtype=np.float32).reshape(3, 4)
FIXED = X.copy()
FIXED.flags.writeable = False


@pytest.mark.parametrize(
    "array",
    [X, X[1:], FIXED, X[:0], np.array(3), X.astype(ml_dtypes.bfloat16), X > 3, X.astype(">f4")],
    ids=["whole", "part", "read-only", "empty", "rank 0", "bfloat16", "bool", "other order"],
)
def test_an_address_is_that_of_the_first_element(array):
    assert address(array) == array.ctypes.data
