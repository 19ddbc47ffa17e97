import numpy as np
import pytest

from graph_support import Net, counts, rewritten
from suanzi.graph.fused import Fused, Reorder
from suanzi.graph.passes.fuse_chains import fuse_chains
from suanzi.graph.passes.fuse_epilogues import fuse_epilogues
from suanzi.graph.passes.layout import blocked_layout
from suanzi.operators.activation import HardSigmoid, Relu
from suanzi.operators.arithmetic import Add, Mul
from suanzi.operators.convolution import Conv, ConvTranspose, ConvWeightGradient
from suanzi.operators.joining import Concat
from suanzi.operators.pooling import GlobalAveragePool, MaxPool
from suanzi.operators.pooling_gradient import MaxPoolGradient
from suanzi.operators.reduction import ReduceSum
from suanzi.operators.resize import Resize
from suanzi.operators.shape import Flatten

RNG = np.random.default_rng(0)
LANES = 8


def weights(*shape):
    return RNG.standard_normal(shape).astype(np.float32) / 4


def conv(net, x, channels, outputs, kernel=1):
    pads = (kernel // 2,) * 4
    return net(Conv(pads=pads), x, weights(outputs, channels, kernel, kernel))


def laid_out(graph, accepts=lambda node, graph: True):
    """After fusing and layout; every node must be given inputs of the layout that it is for."""

    def apply(graph):
        return blocked_layout(fuse_epilogues(fuse_chains(graph)), LANES, accepts)

    after = rewritten(graph, apply)
    for name in (*after.inputs, *after.outputs, *after.constants):
        assert name not in after.lanes
    for node in after.nodes:
        if isinstance(node.operator, Reorder):
            (source,), (made,) = node.inputs, node.outputs
            assert after.lanes.get(source, 0) == LANES - node.operator.lanes
            assert after.lanes.get(made, 0) == node.operator.lanes
    return after


def reorders(graph):
    return [n.operator.lanes for n in graph.nodes if isinstance(n.operator, Reorder)]


def test_a_network_is_blocked_from_its_first_convolution_to_its_end():
    net = Net()
    y = conv(net, net.input("x", (1, 3, 9, 9)), 3, 16, 3)
    short = net(MaxPool(kernel_shape=(2, 2)), net(Relu(), y))
    y = net(Relu(), net(Add(), conv(net, short, 16, 16), short))
    y = net(Flatten(), net(GlobalAveragePool(), y))
    after = laid_out(net.graph(y))
    assert reorders(after) == [0]  # before Flatten: the first convolution reads plain channels
    assert len(after.lanes) == 4


def test_an_image_with_many_channels_is_reordered_first():
    net = Net()
    x = net.input("x", (1, 8, 5, 5))
    after = laid_out(net.graph(conv(net, x, 8, 4), conv(net, x, 8, 4, 3)))
    assert reorders(after) == [LANES, 0, 0]  # once for the two


def test_few_channels_that_are_blocked_stay_so():
    net = Net()
    y = conv(net, conv(net, net.input("x", (1, 3, 5, 5)), 3, 4), 4, 4)
    assert reorders(laid_out(net.graph(y))) == [0]


def test_a_transposed_convolution_may_write_plain_from_blocks():
    net = Net()
    y = conv(net, net.input("x", (1, 8, 5, 5)), 8, 8)
    z = net(ConvTranspose(strides=(2, 2)), y, weights(8, 1, 2, 2))
    graph = net.graph(net(Flatten(), z))
    after = laid_out(graph, lambda node, laid: node.outputs[0] != z or z not in laid.lanes)
    assert reorders(after) == [LANES]  # for the first convolution, and none after
    assert z not in after.lanes


def test_what_has_no_kernel_runs_plain():
    net = Net()
    y = conv(net, net.input("x", (1, 3, 6, 6)), 3, 8)
    y = conv(net, net(MaxPool(kernel_shape=(2, 2)), y), 8, 8)
    seen = []

    def accepts(node, graph):
        seen.append({name: graph.lanes.get(name, 0) for name in (*node.inputs, *node.outputs)})
        return not isinstance(node.operator, MaxPool)

    graph = net.graph(y)
    assert reorders(laid_out(graph, accepts)) == [0, LANES, 0]
    assert [list(lanes.values()) for lanes in seen] == [[0, 0, 8], [8, 8], [8, 0, 8]]
    assert blocked_layout(graph, LANES, lambda node, graph: False).nodes == graph.nodes


@pytest.mark.parametrize(("outputs", "expected"), [(8, [0]), (4, [0, 0])])
def test_whole_blocks_are_joined_in_blocks(outputs, expected):
    net = Net()
    x = net.input("x", (1, 3, 5, 5))
    y = net(Concat(axis=1), conv(net, x, 3, 8), conv(net, x, 3, outputs))
    assert reorders(laid_out(net.graph(y))) == expected


def test_plain_pieces_are_reordered_for_a_joint():
    net = Net()
    x = net.input("x", (1, 8, 5, 5))
    y = net(Concat(axis=-3), net(Relu(), x), conv(net, x, 8, 8))
    assert reorders(laid_out(net.graph(y))) == [LANES, LANES, 0]


def test_gates_and_images_of_a_chain_are_blocked_and_constants_are_not():
    net = Net()
    x = net.input("x", (1, 8, 5, 5))
    y = conv(net, x, 8, 8)
    gate = net(HardSigmoid(), conv(net, net(GlobalAveragePool(), y), 8, 8))
    y = net(Mul(), net(Mul(), y, gate), weights(1, 8, 1, 1))
    after = laid_out(net.graph(net(Add(), y, x), gate))
    chain = next(n for n in after.nodes if n.outputs[0].startswith(after.outputs[0]))
    assert sorted(after.lanes.get(name, 0) for name in chain.inputs) == [0, LANES, LANES, LANES]


def test_a_plain_chain_stays_plain():
    net = Net()
    x = net.input("x", (1, 8, 5, 5))
    assert counts(laid_out(net.graph(net(Relu(), x)))) == {"Chain": 1}


@pytest.mark.parametrize("scales", [(1, 1, 2, 2), (1, 2, 1, 1)])
def test_a_resize_of_space_is_blocked(scales):
    net = Net()
    y = conv(net, net.input("x", (1, 3, 4, 4)), 3, 8)
    y = net(Resize(mode="nearest"), y, None, np.array(scales, np.float32))
    after = laid_out(net.graph(net(Relu(), y)))
    assert len(after.lanes) == (3 if scales[1] == 1 else 1)


def test_one_axis_is_blocked_too():
    net = Net()
    y = net(Conv(), net.input("x", (1, 3, 9)), weights(8, 3, 2))
    gate = net(GlobalAveragePool(), net(Relu(), y))
    after = laid_out(net.graph(net(Mul(), y, gate)))
    assert reorders(after) == [0]


def test_few_channels_are_read_plain_unless_each_has_its_filter():
    net = Net()
    x = net.input("x", (1, 4, 5, 5))
    after = laid_out(net.graph(conv(net, x, 4, 8)))
    assert reorders(after) == [0]
    after = laid_out(net.graph(net(Conv(group=4), x, weights(4, 1, 3, 3))))
    assert reorders(after) == [8, 0]


def test_other_ranks_and_types_stay_plain():
    net = Net()
    volume = net(Conv(), net.input("volume", (1, 8, 5, 5, 5)), weights(8, 8, 1, 1, 1))
    double = net(
        Conv(), net.input("x", (1, 8, 5, 5), np.float64), weights(8, 8, 1, 1) * np.float64(1)
    )
    after = laid_out(net.graph(volume, double))
    assert after.lanes == {}


def test_a_value_that_is_an_output_and_read_on_has_both_forms():
    net = Net()
    y = conv(net, net.input("x", (1, 3, 5, 5)), 3, 8)
    z = conv(net, y, 8, 8)
    after = laid_out(net.graph(y, z))
    assert reorders(after) == [0, 0]
    assert isinstance(after.nodes[-2].operator, Conv | Fused)


def test_a_training_step_stays_in_blocks():
    """Forward, the gradients of input and weights, and the sums for each channel."""
    net = Net()
    x, w = net.input("x", (2, 8, 5, 5)), net.input("w", (16, 8, 3, 3))
    pads = (1, 1, 1, 1)
    y = net(Conv(pads=pads), net(Relu(), net(Conv(pads=pads), x, weights(8, 8, 3, 3))), w)
    slope = net(Relu(), y)
    bias = net(ReduceSum(keepdims=0), slope, np.array([0, 2, 3]))
    shift = net(Add(), slope, net.input("b", (1, 16, 1, 1)))
    dx = net(ConvTranspose(pads=pads), shift, w)
    dw = net(ConvWeightGradient(kernel_shape=(3, 3), pads=pads), x, shift)
    pooled = net(MaxPool(kernel_shape=(2, 2)), dx)
    back = net(MaxPoolGradient(kernel_shape=(2, 2)), pooled, dx)
    dw2 = net(ConvWeightGradient(kernel_shape=(1, 1)), dx, back)

    def accepts(node, graph):
        return not isinstance(node.operator, ConvTranspose) or node.outputs[0] in graph.lanes

    after = laid_out(net.graph(bias, dw, dw2), accepts)
    assert reorders(after) == [LANES]  # of x, once
    readers = [n for n in after.nodes if isinstance(n.operator, ConvWeightGradient | ReduceSum)]
    for node in readers:
        assert not after.lanes.get(node.outputs[0], 0)
        assert after.lanes.get(node.inputs[0], 0) == LANES
    gradient = next(n for n in after.nodes if isinstance(n.operator, MaxPoolGradient))
    assert all(after.lanes.get(name) == LANES for name in (*gradient.inputs, *gradient.outputs))


def test_few_channels_are_read_plain_by_their_weights_gradient():
    net = Net()
    x, w = net.input("x", (2, 3, 5, 5)), net.input("w", (16, 3, 3, 3))
    y = net(Relu(), net(Conv(), x, w))
    graph = net.graph(net(ConvWeightGradient(kernel_shape=(3, 3)), x, y))
    assert reorders(laid_out(graph)) == []


def test_what_no_kernel_reads_in_blocks_is_plain():
    net = Net()
    y = net(Relu(), net(Conv(), net.input("x", (2, 8, 5, 5)), weights(8, 8, 1, 1)))
    total = net(ReduceSum(keepdims=0), y, np.array([1]))

    def accepts(node, graph):
        return not isinstance(node.operator, ReduceSum)

    assert reorders(laid_out(net.graph(total), accepts)) == [LANES, 0]
