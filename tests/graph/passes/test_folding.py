import numpy as np
import pytest

from graph_support import Net, counts, rewritten
from suanzi.errors import SuanziError
from suanzi.graph.passes.common import common
from suanzi.graph.passes.dead_code import dead_code
from suanzi.graph.passes.fold_batch_norm import fold_batch_norm
from suanzi.graph.passes.fold_constants import fold_constants
from suanzi.graph.passes.fold_scale import fold_scale
from suanzi.operators.activation import Relu
from suanzi.operators.arithmetic import Add, Div, Mul, Sub
from suanzi.operators.convolution import Conv, ConvTranspose
from suanzi.operators.filling import ConstantOfShape, Shape
from suanzi.operators.joining import Split
from suanzi.operators.linear import Gemm, MatMul
from suanzi.operators.normalization import BatchNormalization
from suanzi.operators.pooling import MaxPool
from suanzi.operators.shape import Expand, Reshape

RNG = np.random.default_rng(0)


def weights(*shape):
    return RNG.standard_normal(shape).astype(np.float32)


def test_dead_nodes_constants_and_optional_outputs_go():
    net = Net()
    x = net.input("x", (1, 1, 4, 4))
    unused = net.input("unused", (2,))
    net(Add(), unused, weights(2))
    y, _ = net(MaxPool(kernel_shape=(2, 2)), x, outputs=2)
    graph = net.graph(y)
    after = rewritten(graph, dead_code)
    assert [node.outputs for node in after.nodes] == [(y,)]
    assert after.constants == {}
    assert after.types.keys() == {"x", "unused", y}


def test_an_output_that_is_read_keeps_its_place():
    net = Net()
    x = net.input("x", (4, 2))
    _, second = net(Split(num_outputs=2), x, outputs=2)
    after = rewritten(net.graph(second), dead_code)
    assert after.nodes[0].outputs == ("", second)


def test_constants_and_shapes_are_folded():
    net = Net()
    x = net.input("x", (2, 6))
    shape = net(Add(), net(Shape(), x), np.array([1, -3]))  # known, though x isn't
    ones = net(ConstantOfShape(), np.array([6]))
    graph = net.graph(net(Reshape(), net(Add(), x, ones), np.array([3, 4])), shape)
    after = rewritten(graph, fold_constants)
    assert counts(after) == {"Add": 1, "Reshape": 1}
    np.testing.assert_array_equal(after.constants[shape], [3, 3])


@pytest.mark.parametrize("operator", [ConstantOfShape(), Expand()])
def test_a_constant_larger_than_memory_is_refused(operator):
    net = Net()
    shape = np.array([1 << 30, 1 << 30])
    y = net(operator, *([shape] if isinstance(operator, ConstantOfShape) else [weights(1), shape]))
    with pytest.raises(SuanziError, match="more memory than there is") as error:
        fold_constants(net.graph(y))
    assert error.value.node == f"{y} ({type(operator).__name__})"


def test_equal_nodes_and_constants_become_one():
    net = Net()
    x = net.input("x", (2, 3))
    a = net(Add(), net(Relu(), x), np.ones(3, np.float32))
    b = net(Add(), net(Relu(), x), np.ones(3, np.float32))
    c = net(Add(), net(Relu(), x), np.ones((1, 3), np.float32))
    after = rewritten(net.graph(net(Mul(), net(Mul(), a, b), c)), common)
    assert counts(after) == {"Relu": 1, "Add": 2, "Mul": 2}
    assert len(after.constants) == 2


C1 = weights(4, 1, 1)
BODIES = {
    "Conv": (Conv(), (1, 2, 5, 5), (weights(4, 2, 3, 3), weights(4)), C1),
    "Conv, no bias": (Conv(), (1, 2, 5, 5), (weights(4, 2, 3, 3),), C1[None]),
    "Conv, one axis": (Conv(group=2), (1, 2, 5), (weights(4, 1, 3),), C1[:, 0]),
    "ConvTranspose": (ConvTranspose(), (1, 3, 5, 5), (weights(3, 4, 2, 2), weights(4)), C1),
    "ConvTranspose, groups": (ConvTranspose(group=2), (1, 6, 5, 5), (weights(6, 2, 2, 2),), C1),
    "Gemm": (Gemm(alpha=0.5, beta=2.0), (3, 2), (weights(2, 4), weights(4)), C1[:, 0, 0]),
    "Gemm, transB": (Gemm(transB=1), (3, 2), (weights(4, 2), weights(3, 1)), C1[:, 0, 0]),
    "Gemm, no C": (Gemm(), (3, 2), (weights(2, 4),), C1[:, 0, 0]),
}


@pytest.mark.parametrize("scale", ["channel", "number"])
@pytest.mark.parametrize("body", BODIES)
def test_scales_and_terms_go_into_the_weights(body, scale):
    operator, shape, constants, c = BODIES[body]
    c = c if scale == "channel" else np.float32(1.5)
    net = Net()
    y = net(operator, net.input("x", shape), *constants)
    y = net(Add(), c, net(Mul(), y, c))
    y = net(Sub(), np.float32(2), net(Sub(), y, c))
    y = net(Relu(), net(Div(), y, 1 + c * c))
    after = rewritten(net.graph(y), fold_scale)
    assert counts(after) == {type(operator).__name__: 1, "Relu": 1}
    assert len(after.constants) == 2


def test_factors_alone_go_into_a_matmul():
    net = Net()
    y = net(Mul(), net(MatMul(), net.input("x", (2, 3, 2)), weights(2, 4)), weights(4))
    after = rewritten(net.graph(net(Add(), y, weights(4))), fold_scale)
    assert counts(after) == {"MatMul": 1, "Add": 1}


@pytest.mark.parametrize("why", ["rows", "wider", "divisor", "infinite", "read twice", "output"])
def test_what_cannot_go_into_the_weights_stays(why):
    net = Net()
    conv = net(Conv(), net.input("x", (1, 2, 4, 4)), weights(4, 2, 1, 1))
    if why == "rows":
        y = net(Mul(), conv, weights(4, 1))  # a number for each row of the image
    elif why == "wider":
        y = net(Mul(), conv, weights(2, 1, 1, 1))
    elif why == "divisor":
        y = net(Div(), np.float32(1), conv)
    elif why == "infinite":
        y = net(Div(), conv, np.float32(0))
    else:
        y = net(Mul(), conv, np.float32(2))
    others = {"read twice": lambda: net(Relu(), conv), "output": lambda: conv}
    graph = net.graph(y, *(other() for name, other in others.items() if name == why))
    assert rewritten(graph, fold_scale).nodes == graph.nodes


def test_weights_that_two_share_are_not_changed_for_the_other():
    net = Net()
    W = net.constant(weights(4, 2, 1, 1))
    x = net.input("x", (1, 2, 4, 4))
    scaled = net(Mul(), net(Conv(), x, W), np.float32(2))
    after = rewritten(net.graph(scaled, net(Conv(), x, W)), fold_scale)
    assert counts(after) == {"Conv": 2}


@pytest.mark.parametrize("shape", [(2, 3, 4, 5), (2, 3), (2, 3, 4)])
def test_batch_normalization_whose_statistics_arrive_is_a_line_for_each_channel(shape):
    net = Net()
    x = net.input("x", shape)
    parameters = [net.input(name, (3,)) for name in ("scale", "B", "mean")]
    var = net(Mul(), *[net.input("deviation", (3,))] * 2)
    y = net(BatchNormalization(epsilon=0.01), x, *parameters, var)
    after = rewritten(net.graph(y), fold_batch_norm)
    assert "BatchNormalization" not in counts(after)
    full = [node for node in after.nodes if after.types[node.outputs[0]].shape == shape]
    assert [type(node.operator) for node in full] == [Mul, Add]


def test_batch_normalization_with_constant_statistics_has_two_constants():
    net = Net()
    y = net(BatchNormalization(), net.input("x", (2, 3, 4)), *weights(3, 3), weights(3) ** 2)
    assert counts(rewritten(net.graph(y), fold_batch_norm)) == {"Mul": 1, "Add": 1}
