"""Random numbers: their types, shapes and distributions, and that nothing folds them."""

import numpy as np
import pytest

from suanzi.errors import SuanziError
from suanzi.graph import Graph, Node
from suanzi.graph.infer import infer
from suanzi.graph.passes.common import common
from suanzi.graph.passes.fold_constants import fold_constants
from suanzi.operators import (
    Bernoulli,
    Multinomial,
    RandomNormal,
    RandomNormalLike,
    RandomUniform,
    RandomUniformLike,
    TensorType,
)

MANY = (100, 200)


@pytest.mark.parametrize("like", [False, True])
def test_normal(like):
    attributes = {"mean": 2.0, "scale": 3.0, "seed": 1.5, "dtype": 11}
    if like:
        Y = RandomNormalLike(**attributes).numpy(np.zeros(MANY, np.float32))
    else:
        Y = RandomNormal(shape=MANY, **attributes).numpy()
    assert (Y.dtype, Y.shape) == (np.float64, MANY)
    z = np.sort((Y.reshape(-1) - 2) / 3)
    assert abs(z.mean()) < 0.03
    assert abs(z.std() - 1) < 0.03
    within = [np.mean(np.abs(z) < k) for k in (1, 2)]
    np.testing.assert_allclose(within, [0.6827, 0.9545], atol=0.02)


@pytest.mark.parametrize("like", [False, True])
def test_uniform(like):
    attributes = {"low": -1.0, "high": 3.0, "seed": 2.0}
    if like:
        Y = RandomUniformLike(**attributes).numpy(np.zeros(MANY, np.float16))
    else:
        Y = RandomUniform(shape=MANY, dtype=10, **attributes).numpy()
    assert (Y.dtype, Y.shape) == (np.float16, MANY)
    counts, _ = np.histogram(Y.astype(np.float32), 4, (-1, 3))
    assert counts.sum() == Y.size
    np.testing.assert_allclose(counts / Y.size, 0.25, atol=0.02)


@pytest.mark.parametrize("dtype", [None, 1, 9, 6])
def test_bernoulli(dtype):
    p = np.linspace(0, 1, 5).repeat(4000).reshape(5, 4000)
    Y = Bernoulli(seed=3.0, dtype=dtype).numpy(p)
    types = {None: np.float64, 1: np.float32, 9: np.bool_, 6: np.int32}
    assert (Y.dtype, Y.shape) == (types[dtype], p.shape)
    np.testing.assert_allclose(Y.mean(1), p[:, 0], atol=0.03)
    assert set(np.unique(Y)) == {0, 1}


def test_multinomial():
    p = np.array([[0.1, 0.2, 0.7], [0, 1, 0]])
    with np.errstate(divide="ignore"):
        x = (np.log(p) + 5).astype(np.float32)
    Y = Multinomial(seed=4.0, sample_size=20000, dtype=7).numpy(x)
    assert (Y.dtype, Y.shape) == (np.int64, (2, 20000))
    shares = (Y[:, :, None] == np.arange(3)).mean(1)
    np.testing.assert_allclose(shares, p, atol=0.02)
    assert np.all(Y[1] == 1)


def test_a_seed_gives_the_same_numbers_and_none_others():
    for seed, same in ((1.0, True), (None, False)):
        draw = RandomNormal(shape=(8,), seed=seed)
        assert np.array_equal(draw.numpy(), draw.numpy()) == same
    assert not np.array_equal(
        RandomNormal(shape=(8,), seed=1.0).numpy(), RandomNormal(shape=(8,), seed=1.5).numpy()
    )


def test_nothing_folds_or_merges_them():
    constants = {"p": np.full(4, 0.5, np.float32)}
    nodes = tuple(
        Node(operator, inputs, (name,))
        for operator, inputs, name in (
            (RandomUniform(shape=(4,)), (), "a"),
            (RandomUniform(shape=(4,)), (), "b"),
            (Bernoulli(), ("p",), "c"),
        )
    )
    graph = infer(Graph((), ("a", "b", "c"), nodes, constants))
    assert len(common(fold_constants(graph)).nodes) == 3
    assert all(graph.types[name].value is None for name in "abc")


def test_what_does_not_fit_is_refused():
    with pytest.raises(SuanziError):
        RandomNormal(shape=(2, -1)).infer()
    with pytest.raises(SuanziError) as error:
        Multinomial().infer(TensorType(np.float32, (3,)))
    assert error.value.input == "input"
