"""A figure as data: blocks of cells, plots, and steps that mark cells. Whoever shows it chooses
pixels and colours; lengths here are in cells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

Role = Literal["read", "weight", "write", "padding", "skipped", "done", "shared"]


@dataclass(frozen=True)
class Text:
    """The same in English and in Chinese."""

    en: str
    zh: str

    def __getitem__(self, language: str) -> str:
        return self.zh if language == "zh" else self.en


def same(text: str) -> Text:
    """A name or a number, which both languages write alike.

    >>> same("X")
    Text(en='X', zh='X')
    """
    return Text(text, text)


@dataclass(frozen=True)
class Control:
    """What the visitor may change: the answer to a change is a new Scene."""

    name: str
    label: Text
    kind: Literal["int", "float", "bool", "choice", "ints"]
    value: Any
    minimum: float | None = None
    maximum: float | None = None
    choices: Sequence[str] = ()


@dataclass(frozen=True)
class Block:
    """A grid of cells: one plane of a tensor. `kind` "box": an operation, its label inside.

    `at` is the plane's index in the tensor, `origin` the row and column of the first cell of the
    tensor itself (not of the border), `border` how many cells of padding are around, rows and
    columns included. `depth`: what lies deeper is drawn first. `groups` colours cells by class.
    """

    id: str
    tensor: str
    label: Text
    x: float
    y: float
    rows: int
    columns: int
    at: Sequence[int] = ()
    cell: float = 1.0
    depth: int = 0
    values: Sequence[float | None] | None = None
    groups: Sequence[int] | None = None
    image: str | None = None
    border: tuple[int, int, int, int] = (0, 0, 0, 0)
    origin: tuple[int, int] = (0, 0)
    kind: Literal["grid", "box"] = "grid"


@dataclass(frozen=True)
class Mark:
    """Cells of a block (row-major numbers, the border's included) that have a part in a step."""

    block: str
    cells: Sequence[int]
    role: Role


@dataclass(frozen=True)
class Step:
    """What one moment shows; `latex`: the computation with its numbers."""

    marks: Sequence[Mark]
    text: Text
    latex: str = ""


@dataclass(frozen=True)
class Arrow:
    """From one block to another, by their ids."""

    source: str
    target: str
    label: Text | None = None


@dataclass(frozen=True)
class Series:
    label: Text
    x: Sequence[float]
    y: Sequence[float | None]


@dataclass(frozen=True)
class Plot:
    """Curves, or bars (`x` are their middles)."""

    id: str
    title: Text
    x: float
    y: float
    width: float
    height: float
    kind: Literal["curve", "bars"]
    series: Sequence[Series]
    cursor: float | None
    x_label: Text
    y_label: Text


@dataclass(frozen=True)
class Fact:
    """A formula with this figure's numbers."""

    label: Text
    latex: str


@dataclass(frozen=True)
class Scene:
    """One figure of one operator."""

    operator: str
    figure: str
    title: Text
    width: float
    height: float
    controls: Sequence[Control] = ()
    blocks: Sequence[Block] = ()
    arrows: Sequence[Arrow] = ()
    plots: Sequence[Plot] = ()
    steps: Sequence[Step] = ()
    facts: Sequence[Fact] = ()
    note: Text | None = None
