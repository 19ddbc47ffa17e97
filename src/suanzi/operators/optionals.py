"""Optionals: values that may be missing, which NumPy's side knows as None.

Source, of all here: https://onnx.ai/onnx/operators/
"""

from typing import Any, ClassVar

import numpy as np

from suanzi.errors import SuanziError
from suanzi.operators._operator import (
    Array,
    Example,
    Operator,
    OptionalType,
    TensorType,
    Value,
    operator,
)

X = np.array([1, 2], np.float32)


@operator(family="optional")
class Optional(Operator):
    """X as an optional; without X an empty one of the given type."""

    holders: ClassVar[bool] = True

    type: TensorType | None = None

    def infer(self, input: TensorType | None = None) -> OptionalType:
        if input is not None:
            return OptionalType(input)
        if self.type is None:
            raise SuanziError("an empty optional has a type", expected="a type or an input")
        return OptionalType(self.type)

    def numpy(self, input: Value = None) -> Value:
        return input

    @classmethod
    def examples(cls) -> list[Example]:
        empty = cls(type=TensorType(np.dtype(np.float32), (2,)))
        return [Example(cls(), (X,)), Example(empty, ())]


@operator(family="optional")
class OptionalHasElement(Operator):
    """Whether there is a value: true of what isn't an optional, false without an input."""

    holders: ClassVar[bool] = True

    def infer(self, input: TensorType | None = None) -> TensorType:
        if isinstance(input, OptionalType):
            return TensorType(np.dtype(np.bool_), ())
        return TensorType.of(np.array(input is not None))

    def numpy(self, input: Value = None) -> Array:
        return np.array(input is not None)

    @classmethod
    def examples(cls) -> list[Example]:
        return [Example(cls(), (X,)), Example(cls(), (None,))]


@operator(family="optional")
class OptionalGetElement(Operator):
    """The value; an error where there is none. What isn't an optional is itself."""

    holders: ClassVar[bool] = True

    def infer(self, input: TensorType) -> TensorType:
        return input.element if isinstance(input, OptionalType) else input

    def numpy(self, input: Value) -> Any:
        if input is None:
            raise SuanziError("the optional is empty", input="input", expected="a value")
        return input

    @classmethod
    def examples(cls) -> list[Example]:
        return [Example(cls(), (X,))]
