from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernel_support import check
from suanzi.graph.fused import Chain, Link
from suanzi.kernels._tiles import Shape
from suanzi.kernels.conv_rows import choose, prefers_plain
from suanzi.lang.target import AVX2, AVX512, PORTABLE, host_target
from suanzi.operators.activation import Relu
from suanzi.operators.arithmetic import Add, Mul
from suanzi.operators.convolution import Conv

RNG = np.random.default_rng(0)


def normal(*shape):
    return RNG.standard_normal(shape, dtype=np.float32)


@settings(max_examples=20, deadline=None)
@given(
    st.tuples(st.integers(1, 2), st.integers(1, 4), st.integers(1, 12), st.integers(1, 150)),
    st.integers(1, 12),
    st.tuples(st.integers(1, 5), st.integers(1, 9)),
    st.tuples(st.integers(1, 2), st.integers(1, 2)),
    st.tuples(st.integers(1, 2), st.integers(1, 3)),
    st.tuples(*[st.integers(0, 4)] * 4),
    st.booleans(),
    st.sampled_from([(), (1, 2)]),
)
def test_any_shape(shape, K, kernel, strides, dilations, pads, bias, constants):
    N, C, *size = shape
    reach = [(k - 1) * d + 1 for k, d in zip(kernel, dilations, strict=True)]
    H, W = (max(s, r) for s, r in zip(size, reach, strict=True))
    arrays = [normal(N, C, H, W), normal(K, C, *kernel), normal(K) if bias else None]
    conv = Conv(strides=strides, dilations=dilations, pads=pads)
    check(choose, conv, arrays, constants=constants)


@pytest.mark.parametrize("target", [host_target(), AVX2, PORTABLE], ids=lambda t: t.name)
@pytest.mark.parametrize("stride", [1, 2])
def test_every_target_with_a_chain(target, stride):
    chain = Chain(
        4, (Link(Add(), (0, 1)), Link(Mul(), (4, 2)), Link(Add(), (5, 3)), Link(Relu(), (6,)))
    )
    places = (12 // stride, 90 // stride)
    check(
        choose,
        Conv(pads=(2, 19, 2, 19), strides=(stride, stride)),
        [normal(2, 3, 12, 90), normal(6, 3, 5, 39), normal(6)],
        constants=(1, 2),
        chain=chain,
        extras=[normal(6, 1, 1), normal(2, 6, *places), normal(2, 6, 1, 1)],
        target=replace(target, triple=host_target().triple),
        threads=2,
    )


def test_one_axis():
    check(choose, Conv(strides=(2,)), [normal(1, 1, 500), normal(1, 1, 256)], constants=(1,))


def test_declines_what_it_does_not_do():
    arrays = [normal(1, 4, 9, 9), normal(4, 4, 3, 3)]
    check(choose, Conv(), arrays, must=False)  # weights that arrive
    check(choose, Conv(strides=(1, 3)), arrays, constants=(1,), must=False)
    grouped = [normal(1, 4, 9, 9), normal(4, 2, 3, 3)]
    check(choose, Conv(group=2), grouped, constants=(1,), must=False)


def test_plain_layout_is_for_few_output_channels():
    def shape(C, K, kernel):
        return Shape(1, C, 172, 264, K, 172, 264, kernel)

    assert prefers_plain(shape(8, 1, (5, 5)), AVX512, 0)
    assert prefers_plain(shape(32, 1, (7, 3)), AVX512, 0)
    assert not prefers_plain(shape(8, 32, (5, 5)), AVX512, 0)
    assert not prefers_plain(shape(64, 64, (3, 3)), AVX512, 0)
    assert not prefers_plain(shape(8, 1, (5, 5)), AVX512, 1 << 26)
