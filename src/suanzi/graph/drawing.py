"""A graph as a picture: layers from the inputs to the outputs, as SVG that stands alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

if TYPE_CHECKING:
    from suanzi.graph.graph import Graph, Node

MOST_NODES = 400
"""More make no picture that says anything: the rest is left out, and the picture says so."""
HEIGHT, GAP, ROW, LETTER, MARGIN = 34, 18, 84, 7.2, 16
"""Of a box; between boxes; from layer to layer; a letter's width; around all: in pixels."""
SWEEPS = 8
LONGEST_TEXT = 28
COLOURS = {
    "convolution": "#dbe9ff",
    "linear": "#dbe9ff",
    "recurrent": "#dbe9ff",
    "attention": "#dbe9ff",
    "activation": "#ffe4d6",
    "pooling": "#dcf5e3",
    "normalization": "#f3e3fb",
    "end": "#e9ecef",
}
OTHER = "#ffffff"
STYLE = (
    "text{font:12px system-ui,sans-serif;fill:#1b1f24;text-anchor:middle}"
    ".small,.size{font-size:10px;fill:#57606a}"
    ".size{paint-order:stroke;stroke:#ffffff;stroke-width:5px}"  # a line doesn't strike it through
    "path{fill:none;stroke:#8c959f;stroke-width:1.2}rect{stroke:#6e7781;stroke-width:1}"
)


@dataclass(eq=False)
class _Item:
    """A box, or where a long line passes through a layer (no title)."""

    layer: int
    title: str = ""
    small: str = ""
    colour: str = OTHER
    x: float = 0.0
    above: list[_Item] = field(default_factory=list)
    below: list[_Item] = field(default_factory=list)

    @property
    def width(self) -> float:
        longest = max(len(self.title), len(self.small))
        return longest * LETTER + 20 if self.title else 2.0


def draw(graph: Graph) -> str:
    """The graph as SVG; constants, and what only they lead to, are left out."""
    layers, lines, hidden = _layers(graph)
    _arrange(layers)
    return _svg(layers, lines, hidden)


def _layers(
    graph: Graph,
) -> tuple[list[list[_Item]], list[tuple[list[_Item], str]], int]:
    """The items by layer, the lines through them with a text each, and how many nodes are left
    out."""
    makers: dict[str, _Item] = {}
    items: list[_Item] = []
    wires: list[tuple[_Item, _Item, str]] = []

    def add(item: _Item, reads: Sequence[str]) -> None:
        sources = [(makers[name], name) for name in dict.fromkeys(reads) if name in makers]
        item.layer = max((source.layer + 1 for source, _ in sources), default=0)
        items.append(item)
        wires.extend((source, item, name) for source, name in sources)

    for name in graph.inputs:
        makers[name] = _Item(0, _short(name), "input", COLOURS["end"])
        items.append(makers[name])
    nodes = [*_moving(graph)]
    for node in nodes[:MOST_NODES]:
        item = _Item(
            0, node.operator.title, _short(node.name), COLOURS.get(node.operator.family, OTHER)
        )
        add(item, node.inputs)
        makers.update((name, item) for name in node.outputs if name)
    for name in graph.outputs:
        if name in makers:
            add(_Item(0, _short(name), "output", COLOURS["end"]), [name])
    layers: list[list[_Item]] = [[] for _ in range(max((i.layer for i in items), default=-1) + 1)]
    for item in items:
        layers[item.layer].append(item)
    lines = []
    for source, target, name in wires:
        way = [source]
        for layer in range(source.layer + 1, target.layer):
            way.append(_Item(layer))
            layers[layer].append(way[-1])
        way.append(target)
        for a, b in pairwise(way):
            a.below.append(b)
            b.above.append(a)
        t = graph.types.get(name)
        sizes = "" if t is None or t.shape is None else "x".join(str(d or "?") for d in t.shape)
        lines.append((way, sizes))
    return layers, lines, max(0, len(nodes) - MOST_NODES)


def _moving(graph: Graph) -> list[Node]:
    """The nodes that depend on an input."""
    moving = set(graph.inputs)
    found = []
    for node in graph.nodes:
        if not moving.isdisjoint(node.inputs):
            moving.update(node.outputs)
            found.append(node)
    return found


def _short(text: str) -> str:
    return text if len(text) <= LONGEST_TEXT else f"…{text[1 - LONGEST_TEXT :]}"


def _arrange(layers: list[list[_Item]]) -> None:
    """Puts the items of each layer in the order of their neighbours' middle, and as near to it as
    their widths let them."""
    for layer in layers:
        _pack(layer)
    for sweep in range(SWEEPS):
        down = sweep % 2 == 0
        for layer in layers if down else layers[::-1]:
            for item in layer:
                near = item.above if down else item.below
                if near:
                    item.x = sum(other.x for other in near) / len(near)
            layer.sort(key=lambda item: item.x)
            _pack(layer)
    left = min((i.x - i.width / 2 for layer in layers for i in layer), default=0.0)
    for item in (item for layer in layers for item in layer):
        item.x += MARGIN - left


def _pack(layer: list[_Item]) -> None:
    """Moves items apart that overlap, about the place where they want to be."""
    wanted = [item.x for item in layer]
    for before, item in pairwise(layer):
        item.x = max(item.x, before.x + (before.width + item.width) / 2 + GAP)
    shift = sum(w - item.x for w, item in zip(wanted, layer, strict=True)) / max(1, len(layer))
    for item in layer:
        item.x += shift


def _svg(layers: list[list[_Item]], lines: list[tuple[list[_Item], str]], hidden: int) -> str:
    items = [item for layer in layers for item in layer]
    width = max((i.x + i.width / 2 for i in items), default=0.0) + MARGIN
    height = 2 * MARGIN + ROW * len(layers) - (ROW - HEIGHT) + (20 if hidden else 0)
    parts: list[str] = []
    texts: list[str] = []
    told: set[_Item] = set()
    for way, sizes in lines:
        path = f"M{way[0].x:.0f} {_top(way[0]) + HEIGHT}"
        for a, b in pairwise(way):
            start, end = _top(a) + HEIGHT, _top(b)
            middle = (start + end) / 2
            path += f"C{a.x:.0f} {middle:.0f} {b.x:.0f} {middle:.0f} {b.x:.0f} {end}"
            path += "" if b is way[-1] else f"V{end + HEIGHT}"
        parts.append(f'<path d="{path}"/>')
        if sizes and way[0] not in told:
            told.add(way[0])
            y = _top(way[0]) + HEIGHT + 14
            texts.append(f'<text class="size" x="{way[0].x:.0f}" y="{y}">{_safe(sizes)}</text>')
    parts += texts
    for item in items:
        if item.title:
            parts.append(_box(item))
    if hidden:
        note = f"and {hidden:,} nodes more"
        parts.append(f'<text x="{width / 2:.0f}" y="{height - MARGIN:.0f}">{note}</text>')
    size = f'width="{width:.0f}" height="{height:.0f}" viewBox="0 0 {width:.0f} {height:.0f}"'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" {size}><style>{STYLE}</style>'
        f'<rect width="100%" height="100%" fill="{OTHER}" style="stroke:none"/>'
        f"{''.join(parts)}</svg>"
    )


def _box(item: _Item) -> str:
    x, y = item.x - item.width / 2, _top(item)
    title_y = y + (15 if item.small else 21)
    small = f'<text class="small" x="{item.x:.0f}" y="{y + 28}">{_safe(item.small)}</text>'
    return (
        f'<rect x="{x:.0f}" y="{y}" width="{item.width:.0f}" height="{HEIGHT}" rx="6" '
        f'fill="{item.colour}"/><text x="{item.x:.0f}" y="{title_y}">{_safe(item.title)}</text>'
        f"{small if item.small else ''}"
    )


def _top(item: _Item) -> int:
    return MARGIN + item.layer * ROW


def _safe(text: str) -> str:
    """Names come from models, untrusted: nothing of theirs is markup."""
    return escape("".join(c if c.isprintable() else "\ufffd" for c in text), {'"': "&quot;"})
