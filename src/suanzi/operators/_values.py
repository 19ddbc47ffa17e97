"""Python's own operators for values that operators are applied to."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from suanzi.operators._operator import Operator
from suanzi.operators.arithmetic import Add, Div, Mul, Neg, Pow, Sub
from suanzi.operators.cast import cast
from suanzi.operators.linear import MatMul
from suanzi.operators.logic import And, Greater, GreaterOrEqual, Less, LessOrEqual, Not, Or


class Arithmetic:
    """What has an element type and `__operate__(operator, values)` gets + - * / ** @, comparisons,
    & and | and ~ of bools, with the results that NumPy's arrays give.

    A number of Python has the value's element type, so that nothing is promoted by it; of two
    values of different types both are cast to the one that holds them. == is left to the class.
    """

    __array_ufunc__ = None  # beside a NumPy array on the left it is still this class that answers

    @property
    def dtype(self) -> np.dtype[Any]:
        raise NotImplementedError

    def __operate__(self, operator: Operator, values: Sequence[Any]) -> Any:
        raise NotImplementedError

    def __add__(self, other: Any) -> Any:
        return together(Add(), self, other)

    def __radd__(self, other: Any) -> Any:
        return together(Add(), other, self)

    def __sub__(self, other: Any) -> Any:
        return together(Sub(), self, other)

    def __rsub__(self, other: Any) -> Any:
        return together(Sub(), other, self)

    def __mul__(self, other: Any) -> Any:
        return together(Mul(), self, other)

    def __rmul__(self, other: Any) -> Any:
        return together(Mul(), other, self)

    def __truediv__(self, other: Any) -> Any:
        return together(Div(), self, other, 1.0)

    def __rtruediv__(self, other: Any) -> Any:
        return together(Div(), other, self, 1.0)

    def __pow__(self, other: Any) -> Any:
        return together(Pow(), self, other)

    def __rpow__(self, other: Any) -> Any:
        return together(Pow(), other, self)

    def __matmul__(self, other: Any) -> Any:
        return together(MatMul(), self, other)

    def __rmatmul__(self, other: Any) -> Any:
        return together(MatMul(), other, self)

    def __gt__(self, other: Any) -> Any:
        return together(Greater(), self, other)

    def __ge__(self, other: Any) -> Any:
        return together(GreaterOrEqual(), self, other)

    def __lt__(self, other: Any) -> Any:
        return together(Less(), self, other)

    def __le__(self, other: Any) -> Any:
        return together(LessOrEqual(), self, other)

    def __and__(self, other: Any) -> Any:
        return together(And(), self, other)

    def __rand__(self, other: Any) -> Any:
        return together(And(), other, self)

    def __or__(self, other: Any) -> Any:
        return together(Or(), self, other)

    def __ror__(self, other: Any) -> Any:
        return together(Or(), other, self)

    def __neg__(self) -> Any:
        return Neg()(self)

    def __invert__(self) -> Any:
        return Not()(self)


def together(operator: Operator, a: Any, b: Any, *also: float) -> Any:
    """The operator applied to the two in their common element type, which holds `also` as well.

    >>> together(Add(), np.array([True, False]), np.array([0.5, 1], np.float32))
    array([1.5, 1. ], dtype=float32)
    """
    dtype = common_type(a, b, *also)
    return operator(as_type(a, dtype), as_type(b, dtype))


def common_type(*values: Any) -> np.dtype[Any]:
    """The element type that holds the values; numbers of Python ask for none but their kind.

    >>> common_type(np.float32(1), 2.5), common_type(np.arange(3), 2.5)
    (dtype('float32'), dtype('float64'))
    """
    dtype = np.result_type(*(np.dtype(x.dtype) for x in values if hasattr(x, "dtype")))
    if dtype.kind not in "iub":  # floating point, that of ml_dtypes as well
        return dtype
    return np.result_type(dtype, *(x for x in values if not hasattr(x, "dtype")))


def as_type(value: Any, dtype: np.dtype[Any]) -> Any:
    """The value, or the number as an array without axes, in this element type."""
    if not hasattr(value, "dtype"):
        return np.asarray(value, dtype)
    return cast(value, dtype)
