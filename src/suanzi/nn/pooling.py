"""Layers of pooling: a function of nn.functional with its arguments kept."""

from typing import Any

from suanzi.nn import functional as F  # noqa: N812  (everybody's name for it)
from suanzi.nn.functional._arguments import spread
from suanzi.nn.module import Module
from suanzi.tensor import Tensor


class _MaxPool(Module):
    _function: Any

    def __init__(
        self, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1,
        return_indices: bool = False, ceil_mode: bool = False,
    ) -> None:  # fmt: skip
        super().__init__()
        self.kernel_size = kernel_size
        self.stride = stride if stride is not None else kernel_size
        self.padding, self.dilation = padding, dilation
        self.return_indices, self.ceil_mode = return_indices, ceil_mode

    def forward(self, input: Tensor) -> Any:
        """input (N, C, *sizes) or (C, *sizes)"""
        return self._function(input, self.kernel_size, self.stride, self.padding, self.dilation,
                              self.ceil_mode, self.return_indices)  # fmt: skip

    def extra_repr(self) -> str:
        return (
            f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}, "
            f"dilation={self.dilation}, ceil_mode={self.ceil_mode}"
        )


class MaxPool1d(_MaxPool):
    """The largest element that each window sees: input (N, C, L) or (C, L)."""

    _function = staticmethod(F.max_pool1d)


class MaxPool2d(_MaxPool):
    """The largest element that each window sees: input (N, C, H, W) or (C, H, W).

    >>> import suanzi
    >>> MaxPool2d((3, 2), stride=(2, 1))(suanzi.randn(20, 16, 50, 32)).shape
    suanzi.Size([20, 16, 24, 31])
    """

    _function = staticmethod(F.max_pool2d)


class MaxPool3d(_MaxPool):
    """The largest element that each window sees: input (N, C, D, H, W) or (C, D, H, W)."""

    _function = staticmethod(F.max_pool3d)


class _MaxUnpool(Module):
    axes: int
    _function: Any

    def __init__(self, kernel_size: Any, stride: Any = None, padding: Any = 0) -> None:
        super().__init__()
        self.kernel_size = spread(kernel_size, self.axes, "kernel_size", 1)
        given = kernel_size if stride is None else stride
        self.stride = spread(given, self.axes, "stride", 1)
        self.padding = spread(padding, self.axes, "padding")

    def forward(self, input: Tensor, indices: Tensor, output_size: Any = None) -> Tensor:
        """What MaxPool gave, and where it found it."""
        made: Tensor = self._function(input, indices, self.kernel_size, self.stride, self.padding,
                                      output_size)  # fmt: skip
        return made

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class MaxUnpool1d(_MaxUnpool):
    """MaxPool1d's partial inverse: the largest elements at their places, zeros elsewhere."""

    axes = 1
    _function = staticmethod(F.max_unpool1d)


class MaxUnpool2d(_MaxUnpool):
    """MaxPool2d's partial inverse: the largest elements at their places, zeros elsewhere."""

    axes = 2
    _function = staticmethod(F.max_unpool2d)


class MaxUnpool3d(_MaxUnpool):
    """MaxPool3d's partial inverse: the largest elements at their places, zeros elsewhere."""

    axes = 3
    _function = staticmethod(F.max_unpool3d)


class _AvgPool(Module):
    axes: int
    _function: Any

    def __init__(
        self, kernel_size: Any, stride: Any = None, padding: Any = 0, ceil_mode: bool = False,
        count_include_pad: bool = True, divisor_override: int | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        self.kernel_size = kernel_size
        self.stride = stride if stride is not None else kernel_size
        self.padding, self.ceil_mode = padding, ceil_mode
        self.count_include_pad, self.divisor_override = count_include_pad, divisor_override

    def forward(self, input: Tensor) -> Tensor:
        """input (N, C, *sizes) or (C, *sizes)"""
        made: Tensor = self._function(input, self.kernel_size, self.stride, self.padding,
                                      self.ceil_mode, self.count_include_pad,
                                      self.divisor_override)  # fmt: skip
        return made

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class AvgPool1d(_AvgPool):
    """The mean of what each window sees: input (N, C, L) or (C, L)."""

    def __init__(
        self, kernel_size: Any, stride: Any = None, padding: Any = 0, ceil_mode: bool = False,
        count_include_pad: bool = True,
    ) -> None:  # fmt: skip
        kernel, step, pads = (
            None if v is None else spread(v, 1, name, least)
            for v, name, least in ((kernel_size, "kernel_size", 1), (stride, "stride", 1),
                                   (padding, "padding", 0))
        )  # fmt: skip
        super().__init__(kernel, step, pads, ceil_mode, count_include_pad)

    def forward(self, input: Tensor) -> Tensor:
        return F.avg_pool1d(input, self.kernel_size, self.stride, self.padding, self.ceil_mode,
                            self.count_include_pad)  # fmt: skip


class AvgPool2d(_AvgPool):
    """The mean of what each window sees: input (N, C, H, W) or (C, H, W)."""

    _function = staticmethod(F.avg_pool2d)


class AvgPool3d(_AvgPool):
    """The mean of what each window sees: input (N, C, D, H, W) or (C, D, H, W)."""

    _function = staticmethod(F.avg_pool3d)


class _LPPool(Module):
    _function: Any

    def __init__(
        self, norm_type: float, kernel_size: Any, stride: Any = None, ceil_mode: bool = False
    ) -> None:
        super().__init__()
        self.norm_type, self.kernel_size = norm_type, kernel_size
        self.stride, self.ceil_mode = stride, ceil_mode

    def forward(self, input: Tensor) -> Tensor:
        """input (N, C, *sizes) or (C, *sizes)"""
        made: Tensor = self._function(input, float(self.norm_type), self.kernel_size, self.stride,
                                      self.ceil_mode)  # fmt: skip
        return made

    def extra_repr(self) -> str:
        return (
            f"norm_type={self.norm_type}, kernel_size={self.kernel_size}, stride={self.stride}, "
            f"ceil_mode={self.ceil_mode}"
        )


class LPPool1d(_LPPool):
    """The p-norm of what each window sees: input (N, C, L) or (C, L)."""

    _function = staticmethod(F.lp_pool1d)


class LPPool2d(_LPPool):
    """The p-norm of what each window sees: input (N, C, H, W) or (C, H, W)."""

    _function = staticmethod(F.lp_pool2d)


class LPPool3d(_LPPool):
    """The p-norm of what each window sees: input (N, C, D, H, W) or (C, D, H, W)."""

    _function = staticmethod(F.lp_pool3d)


class _FractionalMaxPool(Module):
    axes: int
    _function: Any

    def __init__(
        self, kernel_size: Any, output_size: Any = None, output_ratio: Any = None,
        return_indices: bool = False, _random_samples: Tensor | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        from suanzi.errors import SuanziError

        if (output_size is None) == (output_ratio is None):
            raise SuanziError("either output_size or output_ratio", input="output_size",
                              expected="one of the two")  # fmt: skip
        self.kernel_size = spread(kernel_size, self.axes, "kernel_size", 1)
        self.output_size = output_size
        self.output_ratio = output_ratio
        if output_ratio is not None:
            many = output_ratio if isinstance(output_ratio, tuple | list) else (output_ratio,)
            if not all(0 < r < 1 for r in many):
                raise SuanziError("wrong output_ratio", input="output_ratio",
                                  expected="between 0 and 1", found=output_ratio)  # fmt: skip
        self.return_indices = return_indices
        self.register_buffer("_random_samples", _random_samples)

    def forward(self, input: Tensor) -> Any:
        """input (N, C, *sizes) or (C, *sizes)"""
        return self._function(input, self.kernel_size, self.output_size, self.output_ratio,
                              self.return_indices, self._random_samples)  # fmt: skip


class FractionalMaxPool2d(_FractionalMaxPool):
    """The largest elements of windows that random numbers place."""

    axes = 2
    _function = staticmethod(F.fractional_max_pool2d)


class FractionalMaxPool3d(_FractionalMaxPool):
    """The largest elements of windows that random numbers place, over three axes."""

    axes = 3
    _function = staticmethod(F.fractional_max_pool3d)


class _Adaptive(Module):
    _function: Any

    def __init__(self, output_size: Any) -> None:
        super().__init__()
        self.output_size = output_size

    def forward(self, input: Tensor) -> Any:
        """input (N, C, *sizes) or (C, *sizes)"""
        return self._function(input, self.output_size)

    def extra_repr(self) -> str:
        return f"output_size={self.output_size}"


class AdaptiveAvgPool1d(_Adaptive):
    """The means of as many windows as the output has places."""

    _function = staticmethod(F.adaptive_avg_pool1d)


class AdaptiveAvgPool2d(_Adaptive):
    """The means of as many windows as the output has places; None keeps a size.

    >>> import suanzi
    >>> AdaptiveAvgPool2d((None, 7))(suanzi.randn(1, 64, 10, 9)).shape
    suanzi.Size([1, 64, 10, 7])
    """

    _function = staticmethod(F.adaptive_avg_pool2d)


class AdaptiveAvgPool3d(_Adaptive):
    """The means of as many windows as the output has places; None keeps a size."""

    _function = staticmethod(F.adaptive_avg_pool3d)


class _AdaptiveMax(_Adaptive):
    def __init__(self, output_size: Any, return_indices: bool = False) -> None:
        super().__init__(output_size)
        self.return_indices = return_indices

    def forward(self, input: Tensor) -> Any:
        """input (N, C, *sizes) or (C, *sizes)"""
        return self._function(input, self.output_size, self.return_indices)


class AdaptiveMaxPool1d(_AdaptiveMax):
    """The largest elements of as many windows as the output has places."""

    _function = staticmethod(F.adaptive_max_pool1d)


class AdaptiveMaxPool2d(_AdaptiveMax):
    """The largest elements of as many windows as the output has places; None keeps a size."""

    _function = staticmethod(F.adaptive_max_pool2d)


class AdaptiveMaxPool3d(_AdaptiveMax):
    """The largest elements of as many windows as the output has places; None keeps a size."""

    _function = staticmethod(F.adaptive_max_pool3d)
