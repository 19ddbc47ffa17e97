from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernel_support import check
from suanzi.kernels.conv_depthwise import DepthwiseWeightSums
from suanzi.kernels.conv_weight_gradient import choose, tile
from suanzi.lang.target import AVX2, AVX512, NEON, PORTABLE, host_target
from suanzi.operators.convolution import Conv, ConvWeightGradient

RNG = np.random.default_rng(0)
ON_ALL = pytest.mark.parametrize(
    "target", [host_target(), AVX2, PORTABLE], ids=["host", "avx2", "portable"]
)


def normal(*shape):
    return RNG.standard_normal(shape, dtype=np.float32)


def run(X, M, kernel, target=None, plain=False, threads=1, must=True, **attributes):
    target = replace(target or host_target(), triple=host_target().triple)
    V, group = target.lanes, attributes.get("group", 1)
    W = normal(M, X.shape[1] // group, *kernel)
    dY = normal(*Conv(**attributes).numpy(X, W).shape)
    return check(
        choose,
        ConvWeightGradient(kernel_shape=kernel, **attributes),
        [X, dY],
        input_lanes=[0 if plain else V, V],
        target=target,
        threads=threads,
        must=must,
    )


@settings(max_examples=25, deadline=None)
@given(
    st.tuples(st.integers(1, 3), st.integers(1, 40), st.integers(1, 10), st.integers(1, 30)),
    st.integers(1, 70),
    st.tuples(st.integers(1, 3), st.integers(1, 5)),
    st.tuples(st.integers(1, 3), st.integers(1, 3)),
    st.tuples(st.integers(1, 2), st.integers(1, 2)),
    st.tuples(*[st.integers(0, 3)] * 4),
    st.booleans(),
)
def test_any_shape(shape, M, kernel, strides, dilations, pads, plain):
    N, C, *size = shape
    reach = [(k - 1) * d + 1 for k, d in zip(kernel, dilations, strict=True)]
    H, W = (max(s, r) for s, r in zip(size, reach, strict=True))
    X, made = normal(N, C, H, W), {"strides": strides, "dilations": dilations, "pads": pads}
    run(X, M, kernel, plain=plain, threads=2, **made)


@ON_ALL
@pytest.mark.parametrize("size", [(2, 2), (4, 4), (9, 13), (1, 1)])
@pytest.mark.parametrize("stride", [1, 2])
def test_every_target(size, stride, target):
    strides = {"strides": (stride,) * 2, "threads": 2}
    X = normal(3, 37, *size)
    run(X, 70, (3, 3), target, pads=(1, 1, 1, 1), **strides)
    run(X, 64, (1, 1), target, **strides)
    run(X[:, :3], 20, (5, 5), target, plain=True, pads=(2, 2, 2, 2), **strides)


@ON_ALL
@pytest.mark.parametrize(
    ("group", "C", "M"), [(2, 32, 64), (4, 24, 136), (3, 9, 6), (4, 136, 136), (34, 34, 68)]
)
def test_groups(group, C, M, target):
    run(normal(2, C, 5, 6), M, (3, 3), target, group=group, pads=(1, 1, 1, 1))


@ON_ALL
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("kernel", [1, 3, 7])
def test_depthwise(kernel, stride, target):
    pads = (kernel // 2,) * 4
    made = {"group": 37, "pads": pads, "strides": (stride,) * 2}
    site = run(normal(2, 37, 7, 9), 37, (kernel,) * 2, target, **made)
    assert [type(call.kernel) for call in choose(site)] == [DepthwiseWeightSums]


def test_much_work_is_cut_into_parts():
    site = run(normal(16, 3, 32, 32), 64, (7, 7), plain=True, threads=2, pads=(3, 3, 3, 3))
    assert len(choose(site)) == 2
    run(normal(8, 32, 16, 16), 32, (3, 3), threads=8, pads=(1, 1, 1, 1))
    run(normal(8, 35, 16, 16), 33, (3, 3), threads=8, pads=(1, 1, 1, 1))


def test_one_axis_and_columns():
    run(normal(2, 20, 50), 33, (5,), strides=(2,), pads=(1, 3))
    run(normal(2, 20, 50, 1), 33, (5, 1), strides=(2, 1), pads=(1, 0, 3, 0))


def test_fewer_places_than_there_is_room_for():
    V = host_target().lanes
    gradient = ConvWeightGradient(kernel_shape=(2, 2))
    check(choose, gradient, [normal(1, 20, 6, 7), normal(1, 20, 4, 5)], input_lanes=[V, V])


def test_declines_what_it_does_not_do():
    X, dY = normal(1, 4, 5, 5), normal(1, 8, 3, 3)
    gradient, V = ConvWeightGradient(kernel_shape=(3, 3)), host_target().lanes
    check(choose, gradient, [X, dY], input_lanes=[V, 0], must=False)
    wide = [X.astype(np.float64), dY.astype(np.float64)]
    check(choose, gradient, wide, must=False)


@pytest.mark.parametrize("target", [AVX512, AVX2, NEON, PORTABLE], ids=lambda t: t.name)
@pytest.mark.parametrize("channels", [1, 3, 4, 8, 16])
@pytest.mark.parametrize("blocks", [1, 4, 6])
def test_tiles_fit_the_registers(target, channels, blocks):
    T, OCB = tile(target, channels, blocks)
    assert channels % T == blocks % OCB == 0
    assert target.registers >= T * OCB + OCB + 1
