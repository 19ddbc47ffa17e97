"""More functions of each element by itself, made of the ones in pointwise.py and arithmetic.py."""

import math
from typing import Any

import numpy as np

from suanzi.errors import SuanziError
from suanzi.operators import LogSoftmax, PRelu, Relu, Softmax, Where
from suanzi.tensor import dtypes
from suanzi.tensor.arithmetic import as_tensor_of, cast, result_type, together
from suanzi.tensor.core import Tensor, apply, axis, in_place, into, leaf, method, wrap
from suanzi.tensor.pointwise import atan, erf, floating, log, maximum, minimum, sin, sqrt
from suanzi.tensor.views import reshape


def _number(value: float, like: Tensor) -> Tensor:
    return leaf(np.asarray(value, like._value.dtype))


def _chosen(condition: Tensor, a: Any, b: Any) -> Tensor:
    """Where of values of one type, the numbers among them in it."""
    like = a if isinstance(a, Tensor) else b
    one, other = (x if isinstance(x, Tensor) else _number(x, like) for x in (a, b))
    return apply(Where(), condition, one, other)


RELU = Relu()


@method
def relu(input: Tensor) -> Tensor:
    """max(x, 0)"""
    return apply(RELU, input)


@method
def prelu(input: Tensor, weight: Tensor) -> Tensor:
    """x where x > 0, weight · x elsewhere; one weight, or one for each channel (axis 1)."""
    if weight.numel() > 1:
        weight = reshape(weight, (-1, *[1] * (input.ndim - 2)))
    return apply(PRelu(), input, weight)


def _along(kind: Any, input: Tensor, dim: int, dtype: dtypes.dtype | None) -> Tensor:
    x = input if dtype is None else cast(input, dtype)
    if not x.ndim:
        return reshape(apply(kind(axis=0), reshape(x, (1,))), ())
    return apply(kind(axis=axis(x, dim)), x)


@method
def softmax(input: Tensor, dim: int, dtype: dtypes.dtype | None = None) -> Tensor:
    """e^x / Σ e^x along an axis."""
    return _along(Softmax, input, dim, dtype)


@method
def log_softmax(input: Tensor, dim: int, dtype: dtypes.dtype | None = None) -> Tensor:
    """log(e^x / Σ e^x) along an axis."""
    return _along(LogSoftmax, input, dim, dtype)


@method
def positive(input: Tensor) -> Tensor:
    """+x"""
    return input


@method
def heaviside(input: Tensor, values: Tensor, *, out: Any = None) -> Tensor:
    """0 below zero, 1 above, `values` at zero."""
    x, v = together(input.detach(), values)
    made = _chosen(x == 0, v, _chosen(x > 0, _number(1, x), 0))
    return into(out, made)


@method
def hypot(input: Tensor, other: Tensor, *, out: Any = None) -> Tensor:
    """√(x² + y²)"""
    a, b = together(input, other)
    size = maximum(a.abs(), b.abs()).detach()
    scale = _chosen((size == 0) | size.isinf(), 1, size)
    return into(out, sqrt((a / scale) * (a / scale) + (b / scale) * (b / scale)) * scale)


@method
def atan2(input: Tensor, other: Tensor, *, out: Any = None) -> Tensor:
    """The angle of the point (other, input), from -π to π."""
    y, x = (floating(v) for v in together(input, other))
    steep = y.abs() > x.abs()
    above, below = _chosen(steep, y, x), _chosen(steep, x, y)
    both = above.abs().isinf() & below.abs().isinf()
    nothing = above == 0
    ratio = below / _chosen(nothing, 1, above)
    ratio = _chosen(both, below.sign() * above.sign(), ratio)
    turn = atan(ratio)
    up = _chosen(signbit(y), -math.pi, _number(math.pi, y))
    flat = turn + _chosen(signbit(x), up, 0)
    return into(out, _chosen(steep, up * 0.5 - turn, flat))


arctan2 = atan2
Tensor.arctan2 = atan2  # type: ignore[attr-defined]


@method
def signbit(input: Tensor) -> Tensor:
    """Whether it is below zero, -0 included."""
    x = input.detach()
    if not x.is_floating_point():
        return x < 0
    return (x < 0) | ((x == 0) & (_number(1, x) / x < 0))


@method
def copysign(input: Tensor, other: Any, *, out: Any = None) -> Tensor:
    """The size of the one with the sign of the other."""
    a, b = (floating(v) for v in together(input, other))
    return into(out, _chosen(signbit(a) == signbit(b), a, -a))


@method
def sinc(input: Tensor, *, out: Any = None) -> Tensor:
    """sin(πx) / (πx), 1 at 0."""
    x = floating(input) * math.pi
    zero = x == 0
    safe = _chosen(zero, 1, x)
    # At 0 the value is 1 and the first gradient 0: what 1 - x²/6 has there.
    return into(out, _chosen(zero, 1.0 - x * x * (1 / 6), sin(safe) / safe))


@method
def xlogy(input: Any, other: Any, *, out: Any = None) -> Tensor:
    """x·log(y), 0 where x is 0 (unless y is NaN)."""
    x, y = (floating(v) for v in together(input, other))
    zero = (x == 0) & y.isnan().logical_not()
    return into(out, _chosen(zero, 0, x * log(_chosen(zero, 1, y))))


@method
def float_power(input: Any, exponent: Any, *, out: Any = None) -> Tensor:
    """x^y in float64."""
    x, y = (as_tensor_of(v, dtypes.float64) for v in (input, exponent))
    return into(out, x.pow(y))


@method
def ldexp(input: Tensor, other: Tensor, *, out: Any = None) -> Tensor:
    """x · 2^y"""
    return into(out, input * floating(other).exp2())


@method
def fmax(input: Tensor, other: Tensor, *, out: Any = None) -> Tensor:
    """The larger of two; of NaN and a number the number."""
    a, b = together(input, other)
    return into(out, _chosen(b.isnan(), a, _chosen(a.isnan(), b, maximum(a, b))))


@method
def fmin(input: Tensor, other: Tensor, *, out: Any = None) -> Tensor:
    """The smaller of two; of NaN and a number the number."""
    a, b = together(input, other)
    return into(out, _chosen(b.isnan(), a, _chosen(a.isnan(), b, minimum(a, b))))


@method
def deg2rad(input: Tensor, *, out: Any = None) -> Tensor:
    """Degrees as radians."""
    return into(out, floating(input) * (math.pi / 180))


@method
def rad2deg(input: Tensor, *, out: Any = None) -> Tensor:
    """Radians as degrees."""
    return into(out, floating(input) * (180 / math.pi))


@method
def nan_to_num(
    input: Tensor, nan: float | None = 0.0, posinf: float | None = None,
    neginf: float | None = None, *, out: Any = None,
) -> Tensor:  # fmt: skip
    """NaN and infinities replaced by numbers: 0, and the type's limits, unless given."""
    if not input.is_floating_point():
        return into(out, input.clone())
    limits = dtypes.finfo(input.dtype)
    made = _chosen(input.isnan(), 0.0 if nan is None else nan, input)
    made = _chosen(input == math.inf, limits.max if posinf is None else posinf, made)
    return into(out, _chosen(input == -math.inf, limits.min if neginf is None else neginf, made))


@method
def isposinf(input: Tensor) -> Tensor:
    """Where it is +∞."""
    return floating(input) == math.inf


@method
def isneginf(input: Tensor) -> Tensor:
    """Where it is -∞."""
    return floating(input) == -math.inf


@method
def isreal(input: Tensor) -> Tensor:
    """True throughout: there are no complex numbers here."""
    return leaf(np.ones(input._value.shape, np.bool_))


@method
def isclose(
    input: Tensor, other: Tensor, rtol: float = 1e-05, atol: float = 1e-08,
    equal_nan: bool = False,
) -> Tensor:  # fmt: skip
    """Where |x - y| is at most atol + rtol·|y|, or both are the same infinity."""
    if input.dtype is not other.dtype:
        raise SuanziError("the types differ", input="other", expected=input.dtype,
                          found=other.dtype)  # fmt: skip
    a, b = floating(input.detach()), floating(other.detach())
    near = ((a - b).abs() <= atol + rtol * b.abs()) & (a.isfinite() & b.isfinite())
    same = (a == b) | near
    return same | (a.isnan() & b.isnan()) if equal_nan else same


@method
def allclose(
    input: Tensor, other: Tensor, rtol: float = 1e-05, atol: float = 1e-08,
    equal_nan: bool = False,
) -> bool:  # fmt: skip
    """Whether all are close.

    >>> import suanzi
    >>> allclose(suanzi.ones(2), suanzi.ones(2) + 1e-7)
    True
    """
    return bool(isclose(input, other, rtol, atol, equal_nan).all().item())


@method
def equal(input: Tensor, other: Tensor) -> bool:
    """Whether shapes and elements are the same."""
    return bool(np.array_equal(input.numpy_(), other.numpy_()))


def _whole(name: str, function: Any, text: str) -> Any:
    """A function of whole numbers, by NumPy; it can't be traced."""

    def made(input: Any, other: Any, *, out: Any = None) -> Tensor:
        kind = result_type(input, other)
        a, b = (as_tensor_of(x, kind).numpy_() for x in (input, other))
        if kind.is_floating_point:
            raise SuanziError("only for whole numbers", input="input", found=kind)
        return into(out, wrap(np.asarray(function(a, b))))

    made.__name__, made.__doc__ = name, text
    in_place(made)
    return method(made)


gcd = _whole("gcd", np.gcd, "The greatest common divisor.")
lcm = _whole("lcm", np.lcm, "The least common multiple.")
bitwise_left_shift = _whole("bitwise_left_shift", np.left_shift, "x · 2^y of whole numbers.")
bitwise_right_shift = _whole("bitwise_right_shift", np.right_shift, "x / 2^y of whole numbers.")
Tensor.__lshift__ = bitwise_left_shift  # type: ignore[operator]
Tensor.__rshift__ = bitwise_right_shift  # type: ignore[operator]


@method
def erfinv(input: Tensor, *, out: Any = None) -> Tensor:
    """The error function's inverse: Giles's approximation, then two steps of Newton's."""
    x = floating(input)
    y = x.detach()
    w = -log((1.0 - y) * (1.0 + y))
    small, large = w - 2.5, sqrt(w) - 3.0
    center, tail = _number(2.81022636e-08, y), _number(-0.000200214257, y)
    for c, t in _GILES:
        center, tail = center * small + c, tail * large + t
    guess = _chosen(w < 5, center, tail) * y
    scale = math.sqrt(math.pi) / 2
    for _ in range(2):
        guess = guess - (erf(guess) - y) * (guess * guess).exp() * scale
    edge = y.abs() >= 1
    guess = _chosen(edge, _chosen(y.abs() > 1, math.nan, y * math.inf), guess)
    if not x.requires_grad:
        return into(out, guess)
    # The value is guess; the gradient that of the inverse, √π/2·e^(guess²).
    return into(out, guess + (x - y) * (guess * guess).exp() * scale)


_GILES = (
    (3.43273939e-07, 0.000100950558), (-3.5233877e-06, 0.00134934322),
    (-4.39150654e-06, -0.00367342844), (0.00021858087, 0.00573950773),
    (-0.00125372503, -0.0076224613), (-0.00417768164, 0.00943887047),
    (0.246640727, 1.00167406), (1.50140941, 2.83297682),
)  # fmt: skip


for _function in (
    relu, heaviside, hypot, atan2, copysign, sinc, xlogy, float_power, ldexp, deg2rad, rad2deg,
    nan_to_num, erfinv,
):  # fmt: skip
    in_place(_function)

__all__ = [
    "allclose", "arctan2", "atan2", "bitwise_left_shift", "bitwise_right_shift", "copysign",
    "deg2rad", "equal", "erfinv", "float_power", "fmax", "fmin", "gcd", "heaviside", "hypot",
    "isclose", "isneginf", "isposinf", "isreal", "lcm", "ldexp", "log_softmax", "nan_to_num",
    "positive", "prelu", "rad2deg", "relu", "signbit", "sinc", "softmax", "xlogy",
]  # fmt: skip
