"""Non-maximum suppression: ONNX's cases, and onnxruntime's results."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from suanzi.errors import SuanziError
from suanzi.operators import NonMaxSuppression, TensorType
from support import check, node_cases, onnxruntime_outputs


@pytest.mark.parametrize("case", [*node_cases("NonMaxSuppression")], ids=lambda c: c.id)
def test_backend_case(case):
    case.check()


@settings(max_examples=30, deadline=None)
@given(
    st.integers(0, 1),
    st.integers(0, 40),
    st.integers(0, 9),
    st.sampled_from([0.0, 0.3, 0.7, 1.0]),
    st.sampled_from([None, 0.0, 0.5]),
)
def test_as_onnxruntime(center, count, most, iou, score):
    rng = np.random.default_rng(count)
    boxes = rng.uniform(0, 4, (2, count, 4)).astype(np.float32)
    scores = rng.uniform(0, 1, (2, 3, count)).round(1).astype(np.float32)  # with equal ones
    thresholds = [None if t is None else np.array([t], np.float32) for t in (iou, score)]
    inputs = [boxes, scores, np.array([most]), *thresholds]
    suppress = NonMaxSuppression(center_point_box=center)
    inputs = inputs if score is not None else inputs[:-1]
    check(suppress, inputs, onnxruntime_outputs(suppress, inputs, opset=11))


def test_scores_must_fit_the_boxes():
    boxes, scores = TensorType(np.float32, (1, 5, 4)), TensorType(np.float32, (1, 2, 6))
    with pytest.raises(SuanziError) as error:
        NonMaxSuppression().infer(boxes, scores)
    assert error.value.input == "scores"
