import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from kernel_support import RUNNABLE, make_site, run_site
from suanzi.kernels.shuffle import choose
from suanzi.operators.channel_shuffle import ChannelShuffle


def shuffled(group, shape, target=RUNNABLE[0], threads=1):
    X, V = np.random.default_rng(0).standard_normal(shape, dtype=np.float32), target.lanes
    operator = ChannelShuffle(group=group)
    site = make_site(operator, [X], input_lanes=V, output_lanes=V, target=target, threads=threads)
    (got,) = run_site(choose, site, [X])
    np.testing.assert_array_equal(got, operator.numpy(X))


@pytest.mark.parametrize("target", RUNNABLE, ids=lambda t: t.name)
@pytest.mark.parametrize("group", [1, 2, 3, 4, 17])
def test_groups(group, target):
    shuffled(group, (2, group * 8, 3, 5), target)
    shuffled(group, (1, group * 7, 4, 4), target)


@settings(max_examples=12, deadline=None)
@given(st.integers(1, 20), st.integers(1, 9), st.integers(1, 300), st.sampled_from((1, 3)))
def test_any_channels(group, depth, pixels, threads):
    shuffled(group, (2, group * depth, pixels), threads=threads)


def test_what_is_left_to_others():
    X = np.ones((1, 4, 2, 2), np.float32)
    assert choose(make_site(ChannelShuffle(group=2), [X])) is None
