"""Convolutions of 8-bit integers, held bit for bit to their definitions."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernel_support import RUNNABLE, make_site, run_site
from suanzi.graph.fused import Chain, Fused, Link
from suanzi.graph.quantized import Dequantize, Quantize, QuantizedConv
from suanzi.kernels.quantized_conv import choose
from suanzi.operators.activation import Relu
from suanzi.operators.integer_convolution import ConvInteger

F32 = np.float32


def numbers(rng, dtype, shape=()):
    """Any values of the type, its ends often."""
    limits = np.iinfo(dtype)
    x = rng.integers(limits.min, limits.max + 1, shape)
    ends = rng.choice([limits.min, limits.max], shape)
    return np.where(rng.random(shape) < 0.2, ends, x).astype(dtype)


def check(operator, inputs, chain=None, extras=(), **described):
    site = make_site(
        operator, inputs, chain=chain, extras=extras, constants=(1, 3), threads=2, **described
    )
    found = run_site(choose, site, [*inputs, *extras])
    assert found is not None
    meaning = operator if chain is None else Fused(operator, len(inputs), chain)
    (expected,) = meaning.numpy_all([*inputs, *extras])
    assert found[0].dtype == expected.dtype
    np.testing.assert_array_equal(found[0], expected)


def weights(rng, dtype, shape):
    """Weights and the zero point that moving them to int8 makes 0."""
    return numbers(rng, dtype, shape), np.array(128 if dtype == np.uint8 else 0, dtype)


@settings(max_examples=20, deadline=None)
@given(st.data())
def test_conv_integer(data):
    rng = np.random.default_rng(data.draw(st.integers(0, 1000)))
    x_type, w_type = (data.draw(st.sampled_from([np.uint8, np.int8])) for _ in range(2))
    rank, group = data.draw(st.integers(1, 2)), data.draw(st.sampled_from([1, 1, 2]))
    kernel = tuple(data.draw(st.integers(1, 3)) for _ in range(rank))
    dilations = tuple(data.draw(st.integers(1, 2)) for _ in range(rank))
    pads = tuple(data.draw(st.integers(0, 2)) for _ in range(2 * rank))
    size = tuple(data.draw(st.integers(5, 40)) for _ in range(rank))
    operator = ConvInteger(
        strides=tuple(data.draw(st.integers(1, 3)) for _ in range(rank)),
        dilations=dilations,
        pads=pads,
        group=group,
    )
    X = numbers(rng, x_type, (data.draw(st.integers(1, 2)), 3 * group, *size))
    W, w_zero = weights(rng, w_type, (data.draw(st.integers(1, 9)) * group, 3, *kernel))
    inputs = [X, W, numbers(rng, x_type), w_zero]
    check(operator, inputs, target=data.draw(st.sampled_from(RUNNABLE)))


CASES = {
    "one pixel": (QuantizedConv(), (1, 70, 9, 11), (33, 70, 1, 1)),
    "first": (QuantizedConv(strides=(2, 2), pads=(3,) * 4), (1, 3, 37, 39), (16, 3, 7, 7)),
    "usual": (QuantizedConv(pads=(1,) * 4), (2, 16, 14, 14), (40, 16, 3, 3)),
    "row": (QuantizedConv(pads=(1, 1)), (1, 8, 64), (24, 8, 3)),
    "column": (QuantizedConv(pads=(1, 0, 1, 0)), (1, 8, 50, 1), (5, 8, 3, 1)),
    "SAME": (QuantizedConv(auto_pad="SAME_UPPER", strides=(2, 2)), (1, 4, 17, 20), (5, 4, 3, 3)),
    "small": (QuantizedConv(), (1, 2, 3, 3), (1, 2, 3, 3)),
}


@pytest.mark.parametrize("target", RUNNABLE, ids=lambda t: t.name)
@pytest.mark.parametrize("case", CASES)
def test_scaled_and_quantized(target, case):
    operator, x, w = CASES[case]
    rng = np.random.default_rng(0)
    scale = rng.uniform(0.001, 0.02, w[0]).astype(F32)
    W, w_zero = weights(rng, np.int8, w)
    inputs = [numbers(rng, np.uint8, x), W, np.array(3, np.uint8), w_zero, scale]
    check(operator, inputs, target=target)
    extras = [np.array(0.7, F32), np.array(11, F32)]
    one = Link(Quantize("uint8"), (0, 1, 2))
    several = (
        one,
        Link(Dequantize(), (3, 1, 2)),
        Link(Relu(), (4,)),
        Link(one.operator, (5, 1, 2)),
    )
    for links in ((one,), several):
        check(operator, inputs, Chain(3, links), extras, target=target)


@pytest.mark.parametrize("target", RUNNABLE, ids=lambda t: t.name)
@pytest.mark.parametrize("x", [np.uint8, np.int8])
@pytest.mark.parametrize("w", [np.uint8, np.int8])
def test_sums_at_the_ends_of_the_types(target, x, w):
    _, zero = weights(np.random.default_rng(0), w, ())
    for x_end, w_end in ((np.iinfo(x).max, np.iinfo(w).min), (np.iinfo(x).min, np.iinfo(w).min)):
        X, W = np.full((1, 64, 5, 5), x_end, x), np.full((3, 64, 3, 3), w_end, w)
        check(ConvInteger(pads=(1,) * 4), [X, W, np.array(x_end, x), zero], target=target)
        check(ConvInteger(), [X, W, None, zero], target=target)


def test_what_has_no_kernel():
    X, W = np.zeros((1, 2, 5, 5), np.uint8), np.zeros((3, 2, 3, 3), np.uint8)
    zero = np.zeros((), np.uint8)
    for inputs in ([X, W], [X, W, zero, zero], [X, W, zero, np.array([128, 128, 3], np.uint8)]):
        assert choose(make_site(ConvInteger(), inputs, constants=(1, 3))) is None
    assert choose(make_site(ConvInteger(), [X, W.astype(np.int8)])) is None
    cube = np.zeros((1, 2, 5, 5, 5), np.uint8), np.zeros((3, 2, 3, 3, 3), np.int8)
    assert choose(make_site(ConvInteger(), cube, constants=(1,))) is None
    far = make_site(ConvInteger(strides=(5, 5)), [X, W.astype(np.int8)], constants=(1,))
    assert choose(far) is None
