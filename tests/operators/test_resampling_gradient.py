"""Gradients of resizing and of sampling at a grid, held to PyTorch's."""

import numpy as np
import pytest

from suanzi.operators import AffineGrid, GridSample, Resize
from torch_gradients import check_against_torch

torch = pytest.importorskip("torch")
F = torch.nn.functional
RNG = np.random.default_rng(0)
MODES = {"linear": "bilinear", "nearest": "nearest", "cubic": "bicubic"}


@pytest.mark.parametrize("sizes", [(9, 7), (3, 4), (5, 2)])
@pytest.mark.parametrize("mode", ["linear", "cubic"])
@pytest.mark.parametrize("how", ["half_pixel", "align_corners", "antialias"])
def test_resize(sizes, mode, how):
    op = Resize(
        mode=mode,
        axes=(2, 3),
        antialias=int(how == "antialias"),
        cubic_coeff_a=-0.5 if how == "antialias" else -0.75,
        coordinate_transformation_mode="align_corners" if how == "align_corners" else "half_pixel",
        exclude_outside=int(how == "antialias"),
    )
    options = {"align_corners": how == "align_corners", "antialias": how == "antialias"}
    check_against_torch(
        op,
        [RNG.standard_normal((2, 3, 5, 6)), None, None, np.array(sizes)],
        lambda x, *_: F.interpolate(x, sizes, mode=MODES[mode], **options),
        1e-5,
        1e-5,
    )


@pytest.mark.parametrize("sizes", [(9,), (9, 7), (3, 4), (3, 7, 4)])
def test_resize_to_the_nearest(sizes):
    n = len(sizes)
    op = Resize(
        coordinate_transformation_mode="asymmetric",
        nearest_mode="floor",
        axes=tuple(range(2, n + 2)),
    )
    check_against_torch(
        op,
        [RNG.standard_normal((2, 3, 5, 6, 2)[: n + 2]), None, None, np.array(sizes)],
        lambda x, *_: F.interpolate(x, sizes, mode="nearest"),
    )


@pytest.mark.parametrize("mode", list(MODES))
@pytest.mark.parametrize("padding", ["zeros", "border", "reflection"])
@pytest.mark.parametrize("align", [0, 1])
def test_grid_sample(mode, padding, align):
    X, grid = RNG.standard_normal((2, 3, 5, 6)), RNG.uniform(-1.4, 1.4, (2, 4, 7, 2))
    check_against_torch(
        GridSample(mode=mode, padding_mode=padding, align_corners=align),
        [X, grid],
        lambda x, g: F.grid_sample(x, g, MODES[mode], padding, bool(align)),
    )


def test_grid_sample_in_space():
    X, grid = RNG.standard_normal((2, 3, 5, 4, 6)), RNG.uniform(-1.2, 1.2, (2, 3, 4, 2, 3))
    check_against_torch(
        GridSample(), [X, grid], lambda x, g: F.grid_sample(x, g, align_corners=False)
    )


@pytest.mark.parametrize("sizes", [(3, 4), (2, 3, 4)])
@pytest.mark.parametrize("align", [0, 1])
def test_affine_grid(sizes, align):
    n = len(sizes)
    check_against_torch(
        AffineGrid(align_corners=align),
        [RNG.standard_normal((2, n, n + 1)), np.array([2, 1, *sizes])],
        lambda theta, _: F.affine_grid(theta, [2, 1, *sizes], align_corners=bool(align)),
    )
