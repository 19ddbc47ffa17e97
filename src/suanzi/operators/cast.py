"""What leaves the elements as they are, or changes their type alone: Cast, BitCast, Identity.

Source, of all here: https://onnx.ai/onnx/operators/
"""

from dataclasses import dataclass
from typing import Any, ClassVar

import ml_dtypes
import numpy as np

from suanzi.operators._checks import NARROW, STRING, widen
from suanzi.operators._operator import Array, Example, Operator, TensorType, operator, require
from suanzi.operators._types import bits, element_number, element_type, is_integer


@dataclass(frozen=True, kw_only=True)
class Casting(Operator):
    """Floating point to whole numbers cuts towards zero; whole numbers too large for theirs wrap.

    Texts are numbers in digits, with or without an exponent, or NaN, INF, -INF in any case; numbers
    become texts without an exponent, bool 1 and 0.
    A number out of the range of a float8 type becomes its largest if `saturate`, else NaN or
    infinity. round_mode is of float8e8m0 alone: up, down or nearest.
    """

    saturate: int = 1
    round_mode: str = "up"

    def cast(self, x: Array, dtype: np.dtype[Any]) -> Array:
        if x.dtype == STRING != dtype:
            return self.cast(_numbers(x, dtype), dtype)
        if dtype == STRING:
            return x if x.dtype == STRING else _texts(x)
        x = widen(x)  # exact, and from there every type can be reached
        with np.errstate(all="ignore"):
            if dtype == ml_dtypes.float8_e8m0fnu:
                return self._power_of_two(x, dtype)
            if self.saturate and dtype.name.startswith("float8") and x.dtype.kind in "fiu":
                most = float(ml_dtypes.finfo(dtype).max)  # type: ignore[no-untyped-call]
                # In float64, which holds every number of the narrower types; NaN stays.
                return np.clip(x.astype(np.float64), -most, most).astype(x.dtype).astype(dtype)
            if dtype.name in NARROW and x.dtype.kind == "f":
                return x.astype(np.int8).astype(dtype)
            return x.astype(dtype)

    def _power_of_two(self, x: Array, dtype: np.dtype[Any]) -> Array:
        """float8e8m0: the power of two above, below or nearest."""
        fraction, exponent = np.frexp(np.abs(x.astype(np.float32)))  # x = fraction · 2^exponent
        whole = fraction == 0.5  # fractions are from 0.5 to 1, so x is a power of two itself
        above = {"up": ~whole, "down": False, "nearest": fraction >= 0.75}[self.round_mode]
        power = np.where(above, exponent, exponent - 1)
        value = np.ldexp(1.0, np.where(x == 0, -127, power))
        value = np.where(np.isfinite(x.astype(np.float32)), value, np.abs(x.astype(np.float32)))
        if self.saturate:
            value = np.clip(value, 2.0**-127, 2.0**127)
        outside = (value > 2.0**127) | (value < 2.0**-127) | ((x == 0) & (not self.saturate))
        return np.where(outside, np.nan, value).astype(dtype)


def _numbers(texts: Array, dtype: np.dtype[Any]) -> Array:
    """What the texts say, in a type that holds it all: to be cast to dtype."""
    if is_integer(dtype):
        wide = np.uint64 if dtype == np.uint64 else np.int64
        return np.array([_whole(text) for text in texts.flat], wide).reshape(texts.shape)
    return texts.astype(np.float64)


def _whole(text: str) -> int:
    """The text's number without its fraction; without a detour over floating point if it can be."""
    try:
        return int(text)
    except ValueError:
        return int(float(text))


def _texts(x: Array) -> Array:
    """The numbers in digits: as few as tell them from others of their type, and no exponent."""
    if is_integer(x.dtype) or x.dtype == np.bool_:
        made = [str(int(number)) for number in x.flat]
    else:
        named = {"nan": "NaN", "inf": "INF", "-inf": "-INF"}
        plain = (np.format_float_positional(number, trim="-") for number in x.flat)
        made = [named.get(text, text) for text in plain]
    return np.array(made, STRING).reshape(x.shape)


@operator(family="cast", torch="torch.Tensor.to")
class Cast(Casting):
    """Y = X in the element type `to` (ONNX's number for it: 1 float32, 7 int64, 9 bool, ...).

    Before opset 19 without saturate, before 24 without round_mode.
    """

    to: int

    def infer(self, input: TensorType) -> TensorType:
        return TensorType(element_type(self.to), input.shape)

    def numpy(self, input: Array) -> Array:
        return self.cast(input, element_type(self.to))

    def grad(self, dY: Any, _Y: Any, _X: Any) -> tuple[Any, ...]:
        return (cast(dY, _X.dtype),)

    @classmethod
    def examples(cls) -> list[Example]:
        X = np.array([-1.5, 0, 2.75], np.float32)
        return [Example(cls(to=to), (X,)) for to in (7, 8, 9, 10)]


def cast(value: Any, dtype: Any) -> Any:
    """The value in an element type, itself where it has that type.

    >>> cast(np.array([1, 2]), np.float32)
    array([1., 2.], dtype=float32)
    """
    to = np.dtype(dtype)
    return value if np.dtype(value.dtype) == to else Cast(to=element_number(to))(value)


@operator(family="cast", torch="torch.Tensor.type_as")
class CastLike(Casting):
    """Y = X in the element type of target_type."""

    def infer(self, input: TensorType, target_type: TensorType) -> TensorType:
        return TensorType(target_type.dtype, input.shape)

    def numpy(self, input: Array, target_type: Array) -> Array:
        return self.cast(input, target_type.dtype)

    def grad(self, dY: Any, _Y: Any, _X: Any, _target_type: Any) -> tuple[Any, ...]:
        return cast(dY, _X.dtype), None

    @classmethod
    def examples(cls) -> list[Example]:
        return [Example(cls(), (np.array([-1.5, 2.75], np.float32), np.array(0, np.int32)))]


@operator(family="cast", torch="torch.Tensor.view")
class BitCast(Operator):
    """Y = X's bits taken for the element type `to`, which has as many of them.

    Types of less than 8 bits, which have a byte each here, lie in its lower bits. New in opset 26.
    """

    to: int

    def infer(self, input: TensorType) -> TensorType:
        dtype = element_type(self.to)
        same = bits(input.dtype) == bits(dtype) and STRING not in (input.dtype, dtype)
        require(same, "not as many bits", "input", f"{bits(dtype)} bits", input)
        return TensorType(dtype, input.shape)

    def numpy(self, input: Array) -> Array:
        dtype = element_type(self.to)
        if dtype == np.bool_:
            return np.asarray(input.view(np.uint8) != 0)
        return input.view(dtype)

    @classmethod
    def examples(cls) -> list[Example]:
        return [Example(cls(to=6), (np.array([-1.5, 0, 2.75], np.float32),))]


@operator(family="cast", torch="nn.Identity")
class Identity(Operator):
    """Y = X."""

    holders: ClassVar[bool] = True

    def infer(self, input: TensorType) -> TensorType:
        return input

    def numpy(self, input: Array) -> Array:
        return input

    def grad(self, dY: Any, _Y: Any, _X: Any) -> tuple[Any, ...]:
        return (dY,)

    @classmethod
    def examples(cls) -> list[Example]:
        return [Example(cls(), (np.array([1, 2], np.float32),))]
