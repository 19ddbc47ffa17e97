"""A model as its file has it: parts cut out, values inside made outputs, nodes found."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from onnx import (
    GraphProto,
    ModelProto,
    NodeProto,
    TensorProto,
    ValueInfoProto,
    helper,
    numpy_helper,
    printer,
)

from suanzi.errors import SuanziError
from suanzi.onnx.functions import inline
from suanzi.onnx.graphs import reads
from suanzi.onnx.parse import parse
from suanzi.onnx.tensors import to_array
from suanzi.operators._operator import TensorType
from suanzi.operators._types import element_number

Source = str | os.PathLike[str] | bytes | ModelProto
LARGE = 1 << 10
"""Bytes of a tensor that a node's text doesn't show."""


class Original:
    """A model as its file has it, its functions written out, its weights all inside."""

    def __init__(self, source: Source) -> None:
        whole = ModelProto()
        whole.CopyFrom(parse(source))
        self.proto = inline(whole)
        folder = Path(source).parent if isinstance(source, str | os.PathLike) else None
        for tensor in self.proto.graph.initializer:
            if tensor.data_location == TensorProto.EXTERNAL:
                tensor.CopyFrom(numpy_helper.from_array(to_array(tensor, folder), tensor.name))
        graph = self.proto.graph
        self.makers = {name: node for node in graph.node for name in node.output if name}
        self.constants = {tensor.name: tensor for tensor in graph.initializer}

    def text(self, outputs: Iterable[str]) -> str | None:
        """The node that makes one of these values, as ONNX writes it."""
        node = next((self.makers[name] for name in outputs if name in self.makers), None)
        if node is None:
            return None
        shown = NodeProto()
        shown.CopyFrom(node)
        for attribute in shown.attribute:
            if attribute.HasField("g"):
                attribute.g.CopyFrom(GraphProto(name=attribute.g.name))
            if attribute.HasField("t") and attribute.t.ByteSize() > LARGE:
                attribute.t.CopyFrom(TensorProto(name=attribute.t.name))
        return str(printer.to_text(shown)).strip()

    def with_outputs(self, names: Sequence[str]) -> tuple[bytes, list[str]]:
        """The model's bytes with these values as further outputs, and all outputs' names. What the
        file doesn't have is left out."""
        model = ModelProto()
        model.CopyFrom(self.proto)
        there = {output.name for output in model.graph.output}
        added = [name for name in names if name in self.makers and name not in there]
        model.graph.output.extend(ValueInfoProto(name=name) for name in added)
        return _bytes(model), [output.name for output in model.graph.output]

    def cut(
        self, inputs: Sequence[str], outputs: Sequence[str], types: Mapping[str, TensorType]
    ) -> bytes:
        """All between some values and others, as a model of its own; `types` are the values'."""
        kept: list[int] = []
        weights: list[str] = []
        seen = set(inputs)
        places = {id(node): i for i, node in enumerate(self.proto.graph.node)}
        todo = list(outputs)
        given = {info.name for info in self.proto.graph.input}
        while todo:
            name = todo.pop()
            if name in seen:
                continue
            seen.add(name)
            if name in self.constants:
                weights.append(name)
            elif name in self.makers:
                node = self.makers[name]
                kept.append(places[id(node)])
                seen.update(node.output)
                todo += reads(node)
            elif name in given:
                raise SuanziError(
                    "an input of the model is missing among the part's",
                    input=name,
                    hint="Add it to the inputs",
                )
            else:
                raise SuanziError("the file has no such value", found=name)
        for name in inputs:
            if name not in self.makers and name not in given and name not in self.constants:
                raise SuanziError("the file has no such value", found=name)
        if not kept:
            raise SuanziError("nothing lies between these values")
        model = ModelProto()
        model.CopyFrom(self.proto)
        graph = model.graph
        nodes = [self.proto.graph.node[i] for i in sorted(set(kept))]
        del graph.node[:], graph.input[:], graph.output[:], graph.initializer[:]
        del graph.value_info[:]
        graph.node.extend(nodes)
        graph.initializer.extend(self.constants[name] for name in sorted(weights))
        graph.input.extend(_info(name, types) for name in inputs)
        graph.output.extend(_info(name, types) for name in outputs)
        return _bytes(model)


def _info(name: str, types: Mapping[str, TensorType]) -> ValueInfoProto:
    """What a graph says of its input or output."""
    t = types.get(name)
    if t is None:
        raise SuanziError("the type of a value isn't known", found=name)
    if not t.is_tensor:
        raise SuanziError("only tensors can be cut at", input=name, found=t)
    shape = None if t.shape is None else list(t.shape)
    return helper.make_tensor_value_info(name, element_number(t.dtype), shape)


def _bytes(model: ModelProto) -> bytes:
    try:
        return bytes(model.SerializeToString())
    except ValueError:  # protobuf's limit
        raise SuanziError("the model would be larger than the 2 GiB that a file can have") from None
