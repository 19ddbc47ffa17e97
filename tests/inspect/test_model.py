"""A model as data: its groups, its values, and what its nodes take."""

import json

import numpy as np
from onnx import helper

from inspect_support import branching, digits, make
from suanzi import InferenceSession
from suanzi.graph import Graph, Node
from suanzi.inspect.feeds import input_types
from suanzi.inspect.hierarchy import blocks, constants_alone, hierarchy, scopes
from suanzi.inspect.model import describe, sizes
from suanzi.inspect.nodes import find_graph, find_node
from suanzi.inspect.plain import plain
from suanzi.operators import Add, Conv, MaxPool, Relu


def chain(*operators, names=()):
    """Operators one after another, on a value and weights."""
    nodes, before = [], "x"
    for i, operator in enumerate(operators):
        reads = (before, "w") if isinstance(operator, Add | Conv) else (before,)
        name = names[i] if names else ""
        nodes.append(Node(operator, reads, (f"v{i}",), name))
        before = f"v{i}"
    return Graph(("x",), (before,), tuple(nodes), {"w": np.ones(1, np.float32)})


def test_scopes_of_pytorch():
    names = ["/layer1/layer1.0/conv1/Conv", "/layer1/layer1.0/Relu", "/layer2/Add", "/layer2/Relu"]
    graph = chain(Conv(), Relu(), Add(), Relu(), names=names)
    groups, where = hierarchy(graph)
    assert [(g.path, g.kind) for g in groups] == [
        ("layer1", "scope"), ("layer1/0", "scope"), ("layer2", "scope")
    ]  # fmt: skip
    assert where == [1, 1, 2, 2]
    assert groups[1].parent == 0


def test_scopes_with_dots_and_operators_names():
    def node(name, operator):
        return Node(operator, ("x",), (f"{name}.out",), name)

    found = scopes([node("m.enc.0.relu", Relu()), node("m.enc.0.add", Add())])
    assert found == [(), ()]  # what all share tells nothing
    found = scopes([node("p2o.Relu.0", Relu()), node("p2o.Relu.1", Relu()), node("o.Add.2", Add())])
    assert found == [("p2o",), ("p2o",), ()]


def test_blocks_where_names_are_flat():
    unit = (Conv(kernel_shape=(3, 3)), Add(), Relu())
    graph = chain(MaxPool(kernel_shape=(2, 2)), *unit * 4, Relu(), Relu())
    groups, where = hierarchy(graph)
    assert [g.name for g in groups] == ["block 1", "block 2", "block 3", "block 4"]
    assert where == [None, *([0] * 3), *([1] * 3), *([2] * 3), *([3] * 3), None, None]
    assert len({g.like for g in groups}) == 1
    assert groups[0].like is not None


def test_few_nodes_have_no_blocks():
    assert hierarchy(chain(*(Conv(), Add(), Relu()) * 2))[0] == []


def test_the_longest_run_is_found_first():
    assert blocks(np.array([1, 2, 3, 1, 2, 3, 1, 2, 3])) == [(0, 3), (3, 6), (6, 9)]
    assert blocks(np.array([1, 1, 1, 1, 1, 1, 1, 1])) == []
    assert blocks(np.array([], int)) == []


def test_constants_go_where_they_are_read():
    shape = helper.make_node("ConstantOfShape", ["s"], ["w"])
    nodes = [
        shape,
        helper.make_node("Relu", ["x"], ["a"], "/one/Relu"),
        helper.make_node("Relu", ["a"], ["b"], "/two/Relu"),
        helper.make_node("Add", ["b", "w"], ["y"], "/two/Add"),
        helper.make_node("Relu", ["a"], ["c"], "/one/Relu_1"),
    ]
    value = helper.make_tensor_value_info
    model = make(nodes, [value("x", 1, [2])], [value("y", 1, [2]), value("c", 1, [2])],
                 {"s": np.array([2])})  # fmt: skip
    graph = InferenceSession(model).graph
    groups, where = hierarchy(graph)
    paths = {
        node.outputs[0]: groups[at].path if at is not None else None
        for node, at in zip(graph.nodes, where, strict=True)
    }
    assert paths == {"w": "two", "a": "one", "b": "two", "y": "two", "c": "one"}
    assert dict(zip(paths, constants_alone(graph), strict=True))["w"]


def test_the_digits():
    found = describe(digits())
    assert found.totals == {
        "nodes": 12, "parameters": 5994, "parameter_bytes": 23976, "macs": 786_560
    }  # fmt: skip
    assert found.operators["Conv"] == {"count": 2, "family": "convolution", "domain": "ai.onnx"}
    assert found.opsets == {"ai.onnx": 8}
    main = found.graphs[""]
    convolution = next(node for node in main.nodes if node.name == "Convolution110")
    assert convolution.attributes["kernel_shape"] == [5, 5]
    assert (convolution.parameters, convolution.macs) == (3200, 627_200)
    assert "group" not in convolution.attributes  # it is the default
    assert [node.name for node in main.nodes if node.constant] == ["Times212_reshape1"]
    assert main.values["Parameter87"].constant.bytes == 12800
    assert main.values["Pooling160_Output_0_reshape0_shape"].constant.small == [1, 256]
    json.dumps(plain(found), allow_nan=False)


def test_bodies_and_symbols():
    session = InferenceSession(branching())
    found = describe(session)
    assert found.symbols == ["N"]
    assert [*found.graphs] == ["", "0.then_branch", "0.else_branch"]
    body = found.graphs["0.then_branch"]
    assert body.parent["node"] == "0"
    assert body.captures == 2
    assert [node.id for node in body.nodes] == ["0.then_branch.0", "0.then_branch.1"]
    assert body.values["sum"].shape == ["N", 3]
    assert found.totals["nodes"] == 4
    assert found.totals["parameters"] == 3
    assert found.totals["macs"] is None  # only the data say which branch runs
    graph, node = find_node(session.graph, "0.then_branch.1")
    assert (node.name, graph.name) == ("inner/Relu", "then")
    assert find_graph(session.graph, "0.else_branch").name == "else"


def test_functions_are_groups():
    """Each call of a function is one, its nodes named as in the function."""
    value = helper.make_tensor_value_info
    opsets = [helper.make_opsetid("", 21), helper.make_opsetid("my", 1)]
    nodes = [helper.make_node("Relu", ["x"], ["a"], "act"), helper.make_node("Add", "ax", "y")]
    function = helper.make_function("my", "Block", ["x"], ["y"], nodes, opsets[:1])
    calls = [helper.make_node("Block", "x", "h", domain="my"),
             helper.make_node("Block", "h", "y", domain="my")]  # fmt: skip
    graph = helper.make_graph(calls, "g", [value("x", 1, [2])], [value("y", 1, [2])])
    model = helper.make_model(graph, functions=[function], opset_imports=opsets, ir_version=10)
    found = describe(InferenceSession(model))
    assert [(g.path, g.nodes) for g in found.groups] == [("Block__1", 2), ("Block__2", 2)]
    assert [n.name for n in found.graphs[""].nodes][:2] == ["Block__1/act", "Block__1/Add"]


def test_sizes_that_are_chosen():
    value = helper.make_tensor_value_info
    nodes = [helper.make_node("MatMul", ["x", "w"], ["y"])]
    model = make(nodes, [value("x", 1, ["N", "T", 3])], [value("y", 1, None)],
                 {"w": np.ones((3, 4), np.float32)})  # fmt: skip
    session = InferenceSession(model)
    open_ = sizes(session.graph, input_types(session))
    assert (open_["macs"], open_["open"]) == (None, ["x"])
    assert open_["types"]["y"]["shape"] == [1, "T", 4]
    known = sizes(session.graph, input_types(session, {"T": 5, "N": 2}))
    assert known["macs"] == 2 * 5 * 3 * 4
    assert known["nodes"]["0"] == {"macs": 120, "read": 4 * (30 + 12), "written": 4 * 40}
