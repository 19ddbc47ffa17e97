from dataclasses import replace

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from kernel_support import RUNNABLE, make_site, run_site
from suanzi.graph.fused import Reorder
from suanzi.kernels._kernel import Operand
from suanzi.kernels.reorder import choose
from suanzi.operators._operator import TensorType


def both_ways(shape, target, threads=1):
    X = np.random.default_rng(0).standard_normal(shape, dtype=np.float32)
    for source, result in ((0, target.lanes), (target.lanes, 0)):
        site = make_site(
            Reorder(lanes=result),
            [X],
            input_lanes=source,
            output_lanes=result,
            target=target,
            threads=threads,
        )
        (got,) = run_site(choose, site, [X])
        np.testing.assert_array_equal(got, X)


@pytest.mark.parametrize("target", RUNNABLE, ids=lambda t: t.name)
@pytest.mark.parametrize(
    "shape",
    [(1, 3, 5, 7), (2, 16, 4, 4), (2, 37, 1, 1), (1, 19, 33), (2, 5), (1, 64, 24, 24)],
    ids=str,
)
def test_there_and_back(shape, target):
    both_ways(shape, target)


@settings(max_examples=20, deadline=None)
@given(
    st.integers(1, 3),
    st.integers(1, 70),
    st.lists(st.integers(1, 40), max_size=2),
    st.sampled_from((1, 4)),
)
def test_any_shape(N, C, spatial, threads):
    both_ways((N, C, *spatial), RUNNABLE[0], threads)


def test_several_chunks_share_planes_and_tiles():
    both_ways((3, 20, 70, 70), RUNNABLE[0], threads=4)
    both_ways((40, 70, 6, 5), RUNNABLE[0], threads=4)


def test_unused_lanes_are_zero():
    V = RUNNABLE[0].lanes
    X = np.ones((1, V + 1, 3, 3), np.float32)
    site = make_site(Reorder(lanes=V), [X], output_lanes=V)
    whole = Operand(TensorType(np.float32, (1, 2 * V, 3, 3)), V)
    (got,) = run_site(choose, replace(site, outputs=(whole,)), [X])
    np.testing.assert_array_equal(got[:, : V + 1], X)
    assert (got[:, V + 1 :] == 0).all()


def test_other_elements_are_left_to_numpy():
    X = np.ones((1, 20, 3, 3), np.int64)
    assert choose(make_site(Reorder(lanes=16), [X], output_lanes=16)) is None
