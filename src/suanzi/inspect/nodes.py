"""A model's nodes and graphs by their ids, bodies included, and what each node takes.

A node's id is its number in its graph: "17"; in a body it follows the node that holds the body and
the attribute: "17.then_branch.3". A body's id is the same without the last number, the main graph's
is empty.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator

from suanzi.errors import SuanziError
from suanzi.graph import Graph, Node
from suanzi.graph.bodies import bodies_of
from suanzi.graph.infer import infer
from suanzi.operators._operator import Array, Cost, Operator, TensorType, qualified


def title(operator: Operator) -> str:
    """The name by which OPERATORS knows it: ONNX's, after the domain if that isn't ai.onnx."""
    return qualified(operator.domain, operator.title)


def symbols(graph: Graph) -> list[str]:
    """The symbolic sizes of a graph's inputs."""
    dims = [d for name in graph.inputs for d in graph.types[name].shape or ()]
    return list(dict.fromkeys(d for d in dims if isinstance(d, str)))


def at_batch_one(graph: Graph) -> Graph:
    """The graph with 1 for the first size of each input, where that is open."""
    types = {}
    for name in graph.inputs:
        kind = graph.types[name]
        if kind.is_tensor and kind.shape and not isinstance(kind.shape[0], int):
            types[name] = TensorType(kind.dtype, (1, *kind.shape[1:]))
    try:
        return infer(graph, types) if types else graph
    except SuanziError:  # a batch of one isn't what the model takes
        return graph


def cost_of(graph: Graph, node: Node) -> Cost | None:
    """What a node takes, where its sizes are known."""
    inputs = graph.input_types(node)
    outputs = [graph.types[name] for name in node.outputs if name in graph.types]
    if bodies_of(node.operator) or not all(t is None or _counts(t) for t in (*inputs, *outputs)):
        return None
    read = sum(t.nbytes for t in inputs if t is not None)
    return Cost(node.operator.macs(inputs, outputs), read, sum(t.nbytes for t in outputs))


def _counts(t: TensorType) -> bool:
    return t.is_tensor and t.static


def is_weight(x: Array) -> bool:
    """Whether a constant counts among the parameters: real numbers, not shapes or indices."""
    return x.dtype.kind in "fV"


def all_nodes(graph: Graph, prefix: str = "") -> Iterator[tuple[str, Node, Graph]]:
    """Each node with its id and its graph, those in bodies included."""
    for i, node in enumerate(graph.nodes):
        yield f"{prefix}{i}", node, graph
        for attribute, body in named_bodies(node.operator):
            yield from all_nodes(body, f"{prefix}{i}.{attribute}.")


def find_node(graph: Graph, id: str) -> tuple[Graph, Node]:
    """The node with this id and the graph that it is in."""
    try:
        number, *rest = id.split(".", 2)
        node = graph.nodes[int(number)]
        if not rest:
            return graph, node
        return find_node(dict(named_bodies(node.operator))[rest[0]], rest[1])
    except (LookupError, ValueError):
        raise SuanziError("the model has no such node", found=id) from None


def find_graph(graph: Graph, id: str) -> Graph:
    """The graph with this id."""
    if not id:
        return graph
    node, _, attribute = id.rpartition(".")
    bodies = dict(named_bodies(find_node(graph, node)[1].operator))
    if attribute not in bodies:
        raise SuanziError("the model has no such graph", found=id)
    return typed_body(bodies[attribute])


def named_bodies(operator: Operator) -> list[tuple[str, Graph]]:
    """An operator's graphs by the attributes that hold them."""
    if not bodies_of(operator):
        return []
    held = [(f.name, getattr(operator, f.name)) for f in dataclasses.fields(operator)]
    return [(name, body) for name, body in held if isinstance(body, Graph)]


def typed_body(body: Graph) -> Graph:
    """The body with the types of its values, as far as those of its inputs tell."""
    try:
        return infer(body)
    except (SuanziError, KeyError):
        return body


def total(numbers: Iterable[int | None]) -> int | None:
    """The sum, where all are known."""
    known = [*numbers]
    return None if None in known else sum(n or 0 for n in known)
