"""Pooling: windows reduced to their largest element, their mean or their norm, and back."""

import functools
import math
from typing import Any

import numpy as np

from suanzi.errors import SuanziError
from suanzi.nn.functional._arguments import batched, frozen, spread
from suanzi.operators import (
    AdaptiveAveragePool,
    AdaptiveMaxPool,
    AveragePool,
    FractionalMaxPool,
    Gather,
    GlobalAveragePool,
    LpPool,
    MaxPool,
    ScatterElements,
)  # fmt: skip
from suanzi.operators.adaptive_pooling import bins
from suanzi.tensor import Tensor, apply, leaf, rand
from suanzi.tensor.core import first
from suanzi.tensor.modes import modes


@functools.lru_cache(1024)
def _max(axes: int, kernel: Any, stride: Any, padding: Any, dilation: Any, ceil: bool) -> MaxPool:
    k = spread(kernel, axes, "kernel_size", 1)
    strides = k if stride in (None, ()) else spread(stride, axes, "stride", 1)
    pads = _pads(axes, k, padding)
    dilations = spread(dilation, axes, "dilation", 1)
    return MaxPool(kernel_shape=k, strides=strides, pads=pads, dilations=dilations,
                   ceil_mode=int(ceil))  # fmt: skip


def _pads(axes: int, kernel: tuple[int, ...], padding: Any) -> tuple[int, ...]:
    pads = spread(padding, axes, "padding")
    if any(p > k // 2 for p, k in zip(pads, kernel, strict=True)):
        raise SuanziError("too much padding", input="padding",
                          expected=f"at most half of kernel_size {kernel}", found=pads)  # fmt: skip
    return pads * 2


def _require_places(y: Tensor, input: Tensor) -> None:
    if 0 in y._value.shape[2:]:
        raise SuanziError(
            "the windows are larger than the padded input", input="kernel_size",
            expected=f"windows that fit {tuple(input.shape)}", found=f"output {tuple(y.shape)}",
        )  # fmt: skip


def _max_pool(
    axes: int, input: Tensor, kernel_size: Any, stride: Any, padding: Any, dilation: Any,
    ceil_mode: bool, return_indices: bool,
) -> Any:  # fmt: skip
    x, alone = batched(input, axes)
    operator = _max(axes, frozen(kernel_size), frozen(stride), frozen(padding),
                    frozen(dilation), ceil_mode)  # fmt: skip
    if 0 in x.shape[1:]:
        raise SuanziError("nothing to pool", input="input", expected="sizes above 0",
                          found=tuple(input.shape))  # fmt: skip
    y, places = apply(operator, x) if return_indices else (first(operator, x), None)
    _require_places(y, input)
    y = y.squeeze(0) if alone else y
    if places is None:
        return y
    within = places % math.prod(x.shape[2:])
    return y, within.squeeze(0) if alone else within


def _pool(axes: int) -> Any:
    """The functions for a number of spatial axes, with and without the places."""

    def max_pool(
        input: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1,
        ceil_mode: bool = False, return_indices: bool = False,
    ) -> Any:  # fmt: skip
        return _max_pool(axes, input, kernel_size, stride, padding, dilation, ceil_mode,
                         return_indices)  # fmt: skip

    def max_pool_with_indices(
        input: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1,
        ceil_mode: bool = False, return_indices: bool = True,
    ) -> Any:  # fmt: skip
        return _max_pool(axes, input, kernel_size, stride, padding, dilation, ceil_mode, True)

    max_pool.__name__ = f"max_pool{axes}d"
    max_pool.__doc__ = (
        "The largest element that each window sees, and where it is if return_indices: its place\n"
        "in the channel, counted flat. The stride is the window's size unless given."
    )
    max_pool_with_indices.__name__ = f"max_pool{axes}d_with_indices"
    max_pool_with_indices.__doc__ = f"`max_pool{axes}d` with return_indices."
    return max_pool, max_pool_with_indices


max_pool1d, max_pool1d_with_indices = _pool(1)
max_pool2d, max_pool2d_with_indices = _pool(2)
max_pool3d, max_pool3d_with_indices = _pool(3)


@functools.lru_cache(1024)
def _average(
    axes: int, kernel: Any, stride: Any, padding: Any, ceil: bool, include: bool
) -> AveragePool:
    k = spread(kernel, axes, "kernel_size", 1)
    strides = k if stride in (None, ()) else spread(stride, axes, "stride", 1)
    return AveragePool(kernel_shape=k, strides=strides, pads=_pads(axes, k, padding),
                       ceil_mode=int(ceil), count_include_pad=int(include))  # fmt: skip


def _average_pool(
    axes: int, input: Tensor, kernel_size: Any, stride: Any, padding: Any, ceil_mode: bool,
    count_include_pad: bool, divisor_override: int | None,
) -> Tensor:  # fmt: skip
    x, alone = batched(input, axes)
    operator = _average(axes, frozen(kernel_size), frozen(stride), frozen(padding), ceil_mode,
                        count_include_pad)  # fmt: skip
    y: Tensor = apply(operator, x)
    _require_places(y, input)
    if divisor_override is not None:
        if divisor_override == 0:
            raise SuanziError("the divisor can't be 0", input="divisor_override", found=0)
        counts = operator.counts(tuple(x._value.shape[2:])).astype(x._value.dtype)
        y = y * leaf(counts / divisor_override)
    return y.squeeze(0) if alone else y


def avg_pool1d(
    input: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0, ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Tensor:  # fmt: skip
    """The mean of what each window sees: input (N, C, L) or (C, L)."""
    return _average_pool(1, input, kernel_size, stride, padding, ceil_mode, count_include_pad,
                         None)  # fmt: skip


def avg_pool2d(
    input: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0, ceil_mode: bool = False,
    count_include_pad: bool = True, divisor_override: int | None = None,
) -> Tensor:  # fmt: skip
    """The mean of what each window sees: input (N, C, H, W) or (C, H, W)."""
    return _average_pool(2, input, kernel_size, stride, padding, ceil_mode, count_include_pad,
                         divisor_override)  # fmt: skip


def avg_pool3d(
    input: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0, ceil_mode: bool = False,
    count_include_pad: bool = True, divisor_override: int | None = None,
) -> Tensor:  # fmt: skip
    """The mean of what each window sees: input (N, C, D, H, W) or (C, D, H, W)."""
    return _average_pool(3, input, kernel_size, stride, padding, ceil_mode, count_include_pad,
                         divisor_override)  # fmt: skip


def _lp(
    axes: int, input: Tensor, norm_type: float, kernel_size: Any, stride: Any, ceil_mode: bool
) -> Tensor:
    """(Σ x^p)^(1/p), by the mean of the powers: PyTorch's, whose p may be any number."""
    if math.isinf(norm_type):
        sign = 1.0 if norm_type > 0 else -1.0
        largest: Tensor = _max_pool(
            axes, input.abs() * sign, kernel_size, stride, 0, 1, ceil_mode, False
        )
        return largest * sign
    x, alone = batched(input, axes)
    k = spread(frozen(kernel_size), axes, "kernel_size", 1)
    if norm_type > 0 and norm_type % 2 == 0 and not ceil_mode:
        strides = k if stride is None else spread(stride, axes, "stride", 1)
        y: Tensor = apply(LpPool(kernel_shape=k, strides=strides, p=int(norm_type)), x)
    else:
        means = _average_pool(axes, x**norm_type, k, stride, 0, ceil_mode, True, None)
        y = (means * math.prod(k)) ** (1.0 / norm_type)
    return y.squeeze(0) if alone else y


def lp_pool1d(
    input: Tensor, norm_type: float, kernel_size: Any, stride: Any = None, ceil_mode: bool = False
) -> Tensor:
    """The p-norm of what each window sees: input (N, C, L) or (C, L)."""
    return _lp(1, input, norm_type, kernel_size, stride, ceil_mode)


def lp_pool2d(
    input: Tensor, norm_type: float, kernel_size: Any, stride: Any = None, ceil_mode: bool = False
) -> Tensor:
    """The p-norm of what each window sees: input (N, C, H, W) or (C, H, W)."""
    return _lp(2, input, norm_type, kernel_size, stride, ceil_mode)


def lp_pool3d(
    input: Tensor, norm_type: float, kernel_size: Any, stride: Any = None, ceil_mode: bool = False
) -> Tensor:
    """The p-norm of what each window sees: input (N, C, D, H, W) or (C, D, H, W)."""
    return _lp(3, input, norm_type, kernel_size, stride, ceil_mode)


def _outputs(axes: int, output_size: Any, sizes: tuple[int, ...]) -> tuple[int, ...]:
    many = tuple(output_size) if isinstance(output_size, list | tuple) else (output_size,) * axes
    if len(many) != axes or any(
        s is not None and (not isinstance(s, int | np.integer) or s < 0) for s in many
    ):
        raise SuanziError("wrong output_size", input="output_size", found=output_size,
                          expected=f"{axes} sizes, None for the input's own")  # fmt: skip
    return tuple(s if o is None else int(o) for o, s in zip(many, sizes, strict=True))


def _adaptive_average(axes: int, input: Tensor, output_size: Any) -> Tensor:
    x, alone = batched(input, axes)
    sizes = tuple(x._value.shape[2:])
    outputs = _outputs(axes, output_size, sizes)
    if 0 in sizes:
        raise SuanziError("nothing to pool", input="input", expected="sizes above 0",
                          found=tuple(input.shape))  # fmt: skip
    if set(outputs) == {1}:
        y: Tensor = apply(GlobalAveragePool(), x)
    elif all(o and s % o == 0 for o, s in zip(outputs, sizes, strict=True)):
        window = tuple(s // o for o, s in zip(outputs, sizes, strict=True))
        y = apply(_average(axes, window, None, 0, False, True), x)
    else:
        y = apply(AdaptiveAveragePool(output_size=outputs), x)
    return y.squeeze(0) if alone else y


def adaptive_avg_pool1d(input: Tensor, output_size: Any) -> Tensor:
    """The means of as many windows as the output has places: input (N, C, L) or (C, L)."""
    return _adaptive_average(1, input, output_size)


def adaptive_avg_pool2d(input: Tensor, output_size: Any) -> Tensor:
    """The means of as many windows as the output has places; None keeps a size."""
    return _adaptive_average(2, input, output_size)


def adaptive_avg_pool3d(input: Tensor, output_size: Any) -> Tensor:
    """The means of as many windows as the output has places; None keeps a size."""
    return _adaptive_average(3, input, output_size)


@functools.lru_cache(1024)
def _windows(size: int, output: int) -> tuple[int, Any]:
    """Adaptive windows along an axis as windows that are alike: their size, and the places of the
    elements that they see, the last one again where one is shorter; None: they are as they lie.
    """
    starts, ends = bins(size, output)
    longest = int((ends - starts).max())
    places = np.minimum(starts[:, None] + np.arange(longest), ends[:, None] - 1)
    return longest, None if size % output == 0 else places.reshape(-1)


def _largest(x: Tensor, sizes: tuple[int, ...], outputs: tuple[int, ...]) -> Tensor:
    """Adaptive pooling where nobody asks for the places."""
    window = []
    for axis, (size, output) in enumerate(zip(sizes, outputs, strict=True), 2):
        longest, places = _windows(size, output)
        if places is not None:
            x = apply(Gather(axis=axis), x, places)
        window.append(longest)
    return first(_max(len(sizes), tuple(window), None, 0, 1, False), x)


def _adaptive_max(axes: int, input: Tensor, output_size: Any, return_indices: bool) -> Any:
    x, alone = batched(input, axes)
    if 0 in x.shape[2:]:
        raise SuanziError("nothing to pool", input="input", expected="sizes above 0",
                          found=tuple(input.shape))  # fmt: skip
    sizes = tuple(x._value.shape[2:])
    outputs = _outputs(axes, output_size, sizes)
    if not return_indices and 0 not in outputs:
        recorded = modes.trace is not None or (modes.grad and x.requires_grad)
        pool = AdaptiveMaxPool(output_size=outputs)
        largest = _largest(x, sizes, outputs) if recorded else first(pool, x)
        return largest.squeeze(0) if alone else largest
    y, places = apply(AdaptiveMaxPool(output_size=outputs), x)
    if alone:
        y, places = y.squeeze(0), places.squeeze(0)
    return (y, places) if return_indices else y


def adaptive_max_pool1d(input: Tensor, output_size: Any, return_indices: bool = False) -> Any:
    """The largest elements of as many windows as the output has places, and where they are."""
    return _adaptive_max(1, input, output_size, return_indices)


def adaptive_max_pool2d(input: Tensor, output_size: Any, return_indices: bool = False) -> Any:
    """The largest elements of as many windows as the output has places, and where they are."""
    return _adaptive_max(2, input, output_size, return_indices)


def adaptive_max_pool3d(input: Tensor, output_size: Any, return_indices: bool = False) -> Any:
    """The largest elements of as many windows as the output has places, and where they are."""
    return _adaptive_max(3, input, output_size, return_indices)


adaptive_max_pool1d_with_indices = functools.partial(adaptive_max_pool1d, return_indices=True)
adaptive_max_pool2d_with_indices = functools.partial(adaptive_max_pool2d, return_indices=True)
adaptive_max_pool3d_with_indices = functools.partial(adaptive_max_pool3d, return_indices=True)


def _fractional(
    axes: int, input: Tensor, kernel_size: Any, output_size: Any, output_ratio: Any,
    return_indices: bool, samples: Tensor | None,
) -> Any:  # fmt: skip
    if (output_size is None) == (output_ratio is None):
        raise SuanziError("either output_size or output_ratio", input="output_size",
                          expected="one of the two", found=(output_size, output_ratio))  # fmt: skip
    x, alone = batched(input, axes)
    if output_size is None:
        ratios = output_ratio if isinstance(output_ratio, list | tuple) else [output_ratio] * axes
        if any(not 0 < r < 1 for r in ratios):
            raise SuanziError("wrong output_ratio", input="output_ratio",
                              expected="between 0 and 1", found=output_ratio)  # fmt: skip
        output_size = tuple(int(s * r) for s, r in zip(x.shape[2:], ratios, strict=True))
    outputs = spread(frozen(output_size), axes, "output_size", 1)
    if samples is None:
        samples = rand(*x.shape[:2], axes, dtype=x.dtype)
    elif samples.dtype is not x.dtype:
        raise SuanziError("wrong type", input="_random_samples", expected=x.dtype,
                          found=samples.dtype)  # fmt: skip
    elif alone:  # of what PyTorch was given for a batch it takes the first
        samples = samples[:1]
    kernel = spread(frozen(kernel_size), axes, "kernel_size", 1)
    y, places = apply(FractionalMaxPool(kernel_shape=kernel, output_size=outputs), x, samples)
    if alone:
        y, places = y.squeeze(0), places.squeeze(0)
    return (y, places) if return_indices else y


def fractional_max_pool2d(
    input: Tensor, kernel_size: Any, output_size: Any = None, output_ratio: Any = None,
    return_indices: bool = False, _random_samples: Tensor | None = None,
) -> Any:  # fmt: skip
    """The largest elements of windows that random numbers place."""
    return _fractional(2, input, kernel_size, output_size, output_ratio, return_indices,
                       _random_samples)  # fmt: skip


def fractional_max_pool3d(
    input: Tensor, kernel_size: Any, output_size: Any = None, output_ratio: Any = None,
    return_indices: bool = False, _random_samples: Tensor | None = None,
) -> Any:  # fmt: skip
    """The largest elements of windows that random numbers place."""
    return _fractional(3, input, kernel_size, output_size, output_ratio, return_indices,
                       _random_samples)  # fmt: skip


fractional_max_pool2d_with_indices = functools.partial(fractional_max_pool2d, return_indices=True)
fractional_max_pool3d_with_indices = functools.partial(fractional_max_pool3d, return_indices=True)


def _unpool(
    axes: int, input: Tensor, indices: Tensor, kernel_size: Any, stride: Any, padding: Any,
    output_size: Any,
) -> Tensor:  # fmt: skip
    x, alone = batched(input, axes)
    at, _ = batched(indices, axes, "indices")
    if at.shape != x.shape:
        raise SuanziError("the places aren't the input's", input="indices",
                          expected=tuple(input.shape), found=tuple(indices.shape))  # fmt: skip
    k = spread(frozen(kernel_size), axes, "kernel_size", 1)
    strides = k if stride in (None, ()) else spread(frozen(stride), axes, "stride", 1)
    pads = spread(frozen(padding), axes, "padding")
    usual = tuple(
        (size - 1) * s + n - 2 * p
        for size, s, n, p in zip(x.shape[2:], strides, k, pads, strict=True)
    )
    sizes = usual
    if output_size is not None:
        sizes = tuple(int(s) for s in tuple(output_size)[-axes:])
        near = all(abs(s - u) < w for s, u, w in zip(sizes, usual, strides, strict=True))
        if len(tuple(output_size)) not in (axes, axes + 1, axes + 2) or not near:
            raise SuanziError("wrong output_size", input="output_size",
                              expected=f"less than the stride away from {usual}",
                              found=tuple(output_size))  # fmt: skip
    N, C = x.shape[:2]
    room = math.prod(sizes)
    flat = at.reshape(N * C, -1)
    known = flat._value
    if type(known) is np.ndarray and known.size and not 0 <= known.min() <= known.max() < room:
        raise SuanziError("a place is outside of the output", input="indices",
                          expected=f"from 0 to {room - 1}", found=int(known.max()))  # fmt: skip
    empty = leaf(np.zeros((N * C, room), x._value.dtype))
    y = apply(ScatterElements(axis=1), empty, flat, x.reshape(N * C, -1))
    y = y.reshape(N, C, *sizes)
    return y.squeeze(0) if alone else y  # type: ignore[no-any-return]


def max_unpool1d(
    input: Tensor, indices: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0,
    output_size: Any = None,
) -> Tensor:  # fmt: skip
    """Puts each element at its place in a larger output of zeros: max_pool1d's partial inverse."""
    return _unpool(1, input, indices, kernel_size, stride, padding, output_size)


def max_unpool2d(
    input: Tensor, indices: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0,
    output_size: Any = None,
) -> Tensor:  # fmt: skip
    """Puts each element at its place in a larger output of zeros: max_pool2d's partial inverse."""
    return _unpool(2, input, indices, kernel_size, stride, padding, output_size)


def max_unpool3d(
    input: Tensor, indices: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0,
    output_size: Any = None,
) -> Tensor:  # fmt: skip
    """Puts each element at its place in a larger output of zeros: max_pool3d's partial inverse."""
    return _unpool(3, input, indices, kernel_size, stride, padding, output_size)
