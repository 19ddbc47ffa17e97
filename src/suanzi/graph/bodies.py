"""What operators with graphs as attributes share: bodies run, and the types of what they make."""

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any, ClassVar

import numpy as np

from suanzi.errors import SuanziError
from suanzi.graph.evaluate import evaluate
from suanzi.graph.graph import Graph
from suanzi.graph.infer import infer
from suanzi.operators._operator import (
    Array,
    Dim,
    MapType,
    Operator,
    SequenceType,
    TensorType,
    Value,
    join_types,
    require,
)

Runner = Callable[[Graph, Sequence[Value]], Sequence[Any]]
"""Gives a body's outputs for its inputs."""


@dataclass(frozen=True, kw_only=True)
class ControlFlow(Operator):
    """What they share. `run(runner, *inputs)` is the definition, the bodies run by `runner`; the
    last `captures` inputs are what the bodies capture."""

    captures: int = 0
    holders: ClassVar[bool] = True
    deterministic: ClassVar[bool] = False
    """So that none runs before the run: a loop may take long, a body draw random numbers."""

    def run(self, runner: Runner, *inputs: Any) -> tuple[Any, ...]:
        raise NotImplementedError

    def numpy(self, *inputs: Any) -> tuple[Any, ...]:
        return self.run(_by_definition, *inputs)


def _by_definition(body: Graph, values: Sequence[Value]) -> Sequence[Any]:
    made = evaluate(body, dict(zip(body.inputs, values, strict=True)))
    return [made[name] for name in body.outputs]


def bodies_of(operator: Operator) -> list[Graph]:
    """The graphs among an operator's attributes."""
    held = [getattr(operator, field.name) for field in fields(operator)]
    return [body for body in held if isinstance(body, Graph)]


def infer_body(body: Graph, types: Sequence[TensorType | None]) -> list[TensorType]:
    """The types of a body's outputs for inputs of these types."""
    if len(types) != len(body.inputs) or any(t is None for t in types):
        raise SuanziError(
            "the body takes other inputs", expected=f"{len(body.inputs)}", found=len(types)
        )
    made = infer(body.replace(types=dict(zip(body.inputs, types, strict=True))))
    return [made.types[name] for name in body.outputs]


def join(a: Sequence[TensorType], b: Sequence[TensorType]) -> list[TensorType]:
    """The types of values that are one time `a`, another time `b`."""
    require(len(a) == len(b), "the numbers of values differ", "", len(a), len(b))
    joined = []
    for x, y in zip(a, b, strict=True):
        t = join_types(x, y)
        if t is None:
            raise SuanziError("a value's type changes", expected=x, found=y)
        joined.append(t)
    return joined


def settle(
    body: Graph,
    before: Sequence[TensorType],
    state: Sequence[TensorType | None],
    after: Sequence[TensorType | None],
    leading: int = 0,
) -> tuple[list[TensorType], list[TensorType]]:
    """The types that the state has in every iteration, and those of the body's outputs then.

    The body's outputs are `leading` ones, the state, and others.
    """
    current = [unknown(t) for t in state if t is not None]
    while True:
        made = infer_body(body, (*before, *current, *after))
        joined = join(current, [unknown(t) for t in made[leading : leading + len(current)]])
        if joined == current:
            return current, made
        current = joined


def unknown(t: TensorType) -> TensorType:
    """The type without the contents, which change from one iteration to the next."""
    return TensorType(t.dtype, t.shape) if t.value is not None else t


def truth(value: Any) -> bool:
    """A condition, which may have axes of size 1."""
    return bool(np.asarray(value).item())


def stacked(t: TensorType, axis: int, length: Dim) -> TensorType:
    """The type of a stack of values of a type."""
    if t.shape is None:
        return TensorType(t.dtype, None)
    axis = axis_of(axis, len(t.shape) + 1)
    return TensorType(t.dtype, (*t.shape[:axis], length, *t.shape[axis:]))


def axis_of(axis: int, rank: int) -> int:
    """The axis counted from the front."""
    require(-rank <= axis < rank, "no such axis", "", f"{-rank} to {rank - 1}", axis)
    return axis % rank


def stacks(scans: Sequence[Sequence[Array]], axes: Sequence[int]) -> list[Array]:
    """What the iterations have made, each along a new axis."""
    return [np.stack(scan, axis) for scan, axis in zip(scans, axes, strict=True)]


def empty(t: TensorType) -> Array:
    """What no iteration has made: sizes that nothing tells are 0."""
    return np.empty([d if isinstance(d, int) else 0 for d in t.shape or (0,)], t.dtype)


def type_of(value: Value) -> TensorType | None:
    """The type of a value, its contents known where it is a tensor."""
    if value is None:
        return None
    if isinstance(value, list):
        elements = [unknown(t) for x in value if (t := type_of(x))]
        joined = functools.reduce(lambda a, b: join([a], [b])[0], elements) if elements else None
        return SequenceType(joined or TensorType(np.dtype(np.float32), None))
    if isinstance(value, dict):
        keys, values = np.asarray([*value]), np.asarray([*value.values()])
        key = np.dtype(np.int64 if keys.dtype.kind == "i" else np.object_)
        return MapType(TensorType(values.dtype, values.shape[1:]), key)
    return TensorType.of(np.asarray(value))
