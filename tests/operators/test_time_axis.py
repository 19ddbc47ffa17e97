"""ReverseSequence and TensorScatter."""

import numpy as np
import pytest

from suanzi.errors import SuanziError
from suanzi.operators import ReverseSequence, TensorScatter
from support import check, node_cases


@pytest.mark.parametrize(
    "case",
    [c for name in ("ReverseSequence", "TensorScatter") for c in node_cases(name, 1)],
    ids=lambda c: c.id,
)
def test_backend_case(case):
    case.check()


@pytest.mark.parametrize("time_axis", [0, 1])
def test_reverses_each_sample_by_itself(time_axis):
    X = np.random.default_rng(0).standard_normal((4, 4, 2)).astype(np.float32)
    lengths = np.array([0, 1, 3, 4])
    Y = X.copy() if time_axis else X.copy().swapaxes(0, 1)
    for sample, length in zip(Y, lengths, strict=True):
        sample[:length] = sample[:length][::-1].copy()
    expected = Y if time_axis else Y.swapaxes(0, 1)
    check(ReverseSequence(time_axis=time_axis, batch_axis=1 - time_axis), [X, lengths], [expected])


@pytest.mark.parametrize("lengths", [[5, 0], [-1, 0]])
def test_lengths_outside_are_errors(lengths):
    with pytest.raises(SuanziError, match="sequence_lens"):
        ReverseSequence().numpy(np.ones((4, 2), np.float32), np.array(lengths))


@pytest.mark.parametrize(("mode", "axis"), [("linear", 1), ("linear", -1), ("circular", 2)])
def test_scatters_as_the_pseudocode_of_the_text(mode, axis):
    cache = np.arange(48).reshape(2, 4, 6)
    update = -np.ones_like(cache)[:, :2] if axis == 1 else -np.ones_like(cache)[:, :, :2]
    first = np.array([2, 0]) if mode == "linear" else np.array([5, 10])
    size, expected = cache.shape[axis], cache.copy()
    for sample, start in zip(np.moveaxis(expected, axis, 1), first, strict=True):
        sample[[(start + s) % size for s in range(2)]] = -1
    check(TensorScatter(mode=mode, axis=axis), [cache, update, first], [expected])


@pytest.mark.parametrize("first", [[-1, 0], [0, 3]])
def test_places_outside_the_cache_are_errors(first):
    cache = np.zeros((2, 4, 3), np.float32)
    with pytest.raises(SuanziError, match="write_indices"):
        TensorScatter().numpy(cache, cache[:, :2], np.array(first))
