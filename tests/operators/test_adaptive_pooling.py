"""Adaptive and fractional pooling, held to PyTorch's."""

import numpy as np
import pytest

from suanzi.errors import SuanziError
from suanzi.operators import (
    AdaptiveAveragePool,
    AdaptiveMaxPool,
    FractionalMaxPool,
    TensorType,
)
from torch_gradients import check_against_torch

torch = pytest.importorskip("torch")
F = torch.nn.functional
RNG = np.random.default_rng(0)
CASES = [
    ((2, 3, 10), (4,)),
    ((2, 3, 10), (5,)),
    ((2, 3, 8, 9), (5, 7)),
    ((2, 3, 4, 5), (7, 10)),
    ((2, 3, 8, 9), (1, -1)),
    ((1, 2, 6, 4, 5), (3, 2, 5)),
    ((1, 2, 6, 4, 5), (4, -1, 2)),
]


@pytest.mark.parametrize(("shape", "output"), CASES)
def test_adaptive_average(shape, output):
    pool = getattr(F, f"adaptive_avg_pool{len(output)}d")
    theirs = tuple(None if o == -1 else o for o in output)
    X = RNG.standard_normal(shape)
    check_against_torch(AdaptiveAveragePool(output_size=output), [X], lambda x: pool(x, theirs))


@pytest.mark.parametrize(("shape", "output"), CASES)
def test_adaptive_max(shape, output):
    pool = getattr(F, f"adaptive_max_pool{len(output)}d")
    theirs = tuple(None if o == -1 else o for o in output)
    X = np.round(RNG.standard_normal(shape), 1)  # with equal elements
    X.flat[5] = np.nan
    check_against_torch(
        AdaptiveMaxPool(output_size=output),
        [X],
        lambda x: pool(x, theirs, return_indices=True),
    )


@pytest.mark.parametrize(
    ("shape", "kernel", "output"),
    [
        ((2, 3, 10, 9), (2, 3), (4, 5)),
        ((2, 3, 10, 9), (3, 3), (1, 7)),
        ((1, 2, 6, 7, 8), (2, 3, 2), (3, 2, 5)),
    ],
)
def test_fractional_max(shape, kernel, output):
    pool = getattr(F, f"fractional_max_pool{len(kernel)}d")
    X, samples = RNG.standard_normal(shape), RNG.random((*shape[:2], len(kernel)))

    def reference(x, u):
        return pool(x, kernel, output, return_indices=True, _random_samples=u.detach())

    check_against_torch(
        FractionalMaxPool(kernel_shape=kernel, output_size=output), [X, samples], reference
    )


def test_bad_sizes():
    X = TensorType(np.float32, (1, 2, 4, 4))
    samples = TensorType(np.float32, (1, 2, 2))
    with pytest.raises(SuanziError, match="output_size"):
        AdaptiveMaxPool(output_size=(-2, 1)).infer(X)
    with pytest.raises(SuanziError, match="rank"):
        AdaptiveAveragePool(output_size=(2,)).infer(X)
    with pytest.raises(SuanziError, match="too small"):
        FractionalMaxPool(kernel_shape=(2, 2), output_size=(4, 3)).infer(X, samples)
