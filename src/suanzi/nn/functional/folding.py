"""Pictures cut into the blocks that a sliding window sees, and put together of them."""

import functools
import math
from typing import Any

import numpy as np

from suanzi.errors import SuanziError
from suanzi.nn.functional._arguments import batched, frozen, spread
from suanzi.operators import Col2Im, Unfold
from suanzi.tensor import Tensor, apply

Four = tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...], tuple[int, ...]]


def _window(kernel_size: Any, dilation: Any, padding: Any, stride: Any) -> Four:
    return (
        spread(kernel_size, 2, "kernel_size", 1), spread(dilation, 2, "dilation", 1),
        spread(padding, 2, "padding"), spread(stride, 2, "stride", 1),
    )  # fmt: skip


def _places(sizes: Any, window: Four, name: str) -> tuple[int, ...]:
    """How many places the window has along each axis, each at least one."""
    made = tuple(
        (size + 2 * p - d * (k - 1) - 1) // s + 1
        for size, k, d, p, s in zip(sizes, *window, strict=True)
    )
    if min(made) < 1:
        raise SuanziError("no window fits", input=name, found=tuple(sizes),
                          expected=f"sizes that a window of {window[0]} fits")  # fmt: skip
    return made


@functools.lru_cache(256)
def _unfold(window: Four) -> Unfold:
    kernel, dilations, pads, strides = window
    return Unfold(kernel_shape=kernel, dilations=dilations, pads=pads * 2, strides=strides)


def unfold(
    input: Tensor, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1
) -> Tensor:
    """(N, C, H, W) to (N, C·Π kernel_size, L): a column of what the window sees at each place.

    >>> import suanzi
    >>> unfold(suanzi.ones(1, 2, 4, 4), (2, 3)).shape
    suanzi.Size([1, 12, 6])
    """
    x, alone = batched(input, 2)
    window = _window(kernel_size, dilation, padding, stride)
    if 0 in x.shape[1:]:
        raise SuanziError("nothing to unfold", input="input", expected="sizes above 0",
                          found=tuple(input.shape))  # fmt: skip
    _places(x.shape[2:], window, "input")
    y = apply(_unfold(window), x)
    return y.squeeze(0) if alone else y  # type: ignore[no-any-return]


def fold(
    input: Tensor, output_size: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0,
    stride: Any = 1,
) -> Tensor:  # fmt: skip
    """(N, C·Π kernel_size, L) to (N, C, *output_size): the blocks laid down and added up."""
    x, alone = batched(input, 1)
    window = _window(kernel_size, dilation, padding, stride)
    kernel, dilations, pads, strides = window
    sizes = spread(frozen(output_size), 2, "output_size", 1)
    block = math.prod(kernel)
    if x.shape[1] % block or not x.shape[1]:
        raise SuanziError("the rows don't make blocks", input="input", found=tuple(input.shape),
                          expected=f"a multiple of {block} rows")  # fmt: skip
    places = math.prod(_places(sizes, window, "output_size"))
    if x.shape[2] != places:
        raise SuanziError("wrong number of blocks", input="input", found=tuple(input.shape),
                          expected=f"{places} columns, for output_size {sizes}")  # fmt: skip
    operator = Col2Im(dilations=dilations, pads=pads * 2, strides=strides)
    y = apply(operator, x, np.array(sizes), np.array(kernel))
    return y.squeeze(0) if alone else y  # type: ignore[no-any-return]
