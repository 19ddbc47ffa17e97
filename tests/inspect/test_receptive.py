"""The receptive field of an element, held to what changes when the input does."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from suanzi import operators as ops
from suanzi.errors import SuanziError
from suanzi.graph import Graph, Node
from suanzi.graph.evaluate import evaluate
from suanzi.graph.infer import infer
from suanzi.inspect.receptive import receptive_field
from suanzi.operators._operator import TensorType

F32 = np.float32


def graph_of(shape, *nodes, **constants):
    """Nodes in a row, each given by (operator, names of further constants)."""
    made, before = [], "x"
    for i, (operator, *others) in enumerate(nodes):
        made.append(Node(operator, (before, *others), (f"y{i}",)))
        before = f"y{i}"
    types = {"x": TensorType(F32, shape)}
    return infer(Graph(("x",), (before,), tuple(made), constants, types))


def touched(graph, index, generator):
    """The places of x on which one element of the output depends, found by changing each."""
    (output,) = graph.outputs
    shape = graph.types["x"].sizes
    x = generator.standard_normal(shape).astype(F32)
    found = np.zeros(shape, bool)
    base = evaluate(graph, {"x": x})[output][index]
    for place in np.ndindex(shape):
        for change in (1.0, 100.0, -100.0):
            other = x.copy()
            other[place] += F32(change)
            if evaluate(graph, {"x": other})[output][index] != base:
                found[place] = True
                break
    return found


def spanned(region):
    """The places that a region tells of."""
    mask = np.zeros(region.shape, bool)
    mask[tuple(slice(a, b, s) for (a, b), s in zip(region.box, region.steps, strict=True))] = True
    return mask


def hold(graph, index, exactly=True):
    (output,) = graph.outputs
    found = receptive_field(graph, output, [(i, i + 1) for i in index]).values["x"]
    true = touched(graph, index, np.random.default_rng(0))
    told = spanned(found)
    assert (told >= true).all()
    if exactly:
        assert found.exact
        places = np.argwhere(true)
        assert found.box == [
            (a, b + 1) for a, b in zip(places.min(0).tolist(), places.max(0).tolist(), strict=True)
        ]
        assert (told == true).all()
    return found


def weights(*shape):
    return np.random.default_rng(1).uniform(0.5, 1.5, shape).astype(F32)


@settings(max_examples=25, deadline=None)
@given(
    kernel=st.integers(1, 3),
    stride=st.integers(1, 3),
    dilation=st.integers(1, 2),
    pad=st.integers(0, 2),
    group=st.sampled_from([1, 2]),
    data=st.data(),
)
def test_convolutions(kernel, stride, dilation, pad, group, data):
    conv = ops.Conv(strides=(stride, 1), pads=(pad, 0, 1, 0), dilations=(dilation, 1), group=group)
    graph = graph_of((1, 2, 8, 4), (conv, "w"), w=weights(4, 2 // group, kernel, 2))
    sizes = graph.types["y0"].sizes
    index = tuple(data.draw(st.integers(0, n - 1)) for n in sizes)
    found = receptive_field(graph, "y0", [(i, i + 1) for i in index]).values["x"]
    if found.size:
        hold(graph, index)


@settings(max_examples=25, deadline=None)
@given(
    kernel=st.integers(1, 4),
    stride=st.integers(1, 3),
    dilation=st.integers(1, 2),
    pad=st.integers(0, 1),
    extra=st.integers(0, 1),
    data=st.data(),
)
def test_transposed_convolutions(kernel, stride, dilation, pad, extra, data):
    extent = (kernel - 1) * dilation + 1
    if 2 * pad >= extent or extra >= max(stride, dilation):
        return
    conv = ops.ConvTranspose(
        strides=(stride,), pads=(pad, pad), dilations=(dilation,), output_padding=(extra,)
    )
    graph = graph_of((1, 2, 5), (conv, "w"), w=weights(2, 3, kernel))
    index = tuple(data.draw(st.integers(0, n - 1)) for n in graph.types["y0"].sizes)
    found = receptive_field(graph, "y0", [(i, i + 1) for i in index]).values["x"]
    if found.size:
        hold(graph, index)


I64 = np.int64
CASES = {
    "two layers": (
        (1, 1, 9, 9),
        [(ops.Conv(kernel_shape=(3, 3)), "w"), (ops.Conv(strides=(2, 2)), "w")],
        {"w": weights(1, 1, 3, 3)},
    ),
    "relu": ((2, 3), [(ops.LeakyRelu(alpha=0.5),)], {}),
    "broadcast": ((3, 1), [(ops.Add(), "c")], {"c": weights(2, 3, 4)}),
    "average": ((1, 2, 6, 6), [(ops.AveragePool(kernel_shape=(2, 3), strides=(2, 3)),)], {}),
    "same": ((1, 1, 7), [(ops.MaxPool(kernel_shape=(3,), auto_pad="SAME_UPPER"),)], {}),
    "global": ((1, 3, 2, 2), [(ops.GlobalAveragePool(),)], {}),
    "softmax": ((2, 3, 4), [(ops.Softmax(axis=1),)], {}),
    "norm": (
        (2, 3, 4), [(ops.LayerNormalization(axis=-1), "s")], {"s": weights(4)}
    ),
    "batch norm": (
        (1, 2, 3), [(ops.BatchNormalization(), "a", "b", "m", "v")],
        {name: weights(2) for name in "abmv"},
    ),
    "lrn": ((1, 5, 2, 2), [(ops.LRN(size=3, alpha=1.0),)], {}),
    "sum": ((2, 3, 4), [(ops.ReduceSum(keepdims=0), "axes")], {"axes": np.array([1], I64)}),
    "mean of all": ((2, 3), [(ops.ReduceMean(),)], {}),
    "matmul": ((2, 3, 4), [(ops.MatMul(), "w")], {"w": weights(4, 5)}),
    "gemm": ((4, 3), [(ops.Gemm(transA=1), "w")], {"w": weights(4, 5)}),
    "transpose": ((2, 3, 4), [(ops.Transpose(perm=(2, 0, 1)),)], {}),
    "reshape": ((2, 3, 4), [(ops.Reshape(), "to")], {"to": np.array([4, 6], I64)}),
    "flatten": ((2, 3, 4), [(ops.Flatten(),)], {}),
    "slice": (
        (4, 9), [(ops.Slice(), "from", "to", "axes", "steps")],
        {"from": np.array([1], I64), "to": np.array([9], I64), "axes": np.array([1], I64),
         "steps": np.array([3], I64)},
    ),
    "concat": ((2, 3), [(ops.Concat(axis=1), "c")], {"c": weights(2, 1)}),
    "gather": ((4, 3), [(ops.Gather(axis=0), "i")], {"i": np.array([3, 1], I64)}),
    "depth to space": ((1, 8, 2, 2), [(ops.DepthToSpace(blocksize=2),)], {}),
    "bilinear": (
        (1, 1, 4, 4), [(ops.Resize(mode="linear"), "", "scales")],
        {"scales": np.array([1, 1, 2, 2], F32)},
    ),
    "nearest": (
        (1, 1, 5, 5), [(ops.Resize(), "", "", "sizes")], {"sizes": np.array([1, 1, 3, 2], I64)},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_operators(name):
    shape, nodes, constants = CASES[name]
    graph = graph_of(shape, *nodes, **constants)
    (output,) = graph.outputs
    sizes = graph.types[output].sizes
    hold(graph, tuple(0 for _ in sizes))
    hold(graph, tuple(n // 2 for n in sizes))
    if name != "concat":  # its end is the constant
        hold(graph, tuple(n - 1 for n in sizes))


def test_padding_depends_on_nothing():
    graph = graph_of((1, 4), (ops.Pad(), "pads"), pads=np.array([0, 2, 0, 0], I64))
    found = receptive_field(graph, "y0", [(0, 1), (0, 2)]).values["x"]
    assert found.size == 0
    assert receptive_field(graph, "y0", [(0, 1), (1, 3)]).values["x"].box == [(0, 1), (0, 1)]


def test_branches_that_meet():
    """A residual block: the box is the larger branch's."""
    types = {"x": TensorType(F32, (1, 1, 9))}
    conv = ops.Conv(pads=(1, 1))
    nodes = (
        Node(conv, ("x", "w"), ("a",)),
        Node(ops.Add(), ("a", "x"), ("y",)),
    )
    graph = infer(Graph(("x",), ("y",), nodes, {"w": weights(1, 1, 3)}, types))
    found = hold(graph, (0, 0, 4))
    assert found.box == [(0, 1), (0, 1), (3, 6)]


def test_what_has_no_rule_is_everything_and_says_so():
    graph = graph_of((2, 5), (ops.CumSum(), "axis"), axis=np.array(1))
    found = hold(graph, (0, 1), exactly=False)
    assert (found.exact, found.share) == (False, 1.0)


def test_regions():
    """A region's field is that of all its elements together."""
    graph = graph_of((1, 1, 20), (ops.Conv(dilations=(4,)), "w"), w=weights(1, 1, 2))
    found = receptive_field(graph, "y0", [(0, 1), (0, 1), (2, 3)]).values["x"]
    assert (found.box[2], found.steps[2], found.size) == ((2, 7), 4, 2)
    found = receptive_field(graph, "y0", [(0, 1), (0, 1), (2, 6)]).values["x"]
    assert (found.box[2], found.steps[2], found.size) == ((2, 10), 1, 8)


@pytest.mark.parametrize(
    "box", [[], [(0, 1)], [(0, 1), (2, 9)], [(0, 1), (1, 1)], [(0, 1), (-1, 1)]]
)
def test_regions_outside(box):
    graph = graph_of((2, 5), (ops.Relu(),))
    with pytest.raises(SuanziError, match="isn't inside"):
        receptive_field(graph, "y0", box)


def test_values_that_are_not_there():
    graph = graph_of((2, 5), (ops.Relu(),))
    with pytest.raises(SuanziError, match="no such value"):
        receptive_field(graph, "z", [(0, 1), (0, 1)])
