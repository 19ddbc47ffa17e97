"""What definitions ask of their inputs, and do with them, again and again."""

from typing import Any

import numpy as np

from suanzi.operators._operator import Array, Dim, TensorType, require

STRING = np.dtype(object)
"""The type of arrays of strings; their elements are str."""


def agree(a: Dim, b: Dim) -> bool:
    """Whether two sizes may be the same; one that isn't known agrees with any."""
    return not (isinstance(a, int) and isinstance(b, int)) or a == b


def require_shape(t: TensorType | None, shape: tuple[Dim, ...], input: str) -> None:
    """The input, where present, has these sizes; symbols and None stand for any.

    >>> require_shape(TensorType(np.float32, (3, 4)), (3, "K"), "W")
    """
    if t is None or t.shape is None:
        return
    fits = len(t.shape) == len(shape) and all(map(agree, t.shape, shape))
    require(fits, "wrong shape", input, list(shape), t)


def require_dtype(t: TensorType | None, dtype: np.dtype[Any], input: str) -> None:
    """The input, where present, has this element type."""
    if t is not None:
        require(t.dtype == dtype, "wrong element type", input, dtype, t)


NARROW = {"uint2": np.uint8, "uint4": np.uint8, "int2": np.int8, "int4": np.int8}


def widen(x: Array) -> Array:
    """Numbers of types that NumPy can't compute with, or not well, in one that it can: floating
    point of 16 bits and less as float32, integers of 2 and 4 bits as those of 8.

    Others stay as they are. What is made of them is cast back to the type they had.
    """
    if x.dtype.isbuiltin == 2:  # a type of ml_dtypes
        return x.astype(NARROW.get(x.dtype.name, np.float32))
    return x.astype(np.float32) if x.dtype == np.float16 else x


def per_channel(x: Array, rank: int) -> Array:
    """x[C] so that it broadcasts over X[N, C, ...]."""
    return x.reshape(-1, *(1,) * (rank - 2))
