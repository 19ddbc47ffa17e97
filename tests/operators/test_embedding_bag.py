"""Bags of rows, held to PyTorch's."""

import numpy as np
import pytest

from suanzi.errors import SuanziError
from suanzi.operators import EmbeddingBag
from torch_gradients import check_against_torch

torch = pytest.importorskip("torch")
RNG = np.random.default_rng(0)
INDICES = np.array([1, 5, 1, 2, 2, 3, 0, 5, 4])
OFFSETS = np.array([0, 3, 3, 6])


@pytest.mark.parametrize("mode", ["sum", "mean", "max"])
@pytest.mark.parametrize("padding", [None, 2, 5])
def test_against_torch(mode, padding):
    def reference(weight, indices, offsets, *samples):
        sample = samples[0] if samples else None
        return torch.nn.functional.embedding_bag(
            indices, weight, offsets, mode=mode, per_sample_weights=sample, padding_idx=padding
        )

    op = EmbeddingBag(mode=mode, padding_idx=padding)
    weight = RNG.standard_normal((6, 4))
    check_against_torch(op, [weight, INDICES, OFFSETS], reference)
    if mode == "sum" and padding is None:
        samples = RNG.standard_normal(len(INDICES))
        check_against_torch(op, [weight, INDICES, OFFSETS, samples], reference)


def test_refuses():
    weight = np.zeros((4, 2), np.float32)
    with pytest.raises(SuanziError, match="no such row"):
        EmbeddingBag().numpy(weight, np.array([4]), np.array([0]))
    with pytest.raises(SuanziError, match="wrong offsets"):
        EmbeddingBag().numpy(weight, np.array([1, 2]), np.array([0, 3]))
