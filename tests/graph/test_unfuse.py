"""What was fused and has no kernel comes apart, with the same result."""

import numpy as np

from suanzi.graph import Graph, Node
from suanzi.graph.evaluate import evaluate
from suanzi.graph.fused import Chain, Fused, Link
from suanzi.graph.infer import infer
from suanzi.graph.passes.unfuse import unfuse
from suanzi.graph.verify import verify
from suanzi.operators import Add, MatMul, Relu, TensorType


def test_takes_apart_what_is_refused_alone():
    chain = Chain(arity=2, links=(Link(Add(), (0, 1)), Link(Relu(), (2,))))
    fused = Fused(MatMul(), 2, chain)
    kind = TensorType(np.dtype(np.float32), (3, 3))
    graph = Graph(
        inputs=("a", "b", "c"),
        outputs=("z",),
        nodes=(
            Node(fused, ("a", "b", "c"), ("y",), "first"),
            Node(fused, ("y", "b", "c"), ("z",), "second"),
        ),
        types=dict.fromkeys("abc", kind),
    )
    graph = infer(graph)
    apart = unfuse(graph, lambda node, _: node.name == "second")
    verify(apart)
    assert [type(node.operator).__name__ for node in apart.nodes] == ["MatMul", "Chain", "Fused"]
    rng = np.random.default_rng(0)
    feeds = {name: rng.standard_normal((3, 3), dtype=np.float32) for name in "abc"}
    np.testing.assert_array_equal(evaluate(apart, feeds)["z"], evaluate(graph, feeds)["z"])
