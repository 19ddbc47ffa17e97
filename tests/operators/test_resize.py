"""Resize: ONNX's cases, onnxruntime's results, and what infer refuses."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from suanzi.errors import SuanziError
from suanzi.operators._operator import TensorType
from suanzi.operators.resize import CHOICES, Resize
from support import check, node_cases, onnxruntime_outputs


@pytest.mark.parametrize("case", node_cases("Resize"), ids=lambda c: c.id)
def test_backend_case(case):
    case.check()


def resized(resize, sizes, output, by_scales):
    X = np.random.default_rng(0).standard_normal((1, 2, *sizes)).astype(np.float32)
    inputs = [X, None, None, np.array([1, 2, *output])]
    if by_scales:
        scales = np.array(output, np.float32) / np.array(sizes, np.float32)
        inputs = [X, None, np.array([1, 1, *scales], np.float32)]
    check(resize, inputs, onnxruntime_outputs(resize, inputs), 1e-4, 1e-4)


pairs = st.tuples(st.integers(2, 6), st.integers(2, 6))
larger_pairs = st.tuples(st.integers(2, 9), st.integers(2, 9))
coordinates = st.sampled_from(CHOICES["coordinate_transformation_mode"][:-1])


@settings(max_examples=60, deadline=None)
@given(
    st.builds(
        Resize,
        nearest_mode=st.sampled_from(CHOICES["nearest_mode"]),
        coordinate_transformation_mode=coordinates,
    ),
    pairs,
    larger_pairs,
    st.booleans(),
)
def test_nearest_as_onnxruntime(resize, sizes, output, by_scales):
    # Its offset, 0 where the size is whole, comes out as ±1e-8 there: enough to turn a tie.
    assume(resize.coordinate_transformation_mode != "half_pixel_symmetric")
    resized(resize, sizes, output, by_scales)


@settings(max_examples=60, deadline=None)
@given(
    st.builds(
        Resize,
        mode=st.sampled_from(["linear", "cubic"]),
        coordinate_transformation_mode=coordinates,
        cubic_coeff_a=st.sampled_from([-0.75, -0.5]),
    ),
    pairs,
    larger_pairs,
    st.booleans(),
)
def test_interpolation_as_onnxruntime(resize, sizes, output, by_scales):
    resized(resize, sizes, output, by_scales)


@settings(max_examples=60, deadline=None)
@given(
    st.builds(
        Resize,
        mode=st.sampled_from(["linear", "cubic"]),
        antialias=st.just(1),
        exclude_outside=st.integers(0, 1),
    ),
    larger_pairs,
    pairs,
)
def test_antialiased_as_onnxruntime(resize, sizes, output):
    resized(resize, sizes, output, by_scales=False)


def test_a_tiny_scale_leaves_nothing():
    resize = Resize(mode="linear", antialias=1)
    inputs = [np.ones((2, 5), np.float32), None, np.array([1, 1e-12], np.float32)]
    check(resize, inputs, [np.ones((2, 0), np.float32)])


def test_any_rank_and_element_type():
    linear = Resize(mode="linear", axes=(0,))
    X = np.array([0, 10, 250], np.uint8)
    Y = linear.numpy(X, None, np.array([2], np.float32))  # as onnxruntime: cut off, not rounded
    check(linear, [X, None, np.array([2], np.float32)], [Y])
    np.testing.assert_array_equal(Y, [0, 2, 7, 70, 190, 250])
    X = np.random.default_rng(0).standard_normal((2, 3, 2, 3, 2, 3)).astype(np.float32)
    sizes = np.array([4, 5])
    made = Resize(mode="cubic", axes=(1, -1)).numpy(X, None, None, sizes)
    last = Resize(mode="cubic", axes=(5,)).numpy(X, None, None, sizes[1:])
    np.testing.assert_allclose(made.shape, (2, 4, 2, 3, 2, 5))
    both = Resize(mode="cubic", axes=(1,)).numpy(last, None, None, sizes[:1])
    np.testing.assert_allclose(made, both, rtol=1e-5, atol=1e-6)


def test_symbols_stay_where_sizes_do():
    X = TensorType(np.float32, ("N", 3, "H", 20))
    scales = TensorType.of(np.array([1, 1, 2, 2], np.float32))
    empty = TensorType.of(np.array([], np.float32))
    assert Resize().infer(X, empty, scales).shape == ("N", 3, None, 40)
    assert Resize().infer(X, None, TensorType(np.float32, (4,))).shape == (None,) * 4
    sizes = TensorType.of(np.array([7, 8]))
    assert Resize(axes=(2, 3)).infer(X, None, empty, sizes).shape == ("N", 3, 7, 8)
    larger = Resize(axes=(2, 3), keep_aspect_ratio_policy="not_larger")
    assert larger.infer(X, None, None, sizes).shape == ("N", 3, None, None)


@pytest.mark.parametrize(
    ("resize", "scales", "sizes", "input"),
    [
        (Resize(), None, None, "scales"),
        (Resize(), [1.0, 2.0], [2, 4], "scales"),
        (Resize(), [1.0], None, "scales"),
        (Resize(), [1.0, 0.0], None, "scales"),
        (Resize(), None, [1, -2], "sizes"),
        (Resize(axes=(2,)), None, [2], "axes"),
        (Resize(mode="bilinear"), None, [2, 4], None),
        (Resize(coordinate_transformation_mode="tf_crop_and_resize"), None, [2, 4], "roi"),
    ],
)
def test_what_does_not_fit_is_named(resize, scales, sizes, input):
    X = TensorType(np.float32, (2, 3))
    scales = scales and TensorType.of(np.array(scales, np.float32))
    sizes = sizes and TensorType.of(np.array(sizes))
    with pytest.raises(SuanziError) as error:
        resize.infer(X, None, scales, sizes)
    assert error.value.input == input
