"""Results of several parts, which print as PyTorch's do."""

from collections import namedtuple
from typing import Any


def named(name: str, *fields: str) -> Any:
    """A class of tuples with these parts.

    >>> named("sort", "values", "indices")([1], [0])
    suanzi.return_types.sort(
    values=[1],
    indices=[0])
    """
    made: Any = namedtuple(name, fields)  # type: ignore[misc]

    def text(self: Any) -> str:
        parts = ",\n".join(f"{f}={part!r}" for f, part in zip(fields, self, strict=True))
        return f"suanzi.return_types.{name}(\n{parts})"

    made.__repr__ = text  # type: ignore[method-assign]
    return made
