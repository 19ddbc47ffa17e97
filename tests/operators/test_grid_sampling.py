"""Grids and reading at them: ONNX's cases, onnxruntime's and PyTorch's results."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from suanzi.errors import SuanziError
from suanzi.operators import AffineGrid, GridSample, TensorType
from support import check, node_cases, onnxruntime_outputs


@pytest.mark.parametrize(
    "case", [*node_cases("AffineGrid"), *node_cases("GridSample")], ids=lambda c: c.id
)
def test_backend_case(case):
    case.check()


@settings(max_examples=40, deadline=None)
@given(
    st.builds(
        GridSample,
        mode=st.sampled_from(["nearest", "linear", "cubic"]),
        padding_mode=st.sampled_from(["zeros", "border", "reflection"]),
        align_corners=st.integers(0, 1),
    ),
    st.tuples(*[st.integers(2, 5)] * 2),
    st.floats(0.5, 2.5),
)
def test_grid_sample_as_pytorch(sample, sizes, reach):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(sizes[0])
    X = rng.standard_normal((2, 3, *sizes)).astype(np.float32)
    grid = rng.uniform(-reach, reach, (2, 3, 4, 2)).astype(np.float32)
    names = {"linear": "bilinear", "cubic": "bicubic"}
    expected = torch.nn.functional.grid_sample(
        torch.from_numpy(X),
        torch.from_numpy(grid),
        names.get(sample.mode, sample.mode),
        sample.padding_mode,
        bool(sample.align_corners),
    )
    check(sample, [X, grid], [expected.numpy()], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("mode", ["nearest", "linear"])
@pytest.mark.parametrize("padding_mode", ["zeros", "border", "reflection"])
def test_grid_sample_in_space_as_onnxruntime(mode, padding_mode):
    sample = GridSample(mode=mode, padding_mode=padding_mode, align_corners=1)
    rng = np.random.default_rng(0)
    X = rng.standard_normal((2, 3, 3, 4, 5)).astype(np.float32)
    grid = rng.uniform(-1.5, 1.5, (2, 2, 3, 4, 3)).astype(np.float32)
    check(sample, [X, grid], onnxruntime_outputs(sample, [X, grid], opset=22), atol=1e-5)


@pytest.mark.parametrize("align_corners", [0, 1])
@pytest.mark.parametrize("size", [(2, 3, 4, 5), (2, 1, 2, 3), (2, 3, 2, 3, 4)])
def test_affine_grid_as_pytorch(align_corners, size):
    torch = pytest.importorskip("torch")
    n = len(size) - 2
    theta = np.random.default_rng(0).standard_normal((2, n, n + 1)).astype(np.float32)
    expected = torch.nn.functional.affine_grid(torch.from_numpy(theta), size, bool(align_corners))
    check(AffineGrid(align_corners=align_corners), [theta, np.array(size)], [expected.numpy()])


def test_a_lone_element_aligned_at_its_corners_lies_in_the_middle():
    grid = AffineGrid(align_corners=1).numpy(np.eye(2, 3)[None], np.array([1, 1, 1, 3]))
    np.testing.assert_array_equal(grid[0, 0], [[-1, 0], [0, 0], [1, 0]])


def test_what_is_not_a_number_reads_some_element():
    grid = np.array([[[[np.nan, np.inf], [-np.inf, np.nan]]]], np.float32)
    X = np.arange(1, 7, dtype=np.float32).reshape(1, 1, 2, 3)
    for padding_mode in ("zeros", "border", "reflection"):
        Y = GridSample(mode="nearest", padding_mode=padding_mode).numpy(X, grid)
        assert set(Y.reshape(-1)) <= set(range(7))


def test_symbols_stay():
    X, grid = (TensorType(np.float32, s) for s in [("N", 3, "H", "W"), ("N", "A", 5, 2)])
    assert GridSample().infer(X, grid).shape == ("N", 3, "A", 5)
    theta = TensorType(np.float32, ("N", 2, 3))
    assert AffineGrid().infer(theta, TensorType(np.int64, (4,))).shape == ("N", None, None, 2)


@pytest.mark.parametrize(
    ("operator", "shape", "input"),
    [
        (GridSample(), (1, 4, 5, 3), "grid"),
        (GridSample(), (2, 4, 5, 2), "grid"),
        (GridSample(mode="bilinear"), (1, 4, 5, 2), None),
    ],
)
def test_what_does_not_fit_is_named(operator, shape, input):
    with pytest.raises(SuanziError) as error:
        operator.infer(TensorType(np.float32, (1, 3, 4, 4)), TensorType(np.float32, shape))
    assert error.value.input == input
