from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernel_support import check
from suanzi.graph.fused import Chain, Link
from suanzi.kernels.conv_depthwise import ConvDepthwise
from suanzi.kernels.conv_transpose import choose
from suanzi.lang.target import AVX2, PORTABLE, host_target
from suanzi.operators.activation import Relu
from suanzi.operators.arithmetic import Add
from suanzi.operators.convolution import ConvTranspose

RNG = np.random.default_rng(0)


def normal(*shape):
    return RNG.standard_normal(shape, dtype=np.float32)


def run(X, W, B=None, target=None, must=True, constants=(1, 2), **attributes):
    chain, extras = attributes.pop("chain", None), attributes.pop("extras", ())
    target = replace(target or host_target(), triple=host_target().triple)
    V = target.lanes
    return check(
        choose,
        ConvTranspose(**attributes),
        [X, W, B],
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
    st.tuples(st.integers(1, 2), st.integers(1, 20), st.integers(1, 9), st.integers(1, 20)),
    st.integers(1, 40),
    st.tuples(st.integers(1, 3), st.integers(1, 3)),
    st.tuples(st.integers(-1, 2), st.integers(-2, 2)),
    st.sampled_from([(), (1, 2)]),
    st.data(),
)
def test_any_shape(shape, K, strides, more, constants, data):
    kernel = [max(1, s + m) for s, m in zip(strides, more, strict=True)]
    padding = [data.draw(st.integers(0, s - 1)) for s in strides]
    pads = [data.draw(st.integers(0, (k - 1) // 2)) for k in kernel]
    run(
        normal(*shape),
        normal(shape[1], K, *kernel),
        normal(K),
        constants=constants,
        strides=strides,
        pads=(*pads, *pads),
        output_padding=tuple(padding),
    )


@pytest.mark.parametrize("target", [host_target(), AVX2, PORTABLE], ids=lambda t: t.name)
@pytest.mark.parametrize(("kernel", "pad"), [(2, 0), (3, 1), (4, 1)])
def test_every_target_with_a_chain(target, kernel, pad):
    chain = Chain(2, (Link(Add(), (0, 1)), Link(Relu(), (2,))))
    size = [(n - 1) * 2 + kernel - 2 * pad for n in (9, 17)]
    X, W = normal(2, 20, 9, 17), normal(20, 37, kernel, kernel)
    extras = [normal(2, 37, *size)]
    run(X, W, normal(37), target, chain=chain, extras=extras, strides=(2, 2), pads=(pad,) * 4)


@pytest.mark.parametrize("target", [host_target(), AVX2, PORTABLE], ids=lambda t: t.name)
def test_few_channels_make_plain_output(target):
    target = replace(target, triple=host_target().triple)
    V = target.lanes
    for K, C, strides in ((1, 20, (2, 2)), (V // 4, 3, (2, 2)), (1, 2 * V, (1, 3))):
        check(
            choose,
            ConvTranspose(strides=strides),
            [normal(2, C, 5, 37), normal(C, K, *strides), normal(K)],
            input_lanes=[V, 0, 0],
            constants=(1, 2),
            chain=Chain(2, (Link(Add(), (0, 1)), Link(Relu(), (2,)))),
            extras=[normal(1)],
            target=target,
        )


def test_groups_and_one_axis():
    run(normal(1, 24, 5, 6), normal(24, 7, 3, 3), group=4, strides=(2, 2))
    run(normal(2, 10, 30), normal(10, 20, 5), normal(20), strides=(3,), pads=(1, 2))
    run(normal(1, 10, 8, 8), normal(10, 20, 3, 3), auto_pad="SAME_UPPER", strides=(2, 2))


@pytest.mark.parametrize("target", [host_target(), AVX2, PORTABLE], ids=lambda t: t.name)
@pytest.mark.parametrize("constants", [(), (1, 2)], ids=["arriving", "constant"])
def test_of_stride_1_it_is_a_convolution(target, constants):
    X, bias = normal(2, 20, 7, 9), normal(37)
    for kernel, dilations, pads in ((3, 1, 1), (1, 1, 0), (2, 3, 0), (3, 2, 3), (4, 1, 2)):
        W = normal(20, 37, kernel, kernel)
        made = {"dilations": (dilations,) * 2, "pads": (pads,) * 4, "constants": constants}
        run(X, W, bias, target, **made)
    run(X, normal(20, 3, 3, 3), None, target, group=4, pads=(1, 1, 0, 2), constants=constants)


@pytest.mark.parametrize("target", [host_target(), AVX2, PORTABLE], ids=lambda t: t.name)
@pytest.mark.parametrize("constants", [(), (1, 2)], ids=["arriving", "constant"])
def test_depthwise(target, constants):
    W, made = normal(21, 1, 3, 3), {"group": 21, "constants": constants}
    site = run(normal(2, 21, 7, 9), W, normal(21), target, pads=(1, 1, 1, 1), **made)
    assert type(choose(site)[-1].kernel) is ConvDepthwise
    for pads in ((0, 0, 0, 0), (1, 1, 1, 1)):
        more = {"strides": (2, 2), "output_padding": (1, 1), "pads": pads, **made}
        site = run(normal(2, 21, 7, 9), W, normal(21), target, **more)
        assert type(choose(site)[-1].kernel) is ConvDepthwise
    run(normal(2, 21, 7, 9), normal(21, 1, 1, 2), None, target, strides=(2, 3), **made)


@pytest.mark.parametrize("constants", [(), (1, 2)], ids=["arriving", "constant"])
def test_a_kernel_smaller_than_the_strides_leaves_gaps(constants):
    chain = {"chain": Chain(1, (Link(Relu(), (0,)),)), "constants": constants}
    run(normal(2, 20, 5, 6), normal(20, 19, 1, 1), normal(19), strides=(2, 2), **chain)
    run(normal(2, 20, 5, 6), normal(20, 19, 1, 1), strides=(2, 3), output_padding=(1, 2), **chain)
    run(normal(2, 20, 5, 6), normal(20, 19, 3, 1), strides=(2, 2), pads=(1, 0, 1, 0), **chain)


def test_declines_what_it_does_not_do():
    run(normal(1, 4, 5, 5), normal(4, 4, 3, 3), dilations=(2, 2), strides=(2, 2), must=False)
