"""A model as plain data: its graphs, nodes, values and groups, with what each of them takes."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from suanzi.graph import Graph, Node
from suanzi.graph.infer import infer
from suanzi.inspect.hierarchy import constants_alone, hierarchy
from suanzi.inspect.nodes import (
    at_batch_one,
    cost_of,
    is_weight,
    named_bodies,
    symbols,
    title,
    total,
    typed_body,
)
from suanzi.inspect.plain import plain
from suanzi.operators._operator import Array, Operator, TensorType

if TYPE_CHECKING:
    from suanzi.session import InferenceSession

SMALL = 16
"""Elements of a constant that are shown whole."""


@dataclass(frozen=True)
class ConstantData:
    bytes: int
    small: list[Any] | None


@dataclass(frozen=True)
class ValueData:
    """A value's type; `shape` has numbers, symbols and None for sizes that are open."""

    type: str
    dtype: str
    shape: list[Any] | None
    constant: ConstantData | None = None


@dataclass(frozen=True)
class NodeData:
    """A node. `constant`: it depends on no input. `macs` and `bytes` are None where sizes are
    open."""

    id: str
    name: str
    operator: str
    family: str
    attributes: dict[str, Any]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    group: str | None
    bodies: dict[str, str]
    parameters: int
    macs: int | None
    bytes: int | None
    constant: bool


@dataclass(frozen=True)
class GraphData:
    """The main graph, whose id is empty, or a body; of that the last `captures` inputs are values
    of the graph around it."""

    id: str
    name: str
    parent: dict[str, str] | None
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    captures: int
    nodes: list[NodeData]
    values: dict[str, ValueData]


@dataclass(frozen=True)
class GroupData:
    """Nodes that belong together; `nodes`, `parameters` and `macs` are of all within."""

    id: str
    name: str
    path: str
    parent: str | None
    graph: str
    kind: str
    like: str | None
    nodes: int
    parameters: int
    macs: int | None


@dataclass(frozen=True)
class ModelData:
    name: str
    metadata: dict[str, Any]
    opsets: dict[str, int]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    symbols: list[str]
    graphs: dict[str, GraphData]
    groups: list[GroupData]
    operators: dict[str, dict[str, Any]]
    totals: dict[str, Any]


def describe(session: InferenceSession) -> ModelData:
    """All that there is to know of a session's model before it runs."""
    found = _Description()
    sized = at_batch_one(session.graph)
    found.add(session.graph, sized, "", None)
    nodes = [node for graph in found.graphs.values() for node in graph.nodes]
    main = found.graphs[""].nodes
    counts = Counter(node.operator for node in nodes)
    classes = {title(node.operator): node.operator for node in found.nodes.values()}
    constants = found.counted.values()
    return ModelData(
        name=session.name,
        metadata=dataclasses.asdict(session.get_modelmeta()),
        opsets={domain or "ai.onnx": version for domain, version in session.opsets.items()},
        inputs=session.graph.inputs,
        outputs=session.graph.outputs,
        symbols=symbols(session.graph),
        graphs=found.graphs,
        groups=found.groups,
        operators={
            name: {
                "count": count,
                "family": classes[name].family,
                "domain": classes[name].domain or "ai.onnx",
            }
            for name, count in counts.most_common()
        },
        totals={
            "nodes": len(nodes),
            "parameters": sum(x.size for x in constants),
            "parameter_bytes": sum(x.nbytes for x in constants),
            "macs": total(node.macs for node in main),
        },
    )


def attribute_values(operator: Operator, all: bool = False) -> dict[str, Any]:
    """An operator's attributes as data, those that are their default left out unless `all`;
    bodies are told of elsewhere."""
    found = {}
    for f in dataclasses.fields(operator):
        value = getattr(operator, f.name)
        hidden = isinstance(value, Graph) or f.name == "captures"
        if not hidden and (all or not _is_default(value, f.default)):
            found[f.name] = attribute_value(value)
    return found


def _is_default(value: Any, default: Any) -> bool:
    return value is default or (
        not isinstance(value, np.ndarray)
        and default is not dataclasses.MISSING
        and bool(value == default)
    )


def attribute_value(value: Any) -> Any:
    match value:
        case np.ndarray() if value.size > SMALL:
            return {"tensor": str(TensorType(value.dtype, value.shape))}
        case TensorType():
            return {"type": str(value)}
    return plain(value)


def value_data(t: TensorType | None, constant: Array | None = None) -> ValueData:
    """What is told of a value of a type; None: not even that is known."""
    if t is None:
        return ValueData("unknown", "unknown", None)
    name = str(t).replace("object", "string") if t.is_tensor else str(t)
    kind = name.partition("[")[0] if t.is_tensor else name.partition("(")[0]
    shape = None if t.shape is None else list(t.shape)
    held = None
    if constant is not None:
        small = plain(constant.ravel()) if constant.size <= SMALL else None
        held = ConstantData(constant.nbytes, small)
    return ValueData(name, kind, shape, held)


class _Description:
    """Collects the graphs, outer ones first."""

    def __init__(self) -> None:
        self.graphs: dict[str, GraphData] = {}
        self.groups: list[GroupData] = []
        self.nodes: dict[str, Node] = {}
        self.counted: dict[int, Array] = {}
        """Weights by their id: each counts once, at its first reader."""

    def add(self, graph: Graph, sized: Graph, at: str, parent: dict[str, str] | None) -> None:
        prefix = f"{at}." if at else ""
        groups, where = hierarchy(graph)
        constant = constants_alone(graph)
        group_id = [f"{at}:{group.path}" for group in groups]
        nodes: list[NodeData] = []
        data = GraphData(
            at,
            graph.name,
            parent,
            graph.inputs,
            graph.outputs,
            int(parent["captures"]) if parent else 0,
            nodes,
            {
                name: value_data(graph.types.get(name), graph.constants.get(name))
                for name in _names(graph)
            },
        )
        self.graphs[at] = data
        inside: dict[int, list[NodeData]] = {}
        for i, (node, number) in enumerate(zip(graph.nodes, where, strict=True)):
            own = None if number is None else group_id[number]
            nodes.append(self._node(graph, sized, node, f"{prefix}{i}", own, constant[i]))
            while number is not None:
                inside.setdefault(number, []).append(nodes[i])
                number = groups[number].parent
        for number, group in enumerate(groups):
            members = inside.get(number, [])
            self.groups.append(
                GroupData(
                    group_id[number],
                    group.name,
                    group.path,
                    None if group.parent is None else group_id[group.parent],
                    at,
                    group.kind,
                    group.like,
                    len(members),
                    sum(node.parameters for node in members),
                    total(node.macs for node in members),
                )
            )

    def _node(
        self, graph: Graph, sized: Graph, node: Node, at: str, group: str | None, constant: bool
    ) -> NodeData:
        operator = node.operator
        self.nodes[at] = node
        bodies = {}
        for attribute, body in named_bodies(operator):
            bodies[attribute] = f"{at}.{attribute}"
            typed = typed_body(body)
            captures = str(getattr(operator, "captures", 0))
            parent = {"node": at, "attribute": attribute, "captures": captures}
            self.add(typed, typed, bodies[attribute], parent)
        weights = 0
        for name in node.inputs:
            x = graph.constants.get(name)
            if x is not None and is_weight(x) and id(x) not in self.counted:
                self.counted[id(x)] = x
                weights += x.size
        cost = cost_of(sized, node)
        return NodeData(
            at,
            node.name,
            title(operator),
            operator.family,
            attribute_values(operator),
            node.inputs,
            node.outputs,
            group,
            bodies,
            weights,
            cost.macs if cost else None,
            cost.read + cost.written if cost else None,
            constant,
        )


def _names(graph: Graph) -> list[str]:
    named = [*graph.inputs, *(n for node in graph.nodes for n in (*node.inputs, *node.outputs))]
    return [name for name in dict.fromkeys((*named, *graph.outputs)) if name]


def sizes(graph: Graph, types: Mapping[str, TensorType]) -> dict[str, Any]:
    """The types of all values, and what each node takes, for inputs of these types."""
    sized = infer(graph, types)
    costs = {str(i): cost_of(sized, node) for i, node in enumerate(sized.nodes)}
    return {
        "types": {
            name: {"type": value_data(t).type, "shape": value_data(t).shape}
            for name, t in sized.types.items()
        },
        "nodes": {
            id: {
                "macs": cost.macs if cost else None,
                "read": cost.read if cost else None,
                "written": cost.written if cost else None,
            }
            for id, cost in costs.items()
        },
        "macs": total(cost.macs if cost else None for cost in costs.values()),
        "open": [name for name in sized.inputs if not sized.types[name].static],
    }
