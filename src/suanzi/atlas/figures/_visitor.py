"""What a visitor has set: read where it is used, so that reading a control makes it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from suanzi.atlas.scene import Control, Text
from suanzi.errors import SuanziError

Whole = int
"""In the class below `int` is a method."""


class Visitor:
    """Parameters of a figure, checked; each that is asked for becomes a control.

    >>> visitor = Visitor({"kernel": 5})
    >>> visitor.ints("kernel", Text("kernel", "卷积核"), (3, 3), 1, 5)
    (5, 5)
    >>> visitor.controls[0].value
    (5, 5)
    """

    def __init__(self, parameters: Mapping[str, Any]) -> None:
        self.parameters = parameters
        self.controls: list[Control] = []

    def int(self, name: str, label: Text, default: int, least: int, most: int) -> int:
        value = _whole(name, self.parameters.get(name, default), least, most)
        self.controls.append(Control(name, label, "int", value, least, most))
        return value

    def ints(
        self, name: str, label: Text, default: Sequence[Whole], least: Whole, most: Whole
    ) -> tuple[Whole, ...]:
        """As many numbers as the default has; one number stands for all."""
        given = self.parameters.get(name, default)
        numbers = list(given) if isinstance(given, list | tuple) else [given]
        if len(numbers) == 1:
            numbers *= len(default)
        if len(numbers) != len(default):
            raise SuanziError(f"wrong {name}", expected=f"{len(default)} numbers", found=given)
        values = tuple(_whole(name, n, least, most) for n in numbers)
        self.controls.append(Control(name, label, "ints", values, least, most))
        return values

    def float(self, name: str, label: Text, default: float, least: float, most: float) -> float:
        value = self.parameters.get(name, default)
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not number or not math.isfinite(value) or not least <= value <= most:
            raise SuanziError(f"wrong {name}", expected=f"from {least:g} to {most:g}", found=value)
        self.controls.append(Control(name, label, "float", value, least, most))
        return value  # type: ignore[no-any-return]

    def bool(self, name: str, label: Text, default: bool) -> bool:
        value = self.parameters.get(name, default)
        if value not in (True, False):
            raise SuanziError(f"wrong {name}", expected="true or false", found=value)
        self.controls.append(Control(name, label, "bool", bool(value)))
        return bool(value)

    def choice(self, name: str, label: Text, default: str, choices: Sequence[str]) -> str:
        value = self.parameters.get(name, default)
        if value not in choices:
            raise SuanziError(f"wrong {name}", expected=" or ".join(choices), found=value)
        self.controls.append(Control(name, label, "choice", value, choices=choices))
        return str(value)

    def done(self) -> None:
        """Raises where a parameter was given that this figure hasn't."""
        known = [c.name for c in self.controls]
        for name in self.parameters:
            if name not in known:
                raise SuanziError(
                    "the figure has no such parameter",
                    expected=", ".join(known) or "none",
                    found=name,
                )


def _whole(name: str, value: Any, least: int, most: int) -> int:
    whole = isinstance(value, int) and not isinstance(value, bool)
    if not whole or not least <= value <= most:
        raise SuanziError(
            f"wrong {name}", expected=f"whole numbers from {least} to {most}", found=value
        )
    return int(value)
