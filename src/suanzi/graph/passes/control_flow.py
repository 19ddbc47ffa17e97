"""Ifs that are decided become their branch; bodies hold the constants that they capture."""

from collections.abc import Mapping
from dataclasses import fields, replace

from suanzi.graph.bodies import ControlFlow
from suanzi.graph.control_flow import If
from suanzi.graph.graph import Graph, Node
from suanzi.graph.rewrite import Draft
from suanzi.operators._operator import Array


def control_flow(graph: Graph) -> Graph:
    """The graph without Ifs whose condition is known, and with less captured from outside."""
    if not any(isinstance(node.operator, ControlFlow) for node in graph.nodes):
        return graph
    draft = Draft(graph)
    for node in graph.nodes:
        _add(draft, node)
    return draft.finish()


def _add(draft: Draft, node: Node) -> None:
    node = draft.resolve(node)
    operator = node.operator
    if isinstance(operator, If) and (cond := _contents(draft, node.inputs[0])) is not None:
        _inline(draft, node, operator.taken(cond))
    elif isinstance(operator, ControlFlow):
        draft.add(_with_constants(draft, node, operator))
    else:
        draft.add(node)


def _contents(draft: Draft, name: str) -> Array | None:
    return draft.constants.get(name, draft.types[name].value)


def _inline(draft: Draft, node: Node, branch: Graph) -> None:
    """The branch's nodes under names of their own."""
    names = {"": "", **dict(zip(branch.inputs, node.inputs[1:], strict=True))}
    for name, array in branch.constants.items():
        names[name] = draft.constant(name, array)
    for inner in branch.nodes:
        names.update((name, draft.fresh(name)) for name in inner.outputs if name)
        inputs = tuple(names[name] for name in inner.inputs)
        outputs = tuple(names[name] for name in inner.outputs)
        _add(draft, Node(inner.operator, inputs, outputs, inner.name))
    for output, made in zip(node.outputs, branch.outputs, strict=False):
        draft.same(output, names[made])


def _with_constants(draft: Draft, node: Node, operator: ControlFlow) -> Node:
    """The node without the captures that are constants, which its bodies hold instead."""
    first = len(node.inputs) - operator.captures
    captured = enumerate(node.inputs[first:])
    known = {i: x for i, name in captured if (x := _contents(draft, name)) is not None}
    if not known:
        return node
    left = operator.captures - len(known)
    changes = {
        field.name: _holding(body, known, operator.captures)
        for field in fields(operator)
        if isinstance(body := getattr(operator, field.name), Graph)
    }
    inputs = (name for i, name in enumerate(node.inputs) if i - first not in known)
    bound = replace(operator, captures=left, **changes)
    return Node(bound, tuple(inputs), node.outputs, node.name)


def _holding(body: Graph, known: Mapping[int, Array], count: int) -> Graph:
    first = len(body.inputs) - count
    constants = {body.inputs[first + i]: array for i, array in known.items()}
    inputs = tuple(name for name in body.inputs if name not in constants)
    return body.replace(inputs=inputs, constants=body.constants | constants)
