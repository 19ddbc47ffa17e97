"""Figures of operators: from parameters, or from a node's own attributes and data."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from suanzi.atlas.figures import curves, normalization, sources, windows
from suanzi.atlas.figures._visitor import Visitor
from suanzi.atlas.scene import Scene, Text
from suanzi.errors import SuanziError
from suanzi.operators import OPERATORS
from suanzi.operators._operator import Array, Operator

Example = Callable[[str, Visitor], tuple[Operator, list[Array | None]]]
Drawing = Callable[[Any, Sequence[Array | None], Visitor], Scene]

WINDOW = Text("window", "窗口")
POOLS = (
    "MaxPool", "AveragePool", "LpPool", "GlobalMaxPool", "GlobalAveragePool", "GlobalLpPool",
    "AdaptiveAveragePool", "AdaptiveMaxPool",
)  # fmt: skip
WINDOWS: dict[str, tuple[str, Text, Example, Drawing]] = {
    "Conv": ("window", WINDOW, windows.convolution, windows.draw_convolution),
    "ConvTranspose": (
        "scatter", Text("scatter", "散布"), windows.convolution, windows.draw_transposed,
    ),
    "Unfold": ("window", WINDOW, windows.pooling, windows.draw_unfold),
    **dict.fromkeys(POOLS, ("window", WINDOW, windows.pooling, windows.draw_pooling)),
}  # fmt: skip
"""By operator: the figure's id and title, an operator with inputs from parameters, and its
drawing."""


@functools.cache
def names(operator: str) -> tuple[tuple[str, Text], ...]:
    """The figures that an operator has: ids and titles.

    >>> [id for id, _ in names("BatchNormalization")]
    ['sharing', 'training', 'sources']
    """
    if operator not in OPERATORS:
        raise SuanziError("there is no such operator", found=operator)
    found: list[tuple[str, Text]] = []
    if operator in WINDOWS:
        found.append(WINDOWS[operator][:2])
    if operator in normalization.FORMS:
        found.append(("sharing", Text("what is shared", "共用统计量")))
    if operator == "BatchNormalization":
        found.append(("training", Text("training against inference", "训练与推理")))
    if operator in ("Softmax", "LogSoftmax", "Hardmax"):
        found.append(("temperature", Text("temperature", "温度")))
    if operator == "Dropout":
        found.append(("mask", Text("mask", "掩码")))
    if curves.is_curve(operator):
        found.append(("curve", Text("curve", "曲线")))
    if sources.known(operator):
        found.append(("sources", Text("where elements come from", "元素来源")))
    return tuple(found)


def figure(
    operator: str | Operator,
    parameters: Mapping[str, Any] | None = None,
    inputs: Sequence[Array | None] | None = None,
    figure: str | None = None,
) -> Scene:
    """A figure of an operator, its first where none is named; with `inputs` that of an operator's
    own attributes and data.

    >>> scene = figure("Conv", {"kernel": [3, 5], "stride": 2})
    >>> scene.facts[0].latex
    '\\\\lfloor \\\\frac{5 + 1 + 1 - 1 \\\\cdot (3 - 1) - 1}{2} \\\\rfloor + 1 = 3'
    """
    name = operator if isinstance(operator, str) else operator.title
    known = dict(names(name))
    if not known or (figure is not None and figure not in known):
        raise SuanziError(
            "the operator has no such figure", expected=", ".join(known) or "none", found=figure
        )
    if isinstance(operator, Operator) and inputs is not None:
        return of(operator, inputs, figure, parameters)
    visitor = Visitor(parameters or {})
    scene = _demonstrate(name, figure or next(iter(known)), visitor)
    visitor.done()
    return scene


def _demonstrate(name: str, figure: str, visitor: Visitor) -> Scene:
    match figure:
        case "window" | "scatter":
            _, _, example, draw = WINDOWS[name]
            return draw(*example(name, visitor), visitor)
        case "sharing":
            return normalization.draw_sharing(name, visitor)
        case "training":
            return normalization.draw_training(name, visitor)
        case "temperature":
            return curves.draw_softmax(name, visitor)
        case "mask":
            return curves.draw_dropout(name, visitor)
        case "curve":
            return curves.draw_curve(name, visitor)
    return sources.draw_example(name, visitor)


def of(
    operator: Operator,
    inputs: Sequence[Array | None],
    figure: str | None = None,
    parameters: Mapping[str, Any] | None = None,
) -> Scene:
    """The figure of a node: its own attributes, on its own data."""
    visitor = Visitor(parameters or {})
    name = operator.title
    if name in WINDOWS and figure != "sources":
        scene = WINDOWS[name][3](operator, inputs, visitor)
    else:
        scene = sources.draw_sources(operator, inputs, visitor)
    visitor.done()
    return scene
