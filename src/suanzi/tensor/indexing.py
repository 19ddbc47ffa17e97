"""x[...] and x[...] = y, by PyTorch's rules: basic indices make views, tensors make copies."""

import math
from typing import Any

import numpy as np

from suanzi.errors import SuanziError
from suanzi.operators import Gather, Reshape, ScatterElements, Slice, Where
from suanzi.operators._operator import Array
from suanzi.tensor import dtypes
from suanzi.tensor.arithmetic import cast
from suanzi.tensor.autograd import root
from suanzi.tensor.core import Step, Tensor, apply, leaf, wrap
from suanzi.tensor.modes import modes
from suanzi.tensor.views import RESHAPE, expand, reshape

SLICE = Slice()
BASIC = (int, slice, type(None), type(Ellipsis), np.integer)


def getitem(self: Tensor, index: Any) -> Tensor:
    """The elements at an index: numbers, slices, None, ..., tensors of numbers or of bools."""
    parts = index if type(index) is tuple else (index,)
    if _is_basic(parts):
        return _basic(self, parts)
    return _advanced(self, _normal(self, tuple(parts)))


def _is_basic(parts: tuple[Any, ...]) -> bool:
    for p in parts:
        kind = type(p)
        if not (kind is int or kind is slice) and (kind is bool or not isinstance(p, BASIC)):
            return False
    return True


def _basic(self: Tensor, parts: tuple[Any, ...]) -> Tensor:
    for p in parts:
        if type(p) is slice and not (p.start is p.stop is p.step is None):
            parts = tuple([_plain(p) if type(p) is slice else p for p in parts])
            break
    value = self._value
    if modes.trace is not None or type(value) is not np.ndarray:
        return self._view(None, _steps, parts)
    try:
        view = value[parts if Ellipsis in parts else (*parts, ...)]
    except IndexError:
        _steps(value.shape, parts)  # its error says what is wrong
        raise
    return self._view(view, _steps, parts)


def _plain(part: slice) -> slice:
    """The slice with numbers of Python's."""
    begin, end, jump = (_number(p) for p in (part.start, part.stop, part.step))
    if jump is not None and jump < 1:
        raise SuanziError(
            "a step must be above zero", input="index", expected="at least 1", found=jump
        )
    return slice(begin, end, jump)


def _steps(shape: tuple[int, ...], parts: tuple[Any, ...]) -> list[Step]:
    """A Slice and a Reshape that take what the basic index does."""
    given = sum(p is not None and p is not Ellipsis for p in parts)
    if given > len(shape):
        raise SuanziError(
            "too many indices", input="index", expected=f"at most {len(shape)}", found=given
        )
    if Ellipsis not in parts:
        parts = (*parts, Ellipsis)
    axis = 0
    begins, ends, jumps, sizes = [], [], [], []
    for part in parts:
        if part is None:
            sizes.append(1)
        elif part is Ellipsis:
            for size in shape[axis : axis + len(shape) - given]:
                begins.append(0)
                ends.append(size)
                jumps.append(1)
                sizes.append(size)
            axis += len(shape) - given
        elif isinstance(part, slice):
            span = range(*part.indices(shape[axis]))
            begins.append(span.start)
            ends.append(max(span.start, span.stop))
            jumps.append(span.step)
            sizes.append(len(span))
            axis += 1
        else:
            size, at = shape[axis], int(part)
            if not -size <= at < size:
                raise SuanziError(
                    f"the index is out of range on axis {axis}", input="index",
                    expected=f"{-size} to {size - 1}", found=at,
                )  # fmt: skip
            begins.append(at % size)
            ends.append(at % size + 1)
            jumps.append(1)
            axis += 1
    steps: list[Step] = []
    axes = [i for i, s in enumerate(shape) if (begins[i], ends[i], jumps[i]) != (0, s, 1)]
    if axes:
        cut = [[x[i] for i in axes] for x in (begins, ends)]
        steps.append((SLICE, (*cut, axes, [jumps[i] for i in axes])))
    taken = tuple(len(range(b, e, j)) for b, e, j in zip(begins, ends, jumps, strict=True))
    if taken != tuple(sizes) or not steps:
        steps.append((RESHAPE, (tuple(sizes),)))
    return steps


def _number(part: Any) -> int | None:
    return None if part is None else int(part)


def _normal(self: Tensor, parts: tuple[Any, ...]) -> tuple[Any, ...]:
    """The index with lists as tensors, bool tensors as the places where they hold, and an
    Ellipsis written out: one entry for each axis, and None for new ones."""
    given_parts = [_as_index(part) for part in parts]
    out: list[Any] = []
    for number, part in enumerate(given_parts):
        if not (isinstance(part, Tensor) and part._value.dtype == np.bool_):
            out.append(part)
            continue
        start = sum(map(_axes_of, given_parts[:number]))
        if any(p is Ellipsis for p in out):
            start = self.ndim - sum(map(_axes_of, given_parts[number:]))
        shape = self._value.shape[start : start + part.ndim]
        if tuple(part._value.shape) != shape:
            raise SuanziError(
                "the mask doesn't fit", input="index", expected=shape,
                found=tuple(part._value.shape),
            )  # fmt: skip
        if part.ndim == 0:
            raise SuanziError("a mask without axes isn't supported", input="index")
        out.extend(wrap(places) for places in np.nonzero(part.numpy_()))
    given = sum(p is not None and p is not Ellipsis for p in out)
    if given > self.ndim:
        raise SuanziError(
            "too many indices", input="index", expected=f"at most {self.ndim}", found=given
        )
    where = next((i for i, p in enumerate(out) if p is Ellipsis), len(out))
    rest = [slice(None)] * (self.ndim - given)
    return (*out[:where], *rest, *out[where + 1 :])


def _as_index(part: Any) -> Any:
    """One part of an index: lists and arrays as tensors."""
    if isinstance(part, bool):
        return leaf(np.asarray(part))
    if isinstance(part, list | tuple | np.ndarray | range):
        tensors = isinstance(part, list | tuple) and part and isinstance(part[0], Tensor)
        listed: Any = part
        array = np.asarray([p.item() for p in listed] if tensors else part)
        part = leaf(array.astype(np.int64) if array.size == 0 else array)
    whole = part._value.dtype.kind in "iub" if isinstance(part, Tensor) else isinstance(part, BASIC)
    if not whole:
        raise SuanziError(
            "only whole numbers and bools serve as an index", input="index",
            found=getattr(part, "dtype", part),
        )  # fmt: skip
    return part


def _axes_of(part: Any) -> int:
    """How many axes a part of an index is for."""
    if part is None or part is Ellipsis:
        return 0
    return part.ndim if isinstance(part, Tensor) and part._value.dtype == np.bool_ else 1


def _advanced(self: Tensor, parts: tuple[Any, ...]) -> Tensor:
    """Basic parts first, as a view; then the tensors, on whole axes."""
    view = _basic(self, tuple(slice(None) if isinstance(p, Tensor) else p for p in parts))
    axes = [i for i, p in enumerate(_kept(parts)) if isinstance(p, Tensor)]
    tensors = [p for p in parts if isinstance(p, Tensor)]
    if len(tensors) == 1:
        return _take(view, axes[0], tensors[0])
    # Several: the axes go to the front, are made one, and the places are counted along it.
    together = axes == [*range(axes[0], axes[0] + len(axes))]
    others = [i for i in range(view.ndim) if i not in axes]
    sizes = [view._value.shape[i] for i in axes]
    moved = view.permute(*axes, *others)
    flat = reshape(moved, (math.prod(sizes), *[view._value.shape[i] for i in others]))
    places: Any = None
    for tensor, size, axis in zip(tensors, sizes, axes, strict=True):
        at = _in_range(tensor, size, axis)
        places = at if places is None else places * size + at
    out = _take(flat, 0, places)
    if together and axes[0] > 0:  # their axes stand where the first stood
        rank = places.ndim
        ahead = [*range(rank, rank + axes[0])]
        out = out.permute(*ahead, *range(rank), *range(rank + axes[0], out.ndim))
    return out


def _kept(parts: tuple[Any, ...]) -> list[Any]:
    """The parts that leave an axis: all but numbers."""
    return [p for p in parts if not isinstance(p, int | np.integer)]


def _in_range(index: Tensor, size: int, axis: int) -> Tensor:
    """Indices counted from the front; out of range is an error, where the values are known."""
    index = cast(index, dtypes.int64)
    value = index._value
    if type(value) is np.ndarray:
        if value.size and (value.min() < -size or value.max() >= size):
            wrong = value[(value < -size) | (value >= size)].flat[0]
            raise SuanziError(
                f"the index is out of range on axis {axis}", input="index",
                expected=f"{-size} to {size - 1}", found=wrong,
            )  # fmt: skip
        return wrap(np.where(value < 0, value + size, value))
    return apply(Where(), index >= 0, index, index + size)


def _take(view: Tensor, axis: int, index: Tensor) -> Tensor:
    at = _in_range(index, view._value.shape[axis], axis)
    return apply(Gather(axis=axis), view, at)


def setitem(self: Tensor, index: Any, value: Any) -> None:
    """Writes to the elements at an index."""
    parts = index if isinstance(index, tuple) else (index,)
    if not isinstance(value, Tensor):
        value = leaf(np.asarray(value, self._value.dtype))
    if value._value.dtype != self._value.dtype:
        if value.ndim and not _is_basic(parts):
            raise SuanziError(
                "what is put at places must have the tensor's type", input="value",
                expected=self.dtype, found=value.dtype,
            )  # fmt: skip
        value = cast(value, self.dtype)
    if _is_basic(parts):
        target = _basic(self, parts)
        target._write(_fitted(value, target._value.shape))
        return
    mask = parts[0] if len(parts) == 1 else None
    if isinstance(mask, Tensor) and mask._value.dtype == np.bool_ and value.numel() == 1:
        if mask._value.shape != self._value.shape[: mask.ndim]:
            raise SuanziError(
                "the mask doesn't fit", input="index", expected=tuple(self.shape),
                found=tuple(mask.shape),
            )  # fmt: skip
        shape = (*mask._value.shape, *[1] * (self.ndim - mask.ndim))
        self._write(apply(Where(), reshape(mask, shape), value.reshape(()), self))
        return
    full = _normal(self, parts)
    counted = leaf(np.arange(self.numel()).reshape(self._value.shape))
    before, modes.grad = modes.grad, False
    try:
        places = _advanced(counted, full)
    finally:
        modes.grad = before
    spread = reshape(expand(_fitted(value, places._value.shape), places.shape), (-1,))
    if modes.trace is None and not (modes.grad and (self.requires_grad or value.requires_grad)):
        memory: Array = self.numpy_()
        if not memory.flags.writeable:
            raise SuanziError("the tensor's memory can't be written to", found="a read-only array")
        memory[np.unravel_index(places.numpy_(), memory.shape)] = spread.numpy_().reshape(
            places._value.shape
        )
        root(self)._version += 1
        return
    flat = apply(Reshape(), self, np.array([-1]))
    mixed = apply(ScatterElements(axis=0), flat, reshape(places, (-1,)), spread)
    self._write(reshape(mixed, self._value.shape))


def _fitted(value: Tensor, shape: tuple[int, ...]) -> Tensor:
    """The value without leading axes of one element that the place doesn't have."""
    extra = value.ndim - len(shape)
    if extra > 0 and all(s == 1 for s in value._value.shape[:extra]):
        return reshape(value, value._value.shape[extra:])
    return value


Tensor.__getitem__ = getitem  # type: ignore[method-assign]
Tensor.__setitem__ = setitem  # type: ignore[method-assign]
