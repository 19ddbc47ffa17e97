"""Sums, means, extremes and their kin, over all elements or some axes."""

import builtins
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from suanzi.errors import SuanziError
from suanzi.operators import (
    ArgMax,
    ArgMin,
    CumProd,
    CumSum,
    GatherElements,
    ReduceLogSumExp,
    ReduceMax,
    ReduceMean,
    ReduceMin,
    ReduceProd,
    ReduceSum,
    TopK,
)  # fmt: skip
from suanzi.operators._operator import Operator
from suanzi.tensor import dtypes
from suanzi.tensor.arithmetic import cast
from suanzi.tensor.core import Tensor, apply, axis, method, wrap
from suanzi.tensor.dtypes import dtype as DType

Dims = int | Sequence[int] | None


class Extremes(NamedTuple):
    """Values, and where they were found along the axis."""

    values: Tensor
    indices: Tensor


def axes_of(input: Tensor, dim: Dims) -> np.ndarray[Any, Any]:
    """The axes as a reduction takes them; None and an empty list are all."""
    if dim is None or (not isinstance(dim, int) and len(dim) == 0):
        return np.arange(input.ndim, dtype=np.int64)
    dims = [axis(input, d) for d in ((dim,) if isinstance(dim, int) else dim)]
    if len({*dims}) != len(dims):
        raise SuanziError("an axis appears twice", input="dim", found=dim)
    return np.array(dims, np.int64)


def reduce(kind: type[Operator], input: Tensor, dim: Dims, keepdim: bool) -> Tensor:
    """A reduction over axes; a tensor without axes is what it is."""
    if not input.ndim:
        input = input.reshape(1)
        return apply(kind(keepdims=0), input, np.array([0]))  # type: ignore[call-arg, no-any-return]
    axes = axes_of(input, dim)
    return apply(kind(keepdims=int(keepdim)), input, axes)  # type: ignore[call-arg, no-any-return]


@method
def sum(
    input: Tensor, dim: Dims = None, keepdim: bool = False, *, dtype: DType | None = None
) -> Tensor:
    """The sum; of whole numbers and bools in int64."""
    kind = dtype or (input.dtype if input.dtype.is_floating_point else dtypes.int64)
    return reduce(ReduceSum, cast(input, kind), dim, keepdim)


@method
def mean(
    input: Tensor, dim: Dims = None, keepdim: bool = False, *, dtype: DType | None = None
) -> Tensor:
    """The mean, of floating-point numbers."""
    x = input if dtype is None else cast(input, dtype)
    if not x.dtype.is_floating_point:
        raise SuanziError(
            "a mean is of floating-point numbers", input="input", found=x.dtype,
            hint="Convert with .float(), or pass dtype.",
        )  # fmt: skip
    return reduce(ReduceMean, x, dim, keepdim)


@method
def prod(
    input: Tensor, dim: int | None = None, keepdim: bool = False, *, dtype: DType | None = None
) -> Tensor:
    """The product."""
    kind = dtype or (input.dtype if input.dtype.is_floating_point else dtypes.int64)
    return reduce(ReduceProd, cast(input, kind), dim, keepdim)


@method
def amax(input: Tensor, dim: Dims = None, keepdim: bool = False) -> Tensor:
    """The largest element; gradients are shared evenly among equals."""
    _require_elements(input, dim)
    return reduce(ReduceMax, input, dim, keepdim)


@method
def amin(input: Tensor, dim: Dims = None, keepdim: bool = False) -> Tensor:
    """The smallest element; gradients are shared evenly among equals."""
    _require_elements(input, dim)
    return reduce(ReduceMin, input, dim, keepdim)


def _require_elements(input: Tensor, dim: Dims) -> None:
    if math.prod(input.shape[int(a)] for a in axes_of(input, dim)) == 0:
        raise SuanziError("there is no extreme of no elements", input="input", found=input.shape)


def _at_extreme(kind: type[Operator], input: Tensor, dim: int, keepdim: bool) -> Extremes:
    if not input.ndim:
        zero = wrap(np.zeros((), np.int64))
        return Extremes(input.clone(), zero)
    at = axis(input, dim)
    _require_elements(input, dim)
    places = apply(kind(axis=at, keepdims=1), input)  # type: ignore[call-arg]
    values = apply(GatherElements(axis=at), input, places)
    if not keepdim:
        values, places = values.squeeze(at), places.squeeze(at)
    return Extremes(values, places)


@method
def max(input: Tensor, dim: Any = None, keepdim: bool = False) -> Any:
    """The largest element; along an axis, with its place; or of two tensors, `maximum`."""
    if isinstance(dim, Tensor):
        return input.maximum(dim)
    return amax(input) if dim is None else _at_extreme(ArgMax, input, dim, keepdim)


@method
def min(input: Tensor, dim: Any = None, keepdim: bool = False) -> Any:
    """The smallest element; along an axis, with its place; or of two tensors, `minimum`."""
    if isinstance(dim, Tensor):
        return input.minimum(dim)
    return amin(input) if dim is None else _at_extreme(ArgMin, input, dim, keepdim)


def _arg(kind: type[Operator], input: Tensor, dim: int | None, keepdim: bool) -> Tensor:
    if dim is None:
        out = apply(kind(axis=0, keepdims=0), input.reshape(-1))  # type: ignore[call-arg]
        return out.reshape([1] * input.ndim) if keepdim else out  # type: ignore[no-any-return]
    return _at_extreme(kind, input, dim, keepdim).indices


@method
def argmax(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Tensor:
    """Where the largest element is."""
    return _arg(ArgMax, input, dim, keepdim)


@method
def argmin(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Tensor:
    """Where the smallest element is."""
    return _arg(ArgMin, input, dim, keepdim)


@method
def var(
    input: Tensor, dim: Any = None, unbiased: bool | None = None, keepdim: bool = False, *,
    correction: float | None = None,
) -> Tensor:  # fmt: skip
    """The variance: Σ (x - mean)² / (n - correction); the correction is 1 unless given."""
    if isinstance(dim, bool):
        dim, unbiased = None, dim
    less = correction if correction is not None else (0 if unbiased is False else 1)
    axes = axes_of(input, dim)
    n = math.prod(input.shape[int(a)] for a in axes)
    middle = reduce(ReduceMean, input, dim, True) if input.ndim else input
    away = input - middle
    total = reduce(ReduceSum, away * away, dim, keepdim)
    rest = builtins.max(0.0, n - less)
    if not rest:
        return total * float("nan") if n else total / 0.0  # type: ignore[no-any-return]
    return total * (1.0 / rest)  # type: ignore[no-any-return]


@method
def std(
    input: Tensor, dim: Any = None, unbiased: bool | None = None, keepdim: bool = False, *,
    correction: float | None = None,
) -> Tensor:  # fmt: skip
    """The standard deviation: the root of `var`."""
    return var(input, dim, unbiased, keepdim, correction=correction).sqrt()  # type: ignore[no-any-return]


@method
def all(input: Tensor, dim: Dims = None, keepdim: bool = False) -> Tensor:
    """Whether all are true."""
    truth = cast(cast(input, dtypes.bool_), dtypes.int32)
    if not truth.numel() and dim is None:
        return wrap(np.array(True))
    return cast(reduce(ReduceMin, truth, dim, keepdim), dtypes.bool_)


@method
def any(input: Tensor, dim: Dims = None, keepdim: bool = False) -> Tensor:
    """Whether any is true."""
    truth = cast(cast(input, dtypes.bool_), dtypes.int32)
    if not truth.numel() and dim is None:
        return wrap(np.array(False))
    return cast(reduce(ReduceMax, truth, dim, keepdim), dtypes.bool_)


@method
def logsumexp(input: Tensor, dim: Dims, keepdim: bool = False) -> Tensor:
    """log Σ e^x, without overflow."""
    return reduce(ReduceLogSumExp, input, dim, keepdim)


@method
def cumsum(input: Tensor, dim: int, *, dtype: DType | None = None) -> Tensor:
    """The sums of the elements so far, along an axis."""
    kind = dtype or (input.dtype if input.dtype.is_floating_point else dtypes.int64)
    x = cast(input, kind)
    return apply(CumSum(), x, np.array(axis(x, dim))) if x.ndim else x.clone()  # type: ignore[no-any-return]


@method
def cumprod(input: Tensor, dim: int, *, dtype: DType | None = None) -> Tensor:
    """The products of the elements so far, along an axis."""
    kind = dtype or (input.dtype if input.dtype.is_floating_point else dtypes.int64)
    x = cast(input, kind)
    return apply(CumProd(), x, np.array(axis(x, dim))) if x.ndim else x.clone()  # type: ignore[no-any-return]


@method
def topk(
    input: Tensor, k: int, dim: int = -1, largest: bool = True, sorted: bool = True
) -> Extremes:
    """The k largest elements along an axis, or the smallest, with their places."""
    at = axis(input, dim)
    if not 0 <= k <= input.shape[at]:
        raise SuanziError("wrong k", input="k", expected=f"0 to {input.shape[at]}", found=k)
    operator = TopK(axis=at, largest=int(largest), sorted=int(sorted))
    return Extremes(*apply(operator, input, np.array([k], np.int64)))


__all__ = [
    "all", "amax", "amin", "any", "argmax", "argmin", "cumprod", "cumsum", "logsumexp", "max",
    "mean", "min", "prod", "std", "sum", "topk", "var",
]  # fmt: skip
