"""Losses that keep things a margin apart."""

from collections.abc import Callable

import numpy as np

from suanzi.errors import SuanziError
from suanzi.nn.functional._arguments import require_tensor
from suanzi.nn.functional._reduction import known, legacy, reduced, require_reduction
from suanzi.nn.functional.distance import pairwise_distance
from suanzi.operators import Gather, Softplus
from suanzi.tensor import Tensor, apply, leaf, where


def margin_ranking_loss(
    input1: Tensor, input2: Tensor, target: Tensor, margin: float = 0.0,
    size_average: bool | None = None, reduce: bool | None = None, reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """max(0, -y·(x1 - x2) + margin): y is 1 where x1 should be the larger, else -1.

    >>> import suanzi
    >>> x1, x2, y = (suanzi.tensor([v]) for v in (1.0, 3.0, 1.0))
    >>> margin_ranking_loss(x1, x2, y)
    tensor(2.)
    """
    for name, x in (("input1", input1), ("input2", input2), ("target", target)):
        require_tensor(x, name)
        if x.ndim != input1.ndim:
            raise SuanziError("the ranks differ", input=name, expected=input1.ndim, found=x.ndim)
    loss = (-target * (input1 - input2) + margin).clamp(min=0)
    return reduced(loss, legacy(size_average, reduce, reduction))


def cosine_embedding_loss(
    input1: Tensor, input2: Tensor, target: Tensor, margin: float = 0.0,
    size_average: bool | None = None, reduce: bool | None = None, reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """1 - cos(x1, x2) where y is 1, max(0, cos(x1, x2) - margin) where it is -1.

    input1 and input2 (N, D) or (D), target (N) or ().
    """
    require_tensor(target, "target")
    for name, x in (("input1", input1), ("input2", input2)):
        require_tensor(x, name)
        if target.ndim > 1 or x.ndim != target.ndim + 1:
            raise SuanziError("wrong rank", input=name, found=tuple(x.shape),
                              expected="(N, D) beside a target (N), or (D) beside ()")  # fmt: skip
    x1, x2, y = input1, input2, target
    tiny = 1e-12
    sizes = ((x1 * x1).sum(-1) + tiny) * ((x2 * x2).sum(-1) + tiny)
    cos = (x1 * x2).sum(-1) / sizes.sqrt()
    apart = where(y == -1, (cos - margin).clamp(min=0), 0.0)
    return reduced(where(y == 1, 1 - cos, 0.0) + apart, legacy(size_average, reduce, reduction))


def _rows(input: Tensor, target: Tensor, labels: bool) -> tuple[Tensor, Tensor]:
    """Input (N, C) and target with a batch axis, whether they came with one or not. A target is
    a class for each row, or with `labels` a row of classes."""
    require_tensor(input)
    require_tensor(target, "target")
    x = input if input.ndim > 1 else input.reshape(1, -1)
    if input.ndim > 2 or not x.shape[1]:
        raise SuanziError("wrong shape", input="input", expected="(N, C) or (C)",
                          found=tuple(input.shape))  # fmt: skip
    shape = tuple(input.shape) if labels else tuple(input.shape[:-1])
    alone = x.shape[0] == 1 and target.numel() == (x.shape[1] if labels else 1)
    if tuple(target.shape) != shape and not alone:
        raise SuanziError("the target doesn't fit the input", input="target", expected=shape,
                          found=tuple(target.shape))  # fmt: skip
    if target._value.dtype.kind not in "iu":
        raise SuanziError("classes are whole numbers", input="target", expected="int64",
                          found=target.dtype)  # fmt: skip
    return x, target.reshape(x.shape if labels else x.shape[:1])


def multi_margin_loss(
    input: Tensor, target: Tensor, p: int = 1, margin: float = 1.0, weight: Tensor | None = None,
    size_average: bool | None = None, reduce: bool | None = None, reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """Σ over the other classes i of max(0, margin - x[y] + x[i])ᵖ · weight[y] / C."""
    if p not in (1, 2):
        raise SuanziError("wrong power", input="p", expected="1 or 2", found=p)
    x, y = _rows(input, target, False)
    classes = x.shape[1]
    if weight is not None and tuple(weight.shape) != (classes,):
        raise SuanziError("a weight for each class, or none", input="weight", expected=(classes,),
                          found=tuple(weight.shape))  # fmt: skip
    values = known(y)
    if values is not None and np.any((values < 0) | (values >= classes)):  # type: ignore[operator]
        raise SuanziError("no such class", input="target", expected=f"0 to {classes - 1}",
                          found=values)  # fmt: skip
    column = y.unsqueeze(1)
    short = (margin - x.gather(1, column) + x).clamp(min=0)
    short = short * short if p == 2 else short
    if weight is not None:
        short = short * apply(Gather(axis=0), weight, column)
    others = leaf(np.arange(classes)) != column
    loss = where(others, short, 0.0).sum(1) / classes
    loss = loss if target.ndim else loss.reshape(())
    return reduced(loss, legacy(size_average, reduce, reduction))


def multilabel_margin_loss(
    input: Tensor, target: Tensor, size_average: bool | None = None, reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """Σ over the target's classes y and all others i of max(0, 1 - x[y] + x[i]) / C.

    target, of input's shape (N, C) or (C): classes, up to the first -1.
    """
    x, y = _rows(input, target, True)
    classes = x.shape[1]
    values = known(y)
    if values is not None and np.any((values < -1) | (values >= classes)):  # type: ignore[operator]
        raise SuanziError("no such class", input="target", expected=f"-1 to {classes - 1}",
                          found=values)  # fmt: skip
    meant = (y >= 0).to(x.dtype).cumprod(1)
    places = where(meant > 0, y, 0)
    is_target = x.new_zeros(x.shape).scatter_add(1, places, meant) > 0
    short = (1 - x.gather(1, places).unsqueeze(2) + x.unsqueeze(1)).clamp(min=0)
    counted = meant.unsqueeze(2) * (~is_target).to(x.dtype).unsqueeze(1)
    loss = (short * counted).sum((1, 2)) / classes
    loss = loss if target.ndim > 1 else loss.reshape(())
    return reduced(loss, legacy(size_average, reduce, reduction))


def multilabel_soft_margin_loss(
    input: Tensor, target: Tensor, weight: Tensor | None = None, size_average: bool | None = None,
    reduce: bool | None = None, reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """The mean over the classes, the last axis, of
    -(y·log(sigmoid(x)) + (1 - y)·log(sigmoid(-x))) · weight."""
    require_tensor(input)
    require_tensor(target, "target")
    loss = target * apply(Softplus(), -input) + (1 - target) * apply(Softplus(), input)
    if weight is not None:
        loss = loss * weight
    return reduced(loss.sum(-1) / input.shape[-1], legacy(size_average, reduce, reduction))


def triplet_margin_loss(
    anchor: Tensor, positive: Tensor, negative: Tensor, margin: float = 1.0, p: float = 2,
    eps: float = 1e-6, swap: bool = False, size_average: bool | None = None,
    reduce: bool | None = None, reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """`triplet_margin_with_distance_loss` by `pairwise_distance`."""

    def distance(a: Tensor, b: Tensor) -> Tensor:
        return pairwise_distance(a, b, p, eps)

    return triplet_margin_with_distance_loss(
        anchor, positive, negative, distance_function=distance, margin=margin, swap=swap,
        reduction=legacy(size_average, reduce, reduction),
    )  # fmt: skip


def triplet_margin_with_distance_loss(
    anchor: Tensor, positive: Tensor, negative: Tensor, *,
    distance_function: Callable[[Tensor, Tensor], Tensor] | None = None, margin: float = 1.0,
    swap: bool = False, reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """max(0, d(anchor, positive) - d(anchor, negative) + margin); with `swap` the positive's
    distance from the negative counts where it is the smaller."""
    require_reduction(reduction)
    if margin <= 0:
        raise SuanziError("wrong margin", input="margin", expected="above 0", found=margin)
    for name, x in (("anchor", anchor), ("positive", positive), ("negative", negative)):
        require_tensor(x, name)
        if x.ndim != anchor.ndim:
            raise SuanziError("the ranks differ", input=name, expected=anchor.ndim, found=x.ndim)
    distance = pairwise_distance if distance_function is None else distance_function
    near, far = distance(anchor, positive), distance(anchor, negative)
    if swap:
        far = far.minimum(distance(positive, negative))
    return reduced((margin + near - far).clamp(min=0), reduction)


__all__ = [
    "cosine_embedding_loss", "margin_ranking_loss", "multi_margin_loss", "multilabel_margin_loss",
    "multilabel_soft_margin_loss", "triplet_margin_loss", "triplet_margin_with_distance_loss",
]  # fmt: skip
