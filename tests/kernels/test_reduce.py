"""Reductions over any axes, against the definitions."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernel_support import check, make_site, run_site
from suanzi.kernels.reduce import FORMS, choose
from suanzi.lang import host_target
from suanzi.lang.target import AVX2, PORTABLE
from suanzi.operators.reduction import ReduceLogSumExp, ReduceMax, ReduceMean, ReduceMin, ReduceSum

TARGETS = [host_target(), AVX2, PORTABLE]
RNG = np.random.default_rng(0)


def random(*shape: int) -> np.ndarray:
    return RNG.uniform(0.1, 3, shape).astype(np.float32)


@pytest.mark.parametrize("operator", FORMS, ids=lambda c: c.__name__)
@pytest.mark.parametrize("target", TARGETS, ids=lambda t: t.name)
@pytest.mark.parametrize("axes", [(1,), (0,), (0, 2)])
def test_every_form(operator, target, axes):
    x = random(5, 7, 83)
    check(choose, operator(), [x, np.array(axes)], constants=(1,), target=target)


@settings(max_examples=20, deadline=None)
@given(st.data())
def test_any_axes(data):
    shape = data.draw(st.lists(st.sampled_from([1, 2, 3, 17, 70]), min_size=1, max_size=4))
    axes = [i for i in range(len(shape)) if data.draw(st.booleans())]
    operator = data.draw(st.sampled_from([ReduceMean, ReduceMax]))(
        keepdims=data.draw(st.integers(0, 1))
    )
    target = data.draw(st.sampled_from(TARGETS))
    matters = any(shape[i] > 1 for i in axes) or (not axes and max(shape) > 1)
    check(
        choose,
        operator,
        [random(*shape), np.array(axes, np.int64)],
        constants=(1,),
        target=target,
        must=matters,
    )


@pytest.mark.parametrize("axes", [(0, 2, 3), (1, 3), (1, 2)])
def test_alternating_axes(axes):
    check(choose, ReduceSum(), [random(3, 4, 5, 70), np.array(axes)], constants=(1,), threads=2)


@pytest.mark.parametrize("shape", [(2, 100_003), (100_003, 2), (20_000, 30), (30, 20_000)])
@pytest.mark.parametrize("axis", [0, 1])
def test_long_sums_keep_their_accuracy_and_many_are_chunked(shape, axis):
    x = random(*shape)
    site = check(
        choose, ReduceSum(), [x, np.array([axis])], constants=(1,), tolerance=1e-6, threads=2
    )
    if min(shape) > 2:
        assert choose(site)[0].chunks > 1


@pytest.mark.parametrize("target", TARGETS, ids=lambda t: t.name)
@pytest.mark.parametrize("operator", [ReduceMean, ReduceMax, ReduceLogSumExp])
def test_pixels_of_blocks(target, operator):
    V, x = target.lanes, random(2, 21, 5, 6)
    blocks = {"input_lanes": [V, 0], "output_lanes": V, "constants": (1,), "target": target}
    check(choose, operator(), [x, np.array([2, -1])], **blocks)
    check(choose, operator(), [x, np.array([1])], must=False, **blocks)
    assert choose(make_site(operator(), [x, np.array([1, 2, 3])], **blocks)) is None


def test_everything_without_axes():
    check(choose, ReduceMean(), [random(3, 50)])
    check(choose, ReduceMean(keepdims=0), [random(3, 50), None])


@pytest.mark.parametrize("axis", [0, 1])
def test_nan_wins_and_infinities_count(axis):
    x = random(40, 40)
    x[3, 7], x[20, 20], x[30, 35] = np.nan, np.inf, -np.inf
    for operator in (ReduceMax, ReduceMin, ReduceSum):
        site = make_site(operator(), [x, np.array([axis])], constants=(1,))
        (y,) = run_site(choose, site, [x, np.array([axis])])
        right = operator().numpy(x, np.array([axis]))
        np.testing.assert_allclose(y, right, rtol=1e-6)


def test_log_sum_exp_of_big_numbers():
    x = random(3, 100) * 100
    check(choose, ReduceLogSumExp(), [x, np.array([1])], constants=(1,))
    check(choose, ReduceLogSumExp(), [x, np.array([0])], constants=(1,))


def test_what_is_declined():
    x, axes = random(3, 4), np.array([0])
    assert choose(make_site(ReduceSum(), [x, axes])) is None
    wide = make_site(ReduceSum(), [x.astype(np.float64), axes], constants=(1,))
    assert choose(wide) is None
    nothing = make_site(ReduceSum(), [np.zeros((0, 3), np.float32), axes], constants=(1,))
    assert choose(nothing) is None
