"""A model written anew as plain ONNX: optimized, in another opset, with weights of half size."""

import os
from typing import Literal

import ml_dtypes
import numpy as np
from onnx import ModelProto

from suanzi.errors import SuanziError
from suanzi.graph import Graph, Node
from suanzi.graph.infer import infer
from suanzi.graph.passes.common import common
from suanzi.graph.passes.dead_code import dead_code
from suanzi.graph.passes.explicit_windows import explicit_windows
from suanzi.graph.passes.fold_batch_norm import fold_batch_norm
from suanzi.graph.passes.fold_constants import fold_constants
from suanzi.graph.passes.fold_scale import fold_scale
from suanzi.graph.passes.reshapes import reshapes
from suanzi.graph.passes.simplify import simplify
from suanzi.graph.verify import verify
from suanzi.onnx.read import read
from suanzi.onnx.write import write
from suanzi.operators import Cast
from suanzi.operators._operator import Array, TensorType
from suanzi.operators._types import element_number

Source = str | os.PathLike[str] | bytes | ModelProto
Weights = Literal["float16", "bfloat16"]

PASSES = (
    dead_code,
    fold_constants,
    simplify,
    reshapes,
    explicit_windows,
    fold_batch_norm,
    fold_scale,
    common,
)
"""Those of `graph.pipeline` that leave ONNX's operators, and gain on any runtime."""

LEAST = 64
"""Elements from which on a weight is kept in half: scales and epsilons stay as they are."""


def optimize(source: Source, path: str | os.PathLike[str] | None = None) -> ModelProto:
    """The same function in fewer nodes: constants computed, normalizations and scales moved into
    weights, shapes that are known written as such, what is computed twice computed once.

    >>> from suanzi.data import digits_model
    >>> len(read(digits_model()).graph.nodes), len(optimize(digits_model()).graph.node)
    (12, 9)
    """
    model = read(source)
    graph = infer(model.graph)
    for _ in range(2):  # what one pass leaves, another may find
        for apply in PASSES:
            before, graph = graph, dead_code(apply(graph))
            verify(graph, before)
    return write(graph, None, model.metadata, path)


def convert(
    source: Source,
    path: str | os.PathLike[str] | None = None,
    opset: int | None = None,
    weights: Weights | None = None,
) -> ModelProto:
    """The model in another opset; with `weights` its float32 weights are kept in that type, and
    widened where they are read: half the size, and the mathematics in float32 as before.

    A weight that float16 can't hold (beyond 65504) stays as it is. An opset at which an operator
    can't be said is an error that names it.

    >>> from suanzi.data import digits_model
    >>> convert(digits_model(), opset=21, weights="float16").opset_import[0].version
    21
    """
    model = read(source)
    graph = model.graph if weights is None else _halved(infer(model.graph), weights)
    return write(graph, opset, model.metadata, path)


def _halved(graph: Graph, kind: Weights) -> Graph:
    dtypes = {"float16": np.dtype(np.float16), "bfloat16": np.dtype(ml_dtypes.bfloat16)}
    if kind not in dtypes:
        raise SuanziError(
            "no such type of weights", input="weights", expected=" or ".join(dtypes), found=kind
        )
    constants, types, widened = dict(graph.constants), dict(graph.types), []
    for name, array in graph.constants.items():
        half = _half(array, dtypes[kind])
        if half is None:
            continue
        small = f"{name}.{kind}"
        while small in types:
            small += "_"
        del constants[name]
        constants[small] = half
        types[small] = TensorType(half.dtype, half.shape)
        widened.append(
            Node(Cast(to=element_number(array.dtype)), (small,), (name,), f"{name}.cast")
        )
    return graph.replace(constants=constants, types=types, nodes=(*widened, *graph.nodes))


def _half(array: Array, dtype: np.dtype[np.generic]) -> Array | None:
    if array.dtype != np.float32 or array.size < LEAST:
        return None
    with np.errstate(over="ignore"):
        half = array.astype(dtype)
    kept = np.isfinite(half.astype(np.float32)) | ~np.isfinite(array)
    return half if kept.all() else None
