"""Losses of classes: cross entropy and its kin, and CTC."""

from typing import Any

import numpy as np

from suanzi.errors import SuanziError
from suanzi.nn.functional._arguments import require_tensor
from suanzi.nn.functional._reduction import known, legacy, reduced, require_reduction
from suanzi.nn.functional.activation import log_softmax
from suanzi.operators import CTCLoss, Gather, GatherElements, SoftmaxCrossEntropyLoss, Where
from suanzi.tensor import Tensor, apply, as_tensor, leaf
from suanzi.tensor import int64 as _LONG  # noqa: N812
from suanzi.tensor.core import first


class _Targets:
    """Class indices: `places` with those ignored as 0, and `kept`, which aren't (None: all)."""

    def __init__(self, target: Tensor, ignore_index: int, classes: int) -> None:
        values = known(target)
        self.places, self.kept = target.to(_LONG), None
        if values is not None:
            ignored = values == ignore_index
            inside: Any = values[~ignored]
            if inside.size and (inside.min() < 0 or inside.max() >= classes):
                wrong = inside[(inside < 0) | (inside >= classes)][0]
                raise SuanziError("no such class", input="target", expected=f"0 to {classes - 1}",
                                  found=wrong)  # fmt: skip
            if not ignored.any():
                return
        self.kept = self.places != ignore_index
        self.places = self.places.masked_fill(~self.kept, 0)

    def masked(self, x: Tensor) -> Tensor:
        """0 at what is ignored."""
        if self.kept is None:
            return x
        return apply(Where(), self.kept, x, leaf(np.zeros((), x._value.dtype)))  # type: ignore[no-any-return]

    def shares(self, weight: Tensor | None, like: Tensor) -> Tensor | float:
        """By what a mean is divided: the targets' weights, or how many there are."""
        if weight is not None:
            return self.masked(apply(Gather(axis=0), weight, self.places)).sum()  # type: ignore[no-any-return]
        if self.kept is None:
            return float(self.places.numel())
        return self.kept.to(like.dtype).sum()  # type: ignore[no-any-return]


def _require_classes(input: Tensor, target: Tensor, weight: Tensor | None) -> int:
    """That class indices fit the input; the axis of the classes."""
    require_tensor(input)
    require_tensor(target, "target")
    if not input.ndim:
        raise SuanziError("wrong rank", input="input", expected="(C) or (N, C, ...)", found="()")
    at = 1 if input.ndim > 1 else 0
    shape = (*input.shape[:at], *input.shape[at + 1 :])
    if tuple(target.shape) != shape:
        raise SuanziError("the target doesn't fit the input", input="target", expected=shape,
                          found=tuple(target.shape))  # fmt: skip
    if target._value.dtype.kind not in "iu":
        raise SuanziError("classes are whole numbers", input="target", expected="int64",
                          found=target.dtype)  # fmt: skip
    _require_weight(weight, input, at)
    return at


def _require_weight(weight: Tensor | None, input: Tensor, at: int) -> None:
    if weight is None:
        return
    classes = input.shape[at]
    if tuple(weight.shape) != (classes,):
        raise SuanziError("a weight for each class, or none", input="weight", expected=(classes,),
                          found=tuple(weight.shape))  # fmt: skip
    if weight.dtype != input.dtype:
        raise SuanziError("weight and input differ in type", input="weight", expected=input.dtype,
                          found=weight.dtype)  # fmt: skip


def _of_classes(
    x: Tensor, targets: _Targets, weight: Tensor | None, at: int, reduction: str
) -> Tensor:
    """-x of the target's class, times its weight."""
    found = apply(GatherElements(axis=at), x, targets.places.unsqueeze(at)).squeeze(at)
    return _of_losses(-found, targets, weight, reduction)


def _of_losses(loss: Tensor, targets: _Targets, weight: Tensor | None, reduction: str) -> Tensor:
    """The losses of all targets, times their classes' weights, joined."""
    if weight is not None:
        loss = loss * apply(Gather(axis=0), weight, targets.places)
    loss = targets.masked(loss)
    if reduction != "mean":
        return reduced(loss, reduction)
    if weight is None and targets.kept is None:
        return loss.mean()  # type: ignore[no-any-return]
    return loss.sum() / targets.shares(weight, loss)  # type: ignore[no-any-return]


def nll_loss(
    input: Tensor, target: Tensor, weight: Tensor | None = None, size_average: bool | None = None,
    ignore_index: int = -100, reduce: bool | None = None, reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """-x[n, y[n]] · weight[y[n]], 0 where y[n] is ignore_index; the mean is that of the weights.

    input: logarithms of probabilities (C), (N, C) or (N, C, d...); target (), (N) or (N, d...).

    >>> import suanzi
    >>> nll_loss(suanzi.tensor([[-1.0, -2.0], [-3.0, -4.0]]), suanzi.tensor([0, 1]))
    tensor(2.5000)
    """
    reduction = legacy(size_average, reduce, reduction)
    require_reduction(reduction)
    at = _require_classes(input, target, weight)
    targets = _Targets(target, ignore_index, input.shape[at])
    return _of_classes(input, targets, weight, at, reduction)


def cross_entropy(
    input: Tensor, target: Tensor, weight: Tensor | None = None, size_average: bool | None = None,
    ignore_index: int = -100, reduce: bool | None = None, reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:  # fmt: skip
    """`nll_loss` of log_softmax(x); or, where target has input's shape, its probabilities y:
    -Σ_c y[c] · weight[c] · log_softmax(x)[c].

    label_smoothing is the share of the target that goes to all classes alike.
    """
    reduction = legacy(size_average, reduce, reduction)
    require_reduction(reduction)
    require_tensor(input)
    require_tensor(target, "target")
    if not 0.0 <= label_smoothing <= 1.0:
        raise SuanziError("wrong smoothing", input="label_smoothing", expected="from 0 to 1",
                          found=label_smoothing)  # fmt: skip
    if input.shape == target.shape and input.ndim:
        return _of_probabilities(input, target, weight, ignore_index, reduction, label_smoothing)
    at = _require_classes(input, target, weight)
    classes = input.shape[at]
    targets = _Targets(target, ignore_index, classes)
    if label_smoothing == 0.0 and at == 1:
        each = first(SoftmaxCrossEntropyLoss(reduction="none"), input, targets.places)
        return _of_losses(each, targets, weight, reduction)
    x = log_softmax(input, at)
    loss = _of_classes(x, targets, weight, at, reduction)
    if label_smoothing == 0.0:
        return loss
    spread = x if weight is None else x * _along(weight, input, at)
    smooth = -targets.masked(spread.sum(at))
    if reduction == "mean":
        smooth = smooth.sum() / targets.shares(weight, smooth)
    else:
        smooth = reduced(smooth, reduction)
    share = label_smoothing / classes
    return loss * (1 - label_smoothing) + smooth * share  # type: ignore[no-any-return]


def _along(weight: Tensor, input: Tensor, at: int) -> Tensor:
    """The weights along the axis of the classes."""
    return weight.reshape(-1, *[1] * (input.ndim - at - 1))  # type: ignore[no-any-return]


def _of_probabilities(
    input: Tensor, target: Tensor, weight: Tensor | None, ignore_index: int, reduction: str,
    label_smoothing: float,
) -> Tensor:  # fmt: skip
    if not target.is_floating_point():
        raise SuanziError("probabilities are floating-point numbers", input="target",
                          expected=input.dtype, found=target.dtype)  # fmt: skip
    if ignore_index >= 0:
        raise SuanziError("only class indices can be ignored", input="ignore_index",
                          expected="none", found=ignore_index)  # fmt: skip
    at = 1 if input.ndim > 1 else 0
    classes = input.shape[at]
    _require_weight(weight, input, at)
    if label_smoothing:
        target = target * (1 - label_smoothing) + label_smoothing / classes
    loss = log_softmax(input, at) * target
    if weight is not None:
        loss = loss * _along(weight, input, at)
    if reduction == "mean":
        count = input.numel() // classes if classes else 0
        return loss.sum() * (-1 / count if count else float("nan"))  # type: ignore[no-any-return]
    return reduced(-loss.sum(at), reduction)


def ctc_loss(
    log_probs: Tensor, targets: Tensor, input_lengths: Any, target_lengths: Any, blank: int = 0,
    reduction: str = "mean", zero_infinity: bool = False,
) -> Tensor:  # fmt: skip
    """How improbable each target is, whichever steps of the input wrote its letters.

    log_probs (T, N, C) or (T, C); targets (N, S), or one after another; a length for each. The
    mean is that of the losses divided by their targets' lengths.
    """
    require_reduction(reduction)
    require_tensor(log_probs, "log_probs")
    require_tensor(targets, "targets")
    alone = log_probs.ndim == 2
    if log_probs.ndim not in (2, 3):
        raise SuanziError("wrong rank", input="log_probs", expected="(T, N, C) or (T, C)",
                          found=tuple(log_probs.shape))  # fmt: skip
    x = log_probs.unsqueeze(1) if alone else log_probs
    steps, letters = (
        as_tensor(n if isinstance(n, Tensor) else np.asarray(n)).to(_LONG).reshape(-1)
        for n in (input_lengths, target_lengths)
    )
    y = targets.to(_LONG)
    operator = CTCLoss(blank=blank, zero_infinity=int(zero_infinity))
    loss = apply(operator, x, y.unsqueeze(0) if alone and y.ndim == 1 else y, steps, letters)
    if reduction == "mean":
        return (loss / letters.clamp(min=1).to(loss.dtype)).mean()  # type: ignore[no-any-return]
    if reduction == "sum":
        return loss.sum()  # type: ignore[no-any-return]
    return loss.squeeze(0) if alone else loss  # type: ignore[no-any-return]


__all__ = ["cross_entropy", "ctc_loss", "nll_loss"]
