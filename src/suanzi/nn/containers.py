"""Modules in sequence or by name."""

from collections import OrderedDict
from collections.abc import ItemsView, Iterable, Iterator, KeysView, ValuesView
from itertools import groupby
from operator import index
from typing import Any, Self

from suanzi.errors import SuanziError
from suanzi.nn.module import Module


class _Sequence(Module):
    """What `Sequential` and `ModuleList` share: modules by their place."""

    _modules: dict[str, Module]  # type: ignore[assignment]

    def _key(self, idx: Any) -> str:
        place, size = index(idx), len(self)
        if not -size <= place < size:
            raise IndexError(f"index {place} is out of range")
        return list(self._modules)[place]

    def _sliced(self, part: slice) -> Self:
        raise NotImplementedError

    def __getitem__(self, idx: Any) -> Any:
        return self._sliced(idx) if isinstance(idx, slice) else self._modules[self._key(idx)]

    def __setitem__(self, idx: int, module: Module) -> None:
        setattr(self, self._key(idx), module)

    def __delitem__(self, idx: int | slice) -> None:
        keys = list(self._modules)[idx] if isinstance(idx, slice) else [self._key(idx)]
        for key in keys:
            del self._modules[key]
        self._number(list(self._modules.values()))

    def _number(self, modules: list[Module]) -> None:
        self._modules.clear()
        self._modules.update({str(i): module for i, module in enumerate(modules)})

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[Module]:
        return iter(self._modules.values())

    def append(self, module: Module) -> Self:
        """Adds a module at the end."""
        self.register_module(str(len(self)), module)
        return self

    def insert(self, index: int, module: Module) -> Self:
        """Adds a module before the one at `index`."""
        if not isinstance(module, Module):
            raise SuanziError("not a module", expected="nn.Module", found=type(module).__name__)
        modules = list(self)
        modules.insert(index, module)
        self._number(modules)
        return self

    def extend(self, modules: Iterable[Module]) -> Self:
        """Adds modules at the end."""
        if not isinstance(modules, Iterable):
            raise SuanziError("nothing to go through", found=type(modules).__name__)
        for module in list(modules):
            self.append(module)
        return self

    def pop(self, key: int | slice) -> Any:
        """Takes a module out."""
        found = self[key]
        del self[key]
        return found


class Sequential(_Sequence):
    """Modules called one after the other, each on what the one before gives.

    >>> from suanzi import nn
    >>> nn.Sequential(nn.ModuleList(), nn.Sequential())
    Sequential(
      (0): ModuleList()
      (1): Sequential()
    )
    """

    def __init__(self, *args: Any) -> None:
        super().__init__()
        named = len(args) == 1 and isinstance(args[0], OrderedDict)
        for name, module in args[0].items() if named else enumerate(args):
            self.register_module(str(name), module)

    def forward(self, input: Any) -> Any:
        for module in self._modules.values():
            input = module(input)
        return input

    def _sliced(self, part: slice) -> Self:
        return type(self)(OrderedDict(list(self._modules.items())[part]))

    def insert(self, index: int, module: Module) -> Self:
        """Adds a module before the one at `index`."""
        if not -len(self) <= index <= len(self):
            raise IndexError(f"Index out of range: {index}")
        return super().insert(index, module)

    def __add__(self, other: "Sequential") -> "Sequential":
        return Sequential(*self, *_sequential(other))

    def __iadd__(self, other: "Sequential") -> Self:
        return self.extend(_sequential(other))

    def __mul__(self, other: int) -> "Sequential":
        return Sequential(*(list(self) * _times(other)))

    __rmul__ = __mul__

    def __imul__(self, other: int) -> Self:
        return self.extend(list(self) * (_times(other) - 1))


def _sequential(other: Any) -> "Sequential":
    if not isinstance(other, Sequential):
        raise SuanziError("wrong addend", expected="a Sequential", found=type(other).__name__)
    return other


def _times(factor: Any) -> int:
    if not isinstance(factor, int) or factor <= 0:
        raise SuanziError("wrong multiplier", expected="a positive int", found=factor)
    return factor


class ModuleList(_Sequence):
    """A list of modules, which are registered as one's own."""

    def __init__(self, modules: Iterable[Module] | None = None) -> None:
        super().__init__()
        self.extend(() if modules is None else modules)

    def _sliced(self, part: slice) -> Self:
        return type(self)(list(self)[part])

    def __iadd__(self, modules: Iterable[Module]) -> Self:
        return self.extend(modules)

    def __add__(self, other: Iterable[Module]) -> "ModuleList":
        return ModuleList([*self, *other])

    def __repr__(self) -> str:
        """As of other modules, but equal neighbours are told of once."""
        parts, start = [], 0
        for text, equal in groupby(map(repr, self)):
            end = start + len(list(equal)) - 1
            alone = start == end
            parts.append((f"({start})", text) if alone else
                         (f"({start}-{end})", f"{end - start + 1} x {text}"))  # fmt: skip
            start = end + 1
        return self._written(parts)


class ModuleDict(Module):
    """Modules by name, which are registered as one's own; in the order they were added."""

    _modules: dict[str, Module]  # type: ignore[assignment]

    def __init__(self, modules: Any = None) -> None:
        super().__init__()
        if modules is not None:
            self.update(modules)

    def __getitem__(self, key: str) -> Module:
        return self._modules[key]

    def __setitem__(self, key: str, module: Module) -> None:
        self.register_module(key, module)

    def __delitem__(self, key: str) -> None:
        del self._modules[key]

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[str]:
        return iter(self._modules)

    def __contains__(self, key: object) -> bool:
        return key in self._modules

    def clear(self) -> None:
        """Takes all out."""
        self._modules.clear()

    def pop(self, key: str) -> Module:
        """Takes one out."""
        return self._modules.pop(key)

    def keys(self) -> KeysView[str]:
        return self._modules.keys()

    def items(self) -> ItemsView[str, Module]:
        return self._modules.items()

    def values(self) -> ValuesView[Module]:
        return self._modules.values()

    def update(self, modules: Any) -> None:
        """Adds a mapping's modules, or pairs of a name and a module; equal names are replaced."""
        for key, module in pairs_of(modules):
            self[key] = module


def pairs_of(given: Any) -> list[tuple[str, Any]]:
    """A mapping's entries, or the pairs themselves."""
    if hasattr(given, "items"):
        return list(given.items())
    if not isinstance(given, Iterable):
        raise SuanziError(
            "wrong argument", expected="a mapping or pairs", found=type(given).__name__
        )
    pairs = [tuple(pair) if isinstance(pair, Iterable) else (pair,) for pair in given]
    for number, pair in enumerate(pairs):
        if len(pair) != 2:
            raise SuanziError(f"element #{number} isn't a pair", found=f"{len(pair)} entries")
    return pairs
