"""Winograd's convolution against the definition, with its stated bound."""

import itertools
from dataclasses import replace

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

import suanzi.operators  # noqa: F401
from kernel_support import RUNNABLE, check, make_site, run_site
from suanzi.graph.fused import Chain, Link
from suanzi.kernels import choose, conv_transpose, conv_winograd
from suanzi.lang import TARGETS, host_target
from suanzi.operators.activation import Relu
from suanzi.operators.arithmetic import Add
from suanzi.operators.convolution import Conv, ConvTranspose

BOUND = 1e-4  # of the largest output, as `suanzi.kernels.Precision` states
TIMES = 8  # the direct sum's error, in the root mean square


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


def direct_sum(X, W):
    """In float32, term by term."""
    C, H, width = X.shape[1:]
    padded = np.pad(X, ((0, 0), (0, 0), (1, 1), (1, 1)))
    total = np.zeros((len(X), len(W), H, width), np.float32)
    for c, i, j in itertools.product(range(C), range(3), range(3)):
        total += W[:, c, i, j, None, None] * padded[:, c, None, i : i + H, j : j + width]
    return total


@pytest.mark.parametrize("target", RUNNABLE, ids=lambda t: t.name)
@pytest.mark.parametrize("C", [16, 64, 256, 512])
@pytest.mark.parametrize("positive", [False, True])
def test_the_error_of_either_precision(target, C, positive):
    """Fast stays within its bounds; strict is no worse than the direct sum but by chance."""
    V = target.lanes
    X, W, _ = data(1, C, 12, 12, 32, seed=C)
    X = np.maximum(X, 0) if positive else X
    conv = Conv(pads=(1, 1, 1, 1))
    layout = {"input_lanes": (V, 0), "output_lanes": V, "constants": (1,), "target": target}
    fast = make_site(conv, [X, W], **layout)
    strict = replace(fast, precision="strict")
    assert conv_winograd.choose(fast) is not None
    assert conv_winograd.choose(strict) is None
    exact = conv.numpy(X.astype(np.float64), W.astype(np.float64))

    def errors(y):
        return np.abs(y - exact).max(), np.sqrt(np.mean((y - exact) ** 2))

    most, typical = errors(direct_sum(X, W))
    fast_most, fast_typical = errors(run_site(choose, fast, [X, W])[0])
    assert fast_most <= BOUND * np.abs(exact).max()
    assert 2 * typical < fast_typical <= TIMES * typical
    strict_most, strict_typical = errors(run_site(choose, strict, [X, W])[0])
    assert strict_most <= 1.5 * most
    assert strict_typical <= 1.1 * typical


def test_a_transposed_convolution_in_strict_precision():
    V = host_target().lanes
    X, W, B = data(2, 20, 9, 14, 24)
    arrays = [X, W.swapaxes(0, 1), B]
    layout = {"input_lanes": (V, 0, 0), "output_lanes": V, "constants": (1, 2)}
    site = make_site(ConvTranspose(pads=(1, 1, 1, 1)), arrays, **layout)
    calls = choose(replace(site, precision="strict"))
    assert calls
    assert not any("Winograd" in type(call.kernel).__name__ for call in calls)
