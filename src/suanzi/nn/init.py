"""First values for parameters, in place: PyTorch's `torch.nn.init`.

Where values are drawn, `generator` says from which stream; without one, from the default stream.
"""

import functools
import math
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from suanzi.errors import SuanziError
from suanzi.tensor import Tensor, no_grad

if TYPE_CHECKING:
    from suanzi.tensor import Generator

F = TypeVar("F", bound=Callable[..., Tensor])
_skipping = ContextVar("skipping", default=False)


@contextmanager
def skipped() -> Iterator[None]:
    """Within it nothing here changes a tensor: for what is about to be overwritten anyway."""
    token = _skipping.set(True)
    try:
        yield
    finally:
        _skipping.reset(token)


def _filling(function: F) -> F:
    """Not recorded for gradients, and not done at all where it is skipped."""

    @functools.wraps(function)
    def wrapper(tensor: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        if _skipping.get():
            return tensor
        with no_grad():
            function(tensor, *args, **kwargs)
        return tensor

    return wrapper  # type: ignore[return-value]


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """By how much to scale weights before a nonlinearity, so that variances stay.

    >>> calculate_gain("leaky_relu", 0.2)
    1.3867504905630728
    """
    linear = ["linear", "sigmoid", *(f"conv{t}{n}d" for t in ("", "_transpose") for n in (1, 2, 3))]
    if nonlinearity in linear:
        return 1
    if nonlinearity == "tanh":
        return 5.0 / 3
    if nonlinearity == "relu":
        return math.sqrt(2.0)
    if nonlinearity == "leaky_relu":
        slope = 0.01 if param is None else param
        if isinstance(slope, bool) or not isinstance(slope, int | float):
            raise SuanziError(
                "wrong negative slope", input="param", expected="a number", found=param
            )
        return math.sqrt(2.0 / (1 + slope**2))
    if nonlinearity == "selu":
        return 3.0 / 4  # found by experiment
    raise SuanziError(
        "unsupported nonlinearity",
        input="nonlinearity",
        expected=f"one of {', '.join([*linear, 'tanh', 'relu', 'leaky_relu', 'selu'])}",
        found=nonlinearity,
    )


@_filling
def uniform_(
    tensor: Tensor, a: float = 0.0, b: float = 1.0, generator: "Generator | None" = None
) -> Tensor:
    """Values from U(a, b)."""
    return tensor.uniform_(a, b, generator=generator)  # type: ignore[no-any-return]


@_filling
def normal_(
    tensor: Tensor, mean: float = 0.0, std: float = 1.0, generator: "Generator | None" = None
) -> Tensor:
    """Values from N(mean, std²)."""
    return tensor.normal_(mean, std, generator=generator)  # type: ignore[no-any-return]


@_filling
def trunc_normal_(
    tensor: Tensor,
    mean: float = 0.0,
    std: float = 1.0,
    a: float = -2.0,
    b: float = 2.0,
    generator: "Generator | None" = None,
) -> Tensor:
    """Values from N(mean, std²), drawn again where they are outside [a, b]."""
    if mean < a - 2 * std or mean > b + 2 * std:
        warnings.warn(
            "mean is more than 2 std from [a, b] in nn.init.trunc_normal_. "
            "The distribution of values may be incorrect.",
            stacklevel=3,
        )
    inside = _normal_cdf((b - mean) / std) - _normal_cdf((a - mean) / std)
    # Where few would be inside: uniform ones, each kept as often as its density is to the highest.
    peak = ((max(a, min(mean, b)) - mean) / std) ** 2
    drawn = tensor.new_empty(tensor.shape)
    value = np.empty(tensor.shape)
    pending = np.ones(tensor.shape, bool)
    while pending.any():
        if inside > 0.3:
            found = drawn.normal_(mean, std, generator=generator).numpy()
            outside = (found < a) | (found > b)
        else:
            found = drawn.uniform_(a, b, generator=generator).numpy().astype(np.float64)
            chance = np.exp(0.5 * (peak - ((found - mean) / std) ** 2))
            outside = drawn.uniform_(generator=generator).numpy() > chance
        np.copyto(value, found, where=pending)
        pending &= outside
    return tensor.copy_(_like(value, tensor))  # type: ignore[no-any-return]


def _normal_cdf(x: float) -> float:
    return (1.0 + math.erf(x / math.sqrt(2.0))) / 2.0


@_filling
def constant_(tensor: Tensor, val: float) -> Tensor:
    """The value everywhere."""
    return tensor.fill_(val)  # type: ignore[no-any-return]


@_filling
def ones_(tensor: Tensor) -> Tensor:
    """Ones."""
    return tensor.fill_(1.0)  # type: ignore[no-any-return]


@_filling
def zeros_(tensor: Tensor) -> Tensor:
    """Zeros."""
    return tensor.zero_()  # type: ignore[no-any-return]


@_filling
def eye_(tensor: Tensor) -> Tensor:
    """The identity, of a matrix; as much of it as there is room for."""
    _need_rank(tensor, "2", tensor.ndim == 2)
    return tensor.copy_(_like(np.eye(*tensor.shape), tensor))  # type: ignore[no-any-return]


@_filling
def dirac_(tensor: Tensor, groups: int = 1) -> Tensor:
    """Convolution weights that keep each channel as it is, in each group."""
    _need_rank(tensor, "3 to 5", tensor.ndim in (3, 4, 5))
    out_channels, in_channels, *kernel = tensor.shape
    if out_channels % groups:
        raise SuanziError(
            "dim 0 must be divisible by groups",
            input="tensor",
            expected=f"a multiple of {groups}",
            found=out_channels,
        )
    value = np.zeros(tensor.shape)
    size = out_channels // groups
    for group in range(groups):
        for channel in range(min(size, in_channels)):
            value[(group * size + channel, channel, *(k // 2 for k in kernel))] = 1
    return tensor.copy_(_like(value, tensor))  # type: ignore[no-any-return]


def _calculate_fan_in_and_fan_out(tensor: Tensor) -> tuple[int, int]:
    _need_rank(tensor, "at least 2", tensor.ndim >= 2)
    outputs, inputs, *kernel = tensor.shape
    field = math.prod(kernel)
    return inputs * field, outputs * field


def _calculate_correct_fan(tensor: Tensor, mode: str) -> int:
    if mode.lower() not in ("fan_in", "fan_out"):
        raise SuanziError("wrong mode", input="mode", expected="fan_in or fan_out", found=mode)
    return _calculate_fan_in_and_fan_out(tensor)[mode.lower() == "fan_out"]


@_filling
def xavier_uniform_(
    tensor: Tensor, gain: float = 1.0, generator: "Generator | None" = None
) -> Tensor:
    """Values from U(-c, c), c = gain √(6 / (fan_in + fan_out)). Glorot & Bengio, 2010."""
    bound = gain * math.sqrt(6.0 / sum(_calculate_fan_in_and_fan_out(tensor)))
    return tensor.uniform_(-bound, bound, generator=generator)  # type: ignore[no-any-return]


@_filling
def xavier_normal_(
    tensor: Tensor, gain: float = 1.0, generator: "Generator | None" = None
) -> Tensor:
    """Values from N(0, gain² · 2 / (fan_in + fan_out)). Glorot & Bengio, 2010."""
    std = gain * math.sqrt(2.0 / sum(_calculate_fan_in_and_fan_out(tensor)))
    return tensor.normal_(0, std, generator=generator)  # type: ignore[no-any-return]


@_filling
def kaiming_uniform_(
    tensor: Tensor,
    a: float = 0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: "Generator | None" = None,
) -> Tensor:
    """Values from U(-c, c), c = gain √(3 / fan). He et al., 2015."""
    if _is_empty(tensor):
        return tensor
    bound = calculate_gain(nonlinearity, a) * math.sqrt(3.0 / _calculate_correct_fan(tensor, mode))
    return tensor.uniform_(-bound, bound, generator=generator)  # type: ignore[no-any-return]


@_filling
def kaiming_normal_(
    tensor: Tensor,
    a: float = 0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: "Generator | None" = None,
) -> Tensor:
    """Values from N(0, gain² / fan). He et al., 2015."""
    if _is_empty(tensor):
        return tensor
    std = calculate_gain(nonlinearity, a) / math.sqrt(_calculate_correct_fan(tensor, mode))
    return tensor.normal_(0, std, generator=generator)  # type: ignore[no-any-return]


@_filling
def orthogonal_(tensor: Tensor, gain: float = 1, generator: "Generator | None" = None) -> Tensor:
    """A matrix of orthonormal rows or columns, times gain; further axes are flattened.

    Saxe et al., 2013.
    """
    _need_rank(tensor, "at least 2", tensor.ndim >= 2)
    if tensor.numel() == 0:
        return tensor
    rows = tensor.shape[0]
    drawn = tensor.new_empty((rows, tensor.numel() // rows)).normal_(generator=generator).numpy()
    wide = drawn.shape[0] < drawn.shape[1]
    precise = np.float64 if drawn.dtype == np.float64 else np.float32
    q, r = np.linalg.qr((drawn.T if wide else drawn).astype(precise))
    q *= gain * np.sign(np.diag(r))  # so that all rotations are equally likely
    value = (q.T if wide else q).reshape(tensor.shape)
    return tensor.copy_(_like(value, tensor))  # type: ignore[no-any-return]


@_filling
def sparse_(
    tensor: Tensor, sparsity: float, std: float = 0.01, generator: "Generator | None" = None
) -> Tensor:
    """N(0, std²), but a part `sparsity` of each column of the matrix is zero. Martens, 2010."""
    _need_rank(tensor, "2", tensor.ndim == 2)
    rows, columns = tensor.shape
    tensor.normal_(0, std, generator=generator)
    for column in range(columns):
        order = np.argsort(tensor.new_empty(rows).uniform_(generator=generator).numpy())
        tensor[order[: math.ceil(sparsity * rows)], column] = 0
    return tensor


def _like(value: Any, tensor: Tensor) -> Tensor:
    """An array's contents as a tensor of another's type."""
    return tensor.new_tensor(value)  # type: ignore[no-any-return]


def _need_rank(tensor: Tensor, expected: str, holds: bool) -> None:
    if not holds:
        raise SuanziError(
            "wrong number of dimensions", input="tensor", expected=expected, found=tensor.ndim
        )


def _is_empty(tensor: Tensor) -> bool:
    if 0 in tensor.shape:
        warnings.warn("Initializing zero-element tensors is a no-op", stacklevel=4)
        return True
    return False
