"""Norms, and distances by them."""

from typing import Any

import numpy as np

from suanzi.errors import SuanziError
from suanzi.operators import ReduceL1, ReduceL2, Where
from suanzi.tensor import dtypes
from suanzi.tensor.arithmetic import cast
from suanzi.tensor.core import Tensor, apply, axis, into, leaf, method
from suanzi.tensor.reductions import amax, amin, reduce


def vector_norm(
    x: Tensor, ord: Any = 2, dim: Any = None, keepdim: bool = False, *,
    dtype: dtypes.dtype | None = None, out: Any = None,
) -> Tensor:  # fmt: skip
    """(Σ |x|^ord)^(1/ord) over some axes, or all; its gradient at 0 is 0.

    >>> import suanzi
    >>> vector_norm(suanzi.tensor([3.0, 4.0]))
    tensor(5.)
    """
    x = x if dtype is None else cast(x, dtype)
    if not x.is_floating_point():
        raise SuanziError("a norm is of floating-point numbers", input="x", found=x.dtype)
    p = float(ord)
    if p == 2:
        return into(out, reduce(ReduceL2, x, dim, keepdim))
    if p == 1:
        return into(out, reduce(ReduceL1, x, dim, keepdim))
    if p in (np.inf, -np.inf):
        over = amax if p > 0 else amin
        return into(out, over(x.abs(), () if dim is None else dim, keepdim))
    if p == 0:
        one = leaf(np.ones((), x._value.dtype))
        return into(out, apply(Where(), x != 0, one, x * 0.0).sum(dim, keepdim))  # gradient: 0
    total = x.abs().pow(p).sum(dim, keepdim)
    nothing = total == 0
    safe = apply(Where(), nothing, leaf(np.ones((), x._value.dtype)), total)
    made = apply(Where(), nothing, leaf(np.zeros((), x._value.dtype)), safe.pow(1 / p))
    return into(out, made)


@method
def norm(
    input: Tensor, p: Any = "fro", dim: Any = None, keepdim: bool = False, out: Any = None,
    dtype: dtypes.dtype | None = None,
) -> Tensor:  # fmt: skip
    """The norm of all elements, or along axes; "fro" is 2."""
    if p == "nuc":
        from suanzi.tensor.matrices import matrix_norm

        return into(out, matrix_norm(input, "nuc", (-2, -1) if dim is None else dim, keepdim))
    return vector_norm(input, 2 if p in ("fro", None) else p, dim, keepdim, dtype=dtype, out=out)


@method
def dist(input: Tensor, other: Tensor, p: float = 2) -> Tensor:
    """The norm of the difference."""
    return vector_norm(input - other, p)


def cdist(x1: Tensor, x2: Tensor, p: float = 2.0, compute_mode: str | None = None) -> Tensor:
    """The distance of each row of x1 from each row of x2: [..., P, M] and [..., R, M] give
    [..., P, R]."""
    for name, x in (("x1", x1), ("x2", x2)):
        if x.ndim < 2 or x._value.shape[-1] != x1._value.shape[-1]:
            raise SuanziError("wrong shape", input=name, expected="rows of one length",
                              found=tuple(x.shape))  # fmt: skip
    return vector_norm(x1.unsqueeze(-2) - x2.unsqueeze(-3), p, -1)


def pdist(input: Tensor, p: float = 2.0) -> Tensor:
    """The distance of each row from each later row."""
    if input.ndim != 2:
        raise SuanziError("wrong rank", input="input", expected="2 axes", found=input.shape)
    i, j = (leaf(a) for a in np.triu_indices(input._value.shape[0], 1))
    return vector_norm(input.index_select(0, i) - input.index_select(0, j), p, -1)


@method
def renorm(input: Tensor, p: float, dim: int, maxnorm: float, *, out: Any = None) -> Tensor:
    """Each place of an axis, made smaller where its norm is above maxnorm."""
    at = axis(input, dim)
    others = [i for i in range(input.ndim) if i != at]
    size = vector_norm(input, p, others, True)
    scale = apply(Where(), size > maxnorm, maxnorm / (size + 1e-7), leaf(
        np.ones((), input._value.dtype)))  # fmt: skip
    return into(out, input * scale)


__all__ = ["cdist", "dist", "norm", "pdist", "renorm"]
