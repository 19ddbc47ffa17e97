"""Gradients of a graph's values: the nodes backwards, by each operator's own rule."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from suanzi.errors import SuanziError
from suanzi.graph.graph import Node
from suanzi.graph.trace import Symbol


def backward(
    nodes: Sequence[Node],
    gradients: dict[str, Symbol],
    xs: Iterable[str],
    value: Callable[[str], Symbol],
) -> dict[str, Symbol]:
    """What the values with `gradients` gain with each of the xs that they depend on.

    `value` gives the symbol of a name, in the trace to which the gradients' nodes are added. What
    an x depends on is not looked at.
    """
    found, ends = dict(gradients), set(xs)
    needs = set(ends)
    for node in nodes:  # what depends on the xs, whole numbers and bools left out
        if needs.intersection(node.inputs) and not ends.intersection(node.outputs):
            needs.update(n for n in node.outputs if n and value(n).dtype.kind not in "iub")
    for node in reversed(nodes):
        made = tuple(found.get(name) for name in node.outputs)
        reached = any(m is not None for m in made) and not ends.intersection(node.outputs)
        if not reached or not needs.intersection(node.inputs):
            continue
        for name, part in zip(node.inputs, _by_rule(node, made, value), strict=False):
            if name in needs and part is not None:
                part = part() if callable(part) else part
                found[name] = found[name] + part if name in found else part
    return {x: found[x] for x in ends if x in found}


def _by_rule(node: Node, made: tuple[Symbol | None, ...], value: Callable[[str], Symbol]) -> Any:
    """The gradients of the inputs from those of the outputs that the node names."""
    rule = node.operator.grad
    if rule is None:
        raise SuanziError("the operator has no gradient", node=node.label)
    inputs = [value(name) if name else None for name in node.inputs]
    outputs = [value(name) if name else None for name in node.outputs]
    count = len(node.operator.infer_all([None if x is None else x.type for x in inputs]))
    if count == 1:
        return rule(made[0], outputs[0], *inputs)
    rest = (None,) * (count - len(outputs))
    return rule((*made, *rest), (*outputs, *rest), *inputs)
