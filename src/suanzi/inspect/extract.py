"""A part of a model as a model of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from suanzi.errors import SuanziError
from suanzi.graph import Graph
from suanzi.inspect.hierarchy import constants_alone

if TYPE_CHECKING:
    from suanzi.onnx.cut import Original


def extract(
    graph: Graph,
    original: Original,
    inputs: Sequence[str] = (),
    outputs: Sequence[str] = (),
    nodes: Sequence[int] = (),
) -> bytes:
    """An ONNX file of all between some values and others, or of some nodes.

    Without inputs it begins where the model does, without outputs it ends where the model does.
    """
    if nodes:
        inputs, outputs = borders(graph, nodes)
    for name in (*inputs, *outputs):
        if name not in graph.types:
            raise SuanziError("the model has no such value", found=name)
    outputs = outputs or graph.outputs
    needed = _between(graph, inputs, outputs)
    given = [name for name in graph.inputs if name in needed and name not in inputs]
    return original.cut([*inputs, *given], outputs, graph.types)


def borders(graph: Graph, nodes: Sequence[int]) -> tuple[list[str], list[str]]:
    """The values that some nodes read from outside, and those of theirs that are read outside."""
    chosen = set(nodes)
    if not all(0 <= i < len(graph.nodes) for i in chosen):
        raise SuanziError("the model has no such node", found=max(chosen))
    constant = constants_alone(graph)
    # What only constants lead to comes along with whoever reads it.
    makers = {name: i for i, node in enumerate(graph.nodes) for name in node.outputs}
    made = {name for i in chosen for name in graph.nodes[i].outputs if name}
    inputs, outputs = [], []
    for i in sorted(chosen):
        for name in graph.nodes[i].inputs:
            fixed = name in graph.constants or (name in makers and constant[makers[name]])
            if name and name not in made and not fixed:
                inputs.append(name)
    read_inside = {name for i in chosen for name in graph.nodes[i].inputs}
    read_outside = {
        name for i, node in enumerate(graph.nodes) if i not in chosen for name in node.inputs
    }
    for i in sorted(chosen):
        for name in graph.nodes[i].outputs:
            ends = name in graph.outputs or name in read_outside or name not in read_inside
            if name and ends:
                outputs.append(name)
    return list(dict.fromkeys(inputs)), list(dict.fromkeys(outputs))


def _between(graph: Graph, inputs: Sequence[str], outputs: Sequence[str]) -> set[str]:
    """The values on the way from some to others."""
    makers = {name: node for node in graph.nodes for name in node.outputs if name}
    seen: set[str] = set()
    todo = [name for name in outputs if name not in inputs]
    while todo:
        name = todo.pop()
        if name in seen or name in inputs:
            continue
        seen.add(name)
        if name in makers:
            todo += [n for n in makers[name].inputs if n]
    return seen
