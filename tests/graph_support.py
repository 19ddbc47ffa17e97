"""A builder of small graphs, and the check that every pass has to stand."""

from collections import Counter

import numpy as np

from suanzi.graph import Graph, Node
from suanzi.graph.evaluate import evaluate
from suanzi.graph.infer import infer
from suanzi.graph.passes.dead_code import dead_code
from suanzi.graph.verify import verify
from suanzi.operators import TensorType


class Net:
    """Builds a graph line by line: `y = net(Relu(), x)`; arrays become constants."""

    def __init__(self):
        self.inputs, self.nodes, self.constants, self.types = [], [], {}, {}

    def input(self, name, shape, dtype=np.float32):
        self.inputs.append(name)
        self.types[name] = TensorType(dtype, shape)
        return name

    def constant(self, array):
        name = f"c{len(self.constants)}"
        self.constants[name] = np.asarray(array)
        return name

    def __call__(self, operator, *inputs, outputs=1):
        names = tuple(
            "" if x is None else x if isinstance(x, str) else self.constant(x) for x in inputs
        )
        made = tuple(
            f"v{len(self.nodes)}_{i}" if i else f"v{len(self.nodes)}" for i in range(outputs)
        )
        self.nodes.append(Node(operator, names, made))
        return made[0] if outputs == 1 else made

    def graph(self, *outputs):
        return infer(
            Graph(
                tuple(self.inputs),
                outputs,
                tuple(self.nodes),
                dict(self.constants),
                dict(self.types),
            )
        )


def random_feeds(graph, seed=0):
    rng = np.random.default_rng(seed)
    return {
        name: rng.standard_normal(graph.types[name].sizes).astype(graph.types[name].dtype)
        for name in graph.inputs
    }


def counts(graph):
    """How many nodes there are of each operator."""
    return Counter(type(node.operator).__name__ for node in graph.nodes)


def rewritten(graph, apply):
    """The graph after a pass, which is held to give the same outputs, by the same names."""
    verify(graph)
    after = dead_code(apply(graph))
    verify(after)
    assert after.inputs == graph.inputs
    assert after.outputs == graph.outputs
    feeds = random_feeds(graph)
    before, now = evaluate(graph, feeds), evaluate(after, feeds)
    for name in graph.outputs:
        assert now[name].dtype == before[name].dtype
        scale = max(1, np.abs(np.nan_to_num(before[name].astype(np.float64))).max(initial=0))
        np.testing.assert_allclose(now[name], before[name], rtol=0, atol=1e-5 * scale)
    return after
