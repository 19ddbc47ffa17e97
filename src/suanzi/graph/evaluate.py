"""A graph run by its operators' definitions: slow, plain, and what everything else is held to."""

from collections.abc import Mapping, Sequence

from suanzi.errors import SuanziError
from suanzi.graph.graph import Graph, Node
from suanzi.operators._operator import Array


def evaluate(graph: Graph, feeds: Mapping[str, Array]) -> dict[str, Array]:
    """Every value of the graph by its name, for these inputs."""
    values = {**graph.constants, **feeds}
    for node in graph.nodes:
        made = evaluate_node(node, [values[name] if name else None for name in node.inputs])
        values.update(zip(node.outputs, made, strict=False))
    values.pop("", None)
    return values


def evaluate_node(node: Node, inputs: Sequence[Array | None]) -> tuple[Array, ...]:
    """The node's outputs by its definition; an error names the node."""
    try:
        return node.operator.numpy_all(inputs)
    except SuanziError as error:
        raise error.at(node=node.label) from None
    except (ArithmeticError, LookupError, MemoryError, TypeError, ValueError) as error:
        # Contents that no shape shows, such as an index out of range.
        raise SuanziError(f"cannot be computed: {error}", node=node.label) from error
