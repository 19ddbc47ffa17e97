"""Windows over a frame, and the mel scale: ONNX's cases, onnxruntime's results."""

import numpy as np
import pytest

from suanzi.operators import (
    BlackmanWindow,
    HammingWindow,
    HannWindow,
    MelWeightMatrix,
    TensorType,
)
from support import check, node_cases, onnxruntime_outputs


@pytest.mark.parametrize(
    "case",
    [
        *node_cases("HannWindow"),
        *node_cases("HammingWindow"),
        *node_cases("BlackmanWindow"),
        *node_cases("MelWeightMatrix"),
    ],
    ids=lambda c: c.id,
)
def test_backend_case(case):
    case.check()


@pytest.mark.parametrize("window", [HannWindow, HammingWindow, BlackmanWindow])
@pytest.mark.parametrize("periodic", [0, 1])
def test_window_as_onnxruntime(window, periodic):
    made, size = window(periodic=periodic, output_datatype=11), np.array(9)
    check(made, [size], onnxruntime_outputs(made, [size]), atol=1e-6)
    assert window().infer(TensorType(np.int64, ())).shape == (None,)


@pytest.mark.parametrize("size", [0, 1])
def test_small_windows_are_numbers(size):
    for periodic in (0, 1):
        Y = HannWindow(periodic=periodic).numpy(np.array(size))
        check(HannWindow(periodic=periodic), [np.array(size)], [np.zeros(size, np.float32)])
        assert np.isfinite(Y).all()


@pytest.mark.parametrize("bands", [1, 8, 40])
@pytest.mark.parametrize("length", [16, 25, 64])
def test_mel_weights_as_onnxruntime(bands, length):
    edges = [np.array(f, np.float32) for f in (20, 3500)]
    inputs = [np.array(bands), np.array(length), np.array(8000), *edges]
    check(MelWeightMatrix(), inputs, onnxruntime_outputs(MelWeightMatrix(), inputs))
