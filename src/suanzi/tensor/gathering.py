"""Elements taken from places that another tensor names, and put there."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from suanzi.errors import SuanziError
from suanzi.operators import Gather, GatherElements, ScatterElements, Transpose, Where
from suanzi.tensor import dtypes
from suanzi.tensor.arithmetic import as_tensor_of, cast
from suanzi.tensor.core import Step, Tensor, apply, axis, in_place, into, leaf, method
from suanzi.tensor.function import Function
from suanzi.tensor.modes import modes
from suanzi.tensor.views import expand, reshape


def _index(index: Tensor, name: str = "index") -> Tensor:
    """The index as whole numbers."""
    if not isinstance(index, Tensor) or index._value.dtype.kind not in "iu":
        raise SuanziError(
            "an index is of whole numbers", input=name, expected="a tensor of int64",
            found=getattr(index, "dtype", type(index)),
        )  # fmt: skip
    return cast(index, dtypes.int64)


def _require_within(index: Tensor, size: int, name: str = "index") -> None:
    """That places are from 0 to below the size, where the values are known."""
    value = index._value
    if type(value) is np.ndarray and value.size and (value.min() < 0 or value.max() >= size):
        wrong = value[(value < 0) | (value >= size)].flat[0]
        raise SuanziError(
            "the index is out of range", input=name, expected=f"0 to {size - 1}", found=wrong
        )


def _ranked(x: Tensor) -> Tensor:
    """A tensor without axes gets one."""
    return x if x._value.shape else reshape(x, (1,))


def _fits(input: Tensor, index: Tensor, dim: int, but: bool = True) -> None:
    sizes, places = input._value.shape, index._value.shape
    fits = len(sizes) == len(places) and all(
        n <= m or (but and i == dim) for i, (n, m) in enumerate(zip(places, sizes, strict=True))
    )
    if not fits and index.numel():
        raise SuanziError(
            "the index doesn't fit", input="index", found=tuple(places),
            expected=f"sizes up to those of {tuple(sizes)}" + (f" but for axis {dim}" * but),
        )  # fmt: skip


@method
def gather(
    input: Tensor, dim: int, index: Tensor, *, sparse_grad: bool = False, out: Any = None
) -> Tensor:
    """out[i, j, ...] = input[i, index[i, j, ...], ...], the index standing at `dim`.

    >>> import suanzi
    >>> gather(suanzi.tensor([[1, 2], [3, 4]]), 1, suanzi.tensor([[0, 0], [1, 0]]))
    tensor([[1, 1],
            [4, 3]])
    """
    at, places, x = axis(input, dim), _ranked(_index(index)), _ranked(input)
    _fits(x, places, at)
    _require_within(places, x._value.shape[at])
    made = apply(GatherElements(axis=at), x, places)
    return into(out, reshape(made, index._value.shape))


def _sources(input: Tensor, dim: int, index: Tensor, src: Any) -> tuple[int, Tensor, Tensor, Any]:
    """What every kind of scatter takes: the axis, the places, the input and what is put."""
    at, places, x = axis(input, dim), _ranked(_index(index)), _ranked(input)
    _fits(x, places, at)
    _require_within(places, x._value.shape[at])
    if isinstance(src, Tensor):
        if src._value.dtype != input._value.dtype:
            raise SuanziError(
                "wrong type", input="src", expected=input.dtype, found=src.dtype,
            )  # fmt: skip
        source = _ranked(src)
        _fits(source, places, at, but=False)
        if source._value.shape != places._value.shape:
            source = source[tuple(slice(n) for n in places._value.shape)]
    else:
        source = expand(as_tensor_of(src, input.dtype), places.shape)
    return at, places, x, source


@method
def scatter(
    input: Tensor, dim: int, index: Tensor, src: Any = None, *, value: Any = None,
    reduce: str | None = None, out: Any = None,
) -> Tensor:  # fmt: skip
    """The input with src[i, j, ...] put at [i, index[i, j, ...], ...], the index at `dim`."""
    if reduce is not None:
        kinds = {"add": "sum", "multiply": "prod"}
        if reduce not in kinds:
            raise SuanziError("wrong reduction", input="reduce", expected="add or multiply",
                              found=reduce)  # fmt: skip
        source = value if src is None else src
        if not isinstance(source, Tensor):
            source = expand(as_tensor_of(source, input.dtype), index.shape)
        return into(out, scatter_reduce(input, dim, index, source, kinds[reduce]))
    at, places, x, source = _sources(input, dim, index, value if src is None else src)
    made = apply(ScatterElements(axis=at), x, places, source)
    return into(out, reshape(made, input._value.shape))


@method
def scatter_add(input: Tensor, dim: int, index: Tensor, src: Tensor, *, out: Any = None) -> Tensor:
    """As `scatter`, but added to what is there."""
    at, places, x, source = _sources(input, dim, index, src)
    made = apply(ScatterElements(axis=at, reduction="add"), x, places, source)
    return into(out, reshape(made, input._value.shape))


class _Reduced(Function):
    """Scattered by product, or by the largest or smallest."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, source: Tensor, places: Tensor, at: int, kind: str) -> Any:
        made = apply(ScatterElements(axis=at, reduction=kind), x, places, source)
        ctx.save_for_backward(x, source, places, made)
        ctx.at, ctx.kind = at, kind
        return made

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:
        x, source, places, made = ctx.saved_tensors
        here = made.gather(ctx.at, places)
        if ctx.kind == "mul":
            scaled = gradient * made
            return scaled / x, scaled.gather(ctx.at, places) / source, None
        first, second = (x == made).to(x.dtype), (source == here).to(x.dtype)
        share = gradient / first.scatter_add(ctx.at, places, second)
        return first * share, second * share.gather(ctx.at, places), None


NEUTRAL = {"sum": 0, "mean": 0, "prod": 1, "amax": -np.inf, "amin": np.inf}


@method
def scatter_reduce(
    input: Tensor, dim: int, index: Tensor, src: Tensor, reduce: str, *,
    include_self: bool = True, out: Any = None,
) -> Tensor:  # fmt: skip
    """As `scatter`, joined by sum, prod, mean, amax or amin with each other, and with what is
    there if include_self."""
    if reduce not in NEUTRAL:
        raise SuanziError(
            "wrong reduction", input="reduce", expected=", ".join(NEUTRAL), found=reduce
        )
    at, places, x, source = _sources(input, dim, index, src)
    if not include_self:
        x = apply(ScatterElements(axis=at), x, places,
                  expand(leaf(_neutral(reduce, x)), places.shape))  # fmt: skip
    if reduce in ("sum", "mean"):
        made = apply(ScatterElements(axis=at, reduction="add"), x, places, source)
    else:
        kind = {"prod": "mul", "amax": "max", "amin": "min"}[reduce]
        made = _Reduced.apply(x, source, places, at, kind)
    if reduce == "mean":
        begin = np.full(x._value.shape, 1 if include_self else 0, x._value.dtype)
        ones = leaf(np.ones(places._value.shape, x._value.dtype))
        counts = apply(ScatterElements(axis=at, reduction="add"), leaf(begin), places, ones)
        counts = counts.clamp(min=1)
        made = made / counts if made.is_floating_point() else made.floor_divide(counts)
    return into(out, reshape(made, input._value.shape))


def _neutral(reduce: str, x: Tensor) -> Any:
    kind, number = x._value.dtype, NEUTRAL[reduce]
    if kind.kind in "iu" and np.isinf(number):
        number = np.iinfo(kind).min if number < 0 else np.iinfo(kind).max
    return np.asarray(number, kind)


@method
def index_select(input: Tensor, dim: int, index: Tensor, *, out: Any = None) -> Tensor:
    """The places of an axis that the index names, in its order."""
    at, places, x = axis(input, dim), _ranked(_index(index)), _ranked(input)
    if places.ndim > 1:
        raise SuanziError("wrong rank", input="index", expected="1 axis", found=index.shape)
    _require_within(places, x._value.shape[at])
    made = apply(Gather(axis=at), x, places)
    return into(out, made if input.ndim else reshape(made, ()))


def _spread(input: Tensor, dim: int, index: Tensor, source: Tensor) -> tuple[Tensor, Tensor]:
    """A one-axis index, and what is put, as scatter takes them."""
    at, places = axis(input, dim), _ranked(_index(index))
    source = _ranked(source)
    if places.ndim > 1 or places.shape[0] != source._value.shape[at]:
        raise SuanziError(
            "the index doesn't fit", input="index", expected=(source._value.shape[at],),
            found=tuple(index.shape),
        )  # fmt: skip
    sizes = [1] * source.ndim
    sizes[at] = -1
    return expand(reshape(places, sizes), source.shape), source


@method
def index_add(
    input: Tensor, dim: int, index: Tensor, source: Tensor, *, alpha: Any = 1, out: Any = None
) -> Tensor:
    """alpha · source added to the places of an axis that the index names."""
    places, source = _spread(input, dim, index, source)
    return into(out, scatter_add(input, dim, places, source * alpha if alpha != 1 else source))


@method
def index_copy(
    input: Tensor, dim: int, index: Tensor, source: Tensor, *, out: Any = None
) -> Tensor:
    """The source put at the places of an axis that the index names."""
    places, source = _spread(input, dim, index, source)
    return into(out, scatter(input, dim, places, source))


@method
def index_fill(input: Tensor, dim: int, index: Tensor, value: Any) -> Tensor:
    """A value put at the places of an axis that the index names."""
    sizes = [*_ranked(input)._value.shape]
    sizes[axis(input, dim)] = index.numel()
    filler = expand(as_tensor_of(value, input.dtype), sizes)
    places, filler = _spread(input, dim, index, filler)
    return scatter(input, dim, places, filler)


@method
def index_reduce(
    input: Tensor, dim: int, index: Tensor, source: Tensor, reduce: str, *,
    include_self: bool = True, out: Any = None,
) -> Tensor:  # fmt: skip
    """As `scatter_reduce`, at the places of an axis that the index names."""
    places, source = _spread(input, dim, index, source)
    return into(out, scatter_reduce(input, dim, places, source, reduce, include_self=include_self))


@method
def index_put(input: Tensor, indices: Any, values: Tensor, accumulate: bool = False) -> Tensor:
    """The values put at input[indices]; with `accumulate` added to what is there."""
    if not accumulate:
        made = input.clone()
        made[tuple(indices)] = values
        return made
    places = leaf(np.arange(input.numel()).reshape(input._value.shape))[tuple(indices)]
    source = reshape(expand(cast(values, input.dtype), places.shape), (-1,))
    flat = scatter_add(reshape(input, (-1,)), 0, reshape(places, (-1,)), source)
    return reshape(flat, input._value.shape)


@method
def masked_select(input: Tensor, mask: Tensor, *, out: Any = None) -> Tensor:
    """The elements where the mask holds, on one axis."""
    if mask._value.dtype != np.bool_:
        raise SuanziError("a mask is of bools", input="mask", expected="bool", found=mask.dtype)
    shape = np.broadcast_shapes(input._value.shape, mask._value.shape)
    return into(out, _ranked(expand(input, shape))[_ranked(expand(mask, shape))])


@method
def masked_scatter(input: Tensor, mask: Tensor, source: Tensor) -> Tensor:
    """The elements where the mask holds replaced by the source's, in order."""
    shape = np.broadcast_shapes(input._value.shape, mask._value.shape)
    where = expand(cast(mask, dtypes.bool_), shape)
    flat = reshape(where, (-1,))
    value = flat._value
    if type(value) is np.ndarray and value.sum() > source.numel():
        raise SuanziError("too few elements", input="source", expected=int(value.sum()),
                          found=source.numel())  # fmt: skip
    places = (flat.cumsum(0) - 1).clamp(0, max(source.numel() - 1, 0))
    given = reshape(apply(Gather(axis=0), reshape(source, (-1,)), places), shape)
    return apply(Where(), where, given, expand(input, shape))


@method
def take(input: Tensor, index: Tensor, *, out: Any = None) -> Tensor:
    """The elements at places counted through the whole tensor."""
    return into(out, reshape(input, (-1,))[_index(index)])


@method
def put(input: Tensor, index: Tensor, source: Tensor, accumulate: bool = False) -> Tensor:
    """The source's elements put at places counted through the whole tensor."""
    made = index_put(
        reshape(input, (-1,)), (reshape(index, (-1,)),), reshape(source, (-1,)), accumulate
    )
    return reshape(made, input._value.shape)


@method
def take_along_dim(
    input: Tensor, indices: Tensor, dim: int | None = None, *, out: Any = None
) -> Tensor:
    """As `gather`, the other axes broadcast; without `dim` through the whole tensor."""
    if dim is None:
        return into(out, gather(reshape(input, (-1,)), 0, reshape(indices, (-1,))))
    at = axis(input, dim)
    a, b = list(input._value.shape), list(indices._value.shape)
    if len(a) != len(b):
        raise SuanziError("wrong rank", input="indices", expected=len(a), found=len(b))
    sizes = np.broadcast_shapes((*a[:at], 1, *a[at + 1 :]), (*b[:at], 1, *b[at + 1 :]))
    source = expand(input, (*sizes[:at], a[at], *sizes[at + 1 :]))
    places = expand(indices, (*sizes[:at], b[at], *sizes[at + 1 :]))
    return into(out, gather(source, at, places))


@method
def nonzero(input: Tensor, *, as_tuple: bool = False, out: Any = None) -> Any:
    """Where the elements aren't zero: a row for each, or, as a tuple, a tensor for each axis."""
    if as_tuple:
        return tuple(leaf(places) for places in np.nonzero(np.atleast_1d(input.numpy_())))
    return into(out, leaf(np.argwhere(input.numpy_())))


@method
def argwhere(input: Tensor) -> Tensor:
    """Where the elements aren't zero: a row for each."""
    return nonzero(input)


@method
def unfold(input: Tensor, dimension: int, size: int, step: int) -> Tensor:
    """All stretches of an axis of some size, `step` apart, along a new last axis."""
    at, x = axis(input, dimension), _ranked(input)
    length = x._value.shape[at]
    if not 0 <= size <= length or step < 1:
        raise SuanziError("wrong size", input="size", expected=f"at most {length}, and steps",
                          found=(size, step))  # fmt: skip
    if x is not input:
        return x[:size]
    memory = None
    if modes.trace is None:
        memory = np.lib.stride_tricks.sliding_window_view(
            input._value, size, at, writeable=step >= size and input._value.flags.writeable
        )[(*[slice(None)] * at, slice(None, None, step))]
    places = np.arange(0, length - size + 1, step)[:, None] + np.arange(size)
    return input._view(memory, _unfolding, at, places)


def _unfolding(shape: Any, at: int, places: Any) -> Sequence[Step]:
    rest = [i for i in range(len(shape) + 1) if i != at + 1]
    return ((Gather(axis=at), (places,)), (Transpose(perm=(*rest, at + 1)), ()))


@method
def repeat_interleave(
    input: Tensor, repeats: Any = None, dim: int | None = None, *, output_size: int | None = None
) -> Tensor:
    """Each element of an axis as often as `repeats` says.

    >>> import suanzi
    >>> repeat_interleave(suanzi.tensor([1, 2]), 2)
    tensor([1, 1, 2, 2])
    """
    if repeats is None:
        input, repeats = leaf(np.arange(input.numel())), input
    x = reshape(input, (-1,)) if dim is None else _ranked(input)
    at = axis(x, 0 if dim is None else dim)
    times = repeats.numpy_() if isinstance(repeats, Tensor) else np.asarray(repeats)
    size = x._value.shape[at]
    if times.size not in (1, size) or (times < 0).any():
        raise SuanziError("wrong repeats", input="repeats", expected=f"1 or {size}, 0 or more",
                          found=times)  # fmt: skip
    return apply(Gather(axis=at), x, np.repeat(np.arange(size), times.reshape(-1)))


@method
def flip(input: Tensor, *dims: Any) -> Tensor:
    """Axes from their ends to their beginnings."""
    given = dims[0] if len(dims) == 1 and not isinstance(dims[0], int) else dims
    out = _ranked(input)
    for at in sorted({axis(input, d) for d in given}):
        out = apply(Gather(axis=at), out, np.arange(out._value.shape[at])[::-1].copy())
    return reshape(out, input._value.shape) if out is not input else input.clone()


@method
def roll(input: Tensor, shifts: Any, dims: Any = None) -> Tensor:
    """Moved along axes; what leaves at the end comes in at the beginning.

    >>> import suanzi
    >>> roll(suanzi.arange(5), 2)
    tensor([3, 4, 0, 1, 2])
    """
    if dims is None or dims == ():
        flat = roll(reshape(input, (-1,)), shifts, 0)
        return reshape(flat, input._value.shape)
    steps = (shifts,) if isinstance(shifts, int) else tuple(shifts)
    axes = (dims,) if isinstance(dims, int) else tuple(dims)
    if len(steps) != len(axes):
        raise SuanziError("a shift for each axis", input="shifts", expected=len(axes),
                          found=len(steps))  # fmt: skip
    out = _ranked(input)
    for step, dim in zip(steps, axes, strict=True):
        at = axis(input, dim)
        out = apply(Gather(axis=at), out, np.roll(np.arange(out._value.shape[at]), step))
    return reshape(out, input._value.shape)


@method
def rot90(input: Tensor, k: int = 1, dims: Any = (0, 1)) -> Tensor:
    """A quarter turn in the plane of two axes, k times."""
    a, b = (axis(input, d) for d in dims)
    turns = k % 4
    out = flip(input, b if turns == 1 else a) if turns % 2 else input
    if turns % 2:
        return out.transpose(a, b)
    return flip(input, a, b) if turns else input.clone()


@method
def fliplr(input: Tensor) -> Tensor:
    """The second axis from its end to its beginning."""
    return flip(input, 1)


@method
def flipud(input: Tensor) -> Tensor:
    """The first axis from its end to its beginning."""
    return flip(input, 0)


for _function in (
    scatter, scatter_add, scatter_reduce, index_add, index_copy, index_fill, index_reduce,
    index_put, masked_scatter, put,
):  # fmt: skip
    in_place(_function)

__all__ = [
    "argwhere", "flip", "fliplr", "flipud", "gather", "index_add", "index_copy", "index_fill",
    "index_put", "index_reduce", "index_select", "masked_scatter", "masked_select", "nonzero",
    "put", "repeat_interleave", "roll", "rot90", "scatter", "scatter_add", "scatter_reduce",
    "take", "take_along_dim",
]  # fmt: skip
