"""Normalizations: what each takes its mean and variance over is all that differs."""

import functools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from suanzi.errors import SuanziError
from suanzi.nn.functional._arguments import require_tensor
from suanzi.operators import (
    LRN,
    BatchNormalization,
    GroupNormalization,
    InstanceNormalization,
    LayerNormalization,
    RMSNormalization,
)  # fmt: skip
from suanzi.tensor import Tensor, apply, finfo, leaf, no_grad
from suanzi.tensor.autograd import root
from suanzi.tensor.core import first
from suanzi.tensor.modes import modes

STASH = {np.dtype(np.float64): 11}
"""ONNX's number of the type to compute in, where it isn't float32."""

_batch = functools.lru_cache(64)(BatchNormalization)
_group = functools.lru_cache(64)(GroupNormalization)
_layer = functools.lru_cache(64)(LayerNormalization)
_rms = functools.lru_cache(64)(RMSNormalization)
_instance = functools.lru_cache(64)(InstanceNormalization)


@functools.lru_cache(256)
def _filled(
    value: float, shape: int | tuple[int, ...], dtype: np.dtype[Any]
) -> np.ndarray[Any, Any]:
    made = np.full(shape, value, dtype)
    made.flags.writeable = False
    return made


def _of_channels(given: Tensor | None, value: float, count: int, input: Tensor, name: str) -> Any:
    """A number for each channel: as given, or this value throughout."""
    if given is None:
        return leaf(_filled(value, count, input._value.dtype))
    if given._value.shape != (count,):
        raise SuanziError("wrong size", input=name, expected=f"{count}, one for each channel",
                          found=tuple(given.shape))  # fmt: skip
    return given


def _positive(eps: float) -> None:
    if eps <= 0:
        raise SuanziError("wrong eps", input="eps", expected="above 0", found=eps)


def batch_norm(
    input: Tensor, running_mean: Tensor | None, running_var: Tensor | None,
    weight: Tensor | None = None, bias: Tensor | None = None, training: bool = False,
    momentum: float | None = 0.1, eps: float = 1e-5,
) -> Tensor:  # fmt: skip
    """Each channel less its mean, over its standard deviation, times weight plus bias.

    In training they are the batch's, and the running ones move towards them by the momentum (the
    variance unbiased); else they are the running ones.
    """
    require_tensor(input)
    _positive(eps)
    sizes = input._value.shape
    if len(sizes) < 2:
        if not input.numel():
            return input.clone()  # type: ignore[no-any-return]
        raise SuanziError("wrong rank", input="input", expected="at least 2 axes",
                          found=tuple(input.shape))  # fmt: skip
    C = sizes[1]
    count = math.prod(sizes) // C if C else 0
    if training and count == 1:
        raise SuanziError(
            "one value for each channel has no variance to train with", input="input",
            expected="more than 1 value per channel", found=tuple(input.shape),
        )  # fmt: skip
    scale = _of_channels(weight, 1.0, C, input, "weight")
    shift = _of_channels(bias, 0.0, C, input, "bias")
    if not training:
        if running_mean is None or running_var is None:
            raise SuanziError("evaluation wants the running statistics", input="running_mean",
                              expected=f"a tensor of {C}", found="None")  # fmt: skip
        mean = _of_channels(running_mean, 0.0, C, input, "running_mean")
        var = _of_channels(running_var, 1.0, C, input, "running_var")
        return apply(_batch(epsilon=float(eps)), input, scale, shift, mean, var)  # type: ignore[no-any-return]
    if not count:  # no statistics, and no places for them
        across = (1, C, *[1] * (len(sizes) - 2))
        return input * scale.reshape(across) + shift.reshape(across)  # type: ignore[no-any-return]
    # ONNX's momentum is what stays of the old: with 0 the outputs are the batch's own statistics.
    operator = _batch(epsilon=float(eps), momentum=0.0, training_mode=1)
    kind = input._value.dtype
    zeros, ones = leaf(_filled(0.0, C, kind)), leaf(_filled(1.0, C, kind))
    y, mean, var = apply(operator, input, scale, shift, zeros, ones)
    step = 0.0 if momentum is None else momentum
    if running_mean is not None:
        _of_channels(running_mean, 0.0, C, input, "running_mean")
        _move(running_mean, mean, step, 1.0)
    if running_var is not None:
        _of_channels(running_var, 1.0, C, input, "running_var")
        _move(running_var, var, step, count / max(1, count - 1))
    return y  # type: ignore[no-any-return]


def counted(batches: Tensor) -> None:
    """One batch more, in place."""
    if modes.trace is None:
        memory = root(batches)
        batches._value += 1
        memory._version += 1
    else:
        with no_grad():
            batches.add_(1)


def _move(running: Tensor, found: Tensor, step: Any, factor: float) -> None:
    """running = running · (1 - step) + found · factor · step"""
    if modes.trace is None and isinstance(step, float):  # a few small numbers: NumPy at once
        memory = root(running)
        np.multiply(running._value, 1 - step, out=running._value)
        running._value += found._value * (step * factor)
        memory._version += 1
    else:
        with no_grad():
            running._write(running * (1 - step) + found.detach() * (step * factor))


def instance_norm(
    input: Tensor, running_mean: Tensor | None = None, running_var: Tensor | None = None,
    weight: Tensor | None = None, bias: Tensor | None = None, use_input_stats: bool = True,
    momentum: float = 0.1, eps: float = 1e-5,
) -> Tensor:  # fmt: skip
    """Each channel of each sample by its own mean and variance; else by the running ones."""
    require_tensor(input)
    if input.ndim < 3:
        raise SuanziError("wrong rank", input="input", expected="at least 3 axes",
                          found=tuple(input.shape))  # fmt: skip
    N, C = input.shape[:2]
    if not use_input_stats:
        return batch_norm(input, running_mean, running_var, weight, bias, False, momentum, eps)
    count = input.numel() // max(1, N * C)
    if count == 1:
        raise SuanziError(
            "one value for each channel has no variance to train with", input="input",
            expected="more than 1 spatial element", found=tuple(input.shape),
        )  # fmt: skip
    scale = _of_channels(weight, 1.0, C, input, "weight")
    shift = _of_channels(bias, 0.0, C, input, "bias")
    with no_grad():
        axes = list(range(2, input.ndim))
        if running_mean is not None:
            mean = input.detach().mean(axes).mean(0)
            running_mean._write(running_mean * (1 - momentum) + mean * momentum)
        if running_var is not None:
            var = input.detach().var(axes).mean(0)
            running_var._write(running_var * (1 - momentum) + var * momentum)
    return apply(_instance(epsilon=float(eps)), input, scale, shift)  # type: ignore[no-any-return]


def _trailing(input: Tensor, normalized_shape: Any) -> tuple[int, ...]:
    require_tensor(input)
    shape = (normalized_shape,) if isinstance(normalized_shape, int) else tuple(normalized_shape)
    if not shape or input._value.shape[-len(shape) :] != shape:
        raise SuanziError(
            "the last axes aren't those to normalise over", input="input",
            expected=f"axes that end with {shape}", found=tuple(input.shape),
        )  # fmt: skip
    return shape


def _affine(given: Tensor | None, shape: tuple[int, ...], name: str) -> None:
    if given is not None and given._value.shape != shape:
        raise SuanziError("wrong shape", input=name, expected=shape, found=tuple(given.shape))


def layer_norm(
    input: Tensor, normalized_shape: int | Sequence[int], weight: Tensor | None = None,
    bias: Tensor | None = None, eps: float = 1e-5,
) -> Tensor:  # fmt: skip
    """Over the last axes, whose shape is given, by their own mean and variance."""
    shape = _trailing(input, normalized_shape)
    _affine(weight, shape, "weight")
    _affine(bias, shape, "bias")
    scale = weight
    if scale is None:
        scale = leaf(_filled(1.0, shape, input._value.dtype))
    stash = STASH.get(input._value.dtype, 1)
    operator = _layer(axis=-len(shape), epsilon=float(eps), stash_type=stash)
    return first(operator, input, scale, *(() if bias is None else (bias,)))


def rms_norm(
    input: Tensor, normalized_shape: int | Sequence[int], weight: Tensor | None = None,
    eps: float | None = None,
) -> Tensor:  # fmt: skip
    """Over the last axes, by the root of the mean of their squares."""
    shape = _trailing(input, normalized_shape)
    _affine(weight, shape, "weight")
    scale = weight
    if scale is None:
        scale = leaf(_filled(1.0, shape, input._value.dtype))
    small = finfo(input.dtype).eps if eps is None else float(eps)
    stash = STASH.get(input._value.dtype, 1)
    operator = _rms(axis=-len(shape), epsilon=small, stash_type=stash)
    return apply(operator, input, scale)  # type: ignore[no-any-return]


def group_norm(
    input: Tensor, num_groups: int, weight: Tensor | None = None, bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:  # fmt: skip
    """Each group of channels of each sample by its own mean and variance."""
    require_tensor(input)
    sizes = input._value.shape
    if len(sizes) < 2:
        raise SuanziError("wrong rank", input="input", expected="at least 2 axes",
                          found=tuple(input.shape))  # fmt: skip
    C = sizes[1]
    if num_groups < 1 or C % num_groups:
        raise SuanziError(
            "the channels don't divide into the groups", input="num_groups",
            expected=f"a divisor of {C}, the input's channels", found=num_groups,
        )  # fmt: skip
    if math.prod(sizes) // max(1, sizes[0] * num_groups) == 1:
        raise SuanziError("one value for each group has no variance", input="input",
                          expected="more than 1 per group", found=tuple(input.shape))  # fmt: skip
    scale = _of_channels(weight, 1.0, C, input, "weight")
    shift = _of_channels(bias, 0.0, C, input, "bias")
    x = input.unsqueeze(-1) if input.ndim == 2 else input
    stash = STASH.get(input._value.dtype, 1)
    operator = _group(num_groups=num_groups, epsilon=float(eps), stash_type=stash)
    y: Tensor = apply(operator, x, scale, shift)
    return y.reshape(input.shape) if input.ndim == 2 else y


def local_response_norm(
    input: Tensor, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0
) -> Tensor:
    """x / (k + alpha/size · Σ of the neighbouring channels' squares)^beta"""
    require_tensor(input)
    if input.ndim < 3:
        raise SuanziError("wrong rank", input="input", expected="at least 3 axes",
                          found=tuple(input.shape))  # fmt: skip
    operator = LRN(size=size, alpha=float(alpha), beta=float(beta), bias=float(k))
    if size % 2:
        return apply(operator, input)  # type: ignore[no-any-return]
    # Of an even number of neighbours PyTorch has one more before than after.
    squares = (input * input).unsqueeze(1)
    C = input.shape[1]
    total = None
    for offset in range(-(size // 2), size - size // 2):
        low, high = max(0, -offset), min(C, C - offset)
        part = _shifted(squares.squeeze(1), offset, low, high, C)
        total = part if total is None else total + part
    assert total is not None
    return input / (k + total * (alpha / size)) ** beta


def _shifted(squares: Tensor, offset: int, low: int, high: int, C: int) -> Tensor:
    from suanzi.tensor import cat, zeros

    if low >= high:
        return squares * 0.0
    rest = [zeros(squares.shape[0], n, *squares.shape[2:], dtype=squares.dtype)
            for n in (low, C - high)]  # fmt: skip
    return cat([rest[0], squares[:, low + offset : high + offset], rest[1]], 1)


def normalize(
    input: Tensor, p: float = 2.0, dim: Any = 1, eps: float = 1e-12, out: Tensor | None = None
) -> Tensor:
    """Over the p-norm along an axis, which counts as eps where it is less."""
    require_tensor(input)
    size = input.norm(p, dim, keepdim=True).clamp_min(eps).expand_as(input)
    made = input / size
    return made if out is None else out._write(made)
