"""Convolution and its transpose."""

import functools
from typing import Any

from suanzi.errors import SuanziError
from suanzi.nn.functional._arguments import batched, frozen, require_tensor, spread
from suanzi.operators import Conv, ConvTranspose
from suanzi.tensor import Tensor, apply

NAMES = {"X": "input", "W": "weight", "B": "bias"}


@functools.lru_cache(1024)
def _conv(
    axes: int, stride: Any, padding: Any, dilation: Any, groups: int, sizes: tuple[int, ...]
) -> Conv:
    """The operator with these arguments for a kernel of these sizes."""
    strides = spread(stride, axes, "stride", 1)
    dilations = spread(dilation, axes, "dilation", 1)
    if isinstance(padding, str):
        if padding not in ("same", "valid"):
            raise SuanziError("wrong padding", input="padding", expected="same or valid, or sizes",
                              found=padding)  # fmt: skip
        if padding == "same" and max(strides) > 1:
            raise SuanziError("same padding wants a stride of 1", input="padding", found=stride)
        total = [d * (k - 1) if padding == "same" else 0
                 for d, k in zip(dilations, sizes, strict=True)]  # fmt: skip
        pads = (*(t // 2 for t in total), *(t - t // 2 for t in total))
    else:
        pads = spread(padding, axes, "padding") * 2
    return Conv(strides=strides, pads=pads, dilations=dilations, group=groups)


def _check(weight: Tensor, input: Tensor, axes: int, groups: int) -> None:
    require_tensor(weight, "weight")
    if weight.ndim != axes + 2:
        raise SuanziError("wrong rank", input="weight", expected=f"{axes + 2} axes",
                          found=tuple(weight.shape))  # fmt: skip
    if not isinstance(groups, int) or groups < 1:
        raise SuanziError("wrong groups", input="groups", expected="1 or more", found=groups)
    if weight._value.dtype != input._value.dtype:
        raise SuanziError("input and weight differ in type", input="weight", expected=input.dtype,
                          found=weight.dtype)  # fmt: skip


def _convolve(
    axes: int, input: Tensor, weight: Tensor, bias: Tensor | None, stride: Any, padding: Any,
    dilation: Any, groups: int,
) -> Tensor:  # fmt: skip
    x, alone = batched(input, axes)
    _check(weight, x, axes, groups)
    channels = weight.shape[1] * groups
    if x.shape[1] != channels:
        raise SuanziError(
            "the input's channels don't fit the weight", input="input",
            expected=f"{channels} channels (weight {tuple(weight.shape)}, groups {groups})",
            found=f"{x.shape[1]}: {tuple(input.shape)}",
        )  # fmt: skip
    operator = _conv(axes, frozen(stride), frozen(padding), frozen(dilation), groups,
                     tuple(weight._value.shape[2:]))  # fmt: skip
    try:
        y: Tensor = apply(operator, x, weight, *(() if bias is None else (bias,)))
    except SuanziError as error:
        error.input = NAMES.get(error.input or "", error.input)
        raise
    return y.squeeze(0) if alone else y


def conv1d(
    input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Any = 1, padding: Any = 0,
    dilation: Any = 1, groups: int = 1,
) -> Tensor:  # fmt: skip
    """Slides each filter along the input and sums the products.

    input (N, C, L) or (C, L), weight (M, C/groups, k), bias (M); padding also "same", "valid".
    """
    return _convolve(1, input, weight, bias, stride, padding, dilation, groups)


def conv2d(
    input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Any = 1, padding: Any = 0,
    dilation: Any = 1, groups: int = 1,
) -> Tensor:  # fmt: skip
    """Slides each filter over the input and sums the products.

    input (N, C, H, W) or (C, H, W), weight (M, C/groups, kh, kw), bias (M); padding also "same",
    "valid".

    >>> import suanzi
    >>> conv2d(suanzi.ones(1, 1, 3, 3), suanzi.ones(1, 1, 2, 2)).tolist()
    [[[[4.0, 4.0], [4.0, 4.0]]]]
    """
    return _convolve(2, input, weight, bias, stride, padding, dilation, groups)


def conv3d(
    input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Any = 1, padding: Any = 0,
    dilation: Any = 1, groups: int = 1,
) -> Tensor:  # fmt: skip
    """As conv2d over three axes: input (N, C, D, H, W), weight (M, C/groups, kd, kh, kw)."""
    return _convolve(3, input, weight, bias, stride, padding, dilation, groups)


def conv_tbc(input: Tensor, weight: Tensor, bias: Tensor, pad: int = 0) -> Tensor:
    """conv1d of an input (L, N, C) with a weight (k, C, M): channels last, the batch in between."""
    require_tensor(weight, "weight")
    x, w = input.permute(1, 2, 0), weight.permute(2, 1, 0)
    return conv1d(x, w, bias, padding=pad).permute(2, 0, 1)  # type: ignore[no-any-return]


@functools.lru_cache(1024)
def _transposed(
    axes: int, stride: Any, padding: Any, output_padding: Any, groups: int, dilation: Any
) -> ConvTranspose:
    strides = spread(stride, axes, "stride", 1)
    dilations = spread(dilation, axes, "dilation", 1)
    extra = spread(output_padding, axes, "output_padding")
    for e, s, d in zip(extra, strides, dilations, strict=True):
        if e >= max(s, d):
            raise SuanziError(
                "wrong output_padding", input="output_padding",
                expected="less than the stride or the dilation", found=output_padding,
            )  # fmt: skip
    pads = spread(padding, axes, "padding") * 2
    return ConvTranspose(
        strides=strides, pads=pads, dilations=dilations, group=groups, output_padding=extra
    )


def _transpose(
    axes: int, input: Tensor, weight: Tensor, bias: Tensor | None, stride: Any, padding: Any,
    output_padding: Any, groups: int, dilation: Any,
) -> Tensor:  # fmt: skip
    x, alone = batched(input, axes)
    _check(weight, x, axes, groups)
    if x.shape[1] != weight.shape[0]:
        raise SuanziError(
            "the input's channels don't fit the weight", input="input",
            expected=f"{weight.shape[0]} channels (weight {tuple(weight.shape)})",
            found=f"{x.shape[1]}: {tuple(input.shape)}",
        )  # fmt: skip
    operator = _transposed(
        axes, frozen(stride), frozen(padding), frozen(output_padding), groups, frozen(dilation)
    )
    try:
        y: Tensor = apply(operator, x, weight, *(() if bias is None else (bias,)))
    except SuanziError as error:
        error.input = NAMES.get(error.input or "", error.input)
        raise
    return y.squeeze(0) if alone else y


def conv_transpose1d(
    input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Any = 1, padding: Any = 0,
    output_padding: Any = 0, groups: int = 1, dilation: Any = 1,
) -> Tensor:  # fmt: skip
    """Lays down each filter, times the input's element, at each place: conv1d's gradient.

    input (N, C, L) or (C, L), weight (C, M/groups, k), bias (M).
    """
    return _transpose(1, input, weight, bias, stride, padding, output_padding, groups, dilation)


def conv_transpose2d(
    input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Any = 1, padding: Any = 0,
    output_padding: Any = 0, groups: int = 1, dilation: Any = 1,
) -> Tensor:  # fmt: skip
    """Lays down each filter, times the input's element, at each place: conv2d's gradient.

    input (N, C, H, W) or (C, H, W), weight (C, M/groups, kh, kw), bias (M).
    """
    return _transpose(2, input, weight, bias, stride, padding, output_padding, groups, dilation)


def conv_transpose3d(
    input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Any = 1, padding: Any = 0,
    output_padding: Any = 0, groups: int = 1, dilation: Any = 1,
) -> Tensor:  # fmt: skip
    """As conv_transpose2d over three axes."""
    return _transpose(3, input, weight, bias, stride, padding, output_padding, groups, dilation)
