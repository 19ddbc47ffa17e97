"""Memory is shared only where it may be: random graphs give what their definitions give."""

import numpy as np
import pytest

from suanzi.compiler import Compiler
from suanzi.graph import Graph, Node
from suanzi.graph.evaluate import evaluate
from suanzi.graph.fused import Chain, Fused, Link
from suanzi.graph.infer import infer
from suanzi.lang import host_target
from suanzi.operators import (
    Add,
    Concat,
    Conv,
    Identity,
    MaxPool,
    Relu,
    Reshape,
    Sigmoid,
    TensorType,
    Transpose,
)
from suanzi.placement import place


class Maker:
    """Adds random nodes to a graph, each on values made before."""

    def __init__(self, seed):
        self.rng = np.random.default_rng(seed)
        self.shapes = {"x": (1, 16, 6, 6), "y": (1, 16, 6, 6)}
        self.nodes, self.constants = [], {}

    def pick(self, like=None):
        names = [n for n, s in self.shapes.items() if like in (None, s)]
        return str(self.rng.choice(names))

    def put(self, operator, inputs, shape):
        name = f"v{len(self.nodes)}"
        self.nodes.append(Node(operator, tuple(inputs), (name,)))
        self.shapes[name] = shape
        return name

    def constant(self, array):
        name = f"c{len(self.constants)}"
        self.constants[name] = array
        return name

    def add(self):
        source = self.pick()
        shape = self.shapes[source]
        match self.rng.integers(9):
            case 0:
                self.put(Relu(), [source], shape)
            case 1 | 2:
                self.put(Add(), [source, self.pick(shape)], shape)
            case 3 if len(shape) == 4 and shape[1] < 100:
                others = [
                    s for s in self.shapes if len(self.shapes[s]) == 4
                    and self.shapes[s][2:] == shape[2:] and self.shapes[s][1] < 100
                ]  # fmt: skip
                chosen = [str(n) for n in self.rng.choice(others, self.rng.integers(1, 4))]
                C = sum(self.shapes[n][1] for n in chosen)
                self.put(Concat(axis=1), chosen, (1, C, *shape[2:]))
            case 4:
                size = int(np.prod(shape))
                to = (1, size) if len(shape) > 2 else (1, size // 36, 6, 6)
                if np.prod(to) == size:
                    target = self.constant(np.array(to))
                    self.put(Reshape(), [source, target], to)
            case 5 | 6 if len(shape) == 4:
                K = int(self.rng.choice([8, 16, 24, 32]))
                weights = self.rng.standard_normal((K, shape[1], 1, 1), dtype=np.float32)
                w = self.constant(weights / np.float32(shape[1] ** 0.5))
                self.put(Conv(), [source, w], (1, K, *shape[2:]))
            case 7 if len(shape) == 4:
                pool = MaxPool(kernel_shape=(3, 3), pads=(1, 1, 1, 1))
                self.put(pool, [source], shape)
            case 8 if len(shape) == 4:
                self.put(Transpose(perm=(0, 1, 3, 2)), [source], (*shape[:2], *shape[:1:-1]))
            case _:
                self.put(Sigmoid(), [source], shape)

    def graph(self):
        count = self.rng.integers(1, 5)
        outputs = self.rng.choice([n.outputs[0] for n in self.nodes], count)
        kind = TensorType(np.dtype(np.float32), (1, 16, 6, 6))
        return infer(
            Graph(
                inputs=("x", "y"),
                outputs=tuple(dict.fromkeys(map(str, outputs))),
                nodes=tuple(self.nodes),
                constants=self.constants,
                types={"x": kind, "y": kind},
            )
        )


@pytest.mark.parametrize("seed", range(24))
def test_random_graphs_agree_with_their_definitions(seed):
    maker = Maker(seed)
    for _ in range(14):
        maker.add()
    graph = maker.graph()
    rng = np.random.default_rng(seed)
    feeds = {n: rng.standard_normal((1, 16, 6, 6), dtype=np.float32) for n in ("x", "y")}
    kept = {n: a.copy() for n, a in feeds.items()}
    program = Compiler(host_target(), threads=2).compile(graph)
    expected = evaluate(graph, feeds)
    for _ in range(2):  # the second run finds the first one's leavings in its memory
        got = program.run(feeds)
        for name in graph.outputs:
            scale = np.abs(expected[name]).max() + 1e-6
            np.testing.assert_allclose(got[name] / scale, expected[name] / scale, atol=2e-5)
    for name, array in kept.items():
        np.testing.assert_array_equal(feeds[name], array)


def chain(*links):
    return Chain(arity=1, links=tuple(Link(op, sources) for op, sources in links))


def small(nodes, outputs, inputs=("x",), shape=(1, 16, 2, 2), **constants):
    kind = TensorType(np.dtype(np.float32), shape)
    return infer(Graph(inputs, outputs, tuple(nodes), constants, dict.fromkeys(inputs, kind)))


def test_a_concatenation_is_written_in_place_piece_by_piece():
    relu = Fused(Conv(), 2, chain((Relu(), (0,))))
    graph = small(
        [
            Node(relu, ("x", "w"), ("a",)),
            Node(relu, ("a", "w"), ("b",)),
            Node(Concat(axis=1), ("a", "b"), ("ab",)),
            Node(relu, ("b", "w"), ("c",)),
            Node(Concat(axis=1), ("ab", "c"), ("abc",)),
            Node(MaxPool(kernel_shape=(1, 1)), ("abc",), ("out",)),
        ],
        ("out",),
        w=np.ones((16, 16, 1, 1), np.float32),
    )
    found = place(graph)
    assert found.free == {2, 4}
    offsets = {name: (found.places[name].storage, found.places[name].offset) for name in "abc"}
    assert offsets == {"a": ("abc", 0), "b": ("abc", 256), "c": ("abc", 512)}


def test_views_take_no_step_and_outputs_are_not_shared():
    graph = small(
        [
            Node(Identity(), ("x",), ("a",)),
            Node(Reshape(), ("a", "to"), ("b",)),
            Node(chain((Relu(), (0,))), ("b",), ("c",)),
            Node(Reshape(), ("c", "to"), ("d",)),
        ],
        ("c", "d"),
        shape=(4, 16),
        to=np.array([64]),
    )
    found = place(graph)
    assert found.free == {0, 1}  # two outputs never share memory: the last one is a step
    assert found.places["b"].storage == "x"


def test_an_elementwise_result_takes_a_dying_inputs_place():
    relu = chain((Relu(), (0,)))
    graph = small(
        [
            Node(relu, ("x",), ("a",)),  # the caller's array is never written
            Node(relu, ("a",), ("b",)),
            Node(relu, ("b",), ("c",)),
            Node(chain((Add(), (0, 0))), ("c",), ("d",)),
            Node(MaxPool(kernel_shape=(1, 1)), ("d",), ("out",)),
        ],
        ("out",),
    )
    found = place(graph)
    assert {found.places[n].storage for n in "abcd"} == {"a"}
