"""Convolutions over three axes run by kernels for two."""

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from graph_support import Net, counts, rewritten
from suanzi.compiler import Compiler
from suanzi.errors import SuanziError
from suanzi.graph.evaluate import evaluate
from suanzi.graph.passes.fewer_axes import fewer_axes
from suanzi.lang import host_target
from suanzi.operators.convolution import Conv, ConvTranspose, ConvWeightGradient

X = (2, 4, 5, 6, 7)


def values(*shape):
    return np.random.default_rng(len(shape)).standard_normal(shape, dtype=np.float32)


def graph_of(operator, *shapes, constant=False):
    net = Net()
    first, second, *rest = shapes
    second = values(*second) if constant else net.input("second", second)
    rest = [net.input(f"rest{i}", shape) for i, shape in enumerate(rest)]
    return net.graph(net(operator, net.input("first", first), second, *rest))


def held(operator, *shapes, constant=False):
    """The graph after the pass, which gives the same, by definitions and by kernels alone."""
    graph = graph_of(operator, *shapes, constant=constant)
    feeds = {name: values(*graph.types[name].sizes) for name in graph.inputs}
    (name,) = graph.outputs
    after = rewritten(graph, fewer_axes)
    program = Compiler(host_target(), 2).compile(graph)
    assert program.native_steps == len(program.steps)
    made = program.run(feeds)[name]
    np.testing.assert_allclose(made, evaluate(graph, feeds)[name], rtol=1e-4, atol=1e-4)
    return after


PLAIN = {"Conv": 1, "DepthWindows": 1, "DepthPlaces": 1, "Reshape": 1}


def test_the_third_axis_becomes_channels_and_batch():
    after = held(Conv(strides=(2, 2, 2), pads=(1,) * 6), X, (6, 4, 3, 3, 3), (6,))
    assert counts(after) == PLAIN
    after = held(Conv(group=2, dilations=(2, 1, 1)), X, (6, 2, 2, 3, 3), constant=True)
    assert counts(after) == {"Conv": 1, "DepthWindows": 1, "DepthPlaces": 1}


def test_axes_along_which_filters_do_nothing_are_merged():
    for kernel in ((3, 1, 1), (1, 1, 3), (1, 1, 1)):
        after = held(Conv(strides=tuple(min(k, 2) for k in kernel)), X, (6, 4, *kernel), (6,))
        assert counts(after) == {"Conv": 1, "Reshape": 3}
    after = held(ConvTranspose(strides=(2, 1, 1)), X, (4, 6, 3, 1, 1))
    assert counts(after) == {"ConvTranspose": 1, "Reshape": 3}
    after = held(ConvWeightGradient(kernel_shape=(2, 1, 1)), X, (2, 3, 4, 6, 7))
    assert counts(after) == {"ConvWeightGradient": 1, "Reshape": 3}
    fewer = held(ConvWeightGradient(kernel_shape=(2, 1, 1)), X, (2, 3, 4, 6, 6))
    assert counts(fewer)["DepthWindows"] == 2


def test_a_transpose_is_one_convolution_for_each_phase():
    after = held(ConvTranspose(strides=(2, 2, 2)), X, (4, 6, 3, 3, 3), (6,))
    assert counts(after)["ConvTranspose"] == 2
    held(ConvTranspose(strides=(3, 1, 2), pads=(1, 0, 1, 0, 2, 1)), X, (4, 6, 3, 3, 3))
    padded = ConvTranspose(strides=(2, 2, 2), output_padding=(1, 1, 0), pads=(1,) * 6)
    held(padded, X, (4, 3, 3, 3, 3), (3,), constant=True)
    held(ConvTranspose(dilations=(2, 1, 2), group=2), X, (4, 3, 3, 2, 2))


def test_phases_without_taps_are_the_bias():
    after = held(ConvTranspose(strides=(3, 1, 1)), X, (4, 6, 2, 2, 2), (6,))
    assert (counts(after)["ConvTranspose"], counts(after)["Expand"]) == (2, 1)
    after = held(ConvTranspose(strides=(3, 1, 1)), X, (4, 6, 2, 2, 2))
    assert counts(after)["ConvTranspose"] == 2


@pytest.mark.parametrize("operator", [Conv(), Conv(auto_pad="SAME_UPPER")])
def test_what_has_no_size_yet_and_other_types_stay(operator):
    net = Net()
    x = net.input("x", (None, 4, 5, 6, 7))
    graph = net.graph(net(operator, x, values(6, 4, 3, 3, 3)))
    assert fewer_axes(graph) is graph
    net = Net()
    x = net.input("x", X, np.float64)
    graph = net.graph(net(operator, x, values(6, 4, 3, 3, 3).astype(np.float64)))
    assert fewer_axes(graph) is graph


three = st.tuples(*[st.integers(1, 3)] * 3)


@settings(max_examples=25, deadline=None)
@given(
    st.sampled_from([Conv, ConvTranspose, ConvWeightGradient]),
    st.tuples(*[st.integers(1, 6)] * 3),
    three, three, three,
    st.tuples(*[st.integers(0, 2)] * 6),
    st.sampled_from([1, 2, 4]), st.booleans(),
)  # fmt: skip
def test_all_kinds(kind, sizes, kernel, strides, dilations, pads, group, bias):
    attributes = {"strides": strides, "dilations": dilations, "pads": pads, "group": group}
    x = (2, 4, *sizes)
    weights = (8, 4 // group, *kernel) if kind is not ConvTranspose else (4, 8 // group, *kernel)
    others = [weights] + [(8,)] * bias
    if kind is ConvWeightGradient:
        attributes["kernel_shape"] = kernel
        try:
            others = [(2, 8, *kind(**attributes).output_sizes(sizes))]
        except SuanziError:
            return
    try:
        graph = graph_of(kind(**attributes), x, *others)
    except SuanziError:  # the window doesn't fit
        return
    feeds = {name: values(*graph.types[name].sizes) for name in graph.inputs}
    rewritten(graph, fewer_axes)
    (name,) = graph.outputs
    made = Compiler(host_target(), 1).compile(graph).run(feeds)[name]
    np.testing.assert_allclose(made, evaluate(graph, feeds)[name], rtol=1e-4, atol=1e-4)
