"""Traces: what is applied to symbols becomes a graph of the same values."""

import numpy as np
import pytest

from suanzi.errors import SuanziError
from suanzi.graph.evaluate import evaluate
from suanzi.graph.trace import Trace
from suanzi.graph.verify import verify
from suanzi.operators import Split, TensorType, TopK

X = np.array([[0.5, -1.5, 2], [0.25, 3, -1]], np.float32)
I = np.array([[1, 2, -3]])  # noqa: E741


def traced(function, *arrays):
    """What a function of symbols gives, and of what types, for these inputs."""
    trace = Trace()
    given = [trace.input(TensorType(x.dtype, x.shape), f"x{i}") for i, x in enumerate(arrays)]
    made = function(*given)
    graph = trace.graph([made])
    verify(graph)
    found = evaluate(graph, {f"x{i}": x for i, x in enumerate(arrays)})[made.name]
    assert (made.dtype, made.shape) == (found.dtype, found.shape)
    return found


@pytest.mark.parametrize(
    "function",
    [
        lambda x, i: 2 * x + 1 - x / 4,
        lambda x, i: 1 - x,
        lambda x, i: 1 / x,
        lambda x, i: x**2,
        lambda x, i: 2.0**x,
        lambda x, i: -x @ np.ones((3, 2), np.float32),
        lambda x, i: np.ones((4, 2), np.float32) @ x,
        lambda x, i: np.float32(3) * x,
        lambda x, i: np.arange(3) * x,
        lambda x, i: (x > 0) & (x > 1) | ~(x <= 2),
        lambda x, i: (x >= i) * x,
        lambda x, i: i / 2,
        lambda x, i: i * 1.5,
        lambda x, i: i + 1,
        lambda x, i: (x < 1) + 1,
    ],
)
def test_arithmetic_is_that_of_arrays(function):
    found, expected = traced(function, X, I), function(X, I)
    assert found.dtype == expected.dtype
    np.testing.assert_allclose(found, expected, 1e-6)


def test_equal_constants_are_one():
    trace = Trace()
    x = trace.input(TensorType(np.float32, (2,)), "x")
    large = np.zeros(5000, np.float32)
    _ = x + 1, x * 1, trace.constant(large), trace.constant(large)
    assert len(trace.constants) == 2
    assert trace.constant(large.copy()).name != trace.constant(large).name
    assert trace.constant(np.array(1)).name != trace.constant(np.array(1.0)).name


def test_several_outputs_and_inputs_left_out():
    trace = Trace()
    x = trace.input(TensorType(np.float32, (2, 6)), "x")
    assert [s.shape for s in Split(axis=1, num_outputs=3)(x, None)] == [(2, 2)] * 3
    assert trace.nodes[-1].inputs == ("x",)
    values, places = TopK()(x, np.array([2]))
    assert (values.shape, places.dtype) == ((2, 2), np.int64)


def test_names_differ():
    trace = Trace()
    x = trace.input(TensorType(np.float32, (2,)), "add")
    assert len({(x + 1).name, (x + 2).name, (x + x).name, "add"}) == 4
    with pytest.raises(SuanziError, match="add"):
        trace.input(TensorType(np.float32, ()), "add")


def test_contents_are_known_where_they_are():
    trace = Trace()
    x = trace.input(TensorType(np.int64, (1,)), "x")
    assert np.asarray(trace.constant(np.array([3])) + 1).tolist() == [4]
    with pytest.raises(SuanziError, match="x"):
        np.asarray(x)


def test_another_trace_is_refused():
    x, y = (Trace().input(TensorType(np.float32, ()), name) for name in "xy")
    with pytest.raises(SuanziError, match="another trace"):
        _ = x + y
