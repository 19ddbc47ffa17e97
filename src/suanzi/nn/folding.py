"""Layers that cut pictures into blocks, and put blocks together."""

from typing import Any

from suanzi.nn import functional as F  # noqa: N812  (everybody's name for it)
from suanzi.nn.module import Module
from suanzi.tensor import Tensor


class Unfold(Module):
    """(N, C, H, W) to (N, C·Π kernel_size, L): a column of what the window sees at each place.

    >>> import suanzi
    >>> Unfold(kernel_size=(2, 3))(suanzi.randn(2, 5, 3, 4)).size()
    suanzi.Size([2, 30, 4])
    """

    def __init__(
        self, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1
    ) -> None:
        super().__init__()
        self.kernel_size, self.dilation = kernel_size, dilation
        self.padding, self.stride = padding, stride

    def forward(self, input: Tensor) -> Tensor:
        return F.unfold(input, self.kernel_size, self.dilation, self.padding, self.stride)

    def extra_repr(self) -> str:
        return (
            f"kernel_size={self.kernel_size}, dilation={self.dilation}, padding={self.padding}, "
            f"stride={self.stride}"
        )


class Fold(Module):
    """(N, C·Π kernel_size, L) to (N, C, *output_size): the blocks laid down and added up.

    >>> import suanzi
    >>> Fold(output_size=(4, 5), kernel_size=(2, 2))(suanzi.randn(1, 3 * 2 * 2, 12)).size()
    suanzi.Size([1, 3, 4, 5])
    """

    def __init__(
        self, output_size: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0,
        stride: Any = 1,
    ) -> None:  # fmt: skip
        super().__init__()
        self.output_size, self.kernel_size = output_size, kernel_size
        self.dilation, self.padding, self.stride = dilation, padding, stride

    def forward(self, input: Tensor) -> Tensor:
        return F.fold(input, self.output_size, self.kernel_size, self.dilation, self.padding,
                      self.stride)  # fmt: skip

    def extra_repr(self) -> str:
        return (
            f"output_size={self.output_size}, kernel_size={self.kernel_size}, "
            f"dilation={self.dilation}, padding={self.padding}, stride={self.stride}"
        )
