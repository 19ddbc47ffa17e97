"""Arithmetic, element by element; the inputs broadcast as NumPy's do.

Before opset 7 broadcasting was by the attributes `broadcast` and `axis`; before 14 some of these
took fewer types. Source, of all here: https://onnx.ai/onnx/operators/
"""

import functools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from suanzi.operators._checks import widen
from suanzi.operators._elementwise import Elementwise, Mathematics, Pointwise
from suanzi.operators._gradients import like, sum_to
from suanzi.operators._operator import Array, Example, TensorType, operator
from suanzi.operators.cast import cast
from suanzi.operators.logic import Equal, Where, masked


class Unary(Elementwise):
    """An elementwise operator of one input; Y has its shape and type."""

    @classmethod
    def examples(cls) -> list[Example]:
        return [Example(cls(), (np.array([[-2.5, -1, -0.5], [0, 1.5, 3]], np.float32),))]


class PositiveUnary(Unary):
    """One whose examples are greater than zero."""

    @classmethod
    def examples(cls) -> list[Example]:
        return [Example(cls(), (np.array([[0.25, 0.5], [1, 4]], np.float32),))]


class Binary(Elementwise):
    """An elementwise operator of two inputs of one type."""

    @classmethod
    def examples(cls) -> list[Example]:
        A, B = np.array([[1, -2, 3], [4, 7, -6]], np.float32), np.array([2, 3, 4], np.float32)
        return [Example(cls(), (A, B)), Example(cls(), (A.astype(np.int64), B.astype(np.int64)))]


class Variadic(Elementwise):
    """An elementwise operator of one or more inputs of one type."""

    @classmethod
    def examples(cls) -> list[Example]:
        a, b = np.array([[1, 5, 3], [4, -2, 6]], np.float32), np.array([[2], [3]], np.float32)
        return [Example(cls(), (a,)), Example(cls(), (a, b, np.float32(2.5).reshape(1)))]


@operator(family="arithmetic", torch="torch.add")
class Add(Binary):
    """C = A + B; integers wrap around."""

    def formula(self, m: Mathematics, A: Any, B: Any) -> Any:
        return A + B

    def grad(self, dC: Any, _C: Any, _A: Any, _B: Any) -> tuple[Any, ...]:
        return lambda: sum_to(dC, _A.shape), lambda: sum_to(dC, _B.shape)


@operator(family="arithmetic", torch="torch.sub")
class Sub(Binary):
    """C = A - B; integers wrap around."""

    def formula(self, m: Mathematics, A: Any, B: Any) -> Any:
        return A - B

    def grad(self, dC: Any, _C: Any, _A: Any, _B: Any) -> tuple[Any, ...]:
        return lambda: sum_to(dC, _A.shape), lambda: sum_to(-dC, _B.shape)


@operator(family="arithmetic", torch="torch.mul")
class Mul(Binary):
    """C = A · B; integers wrap around."""

    def formula(self, m: Mathematics, A: Any, B: Any) -> Any:
        return A * B

    def grad(self, dC: Any, _C: Any, A: Any, B: Any) -> tuple[Any, ...]:
        return lambda: sum_to(dC * B, A.shape), lambda: sum_to(dC * A, B.shape)


@operator(family="arithmetic", torch="torch.div")
class Div(Binary):
    """C = A / B; the quotient of integers is cut towards zero, and by zero it is undefined."""

    def formula(self, m: Mathematics, A: Any, B: Any) -> Any:
        return m.divide(A, B)

    def grad(self, dC: Any, _C: Any, A: Any, B: Any) -> tuple[Any, ...]:
        return lambda: sum_to(dC / B, A.shape), lambda: sum_to(-dC * (A / B) / B, B.shape)


@operator(family="arithmetic", torch="torch.pow")
class Pow(Elementwise):
    """Z = X to the power of Y, in the type of X; Y may have another type.

    Before opset 12 both had one type.
    """

    def infer(self, *inputs: TensorType | None) -> TensorType:
        X, Y = inputs
        assert X is not None
        assert Y is not None
        return super().infer(X, TensorType(X.dtype, Y.shape))

    def formula(self, m: Mathematics, X: Any, Y: Any) -> Any:
        return m.pow(X, Y)

    def grad(self, dZ: Any, Z: Any, X: Any, Y: Any) -> tuple[Any, ...]:
        Y = cast(Y, X.dtype)
        zero, one = like(0, X), like(1, X)

        def by_base() -> Any:
            less = Where()(Equal()(Y, zero), one, Y - 1)  # 0 · X, not 0 · X^-1
            once = isinstance(less, np.ndarray) and bool((less == 1).all())
            return sum_to(dZ * Y * (X if once else X**less), X.shape)

        def by_exponent() -> Any:
            flat = Equal()(X, zero) & (Y >= 0)
            return sum_to(masked(~flat, dZ * Z * Log()(Where()(flat, one, X))), Y.shape)

        return by_base, by_exponent

    @classmethod
    def examples(cls) -> list[Example]:
        X = np.array([[1, 2, 3]], np.float32)
        return [
            Example(cls(), (X, np.array([[2], [0.5]], np.float32))),
            Example(cls(), (X, np.array(2, np.int64))),
        ]


@operator(family="arithmetic", torch="torch.remainder")
class Mod(Pointwise):
    """C = A - floor(A/B)·B, of B's sign, or with fmod=1 C = A - trunc(A/B)·B, of A's sign.

    Before opset 28 floating-point numbers needed fmod=1.
    """

    fmod: int = 0

    def numpy(self, A: Array, B: Array) -> Array:
        with np.errstate(all="ignore"):
            remainder = np.fmod if self.fmod else np.mod
            return np.asarray(remainder(widen(A), widen(B)), A.dtype)

    def grad(self, dC: Any, C: Any, A: Any, B: Any) -> tuple[Any, ...]:
        return (
            lambda: sum_to(dC, A.shape),
            lambda: sum_to(-dC * Round()((A - C) / B), B.shape),  # the whole number of times
        )

    @classmethod
    def examples(cls) -> list[Example]:
        A, B = np.array([-7, -3, 5, 8]), np.array([3, -2, 3, -5])
        return [
            Example(cls(), (A, B)),
            Example(cls(fmod=1), (A.astype(np.float32), B.astype(np.float32))),
        ]


@operator(family="arithmetic", torch="torch.neg")
class Neg(Unary):
    """Y = -X."""

    def formula(self, m: Mathematics, X: Any) -> Any:
        return -X

    def grad(self, dY: Any, _Y: Any, _X: Any) -> tuple[Any, ...]:
        return (-dY,)


@operator(family="arithmetic", torch="torch.abs")
class Abs(Unary):
    """Y = |X|."""

    def formula(self, m: Mathematics, X: Any) -> Any:
        return m.abs(X)

    def grad(self, dY: Any, _Y: Any, X: Any) -> tuple[Any, ...]:
        return (dY * Sign()(X),)


@operator(family="arithmetic", torch="torch.sign")
class Sign(Unary):
    """Y = -1, 0 or 1, as X is below, at or above 0."""

    def formula(self, m: Mathematics, X: Any) -> Any:
        size = m.where(m.abs(X) > 0, 1, X)  # NaN stays, as 0 does
        return m.where(X < 0, -size, size)

    def grad(self, dY: Any, _Y: Any, _X: Any) -> tuple[Any, ...]:
        return (None,)


@operator(family="arithmetic", torch="torch.sqrt")
class Sqrt(PositiveUnary):
    """Y = √X; NaN below zero."""

    def formula(self, m: Mathematics, X: Any) -> Any:
        return m.sqrt(X)

    def grad(self, dY: Any, Y: Any, _X: Any) -> tuple[Any, ...]:
        return (dY / (Y + Y),)


@operator(family="arithmetic", torch="torch.reciprocal")
class Reciprocal(PositiveUnary):
    """Y = 1 / X."""

    def formula(self, m: Mathematics, X: Any) -> Any:
        return 1 / X

    def grad(self, dY: Any, Y: Any, _X: Any) -> tuple[Any, ...]:
        return (-dY * Y * Y,)


@operator(family="arithmetic", torch="torch.exp")
class Exp(Unary):
    """Y = exp(X)."""

    def formula(self, m: Mathematics, X: Any) -> Any:
        return m.exp(X)

    def grad(self, dY: Any, Y: Any, _X: Any) -> tuple[Any, ...]:
        return (dY * Y,)


@operator(family="arithmetic", torch="torch.log")
class Log(PositiveUnary):
    """Y = log(X), to the base e; NaN below zero."""

    def formula(self, m: Mathematics, X: Any) -> Any:
        return m.log(X)

    def grad(self, dY: Any, _Y: Any, X: Any) -> tuple[Any, ...]:
        return (dY / X,)


@operator(family="arithmetic", torch="torch.erf")
class Erf(Unary):
    """Y = 2/√π · ∫ exp(-t²) dt, from 0 to X."""

    def formula(self, m: Mathematics, X: Any) -> Any:
        return m.erf(X)

    def grad(self, dY: Any, _Y: Any, X: Any) -> tuple[Any, ...]:
        return (dY * Exp()(-X * X) * (2 / math.sqrt(math.pi)),)


@operator(family="arithmetic", torch="torch.floor")
class Floor(Unary):
    """Y = the largest whole number that isn't above X."""

    def formula(self, m: Mathematics, X: Any) -> Any:
        return m.floor(X)

    def grad(self, dY: Any, _Y: Any, _X: Any) -> tuple[Any, ...]:
        return (None,)


@operator(family="arithmetic", torch="torch.ceil")
class Ceil(Unary):
    """Y = the smallest whole number that isn't below X."""

    def formula(self, m: Mathematics, X: Any) -> Any:
        return m.ceil(X)

    def grad(self, dY: Any, _Y: Any, _X: Any) -> tuple[Any, ...]:
        return (None,)


@operator(family="arithmetic", torch="torch.round")
class Round(Unary):
    """Y = the whole number nearest to X; of two, the even one."""

    def formula(self, m: Mathematics, X: Any) -> Any:
        return m.round(X)

    def grad(self, dY: Any, _Y: Any, _X: Any) -> tuple[Any, ...]:
        return (None,)


def _summed(dY: Any, x: Any) -> Any:
    """The gradient of an input that broadcast, when it is asked for."""
    return lambda: sum_to(dY, x.shape)


def shared(dY: Any, Y: Any, data: Sequence[Any]) -> tuple[Any, ...]:
    """The gradients of inputs of which Y is the largest, or the smallest: equal ones share dY."""
    masks = [Equal()(x, Y) for x in data]
    part = dY / functools.reduce(lambda a, b: a + b, (cast(mask, dY.dtype) for mask in masks))
    return tuple(_summed(masked(mask, part), x) for mask, x in zip(masks, data, strict=True))


@operator(family="arithmetic", torch="torch.maximum")
class Max(Variadic):
    """Y = the largest of the inputs; NaN where one is."""

    def formula(self, m: Mathematics, *data: Any) -> Any:
        return functools.reduce(m.maximum, data)

    def grad(self, dY: Any, Y: Any, *data: Any) -> tuple[Any, ...]:
        return shared(dY, Y, data)


@operator(family="arithmetic", torch="torch.minimum")
class Min(Variadic):
    """Y = the smallest of the inputs; NaN where one is."""

    def formula(self, m: Mathematics, *data: Any) -> Any:
        return functools.reduce(m.minimum, data)

    def grad(self, dY: Any, Y: Any, *data: Any) -> tuple[Any, ...]:
        return shared(dY, Y, data)


@operator(family="arithmetic", torch="torch.sum")
class Sum(Variadic):
    """Y = the inputs added up."""

    def formula(self, m: Mathematics, *data: Any) -> Any:
        return functools.reduce(lambda a, b: a + b, data)

    def grad(self, dY: Any, _Y: Any, *_data: Any) -> tuple[Any, ...]:
        return tuple(_summed(dY, x) for x in _data)


@operator(family="arithmetic", torch="torch.mean")
class Mean(Variadic):
    """Y = the inputs added up, divided by how many they are."""

    def formula(self, m: Mathematics, *data: Any) -> Any:
        return functools.reduce(lambda a, b: a + b, data) / len(data)

    def grad(self, dY: Any, _Y: Any, *_data: Any) -> tuple[Any, ...]:
        part = dY / len(_data)
        return tuple(_summed(part, x) for x in _data)
