"""A node as code: with our operators, and with onnx.helper."""

from __future__ import annotations

import dataclasses
import keyword
import re
from typing import Any

import numpy as np

from suanzi.errors import SuanziError
from suanzi.graph import Graph, Node
from suanzi.operators._operator import Operator

MOST = 16
"""Elements of a constant that are written out."""


def variables(node: Node) -> tuple[list[str], list[str]]:
    """Python's names for a node's inputs and outputs; None for inputs left out."""
    taken: dict[str, str] = {}

    def name_of(value: str) -> str:
        if not value:
            return "None"
        last = re.sub(r":\d+$", "", value).rstrip("/").rpartition("/")[2]
        last = re.sub(r"\W+", "_", last, flags=re.ASCII).strip("_")
        name = last if last[:1].isalpha() else f"v{last}"
        while keyword.iskeyword(name) or taken.get(name, value) != value:
            name += "_"
        taken[name] = value
        return name

    inputs, outputs = map(name_of, node.inputs), map(name_of, node.outputs)
    return [*inputs], ["_" if name == "None" else name for name in outputs]


def suanzi_code(graph: Graph, node: Node) -> str:
    """The node with our operators.

    >>> from suanzi.operators import Conv
    >>> print(suanzi_code(Graph((), (), ()), Node(Conv(strides=(2, 2)), ("x", "w"), ("y",))))
    from suanzi.operators import Conv
    <BLANKLINE>
    y = Conv(strides=(2, 2))(x, w)
    """
    inputs, outputs = variables(node)
    name = type(node.operator).__name__
    while inputs and inputs[-1] == "None":
        inputs.pop()
    if _results(graph, node) > len(outputs):
        outputs.append("*_")
    module = "suanzi.operators" if not _has_graph(node.operator) else type(node.operator).__module__
    made = f"{', '.join(outputs)} = {name}({settings(node.operator)})({', '.join(inputs)})"
    return f"from {module} import {name}\n\n{made}"


def _results(graph: Graph, node: Node) -> int:
    """How many results the operator gives, of which a node may name fewer."""
    try:
        return len(node.operator.infer_all(graph.input_types(node)))
    except (SuanziError, KeyError):
        return len(node.outputs)


def onnx_code(node: Node) -> str:
    """The node with onnx.helper, as of the newest opset."""
    settings = "".join(f", {key}={_onnx_value(value)}" for key, value in _attributes(node.operator))
    domain = f', domain="{node.operator.domain}"' if node.operator.domain else ""
    name = type(node.operator).__name__
    inputs = [*node.inputs[: len(node.inputs) - getattr(node.operator, "captures", 0)]]
    return (
        "from onnx import helper\n\n"
        f"node = helper.make_node({name!r}, {inputs!r}, {[*node.outputs]!r}{settings}{domain})"
    )


def _has_graph(operator: Operator) -> bool:
    return any(isinstance(getattr(operator, f.name), Graph) for f in dataclasses.fields(operator))


def _attributes(operator: Operator) -> list[tuple[str, Any]]:
    """Those that aren't their default."""
    given = [(f, getattr(operator, f.name)) for f in dataclasses.fields(operator)]
    return [
        (f.name, value)
        for f, value in given
        if f.name != "captures"
        and value is not None
        and (isinstance(value, np.ndarray | Graph) or value != f.default)
    ]


def settings(operator: Operator) -> str:
    return ", ".join(f"{key}={_value(value)}" for key, value in _attributes(operator))


def _value(value: Any) -> str:
    match value:
        case Graph():
            return f"{value.name or 'graph'!r}"
        case np.ndarray() if value.size <= MOST:
            return f"np.array({value.tolist()}, np.{value.dtype})"
        case np.ndarray():
            return f"np.empty({value.shape}, np.{value.dtype})  # its {value.size} elements\n"
        case float():
            return f"{value:.7g}"
    return repr(value)


def _onnx_value(value: Any) -> str:
    return repr([*value]) if isinstance(value, tuple) else _value(value)
