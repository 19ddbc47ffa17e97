"""What the operators of ai.onnx.ml share: score transforms, class labels, element types."""

from collections.abc import Callable
from typing import Any

import numpy as np

from suanzi.errors import SuanziError
from suanzi.operators._operator import Array, Dim, Floats, Ints, TensorType, require

DOMAIN = "ai.onnx.ml"
FLOAT32, INT64, STRING = np.dtype(np.float32), np.dtype(np.int64), np.dtype(object)
Strings = tuple[str, ...]


def strings(values: Any) -> Array:
    """Text as an array of Python's str."""
    return np.array(values, STRING)


def class_labels(ints: Ints | None, texts: Strings | None) -> Array:
    """The labels that were given; none where neither was."""
    return strings(texts) if texts else np.array(ints or (), INT64)


def matrix_shape(X: TensorType) -> tuple[Dim, Dim]:
    """N and F of X[N, F]; one sample may come without its axis."""
    if X.shape is None:
        return None, None
    require(X.rank in (1, 2), "wrong number of axes", "X", "[N, F] or [F]", X)
    return (1, X.shape[0]) if X.rank == 1 else (X.shape[0], X.shape[1])


def features(X: Array) -> Array:
    """X as [N, F] numbers with a fraction."""
    return np.atleast_2d(X).astype(X.dtype if X.dtype.kind == "f" else FLOAT32, copy=False)


def table(values: Floats | None, rows: int, name: str) -> Array:
    """An attribute's numbers as so many rows."""
    flat = np.array(values or (), FLOAT32)
    if rows < 1 or flat.size % rows:
        raise SuanziError(f"{name} aren't so many rows", expected=rows, found=flat.size)
    return flat.reshape(rows, -1)


def sigmoid(x: Array) -> Array:
    """1 / (1 + exp(-x)), exp never of a large number."""
    small = np.exp(-np.abs(x))
    return np.asarray(np.where(x < 0, small, 1) / (1 + small))


def softmax(x: Array) -> Array:
    """exp(x) over its sum along the last axis."""
    e = np.exp(x - x.max(-1, keepdims=True))
    return np.asarray(e / e.sum(-1, keepdims=True))


def softmax_zero(x: Array) -> Array:
    """The softmax of what isn't 0; what is stays so."""
    some = np.abs(x) > 1e-7
    e = np.where(some, np.exp(x - x.max(-1, keepdims=True)), 0)
    return np.asarray(e / np.maximum(e.sum(-1, keepdims=True), np.finfo(FLOAT32).tiny))


def probit(x: Array) -> Array:
    """√2 · erf⁻¹(2x - 1), erf⁻¹ by Winitzki's formula: its error is below 0.002."""
    with np.errstate(all="ignore"):
        t = 2 * x - 1
        log = np.log((1 - t) * (1 + t))
        half = 2 / (np.pi * 0.147) + log / 2
        return np.asarray(np.sqrt(2) * np.sign(t) * np.sqrt(np.sqrt(half**2 - log / 0.147) - half))


TRANSFORMS: dict[str, Callable[[Array], Array]] = {
    "NONE": np.asarray,
    "SOFTMAX": softmax,
    "LOGISTIC": sigmoid,
    "SOFTMAX_ZERO": softmax_zero,
    "PROBIT": probit,
}
"""What post_transform does to the scores, by name, in the order of TreeEnsemble's numbers."""


def post_transform(scores: Array, name: str) -> Array:
    """Scores as float32, one row a sample, as the attribute of that name wants them."""
    if name not in TRANSFORMS:
        raise SuanziError("wrong post_transform", expected=", ".join(TRANSFORMS), found=name)
    return TRANSFORMS[name](scores).astype(FLOAT32)


def two_sided(score: Array, chance: bool, name: str) -> Array:
    """The scores of both of two classes, from the second's alone, [N, 1]: the first's is 1 minus it
    where it is a chance, else minus it. LOGISTIC makes chances of both; the softmaxes nothing."""
    if name == "LOGISTIC":
        return post_transform(np.concatenate([-score, score], 1), name)
    both = np.concatenate([(1 if chance or name == "PROBIT" else 0) - score, score], 1)
    return post_transform(both, name if name == "PROBIT" else "NONE")
