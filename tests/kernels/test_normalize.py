"""Layer, RMS, instance and group normalization, against the definitions."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernel_support import check, make_site, run_site
from suanzi.kernels.normalize import choose
from suanzi.lang import host_target
from suanzi.lang.target import AVX2, PORTABLE
from suanzi.operators.normalization import (
    GroupNormalization,
    InstanceNormalization,
    LayerNormalization,
    RMSNormalization,
)

TARGETS = [host_target(), AVX2, PORTABLE]
RNG = np.random.default_rng(0)


def random(*shape: int) -> np.ndarray:
    return RNG.normal(3, 2, shape).astype(np.float32)


def rows_of(operator, shape, bias=True, **how):
    axis = operator.axis % len(shape)
    others = [random(*shape[axis:])] + ([random(*shape[axis:])] if bias else [])
    return check(choose, operator, [random(*shape), *others], outputs=1, **how)


@settings(max_examples=15, deadline=None)
@given(st.data())
def test_trailing_axes(data):
    shape = data.draw(st.lists(st.sampled_from([1, 3, 16, 77]), min_size=1, max_size=3))
    axis = data.draw(st.integers(-len(shape), len(shape) - 1))
    target = data.draw(st.sampled_from(TARGETS))
    bias = data.draw(st.booleans())
    rows_of(LayerNormalization(axis=axis), shape, bias, target=target)
    rows_of(RMSNormalization(axis=axis, epsilon=0.01), shape, False, target=target)


@pytest.mark.parametrize("target", TARGETS, ids=lambda t: t.name)
@pytest.mark.parametrize("spatial", [(), (5,), (6, 8), (2, 3, 4)])
def test_channels(target, spatial):
    x, scale, bias = random(2, 12, *spatial), random(12), random(12)
    for operator in (InstanceNormalization(), InstanceNormalization(epsilon=0.3)):
        check(choose, operator, [x, scale, bias], target=target)
    for groups in (1, 3, 12):
        operator = GroupNormalization(num_groups=groups)
        check(choose, operator, [x, scale, bias], target=target)


def test_many_are_chunked():
    site = rows_of(LayerNormalization(), (4, 128, 300), threads=2)
    assert choose(site)[0].chunks > 4


def test_a_large_mean_costs_no_accuracy():
    x = random(3, 1000) + 5000
    ones, zeros = np.ones(1000, np.float32), np.zeros(1000, np.float32)
    check(choose, LayerNormalization(), [x, ones, zeros], outputs=1, tolerance=2e-4)


@pytest.mark.parametrize("first", [1e4, -3e6])
def test_a_first_element_far_from_the_others_costs_no_accuracy(first):
    x = random(3, 1000)
    x[1, 0] = first
    ones, zeros = np.ones(1000, np.float32), np.zeros(1000, np.float32)
    check(choose, LayerNormalization(), [x, ones, zeros], outputs=1, tolerance=1e-6)


def test_what_is_declined():
    x, scale = random(2, 3, 4), random(4)
    site = make_site(LayerNormalization(axis=1), [x, scale], outputs=1)
    assert choose(site) is None
    wide = make_site(RMSNormalization(), [x.astype(np.float64), scale.astype(np.float64)])
    assert choose(wide) is None


@pytest.mark.parametrize("target", TARGETS, ids=lambda t: t.name)
@pytest.mark.parametrize("axis", [-1, 1])
def test_mean_and_deviation_too(target, axis):
    arrays = [random(4, 5, 37), random(*(4, 5, 37)[axis:]), random(*(4, 5, 37)[axis:])]
    check(choose, LayerNormalization(axis=axis), arrays, target=target, threads=2)
    site = make_site(LayerNormalization(axis=axis), arrays, target=target)
    site = replace(site, outputs=(site.outputs[0], site.outputs[2]), skipped=(1,))
    Y, inverse = run_site(choose, site, arrays)
    right = site.operator.numpy(*arrays)
    np.testing.assert_allclose(Y, right[0], rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(inverse, right[2], rtol=1e-5)
    site = replace(site, outputs=site.outputs[1:], skipped=(0, 1))
    assert choose(site) is None
