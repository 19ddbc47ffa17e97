"""Tensors made of sizes and numbers: Shape, Size, ConstantOfShape, EyeLike, Range, OneHot.

Source, of all here: https://onnx.ai/onnx/operators/
"""

import math
from typing import Any

import numpy as np

from suanzi.operators._axes import axis_of, ints, length, product
from suanzi.operators._gradients import reshape
from suanzi.operators._operator import Array, Example, Operator, TensorType, operator, require
from suanzi.operators._types import element_type
from suanzi.operators.joining import Concat
from suanzi.operators.reduction import ReduceSum

X23 = np.arange(6, dtype=np.float32).reshape(2, 3)


@operator(family="filling", torch="torch.Tensor.shape")
class Shape(Operator):
    """The sizes of data's axes from `start` up to `end` (absent: all), as int64.

    Before opset 15 always of all axes.
    """

    start: int = 0
    end: int | None = None

    def infer(self, data: TensorType) -> TensorType:
        if data.shape is None:
            return TensorType(np.dtype(np.int64), (None,))
        dims = data.shape[self.start : self.end]
        known = tuple(d for d in dims if isinstance(d, int))
        value = np.array(known, np.int64) if len(known) == len(dims) else None
        return TensorType(np.dtype(np.int64), (len(dims),), value)

    def numpy(self, data: Array) -> Array:
        return np.array(data.shape[self.start : self.end], np.int64)

    @classmethod
    def examples(cls) -> list[Example]:
        return [Example(cls(), (X23,)), Example(cls(start=-1), (X23,))]


@operator(family="filling", torch="torch.numel")
class Size(Operator):
    """How many elements the data has, as an int64 scalar."""

    def infer(self, data: TensorType) -> TensorType:
        size = None if data.shape is None else product(data.shape)
        return TensorType(np.dtype(np.int64), (), np.array(size) if isinstance(size, int) else None)

    def numpy(self, data: Array) -> Array:
        return np.array(data.size, np.int64)

    @classmethod
    def examples(cls) -> list[Example]:
        return [Example(cls(), (X23,))]


@operator(family="filling", torch="torch.full")
class ConstantOfShape(Operator):
    """A tensor of the sizes that the input lists, of `value`'s one element (0, float32)."""

    value: Array | None = None

    def _value(self) -> Array:
        return np.zeros(1, np.float32) if self.value is None else self.value

    def infer(self, input: TensorType) -> TensorType:
        rank, value = length(input, "input"), self._value()
        require(value.size == 1, "wrong attribute value", "input", "one element", value.size)
        if input.value is not None:
            sizes = ints(input.value)
            require(min(sizes, default=0) >= 0, "wrong sizes", "input", "0 or more", sizes)
            return TensorType(value.dtype, sizes)
        return TensorType(value.dtype, None if rank is None else (None,) * rank)

    def numpy(self, input: Array) -> Array:
        value = self._value()
        return np.full(ints(input), value.reshape(()), value.dtype)

    @classmethod
    def examples(cls) -> list[Example]:
        return [
            Example(cls(), (np.array([2, 3]),)),
            Example(cls(value=np.array([7], np.int32)), (np.array([4]),)),
        ]


@operator(family="filling", torch="torch.eye")
class EyeLike(Operator):
    """A matrix of the input's shape: 1 at [i, i + k], 0 elsewhere; of the element type `dtype`
    (ONNX's number for it), else the input's.
    """

    dtype: int | None = None
    k: int = 0

    def infer(self, input: TensorType) -> TensorType:
        require(input.rank in (None, 2), "wrong rank", "input", "2 axes", input)
        return TensorType(self._dtype(input.dtype), input.shape)

    def _dtype(self, of_input: np.dtype[Any]) -> np.dtype[Any]:
        return of_input if self.dtype is None else element_type(self.dtype)

    def numpy(self, input: Array) -> Array:
        rows, columns = input.shape
        return np.eye(rows, columns, self.k, self._dtype(input.dtype))

    def grad(self, _dY: Any, _Y: Any, _input: Any) -> tuple[Any, ...]:
        return (None,)

    @classmethod
    def examples(cls) -> list[Example]:
        return [Example(cls(), (X23,)), Example(cls(k=-1, dtype=7), (X23,))]


@operator(family="filling", torch="torch.arange")
class Range(Operator):
    """y[i] = start + i · delta, for i from 0 up to ⌈(limit - start) / delta⌉, all three scalars.

    stash_type 1: float16 and bfloat16 are computed in float32. Before opset 27 without it.
    """

    stash_type: int = 1

    def infer(self, start: TensorType, limit: TensorType, delta: TensorType) -> TensorType:
        for name, t in (("limit", limit), ("delta", delta)):
            require(t.dtype == start.dtype, "wrong type", name, start.dtype, t.dtype)
        if start.value is None or limit.value is None or delta.value is None:
            return TensorType(start.dtype, (None,))
        return TensorType(start.dtype, (self._count(start.value, limit.value, delta.value),))

    @staticmethod
    def _count(start: Array, limit: Array, delta: Array) -> int:
        first, last, step = start.item(), limit.item(), delta.item()
        require(step != 0, "a step of nothing", "delta", "a number that isn't 0", step)
        if isinstance(first, int):
            return max(-int((first - last) // step), 0)
        count: float = (last - first) / step
        require(math.isfinite(count), "wrong numbers", "limit", "finite ones", (first, last, step))
        return max(math.ceil(count), 0)

    def numpy(self, start: Array, limit: Array, delta: Array) -> Array:
        count = self._count(start, limit, delta)
        half = start.dtype.itemsize == 2 and start.dtype.kind not in "iu"
        dtype = np.dtype(np.float32) if half and self.stash_type == 1 else start.dtype
        steps = np.arange(count).astype(dtype) * delta.astype(dtype).item()
        return np.asarray(start.astype(dtype).item() + steps, start.dtype)

    def grad(self, dY: Any, _Y: Any, _start: Any, _limit: Any, _delta: Any) -> tuple[Any, ...]:
        steps = np.arange(dY.shape[0]).astype(np.dtype(dY.dtype))
        return (
            lambda: reshape(ReduceSum(keepdims=0)(dY), _start.shape),
            None,
            lambda: reshape(ReduceSum(keepdims=0)(dY * steps), _delta.shape),
        )

    @classmethod
    def examples(cls) -> list[Example]:
        return [
            Example(cls(), (np.array(3), np.array(9), np.array(3))),
            Example(cls(), tuple(np.array(x, np.float32) for x in (3, -1, -1.5))),
        ]


@operator(family="filling", torch="F.one_hot")
class OneHot(Operator):
    """A new axis of size `depth`: values[1] at the index, values[0] elsewhere.

    An index from -depth to -1 counts from the end; one outside gives values[0] everywhere.
    Before opset 11 negative indices were outside.
    """

    axis: int = -1

    def infer(self, indices: TensorType, depth: TensorType, values: TensorType) -> TensorType:
        require(values.shape in (None, (2,)), "wrong shape", "values", "[2]", values)
        if indices.shape is None:
            return TensorType(values.dtype, None)
        axis = axis_of(self.axis, len(indices.shape) + 1)
        size = None if depth.value is None else int(depth.value.item())
        require(size is None or size >= 0, "wrong depth", "depth", "0 or more", size)
        return TensorType(values.dtype, (*indices.shape[:axis], size, *indices.shape[axis:]))

    def numpy(self, indices: Array, depth: Array, values: Array) -> Array:
        axis = axis_of(self.axis, indices.ndim + 1)
        count = int(depth.item())
        places = np.expand_dims(indices.astype(np.int64), axis)
        classes = np.arange(count).reshape([count if a == axis else 1 for a in range(places.ndim)])
        hot = (places == classes) | (places + count == classes)
        return np.where(hot, values[1:], values[:1])

    def grad(self, dY: Any, _Y: Any, indices: Any, depth: Any, _values: Any) -> tuple[Any, ...]:
        hot = self(indices, depth, np.array([0, 1], np.dtype(dY.dtype)))
        parts = (reshape(ReduceSum(keepdims=0)(dY * part), (1,)) for part in (1 - hot, hot))
        return None, None, Concat(axis=0)(*parts)

    @classmethod
    def examples(cls) -> list[Example]:
        indices, values = np.array([[0, 2], [-1, 5]]), np.array([0, 1], np.float32)
        return [
            Example(cls(), (indices, np.array(3), values)),
            Example(cls(axis=0), (indices, np.array(3), values)),
        ]
