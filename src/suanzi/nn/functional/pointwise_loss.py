"""Losses that compare input and target element by element."""

import math
from typing import Any

import numpy as np

from suanzi.errors import SuanziError
from suanzi.nn.functional._arguments import require_tensor
from suanzi.nn.functional._reduction import known, legacy, reduced, require_reduction, together
from suanzi.operators import Softplus, Where
from suanzi.tensor import Function, Tensor, apply, no_grad, where, xlogy


def _weighted(loss: Tensor, weight: Tensor | None, input: Tensor, reduction: str) -> Tensor:
    """The loss's elements by their weights; the mean is that of the weights."""
    if weight is None:
        return reduced(loss, reduction)
    if weight.shape != input.shape:
        raise SuanziError("weight and input differ in shape", input="weight",
                          expected=tuple(input.shape), found=tuple(weight.shape))  # fmt: skip
    if reduction == "mean":
        return (loss * weight).sum() / weight.sum()  # type: ignore[no-any-return]
    return reduced(loss * weight, reduction)


def l1_loss(
    input: Tensor, target: Tensor, size_average: bool | None = None, reduce: bool | None = None,
    reduction: str = "mean", weight: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """|x - y|

    >>> import suanzi
    >>> l1_loss(suanzi.tensor([1.0, 2.0]), suanzi.tensor([0.0, 4.0]))
    tensor(1.5000)
    """
    require_tensor(input)
    require_tensor(target, "target")
    x, y = together(input, target)
    loss = (x - y).abs()
    return _weighted(loss, weight, input, legacy(size_average, reduce, reduction))


def mse_loss(
    input: Tensor, target: Tensor, size_average: bool | None = None, reduce: bool | None = None,
    reduction: str = "mean", weight: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """(x - y)²"""
    require_tensor(input)
    require_tensor(target, "target")
    x, y = together(input, target)
    away = x - y
    return _weighted(away * away, weight, input, legacy(size_average, reduce, reduction))


def smooth_l1_loss(
    input: Tensor, target: Tensor, size_average: bool | None = None, reduce: bool | None = None,
    reduction: str = "mean", beta: float = 1.0,
) -> Tensor:  # fmt: skip
    """(x - y)² / (2·beta) where |x - y| < beta, |x - y| - beta / 2 elsewhere."""
    if beta < 0:
        raise SuanziError("beta is below zero", input="beta", expected="0 or more", found=beta)
    if beta == 0:
        return l1_loss(input, target, size_average, reduce, reduction)
    require_tensor(input)
    require_tensor(target, "target")
    x, y = together(input, target)
    away = x - y
    size = away.abs()
    loss = apply(Where(), size < beta, away * away * (0.5 / beta), size - 0.5 * beta)
    return reduced(loss, legacy(size_average, reduce, reduction))


def huber_loss(
    input: Tensor, target: Tensor, reduction: str = "mean", delta: float = 1.0,
    weight: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """(x - y)² / 2 where |x - y| ≤ delta, delta · (|x - y| - delta / 2) elsewhere."""
    if delta <= 0:
        raise SuanziError("delta isn't above zero", input="delta", expected="above 0", found=delta)
    require_tensor(input)
    require_tensor(target, "target")
    x, y = together(input, target)
    away = x - y
    size = away.abs()
    loss = apply(Where(), size <= delta, away * away * 0.5, (size - 0.5 * delta) * delta)
    if weight is not None and reduction == "mean":  # here the plain mean, as PyTorch has it
        return _weighted(loss, weight, input, "none").mean()  # type: ignore[no-any-return]
    return _weighted(loss, weight, input, reduction)


class _CrossEntropy(Function):
    """Binary cross entropy: the logarithms are bounded, gradients take no notice of it."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, y: Tensor) -> Tensor:
        ctx.save_for_backward(x, y)
        yes, no = x.log().clamp(min=-100.0), (1 - x).log().clamp(min=-100.0)
        return (y - 1) * no - y * yes  # type: ignore[no-any-return]

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None]:
        x, y = ctx.saved_tensors
        dx = dy = None
        if ctx.needs_input_grad[0]:
            dx = gradient * (x - y) / (x * (1 - x)).clamp(min=1e-12)
        if ctx.needs_input_grad[1]:
            dy = gradient * ((1 - x).log() - x.log())
        return dx, dy


def binary_cross_entropy(
    input: Tensor, target: Tensor, weight: Tensor | None = None, size_average: bool | None = None,
    reduce: bool | None = None, reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """-(y·log(x) + (1 - y)·log(1 - x)), the logarithms at least -100."""
    require_tensor(input)
    require_tensor(target, "target")
    _require_alike(input, target)
    values = known(input)
    if values is not None and values.size and not (values.min() >= 0 and values.max() <= 1):
        raise SuanziError("no probabilities", input="input", expected="from 0 to 1",
                          found=f"{values.min()} to {values.max()}")  # fmt: skip
    loss: Tensor = _CrossEntropy.apply(input, target)
    if weight is not None:
        loss = loss * weight
    return reduced(loss, legacy(size_average, reduce, reduction))


def binary_cross_entropy_with_logits(
    input: Tensor, target: Tensor, weight: Tensor | None = None, size_average: bool | None = None,
    reduce: bool | None = None, reduction: str = "mean", pos_weight: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """`binary_cross_entropy` of sigmoid(x), the y·log(...) part times pos_weight."""
    require_tensor(input)
    require_tensor(target, "target")
    _require_alike(input, target)
    back = apply(Softplus(), -input)  # -log(sigmoid(x))
    if pos_weight is not None:
        back = back * ((pos_weight - 1) * target + 1)
    loss = (1 - target) * input + back
    if weight is not None:
        loss = loss * weight
    return reduced(loss, legacy(size_average, reduce, reduction))


def _require_alike(input: Tensor, target: Tensor) -> None:
    if input.shape != target.shape:
        raise SuanziError("target and input differ in shape", input="target",
                          expected=tuple(input.shape), found=tuple(target.shape))  # fmt: skip


def kl_div(
    input: Tensor, target: Tensor, size_average: bool | None = None, reduce: bool | None = None,
    reduction: str = "mean", log_target: bool = False,
) -> Tensor:  # fmt: skip
    """y·(log(y) - x): x are logarithms of probabilities, y probabilities, or with log_target
    their logarithms. "batchmean" is the sum divided by the first axis's size."""
    require_tensor(input)
    require_tensor(target, "target")
    reduction = legacy(size_average, reduce, reduction)
    whole = "sum" if reduction == "batchmean" else reduction
    own = target.exp() * target if log_target else xlogy(target, target)
    loss = own - (target.exp() if log_target else target) * input
    made = reduced(loss, whole)
    return made / input.shape[0] if reduction == "batchmean" and input.ndim else made


def poisson_nll_loss(
    input: Tensor, target: Tensor, log_input: bool = True, full: bool = False,
    size_average: bool | None = None, eps: float = 1e-8, reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """e^x - y·x, or x - y·log(x + eps) unless log_input; with `full` Stirling's log(y!) where
    y > 1 added."""
    require_tensor(input)
    require_tensor(target, "target")
    reduction = legacy(size_average, reduce, reduction)
    loss = input.exp() - target * input if log_input else input - target * (input + eps).log()
    if full:
        stirling = target * target.log() - target + 0.5 * (2 * math.pi * target).log()
        loss = loss + stirling.masked_fill(target <= 1, 0)
    return reduced(loss, reduction)


def gaussian_nll_loss(
    input: Tensor, target: Tensor, var: Any, full: bool = False, eps: float = 1e-6,
    reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """(log(var) + (x - y)² / var) / 2, var at least eps; with `full` log(2π) / 2 added."""
    require_tensor(input)
    require_tensor(target, "target")
    require_reduction(reduction)
    if not isinstance(var, Tensor):
        var = input.new_full(input.shape, var)
    values = known(var)
    if values is not None and np.any(values < 0):  # type: ignore[operator]
        raise SuanziError("a variance is below zero", input="var", expected="0 or more",
                          found=values.min())  # fmt: skip
    if var.shape != input.shape:
        if var.shape == input.shape[:-1]:
            var = var.unsqueeze(-1)
        elif var.ndim != input.ndim or [
            b for a, b in zip(input.shape, var.shape, strict=True) if a != b
        ] != [1]:
            raise SuanziError("the variance doesn't fit the input", input="var",
                              expected=tuple(input.shape), found=tuple(var.shape))  # fmt: skip
    var = var.clone()
    with no_grad():  # the gradient passes the bound
        var.clamp_(min=eps)
    away = input - target
    loss = 0.5 * (var.log() + away * away / var)
    if full:
        loss = loss + 0.5 * math.log(2 * math.pi)
    return reduced(loss, reduction)


def soft_margin_loss(
    input: Tensor, target: Tensor, size_average: bool | None = None, reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """log(1 + e^(-y·x)), y being 1 or -1."""
    require_tensor(input)
    require_tensor(target, "target")
    loss = apply(Softplus(), -target * input)
    return reduced(loss, legacy(size_average, reduce, reduction))


def hinge_embedding_loss(
    input: Tensor, target: Tensor, margin: float = 1.0, size_average: bool | None = None,
    reduce: bool | None = None, reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """x where y is 1, max(0, margin - x) where it is -1."""
    require_tensor(input)
    require_tensor(target, "target")
    far = where(target != 1, (margin - input).clamp(min=0), 0.0)
    loss = far + where(target != -1, input, 0.0)
    return reduced(loss, legacy(size_average, reduce, reduction))


__all__ = [
    "binary_cross_entropy", "binary_cross_entropy_with_logits", "gaussian_nll_loss",
    "hinge_embedding_loss", "huber_loss", "kl_div", "l1_loss", "mse_loss", "poisson_nll_loss",
    "smooth_l1_loss", "soft_margin_loss",
]  # fmt: skip
