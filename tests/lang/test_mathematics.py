"""The functions' errors, in units in the last place against float64, over all of float32."""

import ctypes
import math

import numpy as np
import pytest

from suanzi.lang import Trace, host_target, trace
from suanzi.lang.mathematics import VectorMathematics
from suanzi.lang.target import AVX2, PORTABLE
from suanzi.runtime.machine import compile_object, load

TARGETS = pytest.mark.parametrize(
    "target", [host_target(), AVX2, PORTABLE], ids=["host", "avx2", "portable"]
)
SPECIAL = [0.0, -0.0, np.inf, -np.inf, np.nan, 1, -1, 1e-45, -1e-45, 2.0**-126, 3.4e38, -3.4e38]
SPECIAL += [88.72283, 88.7229, -87.33655, -103.97, -103.98, -104.1, 9.01, 9.03, 3.92, 3.93]


def apply(name, target, *operands):
    """The function of the vectors, whose length is a multiple of 16."""

    def body(k: Trace) -> None:
        for i in k.range(k.sizes[0]):
            values = [k.tensor(j + 1, 1).vec(i * k.lanes) for j in range(len(operands))]
            k.tensor(0, 1).put(getattr(VectorMathematics(k), name)(*values), i * k.lanes)

    text = trace("f", target, 1 + len(operands), 1, body)
    code = load({"f": compile_object(text, target)})
    out = np.empty_like(operands[0])
    words = [out.ctypes.data, *(x.ctypes.data for x in operands), out.size // target.lanes]
    table = np.array(words, np.int64)
    function = ctypes.CFUNCTYPE(None, ctypes.c_void_p, *[ctypes.c_int64] * 3)(code["f"])
    function(table.ctypes.data, 0, 1, 0)
    return out


def errors(got, right):
    """The distance to the float64 numbers in units in the last place of float32."""
    with np.errstate(all="ignore"):
        rounded = right.astype(np.float32)
        exponent = np.maximum(np.floor(np.log2(np.abs(right))), -126)
        distance = np.abs(got - right) / np.exp2(exponent - 23)
    distance[np.isnan(distance)] = np.inf
    same = (got == rounded) | (np.isnan(got) & np.isnan(rounded))
    return np.where(same, np.minimum(distance, 0.5), distance)


def sweep() -> np.ndarray:
    """Numbers of every size and sign, subnormal, infinite and NaN, and many of common size."""
    bits = np.arange(-(1 << 31), 1 << 31, 5003).astype(np.int32)
    x = np.concatenate([SPECIAL, np.linspace(-12, 12, 200_000)]).astype(np.float32)
    x = np.concatenate([x, bits.view(np.float32)])
    return np.resize(x, -(-x.size // 16) * 16)


def sigmoid(x):
    e = np.exp(-np.abs(x))
    return np.where(x < 0, e, 1) / (1 + e)


BOUNDS = {
    "exp": (np.exp, 1.04),
    "exp_below_zero": (np.exp, 1.04),
    "log": (np.log, 0.81),
    "tanh": (np.tanh, 2.5),
    "sigmoid": (sigmoid, 2.3),
    "erf": (np.vectorize(math.erf, otypes=[np.float64]), 2.2),
}


@TARGETS
@pytest.mark.parametrize("name", BOUNDS)
def test_functions_of_one(name, target):
    function, bound = BOUNDS[name]
    x = sweep()
    if name == "exp_below_zero":
        x = -np.abs(x)
    with np.errstate(all="ignore"):
        right = function(x.astype(np.float64))
    error = errors(apply(name, target, x), right)
    worst = int(error.argmax())
    assert error[worst] <= bound, f"{name}({x[worst]!r})"


@TARGETS
def test_odd_functions_keep_the_sign_of_zero(target):
    x = np.resize(np.array([0.0, -0.0], np.float32), 16)
    for name in ("tanh", "erf"):
        assert (np.signbit(apply(name, target, x)) == np.signbit(x)).all()


@TARGETS
def test_pow_of_special_values(target):
    values = [0, 1, 2, 0.5, 3, 1e30, 1e-40, 2**24 + 2, 2**23 + 1, 1 + 2**-23, 1 - 2**-24]
    values = np.array([*values, *(-np.array(values)), -0.0, np.inf, -np.inf, np.nan], np.float32)
    x, y = (v.ravel() for v in np.meshgrid(values, values))
    x, y = np.resize(x, 640), np.resize(y, 640)
    got = apply("pow", target, x, y)
    with np.errstate(all="ignore"):
        right = np.power(x.astype(np.float64), y.astype(np.float64))
    assert errors(got, right).max() <= 2
    numbers = ~np.isnan(right)
    assert (np.signbit(got) == np.signbit(right))[numbers].all()


@TARGETS
def test_pow(target):
    rng, n = np.random.default_rng(0), 1 << 18
    x = np.exp(rng.uniform(-80, 80, n)).astype(np.float32)
    x[: n // 2] = np.exp(rng.uniform(-0.5, 0.5, n // 2))
    y = rng.uniform(-3, 3, n).astype(np.float32)
    y[: n // 2] = rng.uniform(-300, 300, n // 2)
    with np.errstate(all="ignore"):
        right = np.power(x.astype(np.float64), y.astype(np.float64))
    error = errors(apply("pow", target, x, y), right)
    assert error.max() <= 6.5
    common = np.abs(np.log2(right)) < 20
    assert error[common].max() <= 2


@TARGETS
def test_rounding(target):
    x = np.array([-2.5, -1.5, -0.5, -0.2, 0.5, 1.5, 2.5, 7e9, np.inf, -np.inf, np.nan], np.float32)
    x = np.resize(x, 16)
    for name, function in {"floor": np.floor, "ceil": np.ceil, "round": np.rint}.items():
        np.testing.assert_array_equal(apply(name, target, x), function(x))


@TARGETS
def test_extremes_of_nan(target):
    x = np.resize(np.array([np.nan, 1, np.nan, 2], np.float32), 16)
    y = np.resize(np.array([1, np.nan, np.nan, 3], np.float32), 16)
    for name, function in {"maximum": np.maximum, "minimum": np.minimum}.items():
        np.testing.assert_array_equal(apply(name, target, x, y), function(x, y))
