"""Tensors joined, cut, padded and repeated. Source, of all here: https://onnx.ai/onnx/operators/"""

import functools
import itertools
from typing import Any

import numpy as np

from suanzi.errors import SuanziError
from suanzi.operators._axes import axes_of, axis_of, ints, length
from suanzi.operators._gradients import reshape, zeros
from suanzi.operators._operator import (
    Array,
    Dim,
    Example,
    Ints,
    Operator,
    TensorType,
    operator,
    require,
)
from suanzi.operators.indexing import put_back
from suanzi.operators.reduction import ReduceSum

X23 = np.arange(6, dtype=np.float32).reshape(2, 3)


def _same(a: Dim, b: Dim, input: str) -> Dim:
    """One size that two have to share."""
    clash = isinstance(a, int) and isinstance(b, int) and a != b
    require(not clash, "the sizes differ", input, a, b)
    return a if isinstance(a, int) or b is None else b


@operator(family="joining", torch="torch.cat")
class Concat(Operator):
    """The inputs one after another along `axis`; their other sizes agree.

    Before opset 4 the default axis was 1.
    """

    axis: int

    def infer(self, *inputs: TensorType) -> TensorType:
        require(inputs, "no input", "inputs_0", "one or more", 0)
        dtype, joined = inputs[0].dtype, inputs[0].shape
        for i, t in enumerate(inputs[1:], 1):
            name = f"inputs_{i}"
            require(t.dtype == dtype, "wrong type", name, dtype, t.dtype)
            if joined is None or t.shape is None:
                joined = None
                continue
            require(len(t.shape) == len(joined), "wrong rank", name, f"{len(joined)} axes", t)
            axis = axis_of(self.axis, len(joined))
            joined = tuple(
                (a + b if isinstance(a, int) and isinstance(b, int) else None)
                if k == axis
                else _same(a, b, name)
                for k, (a, b) in enumerate(zip(joined, t.shape, strict=True))
            )
        if joined is not None:
            axis_of(self.axis, len(joined))
        return TensorType(dtype, joined)

    def numpy(self, *inputs: Array) -> Array:
        return np.concatenate(inputs, self.axis)

    def grad(self, dY: Any, _Y: Any, *_inputs: Any) -> tuple[Any, ...]:
        axis = np.array([axis_of(self.axis, len(dY.shape))])
        ends = [*itertools.accumulate(t.shape[axis.item()] for t in _inputs)]
        return tuple(
            functools.partial(Slice(), dY, np.array([start]), np.array([end]), axis)
            for start, end in itertools.pairwise([0, *ends])
        )

    @classmethod
    def examples(cls) -> list[Example]:
        return [Example(cls(axis=0), (X23, X23[:1])), Example(cls(axis=-1), (X23, X23, X23))]


@operator(family="joining", torch="torch.split")
class Split(Operator):
    """The input cut along `axis` into parts of the sizes `split`, or into num_outputs parts of
    one size, of which the last may be smaller.

    Before opset 13 split was an attribute; before 18 the number of outputs said into how many.
    """

    axis: int = 0
    num_outputs: int | None = None

    def _equal_parts(self, size: int, count: int) -> Ints:
        part = -(-size // count)
        parts = (*(part,) * (count - 1), size - part * (count - 1))
        require(parts[-1] >= 0, "too many parts", "input", f"{count} or more", size)
        return parts

    def infer(self, input: TensorType, split: TensorType | None = None) -> tuple[TensorType, ...]:
        parts: tuple[Dim, ...]
        count = self.num_outputs if split is None else length(split, "split")
        if count is None or count < 1:
            raise SuanziError("nothing says how many parts", input="split", found=split)
        axis = 0 if input.shape is None else axis_of(self.axis, len(input.shape))
        whole = None if input.shape is None else input.shape[axis]
        if split is not None:
            parts = (None,) * count if split.value is None else ints(split.value)
            if split.value is not None and isinstance(whole, int):
                fits = split.value.min() >= 0 and split.value.sum() == whole
                require(fits, "the parts don't make the whole", "split", whole, parts)
        else:
            known = isinstance(whole, int)
            parts = self._equal_parts(whole, count) if known else (None,) * count  # type: ignore[arg-type]
        if input.shape is None:
            return tuple(TensorType(input.dtype, None) for _ in parts)
        before, after = input.shape[:axis], input.shape[axis + 1 :]
        return tuple(TensorType(input.dtype, (*before, p, *after)) for p in parts)

    def numpy(self, input: Array, split: Array | None = None) -> tuple[Array, ...]:
        if split is not None:
            parts = ints(split)
        else:
            parts = self._equal_parts(input.shape[self.axis], self.num_outputs or 1)
        ends = list(itertools.accumulate(parts))
        whole = input.shape[self.axis]
        fits = min(parts) >= 0 and ends[-1] == whole
        require(fits, "the parts don't make the whole", "split", whole, parts)
        return tuple(np.split(input, ends[:-1], self.axis))

    def grad(self, dY: Any, _Y: Any, _input: Any, _split: Any = None) -> tuple[Any, ...]:
        if not isinstance(dY, tuple):  # one part, which is all
            return (dY,)
        known = next(part for part in dY if part is not None)
        parts = (zeros(t.shape, known) if d is None else d for d, t in zip(dY, _Y, strict=True))
        return (Concat(axis=self.axis)(*parts),)

    @classmethod
    def examples(cls) -> list[Example]:
        return [
            Example(cls(axis=1), (X23, np.array([1, 2]))),
            Example(cls(axis=1, num_outputs=2), (X23,)),
        ]


@operator(family="joining", torch="torch.Tensor.__getitem__")
class Slice(Operator):
    """data[..., start:end:step, ...] at the axes named, as in Python: what is below zero counts
    from the end, what is outside is cut to the size.

    Before opset 10 starts, ends and axes were attributes, and every step was 1.
    """

    @staticmethod
    def _slices(
        rank: int, starts: Array, ends: Array, axes: Array | None, steps: Array | None
    ) -> list[slice]:
        count = starts.size
        over = tuple(range(count)) if axes is None else axes_of(ints(axes), rank)
        jumps = (1,) * count if steps is None else ints(steps)
        one = count == ends.size == len(over) == len(jumps) and count <= rank
        require(one, "the lists differ in length", "starts", f"at most {rank} of each", count)
        require(0 not in jumps, "a step of 0", "steps", "steps other than 0", jumps)
        slices = [slice(None)] * rank
        for axis, start, end, step in zip(over, ints(starts), ints(ends), jumps, strict=True):
            slices[axis] = slice(start, end, step)
        return slices

    def infer(
        self,
        data: TensorType,
        starts: TensorType,
        ends: TensorType,
        axes: TensorType | None = None,
        steps: TensorType | None = None,
    ) -> TensorType:
        if data.shape is None:
            return TensorType(data.dtype, None)
        over: Array | None = None if axes is None else axes.value
        jumps: Array | None = None if steps is None else steps.value
        unknown = (axes is not None and over is None) or (steps is not None and jumps is None)
        if unknown or starts.value is None or ends.value is None:
            kept: tuple[Dim, ...] = (None,) * len(data.shape)
            if axes is not None and over is not None:  # the axes that aren't named keep their sizes
                cut = axes_of(ints(over), len(data.shape))
                kept = tuple(None if k in cut else d for k, d in enumerate(data.shape))
            return TensorType(data.dtype, kept)
        slices = self._slices(len(data.shape), starts.value, ends.value, over, jumps)
        pairs = zip(data.shape, slices, strict=True)
        return TensorType(data.dtype, tuple(_sliced(d, s) for d, s in pairs))

    def numpy(
        self,
        data: Array,
        starts: Array,
        ends: Array,
        axes: Array | None = None,
        steps: Array | None = None,
    ) -> Array:
        return data[tuple(self._slices(data.ndim, starts, ends, axes, steps))]

    def grad(
        self,
        dY: Any,
        _Y: Any,
        _data: Any,
        starts: Any,
        ends: Any,
        axes: Any = None,
        steps: Any = None,
    ) -> tuple[Any, ...]:
        lists = (None if x is None else np.asarray(x) for x in (starts, ends, axes, steps))
        slices = self._slices(len(_data.shape), *lists)  # type: ignore[arg-type]
        places = [range(*s.indices(n)) for s, n in zip(slices, _data.shape, strict=True)]
        before, after = [], []
        for axis, (place, size) in enumerate(zip(places, _data.shape, strict=True)):
            if place.step < 0:
                dY, place = _reversed(dY, axis), place[::-1]
            dY = _spread(dY, axis, place.step)
            before.append(place.start if place else 0)
            after.append(size - before[-1] - dY.shape[axis])
        if not any(before + after):
            return (dY,)
        return (Pad()(dY, np.array(before + after, np.int64)),)

    @classmethod
    def examples(cls) -> list[Example]:
        one, two = np.array([1]), np.array([0, 1])
        return [
            Example(cls(), (X23, two, np.array([2, -1]))),
            Example(cls(), (X23, np.array([-1]), np.array([-100]), one, np.array([-2]))),
            Example(cls(), (X23, one, np.array([2**62]), np.array([-1]))),
        ]


FAR = 2**31 - 1
"""An end from here on means "all", whatever the size."""


def _sliced(size: Dim, part: slice) -> Dim:
    if isinstance(size, int):
        return len(range(*part.indices(size)))
    whole = part.start in (None, 0) and part.step in (None, 1)
    return size if whole and (part.stop is None or part.stop >= FAR) else None


def _reversed(value: Any, axis: int) -> Any:
    """The value's elements along the axis from the last to the first."""
    return Slice()(value, np.array([-1]), np.array([-FAR]), np.array([axis]), np.array([-1]))


def _spread(value: Any, axis: int, step: int) -> Any:
    """The value with step - 1 zeros after each element along the axis."""
    if step == 1:
        return value
    shape = tuple(value.shape)
    apart = reshape(value, (*shape[: axis + 1], 1, *shape[axis + 1 :]))
    padded = Pad()(apart, np.array([0, step - 1]), None, np.array([axis + 1]))
    return reshape(padded, (*shape[:axis], shape[axis] * step, *shape[axis + 1 :]))


@operator(family="joining", torch="F.pad")
class Pad(Operator):
    """The data with pads[k] elements put before axis k and pads[k + n] after it; `axes` may name
    the n axes. mode says what they are: constant_value (0), or the data itself by "reflect",
    "edge" or "wrap". A negative number cuts away.

    Before opset 11 pads and value were attributes; before 18 without axes, before 19 without wrap.
    """

    mode: str = "constant"

    def widths(self, rank: int, pads: Array, axes: Array | None) -> list[tuple[int, int]]:
        """How many elements go before and after each axis."""
        known = self.mode in ("constant", "reflect", "edge", "wrap")
        require(known, "no such mode", "data", "constant, reflect, edge or wrap", self.mode)
        over = tuple(range(rank)) if axes is None else axes_of(ints(axes), rank)
        count, amounts = len(over), ints(pads)
        two = len(amounts) == 2 * count
        require(two, "wrong length", "pads", f"{2 * count}: two for each axis", len(amounts))
        widths = [(0, 0)] * rank
        for k, axis in enumerate(over):
            widths[axis] = amounts[k], amounts[k + count]
        return widths

    def infer(
        self,
        data: TensorType,
        pads: TensorType,
        constant_value: TensorType | None = None,
        axes: TensorType | None = None,
    ) -> TensorType:
        if constant_value is not None:
            found = constant_value.dtype
            require(found == data.dtype, "wrong type", "constant_value", data.dtype, found)
        if data.shape is None:
            return TensorType(data.dtype, None)
        rank = len(data.shape)
        if pads.value is None or (axes is not None and axes.value is None):
            return TensorType(data.dtype, (None,) * rank)
        widths = self.widths(rank, pads.value, None if axes is None else axes.value)
        return TensorType(
            data.dtype,
            tuple(self._padded(d, *w) for d, w in zip(data.shape, widths, strict=True)),
        )

    def _padded(self, size: Dim, before: int, after: int) -> Dim:
        if before == after == 0:
            return size
        if not isinstance(size, int):
            return None
        made = size + before + after
        require(made >= 0, "more is cut away than there is", "pads", f"at least {-size}", made)
        source = self.mode == "constant" or size > 0 or made == 0
        require(source, "nothing to repeat", "data", "an axis that isn't empty", size)
        return made

    def numpy(
        self,
        data: Array,
        pads: Array,
        constant_value: Array | None = None,
        axes: Array | None = None,
    ) -> Array:
        widths = self.widths(data.ndim, pads, axes)
        kept = tuple(
            slice(max(-a, 0), size - max(-b, 0))
            for size, (a, b) in zip(data.shape, widths, strict=True)
        )
        added = [(max(a, 0), max(b, 0)) for a, b in widths]
        if self.mode == "constant":
            value = 0 if constant_value is None else constant_value.item()
            return np.pad(data[kept], added, constant_values=value)
        return np.pad(data[kept], added, mode=self.mode)  # type: ignore[call-overload, no-any-return]

    def grad(
        self,
        dY: Any,
        _Y: Any,
        _data: Any,
        pads: Any,
        _constant_value: Any = None,
        axes: Any = None,
    ) -> tuple[Any, ...]:
        pads, axes = (None if x is None else np.asarray(x) for x in (pads, axes))
        if self.mode == "constant":
            cut = Pad()(dY, -pads, None, axes)
            return cut, None, lambda: _sum_outside(dY, cut, _constant_value.shape)
        for axis, width in enumerate(self.widths(len(_data.shape), pads, axes)):
            if width != (0, 0):
                size = _data.shape[axis]
                source = Pad(mode=self.mode).numpy(np.arange(size), np.array(width))
                dY = put_back(dY, axis, source, size)
        return (dY,)

    @classmethod
    def examples(cls) -> list[Example]:
        pads, one = np.array([0, 2, 1, 1]), np.array([-1])
        return [
            Example(cls(), (X23, pads, np.array(9, np.float32))),
            Example(cls(mode="reflect"), (X23, pads)),
            Example(cls(mode="edge"), (X23, np.array([-1, 2]), None, one)),
            Example(cls(mode="wrap"), (X23, pads)),
        ]


def _sum_outside(dY: Any, cut: Any, shape: Ints) -> Any:
    """The gradient of what is put around."""
    return reshape(ReduceSum(keepdims=0)(dY) - ReduceSum(keepdims=0)(cut), shape)


@operator(family="joining", torch="torch.tile")
class Tile(Operator):
    """The input repeats[k] times along axis k.

    Before opset 6 one axis at a time.
    """

    def infer(self, input: TensorType, repeats: TensorType) -> TensorType:
        if input.shape is None:
            return TensorType(input.dtype, None)
        if repeats.value is None:
            return TensorType(input.dtype, (None,) * len(input.shape))
        times = ints(repeats.value)
        fits = len(times) == len(input.shape) and min(times, default=0) >= 0
        require(fits, "wrong repeats", "repeats", f"{len(input.shape)} sizes", times)
        sizes = tuple(
            d * n if isinstance(d, int) else d if n == 1 else None
            for d, n in zip(input.shape, times, strict=True)
        )
        return TensorType(input.dtype, sizes)

    def numpy(self, input: Array, repeats: Array) -> Array:
        return np.tile(input, ints(repeats))

    def grad(self, dY: Any, _Y: Any, _input: Any, _repeats: Any) -> tuple[Any, ...]:
        """The sum over the repetitions: an axis of their number put before each."""
        pairs = [(y // max(n, 1), n) for y, n in zip(dY.shape, _input.shape, strict=True)]
        made = reshape(dY, tuple(itertools.chain(*pairs)))
        return ReduceSum(keepdims=0)(made, np.arange(0, 2 * len(pairs), 2)), None

    @classmethod
    def examples(cls) -> list[Example]:
        return [Example(cls(), (X23, np.array([2, 1])))]
