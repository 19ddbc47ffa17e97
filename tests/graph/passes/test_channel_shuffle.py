import numpy as np
import pytest

from graph_support import Net, counts, rewritten
from suanzi.graph.passes.channel_shuffle import channel_shuffle
from suanzi.operators import ChannelShuffle, Relu, Reshape, Transpose


def spelled_out(split, perm, back, shape=(2, 12, 3, 5)):
    net = Net()
    x = net(Relu(), net.input("x", shape))
    y = net(Transpose(perm=perm), net(Reshape(), x, np.array(split)))
    return net.graph(net(Relu(), net(Reshape(), y, np.array(back))))


@pytest.mark.parametrize("back", [(2, 12, 3, 5), (0, -1, 3, 5)])
def test_three_nodes_become_one(back):
    graph = spelled_out((2, 3, 4, 3, 5), (0, 2, 1, 3, 4), back)
    after = rewritten(graph, channel_shuffle)
    assert counts(after) == {"Relu": 2, "ChannelShuffle": 1}
    assert ChannelShuffle(group=3) in [node.operator for node in after.nodes]


@pytest.mark.parametrize(
    ("split", "perm", "back"),
    [
        ((2, 3, 4, 5, 3), (0, 2, 1, 3, 4), (2, 12, 3, 5)),  # rows and columns change as well
        ((2, 3, 4, 3, 5), (0, 2, 1, 4, 3), (2, 12, 3, 5)),
        ((2, 3, 4, 3, 5), (0, 2, 1, 3, 4), (2, 12, 5, 3)),
        ((6, 4, 3, 5), (0, 2, 1, 3), (2, 12, 3, 5)),
    ],
)
def test_other_shuffles_stay(split, perm, back):
    after = rewritten(spelled_out(split, perm, back), channel_shuffle)
    assert "ChannelShuffle" not in counts(after)
