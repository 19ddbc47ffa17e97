r"""The little LaTeX of our figures as lines of plain text with raised and lowered parts."""

from __future__ import annotations

import re
from dataclasses import dataclass

SIGNS = {
    "cdot": "·", "times": "×", "sum": "Σ", "max": "max", "min": "min", "lfloor": "⌊", "rfloor": "⌋",
    "lceil": "⌈", "rceil": "⌉", "mu": "μ", "sigma": "σ", "to": "→", "ldots": "…", "ln": "ln ",
    "approx": "≈", "left": "", "right": "", "sqrt": "√", "alpha": "α", "theta": "θ", "cos": "cos ",
    "sin": "sin ", "tanh": "tanh ", "epsilon": "ε", "infty": "∞", "odot": "⊙", "top": "ᵀ",
}  # fmt: skip
TOKEN = re.compile(r"\\([a-zA-Z]+)|\\(.)|([{}_^])|([^\\{}_^])")


@dataclass(frozen=True)
class Run:
    """A piece of text; `level`: 1 raised, -1 lowered, 0 on the line."""

    text: str
    level: int = 0


def runs(latex: str) -> list[Run]:
    r"""What a formula shows.

    >>> [(r.text, r.level) for r in runs(r"Y_{0} = \frac{a + b}{2}")]
    [('Y', 0), ('0', -1), (' = (a + b)/2', 0)]
    """
    tokens = [m.group(0) for m in TOKEN.finditer(latex)]
    found, _ = _group(tokens, 0, 0)
    joined: list[Run] = []
    for run in found:
        if joined and joined[-1].level == run.level:
            joined[-1] = Run(joined[-1].text + run.text, run.level)
        else:
            joined.append(run)
    return joined


def _group(tokens: list[str], at: int, level: int) -> tuple[list[Run], int]:
    """The runs up to the brace that closes this group, and where it is."""
    found: list[Run] = []
    while at < len(tokens) and tokens[at] != "}":
        made, at = _one(tokens, at, level)
        found += made
    return found, at


def _one(tokens: list[str], at: int, level: int) -> tuple[list[Run], int]:
    if at >= len(tokens):
        return [], at
    token = tokens[at]
    if token in "_^" and token:
        return _one(tokens, at + 1, -1 if token == "_" else 1)
    if token == "{":
        made, end = _group(tokens, at + 1, level)
        return made, end + 1
    if token == "\\frac":
        top, at = _one(tokens, at + 1, level)
        bottom, at = _one(tokens, at, level)
        return [*_bracketed(top, level), Run("/", level), *_bracketed(bottom, level)], at
    if token.startswith("\\"):
        name = token[1:]
        if name in ("text", "mathrm", "operatorname"):
            return _one(tokens, at + 1, level)
        text = SIGNS.get(name, " " if name in (" ", ",", ";") else name)
        opens = name in ("lfloor", "lceil") and tokens[at + 1 : at + 2] == [" "]
        return [Run(text, level)], at + 1 + opens
    return [Run(token, level)], at + 1


def _bracketed(inner: list[Run], level: int) -> list[Run]:
    plain = "".join(r.text for r in inner if r.level == level)
    if " " not in plain:
        return inner
    return [Run("(", level), *inner, Run(")", level)]


def width(text: str, size: float) -> float:
    """About how wide a text is in this size: Chinese characters are square."""
    return sum(size if ord(c) > 0x2E7F else size * 0.56 for c in text)


def lines(parts: list[Run], room: float, size: float) -> list[list[Run]]:
    """The runs in lines no wider than the room: broken at spaces and between Chinese characters."""
    made: list[list[Run]] = [[]]
    used = 0.0
    for run in parts:
        scale = size if run.level == 0 else size * 0.75
        for piece in re.findall(r"[⺀-￯]|[^\s⺀-￯]+\s*|\s+", run.text):
            wide = width(piece, scale)
            if run.level == 0 and used and used + width(piece.rstrip(), scale) > room:
                made.append([])
                used = 0.0
                piece = piece.lstrip()
            made[-1].append(Run(piece, run.level))
            used += wide
    return made
