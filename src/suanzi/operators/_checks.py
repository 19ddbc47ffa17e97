"""What definitions ask of their inputs, and do with them, again and again."""

from typing import Any

import numpy as np

from suanzi.operators._operator import Array, Dim, TensorType, require


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


def widen(x: Array) -> Array:
    """Half-precision numbers as float32, in which sums of them are taken; others as they are."""
    return x.astype(np.float32) if x.dtype.name in ("float16", "bfloat16") else x


def per_channel(x: Array, rank: int) -> Array:
    """x[C] so that it broadcasts over X[N, C, ...]."""
    return x.reshape(-1, *(1,) * (rank - 2))
