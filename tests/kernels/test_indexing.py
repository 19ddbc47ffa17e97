"""Elements taken and put by indices that arrive at run time, against the definitions."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernel_support import RUNNABLE, check, make_site
from suanzi.compiler import Compiler
from suanzi.errors import SuanziError
from suanzi.graph import Graph, Node
from suanzi.graph.infer import infer
from suanzi.kernels import choose
from suanzi.lang import host_target
from suanzi.operators._operator import TensorType
from suanzi.operators.arithmetic import Add
from suanzi.operators.indexing import Gather, GatherElements, GatherND, ScatterElements, ScatterND

RNG = np.random.default_rng(0)


def normal(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape, dtype=np.float32)


def places(size: int, *shape: int, dtype: type = np.int64) -> np.ndarray:
    return RNG.integers(-size, size, shape).astype(dtype)


@settings(max_examples=20, deadline=None)
@given(
    st.lists(st.sampled_from([1, 2, 5, 16, 37]), min_size=1, max_size=3),
    st.integers(0, 2),
    st.sampled_from([(1,), (4,), (3, 7)]),
    st.sampled_from([np.int32, np.int64]),
    st.sampled_from(RUNNABLE),
)
def test_gather(shape, axis, indices, dtype, target):
    axis %= len(shape)
    given = [normal(*shape), places(shape[axis], *indices, dtype=dtype)]
    check(choose, Gather(axis=axis), given, target=target, threads=2)


@settings(max_examples=15, deadline=None)
@given(
    st.lists(st.sampled_from([1, 2, 5, 16, 37]), min_size=1, max_size=3),
    st.integers(0, 2),
    st.sampled_from([1, 3, 20]),
    st.sampled_from(RUNNABLE),
)
def test_elements(shape, axis, count, target):
    axis %= len(shape)
    wanted = [*shape[:axis], count, *shape[axis + 1 :]]
    at = places(shape[axis], *wanted)
    check(choose, GatherElements(axis=axis), [normal(*shape), at], target=target, threads=2)
    for reduction in ("none", "add"):
        operator = ScatterElements(axis=axis, reduction=reduction)
        given = [normal(*shape), at, normal(*wanted)]
        check(choose, operator, given, target=target, threads=2)


@pytest.mark.parametrize("target", RUNNABLE, ids=lambda t: t.name)
@pytest.mark.parametrize("reduction", ["none", "add"])
@pytest.mark.parametrize("width", [1, 3, 16, 300])
def test_rows(target, reduction, width):
    at = places(9, 40, 1)
    check(choose, GatherND(), [normal(9, width), at], target=target, threads=2)
    given = [normal(9, width), at, normal(40, width)]
    check(choose, ScatterND(reduction=reduction), given, target=target, threads=2)
    given[0] = np.zeros_like(given[0])
    check(choose, ScatterND(reduction=reduction), given, constants=(0,), target=target, threads=2)


def test_many_updates_are_shared_by_columns_and_integers_are_put():
    given = [normal(1000, 256), places(1000, 500, 1), normal(500, 256)]
    site = check(choose, ScatterND(reduction="add"), given, threads=2)
    assert choose(site)[0].chunks > 1
    numbers = [np.arange(6, dtype=np.int32), places(6, 3), np.array([7, 8, 9], np.int32)]
    check(choose, ScatterElements(), numbers)
    check(choose, Gather(), [np.arange(6, dtype=np.int32), places(6, 3)])


def test_what_is_declined():
    x, at = normal(4, 5), places(4, 3, 5)
    for operator, inputs in (
        (ScatterElements(reduction="max"), [x, at, normal(3, 5)]),
        (GatherElements(), [x, at[:, :3]]),
        (GatherND(), [x, places(4, 2, 2)]),
        (GatherND(batch_dims=1), [x, places(5, 4, 1)]),
        (Gather(), [x.astype(np.float64), at]),
        (Gather(), [x, (at % 4).astype(np.uint8)]),
    ):
        assert choose(make_site(operator, inputs)) is None


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("operator", [Gather(), ScatterND(reduction="add")])
def test_an_index_out_of_range_is_an_error_and_touches_nothing(operator, threads):
    types = {"x": TensorType(np.float32, (4, 5)), "at": TensorType(np.int64, (3, 1))}
    inputs = ("x", "at")
    if isinstance(operator, ScatterND):
        types["updates"] = TensorType(np.float32, (3, 5))
        inputs += ("updates",)
    graph = infer(Graph(inputs, ("y",), (Node(operator, inputs, ("y",), "look"),), {}, types))
    program = Compiler(host_target(), threads).compile(graph)
    assert all(step.address for step in program.steps)
    feeds = {"x": normal(4, 5), "at": np.array([[0], [-4], [3]]), "updates": normal(3, 5)}
    feeds = {name: feeds[name] for name in inputs}
    right = program.run(feeds)["y"]
    np.testing.assert_array_equal(right, operator.numpy(*feeds.values()))
    for bad in (4, -5, 1 << 62, -(1 << 63)):
        wrong = {**feeds, "at": np.array([[0], [bad], [3]])}
        with pytest.raises(SuanziError, match=rf"look.*input at.*from -4 to 3.*found {bad}"):
            program.run(wrong)
    np.testing.assert_array_equal(program.run(feeds)["y"], right)


def test_indices_made_in_the_run_are_checked_too():
    types = {"x": TensorType(np.float32, (4, 5)), "at": TensorType(np.int64, (3,))}
    nodes = (Node(Add(), ("at", "at"), ("twice",)), Node(Gather(), ("x", "twice"), ("y",), "look"))
    program = Compiler(host_target(), 1).compile(
        infer(Graph(("x", "at"), ("y",), nodes, {}, types))
    )
    assert [check.source for check in program.checks] == [""]
    x = normal(4, 5)
    found = program.run({"x": x, "at": np.array([0, 1, -2])})["y"]
    np.testing.assert_array_equal(found, x[[0, 2, 0]])
    with pytest.raises(SuanziError, match=r"look.*found 6"):
        program.run({"x": x, "at": np.array([0, 3, 1])})
