"""What leaves the elements as they are, or changes their type alone: Cast, Identity, Dropout.

Source, of all here: https://onnx.ai/onnx/operators/
"""

from dataclasses import dataclass
from typing import Any

import ml_dtypes
import numpy as np

from suanzi.operators._operator import Array, Example, Operator, TensorType, operator, require
from suanzi.operators._types import element_type


@dataclass(frozen=True, kw_only=True)
class Casting(Operator):
    """Floating point to whole numbers cuts towards zero; whole numbers too large for theirs wrap.

    A number out of the range of a float8 type becomes its largest if `saturate`, else NaN or
    infinity. round_mode is of float8e8m0 alone: up, down or nearest.
    """

    saturate: int = 1
    round_mode: str = "up"

    def cast(self, x: Array, dtype: np.dtype[Any]) -> Array:
        with np.errstate(all="ignore"):
            if dtype == ml_dtypes.float8_e8m0fnu:
                return self._power_of_two(x, dtype)
            if self.saturate and dtype.name.startswith("float8") and x.dtype.kind in "fV":
                most = float(ml_dtypes.finfo(dtype).max)  # type: ignore[no-untyped-call]
                # In float64, which holds every number of the narrower types; NaN stays.
                return np.clip(x.astype(np.float64), -most, most).astype(x.dtype).astype(dtype)
            if dtype.name in ("int2", "int4", "uint2", "uint4") and x.dtype.kind in "fV":
                return x.astype(np.float32).astype(np.int8).astype(dtype)
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


@operator(family="cast", torch="Tensor.to")
class Cast(Casting):
    """Y = X in the element type `to` (ONNX's number for it: 1 float32, 7 int64, 9 bool, ...).

    Before opset 19 without saturate, before 24 without round_mode.
    """

    to: int

    def infer(self, input: TensorType) -> TensorType:
        return TensorType(element_type(self.to), input.shape)

    def numpy(self, input: Array) -> Array:
        return self.cast(input, element_type(self.to))

    @classmethod
    def examples(cls) -> list[Example]:
        X = np.array([-1.5, 0, 2.75], np.float32)
        return [Example(cls(to=to), (X,)) for to in (7, 9, 10)]


@operator(family="cast", torch="Tensor.type_as")
class CastLike(Casting):
    """Y = X in the element type of target_type."""

    def infer(self, input: TensorType, target_type: TensorType) -> TensorType:
        return TensorType(target_type.dtype, input.shape)

    def numpy(self, input: Array, target_type: Array) -> Array:
        return self.cast(input, target_type.dtype)

    @classmethod
    def examples(cls) -> list[Example]:
        return [Example(cls(), (np.array([-1.5, 2.75], np.float32), np.array(0, np.int32)))]


@operator(family="cast", torch="nn.Identity")
class Identity(Operator):
    """Y = X."""

    def infer(self, input: TensorType) -> TensorType:
        return input

    def numpy(self, input: Array) -> Array:
        return input

    @classmethod
    def examples(cls) -> list[Example]:
        return [Example(cls(), (np.array([1, 2], np.float32),))]


@operator(family="cast", torch="nn.Dropout")
class Dropout(Operator):
    """The identity, and a mask that keeps every element: what inference makes of Dropout.

    Before opset 12 ratio was an attribute; before 7 is_test said whether it was inference.
    """

    seed: int | None = None

    def infer(
        self,
        data: TensorType,
        ratio: TensorType | None = None,
        training_mode: TensorType | None = None,
    ) -> tuple[TensorType, TensorType]:
        if training_mode is not None and training_mode.value is not None:
            self._refuse_training(training_mode.value)
        mask = TensorType(np.dtype(np.bool_), data.shape)
        return TensorType(data.dtype, data.shape, data.value), mask

    @staticmethod
    def _refuse_training(training_mode: Array) -> None:
        training = bool(training_mode.any())
        require(not training, "Dropout runs as in inference only", "training_mode", False, training)

    def numpy(
        self, data: Array, ratio: Array | None = None, training_mode: Array | None = None
    ) -> tuple[Array, Array]:
        if training_mode is not None:
            self._refuse_training(training_mode)
        return data, np.ones(data.shape, np.bool_)

    @classmethod
    def examples(cls) -> list[Example]:
        return [Example(cls(), (np.array([1, 2], np.float32), np.array(0.5, np.float32)))]
