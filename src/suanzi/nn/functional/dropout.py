"""Dropout: some elements set to zero in training, the others scaled so that the mean stays."""

from typing import Any

from suanzi.errors import SuanziError
from suanzi.nn.functional._arguments import require_tensor
from suanzi.tensor import Tensor, rand


def _dropped(
    input: Tensor, p: float, training: bool, inplace: bool, shape: tuple[int, ...]
) -> Tensor:
    require_tensor(input)
    if not 0.0 <= p <= 1.0:
        raise SuanziError("wrong probability", input="p", expected="from 0 to 1", found=p)
    if not training or p == 0.0:
        return input
    if p == 1.0:
        made = input * 0.0
    else:
        mask = (rand(shape, dtype=input.dtype) >= p).to(input.dtype) * (1.0 / (1.0 - p))
        made = input * mask
    return input._write(made) if inplace else made


def dropout(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Each element zero with the probability p, in training; the others times 1 / (1 - p)."""
    return _dropped(input, p, training, inplace, tuple(input.shape))


def _channels(axes: int, name: str) -> Any:
    def drop(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
        require_tensor(input)
        ranks = (axes + 1, axes + 2) if axes > 1 else (2, 3)
        if input.ndim not in ranks:
            raise SuanziError("wrong rank", input="input", expected=f"{ranks[0]} or {ranks[1]}",
                              found=tuple(input.shape))  # fmt: skip
        kept = input.ndim - axes
        shape = (*input.shape[:kept], *[1] * axes)
        return _dropped(input, p, training, inplace, shape)

    drop.__name__ = drop.__qualname__ = name
    drop.__doc__ = "Whole channels zero with the probability p, in training."
    return drop


dropout1d = _channels(1, "dropout1d")
dropout2d = _channels(2, "dropout2d")
dropout3d = _channels(3, "dropout3d")

DROPPED = -1.7580993408473766
"""What selu gives far below zero: -scale · alpha."""


def _alpha(input: Tensor, p: float, training: bool, inplace: bool, shape: Any) -> Tensor:
    """Dropout for selu: what is dropped goes to DROPPED, and mean and variance are restored."""
    require_tensor(input)
    if not 0.0 <= p <= 1.0:
        raise SuanziError("wrong probability", input="p", expected="from 0 to 1", found=p)
    if not training or p == 0.0:
        return input
    if p == 1.0:
        made = input * 0.0
    else:
        keep = (rand(shape, dtype=input.dtype) >= p).to(input.dtype)
        a = (DROPPED**2 * p * (1 - p) + (1 - p)) ** -0.5
        shift = (keep - 1.0) * (DROPPED * a * -1.0) + a * -DROPPED * p
        made = input * (keep * a) + shift
    return input._write(made) if inplace else made


def alpha_dropout(
    input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False
) -> Tensor:
    """Dropout that keeps the mean and the variance of what selu gives."""
    return _alpha(input, p, training, inplace, input.shape)


def feature_alpha_dropout(
    input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False
) -> Tensor:
    """`alpha_dropout` of whole channels."""
    shape = (*input.shape[:2], *[1] * (input.ndim - 2))
    return _alpha(input, p, training, inplace, shape)
