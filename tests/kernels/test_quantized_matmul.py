"""Products of 8-bit integers, held bit for bit to their definitions."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernel_support import RUNNABLE, make_site, run_site
from suanzi.graph.fused import Chain, Fused, Link
from suanzi.graph.quantized import Dequantize, Quantize, QuantizedMatMul
from suanzi.kernels.quantized_matmul import choose
from suanzi.operators.activation import Relu
from suanzi.operators.quantization import MatMulInteger

TYPES = [np.uint8, np.int8]


def numbers(rng, dtype, shape):
    """Any values of the type, its ends often."""
    limits = np.iinfo(dtype)
    x = rng.integers(limits.min, limits.max + 1, shape)
    return np.where(rng.random(shape) < 0.2, rng.choice([limits.min, limits.max], shape), x).astype(
        dtype
    )


def check(operator, inputs, chain=None, extras=(), **described):
    """The kernel's result, all bits of it, is the definition's."""
    site = make_site(operator, inputs, chain=chain, extras=extras, **described)
    found = run_site(choose, site, [*inputs, *extras])
    assert found is not None
    meaning = operator if chain is None else Fused(operator, len(inputs), chain)
    (expected,) = meaning.numpy_all([*inputs, *extras])
    assert found[0].dtype == expected.dtype
    np.testing.assert_array_equal(found[0], expected)


@settings(max_examples=20, deadline=None)
@given(
    st.sampled_from(TYPES),
    st.sampled_from(TYPES),
    st.tuples(st.integers(1, 20), st.integers(1, 40), st.integers(1, 70)),
    st.booleans(),
    st.sampled_from(["none", "one", "columns"]),
    st.sampled_from(RUNNABLE),
    st.integers(0, 1000),
)
def test_matmul_integer(a, b, sizes, constant, zeros, target, seed):
    rng = np.random.default_rng(seed)
    M, K, N = sizes
    A, B = numbers(rng, a, (M, K)), numbers(rng, b, (K, N))
    inputs = [A, B]
    if zeros != "none":
        columns = (N,) if zeros == "columns" and constant else ()
        inputs += [numbers(rng, a, ()), numbers(rng, b, columns)]
    check(MatMulInteger(), inputs, constants=(1, 3) if constant else (), target=target)


@pytest.mark.parametrize("target", RUNNABLE, ids=lambda t: t.name)
@pytest.mark.parametrize(
    ("a", "b"),
    [
        ((5,), (5, 30)),
        ((3, 5), (5,)),
        ((2, 3, 7, 9), (2, 3, 9, 20)),
        ((2, 1, 7, 9), (3, 9, 20)),
        ((2, 3, 7, 9), (9, 20)),
        ((100, 1024), (1024, 33)),
    ],
)
def test_shapes(target, a, b):
    rng = np.random.default_rng(0)
    A, B = numbers(rng, np.uint8, a), numbers(rng, np.uint8, b)
    for constants in ((), (1, 2, 3)):
        inputs = [A, B, np.uint8(200), np.uint8(3)]
        inputs[2:] = map(np.asarray, inputs[2:])
        check(MatMulInteger(), inputs, constants=constants, target=target, threads=2)


@pytest.mark.parametrize("target", RUNNABLE, ids=lambda t: t.name)
@pytest.mark.parametrize("a", TYPES)
@pytest.mark.parametrize("b", TYPES)
def test_sums_at_the_ends_of_the_types(target, a, b):
    """Pairs of such products overflow 16 bits, which some processors' instructions stop at."""
    for low in (True, False):
        A = np.full((3, 64), np.iinfo(a).max, a)
        B = np.full((64, 20), np.iinfo(b).min if low else np.iinfo(b).max, b)
        check(MatMulInteger(), [A, B], constants=(1,), target=target)
        check(MatMulInteger(), [A, B], target=target)


@pytest.mark.parametrize("target", RUNNABLE, ids=lambda t: t.name)
@pytest.mark.parametrize("dtype", TYPES)
def test_scaled_and_quantized(target, dtype):
    rng = np.random.default_rng(1)
    A, B = numbers(rng, np.uint8, (13, 50)), numbers(rng, np.int8, (50, 37))
    scale = rng.uniform(0.001, 0.02, 37).astype(np.float32)
    inputs = [A, B, np.array(120, np.uint8), np.zeros(37, np.int8), scale]
    check(QuantizedMatMul(), inputs, constants=(1, 2, 3, 4), target=target)
    chain = Chain(3, (Link(Quantize(np.dtype(dtype).name), (0, 1, 2)),))
    extras = [np.array(0.7, np.float32), np.array(11, np.float32)]
    described = {"chain": chain, "extras": extras, "target": target}
    check(QuantizedMatMul(), inputs, constants=(1, 2, 3, 4), **described)
    inputs[4] = scale[0]
    check(QuantizedMatMul(), [np.asarray(x) for x in inputs], constants=(1, 2, 3, 4), **described)


LINKS = (
    Link(Quantize("uint8"), (0, 1, 2)),
    Link(Dequantize(), (3, 1, 2)),
    Link(Relu(), (4,)),
    Link(Quantize("int8"), (5, 1, 2)),
)
"""An epilogue that is long enough to be a machine loop."""


@pytest.mark.parametrize("target", RUNNABLE, ids=lambda t: t.name)
@pytest.mark.parametrize("M", [1, 29])
def test_long_epilogue(target, M):
    rng = np.random.default_rng(2)
    A, B = numbers(rng, np.int8, (M, 300)), numbers(rng, np.uint8, (300, 37))
    inputs = [A, B, np.array(-20, np.int8), np.array(7, np.uint8), np.array(0.01, np.float32)]
    extras = [np.array(0.7, np.float32), np.array(11, np.float32)]
    for constants in ((1, 2, 3, 4), (2, 3, 4)):
        described = {"constants": constants, "target": target}
        check(QuantizedMatMul(), inputs, Chain(3, LINKS), extras, **described)


def test_what_has_no_kernel():
    A, B = np.zeros((2, 3), np.uint8), np.zeros((3, 4), np.int8)
    rows = make_site(MatMulInteger(), [A, B, np.zeros(2, np.uint8)])
    columns = make_site(MatMulInteger(), [A, B, None, np.zeros(4, np.int8)])
    empty = make_site(MatMulInteger(), [A[:, :0], B[:0]])
    assert [choose(site) for site in (rows, columns, empty)] == [None] * 3
