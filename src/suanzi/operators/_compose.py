"""Operators as functions, for gradients that are made of many of them."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from suanzi.operators._gradients import transpose, zeros
from suanzi.operators.joining import Concat, Slice, Split
from suanzi.operators.reduction import ReduceMean, ReduceSum


def swap_last(x: Any) -> Any:
    """The transposes of the matrices that the last two axes hold."""
    n = len(x.shape)
    return transpose(x, *range(n - 2), n - 1, n - 2)


def mean(x: Any, axes: Sequence[int]) -> Any:
    """The mean over the axes, which stay with size 1; over none, x."""
    return ReduceMean()(x, np.array(axes, np.int64)) if axes else x


def total(x: Any, axes: Sequence[int], keepdims: int = 1) -> Any:
    """The sum over the axes; over none, x."""
    return ReduceSum(keepdims=keepdims)(x, np.array(axes, np.int64)) if axes else x


def part(x: Any, axis: int, start: int, end: int, step: int = 1) -> Any:
    """x[start:end:step] along the axis."""
    return Slice()(x, *(np.array([i], np.int64) for i in (start, end, axis, step)))


def join(parts: Sequence[Any], axis: int) -> Any:
    return Concat(axis=axis)(*parts) if len(parts) > 1 else parts[0]


def cut(x: Any, axis: int, count: int) -> tuple[Any, ...]:
    """x in so many equal parts along the axis."""
    made = Split(axis=axis, num_outputs=count)(x)
    return made if isinstance(made, tuple) else (made,)


def apart(x: Any, first: int) -> tuple[Any, Any]:
    """The first elements along the last axis, and the others."""
    size, last = x.shape[-1], len(x.shape) - 1
    return part(x, last, 0, first), part(x, last, first, size)


def present(gradient: Any, output: Any, beside: Any) -> Any:
    """The gradient of an output, or where nothing depends on it zeros of the kind of `beside`."""
    return zeros(output.shape, beside) if gradient is None else gradient
