from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernel_support import check
from suanzi.graph.fused import Chain, Link
from suanzi.kernels import conv_transpose
from suanzi.kernels._tiles import Shape, tile
from suanzi.kernels.conv_direct import choose, flat
from suanzi.lang.target import AVX2, AVX512, NEON, PORTABLE, host_target
from suanzi.operators.activation import Relu
from suanzi.operators.arithmetic import Add, Mul
from suanzi.operators.convolution import Conv, ConvTranspose

RNG = np.random.default_rng(0)
ON_ALL = pytest.mark.parametrize(
    "target", [host_target(), AVX2, PORTABLE], ids=["host", "avx2", "portable"]
)


def normal(*shape):
    return RNG.standard_normal(shape, dtype=np.float32)


def run(X, W, B=None, target=None, plain=False, extra_lanes=None, constants=(1, 2), **more):
    target = replace(target or host_target(), triple=host_target().triple)
    V = target.lanes
    check_keys = ("chain", "extras", "constant_extras", "threads", "must")
    layout = {key: more.pop(key) for key in check_keys if key in more}
    return check(
        choose,
        Conv(**more),
        [X, W, B],
        input_lanes=[0 if plain else V, 0, 0],
        output_lanes=V,
        extra_lanes=V if extra_lanes is None else [V if e else 0 for e in extra_lanes],
        constants=constants,
        target=target,
        **layout,
    )


@settings(max_examples=20, deadline=None)
@given(
    st.tuples(st.integers(1, 2), st.integers(1, 40), st.integers(1, 10), st.integers(1, 30)),
    st.integers(1, 70),
    st.tuples(st.integers(1, 3), st.integers(1, 5)),
    st.tuples(st.integers(1, 3), st.integers(1, 3)),
    st.tuples(st.integers(1, 2), st.integers(1, 2)),
    st.tuples(*[st.integers(0, 3)] * 4),
    st.booleans(),
    st.booleans(),
    st.sampled_from([(), (1, 2)]),
)
def test_any_shape(shape, K, kernel, strides, dilations, pads, bias, plain, constants):
    N, C, *size = shape
    reach = [(k - 1) * d + 1 for k, d in zip(kernel, dilations, strict=True)]
    H, W = (max(s, r) for s, r in zip(size, reach, strict=True))
    attributes = {"strides": strides, "dilations": dilations, "pads": pads}
    weights, B = normal(K, C, *kernel), normal(K) if bias else None
    run(normal(N, C, H, W), weights, B, None, plain, None, constants, threads=2, **attributes)


@pytest.mark.parametrize(
    ("group", "C", "K"),
    [(2, 32, 64), (4, 24, 136), (3, 9, 6), (4, 136, 136), (34, 34, 68), (5, 5, 5)],
)
@pytest.mark.parametrize("kernel", [1, 3])
@ON_ALL
def test_groups(group, C, K, kernel, target):
    X, W = normal(1, C, 5, 6), normal(K, C // group, kernel, kernel)
    run(X, W, normal(K), target, group=group, pads=(kernel // 2,) * 4)
    run(X, W, normal(K), target, constants=(), group=group, pads=(kernel // 2,) * 4)


@pytest.mark.parametrize("kernel", [1, 2, 3, 5])
@ON_ALL
def test_weights_that_arrive_are_packed_in_each_run(kernel, target):
    X, W = normal(2, 37, 7, 9), normal(70, 37, kernel, kernel)
    run(X, W, normal(70), target, constants=(), threads=2)
    run(X[:, :3], W[:, :3], None, target, plain=True, constants=(), strides=(2, 2))


@pytest.mark.parametrize("plain", [False, True])
@ON_ALL
def test_every_target_with_a_chain(target, plain):
    """A residual, a number a channel, a gate a sample, a number a pixel, and a scalar."""
    links = [Link((Add, Mul)[i % 2](), (i + 5 if i else 0, i + 1)) for i in range(5)]
    chain = Chain(6, (*links, Link(Relu(), (10,))))
    shape = (2, 21, 6, 17)
    extras = [normal(*shape), normal(21, 1, 1), normal(2, 21, 1, 1), normal(1, 1), normal(6, 17)]
    order = [0, 1, 2, 4, 3]
    X, W, B = normal(2, 19, 6, 17), normal(21, 19, 3, 3), normal(21)
    run(
        X, W, B, target, plain,
        pads=(1, 1, 1, 1),
        chain=chain,
        extras=[extras[i] for i in order],
        constant_extras=(1,),
        extra_lanes=[True, False, True, False, False],
    )  # fmt: skip


@ON_ALL
def test_a_chain_with_numbers_that_arrive_for_each_channel(target):
    chain = Chain(3, (Link(Mul(), (0, 1)), Link(Add(), (3, 2))))
    made = {"chain": chain, "extra_lanes": [False, False], "pads": (1, 1, 1, 1)}
    for K in (32, 37):
        W, extras = normal(K, 19, 3, 3), [normal(1, K, 1, 1), normal(K, 1, 1)]
        run(normal(2, 19, 6, 7), W, None, target, constants=(), extras=extras, **made)


@pytest.mark.parametrize("pixels", [(7, 7), (1, 1), (13, 5)])
def test_pointwise(pixels):
    run(normal(2, 40, *pixels), normal(33, 40, 1, 1), normal(33))


def test_one_axis():
    run(normal(2, 20, 50), normal(33, 20, 5), normal(33), strides=(2,), pads=(1, 3))
    run(normal(1, 20, 50), normal(33, 20, 3), auto_pad="SAME_UPPER")


def test_a_column():
    run(normal(2, 20, 5, 1), normal(33, 20, 3, 1), normal(33), strides=(1, 2), pads=(0, 1, 0, 0))
    run(normal(2, 20, 50, 1), normal(33, 20, 5, 1), normal(33), strides=(2, 1), pads=(1, 0, 3, 0))


def test_kernel_wider_than_the_image():
    run(normal(1, 3, 4, 5), normal(8, 3, 7, 11), pads=(3, 5, 3, 5), plain=True)


def test_declines_what_it_does_not_do():
    X, W = normal(1, 4, 5, 5), normal(8, 2, 3, 3)
    run(X, W, group=2, plain=True, must=False)
    V = host_target().lanes
    arrives = [normal(1, 4, 5, 5), normal(8, 4, 3, 3)]
    check(choose, Conv(), arrives, constants=(1,), must=False)  # plain output
    volume = [normal(1, 4, 3, 3, 3), normal(8, 4, 3, 3, 3)]
    check(choose, Conv(), volume, input_lanes=[V, 0], output_lanes=V, constants=(1,), must=False)


@pytest.mark.parametrize("target", [AVX512, AVX2, NEON, PORTABLE], ids=lambda t: t.name)
@pytest.mark.parametrize("row", [1, 7, 28, 56, 224])
@pytest.mark.parametrize("blocks", [1, 4, 6, 32])
def test_tiles_fit_the_registers(target, row, blocks):
    T, OCB = tile(target, row, blocks)
    assert blocks % OCB == 0
    assert row >= T
    assert target.registers >= T * OCB + OCB + 1


def test_pointwise_rows_cover_the_pixels():
    s = flat(Shape(1, 64, 13, 11, 64, 13, 11), AVX512, 4, lambda OCB: 1.0)
    assert s.H * s.W == 13 * 11
    assert (s.OH, s.OW) == (s.H, s.W)


@pytest.mark.parametrize("kernel", [1, 3])
@ON_ALL
def test_many_weights_that_arrive_are_packed_by_the_chunks_that_need_them(target, kernel):
    target = replace(target, l2=1 << 18)
    C, K = (70, 201) if kernel == 3 else (500, 201)
    X, W, pads = normal(2, C, 5, 9), normal(K, C, kernel, kernel), (kernel // 2,) * 4
    site = run(X, W, normal(K), target, constants=(), threads=2, pads=pads)
    assert [call.kernel.rows is not None for call in choose(site)[1:]] == [True]
    turned = check(
        conv_transpose.choose,
        ConvTranspose(pads=pads),
        [X, np.ascontiguousarray(W.swapaxes(0, 1)), None],
        input_lanes=[target.lanes, 0, 0],
        output_lanes=target.lanes,
        target=replace(target, triple=host_target().triple),
        threads=2,
    )
    assert conv_transpose.choose(turned)[0].kernel.rows is not None
