"""Other shapes of the same memory: reshape, transpose, expand and their kin."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from suanzi.errors import SuanziError
from suanzi.operators import Expand, Gather, Reshape, Transpose
from suanzi.tensor.autograd import root
from suanzi.tensor.core import Size, Step, Tensor, apply, axis, length_of, method, wrap
from suanzi.tensor.modes import modes

RESHAPE, GATHER = Reshape(allowzero=1), Gather(axis=0)


def _reshaping(_shape: Any, sizes: tuple[int, ...]) -> Sequence[Step]:
    return ((RESHAPE, (sizes,)),)


def _permuting(_shape: Any, order: tuple[int, ...]) -> Sequence[Step]:
    return ((Transpose(perm=order), ()),)


def _expanding(_shape: Any, sizes: tuple[int, ...]) -> Sequence[Step]:
    return ((Expand(), (sizes,)),)


def sizes_of(sizes: tuple[Any, ...]) -> tuple[int, ...]:
    """Sizes given one by one, or as one sequence, as whole numbers."""
    one = len(sizes) == 1 and type(sizes[0]) is not int
    if one and not isinstance(sizes[0], int | np.integer | Tensor):
        sizes = tuple(sizes[0])
    return tuple([s if type(s) is int else int(s) for s in sizes])


def resolved(input: Tensor, sizes: Sequence[int]) -> tuple[int, ...]:
    """The sizes with the one that is -1 found out; an error where the elements don't fit."""
    count, known = input.numel(), math.prod(s for s in sizes if s != -1)
    fits = known == count
    if -1 in sizes:
        fits = sizes.count(-1) == 1 and known > 0 and count % known == 0
        sizes = [count // known if s == -1 else s for s in sizes] if fits else sizes
    if not fits or min(sizes, default=0) < 0:
        raise SuanziError(
            "the shape doesn't fit the elements", input="shape",
            expected=f"sizes of {count} elements, as {tuple(input.shape)} has", found=tuple(sizes),
        )  # fmt: skip
    return tuple(sizes)


@method
def reshape(input: Tensor, *shape: Any) -> Tensor:
    """The same elements in another shape; one size may be -1. A view where that can be."""
    sizes = sizes_of(shape)
    value = input._value
    if -1 in sizes or modes.trace is not None:
        sizes = resolved(input, sizes)
    if modes.trace is None:
        try:
            new = value.reshape(sizes)
        except ValueError:
            sizes = resolved(input, sizes)  # its error says what is wrong
            raise
        shared = new.base is not None and (new.base is value or new.base is value.base)
        if shared or value.flags.c_contiguous:
            return input._view(new, _reshaping, sizes)
        return apply(RESHAPE, input, np.array(sizes, np.int64))
    memory = input._laid_out() if input._base is not None else None
    gathered = any(isinstance(operator, Gather) for operator, _ in input._chain)
    if memory is None or (not gathered and np.may_share_memory(memory.reshape(sizes), memory)):
        return input._view(None, _reshaping, sizes)
    return apply(RESHAPE, input, np.array(sizes, np.int64))


@method
def view(input: Tensor, *shape: Any) -> Tensor:
    """`reshape` that never copies; or, for a dtype, the same bytes read as others."""
    if len(shape) == 1 and hasattr(shape[0], "category"):
        return input.view_dtype(shape[0])
    out = reshape(input, *shape)
    if out._base is None and out.numel():
        raise SuanziError(
            "no view of this memory has such a shape", input="shape", expected="a shape that "
            "keeps neighbours in memory together", found=sizes_of(shape),
            hint="Use reshape, which copies where it must.",
        )  # fmt: skip
    return out


@method
def view_as(input: Tensor, other: Tensor) -> Tensor:
    return view(input, other.shape)


@method
def reshape_as(input: Tensor, other: Tensor) -> Tensor:
    return reshape(input, other.shape)


@method
def flatten(input: Tensor, start_dim: int = 0, end_dim: int = -1) -> Tensor:
    """The axes from start_dim to end_dim as one."""
    if not input.ndim:
        return reshape(input, 1)
    start, end = axis(input, start_dim), axis(input, end_dim)
    if start > end:
        raise SuanziError("start_dim comes after end_dim", found=(start_dim, end_dim))
    shape = input._value.shape
    if start == end:
        return input
    return reshape(input, *shape[:start], math.prod(shape[start : end + 1]), *shape[end + 1 :])


@method
def unflatten(input: Tensor, dim: int, sizes: Sequence[int]) -> Tensor:
    """One axis as several; one size may be -1."""
    at, length = axis(input, dim), length_of(input, dim)
    shape = input._value.shape
    given = sizes_of((sizes,))
    if -1 in given:
        known = -math.prod(given)
        given = tuple(length // known if s == -1 else s for s in given) if known else given
    if math.prod(given) != length:
        raise SuanziError(
            "the sizes don't make the axis", input="sizes", expected=length, found=tuple(sizes)
        )
    return reshape(input, *shape[:at], *given, *shape[at + 1 :])


@method
def squeeze(input: Tensor, dim: Any = None) -> Tensor:
    """Without axes of one element: all of them, or those named that have one."""
    shape = input._value.shape
    if dim is None:
        return reshape(input, [s for s in shape if s != 1])
    dims = {axis(input, d) for d in (dim if isinstance(dim, list | tuple) else (dim,))}
    return reshape(input, [s for i, s in enumerate(shape) if s != 1 or i not in dims])


@method
def unsqueeze(input: Tensor, dim: int) -> Tensor:
    """With an axis of one element at `dim`."""
    at = axis(input, dim, extra=1)
    shape = input._value.shape
    return reshape(input, (*shape[:at], 1, *shape[at:]))


@method
def permute(input: Tensor, *dims: Any) -> Tensor:
    """The axes in another order: a view."""
    order = tuple(axis(input, d) for d in sizes_of(dims))
    if sorted(order) != list(range(input.ndim)):
        raise SuanziError(
            "not an order of the axes", input="dims", expected=f"each of {input.ndim} axes once",
            found=sizes_of(dims),
        )  # fmt: skip
    value = input._value.transpose(order) if modes.trace is None else None
    return input._view(value, _permuting, order)


@method
def transpose(input: Tensor, dim0: int, dim1: int) -> Tensor:
    """Two axes exchanged: a view."""
    a, b = axis(input, dim0), axis(input, dim1)
    order = [*range(input.ndim)]
    if order:
        order[a], order[b] = b, a
    return permute(input, order)


@method
def t(input: Tensor) -> Tensor:
    """A matrix's transpose."""
    if input.ndim > 2:
        raise SuanziError("t() is for matrices", expected="at most 2 axes", found=input.shape)
    return input if input.ndim < 2 else transpose(input, 0, 1)


@method
def movedim(input: Tensor, source: Any, destination: Any) -> Tensor:
    """Axes moved to other places."""
    froms = [source] if isinstance(source, int) else [*source]
    tos = [destination] if isinstance(destination, int) else [*destination]
    froms, tos = [axis(input, d) for d in froms], [axis(input, d) for d in tos]
    if len({*froms}) != len(froms) or len({*tos}) != len(tos) or len(froms) != len(tos):
        raise SuanziError("not a move of axes", input="source", found=(source, destination))
    if not input.ndim:
        return permute(input, ())
    order = [d for d in range(input.ndim) if d not in froms]
    for to, of in sorted(zip(tos, froms, strict=True)):
        order.insert(to, of)
    return permute(input, order)


moveaxis = movedim
Tensor.moveaxis = movedim  # type: ignore[attr-defined]
swapaxes = swapdims = transpose
Tensor.swapaxes = Tensor.swapdims = transpose  # type: ignore[attr-defined]


@method
def expand(input: Tensor, *sizes: Any) -> Tensor:
    """Axes of one element repeated without copying; -1 keeps a size."""
    wanted = sizes_of(sizes)
    shape = input._value.shape
    extra = len(wanted) - len(shape)
    full = tuple(shape[i - extra] if s == -1 and i >= extra else s for i, s in enumerate(wanted))
    ok = extra >= 0 and all(
        s >= 0 and (i < extra or shape[i - extra] in (s, 1)) for i, s in enumerate(full)
    )
    if not ok:
        raise SuanziError(
            "can't be expanded", input="sizes", expected=f"sizes that {tuple(shape)} fits",
            found=wanted,
        )  # fmt: skip
    if full == shape:
        return input._view(input._value, _reshaping, shape)
    value = np.broadcast_to(input._value, full) if modes.trace is None else None
    return input._view(value, _expanding, full)


@method
def expand_as(input: Tensor, other: Tensor) -> Tensor:
    return expand(input, other.shape)


@method
def broadcast_to(input: Tensor, size: Any) -> Tensor:
    return expand(input, size)


def _mT(input: Tensor) -> Tensor:
    return transpose(input, -2, -1)


def _T(input: Tensor) -> Tensor:
    order = tuple(range(len(input._value.shape) - 1, -1, -1))
    value = input._value.T if modes.trace is None else None
    return input._view(value, _permuting, order)


Tensor.T = Tensor.H = property(_T)  # type: ignore[attr-defined]
Tensor.mT = Tensor.mH = property(_mT)  # type: ignore[attr-defined]


def _striding(_shape: Any, places: Any) -> Sequence[Step]:
    flat = (RESHAPE, ((-1,),))
    return (flat, (GATHER, (places.reshape(-1),)), (RESHAPE, (places.shape,)))


@method
def as_strided(
    input: Tensor, size: Sequence[int], stride: Sequence[int], storage_offset: int | None = None
) -> Tensor:
    """A view of the memory at steps of one's own; while a function is traced, a copy."""
    base = root(input)
    first = storage_offset if storage_offset is not None else (
        input.storage_offset() if modes.trace is None else 0)  # fmt: skip
    places = np.array(first)
    for n, step in zip(size, stride, strict=True):
        places = places[..., None] + np.arange(n) * step
    if places.size and not 0 <= places.min() <= places.max() < base.numel():
        raise SuanziError(
            "outside of the memory", input="size", expected=f"{base.numel()} elements",
            found=f"places {places.min()} to {places.max()}",
        )  # fmt: skip
    if modes.trace is not None:
        return base._view(None, _striding, places)
    memory = base._value
    if not memory.flags.c_contiguous:
        raise SuanziError("the memory isn't in order", hint="Make it so with .contiguous().")
    at = memory.reshape(-1)[first:]
    bytes_ = [step * memory.itemsize for step in stride]
    value = np.lib.stride_tricks.as_strided(at, tuple(size), bytes_)
    return base._view(value, _striding, places)


@method
def view_dtype(input: Tensor, dtype: Any) -> Tensor:
    """The same bytes read as numbers of another type."""
    try:
        made = wrap(input.numpy(force=True).view(dtype.dtype))
    except ValueError as error:
        raise SuanziError(f"the bytes can't be read so: {error}", input="dtype") from error
    return made


def _become(self: Tensor, view: Tensor) -> Tensor:
    """The tensor itself as the view: as PyTorch's squeeze_, t_ and their kin."""
    if self._requires_grad and modes.grad and self._node is None:
        raise SuanziError("a leaf that requires a gradient can't be changed in place")
    if self._base is None and modes.trace is None:
        # The memory stays with a tensor of its own, whose view this one becomes.
        memory = wrap(self._value)
        memory.__dict__.update(self.__dict__)
        view._base = memory
    self.__dict__.update(view.__dict__)
    return self


def _in_place_view(function: Callable[..., Tensor]) -> None:
    def change(self: Tensor, *args: Any) -> Tensor:
        return _become(self, function(self, *args))

    change.__name__ = f"{function.__name__}_"
    change.__doc__ = f"As `{function.__name__}`, of the tensor itself."
    method(change)


for _function in (squeeze, unsqueeze, transpose, t):
    _in_place_view(_function)
Tensor.swapaxes_ = Tensor.swapdims_ = Tensor.transpose_  # type: ignore[attr-defined]


@method
def detach_(self: Tensor) -> Tensor:
    """Apart from the gradients from here on."""
    if self._base is not None:
        raise SuanziError("a view can't be detached in place", hint="Use detach().")
    self._node, self._requires_grad = None, False
    return self


__all__ = [
    "Size", "as_strided", "broadcast_to", "expand", "expand_as", "flatten", "moveaxis",
    "movedim", "permute", "reshape", "squeeze", "swapaxes", "swapdims", "t", "transpose",
    "unflatten", "unsqueeze", "view", "view_as",
]  # fmt: skip
