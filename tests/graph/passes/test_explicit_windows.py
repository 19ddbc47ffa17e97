import numpy as np
import pytest

from graph_support import Net, counts, rewritten
from suanzi.graph.passes.explicit_windows import explicit_windows
from suanzi.operators.activation import Relu
from suanzi.operators.convolution import Conv, ConvTranspose
from suanzi.operators.joining import Pad
from suanzi.operators.pooling import AveragePool, MaxPool
from suanzi.operators.shape import Reshape, Unsqueeze

RNG = np.random.default_rng(0)
W = RNG.standard_normal((4, 2, 3, 3)).astype(np.float32)


@pytest.mark.parametrize("auto_pad", ["NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER"])
@pytest.mark.parametrize("kind", [Conv, ConvTranspose, MaxPool, AveragePool])
def test_attributes_are_spelt_out(kind, auto_pad):
    net = Net()
    strides = (2, 3)
    if kind in (MaxPool, AveragePool):
        operator, weights = kind(kernel_shape=(3, 2), auto_pad=auto_pad, strides=strides), ()
    else:
        operator = kind(auto_pad=auto_pad, strides=strides)
        weights = (W if kind is Conv else W.swapaxes(0, 1),)
    graph = net.graph(net(operator, net.input("x", (1, 2, 7, 8)), *weights))
    (node,) = rewritten(graph, explicit_windows).nodes
    assert node.operator.auto_pad == "NOTSET"
    assert node.operator.strides == strides
    assert None not in (node.operator.kernel_shape, node.operator.pads, node.operator.dilations)


def padded(pads, conv, *, value=0.0, axes=None, mode="constant", shape=(1, 2, 6, 7)):
    net = Net()
    pad = net(Pad(mode=mode), net.input("x", shape), np.array(pads), np.float32(value), axes)
    return net.graph(net(conv, pad, W))


def test_a_pad_goes_into_the_convolution():
    for pads, axes in ([0, 0, 1, 2, 0, 0, 3, 0], None), ([2, 0, 0, 3], np.array([-1, 2])):
        after = rewritten(padded(pads, Conv(pads=(1, 0, 0, 1)), axes=axes), explicit_windows)
        assert counts(after) == {"Conv": 1}
        expected = (2, 2, 3, 1) if axes is None else (1, 2, 3, 1)
        assert after.nodes[0].operator.pads == expected


@pytest.mark.parametrize(
    "graph",
    [
        padded([0, 0, 1, 1, 0, 0, 1, 1], Conv(), value=1.0),
        padded([0, 0, 1, 1, 0, 0, 1, 1], Conv(), mode="reflect"),
        padded([0, 0, 1, 1, 0, 0, -1, 1], Conv()),
        padded([1, 0, 1, 1, 0, 0, 1, 1], Conv()),
        padded([0, 1, 0, 0, 0, 0, 0, 0], Conv(), shape=(1, 1, 6, 7)),
    ],
)
def test_other_pads_stay(graph):
    assert counts(rewritten(graph, explicit_windows)) == {"Pad": 1, "Conv": 1}


def test_a_pad_that_others_read_stays_for_them():
    net = Net()
    pad = net(Pad(), net.input("x", (1, 2, 6, 7)), np.array([0, 0, 1, 1, 0, 0, 1, 1]))
    after = rewritten(net.graph(net(Conv(), pad, W), net(Relu(), pad)), explicit_windows)
    assert counts(after) == {"Pad": 1, "Conv": 1, "Relu": 1}
    assert next(n for n in after.nodes if isinstance(n.operator, Conv)).inputs[0] == "x"


def test_a_pad_goes_past_axes_of_one():
    net = Net()
    pad = net(Pad(), net.input("x", (1, 2, 6)), np.array([0, 0, 1, 0, 0, 2]))
    conv = net(Conv(), net(Unsqueeze(), pad, np.array([2])), W[:, :, :1])
    after = rewritten(net.graph(conv), explicit_windows)
    assert counts(after) == {"Reshape": 1, "Conv": 1}
    assert after.nodes[1].operator.pads == (0, 1, 0, 2)


def test_a_pad_stays_before_a_reshape_that_mixes_axes():
    net = Net()
    pad = net(Pad(), net.input("x", (1, 2, 4, 9)), np.array([0, 0, 1, 0, 0, 0, 1, 0]))
    conv = net(Conv(), net(Reshape(), pad, np.array([1, 2, 9, 6])), W)
    assert counts(rewritten(net.graph(conv), explicit_windows)) == {
        "Pad": 1,
        "Reshape": 1,
        "Conv": 1,
    }
