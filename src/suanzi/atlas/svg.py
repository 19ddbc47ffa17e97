"""A figure as SVG: light, dark or as the reader's system is; one step, or moving."""

from __future__ import annotations

import itertools
import math
from html import escape
from typing import Literal

from suanzi.atlas import svg_text
from suanzi.atlas.scene import Arrow, Block, Mark, Plot, Scene, Step
from suanzi.atlas.svg_text import Run, lines, runs
from suanzi.errors import SuanziError

CELL = 32.0
"""Pixels of a cell."""
EDGE = 24.0
LINE = 22.0
SECONDS = 0.9
"""How long a moving picture stays on a step."""
COLOURS = {
    "light": {
        "paper": "#ffffff", "ink": "#1c2230", "soft": "#5b6474", "rule": "#b9c0cc",
        "border": "#eef0f4", "up": "#2f6fde", "down": "#d6532f", "read": "#1769e0",
        "weight": "#c77700", "write": "#12823b", "padding": "#8b93a1", "skipped": "#8b93a1",
        "done": "#7fb894", "shared": "#9138c9",
    },
    "dark": {
        "paper": "#14171d", "ink": "#e8ebf1", "soft": "#a4adbb", "rule": "#4c5564",
        "border": "#20252e", "up": "#5b95ff", "down": "#ff8158", "read": "#6aa5ff",
        "weight": "#ffb547", "write": "#4fd080", "padding": "#7d8796", "skipped": "#7d8796",
        "done": "#3f7a54", "shared": "#c98bf5",
    },
}  # fmt: skip
GROUPS = (
    "#4e79a7", "#f28e2b", "#59a14f", "#e15759", "#76b7b2", "#b07aa1", "#edc948", "#9c755f",
    "#ff9da7", "#8cd17d", "#86bcb6", "#d37295",
)  # fmt: skip


def svg(
    scene: Scene,
    step: int | None = None,
    theme: Literal["light", "dark", "auto"] = "light",
    language: Literal["en", "zh"] = "en",
    moving: bool = False,
) -> str:
    """The figure as an SVG document; `moving` plays all steps, again and again.

    >>> from suanzi.atlas.figures import figure
    >>> svg(figure("Relu"))[:4]
    '<svg'
    """
    if theme not in (*COLOURS, "auto"):
        raise SuanziError("no such theme", expected="light, dark or auto", found=theme)
    if language not in ("en", "zh"):
        raise SuanziError("no such language", expected="en or zh", found=language)
    if step is not None and not 0 <= step < len(scene.steps):
        raise SuanziError("no such step", expected=f"from 0 below {len(scene.steps)}", found=step)
    steps = [*scene.steps] if moving else [] if step is None else [scene.steps[step]]
    title = f"{scene.operator} · {scene.title[language]}"
    wide = max(scene.width * CELL, 1.1 * svg_text.width(title, 18), 420.0)
    body: list[str] = []
    y = EDGE + 18
    body.append(_text(EDGE, y, title, 18, "title"))
    y += 16
    body.append(f'<g transform="translate({EDGE:g} {y:g})">')
    blocks = {b.id: b for b in scene.blocks}
    for block in sorted(scene.blocks, key=lambda b: -b.depth):
        body.append(_block(block, language))
    body += [_arrow(a, blocks, language) for a in scene.arrows]
    body += [_plot(p, language) for p in scene.plots]
    for i, shown in enumerate(steps):
        marks = "".join(_mark(m, blocks[m.block]) for m in shown.marks)
        body.append(f"<g{_hidden(i, len(steps))}>{marks}{_timed(i, len(steps))}</g>")
    body.append("</g>")
    y += scene.height * CELL + 30
    below = y
    for i, shown in enumerate(steps):
        drawn, end = _words(shown, language, y, wide)
        below = max(below, end)
        body.append(f"<g{_hidden(i, len(steps))}>{drawn}{_timed(i, len(steps))}</g>")
    y = below
    colon = "：" if language == "zh" else ": "
    for fact in scene.facts:
        drawn, y = _paragraph(
            [Run(fact.label[language] + colon), *runs(fact.latex)], y, wide, "fact"
        )
        body.append(drawn)
    if scene.note is not None:
        drawn, y = _paragraph([Run(scene.note[language])], y, wide, "soft")
        body.append(drawn)
    width, height = wide + 2 * EDGE, y + 4
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:g}" height="{height:g}" '
        f'viewBox="0 0 {width:g} {height:g}" role="img" lang="{language}">'
        f"<title>{escape(f'{scene.operator}: {scene.title[language]}')}</title>{_style(theme)}"
        f'<rect class="paper" width="100%" height="100%"/>{"".join(body)}</svg>'
    )


def _style(theme: str) -> str:
    def variables(name: str) -> str:
        return "svg{" + "".join(f"--{k}:{v};" for k, v in COLOURS[name].items()) + "}"

    colours = variables("light" if theme == "auto" else theme)
    if theme == "auto":
        colours += f"@media (prefers-color-scheme:dark){{{variables('dark')}}}"
    roles = "".join(
        f".{r}{{fill:var(--{r});fill-opacity:.28;stroke:var(--{r});stroke-width:2.5}}"
        for r in ("read", "weight", "write", "padding", "skipped", "done", "shared")
    )
    return (
        f"<style>{colours}{roles}.paper{{fill:var(--paper)}}"
        "text{fill:var(--ink);font-family:system-ui,'Noto Sans','Noto Sans CJK SC',"
        "'PingFang SC','Microsoft YaHei',sans-serif}.title{font-weight:600}"
        ".soft{fill:var(--soft)}.mid{text-anchor:middle}.end{text-anchor:end}"
        ".cell{fill:var(--paper);stroke:var(--rule)}.pad{fill:var(--border);stroke:var(--rule);"
        "stroke-dasharray:2 2}.up{fill:var(--up)}.down{fill:var(--down)}"
        ".line{fill:none;stroke-width:2}.rule{stroke:var(--rule);fill:none}"
        ".box{fill:var(--border);stroke:var(--rule)}.cursor{stroke:var(--soft);"
        "stroke-dasharray:4 3}</style>"
    )


def _hidden(i: int, count: int) -> str:
    return ' visibility="hidden"' if count > 1 and i else ""


def _timed(i: int, count: int) -> str:
    """What shows a step in its time alone."""
    if count < 2:
        return ""
    begin, end = i / count, (i + 1) / count
    values, times = ["hidden", "visible", "hidden"], [0.0, begin, end]
    if i == 0:
        values, times = ["visible", "hidden"], [0.0, end]
    elif i == count - 1:
        values, times = values[:2], times[:2]
    listed = ";".join(f"{t:.5g}" for t in times)
    return (
        f'<animate attributeName="visibility" calcMode="discrete" values="{";".join(values)}" '
        f'keyTimes="{listed}" dur="{count * SECONDS:g}s" repeatCount="indefinite"/>'
    )


def _text(x: float, y: float, text: str, size: float, kind: str = "") -> str:
    named = f' class="{kind}"' if kind else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size:.1f}"{named}>{escape(text)}</text>'


def _paragraph(parts: list[Run], y: float, room: float, kind: str) -> tuple[str, float]:
    """Lines of text with raised and lowered parts, and where the next paragraph begins."""
    drawn = []
    for line in lines(parts, room, 14):
        spans, level = [], 0
        for run in line:
            shift = (level - run.level) * 5
            size = f' font-size="{14 if run.level == 0 else 10.5:g}"'
            spans.append(f'<tspan dy="{shift:g}"{size}>{escape(run.text)}</tspan>')
            level = run.level
        drawn.append(
            f'<text x="{EDGE:g}" y="{y:.1f}" font-size="14" class="{kind}" xml:space="preserve">'
            f"{''.join(spans)}</text>"
        )
        y += LINE
    return "".join(drawn), y


def _words(step: Step, language: str, y: float, room: float) -> tuple[str, float]:
    text, y = _paragraph([Run(step.text[language])], y, room, "step")
    if not step.latex:
        return text, y + 6
    formula, y = _paragraph(runs(step.latex), y, room, "step")
    return text + formula, y + 6


def _block(block: Block, language: str) -> str:
    size = block.cell * CELL
    left, top = block.x * CELL, block.y * CELL
    label = escape(block.label[language])
    if block.kind == "box":
        middle = (
            f'x="{left + block.columns * size / 2:.1f}" y="{top + block.rows * size / 2 + 5:.1f}"'
        )
        return (
            f'<rect class="box" rx="6" x="{left:.1f}" y="{top:.1f}" '
            f'width="{block.columns * size:.1f}" height="{block.rows * size:.1f}"/>'
            f'<text class="mid" {middle} font-size="16">{label}</text>'
        )
    drawn = []
    if block.depth == 0:
        drawn.append(_text(left, top - 0.25 * CELL, block.label[language], 0.5 * CELL, "soft"))
    if block.image is not None:
        drawn.append(
            f'<image href="{escape(block.image)}" x="{left:.1f}" y="{top:.1f}" '
            f'width="{block.columns * size:.1f}" height="{block.rows * size:.1f}" '
            'style="image-rendering:pixelated"/>'
        )
    values = block.values
    largest = max((abs(v) for v in values or () if v is not None), default=0.0) or 1.0
    above, before, below, after = block.border
    for i in range(block.rows * block.columns):
        row, column = divmod(i, block.columns)
        x, y = left + column * size, top + row * size
        inner = above <= row < block.rows - below and before <= column < block.columns - after
        rect = f'x="{x:.1f}" y="{y:.1f}" width="{size:g}" height="{size:g}"'
        if block.image is None:
            drawn.append(f'<rect class="{"cell" if inner else "pad"}" {rect}/>')
        if not inner:
            continue
        value = values[i] if values else None
        if block.groups is not None and block.groups[i] >= 0:
            colour = GROUPS[block.groups[i] % len(GROUPS)]
            drawn.append(f'<rect {rect} fill="{colour}" fill-opacity=".45"/>')
        elif value:
            shade = 0.06 + 0.34 * abs(value) / largest
            drawn.append(
                f'<rect {rect} class="{"up" if value > 0 else "down"}" fill-opacity="{shade:.3f}"/>'
            )
        if value is not None and block.image is None:
            drawn.append(_fitted(value, x + size / 2, y + size / 2, size))
    return "".join(drawn)


def _fitted(value: float, x: float, y: float, size: float) -> str:
    """A number in the middle of its cell, with as many digits as fit."""
    text = f"{value:.3g}"
    if len(text) > 5:
        text = f"{value:.2g}"
    font = min(0.44, 0.92 / (0.6 * len(text))) * size
    return _text(x, y + font * 0.36, text, font, "mid")


def _mark(mark: Mark, block: Block) -> str:
    size = block.cell * CELL
    drawn = []
    for cell in mark.cells:
        row, column = divmod(cell, block.columns)
        drawn.append(
            f'<rect class="{mark.role}" rx="2" x="{block.x * CELL + column * size + 1:.1f}" '
            f'y="{block.y * CELL + row * size + 1:.1f}" '
            f'width="{size - 2:g}" height="{size - 2:g}"/>'
        )
    return "".join(drawn)


def _arrow(arrow: Arrow, blocks: dict[str, Block], language: str) -> str:
    a, b = blocks[arrow.source], blocks[arrow.target]
    x1, y1 = (a.x + a.columns * a.cell) * CELL, (a.y + a.rows * a.cell / 2) * CELL
    x2, y2 = b.x * CELL, (b.y + b.rows * b.cell / 2) * CELL
    if x2 < x1:  # below each other
        x1, y1 = (a.x + a.columns * a.cell / 2) * CELL, (a.y + a.rows * a.cell) * CELL
        x2, y2 = (b.x + b.columns * b.cell / 2) * CELL, b.y * CELL
    angle = math.atan2(y2 - y1, x2 - x1)
    tips = " ".join(
        f"L{x2 - 8 * math.cos(angle + s):.1f} {y2 - 8 * math.sin(angle + s):.1f} M{x2:.1f} {y2:.1f}"
        for s in (0.5, -0.5)
    )
    way = f"M{x1:.1f} {y1:.1f} L{x2:.1f} {y2:.1f} {tips}"
    drawn = f'<path class="line" stroke="var(--soft)" d="{way}"/>'
    if arrow.label is not None:
        drawn += _text((x1 + x2) / 2, (y1 + y2) / 2 - 6, arrow.label[language], 13, "mid soft")
    return drawn


def _ticks(low: float, high: float, count: int = 5) -> list[float]:
    """Round numbers between two.

    >>> _ticks(0, 10)
    [0.0, 2.0, 4.0, 6.0, 8.0, 10.0]
    """
    span = high - low
    power = 10.0 ** math.floor(math.log10(span / count))
    width = next(w * power for w in (1, 2, 5, 10) if span / (w * power) <= count)
    first = math.ceil(low / width - 1e-9)
    return [round(i * width, 10) for i in range(first, math.floor(high / width + 1e-9) + 1)]


def _plot(plot: Plot, language: str) -> str:
    left, top = plot.x * CELL, plot.y * CELL
    wide, high = plot.width * CELL, plot.height * CELL
    xs = [v for s in plot.series for v in s.x]
    ys = [v for s in plot.series for v in s.y if v is not None]
    barred = plot.kind == "bars"
    places = sorted({*xs})
    slot = min((b - a for a, b in itertools.pairwise(places)), default=1.0)
    x0, x1 = min(xs), max(xs)
    if barred or x0 == x1:
        x0, x1 = x0 - slot / 2, x1 + slot / 2
    y0, y1 = min([0.0, *ys]), max([0.0, *ys])
    y1 = y1 if y1 > y0 else y0 + 1
    if not barred:
        y0, y1 = y0 - 0.05 * (y1 - y0), y1 + 0.05 * (y1 - y0)

    def px(x: float) -> float:
        return left + (x - x0) / (x1 - x0) * wide

    def py(y: float) -> float:
        return top + high - (y - y0) / (y1 - y0) * high

    drawn = [_text(left, top - 0.85 * CELL, plot.title[language], 0.5 * CELL)]
    drawn.append(
        f'<rect class="rule" x="{left:.1f}" y="{top:.1f}" width="{wide:.1f}" height="{high:.1f}"/>'
    )
    for t in _ticks(x0, x1, max(2, min(8, int(plot.width / 1.6)))):
        drawn.append(f'<path class="rule" d="M{px(t):.1f} {top + high:.1f} v4"/>')
        drawn.append(_text(px(t), top + high + 0.5 * CELL, f"{t:g}", 12, "mid soft"))
    for t in _ticks(y0, y1, max(2, min(6, int(plot.height)))):
        drawn.append(f'<path class="rule" d="M{left:.1f} {py(t):.1f} h-4"/>')
        drawn.append(_text(left - 7, py(t) + 4, f"{t:g}", 12, "end soft"))
    drawn.append(
        _text(left + wide, top + high + 0.95 * CELL, plot.x_label[language], 12, "end soft")
    )
    drawn.append(f'<path class="rule" d="M{left:.1f} {py(0):.1f} h{wide:.1f}"/>')
    begin = left
    for i, series in enumerate(plot.series):
        colour = GROUPS[i % len(GROUPS)]
        if barred:
            share = slot * 0.86 / len(plot.series)
            for x, y in zip(series.x, series.y, strict=True):
                if y:
                    at = px(x - slot * 0.43 + i * share)
                    drawn.append(
                        f'<rect fill="{colour}" x="{at:.1f}" y="{min(py(y), py(0)):.1f}" '
                        f'width="{share / (x1 - x0) * wide:.1f}" '
                        f'height="{abs(py(y) - py(0)):.1f}"/>'
                    )
        else:
            drawn.append(
                f'<path class="line" stroke="{colour}" d="{_path(series.x, series.y, px, py)}"/>'
            )
        label = series.label[language]
        drawn.append(
            f'<rect fill="{colour}" x="{begin:.1f}" y="{top - 0.55 * CELL:.1f}" '
            f'width="11" height="11"/>'
        )
        drawn.append(_text(begin + 16, top - 0.25 * CELL, label, 13, "soft"))
        begin += 16 + sum(14 if ord(c) > 0x2E7F else 8 for c in label) + 14
    if plot.cursor is not None:
        drawn.append(f'<path class="cursor" d="M{px(plot.cursor):.1f} {top:.1f} v{high:.1f}"/>')
    return "".join(drawn)


def _path(xs, ys, px, py) -> str:  # type: ignore[no-untyped-def]
    parts, pen = [], "M"
    for x, y in zip(xs, ys, strict=True):
        if y is None:
            pen = "M"
        else:
            parts.append(f"{pen}{px(x):.1f} {py(y):.1f}")
            pen = "L"
    return " ".join(parts)
