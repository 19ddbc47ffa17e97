"""Operators of which each output element depends on the input elements at its own place alone."""

import inspect
import math
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from suanzi.operators._checks import widen
from suanzi.operators._operator import Array, Operator, TensorType, broadcast_shapes, require


class Mathematics(Protocol):
    """The functions that a formula may call beside Python's own operators (+ - * / < > ==).

    NumPy's form is `NUMPY` below; the kernel language has its own, on vectors in registers.
    """

    def exp(self, x: Any) -> Any: ...
    def log(self, x: Any) -> Any: ...
    def tanh(self, x: Any) -> Any: ...
    def erf(self, x: Any) -> Any: ...
    def sigmoid(self, x: Any) -> Any: ...
    def sqrt(self, x: Any) -> Any: ...
    def pow(self, x: Any, y: Any) -> Any: ...
    def abs(self, x: Any) -> Any: ...
    def floor(self, x: Any) -> Any: ...
    def ceil(self, x: Any) -> Any: ...
    def round(self, x: Any) -> Any: ...  # halves to even
    def minimum(self, x: Any, y: Any) -> Any: ...  # NaN where either is
    def maximum(self, x: Any, y: Any) -> Any: ...
    def divide(self, x: Any, y: Any) -> Any: ...  # integers truncate towards zero
    def where(self, condition: Any, x: Any, y: Any) -> Any: ...


class NumpyMathematics:
    """The definitions' mathematics."""

    exp, log, tanh, sqrt, pow = np.exp, np.log, np.tanh, np.sqrt, np.power
    abs, floor, ceil, round = np.abs, np.floor, np.ceil, np.rint
    minimum, maximum, where = np.minimum, np.maximum, staticmethod(np.where)

    _erf = np.vectorize(math.erf, otypes=[np.float64])

    def erf(self, x: Array) -> Array:
        return np.asarray(self._erf(x)).astype(np.asarray(x).dtype)

    def sigmoid(self, x: Array) -> Array:
        e = np.exp(-np.abs(x))  # of what isn't positive: it cannot overflow, and small stays exact
        return np.where(x >= 0, 1 / (1 + e), e / (1 + e)).astype(np.asarray(x).dtype)

    def divide(self, x: Array, y: Array) -> Array:
        if np.issubdtype(np.asarray(x).dtype, np.integer):
            quotient = np.floor_divide(np.abs(x), np.abs(y))
            return np.asarray(quotient * np.sign(x) * np.sign(y)).astype(np.asarray(x).dtype)
        return np.divide(x, y)


NUMPY: Mathematics = NumpyMathematics()


class Pointwise(Operator):
    """Defines `numpy(*x)` whose inputs broadcast and share one type.

    The output has that type, unless the subclass sets `result` (comparisons: bool).
    """

    result: Any = None

    def infer(self, *inputs: TensorType | None) -> TensorType:
        present = [(i, t) for i, t in enumerate(inputs) if t is not None]
        dtype = present[0][1].dtype
        for i, t in present:
            if t.dtype != dtype:  # the name takes long to find
                require(False, "wrong type", self._input_name(i), dtype, t.dtype)
        shape = broadcast_shapes(*(t.shape for _, t in present))
        return TensorType(self.result or dtype, shape)

    def _input_name(self, index: int) -> str:
        """What the definition calls an input; of a variadic one, data_0, data_1, ..."""
        names = [n for n in inspect.signature(self._definition()).parameters if n != "m"]
        return names[index] if index < len(names) and len(names) > 1 else f"data_{index}"

    def _definition(self) -> Callable[..., Any]:
        return self.numpy


class Elementwise(Pointwise):
    """Defines `formula(m, *x)`; the rest follows. `m` is a Mathematics.

    A formula uses Python's operators and `m` alone, so that the kernel language can trace it:
    it has no `if` on data, and a comparison gives a mask for `m.where`.
    """

    formula: Callable[..., Any]

    def numpy(self, *inputs: Array | None) -> Array:
        made = self.infer(*(None if x is None else TensorType(x.dtype, x.shape) for x in inputs))
        with np.errstate(all="ignore"):  # infinities and NaN are answers here, as in IEEE 754
            y = self.formula(NUMPY, *(None if x is None else widen(x) for x in inputs))
        return np.asarray(y).astype(made.dtype, copy=False)

    def _definition(self) -> Callable[..., Any]:
        return self.formula
