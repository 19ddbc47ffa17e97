"""Activation functions."""

import functools
from typing import Any

import numpy as np

from suanzi.errors import SuanziError
from suanzi.nn.functional._arguments import require_tensor
from suanzi.operators import (
    Celu,
    Clip,
    Elu,
    Gelu,
    HardSigmoid,
    HardSwish,
    LeakyRelu,
    LogSoftmax,
    Mish,
    PRelu,
    Relu,
    Selu,
    Shrink,
    Softmax,
    Softplus,
    Softsign,
    Where,
)  # fmt: skip
from suanzi.operators._operator import Operator
from suanzi.tensor import Tensor, apply, dtypes, leaf, rand, wrap
from suanzi.tensor.modes import modes


def _done(input: Tensor, operator: Operator, inplace: bool, *more: Any) -> Tensor:
    require_tensor(input)
    made: Tensor = apply(operator, input, *more)
    return input._write(made) if inplace else made


RELU = Relu()


def relu(input: Tensor, inplace: bool = False) -> Tensor:
    """max(x, 0)"""
    value: Any = getattr(input, "_value", None)
    small = type(value) is np.ndarray and value.ndim > 0 and value.size <= 4096
    if small and not inplace and modes.trace is None and not (modes.grad and input.requires_grad):
        return wrap(np.maximum(value, 0))
    return _done(input, RELU, inplace)


def relu_(input: Tensor) -> Tensor:
    """`relu` in place."""
    return relu(input, True)


def hardtanh(
    input: Tensor, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False
) -> Tensor:
    """Within the bounds; the gradient is 0 at them."""
    require_tensor(input)
    if min_val > max_val:
        raise SuanziError("the bounds are the wrong way round", input="min_val",
                          expected=f"at most max_val, {max_val}", found=min_val)  # fmt: skip
    kind = input._value.dtype
    low, high = np.asarray(min_val, kind), np.asarray(max_val, kind)
    clipped = apply(Clip(), input, low, high)
    # Clip passes the gradient at the bounds themselves, hardtanh doesn't.
    inside = (input > min_val) & (input < max_val)
    made: Tensor = apply(Where(), inside, input, clipped.detach())
    return input._write(made) if inplace else made


def hardtanh_(input: Tensor, min_val: float = -1.0, max_val: float = 1.0) -> Tensor:
    """`hardtanh` in place."""
    return hardtanh(input, min_val, max_val, True)


def relu6(input: Tensor, inplace: bool = False) -> Tensor:
    """min(max(x, 0), 6)"""
    return hardtanh(input, 0.0, 6.0, inplace)


def leaky_relu(input: Tensor, negative_slope: float = 0.01, inplace: bool = False) -> Tensor:
    """x where x > 0, negative_slope · x elsewhere."""
    return _done(input, LeakyRelu(alpha=float(negative_slope)), inplace)


def leaky_relu_(input: Tensor, negative_slope: float = 0.01) -> Tensor:
    """`leaky_relu` in place."""
    return leaky_relu(input, negative_slope, True)


def prelu(input: Tensor, weight: Tensor) -> Tensor:
    """x where x > 0, weight · x elsewhere; one weight, or one for each channel (axis 1)."""
    require_tensor(input)
    require_tensor(weight, "weight")
    count = weight.numel()
    channels = input.shape[1] if input.ndim > 1 else 1
    if count not in (1, channels) or weight.ndim > 1:
        raise SuanziError("wrong number of weights", input="weight",
                          expected=f"1, or {channels}: one for each", found=count)  # fmt: skip
    if count > 1:
        weight = weight.reshape(-1, *[1] * (input.ndim - 2))
    elif input.ndim == 0:
        weight = weight.reshape(())
    return apply(PRelu(), input, weight)  # type: ignore[no-any-return]


def rrelu(
    input: Tensor, lower: float = 1 / 8, upper: float = 1 / 3, training: bool = False,
    inplace: bool = False,
) -> Tensor:  # fmt: skip
    """leaky_relu whose slopes are drawn between the bounds in training, their middle else."""
    require_tensor(input)
    if lower > upper:
        raise SuanziError("the bounds are the wrong way round", input="lower",
                          expected=f"at most upper, {upper}", found=lower)  # fmt: skip
    if not training:
        return leaky_relu(input, (lower + upper) / 2, inplace)
    slopes = rand(input.shape, dtype=input.dtype) * (upper - lower) + lower
    made: Tensor = apply(Where(), input < 0, input * slopes, input)
    return input._write(made) if inplace else made


def rrelu_(
    input: Tensor, lower: float = 1 / 8, upper: float = 1 / 3, training: bool = False
) -> Tensor:
    """`rrelu` in place."""
    return rrelu(input, lower, upper, training, True)


def elu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """x where x > 0, alpha · (e^x - 1) elsewhere."""
    return _done(input, Elu(alpha=float(alpha)), inplace)


def elu_(input: Tensor, alpha: float = 1.0) -> Tensor:
    """`elu` in place."""
    return elu(input, alpha, True)


def selu(input: Tensor, inplace: bool = False) -> Tensor:
    """elu scaled so that layers keep mean 0 and variance 1."""
    return _done(input, Selu(), inplace)


def selu_(input: Tensor) -> Tensor:
    """`selu` in place."""
    return selu(input, True)


def celu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """max(x, 0) + min(alpha · (e^(x/alpha) - 1), 0)"""
    if alpha == 0:
        raise SuanziError("alpha can't be 0", input="alpha", found=alpha)
    return _done(input, Celu(alpha=float(alpha)), inplace)


def celu_(input: Tensor, alpha: float = 1.0) -> Tensor:
    """`celu` in place."""
    return celu(input, alpha, True)


def gelu(input: Tensor, approximate: str = "none") -> Tensor:
    """x · Φ(x), Φ the normal distribution's; or its approximation by "tanh"."""
    if approximate not in ("none", "tanh"):
        raise SuanziError("wrong approximation", input="approximate", expected="none or tanh",
                          found=approximate)  # fmt: skip
    return _done(input, Gelu(approximate=approximate), False)


def silu(input: Tensor, inplace: bool = False) -> Tensor:
    """x · sigmoid(x)"""
    require_tensor(input)
    made = input * input.sigmoid()
    return input._write(made) if inplace else made


def mish(input: Tensor, inplace: bool = False) -> Tensor:
    """x · tanh(log(1 + e^x))"""
    return _done(input, Mish(), inplace)


def hardswish(input: Tensor, inplace: bool = False) -> Tensor:
    """x · min(max(x + 3, 0), 6) / 6"""
    return _done(input, HardSwish(), inplace)


def hardsigmoid(input: Tensor, inplace: bool = False) -> Tensor:
    """min(max(x + 3, 0), 6) / 6"""
    return _done(input, HardSigmoid(alpha=1 / 6, beta=0.5), inplace)


def sigmoid(input: Tensor) -> Tensor:
    """1 / (1 + e^-x)"""
    require_tensor(input)
    return input.sigmoid()  # type: ignore[no-any-return]


def tanh(input: Tensor) -> Tensor:
    """The hyperbolic tangent."""
    require_tensor(input)
    return input.tanh()  # type: ignore[no-any-return]


def softsign(input: Tensor) -> Tensor:
    """x / (1 + |x|)"""
    return _done(input, Softsign(), False)


def softplus(input: Tensor, beta: float = 1.0, threshold: float = 20.0) -> Tensor:
    """log(1 + e^(beta·x)) / beta; x itself where beta·x is above the threshold."""
    require_tensor(input)
    scaled = input if beta == 1 else input * beta
    smooth = apply(Softplus(), scaled)
    made = smooth if beta == 1 else smooth / beta
    return apply(Where(), scaled > threshold, input, made)  # type: ignore[no-any-return]


def logsigmoid(input: Tensor) -> Tensor:
    """log(sigmoid(x))"""
    require_tensor(input)
    return -apply(Softplus(), -input)  # type: ignore[no-any-return]


def hardshrink(input: Tensor, lambd: float = 0.5) -> Tensor:
    """x where |x| > lambd, 0 elsewhere."""
    return _done(input, Shrink(bias=0.0, lambd=float(lambd)), False)


def softshrink(input: Tensor, lambd: float = 0.5) -> Tensor:
    """x moved towards 0 by lambd, and 0 within."""
    if lambd < 0:
        raise SuanziError("lambd is below zero", input="lambd", expected="0 or more", found=lambd)
    return _done(input, Shrink(bias=float(lambd), lambd=float(lambd)), False)


def tanhshrink(input: Tensor) -> Tensor:
    """x - tanh(x)"""
    return input - tanh(input)


def threshold(input: Tensor, threshold: float, value: float, inplace: bool = False) -> Tensor:
    """x where it is above the threshold, the value elsewhere."""
    require_tensor(input)
    filler = leaf(np.asarray(value, input._value.dtype))
    made: Tensor = apply(Where(), input > threshold, input, filler)
    return input._write(made) if inplace else made


def threshold_(input: Tensor, threshold_: float, value: float) -> Tensor:
    """`threshold` in place."""
    return threshold(input, threshold_, value, True)


def glu(input: Tensor, dim: int = -1) -> Tensor:
    """The first half of an axis, gated by the sigmoid of the second."""
    require_tensor(input)
    if not input.ndim or input.shape[dim] % 2:
        raise SuanziError("the axis can't be halved", input="input", expected="an even size",
                          found=tuple(input.shape))  # fmt: skip
    a, b = input.chunk(2, dim)
    return a * b.sigmoid()  # type: ignore[no-any-return]


def _implicit(rank: int) -> int:
    """The axis that softmax took when none was named, in old PyTorch."""
    return 0 if rank in (0, 1, 3) else 1


@functools.lru_cache(256)
def _of_axis(kind: Any, axis: int) -> Operator:
    return kind(axis=axis)  # type: ignore[no-any-return]


def _along(
    kind: type[Operator], input: Tensor, dim: int | None, dtype: dtypes.dtype | None
) -> Tensor:
    require_tensor(input)
    x = input if dtype is None else input.to(dtype)
    rank = len(x._value.shape)
    axis = _implicit(rank) if dim is None else dim
    if not -max(rank, 1) <= axis < max(rank, 1):
        raise SuanziError("there is no such axis", input="dim", found=dim,
                          expected=f"{-max(rank, 1)} to {max(rank, 1) - 1}")  # fmt: skip
    if not rank:
        return _along(kind, x.reshape(1), 0, None).reshape(())  # type: ignore[no-any-return]
    return apply(_of_axis(kind, axis), x)  # type: ignore[no-any-return, arg-type]


def softmax(
    input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: dtypes.dtype | None = None
) -> Tensor:
    """e^x / Σ e^x along an axis."""
    return _along(Softmax, input, dim, dtype)


def log_softmax(
    input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: dtypes.dtype | None = None
) -> Tensor:
    """x - log Σ e^x along an axis."""
    return _along(LogSoftmax, input, dim, dtype)


def softmin(
    input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: dtypes.dtype | None = None
) -> Tensor:
    """softmax(-x) along an axis."""
    return softmax(-input, dim, dtype=dtype)


def gumbel_softmax(
    logits: Tensor, tau: float = 1, hard: bool = False, eps: float = 1e-10, dim: int = -1
) -> Tensor:
    """A sample of the categories that the logits weigh: softly, or one-hot with soft gradients."""
    noise = -(-(rand(logits.shape, dtype=logits.dtype).clamp(min=1e-20).log())).log()
    soft = softmax((logits + noise) / tau, dim)
    if not hard:
        return soft
    index = soft.argmax(dim, keepdim=True)
    places = leaf(np.arange(logits.shape[dim]))
    shape = [1] * logits.ndim
    shape[dim] = -1
    one = (places.reshape(shape) == index).to(logits.dtype)
    return one - soft.detach() + soft  # type: ignore[no-any-return]
