from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernel_support import check
from suanzi.graph.fused import Chain, Link
from suanzi.kernels.conv_depthwise import choose
from suanzi.lang.target import AVX2, PORTABLE, host_target
from suanzi.operators.activation import Relu
from suanzi.operators.arithmetic import Add, Mul
from suanzi.operators.convolution import Conv

RNG = np.random.default_rng(0)


def normal(*shape):
    return RNG.standard_normal(shape, dtype=np.float32)


def run(N, C, H, W, kernel, target=None, bias=True, must=True, extras=(), chain=None, **attributes):
    constants = attributes.pop("constants", (1, 2))
    target = replace(target or host_target(), triple=host_target().triple)
    V = target.lanes
    return check(
        choose,
        Conv(group=C, **attributes),
        [normal(N, C, H, W), normal(C, 1, *kernel), normal(C) if bias else None],
        input_lanes=[V, 0, 0],
        output_lanes=V,
        constants=constants,
        chain=chain,
        extras=extras,
        extra_lanes=V,
        target=target,
        must=must,
    )


@settings(max_examples=20, deadline=None)
@given(
    st.integers(1, 2),
    st.integers(1, 40),
    st.tuples(st.integers(1, 20), st.integers(1, 40)),
    st.tuples(st.integers(1, 5), st.sampled_from([1, 2, 3, 5, 7, 9])),
    st.tuples(st.integers(1, 3), st.integers(1, 3)),
    st.tuples(st.integers(1, 2), st.integers(1, 2)),
    st.tuples(*[st.integers(0, 3)] * 4),
    st.booleans(),
    st.sampled_from([(), (1, 2)]),
)
def test_any_shape(N, C, size, kernel, strides, dilations, pads, bias, constants):
    reach = [(k - 1) * d + 1 for k, d in zip(kernel, dilations, strict=True)]
    H, W = (max(s, r) for s, r in zip(size, reach, strict=True))
    made = {"strides": strides, "dilations": dilations, "pads": pads, "constants": constants}
    run(N, C, H, W, kernel, bias=bias, **made)


@pytest.mark.parametrize("target", [host_target(), AVX2, PORTABLE], ids=lambda t: t.name)
@pytest.mark.parametrize(
    ("kernel", "stride", "pad"), [((3, 3), 1, 1), ((5, 5), 2, 2), ((1, 9), 1, 0)]
)
def test_every_target_with_a_chain(target, kernel, stride, pad):
    chain = Chain(3, (Link(Add(), (0, 1)), Link(Mul(), (3, 2)), Link(Relu(), (4,))))
    size = [(s + 2 * pad - k) // stride + 1 for s, k in zip((13, 30), kernel, strict=True)]
    extras = [normal(2, 19, *size), normal(2, 19, 1, 1)]
    pads, strides = (pad,) * 4, (stride,) * 2
    run(2, 19, 13, 30, kernel, target, extras=extras, chain=chain, pads=pads, strides=strides)


def test_one_axis():
    V = host_target().lanes
    arrays = [normal(2, 20, 50), normal(20, 1, 5)]
    conv = Conv(group=20, auto_pad="SAME_LOWER", strides=(2,))
    check(choose, conv, arrays, input_lanes=[V, 0], output_lanes=V, constants=(1,))


def test_declines_several_filters_a_channel():
    V = host_target().lanes
    arrays = [normal(1, 20, 9, 9), normal(40, 1, 3, 3)]
    layout = {"input_lanes": [V, 0], "output_lanes": V, "constants": (1,)}
    check(choose, Conv(group=20), arrays, must=False, **layout)
