"""What NumPy does in one call under an operator's meaning: for small arrays nothing is faster."""

from collections.abc import Callable
from typing import Any

import numpy as np

from suanzi.errors import SuanziError
from suanzi.operators import (
    Abs,
    Add,
    And,
    Ceil,
    Cos,
    Div,
    Equal,
    Exp,
    Expand,
    Floor,
    Greater,
    GreaterOrEqual,
    IsNaN,
    Less,
    LessOrEqual,
    Log,
    MatMul,
    Max,
    Min,
    Mul,
    Neg,
    Not,
    Or,
    Pow,
    Reciprocal,
    ReduceMax,
    ReduceMean,
    ReduceMin,
    ReduceProd,
    ReduceSum,
    Relu,
    Reshape,
    Round,
    Sigmoid,
    Sin,
    Softmax,
    Sqrt,
    Sub,
    Tanh,
    Transpose,
    Unsqueeze,
    Where,
    Xor,
)  # fmt: skip
from suanzi.operators._operator import Array, Operator
from suanzi.tensor.modes import modes

SOFTMAX = 2_048  # the same for softmax, which takes five calls
SMALL = 16_384  # elements below which one NumPy call beats a program's overhead
REAL, NUMBER, ANY, TRUTH = "f", "fiu", "fiub", "b"
"""The kinds of elements of which NumPy's function has the operator's meaning."""


def _sigmoid(x: Array) -> Array:
    return np.reciprocal(1 + np.exp(-x))


def _relu(x: Array) -> Array:
    return np.maximum(x, 0)


FUNCTIONS: dict[type[Operator], tuple[Callable[..., Any], int, str, int]] = {
    Abs: (np.abs, 1, NUMBER, SMALL),
    Add: (np.add, 2, NUMBER, SMALL),
    And: (np.logical_and, 2, TRUTH, SMALL),
    Ceil: (np.ceil, 1, REAL, SMALL),
    Cos: (np.cos, 1, REAL, SMALL),
    Div: (np.divide, 2, REAL, SMALL),
    Equal: (np.equal, 2, ANY, SMALL),
    Exp: (np.exp, 1, REAL, SMALL),
    Floor: (np.floor, 1, REAL, SMALL),
    Greater: (np.greater, 2, ANY, SMALL),
    GreaterOrEqual: (np.greater_equal, 2, ANY, SMALL),
    IsNaN: (np.isnan, 1, REAL, SMALL),
    Less: (np.less, 2, ANY, SMALL),
    LessOrEqual: (np.less_equal, 2, ANY, SMALL),
    Log: (np.log, 1, REAL, SMALL),
    MatMul: (np.matmul, 2, REAL, SMALL // 4),
    Max: (np.maximum, 2, NUMBER, SMALL),
    Min: (np.minimum, 2, NUMBER, SMALL),
    Mul: (np.multiply, 2, NUMBER, SMALL),
    Neg: (np.negative, 1, NUMBER, SMALL),
    Not: (np.logical_not, 1, TRUTH, SMALL),
    Or: (np.logical_or, 2, TRUTH, SMALL),
    Pow: (np.power, 2, REAL, SMALL),
    Reciprocal: (np.reciprocal, 1, REAL, SMALL),
    Relu: (_relu, 1, REAL, SMALL),
    Round: (np.rint, 1, REAL, SMALL),
    Sigmoid: (_sigmoid, 1, REAL, SMALL),
    Sin: (np.sin, 1, REAL, SMALL),
    Sqrt: (np.sqrt, 1, REAL, SMALL),
    Sub: (np.subtract, 2, NUMBER, SMALL),
    Tanh: (np.tanh, 1, REAL, SMALL),
    Where: (np.where, 3, TRUTH, SMALL),
    Xor: (np.logical_xor, 2, TRUTH, SMALL),
}
"""NumPy's function, how many inputs it takes, the first one's kinds of elements, and how many
elements each may have."""

BY_ATTRIBUTES: dict[type[Operator], Callable[..., Any]] = {
    Expand: lambda operator, x, shape: _expanded(x, tuple(shape.tolist())),
    Reshape: lambda operator, x, shape: operator.numpy(x, shape),
    Softmax: lambda operator, x: _softmax(x, operator.axis),
    Transpose: lambda operator, x: x.transpose(operator.perm),
    Unsqueeze: lambda operator, x, axes: np.expand_dims(x, tuple(axes.tolist())),
}
"""The same where an operator has attributes, or inputs that are no operands: a function of it and
its inputs. But for softmax they look at the same memory in another way."""


def _softmax(x: Array, axis: int) -> Array | None:
    small = x.dtype.char in "fd" and 0 < x.size <= SOFTMAX
    return modes.quietly(_small_softmax, x, axis) if small else None


def _small_softmax(x: Array, axis: int) -> Array:
    e = np.exp(x - REDUCTIONS[ReduceMax](x, axis, None, None, True))
    e /= REDUCTIONS[ReduceSum](e, axis, None, None, True)
    return e


def _expanded(x: Array, shape: tuple[int, ...]) -> Array:
    if x.size == 1 and 0 not in shape:  # a gradient of a mean or a sum, mostly
        return np.full(shape, x.reshape(())[()], x.dtype)
    return np.broadcast_to(x, np.broadcast_shapes(x.shape, shape))


REDUCTIONS: dict[type[Operator], Any] = {
    ReduceMax: np.maximum.reduce,
    ReduceMean: np.add.reduce,
    ReduceMin: np.minimum.reduce,
    ReduceProd: np.multiply.reduce,
    ReduceSum: np.add.reduce,
}


def compute(operator: Operator, values: tuple[Any, ...]) -> Array | None:
    """The result for small arrays; None where it isn't for NumPy to find, or to tell an error."""
    found = FUNCTIONS.get(type(operator))
    if found is None:
        own = BY_ATTRIBUTES.get(type(operator))
        try:
            return None if own is None else own(operator, *values)
        except (ValueError, SuanziError):
            return None
    function, count, kinds, most = found
    if len(values) != count:
        return None
    first = values[0]
    kind = first.dtype
    if kind.kind not in kinds or kind.itemsize == 2 or first.size > most:  # half: float32 inside
        return None
    if count > 1:
        last = values[-1]
        beside = kind if count == 2 else values[1].dtype
        if last.dtype is not beside or last.size > most or values[1].size > most:
            return None
    try:
        value = modes.quietly(function, *values)
    except ValueError:
        return None
    return value if type(value) is np.ndarray else np.asarray(value)


def reduced(kind: type[Operator], value: Array, axes: tuple[int, ...], keep: bool) -> Array | None:
    """A reduction of a small array over axes; None where it isn't for NumPy to find."""
    function = REDUCTIONS.get(kind)
    size = value.size
    if function is None or not 0 < size <= SMALL or value.dtype.char not in "fdl":
        return None
    made = modes.quietly(function, value, axes, None, None, keep)
    if kind is ReduceMean:
        if value.dtype.kind != "f":
            return None
        made = made * value.dtype.type(made.size / size)
    return made if type(made) is np.ndarray else np.asarray(made)
