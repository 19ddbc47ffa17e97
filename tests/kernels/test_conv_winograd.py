"""Winograd's convolution against the definition, with its stated bound."""

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

import suanzi.operators  # noqa: F401
from kernel_support import check
from suanzi.graph.fused import Chain, Link
from suanzi.kernels import conv_transpose, conv_winograd
from suanzi.lang import TARGETS, host_target
from suanzi.operators.activation import Relu
from suanzi.operators.arithmetic import Add
from suanzi.operators.convolution import Conv, ConvTranspose

BOUND = 1e-4  # of the largest output, as the module states


@pytest.fixture(autouse=True)
def _always(monkeypatch):
    """Small shapes don't pay; they are what tests can afford."""
    monkeypatch.setattr(conv_winograd, "_pays", lambda *_: True)


def data(N, C, H, W, K, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((N, C, H, W), dtype=np.float32)
    weights = rng.standard_normal((K, C, 3, 3), dtype=np.float32) / np.float32(3 * C**0.5)
    return X, weights, rng.standard_normal(K, dtype=np.float32)


def hold(N, C, H, W, K, pads=(1, 1, 1, 1), target=None, constants=(1, 2), **more):
    target = target or host_target()
    V = target.lanes
    return check(
        conv_winograd.choose,
        Conv(pads=pads),
        data(N, C, H, W, K),
        input_lanes=(V, 0, 0),
        output_lanes=V,
        constants=constants,
        tolerance=BOUND,
        target=target,
        **more,
    )


@given(
    N=st.integers(1, 3),
    C=st.integers(1, 40),
    H=st.integers(3, 17),
    W=st.integers(3, 17),
    K=st.integers(1, 70),
    pad=st.sampled_from([(0, 0, 0, 0), (1, 1, 1, 1), (0, 1, 2, 1)]),
    threads=st.sampled_from([1, 2]),
    constants=st.sampled_from([(), (1, 2)]),
)
@settings(max_examples=16, deadline=None)
def test_agrees_on_random_shapes(N, C, H, W, K, pad, threads, constants):
    hold(N, C, H, W, K, pad, threads=threads, constants=constants)


@pytest.mark.parametrize("name", [host_target().name, "avx2", "portable"])
@pytest.mark.parametrize("constants", [(), (1, 2)], ids=["arriving", "constant"])
def test_transposed_it_is_a_convolution_of_turned_weights(name, constants):
    target = TARGETS[name]
    for pads in ((1, 1, 1, 1), (0, 2, 1, 0)):
        X, weights, B = data(2, 20, 9, 14, 24)
        site = check(
            conv_transpose.choose,
            ConvTranspose(pads=pads),
            [X, weights.swapaxes(0, 1), B],
            input_lanes=(target.lanes, 0, 0),
            output_lanes=target.lanes,
            constants=constants,
            tolerance=BOUND,
            target=target,
        )
        kernel = conv_transpose.choose(site)[-1].kernel
        assert type(kernel) is conv_winograd.WinogradProduct


@pytest.mark.parametrize("name", ["avx2", "portable"])
def test_agrees_on_other_targets(name):
    hold(1, 20, 9, 14, 24, target=TARGETS[name])
    hold(1, 20, 9, 14, 24, target=TARGETS[name], constants=())


def test_both_forms_are_used():
    """Small weights with many tiles go in one pass, large ones in two steps."""
    one = conv_winograd.choose(hold(1, 16, 24, 24, 16))
    two = conv_winograd.choose(hold(1, 128, 8, 8, 96))
    assert one is not None
    assert two is not None
    assert (len(one), len(two)) == (1, 2)


def test_the_residual_and_the_activation_are_fused():
    chain = Chain(arity=2, links=(Link(Add(), (0, 1)), Link(Relu(), (2,))))
    residual = np.random.default_rng(1).standard_normal((2, 33, 7, 10), dtype=np.float32)
    hold(2, 17, 7, 10, 33, chain=chain, extras=(residual,), extra_lanes=host_target().lanes)


def test_the_error_stays_within_its_bound_for_512_channels():
    hold(1, 512, 12, 12, 32)
