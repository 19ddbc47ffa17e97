"""One graph of a file to a Graph: the model's own, and those that nodes have as attributes."""

import graphlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from onnx import GraphProto, NodeProto, ValueInfoProto

from suanzi.errors import SuanziError
from suanzi.graph import Graph
from suanzi.onnx.adapt import adapt
from suanzi.onnx.build import Builder
from suanzi.onnx.nodes import Call, decode, label, to_node
from suanzi.onnx.tensors import to_array
from suanzi.onnx.types import to_type
from suanzi.operators._checks import STRING
from suanzi.operators._operator import Array, SequenceType, TensorType
from suanzi.operators._types import ELEMENT_TYPES


def to_graph(
    proto: GraphProto,
    opsets: Mapping[str, int],
    folder: Path | None,
    captures: Mapping[str, TensorType] | None = None,
    given: Sequence[TensorType] = (),
) -> Graph:
    """The graph of newest operators. A body gets its captures as further inputs; where it doesn't
    declare what its own inputs are, they are what it is `given`."""
    opset = opsets[""]
    constants = _constants(proto, opset, folder)
    inputs = _inputs(proto, given) | dict(captures or {})
    inputs = {name: type for name, type in inputs.items() if name not in constants}
    nodes = [node for node in proto.node if node.op_type != "Constant"]
    made = _check_names(proto, nodes, {*inputs, *constants})
    builder = Builder(inputs, constants, made)
    for node in _sort(nodes, {*inputs, *constants}):
        try:
            call = decode(node, opsets.get(node.domain, opset), folder)
            for newest in adapt(_closed(call, builder, opsets, folder), builder):
                builder.nodes.append(to_node(newest))
        except SuanziError as error:
            raise error.at(node=label(node)) from None
    return Graph(
        inputs=tuple(inputs),
        outputs=tuple(output.name for output in proto.output),
        nodes=tuple(builder.nodes),
        constants=builder.constants,
        types=_declared(proto)
        | inputs
        | {key: TensorType.of(a) for key, a in builder.constants.items()},
        name=proto.name,
    )


def _closed(call: Call, builder: Builder, opsets: Mapping[str, int], folder: Path | None) -> Call:
    """The call with Graphs for bodies, and what they capture as its last inputs."""
    bodies = {key: x for key, x in call.attributes.items() if isinstance(x, GraphProto)}
    if not bodies:
        return call
    names = dict.fromkeys(name for body in bodies.values() for name in _captured(body))
    captures = {name: builder.type(name) for name in names}
    given = _formal(call.op_type, call.inputs, builder)
    graphs = {key: to_graph(body, opsets, folder, captures, given) for key, body in bodies.items()}
    return call.but(inputs=(*call.inputs, *names), attributes={**graphs, "captures": len(names)})


def _formal(op_type: str, inputs: Sequence[str], builder: Builder) -> list[TensorType]:
    """What a body's inputs are, where the body doesn't say."""
    first = []
    if op_type == "Loop":  # the number of the iteration, and whether it runs
        first = [TensorType(np.dtype(dtype), ()) for dtype in (np.int64, np.bool_)]
    types = [builder.type(name) for name in inputs[len(first) :] if name]
    if op_type == "SequenceMap":
        types = [t.element if isinstance(t, SequenceType) else t for t in types]
    return first + [TensorType(t.dtype, None) if t.is_tensor else t for t in types]


def _captured(graph: GraphProto) -> Iterator[str]:
    """The names of outer values that the graph, or one in it, reads."""
    made = {x.name for x in (*graph.input, *graph.initializer)}
    made.update(name for node in graph.node for name in node.output)
    for node in graph.node:
        yield from (name for name in reads(node) if name not in made)
    yield from (output.name for output in graph.output if output.name not in made)


def reads(node: NodeProto) -> Iterator[str]:
    """The names of the values that the node reads, those that its bodies capture included."""
    yield from filter(None, node.input)
    for attribute in node.attribute:
        if attribute.HasField("g"):
            yield from _captured(attribute.g)


def _inputs(graph: GraphProto, given: Sequence[TensorType]) -> dict[str, TensorType]:
    types: dict[str, TensorType] = {}
    for place, info in enumerate(graph.input):
        if not info.name or info.name in types:
            raise SuanziError("two inputs have one name, or one has none", found=repr(info.name))
        declared = info.type.WhichOneof("value") is not None or place >= len(given)
        types[info.name] = _input(info) if declared else given[place]
    return types


def _declared(graph: GraphProto) -> dict[str, TensorType]:
    """What the file says of the outputs, for one who writes it again: to run it is inferred."""
    outputs = (o for o in graph.output if o.type.WhichOneof("value") == "tensor_type")
    return {
        o.name: to_type(o.type) for o in outputs if o.type.tensor_type.elem_type in ELEMENT_TYPES
    }


def _input(info: ValueInfoProto) -> TensorType:
    try:
        return to_type(info.type)
    except SuanziError as error:
        raise error.at(input=info.name) from None


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
    if kind in ("value_string", "value_strings"):
        return np.array(value, STRING)
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
        for name in reads(node):
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
        if not ready.issuperset(reads(node)):
            break
        ready.update(node.output)
    else:
        return nodes
    makers = {name: i for i, node in enumerate(nodes) for name in node.output if name}
    needs = {
        i: {makers[name] for name in reads(node) if name in makers} for i, node in enumerate(nodes)
    }
    try:
        return [nodes[i] for i in graphlib.TopologicalSorter(needs).static_order()]
    except graphlib.CycleError as error:
        cycle = " → ".join(label(nodes[i]) for i in error.args[1])
        raise SuanziError("the nodes form a cycle", found=cycle) from None
