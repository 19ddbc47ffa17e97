"""suanzi figure: an operator's figure as SVG, or its scene as data."""

import json as json_module
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from suanzi.atlas.figures import figure, names
from suanzi.atlas.svg import svg
from suanzi.cli import _print
from suanzi.errors import SuanziError
from suanzi.inspect.operators import find
from suanzi.inspect.plain import plain


def main(
    name: str,
    kind: str | None,
    options: Sequence[str],
    step: int | None,
    theme: Literal["light", "dark", "auto"],
    language: Literal["en", "zh"],
    moving: bool,
    save: str | None,
    json: bool,
) -> None:
    suffix = Path(save).suffix.lower() if save else ""
    if save and suffix not in (".svg", ".json"):
        raise SuanziError("no such kind of file", expected="a name in .svg or .json", found=save)
    scene = figure(find(name), parameters(options), figure=kind)
    if step is not None and not 0 <= step < len(scene.steps):
        raise SuanziError("no such step", expected=f"from 0 below {len(scene.steps)}", found=step)
    if not save and json:
        _print.data(plain(scene))
        return
    if json or suffix == ".json":
        drawn = json_module.dumps(plain(scene), ensure_ascii=False, allow_nan=False)
    else:
        drawn = svg(scene, step, theme, language, moving)
    if save is None:
        print(drawn)
        return
    try:
        Path(save).write_text(drawn, encoding="utf-8")
    except OSError as error:
        raise SuanziError("cannot be written", found=save, hint=error.strerror or "") from error
    others = [id for id, _ in names(scene.operator) if id != scene.figure]
    also = f"; --figure has {', '.join(others)} besides" if others else ""
    print(f"{save}: {scene.operator}, {scene.figure}, {len(scene.steps)} steps{also}")


def parameters(options: Sequence[str]) -> dict[str, Any]:
    """What follows as --name value, or --name alone for true.

    >>> parameters(["--kernel", "3x5", "--pad", "1", "--ceil-mode"])
    {'kernel': [3, 5], 'pad': 1, 'ceil_mode': True}
    """
    made: dict[str, Any] = {}
    rest = list(options)
    while rest:
        word = rest.pop(0)
        if not word.startswith("--"):
            raise SuanziError("no parameter", expected="--NAME VALUE", found=word)
        name, equals, value = word[2:].partition("=")
        if not equals and rest and not re.match(r"--?[a-zA-Z]", rest[0]):
            value, equals = rest.pop(0), "="
        made[name.replace("-", "_")] = _value(value) if equals else True
    return made


def _value(text: str) -> Any:
    if re.fullmatch(r"-?\d{1,9}([x,]-?\d{1,9})+", text):
        return [int(n) for n in re.split("[x,]", text)]
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
