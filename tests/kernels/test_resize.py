import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from kernel_support import RUNNABLE, check, make_site
from suanzi.kernels.resize import choose
from suanzi.operators.resize import Resize

MODES = {
    "nearest": {},
    "floor": {"nearest_mode": "floor", "coordinate_transformation_mode": "asymmetric"},
    "linear": {"mode": "linear"},
    "corners": {"mode": "linear", "coordinate_transformation_mode": "align_corners"},
    "cubic": {"mode": "cubic", "exclude_outside": 1},
}


def resized(operator, X, *inputs, lanes, target=RUNNABLE[0], threads=1):
    check(
        choose,
        operator,
        [X, *inputs],
        constants=[1, 2, 3],
        input_lanes=[lanes, 0, 0, 0],
        output_lanes=lanes,
        target=target,
        threads=threads,
    )


def random(*shape):
    return np.random.default_rng(0).standard_normal(shape, dtype=np.float32)


@pytest.mark.parametrize("target", RUNNABLE, ids=lambda t: t.name)
@pytest.mark.parametrize("mode", MODES)
def test_each_mode(mode, target):
    X, operator = random(2, 19, 7, 11), Resize(**MODES[mode])
    for lanes in (0, target.lanes):
        resized(operator, X, None, np.array([1, 1, 2, 2], np.float32), lanes=lanes, target=target)
        sizes = np.array([2, 19, 9, 5])
        resized(operator, X, None, None, sizes, lanes=lanes, target=target)


@settings(max_examples=20, deadline=None)
@given(
    st.sampled_from(list(MODES)),
    st.lists(st.integers(1, 40), min_size=4, max_size=4),
    st.sampled_from((0, RUNNABLE[0].lanes)),
    st.sampled_from((1, 3)),
)
def test_any_sizes(mode, sizes, lanes, threads):
    H, W, OH, OW = sizes
    operator = Resize(**MODES[mode], axes=(2, 3))
    new = np.array([OH, OW])
    resized(operator, random(1, 18, H, W), None, None, new, lanes=lanes, threads=threads)


def test_what_is_left_to_numpy():
    X, double = random(1, 4, 6, 6), np.array([1, 1, 2, 2], np.float32)
    assert choose(make_site(Resize(), [X, None, double])) is None  # not constant
    more = np.array([1, 2, 1, 1], np.float32)
    assert choose(make_site(Resize(), [X, None, more], constants=[2])) is None
    small, blur = double / 8, Resize(mode="linear", antialias=1, axes=(0, 1, 2, 3))
    assert choose(make_site(blur, [X, None, small * [8, 8, 1, 1]], constants=[2])) is None
