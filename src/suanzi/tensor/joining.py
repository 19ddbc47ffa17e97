"""Tensors joined, cut and repeated."""

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np

from suanzi.errors import SuanziError
from suanzi.operators import Concat, Tile
from suanzi.tensor import dtypes
from suanzi.tensor.arithmetic import cast
from suanzi.tensor.core import Tensor, apply, axis, into, length_of, method, recorded
from suanzi.tensor.direct import SMALL
from suanzi.tensor.modes import modes
from suanzi.tensor.views import sizes_of


def _one_type(tensors: Sequence[Tensor]) -> list[Tensor]:
    kind = tensors[0].dtype
    for t in tensors[1:]:
        kind = dtypes.promote_types(kind, t.dtype)
    return [cast(t, kind) for t in tensors]


def cat(tensors: Sequence[Tensor], dim: int = 0, *, out: Tensor | None = None) -> Tensor:
    """One after the other along an axis; the other sizes are equal.

    >>> import suanzi
    >>> cat([suanzi.zeros(2, 3), suanzi.ones(1, 3)]).shape
    suanzi.Size([3, 3])
    """
    if not len(tensors):
        raise SuanziError("nothing to join", input="tensors", expected="at least one tensor")
    first = tensors[0]
    kind, sizes = first._value.dtype, first._value.shape
    at = axis(first, dim) if sizes != (0,) else 0
    alike = bool(sizes)
    for t in tensors:  # the usual case is told quickly
        shape = t._value.shape
        alike = alike and t._value.dtype == kind and shape[:at] == sizes[:at]
        alike = alike and len(shape) == len(sizes) and shape[at + 1 :] == sizes[at + 1 :]
    if not alike:
        tensors, at = _fitted(tensors, dim)
    operator = _concat(at)
    values = [t._value for t in tensors]
    if modes.trace is None and max([v.size for v in values]) <= SMALL:
        made = recorded(operator, tensors, np.concatenate(values, at))
    else:
        made = apply(operator, *tensors)
    return into(out, made)


@functools.cache
def _concat(at: int) -> Concat:
    return Concat(axis=at)


def _fitted(tensors: Sequence[Tensor], dim: int) -> tuple[list[Tensor], int]:
    """Of one type, without the empty ones of no other axes; an error where the sizes differ."""
    given = [t for t in tensors if t._value.shape != (0,)] or [tensors[0]]
    given = _one_type(given)
    at = axis(given[0], dim)
    for number, t in enumerate(given):
        same = t.ndim == given[0].ndim > 0 and all(
            a == b for i, (a, b) in enumerate(zip(t.shape, given[0].shape, strict=True)) if i != at
        )
        if not same:
            raise SuanziError(
                "the sizes differ besides along the axis", input=f"tensors[{number}]",
                expected=f"{given[0].shape} but for axis {at}", found=t.shape,
            )  # fmt: skip
    return given, at


concat = concatenate = cat


def stack(tensors: Sequence[Tensor], dim: int = 0, *, out: Tensor | None = None) -> Tensor:
    """Along a new axis."""
    if not len(tensors):
        raise SuanziError("nothing to join", input="tensors", expected="at least one tensor")
    for number, t in enumerate(tensors):
        if t.shape != tensors[0].shape:
            raise SuanziError(
                "the shapes differ", input=f"tensors[{number}]", expected=tensors[0].shape,
                found=t.shape,
            )  # fmt: skip
    at = axis(tensors[0], dim, extra=1)
    return cat([t.unsqueeze(at) for t in tensors], at, out=out)


@method
def narrow(input: Tensor, dim: int, start: Any, length: int) -> Tensor:
    """`length` elements of an axis from `start` on: a view."""
    at, begin = axis(input, dim), int(start)
    size = length_of(input, at)
    begin = begin + size if begin < 0 else begin
    if not 0 <= begin <= begin + length <= size:
        raise SuanziError(
            "outside of the axis", input="start", expected=f"start + length up to {size}",
            found=f"{start} + {length}",
        )  # fmt: skip
    return input[(*[slice(None)] * at, slice(begin, begin + length))]


@method
def select(input: Tensor, dim: int, index: int) -> Tensor:
    """One place of an axis: a view without it."""
    return input[(*[slice(None)] * axis(input, dim), int(index))]


@method
def unbind(input: Tensor, dim: int = 0) -> tuple[Tensor, ...]:
    """The places of an axis, each a view."""
    return tuple(select(input, dim, i) for i in range(length_of(input, dim)))


@method
def split(input: Tensor, split_size_or_sections: Any, dim: int = 0) -> tuple[Tensor, ...]:
    """Pieces along an axis, of one size (the last may be smaller), or of the sizes given."""
    at = axis(input, dim)
    size = length_of(input, at)
    sections = split_size_or_sections
    if isinstance(sections, int):
        if sections < 1 and size:
            raise SuanziError("a piece has elements", input="split_size", found=sections)
        step = max(sections, 1)
        sections = [min(step, size - i) for i in range(0, size, step)] or [0]
    if sum(sections) != size:
        raise SuanziError(
            "the pieces don't make the axis", input="split_size_or_sections",
            expected=f"a sum of {size}", found=list(sections),
        )  # fmt: skip
    starts = np.cumsum([0, *sections[:-1]])
    return tuple(narrow(input, at, int(b), n) for b, n in zip(starts, sections, strict=True))


@method
def chunk(input: Tensor, chunks: int, dim: int = 0) -> tuple[Tensor, ...]:
    """At most so many pieces along an axis, as even as can be."""
    if chunks < 1:
        raise SuanziError("at least one piece", input="chunks", expected="1 or more", found=chunks)
    size = length_of(input, dim)
    if not size:
        return split(input, [0] * chunks, dim)
    return split(input, max(1, -(-size // chunks)), dim)


@method
def tile(input: Tensor, *dims: Any) -> Tensor:
    """Repeated along each axis."""
    times = sizes_of(dims)
    times = (1,) * (input.ndim - len(times)) + times
    x = input.reshape((*[1] * (len(times) - input.ndim), *input.shape))
    return apply(Tile(), x, np.array(times, np.int64))


@method
def repeat(input: Tensor, *sizes: Any) -> Tensor:
    """Repeated along each axis, of which there are at least as many as the tensor has."""
    if len(sizes_of(sizes)) < input.ndim:
        raise SuanziError(
            "too few sizes", input="sizes", expected=f"at least {input.ndim}", found=sizes
        )
    return tile(input, *sizes)


__all__ = [
    "cat", "chunk", "concat", "concatenate", "narrow", "repeat", "select", "split", "stack",
    "tile", "unbind",
]  # fmt: skip
