"""A Graph to an ONNX file: the newest operators at the lowest opset where they mean the same.

What ONNX lacks is written out in its operators (expand.py). Names are kept; what a body captures
it reads by its outer name again.
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from onnx import (
    AttributeProto,
    GraphProto,
    ModelProto,
    NodeProto,
    TensorProto,
    ValueInfoProto,
    helper,
    numpy_helper,
)

from suanzi.errors import SuanziError
from suanzi.graph import Graph, Node
from suanzi.graph.bodies import ControlFlow
from suanzi.graph.infer import infer
from suanzi.onnx.expand import expand
from suanzi.onnx.nodes import CONTRIBUTED, NEWEST_OPSET
from suanzi.onnx.opsets import attributes_of, had_axes, key_of, lowest, optional_outputs
from suanzi.onnx.read import ModelMetadata
from suanzi.onnx.types import to_proto
from suanzi.operators._operator import Array, SequenceType, TensorType
from suanzi.operators._types import element_number
from suanzi.operators.normalization import BatchNormalization

LARGEST = 2**31 - 2**24
"""Bytes of weights that still fit into one file, whose format ends at 2 GiB."""
ALIGNMENT = 4096


def write(
    graph: Graph,
    opset_version: int | None = None,
    metadata: ModelMetadata | None = None,
    path: str | os.PathLike[str] | None = None,
) -> ModelProto:
    """The model; with a path it is written there as well.

    The opset is the one asked for, or the lowest from 18 on at which every node is what it is
    here. Weights of more than 2 GiB lie in a file beside the model's, named after it.
    """
    if opset_version is not None and not 7 <= opset_version <= NEWEST_OPSET:
        expected = f"7 to {NEWEST_OPSET}"
        raise SuanziError(
            "no such opset", input="opset_version", expected=expected, found=opset_version
        )
    typed = expand(_as_declared(infer(graph), graph.types), opset_version)
    opsets = lowest(typed, opset_version)
    writer = _Writer(opsets, None if path is None else Path(path))
    proto = writer.graph(typed, {})
    said = metadata or ModelMetadata()
    model = ModelProto(
        ir_version=max(8, _ir_version(opsets)),
        graph=proto,
        producer_name=said.producer_name or "suanzi",
        domain=said.domain,
        doc_string=said.description,
        model_version=said.version,
        opset_import=[helper.make_opsetid(domain, version) for domain, version in opsets.items()],
    )
    proto.doc_string = said.graph_description
    helper.set_model_props(model, said.custom_metadata_map)
    if path is not None:
        try:
            Path(path).write_bytes(model.SerializeToString())
        except OSError as error:
            raise SuanziError(f"can't write the model: {error.strerror}", found=str(path)) from None
    return model


def _as_declared(graph: Graph, declared: Mapping[str, TensorType]) -> Graph:
    """The types with the sizes that the graph declared where none could be inferred."""
    types = dict(graph.types)
    for name, said in declared.items():
        t = types.get(name)
        if t is None or not t.is_tensor or t.static or said.dtype != t.dtype:
            continue
        if said.shape is None or len(t.shape or said.shape) != len(said.shape):
            continue
        dims = zip(t.shape or said.shape, said.shape, strict=True)
        types[name] = TensorType(t.dtype, tuple(d if isinstance(d, int) else s for d, s in dims))
    return graph.replace(types=types)


def _ir_version(opsets: Mapping[str, int]) -> int:
    known = {domain: v for domain, v in opsets.items() if domain != CONTRIBUTED}
    ids = [helper.make_opsetid(domain, version) for domain, version in known.items()]
    return int(helper.find_min_ir_version_for(ids))


class _Writer:
    """Writes graphs, those in others too; no two of their values have one name."""

    def __init__(self, opsets: Mapping[str, int], path: Path | None) -> None:
        self.opsets = opsets
        self.path = path
        self.taken: set[str] = set()
        self.nodes: set[str] = set()
        self.file: Path | None = None

    def graph(self, graph: Graph, outer: Mapping[str, str], captures: int = 0) -> GraphProto:
        """A graph whose types are known. A body's last inputs, what it captures, are `outer`'s."""
        names = _Names(self.taken, outer)
        own = graph.inputs[: len(graph.inputs) - captures]
        for name in (*own, *graph.constants, *_made(graph)):
            names.add(name)
        if not captures and not outer:
            self._choose_file(graph)
        proto = GraphProto(name=graph.name or "graph")
        proto.input.extend(_info(names[n], graph.types[n]) for n in own)
        read = {n for node in graph.nodes for n in node.inputs} | set(graph.outputs)
        for name, array in graph.constants.items():
            if name in read:
                proto.initializer.append(self._tensor(names[name], array))
        for node in graph.nodes:
            proto.node.append(self._node(_trimmed(node, read), graph, names))
        outputs = self._outputs(graph, names, proto)
        proto.output.extend(_info(new, graph.types[n]) for n, new in outputs)
        shown = {*own, *graph.outputs, *graph.constants, ""}
        for node in graph.nodes:
            for name in node.outputs:
                if name in read and name not in shown:
                    proto.value_info.append(_info(names[name], graph.types[name]))
        return proto

    def _outputs(self, graph: Graph, names: "_Names", proto: GraphProto) -> list[tuple[str, str]]:
        """The outputs by old and new name: each made by a node here, and no two the same."""
        made, seen, found = _made(graph), set[str](), []
        for name in graph.outputs:
            new = names[name]
            if name not in made or name in seen:
                new = names.another(name)
                proto.node.append(helper.make_node("Identity", [names[name]], [new]))
            seen.add(name)
            found.append((name, new))
        return found

    def _node(self, node: Node, graph: Graph, names: "_Names") -> NodeProto:
        op = node.operator
        domain, op_type = key_of(type(op))
        captures = op.captures if isinstance(op, ControlFlow) else 0
        given = [names[n] for n in node.inputs[: len(node.inputs) - captures]]
        captured = [names[n] for n in node.inputs[len(given) :]]
        axes = None
        if not domain and had_axes(op_type, self.opsets[""]) and len(given) > 1:
            axes = graph.types[node.inputs[1]].value
            given = given[:1]
        while given and not given[-1]:  # onnxruntime crashes at an empty name in the end
            given.pop()
        proto = NodeProto(
            op_type=op_type,
            name=_unique(node.name, self.nodes) if node.name else "",
            domain=domain,
            input=given,
            output=[names[n] for n in node.outputs],
        )
        if axes is not None:
            proto.attribute.append(helper.make_attribute("axes", axes.tolist()))
        for key, (value, kind) in attributes_of(op, self.opsets[domain]).items():
            if isinstance(value, Graph):
                outer = dict(
                    zip(value.inputs[len(value.inputs) - captures :], captured, strict=True)
                )
                typed = _typed_body(op, value, [graph.types.get(n) for n in node.inputs])
                body = self.graph(typed, outer, captures)
                proto.attribute.append(helper.make_attribute(key, body))
            else:
                proto.attribute.append(_attribute(key, value, kind))
        return proto

    def _choose_file(self, graph: Graph) -> None:
        total = sum(array.nbytes for array in graph.constants.values())
        if total > LARGEST and self.path is not None:
            self.file = self.path.with_name(f"{self.path.name}.data")
            self.file.write_bytes(b"")

    def _tensor(self, name: str, array: Array) -> TensorProto:
        if self.file is None or array.dtype == object or array.nbytes < ALIGNMENT:
            return _tensor(array, name)
        proto = TensorProto(
            name=name,
            dims=array.shape,
            data_type=element_number(array.dtype),
            data_location=TensorProto.EXTERNAL,
        )
        whole = _tensor(array, name)
        with self.file.open("ab") as file:
            file.write(b"\0" * (-file.tell() % ALIGNMENT))
            entries = {
                "location": self.file.name,
                "offset": file.tell(),
                "length": len(whole.raw_data),
            }
            file.write(whole.raw_data)
        for key, value in entries.items():
            proto.external_data.add(key=key, value=str(value))
        return proto


class _Names:
    """What the values of a graph are called in the file."""

    def __init__(self, taken: set[str], outer: Mapping[str, str]) -> None:
        self._taken, self._known = taken, {"": "", **outer}

    def __getitem__(self, name: str) -> str:
        return self._known[name]

    def add(self, name: str) -> None:
        if name not in self._known:
            self._known[name] = self.another(name)

    def another(self, name: str) -> str:
        """A name that nothing else has."""
        return _unique(name, self._taken)


def _unique(name: str, taken: set[str]) -> str:
    """The name, or it with a number: one that hasn't been taken, and now is."""
    new, count = name, 0
    while new in taken:
        count += 1
        new = f"{name}_{count}"
    taken.add(new)
    return new


def _made(graph: Graph) -> dict[str, None]:
    return dict.fromkeys(name for node in graph.nodes for name in node.outputs if name)


def _trimmed(node: Node, read: set[str]) -> Node:
    """Without the optional outputs that nothing reads."""
    training = isinstance(node.operator, BatchNormalization) and node.operator.training_mode
    if training:  # it must have them
        return node
    optional = optional_outputs(type(node.operator))
    outputs = [
        "" if name not in read and i in optional else name for i, name in enumerate(node.outputs)
    ]
    while outputs and not outputs[-1]:
        outputs.pop()
    return Node(node.operator, node.inputs, tuple(outputs), node.name) if outputs else node


def _typed_body(op: Any, body: Graph, given: Sequence[TensorType | None]) -> Graph:
    """The body with all types, its inputs' from those of the node where it doesn't say."""
    types = dict(body.types)
    for name, t in zip(body.inputs, _formal(op, given, len(body.inputs)), strict=True):
        if name not in types:
            types[name] = t
    return infer(body.replace(types=types))


def _formal(op: Any, given: Sequence[TensorType | None], count: int) -> list[TensorType]:
    """What a body gets, by what its node gets: nothing is known but types and ranks."""
    kind = type(op).__name__
    inputs = [t for t in given if t is not None]
    captured = inputs[len(inputs) - op.captures :] if op.captures else []
    if kind == "Loop":
        state = inputs[len(inputs) - op.captures - (count - 2 - op.captures) :]
        first = [TensorType(np.dtype(dtype), ()) for dtype in (np.int64, np.bool_)]
        return first + [TensorType(t.dtype, None) for t in state]
    own = inputs[: len(inputs) - op.captures]
    if kind == "If":
        return captured
    if kind == "Scan":
        scanned = len(own) - op.num_scan_inputs
        return [
            TensorType(t.dtype, None if i >= scanned else t.shape) for i, t in enumerate(own)
        ] + captured
    return [t.element if isinstance(t, SequenceType) else t for t in own] + captured


def _info(name: str, t: TensorType) -> ValueInfoProto:
    return ValueInfoProto(name=name, type=to_proto(t))


def _tensor(array: Array, name: str = "") -> TensorProto:
    if array.dtype == object:
        texts = [str(text).encode() for text in array.reshape(-1)]
        return TensorProto(name=name, dims=array.shape, data_type=8, string_data=texts)
    return numpy_helper.from_array(np.asarray(array, order="C"), name)


def _attribute(key: str, value: Any, kind: int) -> AttributeProto:
    """An attribute; `kind` is the schema's, 0 where there is no schema."""
    if isinstance(value, np.ndarray):
        value = _tensor(value)
    elif isinstance(value, TensorType):
        value = to_proto(value)
    elif isinstance(value, tuple):
        value = [*map(float, value)] if kind == AttributeProto.FLOATS else [*value]
    elif kind == AttributeProto.FLOAT:
        value = float(value)
    return helper.make_attribute(key, value, attr_type=kind or None)
