"""What the commands print: tables for people, JSON for programs."""

import contextlib
import json
import os
import sys
from collections.abc import Iterator, Sequence
from typing import Any

from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table

from suanzi.inspect.plain import plain

WIDE = 200  # columns, where no terminal says how many there are


def line(text: object) -> None:
    """Prints a line. Names come from models, untrusted: no control character of theirs acts."""
    print(clean(text))


def clean(text: object) -> str:
    """
    >>> clean("conv\\x1b[2J")
    'conv�[2J'
    """
    return "".join(c if c.isprintable() or c == "\n" else "\ufffd" for c in str(text))


@contextlib.contextmanager
def working(what: str) -> Iterator[None]:
    """Says on a terminal's standard error what takes so long, while it does."""
    with Console(stderr=True).status(what):
        yield


def data(value: Any) -> None:
    """Prints JSON; numbers that JSON lacks become null."""
    print(json.dumps(plain(value)))


def table(
    title: str,
    columns: Sequence[str],
    rows: Sequence[Sequence[object]],
    words: int = 1,
    least: Sequence[str] = (),
) -> None:
    """Prints a table under a line that is its title.

    The first `words` columns hold words, the others numbers, which stand to the right. On a narrow
    terminal the columns in `least` are left out, one by one, until the rest fits.
    """
    known = sys.stdout.isatty() or "COLUMNS" in os.environ
    console = Console(width=None if known else WIDE, highlight=False, markup=False, emoji=False)
    lines = [[clean(cell) for cell in row] for row in (columns, *rows)]
    widths = [
        max(cell_len(part) for cell in column for part in cell.split("\n"))
        for column in zip(*lines, strict=True)
    ]
    shown = list(range(len(columns)))
    for name in least:
        if sum(widths[i] + 2 for i in shown) > console.width:
            shown.remove(columns.index(name))
    made = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for i in shown:
        if i < words:
            made.add_column(columns[i], overflow="fold")
        else:
            made.add_column(columns[i], justify="right", no_wrap=True)
    for row in lines[1:]:
        made.add_row(*(row[i] for i in shown))
    line(title)
    console.print(made)


def seconds(value: float) -> str:
    """
    >>> seconds(0.0123), seconds(4.5e-5)
    ('12.30 ms', '45.0 µs')
    """
    if value >= 1:
        return f"{value:.2f} s"
    return f"{value * 1e3:.2f} ms" if value >= 1e-3 else f"{value * 1e6:.1f} µs"


def count(value: float) -> str:
    """
    >>> count(4_089_184_256), count(900)
    ('4.09 G', '900')
    """
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:.2f} {letter}"
    return f"{value:.0f}"


def size(value: float) -> str:
    """
    >>> size(26454), size(3 << 20)
    ('25.8 KiB', '3.0 MiB')
    """
    for unit, letters in ((1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")):
        if value >= unit:
            return f"{value / unit:.1f} {letters}"
    return f"{value:.0f} B"
