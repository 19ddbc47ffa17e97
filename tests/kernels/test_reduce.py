"""Reductions over any axes, against the definitions."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernel_support import check, make_site, run_site
from suanzi.graph.fused import Chain, Folded, Link
from suanzi.kernels._folding import FORMS
from suanzi.kernels.reduce import choose
from suanzi.lang import host_target
from suanzi.lang.target import AVX2, PORTABLE
from suanzi.operators.arithmetic import Mul, Sub
from suanzi.operators.logic import Equal, Where
from suanzi.operators.reduction import (
    ReduceL2,
    ReduceLogSumExp,
    ReduceMax,
    ReduceMean,
    ReduceMin,
    ReduceSum,
    ReduceSumSquare,
)

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


CENTRED = Chain(3, (Link(Sub(), (1, 2)), Link(Mul(), (0, 3))))
"""a · (b - c), as in the gradient of a normalization."""


@pytest.mark.parametrize("target", TARGETS, ids=lambda t: t.name)
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("keepdims", [0, 1])
def test_channels_of_blocks(target, threads, keepdims):
    V, axes = target.lanes, np.array([0, 2, 3])
    x, y, c = random(4, 21, 30, 31), random(4, 21, 30, 31), random(1, 21, 1, 1)
    options = {"output_lanes": 0, "target": target, "threads": threads}
    check(
        choose,
        ReduceSum(keepdims=keepdims),
        [x, axes],
        input_lanes=[V, 0],
        constants=(1,),
        **options,
    )
    for body in (ReduceMean(keepdims=keepdims), ReduceMax(keepdims=keepdims)):
        for constants in ((3,), (2, 3)):
            site = check(
                choose,
                Folded(CENTRED, body),
                [x, y, c, axes],
                input_lanes=[V, V, 0, 0],
                constants=constants,
                **options,
            )
            assert len(choose(site)) == (1 if V == 4 or threads == 1 else 2)


@pytest.mark.parametrize("target", TARGETS, ids=lambda t: t.name)
@pytest.mark.parametrize("over", [(0,), (1,), (2,), (0, 1), (0, 2), (0, 1, 2)])
@pytest.mark.parametrize("c", [(1,), (37,), (5, 1), (4, 5, 1), (4, 5, 37)])
def test_chains_before_reductions(target, over, c):
    arrays = [random(4, 5, 37), random(4, 1, 37), random(*c), np.array(over)]
    operator = Folded(CENTRED, ReduceSum(keepdims=0))
    check(choose, operator, arrays, constants=(3,), target=target, threads=2)


def test_a_mask_in_a_chain_before_a_reduction():
    chain = Chain(3, (Link(Where(), (0, 1, 2)),))
    x = random(8, 50)
    arrays = [x > 1, x, np.zeros((), np.float32), np.array([0])]
    check(choose, Folded(chain, ReduceSum()), arrays, constants=(3,))
    compared = Chain(4, (Link(Equal(), (0, 1)), Link(Where(), (4, 2, 3))))
    numbers = np.arange(400).reshape(8, 50) % 3
    arrays = [numbers, np.array(1), x, np.zeros((), np.float32), np.array([0])]
    check(choose, Folded(compared, ReduceSum()), arrays, constants=(4,))


@pytest.mark.parametrize("target", TARGETS, ids=lambda t: t.name)
@pytest.mark.parametrize(
    ("shape", "axes"),
    [((300, 512), (0, 1)), ((12_000, 16), (0,)), ((2, 100_000), (1,)), ((12_000, 13), (0,))],
)
@pytest.mark.parametrize("operator", [ReduceSum, ReduceMax, ReduceL2, ReduceSumSquare])
def test_few_results_are_made_in_parts_by_all_threads(target, shape, axes, operator):
    x = random(*shape) - 1.5
    options = {"constants": (1,), "target": target, "threads": 2}
    site = check(choose, operator(), [x, np.array(axes)], **options)
    assert choose(site)[0].chunks > 1
