"""Whole training steps, forward, backward and update, as one program of kernels alone."""

from collections.abc import Sequence

import numpy as np
import pytest

from kernel_support import RUNNABLE
from suanzi.compiler import Compiler
from suanzi.graph import Graph
from suanzi.graph.evaluate import evaluate
from suanzi.graph.gradient import backward
from suanzi.graph.infer import infer
from suanzi.graph.trace import Symbol, Trace
from suanzi.operators import TensorType
from suanzi.operators.activation import Gelu, Relu
from suanzi.operators.arithmetic import Neg, Sqrt
from suanzi.operators.convolution import Conv
from suanzi.operators.indexing import Gather, GatherElements
from suanzi.operators.normalization import BatchNormalization, LayerNormalization
from suanzi.operators.pooling import MaxPool
from suanzi.operators.reduction import ReduceMean
from suanzi.operators.shape import Reshape, Transpose, Unsqueeze
from suanzi.operators.softmax import LogSoftmax, Softmax


class Step:
    """Builds the graph of a training step; parameters are inputs."""

    def __init__(self) -> None:
        self.trace = Trace()
        self.parameters: list[Symbol] = []

    def input(self, *shape: int, dtype: type = np.float32, name: str = "input") -> Symbol:
        return self.trace.input(TensorType(dtype, shape), self.trace.fresh(name))

    def parameter(self, *shape: int) -> Symbol:
        self.parameters.append(self.input(*shape))
        return self.parameters[-1]

    def linear(self, x: Symbol, outputs: int) -> Symbol:
        weights = self.parameter(outputs, x.shape[-1])
        return x @ Transpose(perm=(1, 0))(weights) + self.parameter(outputs)

    def loss(self, logits: Symbol, labels: Symbol) -> Symbol:
        """Cross entropy."""
        picked = GatherElements(axis=1)(
            LogSoftmax(axis=-1)(logits), Unsqueeze()(labels, np.array([1]))
        )
        return Neg()(ReduceMean(keepdims=0)(picked))

    def finish(self, loss: Symbol, others: Sequence[Symbol] = ()) -> Graph:
        """With Adam's update."""
        trace, names = self.trace, [p.name for p in self.parameters]
        one = trace.constant(np.array(1, np.float32))
        found = backward(
            tuple(trace.nodes), {loss.name: one}, names, lambda name: _symbol(trace, name)
        )
        rate, outputs = self.input(), [loss, *others]
        for parameter in self.parameters:
            gradient = found[parameter.name]
            m, v = (self.input(*parameter.shape, name="moment") for _ in range(2))
            m, v = m * 0.9 + gradient * 0.1, v * 0.999 + gradient * gradient * 0.001
            outputs += [parameter - rate * m / (Sqrt()(v) + 1e-3), m, v]
        return infer(trace.graph(outputs))


def _symbol(trace: Trace, name: str) -> Symbol:
    return Symbol(trace, name, trace.types[name])


def convolutional(N: int = 3, size: int = 18) -> Graph:
    step = Step()
    h, statistics = step.input(N, 3, size, size), []
    labels = step.input(N, dtype=np.int64)
    for channels in (20, 36):
        h = Conv(kernel_shape=(3, 3), pads=(1,) * 4)(h, step.parameter(channels, h.shape[1], 3, 3))
        scale, B = step.parameter(channels), step.parameter(channels)
        nothing = np.zeros(channels, np.float32)
        batch_norm = BatchNormalization(training_mode=1, momentum=0.0)
        h, mean, var = batch_norm(h, scale, B, nothing, nothing)
        h = MaxPool(kernel_shape=(3, 3), strides=(2, 2), pads=(1,) * 4)(Relu()(h))[0]
        statistics += [mean, var]
    h = ReduceMean(keepdims=0)(h, np.array([2, 3]))
    return step.finish(step.loss(step.linear(h, 10), labels), statistics)


def transformer(N: int = 2, T: int = 17, D: int = 36, heads: int = 4) -> Graph:
    step = Step()
    tokens, labels = (step.input(*s, dtype=np.int64) for s in ((N, T), (N * T,)))

    def split(x: Symbol) -> Symbol:
        parted = Reshape()(x, np.array([N, T, heads, D // heads]))
        return Transpose(perm=(0, 2, 1, 3))(parted)

    x = Gather()(step.parameter(50, D), tokens) + step.parameter(T, D)
    q, k, v = (split(step.linear(x, D)) for _ in range(3))
    weights = Softmax(axis=-1)((q * (D // heads) ** -0.5) @ Transpose(perm=(0, 1, 3, 2))(k))
    weights = weights * step.input(N, heads, T, T)  # as dropout's mask
    joined = Transpose(perm=(0, 2, 1, 3))(weights @ v)
    x = x + step.linear(Reshape()(joined, np.array([N, T, D])), D)
    x = LayerNormalization()(x, step.parameter(D), step.parameter(D))[0]
    x = x + step.linear(Gelu()(step.linear(x, 70)), D)
    rows = Reshape()(x, np.array([N * T, D]))
    return step.finish(step.loss(step.linear(rows, 50), labels))


@pytest.mark.parametrize("target", RUNNABLE, ids=lambda t: t.name)
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("make", [convolutional, transformer])
def test_a_step_runs_in_kernels_alone(make, target, threads):
    graph, rng = make(), np.random.default_rng(0)
    feeds = {}
    for name in graph.inputs:
        kind = graph.types[name]
        if kind.dtype == np.int64:
            feeds[name] = rng.integers(0, 10, kind.sizes)
        else:
            feeds[name] = rng.uniform(0.01, 0.6, kind.sizes).astype(np.float32)
            if not name.startswith("moment"):
                feeds[name] *= rng.choice([-1, 1], kind.sizes)
    program = Compiler(target, threads).compile(graph)
    assert [s.node.label for s in program.steps if not s.address] == []
    expected, found = evaluate(graph, feeds), program.run(feeds)
    for name in graph.outputs:
        scale = np.abs(expected[name]).max()
        assert np.isfinite(scale)
        np.testing.assert_allclose(found[name], expected[name], rtol=0, atol=3e-4 * scale)
