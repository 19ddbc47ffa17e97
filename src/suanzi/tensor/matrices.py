"""Norms and triangles."""

import math
from typing import Any

import numpy as np

from suanzi.errors import SuanziError
from suanzi.operators import ReduceL1, ReduceL2, Trilu
from suanzi.tensor.core import Tensor, apply, method
from suanzi.tensor.dtypes import dtype as DType  # noqa: N812
from suanzi.tensor.reductions import Dims, amax, amin, reduce

__all__ = ["norm", "tril", "triu"]


@method
def norm(
    input: Tensor,
    p: float | str | None = "fro",
    dim: Dims = None,
    keepdim: bool = False,
    dtype: DType | None = None,
) -> Tensor:
    """(Σ |x|ᵖ)^(1/p) over the axes, of all elements for None; the largest |x| for p = ∞.

    >>> import suanzi
    >>> suanzi.tensor([3.0, -4.0]).norm(), suanzi.tensor([3.0, -4.0]).norm(1)
    (tensor(5.), tensor(7.))
    """
    x = input if dtype is None else input.to(dtype)
    if not x.dtype.is_floating_point:
        raise SuanziError(
            "a norm is of floating-point numbers", input="input", expected="a floating-point type",
            found=x.dtype,
        )  # fmt: skip
    if p is None or p == "fro" or p == 2:
        return reduce(ReduceL2, x, dim, keepdim)
    if isinstance(p, str):
        raise SuanziError("no such norm", input="p", expected="a number or 'fro'", found=p)
    if p == 1:
        return reduce(ReduceL1, x, dim, keepdim)
    if math.isinf(p):
        return (amax if p > 0 else amin)(x.abs(), dim, keepdim)
    if p == 0:
        return (x != 0).sum(dim, keepdim).to(x.dtype)  # type: ignore[no-any-return]
    return (x.abs() ** p).sum(dim, keepdim) ** (1 / p)  # type: ignore[no-any-return]


@method
def tril(input: Tensor, diagonal: int = 0) -> Tensor:
    """The last two axes' lower triangle, up to a diagonal; 0 elsewhere."""
    return _triangle(input, diagonal, 0)


@method
def triu(input: Tensor, diagonal: int = 0) -> Tensor:
    """The last two axes' upper triangle, from a diagonal on; 0 elsewhere."""
    return _triangle(input, diagonal, 1)


def _triangle(input: Tensor, diagonal: int, upper: int) -> Tensor:
    if input.ndim < 2:
        raise SuanziError("a triangle is of a matrix", input="input", expected="at least 2 axes",
                          found=f"{input.ndim} axes")  # fmt: skip
    result: Any = apply(Trilu(upper=upper), input, np.array(diagonal, np.int64))
    return result  # type: ignore[no-any-return]
