"""Numbers to 8 bits and back, alone and in chains, held bit for bit to the definitions."""

import numpy as np
import pytest

from kernel_support import RUNNABLE, make_site, run_site
from suanzi.graph.fused import Chain, Link
from suanzi.graph.quantized import Dequantize, Quantize
from suanzi.kernels import dynamic_quantize
from suanzi.kernels.elementwise import choose
from suanzi.operators.activation import Relu
from suanzi.operators.arithmetic import Add
from suanzi.operators.quantization import (
    DequantizeLinear,
    DynamicQuantizeLinear,
    QuantizeLinear,
)

F32 = np.float32
targets = pytest.mark.parametrize("target", RUNNABLE, ids=lambda t: t.name)
types = pytest.mark.parametrize("dtype", [np.uint8, np.int8])

HARD = np.array([0, -0.0, 1e30, -1e30, np.inf, -np.inf, np.nan, 1e-40, 2.0**24, -(2.0**31)], F32)


def samples(shape):
    """Halves, which round to even, values all over the range and beyond it, and hard ones."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal(shape) * rng.choice([1, 50, 400], shape)
    x = np.where(rng.random(shape) < 0.3, np.rint(x) + 0.5, x).astype(F32)
    x.ravel()[: HARD.size] = HARD
    return x


def numbers(dtype, shape=()):
    limits = np.iinfo(dtype)
    return np.random.default_rng(1).integers(limits.min, limits.max + 1, shape).astype(dtype)


def run(operator, inputs, target, **described):
    site = make_site(operator, inputs, target=target, threads=2, **described)
    found = run_site(choose, site, inputs)
    assert found is not None
    return found[0]


@targets
@types
@pytest.mark.parametrize("shape", [(5, 7), (3, 4, 50)])
@pytest.mark.parametrize("axis", [None, 0, 1])
def test_as_the_operators(target, dtype, shape, axis):
    rng = np.random.default_rng(2)
    one = () if axis is None else (shape[axis],)
    scale, zero = rng.uniform(0.3, 3, one).astype(F32), numbers(dtype, one)
    columns = () if axis is None else (-1, *(1,) * (len(shape) - axis - 1))
    spread = [scale.reshape(columns), zero.astype(F32).reshape(columns)]
    x = samples(shape)
    axes = {} if axis is None else {"axis": axis}
    q = QuantizeLinear(**axes).numpy(x, scale, zero)
    found = run(Quantize(np.dtype(dtype).name), [x, *spread], target)
    assert found.dtype == dtype
    np.testing.assert_array_equal(found, q)
    expected = DequantizeLinear(**axes).numpy(q, scale, zero)
    np.testing.assert_array_equal(run(Dequantize(), [q, *spread], target), expected)


@targets
@types
def test_chains_of_8_bits(target, dtype):
    """y = quantize(relu(dequantize(a) + dequantize(b)))"""
    name, shape = np.dtype(dtype).name, (3, 4, 33)
    links = (
        Link(Dequantize(), (0, 2, 3)),
        Link(Dequantize(), (1, 4, 3)),
        Link(Add(), (5, 6)),
        Link(Relu(), (7,)),
        Link(Quantize(name), (8, 2, 3)),
    )
    chain = Chain(5, links)
    # Powers of two, so that no product is rounded, by itself or before it is added.
    scales = [np.array(0.5, F32), np.array(-7, F32), np.array(0.25, F32)]
    inputs = [numbers(dtype, shape), numbers(dtype, shape[1:])[::-1], *scales]
    np.testing.assert_array_equal(run(chain, inputs, target), chain.numpy(*inputs))


def test_what_has_no_kernel():
    q, one = numbers(np.uint8, (4, 16)), np.array(1, F32)
    blocked = make_site(Dequantize(), [q, one, one], input_lanes=(16, 0, 0), output_lanes=16)
    added = make_site(Add(), [q, q])
    both = Chain(3, (Link(Dequantize(), (0, 1, 2)), Link(Add(), (0, 3))))
    assert [choose(site) for site in (blocked, added)] == [None, None]
    site = make_site(both, [one.reshape(1, 1), one, one])
    wrong = type(site)(
        both, (make_site(Add(), [q, q]).inputs[0], *site.inputs[1:]), site.outputs, site.target
    )
    assert choose(wrong) is None


@targets
@pytest.mark.parametrize("shape", [(1,), (5, 7), (3, 4, 50)])
@pytest.mark.parametrize("move", [-1000, 0, 1000])
def test_dynamic(target, shape, move):
    x = np.random.default_rng(3).standard_normal(shape).astype(F32) * 100 + F32(move)
    for value in (x, 0 * x):
        site = make_site(DynamicQuantizeLinear(), [value], target=target, threads=2)
        found = run_site(dynamic_quantize.choose, site, [value])
        for mine, right in zip(found, DynamicQuantizeLinear().numpy(value), strict=True):
            np.testing.assert_array_equal(mine, right)
