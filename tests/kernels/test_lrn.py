import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from kernel_support import RUNNABLE, check, make_site
from suanzi.kernels.lrn import choose
from suanzi.operators.normalization import LRN


def blocked(operator, shape, target=RUNNABLE[0], threads=1):
    X = np.random.default_rng(0).standard_normal(shape, dtype=np.float32) * 3
    V = target.lanes
    check(choose, operator, [X], input_lanes=V, output_lanes=V, target=target, threads=threads)


@pytest.mark.parametrize("target", RUNNABLE, ids=lambda t: t.name)
def test_alexnet(target):
    blocked(LRN(size=5, alpha=1e-4, beta=0.75, bias=2.0), (2, 36, 5, 7), target)
    blocked(LRN(size=5, alpha=1.0), (1, 3, 4, 4), target)


@settings(max_examples=15, deadline=None)
@given(
    st.integers(1, 2 * RUNNABLE[0].lanes + 1),
    st.integers(1, 70),
    st.sampled_from((0.5, 0.75, 1.0, 0.3)),
    st.sampled_from((1, 3)),
)
def test_any_size(size, channels, beta, threads):
    operator = LRN(size=size, alpha=0.7, beta=beta, bias=1.5)
    blocked(operator, (2, channels, 3, 9), threads=threads)


def test_plain_data():
    X = np.random.default_rng(0).standard_normal((2, 20, 5, 7), dtype=np.float32)
    check(choose, LRN(size=5, alpha=0.5), [X])


def test_what_is_left_to_numpy():
    X = np.ones((1, 99, 2, 2), np.float32)
    V = RUNNABLE[0].lanes
    assert choose(make_site(LRN(size=3), [X.astype(np.float64)])) is None
    wide = LRN(size=2 * V + 2)
    assert choose(make_site(wide, [X], input_lanes=V, output_lanes=V)) is None
