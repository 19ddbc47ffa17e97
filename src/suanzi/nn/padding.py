"""Layers that put elements around the spatial axes, or cut them away."""

from typing import Any

from suanzi.errors import SuanziError
from suanzi.nn import functional as F  # noqa: N812  (everybody's name for it)
from suanzi.nn.module import Module
from suanzi.tensor import Tensor


class _Pad(Module):
    """One number for all ends, or two for each axis, before and after, the last axis first."""

    axes: int
    mode: str
    value: float | None = None

    def __init__(self, padding: Any) -> None:
        super().__init__()
        count = 2 * self.axes
        many = (padding,) * count if isinstance(padding, int) else tuple(padding)
        if len(many) != count:
            raise SuanziError("wrong padding", input="padding", found=padding,
                              expected=f"a whole number, or {count}")  # fmt: skip
        self.padding: tuple[int, ...] = many

    def forward(self, input: Tensor) -> Tensor:
        """input (N, C, *sizes) or (C, *sizes)"""
        return F.pad(input, self.padding, self.mode, self.value)

    def extra_repr(self) -> str:
        return f"{self.padding}"


class _ConstantPad(_Pad):
    mode = "constant"

    def __init__(self, padding: Any, value: float) -> None:
        super().__init__(padding)
        self.value = value

    def extra_repr(self) -> str:
        return f"padding={self.padding}, value={self.value}"


class ConstantPad1d(_ConstantPad):
    """Puts a value around: input (N, C, L) or (C, L)."""

    axes = 1


class ConstantPad2d(_ConstantPad):
    """Puts a value around: input (N, C, H, W) or (C, H, W)."""

    axes = 2


class ConstantPad3d(_ConstantPad):
    """Puts a value around: input (N, C, D, H, W) or (C, D, H, W)."""

    axes = 3


class ZeroPad1d(ConstantPad1d):
    """Puts zeros around: input (N, C, L) or (C, L)."""

    def __init__(self, padding: Any) -> None:
        super().__init__(padding, 0.0)

    def extra_repr(self) -> str:
        return f"{self.padding}"


class ZeroPad2d(ConstantPad2d):
    """Puts zeros around: input (N, C, H, W) or (C, H, W)."""

    def __init__(self, padding: Any) -> None:
        super().__init__(padding, 0.0)

    def extra_repr(self) -> str:
        return f"{self.padding}"


class ZeroPad3d(ConstantPad3d):
    """Puts zeros around: input (N, C, D, H, W) or (C, D, H, W)."""

    def __init__(self, padding: Any) -> None:
        super().__init__(padding, 0.0)

    def extra_repr(self) -> str:
        return f"{self.padding}"


class _ReflectionPad(_Pad):
    mode = "reflect"


class ReflectionPad1d(_ReflectionPad):
    """Mirrors the input at its ends: input (N, C, L) or (C, L)."""

    axes = 1


class ReflectionPad2d(_ReflectionPad):
    """Mirrors the input at its ends: input (N, C, H, W) or (C, H, W).

    >>> import suanzi
    >>> ReflectionPad2d((1, 1, 2, 0))(suanzi.arange(9.0).reshape(1, 1, 3, 3)).tolist()[0][0][1]
    [4.0, 3.0, 4.0, 5.0, 4.0]
    """

    axes = 2


class ReflectionPad3d(_ReflectionPad):
    """Mirrors the input at its ends: input (N, C, D, H, W) or (C, D, H, W)."""

    axes = 3


class _ReplicationPad(_Pad):
    mode = "replicate"


class ReplicationPad1d(_ReplicationPad):
    """Repeats the outermost elements: input (N, C, L) or (C, L)."""

    axes = 1


class ReplicationPad2d(_ReplicationPad):
    """Repeats the outermost elements: input (N, C, H, W) or (C, H, W)."""

    axes = 2


class ReplicationPad3d(_ReplicationPad):
    """Repeats the outermost elements: input (N, C, D, H, W) or (C, D, H, W)."""

    axes = 3


class _CircularPad(_Pad):
    mode = "circular"


class CircularPad1d(_CircularPad):
    """Goes on with the other end: input (N, C, L) or (C, L)."""

    axes = 1


class CircularPad2d(_CircularPad):
    """Goes on with the other end: input (N, C, H, W) or (C, H, W)."""

    axes = 2


class CircularPad3d(_CircularPad):
    """Goes on with the other end: input (N, C, D, H, W) or (C, D, H, W)."""

    axes = 3
