"""Which opset a graph can be written at: where each node is there, and means what it means here."""

import dataclasses
import functools
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from onnx import TensorProto
from onnx.defs import OpSchema
from onnx.helper import get_attribute_value

from suanzi.errors import SuanziError
from suanzi.graph import Graph, Node
from suanzi.onnx.adapt import ADAPTERS
from suanzi.onnx.nodes import CONTRIBUTED, NEWEST_OPSET, schema
from suanzi.operators import Split
from suanzi.operators._operator import (
    OPERATORS,
    MapType,
    Operator,
    OptionalType,
    SequenceType,
    TensorType,
    qualified,
)
from suanzi.operators._types import element_number

OLDEST = {"": 18, "ai.onnx.ml": 3}
"""Where the search for an opset begins."""
NEWEST = {"": NEWEST_OPSET, "ai.onnx.ml": 5}

REDUCTIONS = ("L1", "L2", "LogSum", "LogSumExp", "Max", "Mean", "Min", "Prod", "SumSquare")
AXES: dict[str, int] = {
    **{f"Reduce{name}": 17 for name in REDUCTIONS},
    **dict.fromkeys(["ReduceSum", "Squeeze", "Unsqueeze"], 12),
}
"""Operators whose axes, an input today, were an attribute up to some opset."""

Option = OpSchema.FormalParameterOption


def key_of(kind: type[Operator]) -> tuple[str, str]:
    """An operator's domain, and its name there."""
    name = _names()[kind]
    domain, _, op_type = name.rpartition(".")
    return domain, op_type


@functools.cache
def _names() -> dict[type[Operator], str]:
    return {kind: name for name, kind in OPERATORS.items()}


def objection(node: Node, types: Mapping[str, TensorType], opset: int) -> str | None:
    """Why the node can't be written at its domain's opset; None if it can."""
    domain, op_type = key_of(type(node.operator))
    if domain == CONTRIBUTED:
        return None
    rules = schema(op_type, opset, domain)
    if rules is None or rules.deprecated:
        return "there is no such operator"
    changes = [last for last in ADAPTERS.get(qualified(domain, op_type), ()) if last >= opset]
    if had_axes(op_type, opset):
        changes.remove(AXES[op_type])
        if len(node.inputs) > 1 and _contents(types, node.inputs[1]) is None:
            return "its axes had to be constant"
    if op_type == "Split" and changes and _even(node, types):
        return None
    if op_type == "BatchNormalization" and not getattr(node.operator, "training_mode", 0):
        changes = [last for last in changes if last < 9]  # later only training changed
    if op_type in ("Hardmax", "LogSoftmax", "Softmax") and _last_axis(node, types):
        changes = []  # before, what lay after the axis was taken with it
    if changes:
        return "it had another form"
    captures = getattr(node.operator, "captures", 0)
    count = len(node.inputs) - captures - had_axes(op_type, opset) * (len(node.inputs) > 1)
    if count > rules.max_input:
        return f"it had at most {rules.max_input} inputs"
    unknown = _unknown_attribute(node.operator, rules)
    if unknown:
        return f"it had no attribute {unknown}, or not with that value"
    sides = [(rules.inputs, node.inputs[:count]), (rules.outputs, node.outputs)]
    for formal, names in sides:
        for place, name in enumerate(names):
            if name and place >= len(formal) and not _variadic(formal):
                return f"it had at most {len(formal)} outputs"
            parameter = formal[min(place, len(formal) - 1)]
            if name and name in types and not parameter.types.issuperset(_spelt(types[name])):
                return f"{parameter.name} couldn't be {types[name].dtype}"
    return None


def _contents(types: Mapping[str, TensorType], name: str) -> Any:
    """What a constant holds."""
    return types[name].value if name in types else None


def had_axes(op_type: str, opset: int) -> bool:
    """Whether the operator's axes were an attribute at that opset."""
    return opset <= AXES.get(op_type, 0)


def _even(node: Node, types: Mapping[str, TensorType]) -> bool:
    """Whether a Split is into parts of one size, which are as many as its outputs."""
    X, op = types.get(node.inputs[0]), node.operator
    if not isinstance(op, Split) or X is None or X.shape is None or len(node.inputs) > 1:
        return False
    size = X.shape[op.axis]
    return isinstance(size, int) and size % len(node.outputs) == 0


def _last_axis(node: Node, types: Mapping[str, TensorType]) -> bool:
    """Whether the operator's axis is the last."""
    axis, X = getattr(node.operator, "axis", None), types.get(node.inputs[0])
    return axis == -1 or (X is not None and X.shape is not None and axis == len(X.shape) - 1)


def _variadic(formal: Any) -> bool:
    return bool(formal) and formal[-1].option == Option.Variadic


def _spelt(t: TensorType) -> set[str]:
    """How ONNX spells a type; nothing where a sequence's or an optional's isn't told apart."""
    if isinstance(t, SequenceType | OptionalType | MapType):
        return set()
    return {f"tensor({TensorProto.DataType.Name(element_number(t.dtype)).lower()})"}


def _unknown_attribute(op: Operator, rules: OpSchema) -> str | None:
    for field in dataclasses.fields(op):
        if field.name in rules.attributes or field.name == "captures":
            continue
        if not _same(getattr(op, field.name), field.default):
            return field.name
    return None


def attributes_of(op: Operator, opset: int) -> dict[str, tuple[Any, int]]:
    """What must be said of an operator: each attribute that isn't as the schema has it, and the
    number of its kind there."""
    domain, op_type = key_of(type(op))
    rules = schema(op_type, opset, domain)
    said = {}
    for field in dataclasses.fields(op):
        value = getattr(op, field.name)
        rule = rules.attributes.get(field.name) if rules is not None else None
        if value is None or field.name == "captures" or (rules is not None and rule is None):
            continue
        kind = 0 if rule is None else int(rule.type)  # type: ignore[call-overload]
        usual = field.default
        if rule is not None:
            usual = get_attribute_value(rule.default_value) if rule.default_value.type else None
            usual = usual.decode() if isinstance(usual, bytes) else usual
        if (rule is not None and rule.required) or not _same(value, usual):
            said[field.name] = (value, kind)
    return said


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, np.ndarray) or isinstance(b, np.ndarray):
        return False
    if isinstance(a, float) and isinstance(b, float):
        return a == b or np.float32(a) == np.float32(b)
    return bool(a == b)


def optional_outputs(kind: type[Operator]) -> frozenset[int]:
    """Which outputs may be left out."""
    domain, op_type = key_of(kind)
    rules = schema(op_type, NEWEST[domain], domain) if domain in NEWEST else None
    if rules is None:
        return frozenset()
    return frozenset(i for i, p in enumerate(rules.outputs) if p.option == Option.Optional)


def lowest(graph: Graph, asked: int | None = None) -> dict[str, int]:
    """The opset of each domain: what is asked for, or the lowest at which every node can be
    written. A node that can't is a SuanziError that names it."""
    nodes: dict[str, list[tuple[Node, Mapping[str, TensorType]]]] = defaultdict(list)
    for node, types in _walk(graph):
        nodes[key_of(type(node.operator))[0]].append((node, types))
    found = {}
    for domain in sorted({"", *nodes}):
        found[domain] = _lowest(domain, nodes[domain], asked if not domain else None)
    return found


def _lowest(
    domain: str, nodes: list[tuple[Node, Mapping[str, TensorType]]], asked: int | None
) -> int:
    if domain not in NEWEST:
        return 1
    versions = [asked] if asked else range(OLDEST[domain], NEWEST[domain] + 1)
    wrong: list[tuple[Node, str]] = []
    for version in versions:
        reasons = ((node, objection(node, types, version)) for node, types in nodes)
        wrong = [(node, reason) for node, reason in reasons if reason]
        if not wrong:
            return version
    node, reason = wrong[0]
    raise SuanziError(
        f"can't be written at opset {versions[-1]}: {reason}",
        node=node.label,
        hint="Ask for a newer opset_version, or leave it out." if asked else None,
    )


def _walk(graph: Graph) -> Iterator[tuple[Node, Mapping[str, TensorType]]]:
    """All nodes with the types around them. Of those in bodies no types are known here."""
    for node in graph.nodes:
        yield node, graph.types
        for field in dataclasses.fields(node.operator):
            body = getattr(node.operator, field.name)
            if isinstance(body, Graph):
                for inner, _ in _walk(body):
                    yield inner, {}
