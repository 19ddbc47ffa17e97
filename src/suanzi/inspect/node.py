"""All there is to know of one node: its operator, its attributes, its code, what runs it."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import suanzi
from suanzi.graph import Graph
from suanzi.inspect import operators
from suanzi.inspect.code import onnx_code, suanzi_code
from suanzi.inspect.model import attribute_values, value_data
from suanzi.inspect.nodes import find_node, title, typed_body
from suanzi.inspect.pytorch import torch_code
from suanzi.operators._operator import OPERATORS, Operator

if TYPE_CHECKING:
    from suanzi.inspect.plan import PlanStep
    from suanzi.onnx.cut import Original
    from suanzi.session import InferenceSession

ONNX_PAGES = "https://onnx.ai/onnx/operators/onnx_"


@dataclass(frozen=True)
class Port:
    """An input or output: the operator's parameter, the value at this node. `option` is empty,
    'optional' or 'any number'."""

    parameter: str
    value: str
    type: str
    shape: list[Any] | None
    constant: bool
    option: str


@dataclass(frozen=True)
class AttributeData:
    """`default` as Python writes it; `given`: the value is another."""

    name: str
    type: str
    default: str
    value: Any
    given: bool


@dataclass(frozen=True)
class Definition:
    """Where an operator is defined, and the text."""

    file: str
    line: int
    source: str


@dataclass(frozen=True)
class NodeDetail:
    id: str
    name: str
    operator: str
    domain: str
    family: str
    since: tuple[int, ...]
    summary: str
    doc: str
    torch: str | None
    onnx_url: str | None
    attributes: list[AttributeData]
    inputs: list[Port]
    outputs: list[Port]
    definition: Definition | None
    code: dict[str, str | None]
    file_node: str | None
    steps: list[PlanStep]


def node_detail(
    session: InferenceSession,
    id: str,
    original: Original | None = None,
    steps: list[PlanStep] | None = None,
) -> NodeDetail:
    """Of the node with this id; with its text from the file where that is given, and those of the
    steps that do it."""
    graph, node = find_node(session.graph, id)
    if graph is not session.graph:
        graph = typed_body(graph)
    operator = node.operator
    name = title(operator)
    known = operators.facts(name) if name in OPERATORS else None
    return NodeDetail(
        id=id,
        name=node.name,
        operator=name,
        domain=operator.domain or "ai.onnx",
        family=operator.family,
        since=known.versions if known else (),
        summary=known.summary if known else "",
        doc=inspect.cleandoc(operator.__doc__ or ""),
        torch=operator.torch,
        onnx_url=_page(name, operator, known),
        attributes=_attributes(operator),
        inputs=_ports(graph, node.inputs, known.inputs if known else ()),
        outputs=_ports(graph, node.outputs, known.outputs if known else ()),
        definition=definition(type(operator)),
        code={
            "pytorch": torch_code(graph, node),
            "suanzi": suanzi_code(graph, node),
            "onnx": onnx_code(node),
        },
        file_node=original.text(node.outputs) if original and "." not in id else None,
        steps=[step for step in steps or () if "." not in id and id in step.nodes],
    )


def _page(name: str, operator: Operator, known: operators.OperatorFacts | None) -> str | None:
    if known is None or not known.versions:
        return None
    domain = operator.domain.replace(".", "") if operator.domain else ""
    return f"{ONNX_PAGES}{domain}_{type(operator).__name__}.html"


def _attributes(operator: Operator) -> list[AttributeData]:
    values = attribute_values(operator, all=True)
    given = attribute_values(operator)
    return [
        AttributeData(a.name, a.type, a.default, values[a.name], a.name in given)
        for a in operators.attributes(type(operator))
        if a.name in values
    ]


def _ports(graph: Graph, values: tuple[str, ...], formal: tuple[Any, ...]) -> list[Port]:
    """Values with the parameters that they are given for; the last may take several."""
    ports = []
    for i, value in enumerate(values):
        parameter = formal[min(i, len(formal) - 1)] if formal else None
        told = value_data(graph.types.get(value)) if value else None
        ports.append(
            Port(
                parameter.name if parameter else "",
                value,
                told.type if told else "",
                told.shape if told else None,
                value in graph.constants,
                parameter.option if parameter else "",
            )
        )
    return ports


def definition(cls: type[Operator]) -> Definition | None:
    """The class as Python source, its file's name beginning with the package's."""
    try:
        lines, line = inspect.getsourcelines(cls)
        file = Path(inspect.getsourcefile(cls) or "")
    except (OSError, TypeError):  # an installation without sources
        return None
    root = Path(suanzi.__file__).parents[1]
    return Definition(file.relative_to(root).as_posix(), line, "".join(lines))
