"""Tensors laid out as blocks of cells, and the way from an element to its cell."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from suanzi.atlas.scene import Block, Mark, Role, Text, same

LABEL = 1.0
"""The height that a label takes above its block."""
GAP = 1.0
MOST_STEPS = 128
MOST_CELLS = 4096


def width_of(text: Text, size: float = 0.5) -> float:
    """About how wide a label is: Chinese characters are square.

    >>> width_of(Text("abcd", "甲"))
    1.2
    """
    return max(
        sum(size if ord(c) > 0x2E7F else size * 0.6 for c in words) for words in (text.en, text.zh)
    )


def number(value: Any) -> str:
    """A number as a cell or a formula shows it.

    >>> number(3.0), number(0.12345), number(-2)
    ('3', '0.1235', '-2')
    """
    return f"{float(value) + 0.0:.4g}"


def factor(value: Any) -> str:
    """A number as a factor or summand: in parentheses where it is negative."""
    text = number(value)
    return f"({text})" if text.startswith("-") else text


def index_of(name: str, index: Iterable[int]) -> str:
    r"""An element's name in LaTeX: Y_{0,1}."""
    return f"{name}_{{{','.join(map(str, index))}}}"


def cells(array: Any) -> list[float | None]:
    flat = np.asarray(array, np.float64).ravel().tolist()
    return [v if math.isfinite(v) else None for v in flat]


@dataclass
class Plane:
    block: str
    rows: int
    columns: int
    border: tuple[int, int, int, int]


@dataclass
class Tensor:
    """A tensor on the sheet: where each element is."""

    name: str
    shape: tuple[int, ...]
    planes: dict[tuple[int, ...], Plane]
    right: float
    bottom: float

    def cell(self, index: Sequence[int]) -> tuple[str, int] | None:
        """The block and the cell of an element, or of a place in the border; None: not shown."""
        index = tuple(int(i) for i in index)
        padded = (0,) * (2 - len(index)) + index
        plane = self.planes.get(padded[:-2])
        if plane is None:
            return None
        row, column = padded[-2] + plane.border[0], padded[-1] + plane.border[1]
        if not (0 <= row < plane.rows and 0 <= column < plane.columns):
            return None
        return plane.block, row * plane.columns + column

    def marks(self, indices: Iterable[Sequence[int]], role: Role) -> list[Mark]:
        found: dict[str, list[int]] = {}
        for index in indices:
            cell = self.cell(index)
            if cell is not None:
                found.setdefault(cell[0], []).append(cell[1])
        return [Mark(block, sorted(set(numbers)), role) for block, numbers in found.items()]


@dataclass
class Sheet:
    blocks: list[Block] = field(default_factory=list)
    width: float = 0.0
    height: float = 0.0

    def grow(self, right: float, bottom: float) -> None:
        self.width, self.height = max(self.width, right), max(self.height, bottom)

    def tensor(
        self,
        name: str,
        array: Any,
        x: float,
        y: float,
        border: tuple[int, int, int, int] = (0, 0, 0, 0),
        across: int = 0,
        groups: Any = None,
        cell: float = 1.0,
        hide: bool = False,
        title: Text | None = None,
    ) -> Tensor:
        """Lays a tensor's planes (its last two axes) out from x, y: the last `across` of the other
        axes run to the right, the rest downwards.
        """
        array = np.asarray(array)
        shape = array.shape
        whole = array.reshape((1,) * (2 - array.ndim) + shape)
        lead, (rows, columns) = whole.shape[:-2], whole.shape[-2:]
        top, left, bottom, right = border
        high, wide = rows + top + bottom, columns + left + right
        down = math.prod(lead[: len(lead) - across])
        many = math.prod(lead) > 1
        labels = {at: _label(name, at if many else (), title) for at in np.ndindex(*lead)}
        step_x = max(wide * cell, max(map(width_of, labels.values()), default=0)) + 0.6
        step_y = high * cell + LABEL + 0.2
        planes: dict[tuple[int, ...], Plane] = {}
        for i, at in enumerate(labels):
            column, row = i % max(1, len(labels) // max(1, down)), i // max(1, len(labels) // down)
            id = "-".join([name, *map(str, at)])
            values = np.full((high, wide), np.nan)
            values[top : top + rows, left : left + columns] = whole[at]
            classes = None
            if groups is not None:
                colours = np.full((high, wide), -1)
                colours[top : top + rows, left : left + columns] = groups.reshape(whole.shape)[at]
                classes = colours.ravel().tolist()
            self.blocks.append(
                Block(
                    id, name, labels[at], x + column * step_x, y + row * step_y + LABEL, high, wide,
                    at=at, cell=cell, values=None if hide else cells(values), groups=classes,
                    border=border,
                )
            )  # fmt: skip
            planes[at] = Plane(id, high, wide, border)
        end_x = x + (len(labels) // max(1, down)) * step_x - 0.6
        end_y = y + down * step_y - 0.2
        self.grow(end_x, end_y)
        return Tensor(name, shape, planes, end_x, end_y)

    def sign(self, text: str, x: float, y: float) -> float:
        """An operation between blocks; gives where the next may begin."""
        width = max(1.2, width_of(same(text), 0.6) + 0.5)
        self.blocks.append(
            Block(f"sign-{len(self.blocks)}", "", same(text), x, y, 1, 1, cell=width, kind="box")
        )
        self.grow(x + width, y + width)
        return x + width + GAP


def _label(name: str, at: tuple[int, ...], title: Text | None) -> Text:
    place = f"[{', '.join(map(str, at))}]" if at else ""
    if title is None:
        return same(name + place)
    return Text(title.en + place, title.zh + place)
