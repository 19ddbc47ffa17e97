from dataclasses import replace

import numpy as np
import pytest

from graph_support import Net
from suanzi.errors import SuanziError
from suanzi.graph import Node
from suanzi.graph.evaluate import evaluate
from suanzi.graph.infer import infer
from suanzi.graph.verify import verify
from suanzi.operators import TensorType
from suanzi.operators.activation import Relu
from suanzi.operators.arithmetic import Add
from suanzi.operators.indexing import Gather
from suanzi.operators.pooling import MaxPool

F32 = np.float32


def small():
    net = Net()
    y = net(Add(), net.input("x", ("N", 3)), np.ones(3, F32))
    return net.graph(net(Relu(), y))


def test_types_are_inferred_and_narrowed():
    graph = small()
    assert str(graph.types["v1"]) == "float32[N, 3]"
    assert graph.types["c0"].value is graph.constants["c0"]
    graph = infer(graph, {"x": TensorType(F32, (2, None))})
    assert str(graph.types["v1"]) == "float32[2, 3]"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (TensorType(np.float64, (2, 3)), "wrong type"),
        (TensorType(F32, (2, 3, 1)), "wrong rank"),
        (TensorType(F32, (2, 4)), "wrong size of axis 1"),
    ],
)
def test_a_type_that_contradicts_the_declared_one_is_refused(given, message):
    with pytest.raises(SuanziError, match=message) as error:
        infer(small(), {"x": given})
    assert error.value.input == "x"
    assert error.value.expected is not None
    assert error.value.found is not None


def test_an_unknown_input_is_refused():
    with pytest.raises(SuanziError, match="no such input"):
        infer(small(), {"y": TensorType(F32, (2, 3))})


def test_errors_name_the_node():
    net = Net()
    with pytest.raises(SuanziError, match=r"node v0 \(Add\)"):
        net.graph(net(Add(), net.input("x", (2, 3)), np.ones(2, F32)))
    net = Net()
    with pytest.raises(SuanziError, match="more outputs than the operator has"):
        net.graph(*net(Relu(), net.input("x", (2, 3)), outputs=2))
    net = Net()
    graph = net.graph(net(Gather(), net.input("x", (2,)), net.input("i", (1,), np.int64)))
    with pytest.raises(SuanziError, match=r"node v0 \(Gather\)"):
        evaluate(graph, {"x": np.ones(2, F32), "i": np.array([5])})


def test_evaluation_keeps_every_value():
    values = evaluate(small(), {"x": np.array([[-2, 0, 1]], F32)})
    assert values.keys() == {"x", "c0", "v0", "v1"}
    np.testing.assert_array_equal(values["v1"], [[0, 1, 2]])


def test_a_sound_graph_passes():
    verify(small())
    net = Net()
    pooled, _ = net(MaxPool(kernel_shape=(2,)), net.input("x", (1, 1, 4)), outputs=2)
    verify(net.graph(pooled))


def broken():
    graph = small()
    add, relu = graph.nodes
    wrong = graph.types | {"v1": TensorType(F32, (5, 5))}
    return {
        "v0 before it is made": graph.replace(nodes=(relu, add)),
        "makes v0, which is made already": graph.replace(nodes=(add, add, relu)),
        "output v9 is never made": graph.replace(outputs=("v9",)),
        "the type of v1 is unknown": graph.replace(
            types={k: t for k, t in graph.types.items() if k != "v1"}
        ),
        r"v1 is float32\[N, 3\], not float32\[5, 5\]": graph.replace(types=wrong),
        "both an input and a constant": graph.replace(constants={"x": np.ones(3, F32)}),
        "constant c0 is": graph.replace(constants={"c0": np.ones(4, F32)}),
        "two inputs have one name": graph.replace(inputs=("x", "x")),
        "cannot lie in blocks": graph.replace(lanes={"v1": 8}),
        "don't broadcast": graph.replace(
            nodes=(add, Node(Add(), ("v0", "d"), ("v1",))),
            constants=graph.constants | {"d": np.ones(2, F32)},
            types=graph.types | {"d": TensorType(F32, (2,))},
        ),
    }


@pytest.mark.parametrize("message", broken())
def test_a_broken_graph_is_our_mistake(message):
    with pytest.raises(RuntimeError, match=message):
        verify(broken()[message])


def test_a_node_is_called_by_its_name_or_its_first_output():
    node = Node(Relu(), ("x",), ("", "y"))
    assert node.label == "y (Relu)"
    assert replace(node, name="relu1").label == "relu1 (Relu)"
