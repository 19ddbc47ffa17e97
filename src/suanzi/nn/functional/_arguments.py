"""What the functions' arguments share: one number for all axes, or one for each; PyTorch's names
in errors."""

import functools
from typing import Any

import numpy as np

from suanzi.errors import SuanziError
from suanzi.tensor import Tensor


@functools.lru_cache(4096)
def _spread(value: Any, count: int, name: str, least: int) -> tuple[int, ...]:
    many = value if isinstance(value, tuple) else (value,) * count
    if len(many) == 1:
        many = many * count
    whole = all(isinstance(v, int | np.integer) and not isinstance(v, bool) for v in many)
    if len(many) != count or not whole or min(many, default=least) < least:
        raise SuanziError(
            f"wrong {name}", input=name, found=value,
            expected=f"a whole number from {least} on, or {count} of them",
        )  # fmt: skip
    return tuple(int(v) for v in many)


def spread(value: Any, count: int, name: str, least: int = 0) -> tuple[int, ...]:
    """One number for each of `count` spatial axes.

    >>> spread(3, 2, "stride"), spread([1, 2], 2, "stride")
    ((3, 3), (1, 2))
    """
    if type(value) is list or (isinstance(value, tuple) and type(value) is not tuple):
        value = tuple(value)
    return _spread(value, count, name, least)


def frozen(value: Any) -> Any:
    """The value; a list as a tuple, which can be a cache's key."""
    return tuple(value) if isinstance(value, list | tuple) else value


def require_tensor(value: Any, name: str = "input") -> None:
    """That an argument is a tensor."""
    if not isinstance(value, Tensor):
        raise SuanziError("not a tensor", input=name, expected="a tensor", found=type(value))


def batched(input: Tensor, axes: int, name: str = "input") -> tuple[Tensor, bool]:
    """The input with a batch axis, and whether it came without: (C, *axes) is (1, C, *axes)."""
    require_tensor(input, name)
    rank = len(input._value.shape)
    if rank == axes + 2:
        return input, False
    if rank != axes + 1:
        raise SuanziError(
            "wrong rank", input=name, expected=f"{axes + 2} axes, or {axes + 1} without a batch",
            found=f"{rank}: {tuple(input.shape)}",
        )  # fmt: skip
    return input.unsqueeze(0), True
