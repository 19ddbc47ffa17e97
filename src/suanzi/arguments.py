"""What a session is given and gives: its inputs and outputs, by onnxruntime's conventions.

A sequence is a list, an optional a value or None, a map a dict, a text an element of an array of
objects.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from suanzi.errors import SuanziError
from suanzi.operators._checks import STRING
from suanzi.operators._operator import (
    Array,
    Dim,
    MapType,
    OptionalType,
    SequenceType,
    TensorType,
)

ELEMENTS = {"float32": "float", "float64": "double", "object": "string"}


@dataclass(frozen=True)
class NodeArg:
    """An input or output: its name, its type as onnxruntime writes it, its shape."""

    name: str
    type: str
    shape: list[Dim]

    @staticmethod
    def of(name: str, t: TensorType) -> "NodeArg":
        return NodeArg(name, _written(t), list(t.shape or ()))


def _written(t: TensorType) -> str:
    """
    >>> _written(OptionalType(SequenceType(TensorType(np.float32, (2, 3)))))
    'optional(seq(tensor(float)))'
    """
    match t:
        case SequenceType(element=element):
            return f"seq({_written(element)})"
        case OptionalType(element=element):
            return f"optional({_written(element)})"
        case MapType(key=key, element=element):
            return f"map({_element(key)},{_written(element)})"
    return f"tensor({_element(t.dtype)})"


def _element(dtype: np.dtype[Any]) -> str:
    return ELEMENTS.get(dtype.name, dtype.name.replace("_", ""))


def accept(given: Mapping[str, Any], types: Mapping[str, TensorType]) -> dict[str, Any]:
    """What is given for the inputs, as a model's operators take it: tensors in one piece each."""
    expected = " and ".join(types) or "no input"
    if not isinstance(given, Mapping):
        raise SuanziError("the inputs aren't arrays by name", expected=expected)
    for name in given:
        if name not in types:
            raise SuanziError("the model has no such input", expected=expected, found=name)
    for name, declared in types.items():
        if name not in given and not isinstance(declared, OptionalType):
            found = ", ".join(given) or "no inputs"
            raise SuanziError("an input is missing", input=name, expected=declared, found=found)
    return {name: _value(given.get(name), declared, name) for name, declared in types.items()}


def _value(given: Any, declared: TensorType, name: str) -> Any:
    if isinstance(declared, OptionalType):
        return None if given is None else _value(given, declared.element, name)
    if isinstance(declared, SequenceType):
        if not isinstance(given, list | tuple):
            raise SuanziError("not a list", input=name, expected=declared, found=_kind(given))
        return [_value(x, declared.element, name) for x in given]
    if isinstance(declared, MapType):
        if not isinstance(given, dict):
            raise SuanziError("not a dict", input=name, expected=declared, found=_kind(given))
        return given
    return _array(given, declared, name)


def _kind(given: Any) -> str:
    return type(given).__name__


def _array(given: Any, declared: TensorType, name: str) -> Array:
    """The array in one piece, held to what the model declares."""
    try:
        array = np.asarray(given)
    except ValueError as error:  # lists of unequal lengths
        raise SuanziError(f"not an array: {error}", input=name) from None
    if isinstance(given, list | tuple | int | float):
        array = _of_numbers(array, declared)
    if declared.dtype == STRING and array.dtype.kind in "OSU":
        array = _texts(array, name)
    fits = array.dtype == declared.dtype and (
        declared.shape is None
        or array.shape == declared.shape
        or (
            array.ndim == len(declared.shape)
            and all(
                not isinstance(want, int) or want == have
                for want, have in zip(declared.shape, array.shape, strict=True)
            )
        )
    )
    if not fits:
        raise SuanziError(
            "wrong type or shape",
            input=name,
            expected=declared,
            found=TensorType(array.dtype, array.shape) if array.dtype != object else "objects",
        )
    if array.flags.c_contiguous and array.flags.aligned:
        return array
    return np.require(array, requirements=("C", "A"))  # unlike ascontiguousarray, keeps rank 0


def _of_numbers(array: Array, declared: TensorType) -> Array:
    """Python's numbers in the type that is declared, where that loses nothing of integers.

    >>> _of_numbers(np.asarray([1, 2]), TensorType(np.dtype(np.int32), (2,))).dtype
    dtype('int32')
    """
    whole = array.dtype.kind in "iu" and declared.dtype.kind in "iu"
    if not whole and not (
        array.dtype.kind in "iuf" and np.can_cast(array.dtype, declared.dtype, "same_kind")
    ):
        return array
    made = array.astype(declared.dtype)
    return array if whole and (made != array).any() else made


def _texts(array: Array, name: str) -> Array:
    """Texts as an array of str."""
    texts = np.empty(array.shape, STRING)
    for place, text in np.ndenumerate(array):
        text = text.decode() if isinstance(text, bytes) else text
        if not isinstance(text, str):
            raise SuanziError("not a text", input=name, expected="str", found=_kind(text))
        texts[place] = str(text)
    return texts
