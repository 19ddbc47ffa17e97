"""An ONNX file to a Graph of the newest operators, checked on the way: a file is untrusted."""

import graphlib
import os
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import onnx
from onnx import GraphProto, ModelProto, NodeProto, ValueInfoProto

from suanzi.errors import SuanziError
from suanzi.graph import Graph
from suanzi.onnx.adapt import RENAMED, adapt
from suanzi.onnx.build import Builder
from suanzi.onnx.functions import inline, walk
from suanzi.onnx.nodes import NEWEST_OPSET, Call, decode, label, schema, to_node
from suanzi.onnx.parse import parse
from suanzi.onnx.tensors import dtype_of, to_array
from suanzi.operators._operator import OPERATORS, Array, Dim, TensorType


@dataclass(frozen=True)
class ModelMetadata:
    """What a file says of itself; the fields of onnxruntime's ModelMetadata."""

    producer_name: str = ""
    graph_name: str = ""
    domain: str = ""
    description: str = ""
    graph_description: str = ""
    version: int = 0
    custom_metadata_map: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Model:
    """A graph, and what its file says besides; `name` is the file's, or '<bytes>'."""

    graph: Graph
    name: str
    metadata: ModelMetadata
    opsets: dict[str, int]


def read(source: str | os.PathLike[str] | bytes | ModelProto) -> Model:
    """Reads a model: a path, a file's bytes, or an onnx.ModelProto.

    Weights that lie in other files are read from the folder of `source` alone. Whatever is wrong
    with the file is a SuanziError that names the model, the node and the tensor.
    """
    name = Path(source).name if isinstance(source, str | os.PathLike) else "<bytes>"
    folder = Path(source).parent if isinstance(source, str | os.PathLike) else None
    try:
        return _model(parse(source), name, folder)
    except SuanziError as error:
        raise error.at(model=name) from None
    except UnicodeDecodeError as error:
        raise SuanziError("a text isn't UTF-8", model=name, found=error.object[:40]) from None


def _model(proto: ModelProto, name: str, folder: Path | None) -> Model:
    opsets = {_domain(o.domain): o.version for o in proto.opset_import}
    opset = opsets.setdefault("", 1)  # files before opsets were invented
    if not 1 <= opset <= NEWEST_OPSET:
        raise SuanziError(
            "an opset that we don't have", expected=f"1 to {NEWEST_OPSET}", found=opset
        )
    proto = inline(proto)
    graph = proto.graph
    _check_operators(walk(graph.node), opset)
    inputs, constants = _inputs(graph), _constants(graph, opset, folder)
    inputs = {key: type for key, type in inputs.items() if key not in constants}
    nodes = [node for node in graph.node if node.op_type != "Constant"]
    made = _check_names(graph, nodes, {*inputs, *constants})
    builder = Builder(inputs, constants, made)
    for node in _sort(nodes, {*inputs, *constants}):
        try:
            for call in adapt(decode(node, opset, folder), builder):
                builder.nodes.append(to_node(call))
        except SuanziError as error:
            raise error.at(node=label(node)) from None
    return Model(
        Graph(
            inputs=tuple(inputs),
            outputs=tuple(output.name for output in graph.output),
            nodes=tuple(builder.nodes),
            constants=builder.constants,
            types=inputs | {key: TensorType.of(a) for key, a in builder.constants.items()},
            name=graph.name,
        ),
        name,
        ModelMetadata(
            proto.producer_name,
            graph.name,
            proto.domain,
            proto.doc_string,
            graph.doc_string,
            proto.model_version,
            {entry.key: entry.value for entry in proto.metadata_props},
        ),
        opsets,
    )


def _domain(name: str) -> str:
    return "" if name == "ai.onnx" else name


def _check_operators(nodes: Iterable[NodeProto], opset: int) -> None:
    """One error for all operators that we lack."""
    missing: Counter[str] = Counter()
    for node in nodes:
        rules = schema(node.op_type, opset)
        renamed = RENAMED.get(node.op_type)
        ours = node.op_type == "Constant" or (renamed or node.op_type) in OPERATORS
        if _domain(node.domain):
            missing[f"{node.domain}.{node.op_type}"] += 1
        elif not ours or rules is None or (renamed and rules.deprecated):
            missing[node.op_type] += 1
    if missing:
        counts = ", ".join(f"{op} ({n})" for op, n in sorted(missing.items()))
        raise SuanziError(
            "the model has operators that we don't",
            expected=f"those of opset {opset} that suanzi.operators has",
            found=counts,
        )


def _inputs(graph: GraphProto) -> dict[str, TensorType]:
    types: dict[str, TensorType] = {}
    for info in graph.input:
        if not info.name or info.name in types:
            raise SuanziError("two inputs have one name, or one has none", found=repr(info.name))
        types[info.name] = _type(info)
    return types


def _type(info: ValueInfoProto) -> TensorType:
    kind = info.type.WhichOneof("value")
    if kind != "tensor_type":
        raise SuanziError("not a tensor", input=info.name, expected="a tensor", found=kind)
    tensor = info.type.tensor_type
    try:
        dtype = dtype_of(tensor.elem_type)
    except SuanziError as error:
        raise error.at(input=info.name) from None
    if not tensor.HasField("shape"):
        return TensorType(dtype, None)
    return TensorType(dtype, tuple(_dim(dim) for dim in tensor.shape.dim))


def _dim(dim: onnx.TensorShapeProto.Dimension) -> Dim:
    """Exporters write an unknown size as nothing, as 0, as -1 or as '?'."""
    if dim.HasField("dim_param"):
        return None if dim.dim_param in ("", "?", "-1") else dim.dim_param
    return dim.dim_value if dim.dim_value > 0 else None


def _constants(graph: GraphProto, opset: int, folder: Path | None) -> dict[str, Array]:
    """The initialisers, and what the Constant nodes make."""
    if graph.sparse_initializer:
        name = graph.sparse_initializer[0].values.name
        raise SuanziError("sparse tensors aren't supported", input=name)
    found: dict[str, Array] = {}

    def add(name: str, array: Array) -> None:
        if not name or name in found:
            raise SuanziError("two constants have one name, or one has none", found=repr(name))
        found[name] = array

    for tensor in graph.initializer:
        add(tensor.name, to_array(tensor, folder))
    for node in graph.node:
        if node.op_type == "Constant":
            try:
                call = decode(node, opset, folder)
                add(call.outputs[0], _constant(call))
            except SuanziError as error:
                raise error.at(node=label(node)) from None
    return found


def _constant(call: Call) -> Array:
    if len(call.attributes) != 1:
        raise SuanziError("wrong attributes", expected="one value", found=[*call.attributes])
    ((kind, value),) = call.attributes.items()
    if kind == "value":
        return np.asarray(value)
    if kind in ("value_float", "value_floats"):
        return np.array(value, np.float32)
    if kind in ("value_int", "value_ints"):
        return np.array(value, np.int64)
    raise SuanziError("a constant of a kind that we don't have", found=kind)


def _check_names(graph: GraphProto, nodes: list[NodeProto], given: set[str]) -> set[str]:
    """The names of all values: each made once, and all that are read are made."""
    made = set(given)
    for node in nodes:
        for name in filter(None, node.output):
            if name in made:
                raise SuanziError(f"{name} is made twice", node=label(node))
            made.add(name)
    for node in nodes:
        for name in filter(None, node.input):
            if name not in made:
                raise SuanziError("nothing makes this value", node=label(node), input=name)
    for output in graph.output:
        if output.name not in made:
            raise SuanziError("nothing makes this output", found=repr(output.name))
    return made


def _sort(nodes: list[NodeProto], given: set[str]) -> list[NodeProto]:
    """The nodes, each after those whose outputs it reads; a sorted file's order stays."""
    ready = set(given)
    for node in nodes:
        if not ready.issuperset(filter(None, node.input)):
            break
        ready.update(node.output)
    else:
        return nodes
    makers = {name: i for i, node in enumerate(nodes) for name in node.output if name}
    needs = {
        i: {makers[name] for name in node.input if name in makers} for i, node in enumerate(nodes)
    }
    try:
        return [nodes[i] for i in graphlib.TopologicalSorter(needs).static_order()]
    except graphlib.CycleError as error:
        cycle = " → ".join(label(nodes[i]) for i in error.args[1])
        raise SuanziError("the nodes form a cycle", found=cycle) from None
