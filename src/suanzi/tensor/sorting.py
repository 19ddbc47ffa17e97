"""Elements in order, counted and looked up."""

from typing import Any

import numpy as np

from suanzi.errors import SuanziError
from suanzi.operators import TopK, Where
from suanzi.tensor import dtypes
from suanzi.tensor.arithmetic import as_tensor_of, cast
from suanzi.tensor.core import Tensor, apply, axis, into, leaf, method
from suanzi.tensor.gathering import gather
from suanzi.tensor.returns import named
from suanzi.tensor.views import reshape

Sorted = named("sort", "values", "indices")
Largest = named("topk", "values", "indices")
Kth = named("kthvalue", "values", "indices")
Median = named("median", "values", "indices")
NanMedian = named("nanmedian", "values", "indices")
Mode = named("mode", "values", "indices")
Histogram = named("histogram", "hist", "bin_edges")


def _top(input: Tensor, k: int, at: int, largest: bool, ordered: bool = True) -> tuple[Any, Any]:
    if not input.ndim:
        return input.clone(), leaf(np.zeros((), np.int64))
    operator = TopK(axis=at, largest=int(largest), sorted=int(ordered))
    values, places = apply(operator, input, np.array([k], np.int64))
    return values, places


@method
def topk(
    input: Tensor, k: int, dim: int = -1, largest: bool = True, sorted: bool = True, *,
    out: Any = None,
) -> Any:  # fmt: skip
    """The k largest elements along an axis, or the smallest, with their places."""
    at = axis(input, dim)
    most = input._value.shape[at] if input.ndim else 1
    if not 0 <= k <= most:
        raise SuanziError("wrong k", input="k", expected=f"0 to {most}", found=k)
    return _two(out, Largest(*_top(input, k, at, largest, sorted)))


def _two(out: Any, made: Any) -> Any:
    if out is None:
        return made
    return type(made)(*(into(place, part) for place, part in zip(out, made, strict=True)))


@method
def sort(
    input: Tensor, dim: int = -1, descending: bool = False, stable: bool = False, *,
    out: Any = None,
) -> Any:  # fmt: skip
    """The elements along an axis in order, and where they were. It is always stable.

    >>> import suanzi
    >>> sort(suanzi.tensor([3.0, 1.0, 2.0]))
    suanzi.return_types.sort(
    values=tensor([1., 2., 3.]),
    indices=tensor([1, 2, 0]))
    """
    at = axis(input, dim)
    most = input._value.shape[at] if input.ndim else 1
    return _two(out, Sorted(*_top(input, most, at, descending)))


@method
def argsort(input: Tensor, dim: int = -1, descending: bool = False, stable: bool = False) -> Tensor:
    """Where the elements are that stand in order along an axis."""
    return sort(input, dim, descending).indices


@method
def msort(input: Tensor) -> Tensor:
    """The elements in order along the first axis."""
    return sort(input, 0).values


def _placed(input: Tensor, dim: int, keepdim: bool, place: Any) -> tuple[Tensor, Tensor]:
    """What stands at a place of the order: a number, or a tensor with axis `dim` of one."""
    if not input.ndim:
        return input.clone(), leaf(np.zeros((), np.int64))
    at = axis(input, dim)
    values, indices = sort(input, at)
    if not isinstance(place, Tensor):
        sizes = [1 if i == at else n for i, n in enumerate(input._value.shape)]
        place = leaf(np.full(sizes, place, np.int64))
    parts = gather(values, at, place), gather(indices, at, place)
    return parts if keepdim else (parts[0].squeeze(at), parts[1].squeeze(at))


@method
def kthvalue(
    input: Tensor, k: int, dim: int = -1, keepdim: bool = False, *, out: Any = None
) -> Any:
    """The k-th smallest element along an axis, with its place."""
    most = input._value.shape[axis(input, dim)] if input.ndim else 1
    if not 1 <= k <= most:
        raise SuanziError("wrong k", input="k", expected=f"1 to {most}", found=k)
    return _two(out, Kth(*_placed(input, dim, keepdim, k - 1)))


def _require_elements(input: Tensor) -> None:
    if not input.numel():
        raise SuanziError("there is no middle of no elements", input="input", found=input.shape)


@method
def median(input: Tensor, dim: int | None = None, keepdim: bool = False, *, out: Any = None) -> Any:
    """The lower of the two in the middle; NaN where any is; along an axis with its place."""
    if dim is None:
        return median(reshape(input, (-1,)), 0).values
    _require_elements(input)
    n = input._value.shape[axis(input, dim)] if input.ndim else 1
    place: Any = (n - 1) // 2
    if input.is_floating_point() and input.ndim:
        spoilt = input.isnan().any(dim, keepdim=True)
        place = apply(Where(), spoilt, np.array(n - 1), np.array(place))
    return _two(out, Median(*_placed(input, dim, keepdim, place)))


@method
def nanmedian(
    input: Tensor, dim: int | None = None, keepdim: bool = False, *, out: Any = None
) -> Any:
    """As `median`, of what isn't NaN."""
    if dim is None:
        return nanmedian(reshape(input, (-1,)), 0).values
    _require_elements(input)
    if not input.is_floating_point() or not input.ndim:
        return _two(out, NanMedian(*median(input, dim, keepdim)))
    count = input.isnan().logical_not().sum(dim, keepdim=True)
    place = ((count - 1).clamp(min=0)).floor_divide(2)
    return _two(out, NanMedian(*_placed(input, dim, keepdim, place)))


def _quantile(
    input: Tensor, q: Any, dim: int | None, keepdim: bool, how: str, ignore: bool
) -> Tensor:
    x = reshape(input, (-1,)) if dim is None else input
    at = axis(x, 0 if dim is None else dim)
    share = as_tensor_of(q, input.dtype)
    value = share._value
    if type(value) is np.ndarray and ((value < 0) | (value > 1)).any():
        raise SuanziError("a share is from 0 to 1", input="q", found=q)
    if how not in ("linear", "lower", "higher", "midpoint", "nearest"):
        raise SuanziError("wrong interpolation", input="interpolation", found=how)
    _require_elements(x)
    values = sort(x, at).values.movedim(at, -1)
    nan = x.isnan().movedim(at, -1)
    count = nan.logical_not().sum(-1, keepdim=True)
    last = (count - 1).clamp(min=0) if ignore else count * 0 + (values._value.shape[-1] - 1)
    rank = reshape(share, (-1,)) * last
    rank = {"lower": rank.floor, "higher": rank.ceil, "nearest": rank.round}.get(
        how, lambda: rank
    )()
    below = rank.floor()
    low, high = (gather(values, -1, r.long()) for r in (below, rank.ceil()))
    weight = (rank - below) if how != "midpoint" else (rank != below).to(x.dtype) * 0.5
    made = low + (high - low) * weight
    if not ignore:
        made = apply(Where(), nan.any(-1, keepdim=True),
                     leaf(np.asarray(np.nan, x._value.dtype)), made)  # fmt: skip
    made = made.movedim(-1, 0)
    if keepdim:
        made = made.unsqueeze(at + 1) if dim is not None else reshape(made, (-1, *[1] * input.ndim))
    return made if share.ndim else made.squeeze(0)


@method
def quantile(
    input: Tensor, q: Any, dim: int | None = None, keepdim: bool = False, *,
    interpolation: str = "linear", out: Any = None,
) -> Tensor:  # fmt: skip
    """What a share q of the elements is below, between neighbours by interpolation."""
    return into(out, _quantile(input, q, dim, keepdim, interpolation, False))


@method
def nanquantile(
    input: Tensor, q: Any, dim: int | None = None, keepdim: bool = False, *,
    interpolation: str = "linear", out: Any = None,
) -> Tensor:  # fmt: skip
    """As `quantile`, of what isn't NaN."""
    return into(out, _quantile(input, q, dim, keepdim, interpolation, True))


@method
def mode(input: Tensor, dim: int = -1, keepdim: bool = False, *, out: Any = None) -> Any:
    """What stands most often along an axis (the smallest such), with its last place."""
    if not input.ndim:
        return _two(out, Mode(input.clone(), leaf(np.zeros((), np.int64))))
    at = axis(input, dim)

    def place(row: Any) -> Any:
        kinds, counts = np.unique(row, return_counts=True)
        return np.flatnonzero(row == kinds[counts.argmax()])[-1]

    found = np.apply_along_axis(place, at, input.numpy_())
    places = leaf(np.expand_dims(found, at).astype(np.int64))
    parts = gather(input, at, places), places
    return _two(out, Mode(*(parts if keepdim else [p.squeeze(at) for p in parts])))


def _parts(made: Any, *wanted: bool) -> Any:
    """The tensors that are wanted of NumPy's results, the first always."""
    kept = [leaf(np.asarray(a)) for a, keep in zip(made, (True, *wanted), strict=True) if keep]
    return kept[0] if len(kept) == 1 else tuple(kept)


@method
def unique(
    input: Tensor, sorted: bool = True, return_inverse: bool = False, return_counts: bool = False,
    dim: int | None = None,
) -> Any:  # fmt: skip
    """Each value once, in order; where each element's stands; how often each is.

    >>> import suanzi
    >>> unique(suanzi.tensor([3, 1, 3]), return_counts=True)
    (tensor([1, 3]), tensor([1, 2]))
    """
    at = None if dim is None else axis(input, dim)
    values, inverse, counts = np.unique(
        input.numpy_(), return_inverse=True, return_counts=True, axis=at
    )
    places = inverse.reshape(input._value.shape if at is None else (-1,))
    return _parts((values, places, counts), return_inverse, return_counts)


@method
def unique_consecutive(
    input: Tensor, return_inverse: bool = False, return_counts: bool = False,
    dim: int | None = None,
) -> Any:  # fmt: skip
    """As `unique`, but only neighbours that are equal become one."""
    x = input.numpy_()
    rows = x.reshape(-1) if dim is None else np.moveaxis(x, axis(input, dim), 0)
    differ = (rows[1:] != rows[:-1]).reshape(max(len(rows) - 1, 0), -1).any(1)
    begins = np.concatenate([np.ones(min(len(rows), 1), bool), differ])
    starts = np.flatnonzero(begins)
    values = rows[starts] if dim is None else np.moveaxis(rows[starts], 0, axis(input, dim))
    inverse = np.cumsum(begins) - 1
    places = inverse.reshape(x.shape) if dim is None else inverse
    counts = np.diff(np.append(starts, len(rows)))
    return _parts((values.copy(), places, counts), return_inverse, return_counts)


@method
def bincount(input: Tensor, weights: Tensor | None = None, minlength: int = 0) -> Tensor:
    """How often each whole number is there, or the sums of their weights."""
    x = input.numpy_()
    if x.ndim != 1 or x.dtype.kind not in "iu" or (x < 0).any():
        raise SuanziError(
            "wrong numbers to count", input="input", expected="one axis of 0 and more",
            found=f"{input.dtype} {tuple(input.shape)}",
        )  # fmt: skip
    given = None if weights is None else weights.numpy_()
    made = np.bincount(x, given, minlength)
    return leaf(made if given is None else made.astype(given.dtype if given.dtype.kind == "f"
                                                       else np.float64))  # fmt: skip


@method
def histc(
    input: Tensor, bins: int = 100, min: float = 0, max: float = 0, *, out: Any = None
) -> Tensor:
    """How many elements are in each of even steps from min to max (0, 0: the elements' own)."""
    x = input.numpy_()
    low, high = float(min), float(max)
    if low == high and x.size:
        low, high = float(x.min()), float(x.max())
    if low == high:
        low, high = low - 1, high + 1
    counts, _ = np.histogram(x[(x >= low) & (x <= high)], bins, (low, high))
    return into(out, leaf(counts.astype(x.dtype)))


@method
def histogram(
    input: Tensor, bins: Any, *, range: Any = None, weight: Tensor | None = None,
    density: bool = False, out: Any = None,
) -> Any:  # fmt: skip
    """How many elements are between each two edges, and the edges."""
    edges = bins.numpy_() if isinstance(bins, Tensor) else bins
    given = None if weight is None else weight.numpy_()
    counts, edges = np.histogram(input.numpy_(), edges, range, density, given)
    kind = input._value.dtype
    return _two(out, Histogram(leaf(counts.astype(kind)), leaf(edges.astype(kind))))


def searchsorted(
    sorted_sequence: Tensor, input: Any, *, out_int32: bool = False, right: bool = False,
    side: str | None = None, sorter: Tensor | None = None, out: Any = None,
) -> Tensor:  # fmt: skip
    """Where each value would go into a row that is in order; after its equals if `right`."""
    rows = sorted_sequence.numpy_()
    if sorter is not None:
        rows = np.take_along_axis(rows, sorter.numpy_(), -1)
    values = input.numpy_() if isinstance(input, Tensor) else np.asarray(input)
    which: Any = side or ("right" if right else "left")
    if rows.ndim == 1:
        found = np.searchsorted(rows, values, which)
    else:
        if rows.shape[:-1] != values.shape[:-1]:
            raise SuanziError("wrong shape", input="input", expected=(*rows.shape[:-1], "n"),
                              found=values.shape)  # fmt: skip
        flat = rows.reshape(-1, rows.shape[-1]), values.reshape(-1, values.shape[-1])
        pairs = zip(*flat, strict=True)
        found = np.reshape([np.searchsorted(r, v, which) for r, v in pairs], values.shape)
    return into(out, leaf(np.asarray(found, np.int32 if out_int32 else np.int64)))


@method
def bucketize(
    input: Any, boundaries: Tensor, *, out_int32: bool = False, right: bool = False,
    out: Any = None,
) -> Tensor:  # fmt: skip
    """Between which two boundaries each value is."""
    return searchsorted(boundaries, input, out_int32=out_int32, right=right, out=out)


def isin(
    elements: Any, test_elements: Any, *, assume_unique: bool = False, invert: bool = False
) -> Tensor:
    """Whether each element is among the others."""
    a, b = (x.numpy_() if isinstance(x, Tensor) else x for x in (elements, test_elements))
    return leaf(np.isin(a, b, assume_unique, invert))


@method
def count_nonzero(input: Tensor, dim: Any = None) -> Tensor:
    """How many elements aren't zero."""
    return cast(input, dtypes.bool_).sum(dim)


__all__ = [
    "argsort", "bincount", "bucketize", "count_nonzero", "histc", "histogram", "isin", "kthvalue",
    "median", "mode", "msort", "nanmedian", "nanquantile", "quantile", "searchsorted", "sort",
    "topk", "unique", "unique_consecutive",
]  # fmt: skip
