"""How a loss's elements become one number: the argument `reduction`."""

import warnings

import numpy as np

from suanzi.errors import SuanziError
from suanzi.tensor import Tensor
from suanzi.tensor.modes import modes


def legacy(size_average: bool | None, reduce: bool | None, reduction: str) -> str:
    """The reduction, which old PyTorch named by two bools.

    >>> legacy(None, None, "sum")
    'sum'
    """
    if size_average is None and reduce is None:
        return reduction
    kept = reduce is False
    found = "none" if kept else "sum" if size_average is False else "mean"
    warnings.warn(f"size_average and reduce are deprecated: use reduction='{found}'", stacklevel=3)
    return found


def require_reduction(reduction: str) -> None:
    """That a reduction is none, mean or sum."""
    if reduction not in ("none", "mean", "sum"):
        raise SuanziError("no such reduction", input="reduction", expected="none, mean or sum",
                          found=reduction)  # fmt: skip


def reduced(loss: Tensor, reduction: str) -> Tensor:
    """All elements as they are, their mean, or their sum."""
    require_reduction(reduction)
    if reduction == "none":
        return loss
    return loss.mean() if reduction == "mean" else loss.sum()  # type: ignore[no-any-return]


def together(input: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Both in one shape; that they had two is worth a warning."""
    a, b = input._value.shape, target._value.shape
    if a == b:
        return input, target
    warnings.warn(
        f"the target has the size {tuple(b)}, the input {tuple(a)}: what is compared is broadcast, "
        "which is hardly meant", stacklevel=3,
    )  # fmt: skip
    try:
        shape = np.broadcast_shapes(a, b)
    except ValueError:
        raise SuanziError("the shapes don't broadcast", input="target", expected=tuple(a),
                          found=tuple(b)) from None  # fmt: skip
    return input.expand(shape), target.expand(shape)


def known(tensor: Tensor) -> np.ndarray[tuple[int, ...], np.dtype[np.generic]] | None:
    """A tensor's contents, for checks; None while a function is traced."""
    value = tensor._value
    return value if modes.trace is None and type(value) is np.ndarray else None
