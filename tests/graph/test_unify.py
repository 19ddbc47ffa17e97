"""Graphs at several sizes made one: numbers expressed by sizes, and what can't be."""

import numpy as np
import pytest

from suanzi.errors import SuanziError
from suanzi.graph.evaluate import evaluate
from suanzi.graph.sizes import fit
from suanzi.graph.trace import Trace
from suanzi.graph.unify import unify
from suanzi.operators import Add, Concat, Expand, Mul, Relu, Reshape, Slice
from suanzi.operators._operator import TensorType

SIZES = (4, 8, 5, 12)


def traced(function, n):
    trace = Trace()
    x = trace.input(TensorType(np.float32, (n, 6)), "x")
    return trace.graph([function(x, n)])


def held(function, *others):
    """The graph for all sizes, held to the traces at others."""
    made = unify([traced(function, n) for n in SIZES], {"n": SIZES})
    for n in (*SIZES, *others):
        x = np.random.default_rng(n).normal(size=(n, 6)).astype(np.float32)
        expected = [*evaluate(traced(function, n), {"x": x}).values()][-1]
        found = evaluate(made, {"x": x})[made.outputs[0]]
        np.testing.assert_array_equal(found, expected)
    return made


def kinds(graph):
    return [node.operator.title for node in graph.nodes]


@pytest.mark.parametrize(
    ("numbers", "text"),
    [((2, 4, 7), "n"), ((4, 8, 14), "2*n"), ((3, 5, 8), "n+1"), ((1, 2, 3), "n//2"),
     ((1, 2, 4), "(n+1)//2")],
)  # fmt: skip
def test_fits(numbers, text):
    assert str(fit(numbers, [((2, 4, 7), "n")])) == text


def test_what_does_not_follow():
    assert fit((4, 16, 49), [((2, 4, 7), "n")]) is None


def test_one_number_of_a_reshape():
    graph = held(lambda x, n: Reshape()(x, np.array([3, 2 * n])), 1, 7)
    assert kinds(graph) == ["Reshape"]
    assert graph.types[graph.outputs[0]].shape == (3, "2*n")


def test_sizes_that_stay():
    graph = held(lambda x, n: Reshape(allowzero=1)(x, np.array([n, 2, 3])), 1, 7)
    assert kinds(graph) == ["Reshape"]


def test_slices_and_filled_constants():
    def function(x, n):
        half = Slice()(x, np.array([n // 2]), np.array([n]), np.array([0]))
        zeros = np.zeros((n - n // 2, 6), np.float32)
        places = np.arange(n, dtype=np.float32)[:, None]
        whole = Concat(axis=0)(Add()(half, zeros), Mul()(x, places))
        return Expand()(whole, np.array([2, n + n - n // 2, 6]))

    held(function, 1, 2, 7, 20)


def test_factors_such_as_that_of_an_unbiased_variance():
    held(lambda x, n: Mul()(x, np.array(np.float32(6 * n / (6 * n - 1)))), 30)
    held(lambda x, n: Mul()(x, np.float32(1) / np.array([n], np.float32)), 3, 16)


def test_what_fixes_a_size_is_named():
    def table(x, n):
        return Add()(x, np.random.default_rng(0).normal(size=(n, 6)).astype(np.float32))

    with pytest.raises(SuanziError, match=r"add \(Add\): a constant depends on a dynamic size"):
        held(table)
    with pytest.raises(SuanziError, match="decide which operations"):
        held(lambda x, n: Relu()(x) if n > 4 else Add()(x, x))
    with pytest.raises(SuanziError, match="concat"):
        held(lambda x, n: Concat(axis=0)(*[x] * n))
