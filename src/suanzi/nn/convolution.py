"""Layers of convolution and of its transpose."""

import math
from typing import Any

from suanzi.errors import SuanziError
from suanzi.nn import functional as F  # noqa: N812  (everybody's name for it)
from suanzi.nn import init
from suanzi.nn.functional._arguments import spread
from suanzi.nn.lazy import LazyModuleMixin
from suanzi.nn.module import Module
from suanzi.nn.parameter import Parameter, UninitializedParameter
from suanzi.tensor import Tensor, empty, no_grad

PADDINGS = {"zeros": "constant", "reflect": "reflect", "replicate": "replicate",
            "circular": "circular"}  # fmt: skip


class _Conv(Module):
    """What all of them share: the arguments, a weight, a bias, and how they begin."""

    axes: int
    transposed = False

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: Any, stride: Any = 1,
        padding: Any = 0, dilation: Any = 1, groups: int = 1, bias: bool = True,
        padding_mode: str = "zeros", device: Any = None, dtype: Any = None,
    ) -> None:  # fmt: skip
        super().__init__()
        n = self.axes
        if groups < 1:
            raise SuanziError("wrong groups", input="groups", expected="1 or more", found=groups)
        for name, channels in (("in_channels", in_channels), ("out_channels", out_channels)):
            if channels % groups:
                raise SuanziError("the channels don't divide into groups", input=name,
                                  expected=f"a multiple of {groups}", found=channels)  # fmt: skip
        if padding_mode not in PADDINGS or (self.transposed and padding_mode != "zeros"):
            expected = "zeros" if self.transposed else ", ".join(PADDINGS)
            raise SuanziError("wrong padding_mode", input="padding_mode", expected=expected,
                              found=padding_mode)  # fmt: skip
        self.in_channels, self.out_channels, self.groups = in_channels, out_channels, groups
        self.kernel_size = spread(kernel_size, n, "kernel_size", 1)
        self.stride = spread(stride, n, "stride", 1)
        self.dilation = spread(dilation, n, "dilation", 1)
        self.output_padding = (0,) * n
        self.padding_mode = padding_mode
        if isinstance(padding, str):
            if padding not in ("same", "valid"):
                raise SuanziError("wrong padding", input="padding", found=padding,
                                  expected="same, valid, or sizes")  # fmt: skip
            if padding == "same" and max(self.stride) > 1:
                raise SuanziError("same padding wants a stride of 1", input="padding",
                                  expected="stride=1", found=stride)  # fmt: skip
            self.padding: Any = padding
            total = [d * (k - 1) if padding == "same" else 0
                     for d, k in zip(self.dilation, self.kernel_size, strict=True)]  # fmt: skip
            before, after = [t // 2 for t in total], [t - t // 2 for t in total]
        else:
            self.padding = spread(padding, n, "padding")
            before = after = list(self.padding)
        # As F.pad wants it: the last axis first, before and after.
        self._around = [p for b, a in zip(before[::-1], after[::-1], strict=True) for p in (b, a)]
        shape = (out_channels, in_channels // groups)
        if self.transposed:
            shape = (in_channels, out_channels // groups)
        self.weight = Parameter(empty(*shape, *self.kernel_size, device=device, dtype=dtype))
        self.bias: Parameter | None
        if bias:
            self.bias = Parameter(empty(out_channels, device=device, dtype=dtype))
        else:
            self.register_parameter("bias", None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draws the weight and the bias anew, from the range that the fan-in gives."""
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        if self.bias is not None:
            fan_in = math.prod(self.weight.shape[1:])
            if fan_in:
                init.uniform_(self.bias, -1 / math.sqrt(fan_in), 1 / math.sqrt(fan_in))

    def forward(self, input: Tensor) -> Tensor:
        """input (N, C, *sizes) or (C, *sizes)"""
        padding = self.padding
        if self.padding_mode != "zeros":
            input = F.pad(input, self._around, PADDINGS[self.padding_mode])
            padding = 0
        return self._function(input, self.weight, self.bias, self.stride, padding, self.dilation,  # type: ignore[no-any-return]
                              self.groups)  # fmt: skip

    _function: Any

    def extra_repr(self) -> str:
        parts = [f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}",
                 f"stride={self.stride}"]  # fmt: skip
        if self.padding != (0,) * self.axes:
            parts.append(f"padding={self.padding}")
        if self.dilation != (1,) * self.axes:
            parts.append(f"dilation={self.dilation}")
        if self.output_padding != (0,) * self.axes:
            parts.append(f"output_padding={self.output_padding}")
        if self.groups != 1:
            parts.append(f"groups={self.groups}")
        if self.bias is None:
            parts.append("bias=False")
        if self.padding_mode != "zeros":
            parts.append(f"padding_mode={self.padding_mode}")
        return ", ".join(parts)


class Conv1d(_Conv):
    """Slides filters along an axis: input (N, C, L) or (C, L)."""

    axes = 1
    _function = staticmethod(F.conv1d)


class Conv2d(_Conv):
    """Slides filters over two axes: input (N, C, H, W) or (C, H, W).

    >>> import suanzi
    >>> m = Conv2d(16, 33, (3, 5), stride=(2, 1), padding=(4, 2), dilation=(3, 1))
    >>> m(suanzi.randn(20, 16, 50, 100)).shape
    suanzi.Size([20, 33, 26, 100])
    """

    axes = 2
    _function = staticmethod(F.conv2d)


class Conv3d(_Conv):
    """Slides filters over three axes: input (N, C, D, H, W) or (C, D, H, W)."""

    axes = 3
    _function = staticmethod(F.conv3d)


class _ConvTranspose(_Conv):
    transposed = True

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: Any, stride: Any = 1,
        padding: Any = 0, output_padding: Any = 0, groups: int = 1, bias: bool = True,
        dilation: Any = 1, padding_mode: str = "zeros", device: Any = None, dtype: Any = None,
    ) -> None:  # fmt: skip
        if isinstance(padding, str):
            raise SuanziError("wrong padding", input="padding", expected="sizes", found=padding)
        super().__init__(
            in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias,
            padding_mode, device, dtype,
        )  # fmt: skip
        self.output_padding = spread(output_padding, self.axes, "output_padding")

    def forward(self, input: Tensor, output_size: Any = None) -> Tensor:
        """Of the sizes that a stride maps to one, `output_size` chooses (sizes, or a shape)."""
        extra = self.output_padding if output_size is None else self._extra(input, output_size)
        return self._function(input, self.weight, self.bias, self.stride, self.padding, extra,  # type: ignore[no-any-return]
                              self.groups, self.dilation)  # fmt: skip

    def _extra(self, input: Tensor, output_size: Any) -> tuple[int, ...]:
        n = self.axes
        wanted = tuple(int(s) for s in output_size)
        if len(wanted) == input.ndim:
            wanted = wanted[-n:]
        if len(wanted) != n:
            raise SuanziError("wrong output_size", input="output_size", found=tuple(output_size),
                              expected=f"{n} sizes, or {input.ndim}")  # fmt: skip
        least = [
            (size - 1) * s - 2 * p + d * (k - 1) + 1
            for size, s, p, d, k in zip(
                input.shape[-n:], self.stride, self.padding, self.dilation, self.kernel_size,
                strict=True,
            )
        ]  # fmt: skip
        most = [low + s - 1 for low, s in zip(least, self.stride, strict=True)]
        for size, low, high in zip(wanted, least, most, strict=True):
            if not low <= size <= high:
                raise SuanziError(
                    "no input of this size gives such an output", input="output_size",
                    expected=f"sizes from {least} to {most}", found=wanted,
                )  # fmt: skip
        return tuple(size - low for size, low in zip(wanted, least, strict=True))


class ConvTranspose1d(_ConvTranspose):
    """Lays down filters along an axis, weighted by the input: Conv1d's gradient."""

    axes = 1
    _function = staticmethod(F.conv_transpose1d)


class ConvTranspose2d(_ConvTranspose):
    """Lays down filters over two axes, weighted by the input: Conv2d's gradient.

    >>> import suanzi
    >>> input = suanzi.randn(1, 16, 12, 12)
    >>> downsample = Conv2d(16, 16, 3, stride=2, padding=1)
    >>> upsample = ConvTranspose2d(16, 16, 3, stride=2, padding=1)
    >>> h = downsample(input)
    >>> upsample(h, output_size=input.size()).size()
    suanzi.Size([1, 16, 12, 12])
    """

    axes = 2
    _function = staticmethod(F.conv_transpose2d)


class ConvTranspose3d(_ConvTranspose):
    """Lays down filters over three axes, weighted by the input: Conv3d's gradient."""

    axes = 3
    _function = staticmethod(F.conv_transpose3d)


class _Lazy(LazyModuleMixin, _Conv):
    """A convolution that learns its in_channels from its first input."""

    def _await(self, out_channels: int, bias: bool, dtype: Any) -> None:
        """The parameters, whose sizes are to come."""
        self.out_channels = out_channels
        self.weight = UninitializedParameter(dtype=dtype)
        if bias:
            self.bias = UninitializedParameter(dtype=dtype)

    def initialize_parameters(self, input: Tensor, *_: Any, **__: Any) -> None:
        if not self.has_uninitialized_params():
            return
        ranks = (self.axes + 1, self.axes + 2)
        if input.ndim not in ranks:
            raise SuanziError("wrong rank", input="input", found=tuple(input.shape),
                              expected=f"{ranks[0]} or {ranks[1]} axes")  # fmt: skip
        self.in_channels = int(input.shape[-self.axes - 1])
        if self.in_channels % self.groups:
            raise SuanziError("the channels don't divide into groups", input="input",
                              expected=f"a multiple of {self.groups} channels",
                              found=self.in_channels)  # fmt: skip
        shape = (self.out_channels, self.in_channels // self.groups)
        if self.transposed:
            shape = (self.in_channels, self.out_channels // self.groups)
        with no_grad():
            if isinstance(self.weight, UninitializedParameter):
                self.weight.materialize((*shape, *self.kernel_size))
            if isinstance(self.bias, UninitializedParameter):
                self.bias.materialize((self.out_channels,))
            self.reset_parameters()

    def reset_parameters(self) -> None:
        if not self.has_uninitialized_params() and self.in_channels:
            super().reset_parameters()


class _LazyConv(_Lazy):
    def __init__(
        self, out_channels: int, kernel_size: Any, stride: Any = 1, padding: Any = 0,
        dilation: Any = 1, groups: int = 1, bias: bool = True, padding_mode: str = "zeros",
        device: Any = None, dtype: Any = None,
    ) -> None:  # fmt: skip
        super().__init__(0, 0, kernel_size, stride, padding, dilation, groups, False, padding_mode,
                         device, dtype)  # fmt: skip
        self._await(out_channels, bias, dtype)


class _LazyConvTranspose(_Lazy):
    def __init__(
        self, out_channels: int, kernel_size: Any, stride: Any = 1, padding: Any = 0,
        output_padding: Any = 0, groups: int = 1, bias: bool = True, dilation: Any = 1,
        padding_mode: str = "zeros", device: Any = None, dtype: Any = None,
    ) -> None:  # fmt: skip
        super().__init__(0, 0, kernel_size, stride, padding, output_padding, groups, False,
                         dilation, padding_mode, device, dtype)  # fmt: skip
        self._await(out_channels, bias, dtype)


class LazyConv1d(_LazyConv, Conv1d):
    """A Conv1d that learns its in_channels from its first input."""

    cls_to_become = Conv1d


class LazyConv2d(_LazyConv, Conv2d):
    """A Conv2d that learns its in_channels from its first input."""

    cls_to_become = Conv2d


class LazyConv3d(_LazyConv, Conv3d):
    """A Conv3d that learns its in_channels from its first input."""

    cls_to_become = Conv3d


class LazyConvTranspose1d(_LazyConvTranspose, ConvTranspose1d):
    """A ConvTranspose1d that learns its in_channels from its first input."""

    cls_to_become = ConvTranspose1d


class LazyConvTranspose2d(_LazyConvTranspose, ConvTranspose2d):
    """A ConvTranspose2d that learns its in_channels from its first input."""

    cls_to_become = ConvTranspose2d


class LazyConvTranspose3d(_LazyConvTranspose, ConvTranspose3d):
    """A ConvTranspose3d that learns its in_channels from its first input."""

    cls_to_become = ConvTranspose3d
