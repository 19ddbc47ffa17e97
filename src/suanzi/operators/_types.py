"""ONNX's numbers for element types, as attributes such as Cast's `to` name them."""

from typing import Any

import ml_dtypes
import numpy as np

from suanzi.errors import SuanziError

ELEMENT_TYPES: dict[int, np.dtype[Any]] = {
    number: np.dtype(dtype)
    for number, dtype in {
        1: np.float32,
        2: np.uint8,
        3: np.int8,
        4: np.uint16,
        5: np.int16,
        6: np.int32,
        7: np.int64,
        8: np.object_,
        9: np.bool_,
        10: np.float16,
        11: np.float64,
        12: np.uint32,
        13: np.uint64,
        14: np.complex64,
        15: np.complex128,
        16: ml_dtypes.bfloat16,
        17: ml_dtypes.float8_e4m3fn,
        18: ml_dtypes.float8_e4m3fnuz,
        19: ml_dtypes.float8_e5m2,
        20: ml_dtypes.float8_e5m2fnuz,
        21: ml_dtypes.uint4,
        22: ml_dtypes.int4,
        23: ml_dtypes.float4_e2m1fn,
        24: ml_dtypes.float8_e8m0fnu,
        25: ml_dtypes.uint2,
        26: ml_dtypes.int2,
        27: ml_dtypes.float6_e2m3fn,
        28: ml_dtypes.float6_e3m2fn,
    }.items()
}


def element_type(number: int) -> np.dtype[Any]:
    """The NumPy (or ml_dtypes) type of an ONNX element type.

    >>> element_type(1)
    dtype('float32')
    """
    if number not in ELEMENT_TYPES:
        raise SuanziError(
            "an element type that we don't have",
            expected="numbers, bool or strings",
            found=f"type {number}",
        )
    return ELEMENT_TYPES[number]


def element_number(dtype: np.dtype[Any]) -> int:
    """ONNX's number for an element type.

    >>> element_number(np.dtype(np.int64))
    7
    """
    return next(number for number, known in ELEMENT_TYPES.items() if known == dtype)


NARROW = {
    "int2": 2,
    "uint2": 2,
    "int4": 4,
    "uint4": 4,
    "float4_e2m1fn": 4,
    "float6_e2m3fn": 6,
    "float6_e3m2fn": 6,
}


def is_integer(dtype: np.dtype[Any]) -> bool:
    """Whether the type is one of integers, those of ml_dtypes included."""
    return dtype.name.startswith(("int", "uint"))


def bits(dtype: np.dtype[Any]) -> int:
    """How many bits an element has; those of less than 8 have a byte each in memory.

    >>> bits(np.dtype(np.float32)), bits(np.dtype(ml_dtypes.int4))
    (32, 4)
    """
    return NARROW.get(dtype.name, 8 * dtype.itemsize)
