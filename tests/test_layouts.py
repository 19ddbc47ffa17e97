"""Which values a prepared graph has in blocks of channels, on this machine's target."""

import itertools

import numpy as np
import pytest

from graph_support import Net
from suanzi.compiler import Compiler, prepare
from suanzi.graph.fused import Reorder
from suanzi.graph.infer import infer
from suanzi.lang.target import AVX512
from suanzi.operators.convolution import Conv


def conv(net, x, C, K, size):
    W = np.ones((K, C, size, size), np.float32)
    return net(Conv(pads=(size // 2,) * 4), x, W)


@pytest.mark.parametrize(
    ("channels", "expected"),
    [
        ((3, 64, 64), [0]),  # plain would suit the first a little better, but not the second
        ((3, 64, 64, 1), [0]),  # plain is so much better for the last that it is worth moving
        ((1, 4, 1), []),
    ],
)
def test_layouts_change_where_it_pays(channels, expected):
    net = Net()
    x = net.input("x", (1, channels[0], 224, 224))
    for C, K in itertools.pairwise(channels):
        x = conv(net, x, C, K, 3)
    after = prepare(infer(net.graph(x)), Compiler(AVX512, threads=1))
    assert [n.operator.lanes for n in after.nodes if isinstance(n.operator, Reorder)] == expected
