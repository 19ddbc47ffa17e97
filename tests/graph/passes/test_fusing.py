import numpy as np
import pytest

from graph_support import Net, counts, rewritten
from suanzi.graph.fused import Chain, Fused
from suanzi.graph.passes.fuse_chains import MAX_INPUTS, MAX_LINKS, fuse_chains
from suanzi.graph.passes.fuse_epilogues import fuse_epilogues
from suanzi.operators.activation import Clip, HardSigmoid, Relu, Sigmoid
from suanzi.operators.arithmetic import Add, Mul, Sqrt
from suanzi.operators.convolution import Conv, ConvTranspose
from suanzi.operators.linear import Gemm, MatMul
from suanzi.operators.logic import Greater, Where
from suanzi.operators.pooling import GlobalAveragePool

RNG = np.random.default_rng(0)
F32 = np.float32


def weights(*shape):
    return RNG.standard_normal(shape).astype(F32)


def fuse(graph):
    return fuse_epilogues(fuse_chains(graph))


def only(graph, kind):
    (node,) = (node for node in graph.nodes if isinstance(node.operator, kind))
    return node


def hardswish(net, x):
    y = net(Clip(), net(Add(), x, F32(3)), F32(0), F32(6))
    return net(Mul(), net(Mul(), x, y), F32(1 / 6))


def test_a_chain_takes_values_that_it_reads_twice():
    net = Net()
    x = net.input("x", (1, 2, 3, 3))
    y = hardswish(net, net(Mul(), x, weights(2, 1, 1)))
    after = rewritten(net.graph(y), fuse_chains)
    assert counts(after) == {"Chain": 1}
    (node,) = after.nodes
    assert node.operator.title == "Mul+Add+Clip+Mul+Mul"
    assert node.inputs[0] == "x"  # what has the chain's shape comes first
    assert node.outputs == (y,)


def test_a_value_that_others_read_ends_a_chain():
    net = Net()
    x = net.input("x", (1, 2, 3, 3))
    y = net(Relu(), net(Add(), x, F32(1)))
    z = net(Relu(), net(Mul(), y, net(GlobalAveragePool(), y)))
    out = net(Sigmoid(), z)
    after = rewritten(net.graph(out, z), fuse_chains)
    assert [n.operator.title for n in after.nodes if isinstance(n.operator, Chain)] == [
        "Add+Relu",
        "Mul+Relu",
        "Sigmoid",
    ]


def test_smaller_values_and_wider_types_stay_outside():
    net = Net()
    x, n = net.input("x", (2, 3)), net.input("n", (2, 3), np.int64)
    row = net(Relu(), net.input("row", (3,)))
    mask = net(Greater(), x, row)
    y = net(Relu(), net(Where(), mask, net(Relu(), net(Mul(), x, row)), F32(0)))
    after = rewritten(net.graph(y, net(Add(), n, np.array(1))), fuse_chains)
    titles = [n.operator.title for n in after.nodes]
    assert titles == ["Relu", "Greater+Mul+Relu+Where+Relu", "Add"]


def test_a_chain_has_so_many_inputs_and_links_at_most():
    net = Net()
    y = net.input("x", (2, 3))
    for _ in range(MAX_INPUTS):
        y = net(Add(), y, weights(3))
    after = rewritten(net.graph(y), fuse_chains)
    assert sorted(n.operator.arity for n in after.nodes) == [2, MAX_INPUTS]
    net = Net()
    y = net.input("x", (2, 3))
    for _ in range(MAX_LINKS + 1):
        y = net(Relu(), y)
    assert counts(rewritten(net.graph(y), fuse_chains)) == {"Chain": 2}


def test_unknown_sizes_make_no_chain():
    net = Net()
    known, unknown = net.input("known", (2, 3)), net.input("unknown", ("N", 3))
    y = net(Sqrt(), net(Relu(), known))
    z = net(Sqrt(), net(Relu(), unknown))
    assert counts(fuse_chains(net.graph(y, z))) == {"Chain": 1, "Relu": 1, "Sqrt": 1}


BODIES = {
    "Conv": (Conv(), (1, 2, 5, 5), (weights(4, 2, 3, 3), weights(4))),
    "Conv, no bias": (Conv(), (1, 2, 5), (weights(4, 2, 3), None)),
    "ConvTranspose": (ConvTranspose(), (1, 2, 5, 5), (weights(2, 4, 3, 3),)),
    "Gemm": (Gemm(), (3, 2), (weights(2, 4), weights(4))),
    "MatMul": (MatMul(), (2, 3, 2), (weights(2, 4),)),
}


@pytest.mark.parametrize("body", BODIES)
def test_a_chain_joins_the_body_before_it(body):
    operator, shape, constants = BODIES[body]
    net = Net()
    y = hardswish(net, net(operator, net.input("x", shape), *constants))
    after = rewritten(net.graph(y), fuse)
    node = only(after, Fused)
    assert len(after.nodes) == 1
    assert node.operator.body == operator
    assert node.inputs[0] == "x"
    assert len(node.inputs) == node.operator.arity + node.operator.chain.arity - 1


def test_a_residual_joins_the_latest_convolution():
    net = Net()
    x = net.input("x", (1, 4, 5, 5))
    short = net(Conv(), x, weights(4, 4, 1, 1))
    long = net(Conv(pads=(1, 1, 1, 1)), net(Relu(), x), weights(4, 4, 3, 3))
    y = net(Relu(), net(Add(), short, long))
    after = rewritten(net.graph(y), fuse)
    assert counts(after) == {"Conv": 1, "Chain": 1, "Fused": 1}
    assert only(after, Fused).operator.body.pads == (1, 1, 1, 1)
    assert only(after, Fused).inputs[-1] == short


def test_an_operand_made_after_the_body_is_there_in_time():
    net = Net()
    x = net.input("x", (1, 4, 5, 5))
    long = net(Conv(), x, weights(4, 4, 1, 1))
    gate = net(HardSigmoid(), net(GlobalAveragePool(), x))
    after = rewritten(net.graph(net(Mul(), gate, long)), fuse)
    assert counts(after) == {"GlobalAveragePool": 1, "Chain": 1, "Fused": 1}
    assert isinstance(after.nodes[-1].operator, Fused)


@pytest.mark.parametrize("why", ["read twice", "output", "wider"])
def test_what_a_body_cannot_write_stays(why):
    net = Net()
    x = net.input("x", (1, 2, 1, 1))
    y = net(Conv(), x, weights(4, 2, 1, 1))
    z = net(Add(), y, weights(4, 3, 3) if why == "wider" else weights(4, 1, 1))
    outputs = {"output": [y], "read twice": [net(GlobalAveragePool(), y)]}.get(why, [])
    after = rewritten(net.graph(z, *outputs), fuse)
    assert counts(after)["Conv"] == counts(after)["Chain"] == 1
