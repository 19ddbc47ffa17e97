"""Running extremes and sums, and reductions of several results."""

from collections.abc import Callable
from typing import Any

import numpy as np

from suanzi.operators import Where
from suanzi.tensor import dtypes
from suanzi.tensor.arithmetic import cast
from suanzi.tensor.core import Tensor, apply, axis, into, leaf, method
from suanzi.tensor.gathering import gather
from suanzi.tensor.joining import cat
from suanzi.tensor.pointwise import maximum
from suanzi.tensor.reductions import amax, amin, mean, sum, var
from suanzi.tensor.returns import named

Running = Callable[[Tensor, Tensor], Tensor]
CumMax = named("cummax", "values", "indices")
CumMin = named("cummin", "values", "indices")
AMinMax = named("aminmax", "min", "max")


def _running(input: Tensor, at: int, keep: Running) -> tuple[Tensor, Tensor]:
    """Each element with all before it, by doubling; `keep` says where it stays over an earlier."""
    size = input._value.shape[at]
    shape = [1] * input.ndim
    shape[at] = size
    places = leaf(np.arange(size).reshape(shape)).expand(input.shape)
    values, shift = input.detach(), 1
    while shift < size:
        ahead, rest = values.narrow(at, 0, size - shift), values.narrow(at, shift, size - shift)
        first = places.narrow(at, 0, shift)
        earlier, own = places.narrow(at, 0, size - shift), places.narrow(at, shift, size - shift)
        chosen = apply(Where(), keep(rest, ahead) | (rest != rest), own, earlier)
        places = cat([first, chosen], at)
        values = gather(input.detach(), at, places)
        shift *= 2
    return gather(input, at, places), places


def _scan(name: Any, input: Tensor, dim: int, keep: Running, out: Any) -> Any:
    if not input.ndim:
        return name(input.clone(), leaf(np.zeros((), np.int64)))
    found = _running(input, axis(input, dim), keep)
    if out is None:
        return name(*found)
    return name(*(into(place, part) for place, part in zip(out, found, strict=True)))


@method
def cummax(input: Tensor, dim: int, *, out: Any = None) -> Any:
    """The largest elements so far along an axis, and their places."""
    return _scan(CumMax, input, dim, lambda x, before: x >= before, out)


@method
def cummin(input: Tensor, dim: int, *, out: Any = None) -> Any:
    """The smallest elements so far along an axis, and their places."""
    return _scan(CumMin, input, dim, lambda x, before: x <= before, out)


@method
def logaddexp(input: Tensor, other: Tensor, *, out: Any = None) -> Tensor:
    """log(e^x + e^y), without overflow."""
    high = maximum(input, other).detach()
    finite = apply(Where(), high.isfinite(), high, leaf(
        np.zeros((), high._value.dtype)))  # fmt: skip
    return into(out, ((input - finite).exp() + (other - finite).exp()).log() + finite)


@method
def logaddexp2(input: Tensor, other: Tensor, *, out: Any = None) -> Tensor:
    """log2(2^x + 2^y), without overflow."""
    two = float(np.log(2.0))
    return into(out, logaddexp(input * two, other * two) / two)


@method
def logcumsumexp(input: Tensor, dim: int, *, out: Any = None) -> Tensor:
    """log Σ e^x of the elements so far along an axis, without overflow."""
    if not input.ndim:
        return into(out, input.clone())
    at = axis(input, dim)
    size, shift, made = input._value.shape[at], 1, input
    while shift < size:
        rest = logaddexp(made.narrow(at, shift, size - shift), made.narrow(at, 0, size - shift))
        made = cat([made.narrow(at, 0, shift), rest], at)
        shift *= 2
    return into(out, made)


@method
def aminmax(input: Tensor, *, dim: int | None = None, keepdim: bool = False) -> Any:
    """The smallest and the largest element."""
    return AMinMax(amin(input, dim, keepdim), amax(input, dim, keepdim))


def var_mean(
    input: Tensor, dim: Any = None, unbiased: bool | None = None, keepdim: bool = False, *,
    correction: float | None = None,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """The variance and the mean."""
    if isinstance(dim, bool):
        dim, unbiased = None, dim
    made = var(input, dim, unbiased, keepdim, correction=correction)
    return made, mean(input, dim, keepdim)


def std_mean(
    input: Tensor, dim: Any = None, unbiased: bool | None = None, keepdim: bool = False, *,
    correction: float | None = None,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """The standard deviation and the mean."""
    made, middle = var_mean(input, dim, unbiased, keepdim, correction=correction)
    return made.sqrt(), middle


def _without_nan(input: Tensor) -> Tensor:
    zero = leaf(np.zeros((), input._value.dtype))
    return apply(Where(), input.isnan(), zero, input)


@method
def nansum(
    input: Tensor, dim: Any = None, keepdim: bool = False, *, dtype: dtypes.dtype | None = None
) -> Tensor:
    """The sum of what isn't NaN."""
    kept = _without_nan(input) if input.is_floating_point() else input
    return sum(kept, dim, keepdim, dtype=dtype)


@method
def nanmean(
    input: Tensor, dim: Any = None, keepdim: bool = False, *, dtype: dtypes.dtype | None = None
) -> Tensor:
    """The mean of what isn't NaN."""
    x = input if dtype is None else cast(input, dtype)
    count = x.isnan().logical_not().sum(dim, keepdim)
    return nansum(x, dim, keepdim) / count


@method
def diff(
    input: Tensor, n: int = 1, dim: int = -1, prepend: Tensor | None = None,
    append: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """The differences of neighbours along an axis, n times."""
    at = axis(input, dim)
    x = cat([p for p in (prepend, input, append) if p is not None], at)
    for _ in range(n):
        size = x._value.shape[at]
        later, earlier = x.narrow(at, 1, size - 1), x.narrow(at, 0, size - 1)
        x = later ^ earlier if x._value.dtype == np.bool_ else later - earlier
    return x


@method
def trapezoid(y: Tensor, x: Tensor | None = None, *, dx: float = 1.0, dim: int = -1) -> Tensor:
    """The area under a line through the points, along an axis."""
    at = axis(y, dim)
    n = y._value.shape[at]
    middle = (y.narrow(at, 1, n - 1) + y.narrow(at, 0, n - 1)) * 0.5
    if x is None:
        return middle.sum(at) * dx
    widths = diff(x, dim=-1 if x.ndim == 1 else at)
    if x.ndim == 1:
        widths = widths.reshape([-1 if i == at else 1 for i in range(y.ndim)])
    return (middle * widths).sum(at)


trapz = trapezoid

__all__ = [
    "aminmax", "cummax", "cummin", "diff", "logaddexp", "logaddexp2", "logcumsumexp", "nanmean",
    "nansum", "std_mean", "trapezoid", "trapz", "var_mean",
]  # fmt: skip
