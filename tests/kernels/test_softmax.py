"""Softmax and LogSoftmax along any axis, against the definitions."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernel_support import check, make_site, run_site
from suanzi.kernels.softmax import choose
from suanzi.lang import host_target
from suanzi.lang.target import AVX2, PORTABLE
from suanzi.operators.softmax import Hardmax, LogSoftmax, Softmax

TARGETS = [host_target(), AVX2, PORTABLE]
RNG = np.random.default_rng(0)
BOTH = pytest.mark.parametrize("operator", [Softmax, LogSoftmax])


@BOTH
@pytest.mark.parametrize("target", TARGETS, ids=lambda t: t.name)
@settings(max_examples=6, deadline=None)
@given(st.data())
def test_any_axis(operator, target, data):
    shape = data.draw(st.lists(st.sampled_from([1, 3, 16, 77]), min_size=1, max_size=3))
    axis = data.draw(st.integers(-len(shape), len(shape) - 1))
    x = RNG.normal(0, 4, shape).astype(np.float32)
    check(choose, operator(axis=axis), [x], target=target, tolerance=2e-6)


@BOTH
@pytest.mark.parametrize("axis", [0, 1])
def test_big_numbers_and_what_vanishes(operator, axis):
    x = RNG.normal(0, 200, (40, 40)).astype(np.float32)
    x[5, 6] = -np.inf
    check(choose, operator(axis=axis), [x])


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_many_are_chunked(axis):
    x = RNG.normal(0, 1, (50, 60, 70)).astype(np.float32)
    (call,) = choose(check(choose, Softmax(axis=axis), [x], threads=2))
    assert call.chunks > 4


@BOTH
@pytest.mark.parametrize("axis", [0, 1])
def test_nan_spoils_its_row_alone(operator, axis):
    x = np.ones((20, 20), np.float32)
    x[3, 4] = np.nan
    (y,) = run_site(choose, make_site(operator(axis=axis), [x]), [x])
    np.testing.assert_allclose(y, operator(axis=axis).numpy(x), rtol=1e-6)


def test_what_is_declined():
    assert choose(make_site(Hardmax(), [np.ones((2, 3), np.float32)])) is None
    assert choose(make_site(Softmax(), [np.ones((2, 3))])) is None
    assert choose(make_site(Softmax(), [np.ones((0, 3), np.float32)])) is None
