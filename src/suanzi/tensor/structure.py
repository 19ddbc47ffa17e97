"""Nested tuples, lists, dictionaries and dataclasses: taken apart into their tensors, and put
together again."""

from collections.abc import Sequence
from dataclasses import dataclass, is_dataclass
from typing import Any

from suanzi.tensor.core import Tensor


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a tensor stood: its number."""

    number: int


@dataclass(frozen=True, slots=True)
class _Held:
    """Something that is no tensor; what can't be hashed is known as the object that it is."""

    value: Any

    def __hash__(self) -> int:
        try:
            return hash(self.value)
        except TypeError:
            return id(self.value)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, _Held) or type(self.value) is not type(other.value):
            return False
        if self.value is other.value:
            return True
        try:
            hash(self.value)
        except TypeError:
            return False
        return bool(self.value == other.value)


@dataclass(frozen=True, slots=True)
class _Group:
    """A tuple, a list or a dictionary, of this kind, with these keys."""

    kind: type
    keys: tuple[Any, ...]
    parts: tuple[Any, ...]


def flatten(value: Any) -> tuple[list[Tensor], Any]:
    """The tensors in order, and how they stood, which can be hashed and compared.

    >>> import suanzi
    >>> tensors, shape = flatten({"a": suanzi.zeros(1), "b": [2, suanzi.ones(1)]})
    >>> len(tensors), unflatten(["x", "y"], shape)
    (2, {'a': 'x', 'b': [2, 'y']})
    """
    tensors: list[Tensor] = []

    def apart(x: Any) -> Any:
        if isinstance(x, Tensor):
            tensors.append(x)
            return _Place(len(tensors) - 1)
        if isinstance(x, dict):
            return _Group(type(x), tuple(x), tuple([apart(v) for v in x.values()]))
        if isinstance(x, list | tuple):
            return _Group(type(x), (), tuple([apart(v) for v in x]))
        if is_dataclass(x) and not isinstance(x, type) and hasattr(x, "__dict__"):
            return _Group(type(x), tuple(vars(x)), tuple([apart(v) for v in vars(x).values()]))
        return _Held(x)

    return tensors, apart(value)


def unflatten(values: Sequence[Any], shape: Any) -> Any:
    """What `flatten` took apart, with these values in the tensors' places."""
    if isinstance(shape, _Place):
        return values[shape.number]
    if isinstance(shape, _Held):
        return shape.value
    parts = [unflatten(values, part) for part in shape.parts]
    if issubclass(shape.kind, dict):
        return shape.kind(zip(shape.keys, parts, strict=True))
    if is_dataclass(shape.kind):
        made = object.__new__(shape.kind)  # type: ignore[arg-type]
        made.__dict__.update(zip(shape.keys, parts, strict=True))
        return made
    if hasattr(shape.kind, "_fields"):  # a named tuple
        return shape.kind(*parts)
    return shape.kind(parts)
