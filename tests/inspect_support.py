"""Small models that the inspection is tried on."""

import functools

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from suanzi import InferenceSession, data


@functools.cache
def digits():
    """The bundled model, opened."""
    return InferenceSession(data.digits_model(), threads=1)


def seven():
    return {"Input3": data.digits()["7.png"]}


def value(name, shape, kind=TensorProto.FLOAT):
    return helper.make_tensor_value_info(name, kind, shape)


def make(nodes, inputs, outputs, weights=(), **options):
    """A ModelProto."""
    tensors = [numpy_helper.from_array(np.asarray(x), name) for name, x in dict(weights).items()]
    graph = helper.make_graph(nodes, "small", inputs, outputs, tensors)
    opset = [helper.make_opsetid("", 21)]
    return helper.make_model(graph, ir_version=10, opset_imports=opset, **options)


def branching():
    """If cond: relu(x + w), else: x · w, both captured."""
    then = helper.make_graph(
        [
            helper.make_node("Add", ["x", "w"], ["sum"], "inner/Add"),
            helper.make_node("Relu", ["sum"], ["a"], "inner/Relu"),
        ],
        "then",
        [],
        [value("a", ["N", 3])],
    )
    other = helper.make_graph(
        [helper.make_node("Mul", ["x", "w"], ["b"])], "else", [], [value("b", ["N", 3])]
    )
    node = helper.make_node("If", ["cond"], ["y"], "choice", then_branch=then, else_branch=other)
    return make(
        [node],
        [value("x", ["N", 3]), value("cond", [], TensorProto.BOOL)],
        [value("y", ["N", 3])],
        {"w": np.float32([1, -2, 3])},
    )
