"""What the operators' `grad` share. Each works on whatever values operators are applied to."""

from typing import Any

import numpy as np

from suanzi.operators._operator import Ints


def sum_to(value: Any, shape: Ints) -> Any:
    """Sums a broadcast value's gradient over the axes along which it was broadcast.

    >>> sum_to(np.ones((2, 3)), (3,))
    array([2., 2., 2.])
    >>> sum_to(np.ones((2, 3)), (2, 1)).shape
    (2, 1)
    """
    from suanzi.operators.reduction import ReduceSum

    if tuple(value.shape) == tuple(shape):
        return value
    extra = len(value.shape) - len(shape)
    axes = [i + extra for i, d in enumerate(shape) if d == 1 and value.shape[i + extra] != 1]
    if axes:
        value = ReduceSum(keepdims=1)(value, np.array(axes, np.int64))
    if extra:
        value = ReduceSum(keepdims=0)(value, np.arange(extra, dtype=np.int64))
    return value


def like(number: float, value: Any) -> Any:
    """A constant without axes, of a value's element type.

    >>> like(2, np.zeros(3, np.float32)).dtype
    dtype('float32')
    """
    return np.asarray(number, dtype=np.dtype(value.dtype))


def reshape(value: Any, shape: Ints) -> Any:
    """The value in another shape, itself where it has that shape."""
    from suanzi.operators.shape import Reshape

    if tuple(value.shape) == tuple(shape):
        return value
    return Reshape(allowzero=1)(value, np.array(shape, np.int64))


def expand(value: Any, shape: Ints) -> Any:
    """The value broadcast to a shape, itself where it has that shape."""
    from suanzi.operators.shape import Expand

    if tuple(value.shape) == tuple(shape):
        return value
    return Expand()(value, np.array(shape, np.int64))


def transpose(value: Any, *perm: int) -> Any:
    """The value with its axes in this order."""
    from suanzi.operators.shape import Transpose

    return value if perm == tuple(range(len(perm))) else Transpose(perm=perm)(value)


def zeros(shape: Ints, beside: Any) -> Any:
    """Zeros of the element type of another value, and of its kind: where that is a symbol they
    are made in the graph, which then needn't hold them.
    """
    from suanzi.operators.filling import ConstantOfShape, Shape
    from suanzi.operators.joining import Concat

    sizes = Concat(axis=0)(Shape(end=0)(beside), np.array(shape, np.int64))
    return ConstantOfShape(value=np.zeros(1, np.dtype(beside.dtype)))(sizes)
