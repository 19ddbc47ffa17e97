"""Regions of interest: ONNX's cases, and onnxruntime's results."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from suanzi.errors import SuanziError
from suanzi.operators import MaxRoiPool, RoiAlign
from support import check, node_cases, onnxruntime_outputs


@pytest.mark.parametrize("case", [*node_cases("RoiAlign")], ids=lambda c: c.id)
def test_backend_case(case):
    case.check()


def regions(count, seed):
    """A batch of two pictures, regions in, about and outside of them, and whose they are."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((2, 3, 9, 11)).astype(np.float32)
    corners = rng.uniform(-3, 12, (count, 2))
    rois = np.concatenate([corners, corners + rng.uniform(0.1, 9, (count, 2))], 1)
    return X, rois.astype(np.float32), rng.integers(0, 2, count)


@settings(max_examples=30, deadline=None)
@given(
    st.builds(
        RoiAlign,
        coordinate_transformation_mode=st.sampled_from(["half_pixel", "output_half_pixel"]),
        mode=st.just("avg"),
        output_height=st.integers(1, 3),
        output_width=st.integers(1, 3),
        sampling_ratio=st.integers(0, 3),
        spatial_scale=st.sampled_from([1.0, 0.5]),
    ),
    st.integers(0, 9),
)
def test_roi_align_as_onnxruntime(align, seed):
    inputs = regions(5, seed)
    check(align, inputs, onnxruntime_outputs(align, inputs, opset=16), rtol=1e-4, atol=1e-5)


@settings(max_examples=30, deadline=None)
@given(
    st.builds(
        MaxRoiPool,
        pooled_shape=st.tuples(st.integers(1, 4), st.integers(1, 4)),
        spatial_scale=st.sampled_from([1.0, 0.5]),
    ),
    st.integers(0, 9),
)
def test_max_roi_pool_as_onnxruntime(pool, seed):
    X, rois, batch = regions(5, seed)
    rois = np.concatenate([batch[:, None], rois], 1).astype(np.float32)
    check(pool, [X, rois], onnxruntime_outputs(pool, [X, rois], opset=21))


def test_a_region_without_an_inside_is_0():
    X = np.ones((1, 1, 4, 4), np.float32)
    rois = np.array([[2, 2, 2, 2], [3, 3, 1, 1]], np.float32)
    align = RoiAlign(output_width=2)
    check(align, [X, rois, np.array([0, 0])], [np.zeros((2, 1, 1, 2), np.float32)])


@pytest.mark.parametrize("batch", [-1, 1])
def test_a_picture_that_there_is_not(batch):
    X, rois = np.ones((1, 1, 4, 4), np.float32), np.array([[0, 0, 2, 2]], np.float32)
    with pytest.raises(SuanziError, match="no such picture"):
        RoiAlign().numpy(X, rois, np.array([batch]))
    rois = np.array([[batch, 0, 0, 2, 2]], np.float32)
    with pytest.raises(SuanziError, match="no such picture"):
        MaxRoiPool(pooled_shape=(1, 1)).numpy(X, rois)
