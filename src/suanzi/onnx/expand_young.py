"""What an older opset lacks, written out in its operators: one small function each, as in
expand.py. Sizes may be symbols; None says that there is no such form.
"""

from dataclasses import replace
from typing import Any

import numpy as np

from suanzi.operators import (
    Erf,
    Gelu,
    GroupNormalization,
    HardSigmoid,
    HardSwish,
    InstanceNormalization,
    LayerNormalization,
    Mish,
    ReduceMean,
    Reshape,
    Resize,
    RMSNormalization,
    Shape,
    Sigmoid,
    Softplus,
    Sqrt,
    SwiGLU,
    Swish,
    Tanh,
)
from suanzi.operators.cast import cast


def swi_glu(op: SwiGLU, A: Any, B: Any) -> Any:
    """A · sigmoid(alpha · A) · B."""
    return swish(op, A) * B


def gelu(op: Gelu, X: Any) -> Any:
    """X/2 · (1 + erf(X/√2)), or its approximation by tanh."""
    if op.approximate == "tanh":
        inner = (X + X * X * X * 0.044715) * np.sqrt(2 / np.pi).item()
        return X * 0.5 * (Tanh()(inner) + 1)
    return X * 0.5 * (Erf()(X * (0.5**0.5)) + 1)


def rms_normalization(op: RMSNormalization, X: Any, scale: Any) -> Any:
    """X over the root of its mean square."""
    axes = _trailing(X, op.axis)
    x = cast(X, _precise(X))
    root = Sqrt()(ReduceMean(keepdims=1)(x * x, axes) + op.epsilon)
    return cast(x / root, X.dtype) * scale


def swish(op: Swish | SwiGLU, X: Any) -> Any:
    """X · sigmoid(alpha · X)."""
    return X * Sigmoid()(X if op.alpha == 1 else X * op.alpha)


def hard_swish(op: HardSwish, X: Any) -> Any:
    """X · hardsigmoid(X) with a slope of 1/6."""
    return X * HardSigmoid(alpha=1 / 6, beta=0.5)(X)


def mish(op: Mish, X: Any) -> Any:
    """X · tanh(softplus(X))."""
    return X * Tanh()(Softplus()(X))


def layer_normalization(op: LayerNormalization, X: Any, scale: Any, B: Any = None) -> Any:
    """(X - mean) / √(variance + ε) · scale + B; the mean; and 1 / √(variance + ε)."""
    axes = _trailing(X, op.axis)
    x = cast(X, _precise(X))
    mean = ReduceMean(keepdims=1)(x, axes)
    centred = x - mean
    inverse = 1 / Sqrt()(ReduceMean(keepdims=1)(centred * centred, axes) + op.epsilon)
    Y = cast(centred * inverse, X.dtype) * scale
    return Y if B is None else Y + B, mean, inverse


def group_normalization(op: GroupNormalization, X: Any, scale: Any, bias: Any) -> Any:
    """Groups are one instance's channels."""
    each = (op.num_groups,)
    grouped = Reshape()(X, np.array([0, op.num_groups, -1]))
    ones, zeros = np.ones(each, X.dtype), np.zeros(each, X.dtype)
    normal = InstanceNormalization(epsilon=op.epsilon)(grouped, ones, zeros)
    wide = np.array([-1, *(1,) * (len(X.type.shape) - 2)])
    made = Reshape()(normal, Shape()(X))
    return made * Reshape()(scale, wide) + Reshape()(bias, wide)


def reshape(op: Reshape, X: Any, shape: Any) -> Any:
    """Where no size is 0 it doesn't matter what 0 means."""
    known = shape.type.value
    if not op.allowzero or known is None or 0 in known:
        return None
    return Reshape()(X, shape)


def resize(op: Resize, X: Any, roi: Any = None, scales: Any = None, sizes: Any = None) -> Any:
    """Of all axes, those that stay as they are included."""
    given = scales if sizes is None else sizes
    if op.axes is None or op.crops or given.type.value is None or not X.type.static:
        return None
    whole = np.ones(len(X.shape), np.float32) if sizes is None else np.array(X.shape)
    whole[list(op.axes)] = given.type.value
    plain = replace(op, axes=None)
    return plain(X, None, whole) if sizes is None else plain(X, None, None, whole)


def _trailing(X: Any, axis: int) -> Any:
    """The axes from one on."""
    rank = len(X.type.shape)
    return np.arange(axis % rank, rank)


def _precise(X: Any) -> np.dtype[Any]:
    """The type in which sums are taken."""
    return np.dtype(np.float64 if X.dtype == np.float64 else np.float32)
