"""Random weights for the zoo's architectures, whose files in the onnx wheel hold constants."""

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, numpy_helper

RESIDUAL = 0.25
"""Scale of a normalization whose output is added to a block's input: so that sums don't grow."""


def randomize(model: ModelProto, seed: int = 0) -> ModelProto:
    """A copy with seeded random weights, such that activations stay of order one.

    What a ConstantOfShape or an initialiser gives to a Conv, a Gemm, a BatchNormalization or
    the Mul and Add after one becomes a random initialiser: weights N(0, √(2/fan in)), scales
    around 1, biases and means 0.1·N(0, 1), variances from 0.5 to 1.5.
    """
    made = ModelProto()
    made.CopyFrom(model)
    graph, rng = made.graph, np.random.default_rng(seed)
    constants = {t.name: t for t in graph.initializer}
    shapes = {t.name: tuple(t.dims) for t in graph.initializer if t.data_type == 1}
    fillers = {node.output[0]: node for node in graph.node if node.op_type == "ConstantOfShape"}
    for name, node in fillers.items():
        shapes[name] = tuple(int(d) for d in numpy_helper.to_array(constants[node.input[0]]))
    replaced: dict[str, NDArray[np.float32]] = {}
    for node, index, name in _reads(graph.node, shapes):
        if name not in replaced and (array := _draw(rng, node, index, shapes[name])) is not None:
            if node.op_type == "BatchNormalization" and index == 1 and _is_added(graph.node, node):
                array *= RESIDUAL
            replaced[name] = array
    kept = [t for t in graph.initializer if t.name not in replaced]
    del graph.initializer[:]
    graph.initializer.extend(kept)
    graph.initializer.extend(numpy_helper.from_array(a, name) for name, a in replaced.items())
    nodes = [
        n for n in graph.node if not (n.op_type == "ConstantOfShape" and n.output[0] in replaced)
    ]
    del graph.node[:]
    graph.node.extend(nodes)
    return made


def _reads(
    nodes: list[NodeProto], shapes: dict[str, tuple[int, ...]]
) -> Iterator[tuple[NodeProto, int, str]]:
    """Each node that reads a constant, which of its inputs that is, and the constant's name; what
    an Unsqueeze or a Reshape passes on is the constant still."""
    passed = {name: name for name in shapes}
    for node in nodes:
        if node.op_type in ("Unsqueeze", "Reshape") and node.input[0] in passed:
            passed[node.output[0]] = passed[node.input[0]]
            continue
        for index, name in enumerate(node.input):
            if name in passed:
                yield node, index, passed[name]


def _draw(
    rng: np.random.Generator, node: NodeProto, index: int, shape: tuple[int, ...]
) -> NDArray[np.float32] | None:
    normal = rng.standard_normal(shape, np.float32)
    match node.op_type, index:
        case "Conv", 1:
            gain = 1 if shape[1] == 1 else 2  # no activation follows depthwise ones
            return normal * math.sqrt(gain / math.prod(shape[1:]))
        case "Gemm", 1:
            transposed = any(a.name == "transB" and a.i for a in node.attribute)
            return normal * math.sqrt(2 / shape[-1 if transposed else -2])
        case (("BatchNormalization" | "Mul"), 1):
            return 1 + 0.1 * normal
        case (("Conv" | "Gemm" | "BatchNormalization"), (2 | 3)):
            return 0.1 * normal
        case "Add", 1:
            return 0.1 * normal
        case "BatchNormalization", 4:
            return 0.5 + rng.random(shape, np.float32)
    return None


def _is_added(nodes: list[NodeProto], node: NodeProto) -> bool:
    return any(n.op_type == "Sum" and node.output[0] in n.input for n in nodes)
