"""Rotary embedding: ONNX's cases, and what turning is."""

import numpy as np
import pytest

from suanzi.errors import SuanziError
from suanzi.operators import RotaryEmbedding, TensorType
from support import node_cases


@pytest.mark.parametrize("case", [*node_cases("RotaryEmbedding")], ids=lambda c: c.id)
def test_backend_case(case):
    case.check()


@pytest.mark.parametrize("interleaved", [0, 1])
def test_turning_keeps_lengths_and_the_first_place(interleaved):
    X = np.random.default_rng(0).standard_normal((1, 2, 3, 6)).astype(np.float32)
    angles = np.outer(np.arange(3), [1, 0.5, 0.1])[None].astype(np.float32)
    Y = RotaryEmbedding(interleaved=interleaved).numpy(X, np.cos(angles), np.sin(angles))
    norms = [np.linalg.norm(x, axis=-1) for x in (X, Y)]
    np.testing.assert_allclose(*norms, rtol=1e-5)
    np.testing.assert_array_equal(Y[:, :, 0], X[:, :, 0])


@pytest.mark.parametrize("place", [-1, 3])
def test_a_place_that_there_is_not(place):
    X, cache = np.ones((1, 1, 2, 4), np.float32), np.ones((3, 2), np.float32)
    with pytest.raises(SuanziError, match="no such place"):
        RotaryEmbedding().numpy(X, cache, cache, np.array([[0, place]]))


@pytest.mark.parametrize(
    ("operator", "shapes", "input"),
    [
        (RotaryEmbedding(), [(1, 2, 3, 5), (3, 2), (3, 2), (1, 3)], "X"),
        (RotaryEmbedding(), [(1, 3, 8), (3, 2), (3, 2), (1, 3)], "X"),
        (RotaryEmbedding(), [(1, 2, 3, 4), (3, 3), (3, 2), (1, 3)], "cos_cache"),
        (RotaryEmbedding(), [(1, 2, 3, 4), (3, 2), (3, 2), (1, 4)], "position_ids"),
        (RotaryEmbedding(rotary_embedding_dim=6), [(1, 2, 3, 4), (3, 3), (3, 3), (1, 3)], "X"),
    ],
)
def test_what_does_not_fit_is_named(operator, shapes, input):
    dtypes = [np.float32] * 3 + [np.int64]
    with pytest.raises(SuanziError) as error:
        operator.infer(*(TensorType(d, s) for d, s in zip(dtypes, shapes, strict=True)))
    assert error.value.input == input
