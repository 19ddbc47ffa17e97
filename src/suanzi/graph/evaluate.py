"""A graph run by its operators' definitions: slow, plain, and what everything else is held to."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from suanzi.errors import SuanziError
from suanzi.graph.graph import Graph, Node
from suanzi.operators._operator import UNFORESEEN, Value


def evaluate(graph: Graph, feeds: Mapping[str, Value]) -> dict[str, Any]:
    """Every value of the graph by its name, for these inputs."""
    values: dict[str, Any] = {**graph.constants, **feeds}
    for node in graph.nodes:
        made = evaluate_node(node, [values[name] if name else None for name in node.inputs])
        values.update(zip(node.outputs, made, strict=False))
    values.pop("", None)
    return values


def evaluate_node(node: Node, inputs: Sequence[Value]) -> tuple[Any, ...]:
    """The node's outputs by its definition; an error names the node."""
    with naming(node):
        return node.operator.numpy_all(inputs)


@contextlib.contextmanager
def naming(node: Node) -> Iterator[None]:
    """Errors of what runs inside are SuanziErrors that name the node."""
    try:
        yield
    except SuanziError as error:
        raise error.at(node=node.label) from None
    except UNFORESEEN as error:  # contents that no shape shows, such as an index out of range
        raise SuanziError(f"cannot be computed: {error}", node=node.label) from error
