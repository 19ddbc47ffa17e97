"""Functions of each element by itself."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from suanzi.errors import SuanziError
from suanzi.operators import (
    Abs,
    Acos,
    Acosh,
    Asin,
    Asinh,
    Atan,
    Atanh,
    Ceil,
    Clip,
    Cos,
    Cosh,
    Erf,
    Exp,
    Floor,
    IsInf,
    IsNaN,
    Log,
    Max,
    Min,
    Reciprocal,
    Round,
    Sigmoid,
    Sign,
    Sin,
    Sinh,
    Sqrt,
    Tan,
    Tanh,
    Where,
)  # fmt: skip
from suanzi.operators._operator import Operator
from suanzi.tensor import dtypes
from suanzi.tensor.arithmetic import Operand, as_tensor_of, cast, mul, result_type, sub, together
from suanzi.tensor.core import Tensor, apply, in_place, into, leaf, method, recorded
from suanzi.tensor.direct import compute
from suanzi.tensor.modes import modes


def floating(input: Tensor) -> Tensor:
    """Whole numbers become floating-point ones, as PyTorch's functions make of them."""
    if input._value.dtype.kind in "iub":
        return cast(input, dtypes.get_default_dtype())
    return input


def _unary(name: str, operator: Operator, text: str) -> Callable[..., Tensor]:
    def function(input: Tensor, *, out: Tensor | None = None) -> Tensor:
        if out is None and modes.trace is None:
            value = compute(operator, (input._value,))
            if value is not None:
                return recorded(operator, (input,), value)
        made: Tensor = apply(operator, floating(input))
        return made if out is None else into(out, made)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"{text}, element by element."
    in_place(function)
    return method(function)


exp = _unary("exp", Exp(), "e^x")
log = _unary("log", Log(), "The logarithm to the base e")
sqrt = _unary("sqrt", Sqrt(), "√x")
tanh = _unary("tanh", Tanh(), "The hyperbolic tangent")
sigmoid = _unary("sigmoid", Sigmoid(), "1 / (1 + e^-x)")
erf = _unary("erf", Erf(), "The error function")
sin = _unary("sin", Sin(), "The sine")
cos = _unary("cos", Cos(), "The cosine")
tan = _unary("tan", Tan(), "The tangent")
asin = arcsin = _unary("asin", Asin(), "The sine's inverse")
acos = arccos = _unary("acos", Acos(), "The cosine's inverse")
atan = arctan = _unary("atan", Atan(), "The tangent's inverse")
sinh = _unary("sinh", Sinh(), "The hyperbolic sine")
cosh = _unary("cosh", Cosh(), "The hyperbolic cosine")
asinh = arcsinh = _unary("asinh", Asinh(), "The hyperbolic sine's inverse")
acosh = arccosh = _unary("acosh", Acosh(), "The hyperbolic cosine's inverse")
atanh = arctanh = _unary("atanh", Atanh(), "The hyperbolic tangent's inverse")
reciprocal = _unary("reciprocal", Reciprocal(), "1 / x")


def _kept(name: str, operator: Operator, text: str) -> Callable[..., Tensor]:
    """A function whose result has the input's type; rounding leaves whole numbers."""
    rounds = isinstance(operator, Floor | Ceil | Round)

    def function(input: Tensor, *, out: Tensor | None = None) -> Tensor:
        if rounds and not input.dtype.is_floating_point:
            return into(out, input.clone())
        return into(out, apply(operator, input))

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"{text}, element by element."
    in_place(function)
    return method(function)


abs = absolute = _kept("abs", Abs(), "The absolute value")
floor = _kept("floor", Floor(), "⌊x⌋")
ceil = _kept("ceil", Ceil(), "⌈x⌉")
sign = sgn = _kept("sign", Sign(), "-1, 0 or 1")


def _composed(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    in_place(function)
    return method(function)


@_composed
def round(input: Tensor, *, decimals: int = 0) -> Tensor:
    """The nearest whole number, halves to even."""
    if not input.dtype.is_floating_point:
        return input.clone()
    if decimals:
        return apply(Round(), input * 10.0**decimals) / 10.0**decimals
    return apply(Round(), input)


@_composed
def trunc(input: Tensor) -> Tensor:
    """Cut towards zero."""
    if not input.dtype.is_floating_point:
        return input.clone()
    zero = leaf(np.zeros((), input._value.dtype))
    return apply(Where(), input < zero, ceil(input), floor(input))


fix = trunc


@_composed
def frac(input: Tensor) -> Tensor:
    """x - trunc(x)"""
    return sub(input, trunc(input))


@_composed
def square(input: Tensor) -> Tensor:
    """x²"""
    return mul(input, input)


@_composed
def rsqrt(input: Tensor) -> Tensor:
    """1 / √x"""
    return reciprocal(sqrt(input))


@_composed
def log1p(input: Tensor) -> Tensor:
    """log(1 + x), exact for small x: x·log(1+x)/((1+x)-1), by Kahan."""
    x = floating(input)
    one = leaf(np.ones((), x._value.dtype))
    u = x + one
    small = u == one
    rest = u - one
    safe = apply(Where(), small, one, rest)
    return apply(Where(), small, x, log(u) * (x.detach() / safe.detach()))


@_composed
def expm1(input: Tensor) -> Tensor:
    """e^x - 1, exact for small x: 2·e^(x/2)·sinh(x/2)."""
    half = floating(input) * 0.5
    return exp(half) * sinh(half) * 2.0


@_composed
def exp2(input: Tensor) -> Tensor:
    """2^x"""
    return exp(floating(input) * math.log(2.0))


@_composed
def log2(input: Tensor) -> Tensor:
    """The logarithm to the base 2."""
    return log(input) * (1 / math.log(2.0))


@_composed
def log10(input: Tensor) -> Tensor:
    """The logarithm to the base 10."""
    return log(input) * (1 / math.log(10.0))


@_composed
def erfc(input: Tensor) -> Tensor:
    """1 - erf(x)"""
    return 1.0 - erf(input)


@_composed
def logit(input: Tensor, eps: float | None = None) -> Tensor:
    """log(x / (1 - x))"""
    x = floating(input)
    x = x if eps is None else clamp(x, eps, 1 - eps)
    return log(x / (1.0 - x))


@_composed
def clamp(input: Tensor, min: Any = None, max: Any = None) -> Tensor:
    """Within the bounds, either of which can be left out; numbers, or tensors that broadcast."""
    if min is None and max is None:
        raise SuanziError("a bound is wanted", input="min", expected="min, max or both")
    bounds = [b for b in (min, max) if b is not None]
    dtype = result_type(input, *bounds)
    x = cast(input, dtype)
    if not any(isinstance(b, Tensor) for b in bounds):
        low, high = (None if b is None else np.asarray(b, dtype.dtype) for b in (min, max))
        return apply(Clip(), x, low, high)
    if min is not None:
        x = maximum(x, as_tensor_of(min, dtype))
    return x if max is None else minimum(x, as_tensor_of(max, dtype))


clip = clamp


@_composed
def clamp_min(input: Tensor, min: Any) -> Tensor:
    return clamp(input, min)


@_composed
def clamp_max(input: Tensor, max: Any) -> Tensor:
    return clamp(input, None, max)


@method
def maximum(input: Tensor, other: Operand) -> Tensor:
    """The larger of two, element by element; NaN where either is."""
    a, b = together(input, other)
    return apply(Max(), a, b)


@method
def minimum(input: Tensor, other: Operand) -> Tensor:
    """The smaller of two, element by element; NaN where either is."""
    a, b = together(input, other)
    return apply(Min(), a, b)


@method
def isnan(input: Tensor) -> Tensor:
    """Where it is NaN."""
    return apply(IsNaN(), floating(input))


@method
def isinf(input: Tensor) -> Tensor:
    """Where it is infinite."""
    return apply(IsInf(), floating(input))


@method
def isfinite(input: Tensor) -> Tensor:
    """Where it is neither NaN nor infinite."""
    return (isnan(input) | isinf(input)).logical_not()


def where(condition: Tensor, input: Any = None, other: Any = None) -> Any:
    """`input` where the condition holds, `other` elsewhere; without them, the places."""
    if input is None and other is None:
        return condition.nonzero(as_tuple=True)
    a, b = together(input, other)
    return apply(Where(), cast(condition, dtypes.bool_), a, b)


@method
def masked_fill(input: Tensor, mask: Tensor, value: Any) -> Tensor:
    """The value where the mask holds."""
    if mask._value.dtype != np.bool_:
        raise SuanziError("a mask is of bools", input="mask", expected="bool", found=mask.dtype)
    filler = as_tensor_of(value, input.dtype)
    return apply(Where(), mask, filler, input)


in_place(masked_fill)


def _where_method(self: Tensor, condition: Tensor, other: Any) -> Tensor:
    return where(condition, self, other)


Tensor.where = _where_method  # type: ignore[attr-defined]

__all__ = [
    "abs",
    "absolute",
    "acos",
    "acosh",
    "arccos",
    "arccosh",
    "arcsin",
    "arcsinh",
    "arctan",
    "arctanh",
    "asin",
    "asinh",
    "atan",
    "atanh",
    "ceil",
    "clamp",
    "clamp_max",
    "clamp_min",
    "clip",
    "cos",
    "cosh",
    "erf",
    "erfc",
    "exp",
    "exp2",
    "expm1",
    "fix",
    "floor",
    "frac",
    "isfinite",
    "isinf",
    "isnan",
    "log",
    "log1p",
    "log2",
    "log10",
    "logit",
    "masked_fill",
    "maximum",
    "minimum",
    "reciprocal",
    "round",
    "rsqrt",
    "sgn",
    "sigmoid",
    "sign",
    "sin",
    "sinh",
    "sqrt",
    "square",
    "tan",
    "tanh",
    "trunc",
    "where",
]  # fmt: skip
