"""Cross entropy of a linear layer's results: in chunks of the batch the results needn't be held
all at once."""

import math
import warnings
from dataclasses import dataclass
from typing import Any

from suanzi.errors import SuanziError
from suanzi.nn.functional._arguments import require_tensor
from suanzi.nn.functional._reduction import require_reduction
from suanzi.nn.functional.class_loss import cross_entropy
from suanzi.nn.functional.linear import linear
from suanzi.tensor import Function, Tensor, autograd, cat, dtypes, enable_grad, int64, stack

POLICIES = ("auto", "accurate", "balanced", "compact")


@dataclass(frozen=True, slots=True)
class LinearCrossEntropyOptions:
    """How `linear_cross_entropy` divides the batch.

    batch_chunk_size: how many rows at once; else chunking_method: "auto", None (all at once), or
    "aspect_ratio:n", by which a chunk's results take an nth of the input's memory. What
    allow_retain_graph, acc_policy and acc_dtype ask for always holds here: gradients can be taken
    again, and sums are of the inputs' type or wider.

    >>> LinearCrossEntropyOptions().rows(64, 8, 32)
    8
    """

    allow_retain_graph: bool = False
    batch_chunk_size: int | None = None
    chunking_method: str | None = "auto"
    acc_policy: str = "auto"
    acc_dtype: dtypes.dtype | None = None

    def __post_init__(self) -> None:
        if self.acc_policy not in POLICIES:
            raise SuanziError("no such policy", input="acc_policy", expected=", ".join(POLICIES),
                              found=self.acc_policy)  # fmt: skip
        size = self.batch_chunk_size
        if size is not None and not (isinstance(size, int) and size > 0):
            raise SuanziError("wrong size", input="batch_chunk_size", expected="1 or more, or None",
                              found=size)  # fmt: skip
        name, colon, factor = (self.chunking_method or "aspect_ratio").partition(":")
        known = name == "aspect_ratio" and (not colon or (factor.isdigit() and int(factor) > 0))
        if self.chunking_method != "auto" and not known:
            raise SuanziError("no such method", input="chunking_method",
                              expected="auto, aspect_ratio, aspect_ratio:n or None",
                              found=self.chunking_method)  # fmt: skip
        if self.acc_dtype is not None and not self.acc_dtype.is_floating_point:
            raise SuanziError("wrong type", input="acc_dtype", expected="a floating-point type",
                              found=self.acc_dtype)  # fmt: skip

    def rows(self, batch: int, in_features: int, classes: int) -> int:
        """How many rows of the batch a chunk has."""
        given, method = self.batch_chunk_size, self.chunking_method
        if method == "auto":
            method = None if given is not None else "aspect_ratio:2"
        if method is None:
            return max(1, min(batch if given is None else given, batch))
        factor = int(method.partition(":")[2] or 1)
        target = -(-batch // -(-classes // in_features))
        found = min((1 << (target - 1).bit_length()) // factor, batch)
        if given is not None and given != found:
            raise SuanziError("chunking_method gives another size", input="batch_chunk_size",
                              expected=found, found=given, hint="Pass only one.")  # fmt: skip
        return max(1, found)


class _Chunked(Function):
    """The loss of each row, chunk by chunk; the gradients make each chunk again."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, W: Tensor, b: Tensor | None, y: Tensor, weight: Tensor | None,
        ignore_index: int, rows: int,
    ) -> Tensor:  # fmt: skip
        ctx.save_for_backward(x, W, b, y, weight)
        ctx.ignore_index, ctx.rows = ignore_index, rows
        parts = [
            _each(x[i : i + rows], W, b, y[i : i + rows], weight, ignore_index)
            for i in range(0, x.shape[0], rows)
        ]
        return cat(parts)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Any, ...]:
        x, W, b, y, weight = ctx.saved_tensors
        found: list[list[Tensor]] = []
        for i in range(0, x.shape[0], ctx.rows):
            part = slice(i, i + ctx.rows)
            with enable_grad():
                leaves = [t.detach().requires_grad_() for t in (x[part], W, b) if t is not None]
                bias = None if b is None else leaves[2]
                loss = _each(leaves[0], leaves[1], bias, y[part], weight, ctx.ignore_index)
            found.append([*autograd.grad([loss], leaves, [gradient[part]])])
        dx, *others = zip(*found, strict=True)
        sums = [stack(parts).sum(0) if len(parts) > 1 else parts[0] for parts in others]
        return (cat(dx), *sums, *([None] if b is None else []), None, None, None, None)


def _each(
    x: Tensor, W: Tensor, b: Tensor | None, y: Tensor, weight: Tensor | None, ignore_index: int
) -> Tensor:
    logits = linear(x, W, b)
    return cross_entropy(logits, y, weight, ignore_index=ignore_index, reduction="none")


def linear_cross_entropy(
    input: Tensor, linear_weight: Tensor, target: Tensor, *, linear_bias: Tensor | None = None,
    weight: Tensor | None = None, reduction: str = "mean", ignore_index: int | None = None,
    label_smoothing: float = 0.0, options: LinearCrossEntropyOptions | None = None,
) -> Tensor:  # fmt: skip
    """`cross_entropy` of linear(input, linear_weight, linear_bias).

    input (in) or (N, in), linear_weight (C, in) or (C, d..., in), linear_bias (C) or (C, d...).
    With options in chunks of the batch, where target is of class indices and there are no d.
    """
    for name, t in (("input", input), ("linear_weight", linear_weight), ("target", target)):
        require_tensor(t, name)
    require_reduction(reduction)
    if input.ndim not in (1, 2):
        raise SuanziError("wrong rank", input="input", expected="1 or 2", found=input.ndim)
    if linear_weight.ndim < 2 or linear_weight.shape[-1] != input.shape[-1]:
        raise SuanziError("the weight doesn't fit the input", input="linear_weight",
                          expected=f"(C, ..., {input.shape[-1]})",
                          found=tuple(linear_weight.shape))  # fmt: skip
    classes, *others, in_features = linear_weight.shape
    if linear_bias is not None and tuple(linear_bias.shape) != (classes, *others):
        raise SuanziError("the bias doesn't fit the weight", input="linear_bias",
                          found=tuple(linear_bias.shape),
                          expected=(classes, *others))  # fmt: skip
    if others and input.ndim == 1:
        raise SuanziError("such a weight wants a batch", input="input",
                          expected=f"(N, {in_features})", found=tuple(input.shape))  # fmt: skip
    shape = (*input.shape[:-1], classes, *others)
    if tuple(target.shape) == shape and ignore_index is not None:
        raise SuanziError("only class indices can be ignored", input="ignore_index",
                          expected="None", found=ignore_index)  # fmt: skip
    ignored = -100 if ignore_index is None else ignore_index
    if options is not None:
        if not others and label_smoothing == 0.0 and target.dtype == int64:
            return _in_chunks(input, linear_weight, linear_bias, target, weight, reduction,
                              ignored, options)  # fmt: skip
        warnings.warn("linear_cross_entropy: in chunks are class indices of int64 alone, without "
                      "label_smoothing and other axes; options ignored", stacklevel=2)  # fmt: skip
    matrix = linear_weight.reshape(math.prod(shape[input.ndim - 1 :]), in_features)
    bias = None if linear_bias is None else linear_bias.reshape(-1)
    logits = linear(input, matrix, bias).reshape(shape)
    return cross_entropy(
        logits, target, weight, ignore_index=ignored, reduction=reduction,
        label_smoothing=label_smoothing,
    )  # fmt: skip


def _in_chunks(
    x: Tensor, W: Tensor, b: Tensor | None, y: Tensor, weight: Tensor | None, reduction: str,
    ignore_index: int, options: LinearCrossEntropyOptions,
) -> Tensor:  # fmt: skip
    alone = x.ndim == 1
    x, y = (x.unsqueeze(0), y.unsqueeze(0)) if alone else (x, y)
    rows = options.rows(x.shape[0], x.shape[1], W.shape[0])
    if not x.shape[0]:
        each = _each(x, W, b, y, weight, ignore_index)
    else:
        each = _Chunked.apply(x, W, b, y, weight, ignore_index, rows)
    if reduction == "none":
        return each.squeeze(0) if alone else each
    if reduction == "sum":
        return each.sum()  # type: ignore[no-any-return]
    kept = y != ignore_index
    shares = kept.to(x.dtype)
    if weight is not None:
        shares = shares * weight[y.masked_fill(~kept, 0)]
    return each.sum() / shares.sum()  # type: ignore[no-any-return]


__all__ = ["LinearCrossEntropyOptions", "linear_cross_entropy"]
