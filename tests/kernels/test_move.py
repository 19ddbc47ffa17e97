import math

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from kernel_support import RUNNABLE, make_site, run_site
from suanzi.kernels import copy
from suanzi.kernels.move import choose
from suanzi.operators.cast import Identity
from suanzi.operators.channel_shuffle import ChannelShuffle
from suanzi.operators.indexing import Gather
from suanzi.operators.joining import Concat, Pad, Slice, Split, Tile
from suanzi.operators.shape import (
    DepthToSpace,
    Expand,
    Flatten,
    Reshape,
    SpaceToDepth,
    Squeeze,
    Transpose,
    Unsqueeze,
)

targets = pytest.mark.parametrize("target", RUNNABLE, ids=lambda t: t.name)


def counted(*shape, dtype=np.float32):
    return np.arange(1, math.prod(shape) + 1).reshape(shape).astype(dtype)


def check(operator, *inputs, layout=0, **options):
    """The first input (of Concat all) is data, the others are constant; nothing is rounded."""
    data = len(inputs) if isinstance(operator, Concat) else 1
    site = make_site(
        operator,
        inputs,
        constants=range(data, len(inputs)),
        input_lanes=layout,
        output_lanes=layout,
        **options,
    )
    got = run_site(choose, site, inputs)
    assert got is not None
    for mine, right in zip(got, operator.numpy_all(inputs), strict=True):
        np.testing.assert_array_equal(mine, right)
    return site


@targets
@pytest.mark.parametrize("dtype", [np.float32, np.int32, np.int64, np.float64])
def test_each_way_of_copying(target, dtype):
    X = counted(3, 18, 21, dtype=dtype)
    check(Transpose(perm=(1, 0, 2)), X, target=target)  # rows
    check(Transpose(perm=(0, 2, 1)), X, target=target)  # tiles
    check(Transpose(perm=(2, 1, 0)), X, target=target)  # a few, far apart
    check(Expand(), X[:, :, :1].copy(), np.array([3, 18, 37]), target=target)  # fill


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(1, 24), min_size=1, max_size=4), st.randoms(), st.sampled_from((1, 4)))
def test_any_transpose(shape, random, threads):
    perm = list(range(len(shape)))
    random.shuffle(perm)
    check(Transpose(perm=tuple(perm)), counted(*shape), threads=threads)


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_any_slice(data):
    shape = data.draw(st.lists(st.integers(1, 40), min_size=1, max_size=3))
    cuts = [data.draw(st.slices(n)) for n in shape]
    ends = [n if c.stop is None else c.stop for n, c in zip(shape, cuts, strict=True)]
    starts = [c.start or 0 for c in cuts]
    steps = [c.step or 1 for c in cuts]
    inputs = [np.array(a) for a in (starts, ends, range(len(shape)), steps)]
    X = counted(*shape)
    if Slice().numpy(X, *inputs).size:
        check(Slice(), X, *inputs)


def test_large_copies_in_chunks():
    check(Transpose(perm=(0, 2, 1)), counted(2, 300, 517), threads=4)
    check(Transpose(perm=(0, 2, 1)), counted(300, 20, 33), threads=4)
    check(Transpose(perm=(1, 0, 2)), counted(64, 300, 65), threads=2)
    long = check(Concat(axis=0), counted(100_001), counted(5), threads=4)
    assert len(choose(long)) == 4 - 1
    assert {type(call.kernel) for call in choose(long)} == {copy.StridedCopy}


@pytest.mark.parametrize("axis", [0, 1, 2, -1])
def test_concat(axis):
    shapes = np.full((3, 4), (2, 5, 6, 7))
    shapes[:, axis] = 4, 1, 3
    check(Concat(axis=axis), *(counted(*shape) for shape in shapes))
    check(Concat(axis=axis), *(counted(*shape, dtype=np.int64) for shape in shapes))


@targets
def test_blocked_concat_and_split(target):
    V = target.lanes
    parts = [counted(2, C, 3, 5) for C in (V, 2 * V, V + 3)]
    check(Concat(axis=1), *parts, layout=V, target=target)
    check(Concat(axis=-1), parts[2], parts[2], layout=V, target=target)
    sizes = np.array([2 * V, V + 1])
    X = counted(2, 3 * V + 1, 3, 5)
    site = make_site(
        Split(axis=1),
        [X, sizes],
        constants=[1],
        input_lanes=[V, 0],
        output_lanes=V,
        target=target,
    )
    for mine, right in zip(
        run_site(choose, site, [X, sizes]), np.split(X, [2 * V], 1), strict=True
    ):
        np.testing.assert_array_equal(mine, right)


def test_blocks_are_not_cut():
    V = RUNNABLE[0].lanes
    parts = [counted(1, V + 1, 2, 2), counted(1, V, 2, 2)]
    site = make_site(Concat(axis=1), parts, input_lanes=V, output_lanes=V)
    assert choose(site) is None


def test_split():
    check(Split(axis=1), counted(2, 9, 5), np.array([2, 7]))
    check(Split(axis=-1, num_outputs=3), counted(2, 9, 8))


@pytest.mark.parametrize("mode", ["reflect", "edge", "wrap"])
@pytest.mark.parametrize("pads", [(0, 1, 2, 0, 2, 1), (0, 0, 9, 0, 0, 5)])
def test_pad_with_the_data(mode, pads):
    X = np.arange(120, dtype=np.float32).reshape(4, 5, 6)
    check(Pad(mode=mode), X, np.array(pads))


@pytest.mark.parametrize("pads", [(0, 1, 2, 0, 3, 1), (2, -1, 0, 1, 2, -3)])
def test_pad(pads):
    X = counted(3, 4, 5)
    check(Pad(), X, np.array(pads))
    check(Pad(), X, np.array(pads), np.array(7, np.float32))
    check(Pad(), X.astype(np.int64), np.array(pads), np.array(7))
    check(Pad(), X, np.array([2, 1]), None, np.array([-1]))


def test_views_that_need_a_copy():
    x = counted(2, 1, 3, 4)
    check(Reshape(), x, np.array([4, -1]))
    check(Squeeze(), x, np.array([1]))
    check(Unsqueeze(), x, np.array([0, 2]))
    check(Flatten(axis=2), x)
    check(Identity(), x)


def test_the_rest():
    check(Tile(), counted(2, 3, 4), np.array([2, 1, 3]))
    check(Expand(), counted(3, 1), np.array([2, 3, 40]))
    check(Expand(), counted(1), np.array([3, 5]))
    for mode in ("DCR", "CRD"):
        check(DepthToSpace(blocksize=2, mode=mode), counted(2, 12, 5, 7))
        check(SpaceToDepth(blocksize=3, mode=mode), counted(2, 4, 6, 9))
    check(ChannelShuffle(group=3), counted(2, 12, 5))
    X = counted(4, 6, 5)
    for indices in (2, [-1], [1, 3, 5], [[4, 3], [2, 1]], [2, 1, 0]):
        check(Gather(axis=1), X, np.array(indices))


def test_what_is_left_to_numpy():
    X = counted(4, 6)
    assert choose(make_site(Gather(axis=1), [X, np.array([0, 1, 5])], constants=[1])) is None
    assert choose(make_site(Transpose(), [X.astype(np.uint8)])) is None
    many = np.full(4, 40)  # the data ten times over
    assert choose(make_site(Pad(mode="wrap"), [X, many], constants=[1])) is None
