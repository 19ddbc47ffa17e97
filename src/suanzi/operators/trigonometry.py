"""Trigonometric and hyperbolic functions. Their definitions are NumPy's own; tanh, of which
kernels have a form, is an activation. Source, of all here: https://onnx.ai/onnx/operators/
"""

from typing import Any, ClassVar

import numpy as np

from suanzi.operators._checks import widen
from suanzi.operators._elementwise import Pointwise
from suanzi.operators._operator import Array, Example, operator
from suanzi.operators.arithmetic import Sqrt


class Trigonometric(Pointwise):
    """Y = function(X), of X's shape and type; NaN where the function has no value."""

    function: ClassVar[np.ufunc]
    places: ClassVar[tuple[float, ...]] = (-0.5, 0, 0.75)

    def numpy(self, input: Array) -> Array:
        with np.errstate(all="ignore"):
            return np.asarray(self.function(widen(input)), input.dtype)

    @classmethod
    def examples(cls) -> list[Example]:
        return [Example(cls(), (np.array(cls.places, np.float32),))]


@operator(family="trigonometry", torch="torch.sin")
class Sin(Trigonometric):
    """Y = sin(X), X in radians."""

    function = np.sin

    def grad(self, dY: Any, _Y: Any, X: Any) -> tuple[Any, ...]:
        return (dY * Cos()(X),)


@operator(family="trigonometry", torch="torch.cos")
class Cos(Trigonometric):
    """Y = cos(X), X in radians."""

    function = np.cos

    def grad(self, dY: Any, _Y: Any, X: Any) -> tuple[Any, ...]:
        return (-dY * Sin()(X),)


@operator(family="trigonometry", torch="torch.tan")
class Tan(Trigonometric):
    """Y = tan(X), X in radians."""

    function = np.tan

    def grad(self, dY: Any, Y: Any, _X: Any) -> tuple[Any, ...]:
        return (dY * (1 + Y * Y),)


@operator(family="trigonometry", torch="torch.asin")
class Asin(Trigonometric):
    """Y = the angle from -π/2 to π/2 whose sine is X."""

    function = np.arcsin

    def grad(self, dY: Any, _Y: Any, X: Any) -> tuple[Any, ...]:
        return (dY / Sqrt()(1 - X * X),)


@operator(family="trigonometry", torch="torch.acos")
class Acos(Trigonometric):
    """Y = the angle from 0 to π whose cosine is X."""

    function = np.arccos

    def grad(self, dY: Any, _Y: Any, X: Any) -> tuple[Any, ...]:
        return (-dY / Sqrt()(1 - X * X),)


@operator(family="trigonometry", torch="torch.atan")
class Atan(Trigonometric):
    """Y = the angle from -π/2 to π/2 whose tangent is X."""

    function = np.arctan

    def grad(self, dY: Any, _Y: Any, X: Any) -> tuple[Any, ...]:
        return (dY / (1 + X * X),)


@operator(family="trigonometry", torch="torch.sinh")
class Sinh(Trigonometric):
    """Y = (exp(X) - exp(-X)) / 2."""

    function = np.sinh

    def grad(self, dY: Any, _Y: Any, X: Any) -> tuple[Any, ...]:
        return (dY * Cosh()(X),)


@operator(family="trigonometry", torch="torch.cosh")
class Cosh(Trigonometric):
    """Y = (exp(X) + exp(-X)) / 2."""

    function = np.cosh

    def grad(self, dY: Any, _Y: Any, X: Any) -> tuple[Any, ...]:
        return (dY * Sinh()(X),)


@operator(family="trigonometry", torch="torch.asinh")
class Asinh(Trigonometric):
    """Y = the number whose sinh is X."""

    function = np.arcsinh

    def grad(self, dY: Any, _Y: Any, X: Any) -> tuple[Any, ...]:
        return (dY / Sqrt()(X * X + 1),)


@operator(family="trigonometry", torch="torch.acosh")
class Acosh(Trigonometric):
    """Y = the number not below 0 whose cosh is X."""

    function = np.arccosh
    places = (1, 1.5, 2)

    def grad(self, dY: Any, _Y: Any, X: Any) -> tuple[Any, ...]:
        return (dY / Sqrt()(X * X - 1),)


@operator(family="trigonometry", torch="torch.atanh")
class Atanh(Trigonometric):
    """Y = the number whose tanh is X."""

    function = np.arctanh

    def grad(self, dY: Any, _Y: Any, X: Any) -> tuple[Any, ...]:
        return (dY / (1 - X * X),)
