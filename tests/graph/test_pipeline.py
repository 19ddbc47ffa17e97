from collections import Counter

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from graph_support import Net, counts, rewritten
from suanzi.graph.evaluate import evaluate
from suanzi.graph.fused import Fused
from suanzi.graph.infer import infer
from suanzi.graph.passes.layout import blocked_layout
from suanzi.graph.pipeline import optimize
from suanzi.operators import TensorType
from suanzi.operators.activation import Clip, HardSigmoid, LeakyRelu, Relu, Sigmoid
from suanzi.operators.arithmetic import Add, Div, Mul, Sum
from suanzi.operators.cast import Identity
from suanzi.operators.convolution import Conv, ConvTranspose
from suanzi.operators.filling import Shape
from suanzi.operators.joining import Concat, Pad
from suanzi.operators.linear import Gemm
from suanzi.operators.normalization import BatchNormalization
from suanzi.operators.pooling import AveragePool, GlobalAveragePool, MaxPool
from suanzi.operators.shape import Flatten, Reshape, Transpose

F32 = np.float32


class Grower:
    """Adds layers to a net; `x` is a value [1, channels, size, size]."""

    def __init__(self, net, rng):
        self.net, self.rng = net, rng

    def normal(self, *shape):
        return self.rng.standard_normal(shape).astype(F32)

    def conv(self, x, channels, outputs, **attributes):
        W = self.normal(outputs, channels // attributes.get("group", 1), 3, 3) / 3 / channels**0.5
        B = self.normal(outputs) if self.rng.random() < 0.5 else None
        return self.net(Conv(**attributes), x, W, B)

    def same(self, x, channels):
        """A convolution that keeps the size, padded in one of three ways."""
        match self.rng.integers(3):
            case 0:
                return self.conv(x, channels, channels, pads=(1, 1, 1, 1))
            case 1:
                return self.conv(x, channels, channels, auto_pad="SAME_LOWER", group=channels)
            case _:
                pad = self.net(Pad(), x, np.array([0, 0, 1, 1, 0, 0, 1, 1]))
                return self.conv(pad, channels, channels)

    def norm(self, x, channels):
        var = self.rng.uniform(0.5, 2, channels).astype(F32)
        scale, B, mean = (self.normal(channels) for _ in range(3))
        return self.net(BatchNormalization(), x, scale, B, mean, var)


def activation(g, x, channels):
    match g.rng.integers(5):
        case 0:
            return g.net(Relu(), x)
        case 1:
            y = g.net(Clip(), g.net(Add(), x, F32(3)), F32(0), F32(6))
            return g.net(Div(), g.net(Mul(), x, y), F32(6))
        case 2:
            return g.net(Mul(), x, g.net(Sigmoid(), x))
        case 3:
            return g.net(LeakyRelu(alpha=0.1), g.net(Identity(), x))
        case _:
            return g.net(Add(), g.net(Mul(), x, g.normal(1)), g.normal(channels, 1, 1))


def residual(g, x, channels):
    y = g.norm(g.same(x, channels), channels)
    return g.net(Relu(), g.net(Sum() if g.rng.random() < 0.5 else Add(), y, x))


def gate(g, x, channels):
    y = g.net(GlobalAveragePool(), x)
    y = g.net(HardSigmoid(), g.net(Conv(), y, g.normal(channels, channels, 1, 1)))
    return g.net(Mul(), x, y)


def shuffle(g, x, channels):
    shape = np.array([1, 2, channels // 2, -1])
    y = g.net(Transpose(perm=(0, 2, 1, 3)), g.net(Reshape(), x, shape))
    return g.net(Reshape(), y, g.net(Shape(), x))


def branches(g, x, channels):
    half = g.net(Conv(), x, g.normal(channels // 2, channels, 1, 1))
    rest = g.net(ConvTranspose(pads=(1, 1, 1, 1)), x, g.normal(channels, channels // 2, 3, 3) / 9)
    return g.net(Concat(axis=1), half, rest)


def pooled(g, x, channels):
    kind = MaxPool if g.rng.random() < 0.5 else AveragePool
    return g.net(kind(kernel_shape=(3, 3), auto_pad="SAME_UPPER"), x)


def line(g, x, channels):
    return g.norm(g.same(x, channels), channels)


LAYERS = (activation, residual, gate, shuffle, branches, pooled, line)


@settings(max_examples=40, deadline=None)
@given(
    layers=st.lists(st.sampled_from(LAYERS), min_size=1, max_size=7),
    channels=st.sampled_from([4, 8, 16]),
    lanes=st.sampled_from([4, 8]),
    seed=st.integers(0, 2**16),
    seen=st.booleans(),
)
def test_random_networks_keep_their_meaning(layers, channels, lanes, seed, seen):
    net = Net()
    g = Grower(net, np.random.default_rng(seed))
    y = g.conv(net.input("x", (1, 3, 5, 5)), 3, channels)
    values = [y := layer(g, y, channels) for layer in layers]
    flat = net(Flatten(), net(GlobalAveragePool(), y))
    outputs = [net(Gemm(transB=1), flat, g.normal(5, channels), g.normal(5))]
    if seen:
        outputs.append(values[seed % len(values)])
    graph = net.graph(*dict.fromkeys(outputs))
    after = rewritten(graph, optimize)
    left = {"Pad", "BatchNormalization", "Shape", "Identity", "Div", "Relu", "Sum", "Clip"}
    assert left.isdisjoint(counts(after).keys() - ({"Identity"} if seen else set()))
    rewritten(graph, lambda g: blocked_layout(optimize(g), lanes, lambda node, graph: True))


def test_a_residual_block_ends_as_its_convolutions():
    net, rng = Net(), np.random.default_rng(0)
    g = Grower(net, rng)
    x = net(Relu(), g.norm(g.conv(net.input("x", (1, 3, 6, 6)), 3, 8), 8))
    y = net(Relu(), g.norm(g.conv(x, 8, 8, pads=(1, 1, 1, 1)), 8))
    y = net(Relu(), net(Sum(), g.norm(g.conv(y, 8, 8, pads=(1, 1, 1, 1)), 8), x))
    after = rewritten(net.graph(y), optimize)
    assert counts(after) == {"Fused": 3}
    assert [node.operator.title for node in after.nodes] == [
        "Conv+Relu",
        "Conv+Relu",
        "Conv+Add+Relu",
    ]
    assert all(isinstance(node.operator, Fused) for node in after.nodes)


def test_values_to_keep_become_outputs():
    net = Net()
    y = net(Add(), net(Relu(), net.input("x", (2, 3))), F32(1))
    graph = net.graph(y)
    assert optimize(graph).outputs == (y,)
    after = optimize(graph, frozenset({"v0"}))
    assert after.outputs == (y, "v0")
    feeds = {"x": np.array([[-1, 0, 1], [2, 3, 4]], F32)}
    np.testing.assert_array_equal(evaluate(after, feeds)["v0"], evaluate(graph, feeds)["v0"])


def test_a_graph_optimized_before_its_sizes_are_known_ends_the_same():
    net = Net()
    g = Grower(net, np.random.default_rng(0))
    x = net.input("x", ("N", 3, None, "W"))
    y = net(Relu(), g.norm(g.conv(x, 3, 8, auto_pad="SAME_UPPER"), 8))
    y = net(Mul(), y, net(Clip(), net(Add(), net(Identity(), y), F32(3)), F32(0), F32(6)))
    graph = net.graph(net(Flatten(), gate(g, y, 8)))
    early = optimize(graph)
    assert counts(early) == counts(graph) - Counter(["BatchNormalization", "Identity"])
    types = {"x": TensorType(F32, (1, 3, 6, 7))}
    direct, later = optimize(infer(graph, types)), optimize(infer(early, types))
    assert counts(later) == counts(direct)
    feeds = {"x": g.normal(1, 3, 6, 7)}
    (name,) = graph.outputs
    np.testing.assert_allclose(
        evaluate(later, feeds)[name], evaluate(infer(graph, types), feeds)[name], atol=1e-5
    )
