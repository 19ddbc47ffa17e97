"""Sums, means, extremes and their kin, over all elements or some axes."""

import builtins
import functools
import math
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

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
)  # fmt: skip
from suanzi.operators._operator import Operator
from suanzi.tensor import dtypes
from suanzi.tensor.arithmetic import cast
from suanzi.tensor.core import Tensor, apply, axis, axis_of, method, recorded, wrap
from suanzi.tensor.direct import reduced
from suanzi.tensor.modes import modes
from suanzi.tensor.returns import named

Dims = int | Sequence[int] | None


Max, Min = (named(name, "values", "indices") for name in ("max", "min"))


F = TypeVar("F", bound=Callable[..., Any])
NUMPY_NAMES = {"axis": "dim", "keepdims": "keepdim"}


def numpy_names(function: F) -> F:
    """Lets a function take `axis` and `keepdims` too, as PyTorch's reductions do."""

    @functools.wraps(function)
    def call(*args: Any, **named: Any) -> Any:
        if named:
            named = {NUMPY_NAMES.get(name, name): value for name, value in named.items()}
        return function(*args, **named)

    return call  # type: ignore[return-value]


@functools.lru_cache(4096)
def _axes(rank: int, dim: Any) -> tuple[tuple[int, ...], np.ndarray[Any, Any]]:
    """The axes, and the same as a reduction takes them; None and an empty list are all."""
    if dim is None or dim == ():
        dims = tuple(range(rank))
    else:
        dims = tuple(axis_of(d, rank) for d in ((dim,) if isinstance(dim, int) else dim))
    if len({*dims}) != len(dims):
        raise SuanziError("an axis appears twice", input="dim", found=dim)
    array = np.array(dims, np.int64)
    array.flags.writeable = False
    return dims, array


def axes_of(input: Tensor, dim: Dims) -> tuple[int, ...]:
    """The axes counted from the front; None and an empty list are all."""
    return _axes(input.ndim, _hashable(dim))[0]


def _hashable(dim: Any) -> Any:
    return dim if dim is None or type(dim) in (int, tuple) else tuple(int(d) for d in dim)


_operator: Any = functools.lru_cache(256)(lambda kind, keepdim: kind(keepdims=int(keepdim)))


def reduce(kind: type[Operator], input: Tensor, dim: Dims, keepdim: bool) -> Tensor:
    """A reduction over axes; a tensor without axes is what it is."""
    rank = len(input._value.shape)
    if not rank:
        axes_of(input.reshape(1), dim)
        return apply(_operator(kind, False), input.reshape(1), np.array([0]))
    dims, axes = _axes(rank, _hashable(dim))
    operator = _operator(kind, keepdim)
    if modes.trace is None:
        value = reduced(kind, input._value, dims, keepdim)
        if value is not None:
            return recorded(operator, (input, axes), value)
    return apply(operator, input, axes)


@method
@numpy_names
def sum(
    input: Tensor, dim: Dims = None, keepdim: bool = False, *, dtype: dtypes.dtype | None = None
) -> Tensor:
    """The sum; of whole numbers and bools in int64."""
    kind = dtype or (input.dtype if input.dtype.is_floating_point else dtypes.int64)
    return reduce(ReduceSum, cast(input, kind), dim, keepdim)


@method
@numpy_names
def mean(
    input: Tensor, dim: Dims = None, keepdim: bool = False, *, dtype: dtypes.dtype | None = None
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
@numpy_names
def prod(
    input: Tensor,
    dim: int | None = None,
    keepdim: bool = False,
    *,
    dtype: dtypes.dtype | None = None,
) -> Tensor:
    """The product."""
    kind = dtype or (input.dtype if input.dtype.is_floating_point else dtypes.int64)
    return reduce(ReduceProd, cast(input, kind), dim, keepdim)


@method
@numpy_names
def amax(input: Tensor, dim: Dims = None, keepdim: bool = False) -> Tensor:
    """The largest element; gradients are shared evenly among equals."""
    _require_elements(input, dim)
    return reduce(ReduceMax, input, dim, keepdim)


@method
@numpy_names
def amin(input: Tensor, dim: Dims = None, keepdim: bool = False) -> Tensor:
    """The smallest element; gradients are shared evenly among equals."""
    _require_elements(input, dim)
    return reduce(ReduceMin, input, dim, keepdim)


def _require_elements(input: Tensor, dim: Dims) -> None:
    if math.prod(input._value.shape[a] for a in axes_of(input, dim) if input.ndim) == 0:
        raise SuanziError("there is no extreme of no elements", input="input", found=input.shape)


def _at_extreme(kind: type[Operator], input: Tensor, dim: int, keepdim: bool) -> Any:
    kinds = Max if kind is ArgMax else Min
    if not input.ndim:
        zero = wrap(np.zeros((), np.int64))
        return kinds(input.clone(), zero)
    at = axis(input, dim)
    _require_elements(input, dim)
    places = apply(kind(axis=at, keepdims=1), input)  # type: ignore[call-arg]
    values = apply(GatherElements(axis=at), input, places)
    if not keepdim:
        values, places = values.squeeze(at), places.squeeze(at)
    return kinds(values, places)


@method
@numpy_names
def max(input: Tensor, dim: Any = None, keepdim: bool = False) -> Any:
    """The largest element; along an axis, with its place; or of two tensors, `maximum`."""
    if isinstance(dim, Tensor):
        return input.maximum(dim)
    return amax(input) if dim is None else _at_extreme(ArgMax, input, dim, keepdim)


@method
@numpy_names
def min(input: Tensor, dim: Any = None, keepdim: bool = False) -> Any:
    """The smallest element; along an axis, with its place; or of two tensors, `minimum`."""
    if isinstance(dim, Tensor):
        return input.minimum(dim)
    return amin(input) if dim is None else _at_extreme(ArgMin, input, dim, keepdim)


def _arg(kind: type[Operator], input: Tensor, dim: int | None, keepdim: bool) -> Tensor:
    if dim is None:
        out = apply(kind(axis=0, keepdims=0), input.reshape(-1))  # type: ignore[call-arg]
        return out.reshape([1] * input.ndim) if keepdim else out
    return _at_extreme(kind, input, dim, keepdim).indices


@method
@numpy_names
def argmax(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Tensor:
    """Where the largest element is."""
    return _arg(ArgMax, input, dim, keepdim)


@method
@numpy_names
def argmin(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Tensor:
    """Where the smallest element is."""
    return _arg(ArgMin, input, dim, keepdim)


@method
@numpy_names
def var(
    input: Tensor, dim: Any = None, unbiased: bool | None = None, keepdim: bool = False, *,
    correction: float | None = None,
) -> Tensor:  # fmt: skip
    """The variance: Σ (x - mean)² / (n - correction); the correction is 1 unless given."""
    if isinstance(dim, bool):
        dim, unbiased = None, dim
    less = correction if correction is not None else (0 if unbiased is False else 1)
    axes = axes_of(input, dim)
    n = math.prod(input._value.shape[a] for a in axes if input.ndim)
    middle = reduce(ReduceMean, input, dim, True) if input.ndim else input
    away = input - middle
    total = reduce(ReduceSum, away * away, dim, keepdim)
    rest = builtins.max(0.0, n - less)
    if not rest:
        return total * float("nan") if n else total / 0.0
    return total * (1.0 / rest)


@method
@numpy_names
def std(
    input: Tensor, dim: Any = None, unbiased: bool | None = None, keepdim: bool = False, *,
    correction: float | None = None,
) -> Tensor:  # fmt: skip
    """The standard deviation: the root of `var`."""
    return var(input, dim, unbiased, keepdim, correction=correction).sqrt()


@method
@numpy_names
def all(input: Tensor, dim: Dims = None, keepdim: bool = False) -> Tensor:
    """Whether all are true."""
    truth = cast(cast(input, dtypes.bool_), dtypes.int32)
    if not truth.numel() and dim is None:
        return wrap(np.array(True))
    return cast(reduce(ReduceMin, truth, dim, keepdim), dtypes.bool_)


@method
@numpy_names
def any(input: Tensor, dim: Dims = None, keepdim: bool = False) -> Tensor:
    """Whether any is true."""
    truth = cast(cast(input, dtypes.bool_), dtypes.int32)
    if not truth.numel() and dim is None:
        return wrap(np.array(False))
    kind = ReduceMax if truth.numel() else ReduceSum  # along an empty axis none is
    return cast(reduce(kind, truth, dim, keepdim), dtypes.bool_)


@method
@numpy_names
def logsumexp(input: Tensor, dim: Dims, keepdim: bool = False) -> Tensor:
    """log Σ e^x, without overflow."""
    return reduce(ReduceLogSumExp, input, dim, keepdim)


@method
@numpy_names
def cumsum(input: Tensor, dim: int, *, dtype: dtypes.dtype | None = None) -> Tensor:
    """The sums of the elements so far, along an axis."""
    kind = dtype or (input.dtype if input.dtype.is_floating_point else dtypes.int64)
    x = cast(input, kind)
    return apply(CumSum(), x, np.array(axis(x, dim))) if x.ndim else x.clone()


@method
@numpy_names
def cumprod(input: Tensor, dim: int, *, dtype: dtypes.dtype | None = None) -> Tensor:
    """The products of the elements so far, along an axis."""
    kind = dtype or (input.dtype if input.dtype.is_floating_point else dtypes.int64)
    x = cast(input, kind)
    return apply(CumProd(), x, np.array(axis(x, dim))) if x.ndim else x.clone()


__all__ = [
    "all", "amax", "amin", "any", "argmax", "argmin", "cumprod", "cumsum", "logsumexp", "max",
    "mean", "min", "prod", "std", "sum", "var",
]  # fmt: skip
