"""onnxruntime's own operators that we define; tests/onnx/test_contrib.py holds them to it."""

import numpy as np
import pytest

from suanzi.errors import SuanziError
from suanzi.operators import GroupQueryAttention, Inverse, TensorType


def test_inverse():
    with pytest.raises(SuanziError, match="no inverse"):
        Inverse().numpy(np.zeros((2, 2)))
    with pytest.raises(SuanziError, match="not square"):
        Inverse().infer(TensorType(np.float32, (2, 3)))


def test_sequences_of_different_lengths_in_one_batch():
    """Each as if it were alone, its own past long."""
    rng = np.random.default_rng(0)
    heads = GroupQueryAttention(num_heads=4, kv_num_heads=2)
    query, key, value = (rng.normal(size=(2, 1, 8 * n)).astype(np.float32) for n in (4, 2, 2))
    past = rng.normal(size=(2, 2, 2, 5, 8)).astype(np.float32)
    lengths = np.array([2, 4], np.int32)
    Y, keys, _ = heads.numpy(query, key, value, *past, lengths, np.array(5, np.int32))
    for n, length in enumerate(lengths):
        one = slice(n, n + 1)
        alone, known, _ = heads.numpy(
            *(x[one] for x in (query, key, value)),
            *(x[one, :, :length] for x in past),
            lengths[one],
            np.array(length + 1, np.int32),
        )
        np.testing.assert_allclose(Y[one], alone, 1e-5, 1e-6)
        np.testing.assert_array_equal(keys[one, :, : length + 1], known)


def test_lengths_beyond_the_total():
    x = np.zeros((1, 2, 8), np.float32)
    heads = GroupQueryAttention(num_heads=1, kv_num_heads=1)
    with pytest.raises(SuanziError, match="total_sequence_length"):
        heads.numpy(x, x, x, None, None, np.array([9], np.int32), np.array(4, np.int32))
