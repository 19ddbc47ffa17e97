"""Operators that passes split into others, which kernels run."""

from dataclasses import replace

import numpy as np
import pytest

from graph_support import Net, counts, rewritten
from suanzi.compiler import Compiler
from suanzi.errors import SuanziError
from suanzi.graph.passes.split_adaptive_pool import split_adaptive_pool
from suanzi.graph.passes.split_loss import split_loss
from suanzi.lang import host_target
from suanzi.operators.adaptive_pooling import AdaptiveAveragePool
from suanzi.operators.loss import SoftmaxCrossEntropyLoss, SoftmaxCrossEntropyLossGradient

RNG = np.random.default_rng(0)


def program(graph):
    made = Compiler(host_target(), 1).compile(graph)
    assert made.native_steps == len(made.steps)
    return made


@pytest.mark.parametrize(
    ("size", "shape"),
    [
        ((5, 7), (2, 3, 8, 9)),
        ((3,), (2, 3, 8)),
        ((2, 3, 4), (1, 3, 5, 5, 6)),
        ((1, -1), (1, 3, 4, 5)),
    ],
)
def test_adaptive_means_are_products(size, shape):
    net = Net()
    graph = net.graph(net(AdaptiveAveragePool(output_size=size), net.input("x", shape)))
    after = rewritten(graph, split_adaptive_pool)
    changed = sum(n not in (-1, have) for n, have in zip(size, shape[2:], strict=True))
    assert counts(after)["MatMul"] == changed
    x = RNG.standard_normal(shape, dtype=np.float32)
    (y,) = program(graph).run({"x": x}).values()
    np.testing.assert_allclose(y, AdaptiveAveragePool(output_size=size).numpy(x), atol=1e-6)


def test_adaptive_means_of_other_types_stay():
    net = Net()
    x = net.input("x", (1, 2, 5, 5), np.float64)
    graph = net.graph(net(AdaptiveAveragePool(output_size=(2, 3)), x))
    assert counts(split_adaptive_pool(graph)) == {"AdaptiveAveragePool": 1}


def loss(operator, shape, *, both=True):
    net = Net()
    labels = (shape[0], *shape[2:])
    scores, labels = net.input("scores", shape), net.input("labels", labels, np.int64)
    made = net(operator, scores, labels, outputs=2)
    return net.graph(*made[: 2 if both else 1])


@pytest.mark.parametrize("shape", [(6, 5), (2, 4, 3), (2, 4, 3, 2)])
@pytest.mark.parametrize("both", [True, False])
def test_cross_entropy_is_a_softmax_and_what_takes_from_it(shape, both):
    operator = SoftmaxCrossEntropyLoss(reduction="none")
    graph = loss(operator, shape, both=both)
    scores = RNG.standard_normal(shape, dtype=np.float32)
    labels = RNG.integers(0, shape[1], (shape[0], *shape[2:]))
    found = program(graph).run({"scores": scores, "labels": labels})
    for y, expected in zip(found.values(), operator.numpy(scores, labels), strict=False):
        np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-6)


def test_only_the_logarithms_are_wanted():
    graph = loss(SoftmaxCrossEntropyLoss(reduction="none"), (3, 5))
    (node,) = graph.nodes
    node = replace(node, outputs=("", node.outputs[1]))
    graph = graph.replace(nodes=(node,), outputs=graph.outputs[1:])
    assert counts(split_loss(graph)) == {"LogSoftmax": 1}


@pytest.mark.parametrize("wrong", [-1, 5])
def test_a_label_that_is_no_class_is_told(wrong):
    made = program(loss(SoftmaxCrossEntropyLoss(reduction="none"), (3, 5)))
    with pytest.raises(SuanziError, match="out of range"):
        made.run({"scores": np.ones((3, 5), np.float32), "labels": np.array([0, wrong, 2])})


def test_losses_that_are_joined_stay():
    for operator in (SoftmaxCrossEntropyLoss(), SoftmaxCrossEntropyLoss(ignore_index=1)):
        assert counts(split_loss(loss(operator, (3, 5)))) == {"SoftmaxCrossEntropyLoss": 1}


@pytest.mark.parametrize("shape", [(6, 40), (2, 4, 3)])
def test_the_gradient_of_cross_entropy_is_one_chain(shape):
    net = Net()
    column = (shape[0], *shape[2:])
    names = net.input("dY", column), net.input("x", shape), net.input("labels", column, np.int64)
    graph = net.graph(net(SoftmaxCrossEntropyLossGradient(), *names))
    made = program(graph)
    assert len(made.steps) == 1
    dY, x = (RNG.standard_normal(s, dtype=np.float32) for s in (column, shape))
    labels = RNG.integers(0, shape[1], column)
    (found,) = made.run({"dY": dY, "x": x, "labels": labels}).values()
    expected = SoftmaxCrossEntropyLossGradient().numpy(dY, x, labels)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
