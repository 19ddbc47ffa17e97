from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernel_support import check
from suanzi.graph.fused import Chain, Link
from suanzi.kernels import conv_transpose, conv_winograd
from suanzi.kernels.conv_depthwise import ConvDepthwise
from suanzi.kernels.conv_samples import ConvSamples, choose, tile
from suanzi.lang.target import AVX2, AVX512, NEON, PORTABLE, host_target
from suanzi.operators.activation import Relu
from suanzi.operators.arithmetic import Add
from suanzi.operators.convolution import Conv, ConvTranspose

RNG = np.random.default_rng(0)
ON_ALL = pytest.mark.parametrize(
    "target", [host_target(), AVX2, PORTABLE], ids=["host", "avx2", "portable"]
)


@pytest.fixture(autouse=True)
def _no_winograd(monkeypatch):
    """Which would be chosen before it, now and then."""
    monkeypatch.setattr(conv_winograd, "_pays", lambda *_: False)


def normal(*shape):
    return RNG.standard_normal(shape, dtype=np.float32)


def run(operator, X, W, B=None, target=None, constants=(), must=True, **more):
    target = replace(target or host_target(), triple=host_target().triple)
    V, chooser = target.lanes, choose if isinstance(operator, Conv) else conv_transpose.choose
    site = check(
        chooser,
        operator,
        [X, W, B],
        input_lanes=[V, 0, 0],
        output_lanes=V,
        extra_lanes=V,
        constants=constants,
        target=target,
        threads=2,
        must=must,
        **more,
    )
    kinds = (ConvSamples, ConvDepthwise)  # one channel is one group
    assert not must or type(chooser(site)[-1].kernel) in kinds


@settings(max_examples=25, deadline=None)
@given(
    st.tuples(st.integers(4, 19), st.integers(1, 40), st.integers(1, 5), st.integers(1, 5)),
    st.integers(1, 70),
    st.tuples(st.integers(1, 3), st.integers(1, 5)),
    st.tuples(st.integers(1, 3), st.integers(1, 3)),
    st.tuples(st.integers(1, 2), st.integers(1, 2)),
    st.tuples(*[st.integers(0, 2)] * 4),
    st.sampled_from([(), (1, 2)]),
)
def test_any_shape(shape, K, kernel, strides, dilations, pads, constants):
    N, C, *size = shape
    reach = [(k - 1) * d + 1 for k, d in zip(kernel, dilations, strict=True)]
    H, W = (max(s, r) for s, r in zip(size, reach, strict=True))
    conv = Conv(strides=strides, dilations=dilations, pads=pads)
    X, weights = normal(N, C, H, W), normal(K, C, *kernel)
    small = max(conv.places((H, W), kernel)) <= 4
    run(conv, X, weights, normal(K), constants=constants, must=small)


@settings(max_examples=25, deadline=None)
@given(
    st.tuples(st.integers(4, 19), st.integers(1, 40), st.integers(1, 3), st.integers(1, 3)),
    st.integers(1, 70),
    st.tuples(st.integers(1, 3), st.integers(1, 5)),
    st.tuples(st.integers(1, 3), st.integers(1, 3)),
    st.sampled_from([(), (1, 2)]),
    st.data(),
)
def test_any_transposed_shape(shape, K, kernel, strides, constants, data):
    pads = [data.draw(st.integers(0, (k - 1) // 2)) for k in kernel]
    padding = tuple(data.draw(st.integers(0, s - 1)) for s in strides)
    conv = ConvTranspose(strides=strides, pads=(*pads, *pads), output_padding=padding)
    sizes = zip(conv.places(shape[2:], kernel), strides, strict=True)
    small = all(-(-size // stride) <= 4 for size, stride in sizes)
    X, W = normal(*shape), normal(shape[1], K, *kernel)
    run(conv, X, W, normal(K), constants=constants, must=small)


@ON_ALL
@pytest.mark.parametrize("constants", [(), (1, 2)], ids=["arriving", "constant"])
def test_every_target_with_a_chain(target, constants):
    chain = Chain(2, (Link(Add(), (0, 1)), Link(Relu(), (2,))))
    more = {"chain": chain, "extras": [normal(9, 70, 4, 4)], "constants": constants}
    X, bias = normal(9, 37, 4, 4), normal(70)
    run(Conv(pads=(1, 1, 1, 1)), X, normal(70, 37, 3, 3), bias, target, **more)
    run(ConvTranspose(pads=(1, 1, 1, 1)), X, normal(37, 70, 3, 3), bias, target, **more)
    run(Conv(), X, normal(70, 37, 1, 1), bias, target, **more)
    run(ConvTranspose(), X, normal(37, 70, 1, 1), bias, target, **more)
    X = normal(9, 37, 2, 2)
    made = {"strides": (2, 2), "output_padding": (1, 1)}
    run(ConvTranspose(pads=(1, 1, 1, 1), **made), X, normal(37, 70, 3, 3), bias, target, **more)
    run(ConvTranspose(**made), X, normal(37, 70, 1, 1), bias, target, **more)


@pytest.mark.parametrize("constants", [(), (1, 2)], ids=["arriving", "constant"])
def test_dilations(constants):
    made = {"dilations": (2, 3), "pads": (1, 1, 2, 2)}
    X, more = normal(6, 20, 4, 4), {"constants": constants}
    run(Conv(**made), X, normal(19, 20, 3, 2), **more)
    run(ConvTranspose(**made), normal(6, 20, 2, 4), normal(20, 19, 3, 2), **more)


def test_declines_what_it_does_not_do():
    run(Conv(), normal(3, 20, 4, 4), normal(20, 20, 1, 1), must=False)  # few samples
    run(Conv(), normal(4, 20, 4, 9), normal(20, 20, 1, 1), must=False)  # long rows
    run(Conv(group=2), normal(4, 20, 4, 4), normal(20, 10, 1, 1), must=False)


@pytest.mark.parametrize("target", [AVX512, AVX2, NEON, PORTABLE], ids=lambda t: t.name)
@pytest.mark.parametrize("samples", [4, 7, 16, 64])
@pytest.mark.parametrize("blocks", [1, 4, 6])
def test_tiles_fit_the_registers(target, samples, blocks):
    T, OCB = tile(target, samples, blocks, 4 * 4608 * target.lanes)
    assert blocks % OCB == 0
    assert samples >= T
    assert target.registers >= T * OCB + OCB + 1
