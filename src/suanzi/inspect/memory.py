"""Memory over time: what lies where in a program's arena, and from which step to which."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from suanzi.program import Program


class Named(Protocol):
    """A step of a profile."""

    @property
    def id(self) -> str: ...


@dataclass(frozen=True)
class Storage:
    """Bytes in the arena, and the steps between which they are needed, both included; several
    values may lie in them one after another. Without values it is a kernel's own scratch memory."""

    name: str
    bytes: int
    offset: int
    first: int
    last: int
    values: tuple[str, ...]


@dataclass(frozen=True)
class Memory:
    """`used`: the bytes that are needed at each step; `peak_step`: where most are."""

    arena_bytes: int
    weight_bytes: int
    peak_step: int
    storages: tuple[Storage, ...]
    used: tuple[int, ...]


def memory(program: Program, steps: Sequence[Named]) -> Memory:
    """Of a program; `steps` are a profile's, in which all kernels of a node are one."""
    numbers = {step.id: i for i, step in enumerate(steps)}
    places = [numbers.get(next(filter(None, step.node.outputs)), 0) for step in program.steps]
    storages = []
    for name, stored in program.storages.items():
        life = stored.life
        shown = name.rpartition(" ")[2] if name.startswith("\0") else name
        first, last = places[life.first], places[life.last]
        storages.append(Storage(shown, life.bytes, stored.offset, first, last, stored.values))
    used = [0] * len(steps)
    for storage in storages:
        for i in range(storage.first, storage.last + 1):
            used[i] += storage.bytes
    return Memory(
        program.arena_bytes,
        sum(x.nbytes for x in program.constants.values()),
        max(range(len(used)), key=used.__getitem__, default=0),
        tuple(storages),
        tuple(used),
    )
