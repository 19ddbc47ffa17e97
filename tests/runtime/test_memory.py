"""Where arrays begin; results on memory that is used again."""

import ml_dtypes
import numpy as np
import pytest

from suanzi.runtime.memory import ALIGNMENT, Results, address

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


def large():
    return Results((1 << 10, 1 << 6), np.dtype(np.float32), "a result")


def test_memory_is_used_again_once_nobody_holds_it():
    results = large()
    first = results.take()
    assert (first.shape, first.dtype, address(first) % ALIGNMENT) == ((1024, 64), np.float32, 0)
    place = address(first)
    del first
    assert address(results.take()) == place


@pytest.mark.parametrize(
    "hold",
    [lambda y: y, lambda y: y[3:5, ::2][1:], lambda y: y.T.reshape(-1, 4), memoryview],
    ids=["itself", "a slice of a slice", "another shape", "a buffer"],
)
def test_what_is_held_stays(hold):
    results = large()
    y = results.take()
    y[:] = 1
    held = hold(y)
    del y
    for _ in range(4):
        results.take()[:] = 2
    assert np.asarray(held).max() == 1


def test_two_runs_in_turns_need_no_third_memory():
    results, places = large(), set()
    y = results.take()
    for _ in range(6):
        y = results.take()  # while the one before is held
        places.add(address(y))
    assert len(places) == 2


def test_small_results_are_new():
    results = Results((4,), np.dtype(np.float32), "a result")
    assert results.take().base is None
