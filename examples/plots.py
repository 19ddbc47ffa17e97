"""Lines in an SVG file: as much of a plot as the examples need."""

import math
from pathlib import Path
from xml.sax.saxutils import escape

COLOURS = ("#2563eb", "#d97706", "#059669", "#dc2626", "#7c3aed")
WIDTH, HEIGHT, LEFT, BOTTOM, TOP, RIGHT = 720, 400, 64, 48, 24, 150


def ticks(low, high, count=5):
    """Round numbers from low to high, at most `count` steps apart."""
    span = high - low or 1.0
    step = 10.0 ** math.floor(math.log10(span / count))
    step *= next(f for f in (1, 2, 5, 10) if span / (step * f) <= count)
    return [round(i * step, 9) for i in range(math.ceil(low / step), int(high / step + 1e-9) + 1)]


def plot(lines, path, across, up, names=None):
    """Writes named lists of numbers as lines, over 0, 1, 2, ..., which `names` may name."""
    at = list(range(max(map(len, lines.values()))))
    marks = dict(zip(at, names, strict=True)) if names else {v: v for v in ticks(0, at[-1])}
    values = [y for line in lines.values() for y in line]
    low, high = min(0.0, *values), max(values)
    inner, tall = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM

    def x(v):
        return LEFT + inner * (v - at[0]) / ((at[-1] - at[0]) or 1)

    def y(v):
        return TOP + tall * (1 - (v - low) / ((high - low) or 1))

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        'font-family="system-ui, sans-serif" font-size="13" fill="#334155">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
    ]
    for v in ticks(low, high):
        parts.append(f'<path d="M{LEFT} {y(v):.1f}h{inner}" stroke="#e2e8f0"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{y(v) + 4:.1f}" text-anchor="end">{v:g}</text>')
    for v, name in marks.items():
        parts.append(
            f'<text x="{x(v):.1f}" y="{HEIGHT - BOTTOM + 20}" text-anchor="middle">{name:g}</text>'
        )
    parts.append(f'<text x="{LEFT + inner / 2}" y="{HEIGHT - 8}" text-anchor="middle">'
                 f"{escape(across)}</text>")  # fmt: skip
    parts.append(f'<text x="16" y="{TOP + tall / 2}" text-anchor="middle" '
                 f'transform="rotate(-90 16 {TOP + tall / 2})">{escape(up)}</text>')  # fmt: skip
    for number, (name, line) in enumerate(lines.items()):
        colour = COLOURS[number % len(COLOURS)]
        points = " ".join(f"{x(a):.1f},{y(b):.1f}" for a, b in zip(at, line, strict=False))
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" '
                     'stroke-width="1.8"/>')  # fmt: skip
        parts.append(f'<text x="{WIDTH - RIGHT + 12}" y="{TOP + 16 + 20 * number}" '
                     f'fill="{colour}">{escape(name)}</text>')  # fmt: skip
    Path(path).write_text("\n".join([*parts, "</svg>\n"]))
