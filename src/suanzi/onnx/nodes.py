"""One node of a file: decoded into Python values and checked against ONNX's schema of its opset."""

import dataclasses
import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx
from onnx import AttributeProto, NodeProto, OperatorSetIdProto

import suanzi.graph.control_flow
import suanzi.operators  # noqa: F401 - they fill OPERATORS
from suanzi.errors import SuanziError
from suanzi.graph import Node
from suanzi.onnx.tensors import to_array
from suanzi.onnx.types import to_type
from suanzi.operators._operator import OPERATORS, qualified

NEWEST_OPSET = 28
"""The opset whose meaning the operators have."""


@dataclass(frozen=True)
class Call:
    """A node with the meaning of `opset`, its attributes as Python values."""

    op_type: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: dict[str, Any] = dataclasses.field(default_factory=dict)
    opset: int = NEWEST_OPSET
    name: str = ""
    domain: str = ""

    def but(self, *without: str, **changes: Any) -> "Call":
        """This call with other fields, and without some attributes."""
        attributes = changes.pop("attributes", {})
        kept = {k: v for k, v in self.attributes.items() if k not in without}
        return dataclasses.replace(self, attributes=kept | attributes, **changes)


CONTRIBUTED = "com.microsoft"
"""The domain of onnxruntime's own operators, which have no schema that we could ask."""

MISPLACED = ("LayerNormalization", "SimplifiedLayerNormalization")
"""Operators of onnxruntime's own that it keeps in ONNX's domain, at opsets without them."""

VALUES: dict[int, Callable[[AttributeProto, Path | None], Any]] = {
    AttributeProto.INT: lambda a, folder: a.i,
    AttributeProto.FLOAT: lambda a, folder: a.f,
    AttributeProto.STRING: lambda a, folder: a.s.decode(),
    AttributeProto.TENSOR: lambda a, folder: to_array(a.t, folder),
    AttributeProto.INTS: lambda a, folder: tuple(a.ints),
    AttributeProto.FLOATS: lambda a, folder: tuple(a.floats),
    AttributeProto.STRINGS: lambda a, folder: tuple(s.decode() for s in a.strings),
    AttributeProto.GRAPH: lambda a, folder: a.g,
    AttributeProto.TYPE_PROTO: lambda a, folder: to_type(a.tp),
}
"""The kinds of attribute that we have, and how each is read."""


def label(node: NodeProto) -> str:
    """How messages call a node: its own name, or its first output's."""
    return f"{node.name or next(iter(node.output), '?')} ({node.op_type})"


@functools.cache
def schema(op_type: str, opset: int, domain: str = "") -> onnx.defs.OpSchema | None:
    """What ONNX says of an operator as of its domain's opset; None where it has no such one."""
    try:
        return onnx.defs.get_schema(op_type, opset, domain)
    except onnx.defs.SchemaError:
        return None


def domain_of(item: NodeProto | OperatorSetIdProto, opset: int = NEWEST_OPSET) -> str:
    """The domain by its first name; onnxruntime's for its own operators."""
    if item.domain not in ("", "ai.onnx"):
        return item.domain
    misplaced = isinstance(item, NodeProto) and item.op_type in MISPLACED
    return CONTRIBUTED if misplaced and schema(item.op_type, opset) is None else ""


def decode(node: NodeProto, opset: int, folder: Path | None) -> Call:
    """The node as Python values; an error where it isn't what the schema asks for. `opset` is
    that of the node's domain."""
    domain = domain_of(node, opset)
    rules = schema(node.op_type, opset, domain)
    if rules is not None:
        _check(node, rules)
    elif domain != CONTRIBUTED:
        raise SuanziError(f"opset {opset} has no operator {qualified(domain, node.op_type)}")
    attributes = {a.name: _attribute(a, rules, folder) for a in node.attribute}
    if opset < 6 and not domain:  # a hint for memory reuse that every operator had
        attributes.pop("consumed_inputs", None)
    inputs, outputs = tuple(node.input), tuple(node.output)
    return Call(node.op_type, inputs, outputs, attributes, opset, node.name, domain)


def _check(node: NodeProto, rules: onnx.defs.OpSchema) -> None:
    """As many inputs and outputs as the schema says, and the attributes that must be."""
    required = {
        "input": (rules.inputs, rules.min_input, rules.max_input, node.input),
        "output": (rules.outputs, rules.min_output, rules.max_output, node.output),
    }
    for what, (formal, least, most, names) in required.items():
        if not least <= len(names) <= most:
            raise SuanziError(
                f"wrong number of {what}s",
                expected=least if least == most else f"{least} to {most}",
                found=len(names),
            )
        for parameter, name in zip(formal, names, strict=False):
            if not name and parameter.option == onnx.defs.OpSchema.FormalParameterOption.Single:
                raise SuanziError(f"{what} {parameter.name} can't be left out")
    given = {a.name for a in node.attribute}
    for name, rule in rules.attributes.items():
        if rule.required and name not in given:
            raise SuanziError(f"attribute {name} is missing")


def _attribute(a: AttributeProto, rules: onnx.defs.OpSchema | None, folder: Path | None) -> Any:
    found = AttributeProto.AttributeType.Name(a.type)
    expected = found
    if rules is not None:
        rule = rules.attributes.get(a.name)
        if rule is None:
            raise SuanziError(
                f"{rules.name} has no attribute {a.name}",
                expected=", ".join(rules.attributes) or "none",
            )
        expected = str(rule.type).removeprefix("AttrType.")
    if found != expected or a.ref_attr_name:
        found = f"{found} {a.ref_attr_name}".rstrip()
        raise SuanziError(
            f"attribute {a.name} is of the wrong kind", expected=expected, found=found
        )
    if a.type not in VALUES:
        raise SuanziError(f"attribute {a.name} is of a kind that we don't have: {expected}")
    return VALUES[a.type](a, folder)


def to_node(call: Call) -> Node:
    """The graph's node for a call with the newest meaning."""
    name = qualified(call.domain, call.op_type)
    cls = OPERATORS.get(name)
    if cls is None:
        raise SuanziError(f"we have no operator {name}")
    fields = {f.name for f in dataclasses.fields(cls)}
    unknown = sorted(set(call.attributes) - fields)
    if unknown:
        raise SuanziError(f"attributes that we don't have: {', '.join(unknown)}")
    return Node(cls(**call.attributes), call.inputs, call.outputs, call.name)
