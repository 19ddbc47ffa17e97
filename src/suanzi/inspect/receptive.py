"""The receptive field: which part of the input, and of each value between, an element depends on.

What is known of a value is, for each axis, which places matter: together they span boxes with
holes, which is what windows, strides and dilations make. Where the truth is no such product, it is
the smallest one that holds it, and said not to be exact.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from suanzi.errors import SuanziError
from suanzi.graph import Graph
from suanzi.inspect.dependence import dependence
from suanzi.inspect.hierarchy import constants_alone
from suanzi.inspect.part import Masks, everything


@dataclass(frozen=True)
class Region:
    """A part of a value: along each axis from the first place to the last, every so many.
    `exact`: no smaller one holds all that matters. `share` is the part's size over the value's."""

    shape: tuple[int, ...]
    box: list[tuple[int, int]]
    steps: list[int]
    exact: bool
    share: float
    size: int


@dataclass(frozen=True)
class ReceptiveField:
    """What an element or region of `value` depends on, by value, itself included; what is always
    the same isn't listed."""

    value: str
    values: dict[str, Region]


@dataclass
class _Part:
    masks: Masks
    exact: bool

    def add(self, masks: Masks, exact: bool) -> None:
        """Adds what another reader needs; exact where one holds the other or one axis differs."""
        differ = [
            i for i, (a, b) in enumerate(zip(self.masks, masks, strict=True)) if (a != b).any()
        ]
        less = all((a <= b).all() for a, b in zip(self.masks, masks, strict=True))
        more = all((a >= b).all() for a, b in zip(self.masks, masks, strict=True))
        if less and not more:
            self.exact = exact
        elif not more:
            self.exact = self.exact and exact and len(differ) <= 1
        self.masks = tuple(a | b for a, b in zip(self.masks, masks, strict=True))


def receptive_field(
    graph: Graph, value: str, box: Sequence[Sequence[int]], known: Mapping[str, Any] | None = None
) -> ReceptiveField:
    """What the region `box` ([from, to) for each axis) of a value depends on; all sizes on the way
    are known. `known` are values of a run, where they decide on indices.

    >>> from suanzi.graph import Node
    >>> from suanzi.graph.infer import infer
    >>> from suanzi.operators import MaxPool
    >>> from suanzi.operators._operator import TensorType
    >>> pool = Node(MaxPool(kernel_shape=(3,), strides=(2,)), ("x",), ("y",))
    >>> types = {"x": TensorType(np.float32, (1, 1, 9))}
    >>> graph = infer(Graph(("x",), ("y",), (pool,), types=types))
    >>> receptive_field(graph, "y", [(0, 1), (0, 1), (1, 3)]).values["x"].box
    [(0, 1), (0, 1), (2, 7)]
    """
    makers = {name: i for i, node in enumerate(graph.nodes) for name in node.outputs if name}
    if value not in makers and value not in graph.inputs:
        raise SuanziError("the model has no such value", found=value)
    parts = {value: _Part(_masks(graph, value, box), True)}
    fixed = {
        name
        for node, same in zip(graph.nodes, constants_alone(graph), strict=True)
        for name in node.outputs
        if same
    } | graph.constants.keys()
    for node in reversed(graph.nodes[: makers.get(value, -1) + 1]):
        for place, name in enumerate(node.outputs):
            part = parts.get(name) if name else None
            if part is None:
                continue
            for source, needed in zip(
                node.inputs, dependence(graph, node, place, part.masks, known or {}), strict=True
            ):
                if needed is None or not source or source in fixed:
                    continue
                masks, exact = needed
                exact = exact and part.exact
                if source in parts:
                    parts[source].add(masks, exact)
                else:
                    parts[source] = _Part(masks, exact)
    names = [*graph.inputs, *(n for node in graph.nodes for n in node.outputs)]
    return ReceptiveField(value, {name: _region(parts[name]) for name in names if name in parts})


def _masks(graph: Graph, value: str, box: Sequence[Sequence[int]]) -> Masks:
    t = graph.types[value]
    if not (t.is_tensor and t.static):
        raise SuanziError(
            "its sizes aren't known", input=value, found=t, hint="Run the model first"
        )
    masks = everything(t)
    fits = len(box) == len(masks) and all(
        len(side) == 2 and 0 <= side[0] < side[1] <= len(mask)
        for side, mask in zip(box, masks, strict=True)
    )
    if not fits:
        raise SuanziError(
            "the region isn't inside the value",
            input=value,
            expected=f"[from, to] for each axis of {t}",
            found=[list(side) for side in box],
        )
    for (begin, end), mask in zip(box, masks, strict=True):
        mask[:begin] = mask[end:] = False
    return masks


def _region(part: _Part) -> Region:
    places = [np.flatnonzero(mask) for mask in part.masks]
    shape = tuple(len(mask) for mask in part.masks)
    if any(not p.size for p in places):
        return Region(shape, [(0, 0)] * len(shape), [1] * len(shape), part.exact, 0.0, 0)
    box = [(int(p[0]), int(p[-1]) + 1) for p in places]
    steps = [math.gcd(*np.diff(p).tolist()) if p.size > 1 else 1 for p in places]
    size = math.prod(p.size for p in places)
    return Region(shape, box, steps, part.exact, size / max(1, math.prod(shape)), size)
