"""The gradients of pooling, in blocks and plain, against the definitions."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernel_support import RUNNABLE, check, make_site, run_site
from suanzi.kernels.pool_gradient import choose
from suanzi.operators.pooling import AveragePool, MaxPool
from suanzi.operators.pooling_gradient import AveragePoolGradient, MaxPoolGradient

RNG = np.random.default_rng(0)


def normal(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape, dtype=np.float32)


def hold(attributes: dict, x: np.ndarray, target, plain: bool, threads: int = 1, **more) -> None:
    V = 0 if plain else target.lanes
    options = {"output_lanes": V, "target": target, "threads": threads}
    dY = normal(*MaxPool(**attributes).numpy(x)[0].shape)
    check(choose, MaxPoolGradient(**attributes), [dY, x], input_lanes=V, **options)
    dY = normal(*AveragePool(**attributes, **more).numpy(x).shape)
    operator = AveragePoolGradient(**attributes, **more, sizes=x.shape[2:])
    check(choose, operator, [dY], input_lanes=V, **options)


@settings(max_examples=20, deadline=None)
@given(
    st.tuples(st.integers(1, 3), st.integers(1, 3)),
    st.tuples(st.integers(1, 3), st.integers(1, 3)),
    st.integers(0, 1),
    st.integers(0, 1),
    st.tuples(st.integers(5, 9), st.integers(5, 12)),
    st.booleans(),
    st.sampled_from(RUNNABLE),
)
def test_any_window(kernel, strides, pad, ceil, sizes, plain, target):
    pads = tuple(min(pad, size - 1) for size in kernel)
    attributes = {
        "kernel_shape": kernel, "strides": strides, "pads": pads * 2, "ceil_mode": ceil,
    }  # fmt: skip
    hold(attributes, normal(2, 19, *sizes), target, plain, count_include_pad=pad)


@pytest.mark.parametrize("target", RUNNABLE, ids=lambda t: t.name)
@pytest.mark.parametrize("plain", [True, False])
def test_other_forms(target, plain):
    dilated = {"kernel_shape": (3, 2), "dilations": (1, 2), "auto_pad": "SAME_UPPER"}
    hold(dilated, normal(1, 5, 7, 8), target, plain)
    hold({"kernel_shape": (3,), "strides": (2,)}, normal(3, 20, 11), target, plain, threads=2)
    wide = {"kernel_shape": (2, 21), "strides": (1, 7), "pads": (0, 9, 1, 5)}
    hold(wide, normal(1, 9, 3, 50), target, plain)


@settings(max_examples=15, deadline=None)
@given(
    st.tuples(*[st.integers(1, 3)] * 3),
    st.tuples(*[st.integers(1, 3)] * 3),
    st.integers(0, 1),
    st.integers(0, 1),
    st.booleans(),
)
def test_three_axes(kernel, strides, pad, ceil, plain):
    pads = tuple(min(pad, size - 1) for size in kernel)
    attributes = {
        "kernel_shape": kernel, "strides": strides, "pads": pads * 2, "ceil_mode": ceil,
    }  # fmt: skip
    x = RNG.integers(0, 9, (2, 17, 5, 6, 7)).astype(np.float32)
    hold(attributes, x, RUNNABLE[0], plain, count_include_pad=pad)


def test_the_first_of_equal_elements_and_the_first_nan_have_it():
    x = RNG.integers(0, 3, (2, 16, 9, 9)).astype(np.float32)
    x[0, 3, 4, 4:6] = np.nan
    operator = MaxPoolGradient(kernel_shape=(3, 3), strides=(2, 2))
    dY = normal(2, 16, 4, 4)
    for lanes in (0, RUNNABLE[0].lanes):
        site = make_site(operator, [dY, x], input_lanes=lanes, output_lanes=lanes)
        (dX,) = run_site(choose, site, [dY, x])
        np.testing.assert_allclose(dX, operator.numpy(dY, x), rtol=1e-5, atol=1e-6)


def test_what_is_declined():
    x = normal(1, 2, 3, 4, 5, 1)
    operator = MaxPoolGradient(kernel_shape=(2, 2, 2, 1))
    assert choose(make_site(operator, [normal(1, 2, 2, 3, 4, 1), x])) is None
    operator = AveragePoolGradient(kernel_shape=(2,), sizes=(5,))
    assert choose(make_site(operator, [normal(1, 2, 4).astype(np.float64)])) is None
