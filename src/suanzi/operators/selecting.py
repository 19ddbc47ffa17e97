"""What is chosen of a tensor by its contents: Compress, Unique.

Source, of all here: https://onnx.ai/onnx/operators/
"""

import math
from typing import Any

import numpy as np

from suanzi.operators._axes import axis_of, length
from suanzi.operators._gradients import reshape
from suanzi.operators._operator import Array, Dim, Example, Operator, TensorType, operator, require
from suanzi.operators.indexing import NonZero, put_back
from suanzi.operators.shape import Squeeze

X32 = np.array([[1, 2], [3, 4], [1, 2]], np.float32)
INT64 = np.dtype(np.int64)


@operator(family="indexing", torch="torch.masked_select")
class Compress(Operator):
    """The slices of the input along `axis` (absent: the elements, in row-major order) for which the
    condition holds.

    condition [length], bool, no longer than the axis; what it doesn't reach isn't chosen. The
    output has the input's axes, or one without `axis`. Before opset 11 axis wasn't negative.
    """

    axis: int | None = None

    def infer(self, input: TensorType, condition: TensorType) -> TensorType:
        require(condition.dtype == np.bool_, "wrong type", "condition", "bool", condition.dtype)
        length(condition, "condition")
        count = None if condition.value is None else int(np.count_nonzero(condition.value))
        if self.axis is None:
            return TensorType(input.dtype, (count,))
        if input.shape is None:
            return TensorType(input.dtype, None)
        axis = axis_of(self.axis, len(input.shape))
        return TensorType(input.dtype, (*input.shape[:axis], count, *input.shape[axis + 1 :]))

    def numpy(self, input: Array, condition: Array) -> Array:
        return np.compress(condition, input, self.axis)

    def grad(self, dY: Any, _Y: Any, _input: Any, condition: Any) -> tuple[Any, ...]:
        places = Squeeze()(NonZero()(condition), np.array([0]))
        shape = tuple(_input.shape)
        if self.axis is None:
            return reshape(put_back(dY, 0, places, math.prod(shape)), shape), None
        axis = axis_of(self.axis, len(shape))
        return put_back(dY, axis, places, shape[axis]), None

    @classmethod
    def examples(cls) -> list[Example]:
        return [
            Example(cls(axis=0), (X32, np.array([False, True, True]))),
            Example(cls(axis=-1), (X32, np.array([True]))),
            Example(cls(), (X32, np.array([False, True, False, False, True]))),
        ]


@operator(family="indexing", torch="torch.unique")
class Unique(Operator):
    """The different slices of X along `axis` (absent: its elements, as one axis), in ascending
    order or, where `sorted` is 0, in that of their first occurrence.

    The further outputs, int64 of one axis: where each occurs first in X; for each slice of X which
    of Y's it is; how often each occurs.
    """

    axis: int | None = None
    sorted: int = 1

    def infer(self, X: TensorType) -> tuple[TensorType, TensorType, TensorType, TensorType]:
        shape: tuple[Dim, ...] | None = (None,)
        slices: Dim = None
        if self.axis is not None:
            shape = X.shape
            if shape is not None:
                axis = axis_of(self.axis, len(shape))
                shape, slices = (*shape[:axis], None, *shape[axis + 1 :]), shape[axis]
        elif X.static:
            slices = X.size
        unknown = TensorType(INT64, (None,))
        return TensorType(X.dtype, shape), unknown, TensorType(INT64, (slices,)), unknown

    def numpy(self, X: Array) -> tuple[Array, Array, Array, Array]:
        axis = 0 if self.axis is None else axis_of(self.axis, X.ndim)
        x = X.reshape(-1) if self.axis is None else X
        # Every element's place among all: of any type, slices of these compare as the slices do.
        places = np.unique(x, return_inverse=True)[1].reshape(x.shape)
        slices = np.moveaxis(places, axis, 0)
        rows = slices.reshape(len(slices), math.prod(slices.shape[1:]))
        _, first, inverse, counts = np.unique(rows, True, True, True, axis=0)
        if not self.sorted:
            order = np.argsort(first)
            first, inverse, counts = first[order], np.argsort(order)[inverse], counts[order]
        return np.take(x, first, axis), first, inverse.reshape(-1), counts

    @classmethod
    def examples(cls) -> list[Example]:
        X = np.array([2, 1, 1, 3, 4, 3], np.float32)
        return [
            Example(cls(), (X,)),
            Example(cls(sorted=0), (X,)),
            Example(cls(axis=0), (X32,)),
        ]
