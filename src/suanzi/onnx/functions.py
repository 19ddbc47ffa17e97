"""A model's own functions, written out where they are called."""

import re
from collections.abc import Iterable, Iterator

from onnx import ModelProto, NodeProto, inliner

from suanzi.errors import SuanziError

MOST_NODES = 1_000_000
"""Functions that call functions can double at every level: a small file, an endless graph."""

Key = tuple[str, str, str]


def inline(model: ModelProto) -> ModelProto:
    """The model without functions. A node of one is named after it, the call's number and its own
    name, so that each call's nodes have a scope of their own: "Block__2/act"."""
    if not model.functions:
        return model
    _check_size(model)
    named = ModelProto()
    named.CopyFrom(model)
    for function in named.functions:
        for node in function.node:
            node.name = f"{function.name}/{node.name or node.op_type}"
    try:
        made = inliner.inline_local_functions(named)
    except (RuntimeError, ValueError, TypeError) as error:
        raise SuanziError(f"the model's functions can't be inlined: {error}") from None
    names = {function.name for function in model.functions}
    for node in walk(made.graph.node):
        function_name, _, rest = node.name.partition("/")
        found = re.fullmatch(r"(.*?)((?:__\d+)+)", rest)  # the inliner numbers the calls
        if function_name in names and found:
            node.name = f"{function_name}{found[2]}/{found[1]}"
    return made


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
