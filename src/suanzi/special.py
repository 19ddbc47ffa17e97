"""Special functions under `torch.special`'s names."""

import math

import numpy as np

from suanzi.operators import Where
from suanzi.tensor import (
    erf,
    erfc,
    erfinv,
    exp2,
    expm1,
    log1p,
    log_softmax,
    logit,
    logsumexp,
    round,
    sigmoid,
    sinc,
    softmax,
    xlogy,
)  # fmt: skip
from suanzi.tensor.core import Tensor, apply, leaf

expit = sigmoid


def ndtr(input: Tensor) -> Tensor:
    """The area under the normal distribution up to x."""
    return (1.0 + erf(input * math.sqrt(0.5))) * 0.5


def ndtri(input: Tensor) -> Tensor:
    """The inverse of `ndtr`."""
    return erfinv(2.0 * input - 1.0) * math.sqrt(2.0)


def entr(input: Tensor) -> Tensor:
    """-x·log(x); 0 at 0, and -∞ below."""
    below = leaf(np.asarray(-np.inf, input._value.dtype))
    return apply(Where(), input < 0, below, -xlogy(input, input))


def xlog1py(input: Tensor, other: Tensor) -> Tensor:
    """x·log(1 + y), 0 where x is 0."""
    return xlogy(input, 1.0 + other)


__all__ = [
    "entr", "erf", "erfc", "erfinv", "exp2", "expit", "expm1", "log1p", "log_softmax", "logit",
    "logsumexp", "ndtr", "ndtri", "round", "sinc", "softmax", "xlog1py", "xlogy",
]  # fmt: skip
