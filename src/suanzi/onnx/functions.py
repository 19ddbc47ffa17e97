"""A model's own functions, written out where they are called."""

from collections.abc import Iterable, Iterator

from onnx import ModelProto, NodeProto, inliner

from suanzi.errors import SuanziError

MOST_NODES = 1_000_000
"""Functions that call functions can double at every level: a small file, an endless graph."""

Key = tuple[str, str, str]


def inline(model: ModelProto) -> ModelProto:
    """The model without functions."""
    if not model.functions:
        return model
    _check_size(model)
    try:
        return inliner.inline_local_functions(model)
    except (RuntimeError, ValueError, TypeError) as error:
        raise SuanziError(f"the model's functions can't be inlined: {error}") from None


def write_out(model: ModelProto, operators: Iterable[tuple[str, str]]) -> ModelProto:
    """The model with ONNX's own function bodies in place of these operators: (domain, name)."""
    try:
        return inliner.inline_selected_functions(
            model, list(operators), inline_schema_functions=True
        )
    except (RuntimeError, ValueError, TypeError) as error:
        raise SuanziError(f"an operator's body can't be written out: {error}") from None


def walk(nodes: Iterable[NodeProto]) -> Iterator[NodeProto]:
    """All nodes, those in subgraphs included."""
    for node in nodes:
        yield node
        for attribute in node.attribute:
            for graph in (attribute.g, *attribute.graphs):
                yield from walk(graph.node)


def _check_size(model: ModelProto) -> None:
    """An error for functions that call themselves, and for those that grow beyond measure."""
    bodies = {_key(f): [_key(n, n.op_type) for n in walk(f.node)] for f in model.functions}
    sizes: dict[Key, int] = {}

    def size(key: Key, callers: tuple[Key, ...]) -> int:
        if key not in bodies:
            return 1
        if key in callers or len(callers) > 100:
            raise SuanziError("a function calls itself, or too deeply", found=key[1])
        if key not in sizes:
            sizes[key] = sum(size(called, (*callers, key)) for called in bodies[key])
        return sizes[key]

    total = sum(size(_key(node, node.op_type), ()) for node in walk(model.graph.node))
    if total > MOST_NODES:
        raise SuanziError("too many nodes once functions are written out", found=total)


def _key(item: object, name: str = "") -> Key:
    domain = getattr(item, "domain", "")
    overload = getattr(item, "overload", "")
    return ("" if domain == "ai.onnx" else domain, name or getattr(item, "name", ""), overload)
