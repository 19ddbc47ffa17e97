from collections import Counter

import numpy as np
import pytest

from graph_support import Net, counts, rewritten
from suanzi.graph.passes.reshapes import reshapes
from suanzi.graph.passes.simplify import simplify
from suanzi.operators.activation import Relu
from suanzi.operators.arithmetic import Add, Div, Mul, Pow, Sub, Sum
from suanzi.operators.cast import Cast, Identity
from suanzi.operators.dropout import Dropout
from suanzi.operators.joining import Concat, Pad, Slice
from suanzi.operators.logic import Greater
from suanzi.operators.pooling import AveragePool, GlobalAveragePool, MaxPool
from suanzi.operators.reduction import ReduceMax, ReduceMean, ReduceSum
from suanzi.operators.shape import Expand, Flatten, Reshape, Squeeze, Transpose, Unsqueeze

F32 = np.float32
X = (2, 3, 4)


@pytest.mark.parametrize(
    ("operator", "others"),
    [
        (Identity(), ()),
        (Dropout(), (F32(0.5),)),
        (Cast(to=1), ()),
        (Concat(axis=1), ()),
        (Sum(), ()),
        (Add(), (np.zeros((3, 1), F32),)),
        (Sub(), (np.zeros(1, F32),)),
        (Mul(), (np.ones((), F32),)),
        (Div(), (np.ones(4, F32),)),
        (Pow(), (F32(1),)),
        (Slice(), (np.array([0, -9]), np.array([99, 99]))),
        (Pad(), (np.zeros(6, np.int64),)),
        (Expand(), (np.array([3, 1]),)),
    ],
)
def test_what_does_nothing_goes(operator, others):
    net = Net()
    x = net(Relu(), net.input("x", X))
    graph = net.graph(net(Relu(), net(operator, x, *others)), x)
    assert counts(rewritten(graph, simplify)) == {"Relu": 2}


@pytest.mark.parametrize(
    ("operator", "others"),
    [
        (Add(), (np.zeros((2, 1, 3, 4), F32),)),  # adds an axis
        (Mul(), (np.full((), 2, F32),)),
        (Sub(), (np.ones(1, F32),)),
        (Slice(), (np.array([-1]), np.array([-9]), np.array([0]), np.array([-1]))),  # turns round
        (Pad(), (np.array([0, 0, 1, 0, 0, 0]),)),
    ],
)
def test_what_does_something_stays(operator, others):
    net = Net()
    graph = net.graph(net(operator, net.input("x", X), *others))
    after = rewritten(graph, simplify)
    assert after.nodes == graph.nodes


def test_subtraction_from_zero_stays():
    net = Net()
    graph = net.graph(net(Sub(), np.zeros(1, F32), net.input("x", X)))
    assert counts(rewritten(graph, simplify)) == {"Sub": 1}


@pytest.mark.parametrize(
    ("operator", "other", "made"),
    [
        (Pow(), F32(2), {"Mul": 1}),
        (Pow(), np.array([0.5], F32), {"Sqrt": 1}),
        (Div(), np.full((3, 1), 6, F32), {"Mul": 1}),
        (Div(), F32(0), {"Div": 1}),
        (Div(), F32(1e-42), {"Div": 1}),
        (Div(), F32(3e38), {"Div": 1}),
        (Pow(), np.full((1, 1, 1, 1), 2, F32), {"Pow": 1}),
    ],
)
def test_costly_arithmetic_becomes_cheap(operator, other, made):
    net = Net()
    x = net(Mul(), *[net.input("x", X)] * 2)
    after = rewritten(net.graph(net(operator, x, other), x), simplify)
    assert counts(after) - Counter({"Mul": 1}) == made  # the one before


def test_integers_are_divided_as_they_were():
    net = Net()
    graph = net.graph(net(Div(), net.input("x", X, np.int64), np.array(2)))
    assert counts(rewritten(graph, simplify)) == {"Div": 1}


def test_sum_becomes_additions():
    net = Net()
    x, y, z = (net.input(name, X) for name in "xyz")
    assert counts(rewritten(net.graph(net(Sum(), x, y, z)), simplify)) == {"Add": 2}


def test_an_output_keeps_its_name_when_its_node_goes():
    net = Net()
    x = net.input("x", X)
    y = net(Relu(), x)
    first, second, third = net(Identity(), y), net(Identity(), y), net(Identity(), x)
    after = rewritten(net.graph(first, second, third), simplify)
    # One of the two takes Relu's place; the others are copies.
    assert counts(after) == {"Relu": 1, "Identity": 2}


def test_unknown_sizes_are_left_alone():
    net = Net()
    x = net.input("x", ("N", None))
    y = net(Reshape(), net(Flatten(), net(Identity(), x)), np.array([-1, 1]))
    y = net(Slice(), y, np.array([0]), np.array([5]))
    graph = net.graph(net(Transpose(), y))
    after = reshapes(simplify(graph))
    assert counts(after) == {"Flatten": 1, "Reshape": 1, "Slice": 1, "Transpose": 1}


def test_chains_of_reshapes_become_one():
    net = Net()
    y = net(Unsqueeze(), net.input("x", X), np.array([0, 3]))
    y = net(Flatten(axis=2), net(Squeeze(), y))
    y = net(Reshape(), y, np.array([0, -1, 2]))
    after = rewritten(net.graph(y), reshapes)
    assert counts(after) == {"Reshape": 1}
    assert after.nodes[0].inputs[0] == "x"


def test_reshapes_that_lead_back_go():
    net = Net()
    x = net(Relu(), net.input("x", X))
    y = net(Relu(), net(Reshape(), net(Flatten(), x), np.array(X)))
    assert counts(rewritten(net.graph(y), reshapes)) == {"Relu": 2}


def test_transposes_compose():
    net = Net()
    y = net(Transpose(perm=(1, 2, 0)), net.input("x", X))
    back = net(Relu(), net(Transpose(perm=(2, 0, 1)), y))
    after = rewritten(net.graph(back, net(Transpose(), y)), reshapes)
    assert counts(after) == {"Relu": 1, "Transpose": 1}
    (turned,) = (n for n in after.nodes if isinstance(n.operator, Transpose))
    assert turned.operator.perm == (0, 2, 1)


def test_a_transpose_that_moves_axes_of_one_is_a_reshape():
    net = Net()
    graph = net.graph(net(Transpose(perm=(0, 2, 3, 1)), net.input("x", (2, 1, 3, 4))))
    assert counts(rewritten(graph, reshapes)) == {"Reshape": 1}


@pytest.mark.parametrize("kind", [ReduceMean, ReduceSum, ReduceMax])
def test_a_reduction_of_one_element_each_is_a_reshape(kind):
    net = Net()
    x = net.input("x", (3, 1, 4))
    one, more = net(kind(keepdims=0), x, np.array([1])), net(kind(), x, np.array([2]))
    assert counts(rewritten(net.graph(one, more), simplify)) == {"Reshape": 1, kind.__name__: 1}


def test_global_pools_of_one_pixel_go():
    net = Net()
    y = net(GlobalAveragePool(), net(Relu(), net.input("x", (2, 3, 1, 1))))
    assert counts(rewritten(net.graph(net(Relu(), y)), simplify)) == {"Relu": 2}


def test_pools_of_one_element_go():
    def kept(pool):
        net = Net()
        y = net(pool, net(Relu(), net.input("x", (2, 3, 3, 3))))
        return counts(rewritten(net.graph(net(Relu(), y)), simplify)).get(type(pool).__name__, 0)

    assert not kept(AveragePool(kernel_shape=(1, 1)))
    assert not kept(MaxPool(kernel_shape=(1, 1), strides=(1, 1)))
    assert kept(MaxPool(kernel_shape=(1, 1), strides=(2, 2), pads=(1, 1, 1, 1)))
    assert kept(MaxPool(kernel_shape=(3, 3), pads=(1, 1, 1, 1)))


@pytest.mark.parametrize("to", [1, 6, 7])
def test_a_cast_of_a_mask_is_a_choice_of_two_numbers(to):
    net = Net()
    mask = net(Greater(), net.input("x", X), np.zeros((), F32))
    after = rewritten(net.graph(net(Cast(to=to), mask)), simplify)
    assert counts(after) == {"Greater": 1, "Where": 1}
