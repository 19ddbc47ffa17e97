"""Windows that slide over spatial axes: what convolution and pooling share."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, Self

import numpy as np

from suanzi.errors import SuanziError
from suanzi.operators._operator import Array, Dim, Ints, Operator, require


class Axis(NamedTuple):
    """How a window of `kernel` elements slides along one axis."""

    kernel: int
    stride: int
    dilation: int
    begin: int  # padding before the first element
    end: int  # padding after the last

    @property
    def extent(self) -> int:
        """From the window's first element to its last."""
        return (self.kernel - 1) * self.dilation + 1


def overlap_add(stamps: Array, axes: Sequence[Axis], output: Ints) -> Array:
    """Y [N, C, *output]: stamps [N, C, *kernel, *places] laid down where each window lies, added
    up; the padding is cut off.
    """
    n, kernel = len(axes), tuple(a.kernel for a in axes)
    places = stamps.shape[2 + n :]
    whole = [o + a.begin + a.end for o, a in zip(output, axes, strict=True)]
    Y = np.zeros((*stamps.shape[:2], *whole), stamps.dtype)
    for taps in np.ndindex(*kernel):
        starts = [u * a.dilation for u, a in zip(taps, axes, strict=True)]
        ends = [i + z * a.stride for i, z, a in zip(starts, places, axes, strict=True)]
        seen = map(slice, starts, ends, (a.stride for a in axes))
        Y[:, :, *seen] += stamps[:, :, *taps]
    return Y[:, :, *(slice(a.begin, a.begin + o) for o, a in zip(output, axes, strict=True))]


@dataclass(frozen=True, kw_only=True)
class Windowed(Operator):
    """The attributes of a sliding window, as ONNX names them, one number for each spatial axis.

    `pads` are explicit unless `auto_pad` is VALID (none) or SAME_UPPER or SAME_LOWER (as many
    as make the output size ⌈size / stride⌉, the odd one at the end or at the beginning).
    """

    kernel_shape: Ints | None
    auto_pad: str = "NOTSET"
    strides: Ints | None = None
    pads: Ints | None = None
    dilations: Ints | None = None

    def explicit(self, sizes: Ints, kernel: Ints | None = None) -> Self:
        """The same operator with auto_pad, defaults and kernel_shape spelt out.

        `sizes` are the input's along its spatial axes; `kernel` is the window's shape where the
        attribute doesn't give it.
        """
        axes = self.axes(len(sizes), kernel)
        if self.auto_pad.startswith("SAME"):
            axes = [self._padded_same(a, size) for a, size in zip(axes, sizes, strict=True)]
        return self.over(axes)

    def over(self, axes: Sequence[Axis]) -> Self:
        """The operator with its windows given so, one for each spatial axis."""
        return replace(
            self,
            auto_pad="NOTSET",
            kernel_shape=tuple(a.kernel for a in axes),
            strides=tuple(a.stride for a in axes),
            dilations=tuple(a.dilation for a in axes),
            pads=tuple(a.begin for a in axes) + tuple(a.end for a in axes),
        )

    def axes(self, n: int, kernel: Ints | None = None) -> list[Axis]:
        """The window along each of n axes; 0 padding for SAME, which depends on the sizes."""
        padded = self.auto_pad == "NOTSET" and self.pads is not None
        pads = self._numbers("pads", 2 * n, 0) if padded else (0,) * (2 * n)
        shape = kernel if self.kernel_shape is None else self._numbers("kernel_shape", n, 1)
        if self.auto_pad not in ("NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER"):
            raise SuanziError("no such auto_pad", found=self.auto_pad)
        if shape is None:
            raise SuanziError("the window's shape must be known here")
        numbers = (shape, self._numbers("strides", n, 1), self._numbers("dilations", n, 1))
        return [Axis(*a) for a in zip(*numbers, pads[:n], pads[n:], strict=True)]

    def _numbers(self, name: str, count: int, least: int) -> Ints:
        """The attribute, checked; left out, `least` (which is ONNX's default) everywhere."""
        numbers = getattr(self, name)
        if numbers is None:
            return (least,) * count
        if len(numbers) != count or min(numbers) < least:
            expected = f"{count} numbers of at least {least}"
            raise SuanziError(f"wrong {name}", expected=expected, found=list(numbers))
        return tuple(numbers)

    def _padded_same(self, axis: Axis, size: int) -> Axis:
        output = -(-size // axis.stride)
        total = max(0, (output - 1) * axis.stride + axis.extent - size)
        return self.split(axis, total, more_at_end=self.auto_pad == "SAME_UPPER")

    @staticmethod
    def split(axis: Axis, total: int, more_at_end: bool) -> Axis:
        """The axis with so much padding in all, in two halves as even as can be."""
        begin = total // 2 if more_at_end else total - total // 2
        return axis._replace(begin=begin, end=total - begin)

    def output_sizes(self, sizes: Sequence[Dim], kernel: Ints | None = None) -> tuple[Dim, ...]:
        """How many places the window has along each axis; a symbol stays where sizes do."""
        return tuple(map(self._output_size, sizes, self.axes(len(sizes), kernel)))

    def places(self, sizes: Ints, kernel: Ints | None = None) -> Ints:
        """`output_sizes` of known sizes, which are all known."""
        return tuple(o for o in self.output_sizes(sizes, kernel) if isinstance(o, int))

    def _output_size(self, size: Dim, axis: Axis) -> Dim:
        same = self.auto_pad.startswith("SAME")
        if not isinstance(size, int):
            kept = same or axis.begin + axis.end == axis.extent - 1
            return size if kept and axis.stride == 1 else None
        if same:
            return -(-size // axis.stride)
        room = size + axis.begin + axis.end - axis.extent
        expected = f"at least {axis.extent - axis.begin - axis.end} along each axis"
        require(room >= 0, "the window is larger than the padded input", "X", expected, size)
        return self._steps(room, size, axis)

    def _steps(self, room: int, size: int, axis: Axis) -> int:
        """How many steps fit where the window can move by `room` elements: ⌊room/stride⌋ + 1."""
        return room // axis.stride + 1

    def reach(self, sizes: Ints, kernel: Ints | None = None) -> list[Axis]:
        """The axes, padded as far as any window reaches: in ceil_mode the last may reach beyond
        the padding.
        """
        op = self.explicit(sizes, kernel)
        return [
            a._replace(end=max(a.end, (places - 1) * a.stride + a.extent - size - a.begin))
            for a, places, size in zip(op.axes(len(sizes)), op.places(sizes), sizes, strict=True)
        ]

    def windows(self, X: Array, fill: float, kernel: Ints | None = None) -> Array:
        """Every window of X as a view [N, C, *output, *kernel], the padding filled."""
        n = X.ndim - 2
        axes, output = self.reach(X.shape[2:], kernel), self.places(X.shape[2:], kernel)
        pads = [(0, 0), (0, 0), *((a.begin, a.end) for a in axes)]
        padded = np.pad(X, pads, constant_values=X.dtype.type(fill))
        extents = tuple(a.extent for a in axes)
        view = np.lib.stride_tricks.sliding_window_view(padded, extents, tuple(range(2, 2 + n)))
        steps = [slice(None, None, a.stride) for a in axes]
        taps = [slice(None, None, a.dilation) for a in axes]
        view = view[(slice(None), slice(None), *steps, *taps)]
        return view[(slice(None), slice(None), *(slice(o) for o in output))]
