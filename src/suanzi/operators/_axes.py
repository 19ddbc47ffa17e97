"""Axes and sizes as operators' inputs and attributes give them."""

import math
from collections.abc import Iterable

from suanzi.errors import SuanziError
from suanzi.operators._operator import Array, Dim, Ints, TensorType


def axis_of(axis: int, rank: int, input: str = "axis") -> int:
    """The axis counted from the front.

    >>> axis_of(-1, 4)
    3
    """
    if not -rank <= axis < rank:
        raise SuanziError(
            "no such axis", input=input, expected=f"from {-rank} to {rank - 1}", found=axis
        )
    return int(axis) % rank


def axes_of(axes: Iterable[int], rank: int, input: str = "axes") -> Ints:
    """The axes counted from the front, in the order given; none may come twice."""
    found = tuple(axis_of(int(a), rank, input) for a in axes)
    if len(set(found)) < len(found):
        raise SuanziError("an axis is named twice", input=input, found=found)
    return found


def ints(array: Array) -> Ints:
    """The contents of an integer tensor."""
    return tuple(int(i) for i in array.reshape(-1))


def length(t: TensorType, input: str) -> int | None:
    """How many elements a tensor of one axis has, if that is known."""
    if t.shape is None:
        return None
    if len(t.shape) != 1:
        raise SuanziError("wrong rank", input=input, expected="1 axis", found=t)
    return t.shape[0] if isinstance(t.shape[0], int) else None


def product(dims: Iterable[Dim]) -> Dim:
    """The product of sizes: a lone symbol stays, what isn't known isn't.

    >>> product((2, 3)), product((1, "N")), product((2, "N"))
    (6, 'N', None)
    """
    dims = tuple(dims)
    known = math.prod(d for d in dims if isinstance(d, int))
    others = [d for d in dims if not isinstance(d, int)]
    if not others or known == 0:
        return known
    return others[0] if len(others) == 1 and known == 1 else None
