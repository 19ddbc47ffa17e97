"""Normalization: ONNX's cases, onnxruntime's results, and what infer refuses."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from suanzi.errors import SuanziError
from suanzi.operators._operator import TensorType
from suanzi.operators.normalization import (
    LRN,
    BatchNormalization,
    GroupNormalization,
    InstanceNormalization,
    LayerNormalization,
    RMSNormalization,
)
from support import check, node_cases, onnxruntime_outputs

NAMES = (
    "BatchNormalization",
    "LayerNormalization",
    "InstanceNormalization",
    "GroupNormalization",
    "LRN",
    "RMSNormalization",
)


@pytest.mark.parametrize("case", [c for n in NAMES for c in node_cases(n)], ids=lambda c: c.id)
def test_backend_case(case):
    case.check()


def data(*shapes):
    rng = np.random.default_rng(0)
    return [rng.uniform(0.5, 2, shape).astype(np.float32) for shape in shapes]


sizes = st.lists(st.integers(1, 6), max_size=3)


@settings(max_examples=10, deadline=None)
@given(sizes)
def test_batch_normalization_as_onnxruntime(sizes):
    inputs = data((2, 3, *sizes), *[(3,)] * 4)
    normalization = BatchNormalization(epsilon=0.01)
    check(normalization, inputs, onnxruntime_outputs(normalization, inputs), 1e-4, 1e-5)


def test_batch_normalization_in_training():
    X, scale, B, mean, var = data((4, 3, 5), *[(3,)] * 4)
    Y, running_mean, running_var = BatchNormalization(training_mode=1).numpy(X, scale, B, mean, var)
    np.testing.assert_allclose(Y.mean((0, 2)), B, rtol=1e-4)
    np.testing.assert_allclose(running_mean, 0.9 * mean + 0.1 * X.mean((0, 2)), rtol=1e-5)
    np.testing.assert_allclose(running_var, 0.9 * var + 0.1 * X.var((0, 2)), rtol=1e-5)


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(2, 6), min_size=1, max_size=3), st.integers(1, 3), st.booleans())
def test_by_instance_and_group_as_onnxruntime(sizes, groups, by_group):
    normalization = GroupNormalization(num_groups=groups) if by_group else InstanceNormalization()
    inputs = data((2, 6, *sizes), (6,), (6,))
    check(normalization, inputs, onnxruntime_outputs(normalization, inputs), 1e-4, 1e-4)


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(2, 6), min_size=2, max_size=4), st.integers(-2, 1), st.booleans())
def test_over_trailing_axes_as_onnxruntime(sizes, axis, bias):
    X, scale, B = data(sizes, sizes[axis:], sizes[axis:])
    layer = LayerNormalization(axis=axis, epsilon=0.01)
    inputs = [X, scale, B] if bias else [X, scale]
    check(layer, inputs, onnxruntime_outputs(layer, inputs, outputs=3), 1e-4, 1e-4)
    rms = RMSNormalization(axis=axis)
    check(rms, [X, scale], onnxruntime_outputs(rms, [X, scale], opset=23), 1e-4, 1e-5)


@pytest.mark.parametrize("size", [1, 3, 5])  # onnxruntime takes odd sizes alone
def test_lrn_as_onnxruntime(size):
    lrn = LRN(size=size, alpha=0.5, beta=0.6, bias=1.5)
    inputs = data((2, 6, 3, 3))
    check(lrn, inputs, onnxruntime_outputs(lrn, inputs))


def test_lrn_over_more_channels_than_there_are():
    (X,) = data((1, 3, 2))
    expected = X / (1 + 2.0 / 10**12 * (X * X).sum(1, keepdims=True)) ** 0.75
    check(LRN(size=10**12, alpha=2.0), [X], [expected])


def test_half_precision_is_computed_in_float32():
    X = np.array([[300, 100, -200, 400]], np.float16)  # the squares overflow float16
    Y, mean, _ = LayerNormalization().numpy(X, np.ones(4, np.float16))
    assert Y.dtype == np.float16
    assert mean.dtype == np.float32
    expected, _, _ = LayerNormalization().numpy(X.astype(np.float32), np.ones(4, np.float32))
    np.testing.assert_array_equal(Y, expected.astype(np.float16))


@pytest.mark.parametrize(
    ("operator", "shapes", "input"),
    [
        (BatchNormalization(), [(2, 3, 4), (3,), (4,), (3,), (3,)], "B"),
        (BatchNormalization(), [(2, 3, 4), (3,), (3,), (3,), (3, 1)], "input_var"),
        (BatchNormalization(), [(2,), (3,), (3,), (3,), (3,)], "X"),
        (InstanceNormalization(), [(2, 3, 4), (4,), (3,)], "scale"),
        (GroupNormalization(num_groups=2), [(2, 3, 4), (3,), (3,)], "X"),
        (GroupNormalization(num_groups=0), [(2, 3, 4), (3,), (3,)], None),
        (LayerNormalization(), [(2, 3), (2,)], "Scale"),
        (LayerNormalization(), [(2, 3), (3,), (1, 2, 3)], "B"),
        (LayerNormalization(axis=2), [(2, 3), (3,)], "axis"),
        (RMSNormalization(), [(2, 3), (2,)], "scale"),
        (LRN(size=0), [(2, 3)], None),
    ],
)
def test_what_does_not_fit_is_named(operator, shapes, input):
    with pytest.raises(SuanziError) as error:
        operator.infer(*(TensorType(np.float32, s) for s in shapes))
    assert error.value.input == input


def test_symbols_stay():
    X, C = TensorType(np.float32, ("N", 3, "T")), TensorType(np.float32, (3,))
    assert BatchNormalization().infer(X, C, C, C, C).shape == ("N", 3, "T")
    _, mean, _ = LayerNormalization(axis=1).infer(X, TensorType(np.float32, ("T",)))
    assert mean.shape == ("N", 1, 1)
