"""Passes that training steps need: what they make, and that it gives the same."""

import numpy as np
import pytest

from graph_support import Net, counts, rewritten
from suanzi.graph.evaluate import evaluate
from suanzi.graph.fused import Chain, Folded, TransposedMatMul
from suanzi.graph.passes.broadcasts import broadcasts
from suanzi.graph.passes.fold_transposes import fold_transposes
from suanzi.graph.passes.fuse_chains import fuse_chains
from suanzi.graph.passes.fuse_reductions import fuse_reductions
from suanzi.graph.passes.recompute import recompute
from suanzi.graph.passes.split_batch_norm import split_batch_norm
from suanzi.graph.pipeline import optimize
from suanzi.operators.activation import Relu
from suanzi.operators.arithmetic import Add, Exp, Mul, Sub
from suanzi.operators.linear import MatMul
from suanzi.operators.normalization import BatchNormalization
from suanzi.operators.reduction import ReduceSum
from suanzi.operators.shape import Expand, Reshape, Transpose


@pytest.fixture
def net() -> Net:
    return Net()


# --- chains into reductions


def test_a_chain_goes_into_the_reduction_after_it(net):
    x, y = net.input("x", (4, 5, 6)), net.input("y", (4, 1, 6))
    total = net(ReduceSum(keepdims=0), net(Mul(), x, net(Sub(), x, y)), np.array([0, 2]))
    after = rewritten(fuse_chains(net.graph(total)), fuse_reductions)
    assert counts(after) == {"Folded": 1}
    folded = after.nodes[0].operator
    assert isinstance(folded, Folded)
    assert folded.title == "Sub+Mul+ReduceSum"


def test_a_chain_that_others_read_stays(net):
    x = net.input("x", (4, 5))
    y = net(Exp(), x)
    made = [net(ReduceSum(), y, np.array([0])), net(MatMul(), x, net(Transpose(), y))]
    after = rewritten(fuse_chains(net.graph(*made)), fuse_reductions)
    assert counts(after)["Chain"] == 1
    after = rewritten(fuse_chains(net.graph(made[0], y)), fuse_reductions)
    assert counts(after)["ReduceSum"] == 1


def test_a_chain_before_axes_that_arrive_stays(net):
    x, axes = net.input("x", (4, 5)), net.input("axes", (1,), np.int64)
    graph = fuse_chains(net.graph(net(ReduceSum(), net(Exp(), x), axes)))
    assert counts(fuse_reductions(graph)) == {"Chain": 1, "ReduceSum": 1}


# --- what was broadcast before


def test_an_expand_before_an_elementwise_operator_goes(net):
    x, y = net.input("x", (4, 5)), net.input("y", (4, 1))
    wide = net(Expand(), y, np.array([4, 5]))
    after = rewritten(net.graph(net(Mul(), x, wide)), broadcasts)
    assert counts(after) == {"Mul": 1}


def test_an_expand_that_gives_the_shape_stays(net):
    y = net.input("y", (4, 1))
    wide = net(Expand(), y, np.array([4, 5]))
    assert counts(rewritten(net.graph(net(Exp(), wide)), broadcasts))["Expand"] == 1
    assert counts(rewritten(net.graph(net(Add(), wide, wide)), broadcasts))["Expand"] == 1


def test_a_large_constant_of_one_number_becomes_that_number(net):
    x = net.input("x", (40, 50))
    after = rewritten(net.graph(net(Mul(), x, np.full((40, 50), 0.5, np.float32))), broadcasts)
    (name,) = set(after.nodes[0].inputs) & after.constants.keys()
    assert after.constants[name].shape == ()
    mixed = np.full((40, 50), 0.5, np.float32)
    mixed[3, 4] = 1
    after = rewritten(net.graph(net(Mul(), x, mixed)), broadcasts)
    assert after.nodes[0].inputs == net.nodes[1].inputs


# --- what is cheap, once more for each reader


def test_what_is_cheap_is_computed_for_each_reader(net):
    x, mean, dy = net.input("x", (64, 128)), net.input("mean", (1, 128)), net.input("dy", (64, 128))
    centred = net(Sub(), x, mean)
    total = net(ReduceSum(), net(Mul(), dy, centred), np.array([0]))
    graph = net.graph(net(Add(), net(Mul(), centred, total), dy), total)
    after = rewritten(graph, recompute)
    assert counts(after)["Sub"] == 2
    assert counts(fuse_reductions(fuse_chains(after))) == {"Folded": 1, "Chain": 1}


def test_what_others_need_or_reads_more_is_computed_once(net):
    x, y = net.input("x", (64, 128)), net.input("y", (64, 128))
    for source, readers in (
        (net(Add(), x, y), (Relu(), Exp())),  # it reads two
        (net(Exp(), x), (Relu(), Relu())),  # not cheap
        (net(Relu(), x), (Exp(), Transpose())),  # a reader that no chain takes in
    ):
        graph = net.graph(*(net(reader, source) for reader in readers))
        assert len(rewritten(graph, recompute).nodes) == len(graph.nodes) - len(
            [n for n in graph.nodes if n.outputs[0] not in _needed(graph)]
        )


def _needed(graph) -> set[str]:
    needed = set(graph.outputs)
    for node in reversed(graph.nodes):
        if node.outputs[0] in needed:
            needed.update(node.inputs)
    return needed


def test_a_ladder_of_cheap_operators_does_not_explode(net):
    x = net.input("x", (64, 128))
    for _ in range(40):
        x = net(Relu(), net(Add(), net(Mul(), x, np.float32(0.5)), net(Mul(), x, np.float32(2))))
    graph = net.graph(x)
    assert len(recompute(graph).nodes) <= 2 * len(graph.nodes)


# --- batch normalization in training


@pytest.mark.parametrize("shape", [(8, 5), (4, 5, 7), (4, 5, 3, 7)])
@pytest.mark.parametrize("momentum", [0.0, 0.75])
def test_batch_normalization_in_training(net, shape, momentum):
    x = net.input("x", shape)
    others = [net.input(name, (5,)) for name in ("scale", "B", "mean", "var")]
    made = net(BatchNormalization(training_mode=1, momentum=momentum), x, *others, outputs=3)
    after = rewritten(net.graph(*made), split_batch_norm)
    assert counts(after)["BatchNormalization"] == 0
    assert counts(after)["ReduceMean"] == 2
    assert counts(rewritten(net.graph(made[0]), split_batch_norm))["ReduceMean"] == 2


def test_batch_normalization_of_large_numbers(net):
    x = net.input("x", (64, 3))
    others = [np.ones(3, np.float32), *np.zeros((3, 3), np.float32)]
    Y, _, var = net(BatchNormalization(training_mode=1, momentum=0.0), x, *others, outputs=3)
    graph = split_batch_norm(net.graph(Y, var))
    data = np.random.default_rng(0).normal(1000, 0.1, (64, 3)).astype(np.float32)
    values = evaluate(graph, {"x": data})
    np.testing.assert_allclose(values[var], data.astype(np.float64).var(0), rtol=1e-2)


def test_batch_normalization_joins_what_is_around_it(net):
    x, scale, B = net.input("x", (4, 8, 16, 16)), net.input("scale", (8,)), net.input("B", (8,))
    zero = np.zeros(8, np.float32)
    batch_norm = BatchNormalization(training_mode=1, momentum=0.0)
    Y, mean, var = net(batch_norm, x, scale, B, zero, zero, outputs=3)
    after = rewritten(net.graph(net(Relu(), Y), mean, var), optimize)
    large = [n for n in after.nodes if after.types[n.outputs[0]].size > 8]
    assert [type(n.operator) for n in large] == [Chain]
    assert counts(after)["Folded"] == 1


def test_constant_scales_are_folded(net):
    x, numbers = net.input("x", (4, 8, 5)), np.linspace(1, 2, 8, dtype=np.float32)
    batch_norm = BatchNormalization(training_mode=1, momentum=0.0)
    Y = net(batch_norm, x, numbers, numbers, numbers, numbers, outputs=3)[0]
    assert counts(rewritten(net.graph(Y), optimize))["Reshape"] == 0


# --- transposes into products


@pytest.mark.parametrize("first", [None, (0, 2, 1, 3), (0, 1, 3, 2)])
@pytest.mark.parametrize("second", [None, (0, 2, 3, 1), (2, 1, 0, 3)])
@pytest.mark.parametrize("last", [None, (0, 2, 1, 3), (0, 1, 3, 2), (3, 0, 1, 2)])
def test_transposes_go_into_products(net, first, second, last):
    def turned(name, perm, shape):
        if perm is None:
            return net.input(name, shape)
        before = [0] * len(shape)
        for axis, source in enumerate(perm):
            before[source] = shape[axis]
        return net(Transpose(perm=perm), net.input(name, tuple(before)))

    y = net(MatMul(), turned("a", first, (2, 3, 4, 5)), turned("b", second, (2, 3, 5, 6)))
    y = y if last is None else net(Transpose(perm=last), y)
    after = rewritten(net.graph(y), fold_transposes)
    some = any(perm is not None for perm in (first, second, last))
    assert counts(after) == {"TransposedMatMul" if some else "MatMul": 1}


def test_a_product_whose_batch_comes_last_is_transposed_after(net):
    y = net(MatMul(), net.input("a", (2, 4, 5)), net.input("b", (2, 5, 6)))
    after = rewritten(net.graph(net(Transpose(perm=(1, 2, 0)), y)), fold_transposes)
    assert counts(after) == {"MatMul": 1, "Transpose": 1}


def test_transposes_that_others_read_stay(net):
    x, w = net.input("x", (4, 5)), net.input("w", (6, 5))
    turned = net(Transpose(), w)
    product = net(MatMul(), x, turned)
    after = rewritten(net.graph(product, net(Exp(), turned)), fold_transposes)
    assert counts(after)["MatMul"] == 1


def test_a_product_that_is_read_too_is_transposed_after(net):
    product = net(MatMul(), net.input("a", (4, 5)), net.input("b", (5, 6)))
    after = rewritten(net.graph(product, net(Transpose(), product)), fold_transposes)
    assert counts(after) == {"MatMul": 1, "Transpose": 1}


def test_the_gradient_of_weights_needs_no_copies(net):
    x, dy = net.input("x", (2, 4, 5)), net.input("dy", (2, 4, 6))
    rows = [net(Reshape(), v, np.array([8, n])) for v, n in ((x, 5), (dy, 6))]
    made = net(Transpose(), net(MatMul(), net(Transpose(), rows[0]), rows[1]))
    after = rewritten(net.graph(made), fold_transposes)
    assert counts(after) == {"Reshape": 2, "TransposedMatMul": 1}
    operator = after.nodes[-1].operator
    assert operator == TransposedMatMul(a=(1, 0), b=(0, 1), y=(0, 1))
