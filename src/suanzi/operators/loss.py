"""Losses: how far what a model says of classes is from the truth."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from suanzi.errors import SuanziError
from suanzi.operators._checks import require_dtype, require_shape, widen
from suanzi.operators._compose import total
from suanzi.operators._gradients import expand, like, reshape
from suanzi.operators._operator import (
    Array,
    Example,
    Ints,
    Operator,
    TensorType,
    operator,
    require,
)
from suanzi.operators.arithmetic import Exp
from suanzi.operators.indexing import Gather
from suanzi.operators.logic import Equal, Not, Where


@dataclass(frozen=True, kw_only=True)
class ClassLoss(Operator):
    """loss[n, d] = -x[n, c, d] · weight[c], c being the target's class at [n, d]; 0 where that is
    ignore_index. It is returned as it is (reduction none), summed, or (mean) summed and divided by
    the sum of the weights.

    Logarithms of probabilities x [N, C, ...], target [N, ...], weight [C] (absent: ones).
    """

    ignore_index: int | None = None
    reduction: str = "mean"

    def infer_loss(
        self, x: TensorType, target: TensorType, weight: TensorType | None, names: tuple[str, ...]
    ) -> TensorType:
        if self.reduction not in ("none", "sum", "mean"):
            expected = "none, sum or mean"
            raise SuanziError("no such reduction", expected=expected, found=self.reduction)
        require(x.rank is None or x.rank > 1, "wrong rank", names[0], "at least 2 axes", x)
        require_dtype(weight, x.dtype, names[2])
        if x.shape is not None:
            require_shape(target, (x.shape[0], *x.shape[2:]), names[1])
            require_shape(weight, x.shape[1:2], names[2])
        return TensorType(x.dtype, target.shape if self.reduction == "none" else ())

    def loss(self, x: Array, target: Array, weight: Array | None, name: str) -> Array:
        ignored = np.zeros(target.shape, bool)
        if self.ignore_index is not None:
            ignored = target == self.ignore_index
        c, C = np.where(ignored, 0, target), x.shape[1]
        wrong = (c < 0) | (c >= C)
        require(not wrong.any(), "no such class", name, f"from 0 to {C - 1}", c[wrong][:1])
        each = np.ones(target.shape, x.dtype) if weight is None else widen(weight)[c]
        each = np.where(ignored, 0, each)
        found = np.take_along_axis(x, c[:, None], 1)[:, 0]
        loss = np.where(ignored, 0, -found) * each
        if self.reduction == "none":
            return np.asarray(loss)
        with np.errstate(invalid="ignore"):  # where every target is ignored the mean isn't a number
            return np.asarray(loss.sum() / each.sum() if self.reduction == "mean" else loss.sum())

    def shares(self, dloss: Any, target: Any, weight: Any, classes: Ints) -> tuple[Any, Any]:
        """How much each target's -x counts in what is differentiated, [N, 1, ...]; and where x is
        a target's, [N, C, ...]. `classes` is x's shape.
        """
        kept = None
        if self.ignore_index is not None:
            kept = Not()(Equal()(target, like(self.ignore_index, target)))
        each = like(1, dloss) if weight is None else weight
        if weight is not None:
            safe = target if kept is None else Where()(kept, target, like(0, target))
            each = Gather()(weight, safe)
        if kept is not None:
            each = Where()(kept, each, like(0, each))
        if self.reduction == "mean":
            summed = each if tuple(each.shape) else expand(each, target.shape)
            dloss = dloss / total(summed, tuple(range(len(target.shape))), 0)
        column = (classes[0], 1, *classes[2:])
        share = reshape(expand(dloss * each, target.shape), column)
        numbers = class_numbers(classes, np.dtype(target.dtype))
        return share, Equal()(reshape(target, column), numbers)

    @classmethod
    def examples(cls) -> list[Example]:
        x = np.log(np.array([[0.5, 0.25, 0.25], [0.1, 0.1, 0.8]], np.float32))
        weight = np.array([1, 2, 0.5], np.float32)
        places, some = np.stack([x, x[::-1]], -1), np.array([[0, -1], [2, 1]])
        return [
            Example(cls(), (x, np.array([0, 2]))),
            Example(cls(reduction="sum"), (x, np.array([1, 2], np.int32), weight)),
            Example(cls(reduction="none", ignore_index=-1), (places, some, weight)),
        ]


@operator(family="loss", torch="nn.NLLLoss")
class NegativeLogLikelihoodLoss(ClassLoss):
    """loss[n, d] = -input[n, target[n, d], d] · weight[target[n, d]], 0 where the target is
    ignore_index; summed, or divided by the sum of the weights as well (mean), as `reduction` says.

    input [N, C, ...], logarithms of probabilities; target [N, ...], weight [C].
    Source: https://onnx.ai/onnx/operators/onnx__NegativeLogLikelihoodLoss.html (opset 22, as 12)
    """

    def infer(
        self, input: TensorType, target: TensorType, weight: TensorType | None = None
    ) -> TensorType:
        return self.infer_loss(input, target, weight, ("input", "target", "weight"))

    def numpy(self, input: Array, target: Array, weight: Array | None = None) -> Array:
        return self.loss(widen(input), target, weight, "target").astype(input.dtype)

    def grad(
        self, dloss: Any, _loss: Any, _input: Any, target: Any, weight: Any = None
    ) -> tuple[Any, ...]:
        def d_input() -> Any:
            share, chosen = self.shares(dloss, target, weight, tuple(_input.shape))
            return Where()(chosen, -share, like(0, share))

        return d_input, None, None


@operator(family="loss", torch="nn.CrossEntropyLoss")
class SoftmaxCrossEntropyLoss(ClassLoss):
    """NegativeLogLikelihoodLoss of log_prob = scores - log(Σ_c exp(scores)), the second output.

    scores and log_prob [N, C, ...], labels [N, ...], weights [C].
    Source: https://onnx.ai/onnx/operators/onnx__SoftmaxCrossEntropyLoss.html (opset 13, as 12)
    """

    grad_outputs = (1,)

    def infer(
        self, scores: TensorType, labels: TensorType, weights: TensorType | None = None
    ) -> tuple[TensorType, TensorType]:
        output = self.infer_loss(scores, labels, weights, ("scores", "labels", "weights"))
        return output, TensorType(scores.dtype, scores.shape)

    def numpy(
        self, scores: Array, labels: Array, weights: Array | None = None
    ) -> tuple[Array, Array]:
        x = widen(scores)
        x = x - x.max(1, keepdims=True)
        log_prob = x - np.log(np.exp(x).sum(1, keepdims=True))
        output = self.loss(log_prob, labels, weights, "labels")
        return output.astype(scores.dtype), log_prob.astype(scores.dtype)

    def grad(
        self, dY: Any, Y: Any, _scores: Any, labels: Any, weights: Any = None
    ) -> tuple[Any, ...]:
        def d_scores() -> Any:
            plain = self.reduction == "none" and self.ignore_index is None and weights is None
            if plain and dY[1] is None:
                return SoftmaxCrossEntropyLossGradient()(dY[0], Y[1], labels)
            d_log, whole = dY[1], None if dY[1] is None else total(dY[1], (1,))
            if dY[0] is not None:
                share, chosen = self.shares(dY[0], labels, weights, tuple(_scores.shape))
                d_loss = Where()(chosen, -share, like(0, share))
                d_log = d_loss if d_log is None else d_log + d_loss
                whole = -share if whole is None else whole - share
            return d_log - Exp()(Y[1]) * whole

        return d_scores, None, None


@operator(family="loss")
class SoftmaxCrossEntropyLossGradient(Operator):
    """dscores[n, c, d] = dY[n, d] · (exp(log_prob[n, c, d]) - 1[c = labels[n, d]]), the gradient of
    SoftmaxCrossEntropyLoss without weights and reduction.

    dY and labels [N, ...], log_prob and dscores [N, C, ...].
    """

    def infer(self, dY: TensorType, log_prob: TensorType, labels: TensorType) -> TensorType:
        require_dtype(dY, log_prob.dtype, "dY")
        if log_prob.shape is not None:
            for t, name in ((dY, "dY"), (labels, "labels")):
                require_shape(t, (log_prob.shape[0], *log_prob.shape[2:]), name)
        return TensorType(log_prob.dtype, log_prob.shape)

    def numpy(self, dY: Array, log_prob: Array, labels: Array) -> Array:
        return np.asarray(self.composed(dY, log_prob, labels), log_prob.dtype)

    def composed(self, dY: Any, log_prob: Any, labels: Any) -> Any:
        """The same in other operators."""
        column = (log_prob.shape[0], 1, *log_prob.shape[2:])
        return reshape(dY, column) * self._slope(log_prob, reshape(labels, column))

    def _slope(self, log_prob: Any, labels: Any) -> Any:
        """The gradient of each loss alone."""
        numbers = class_numbers(log_prob.shape, np.dtype(labels.dtype))
        chosen = Where()(Equal()(labels, numbers), like(1, log_prob), like(0, log_prob))
        return Exp()(log_prob) - chosen

    def grad(self, dZ: Any, _Z: Any, dY: Any, log_prob: Any, labels: Any) -> tuple[Any, ...]:
        column = (log_prob.shape[0], 1, *log_prob.shape[2:])

        def d_dY() -> Any:
            slope = self._slope(log_prob, reshape(labels, column))
            return total(dZ * slope, (1,), 0)

        return d_dY, lambda: dZ * reshape(dY, column) * Exp()(log_prob), None

    @classmethod
    def examples(cls) -> list[Example]:
        x = np.log(np.array([[0.5, 0.25, 0.25], [0.1, 0.1, 0.8]], np.float32))
        dY, labels = np.array([1, -2], np.float32), np.array([0, 2])
        both = (np.stack([dY, dY], -1), np.stack([x, x[::-1]], -1), np.stack([labels, labels], -1))
        return [Example(cls(), (dY, x, labels)), Example(cls(), both)]


def class_numbers(shape: Ints, dtype: np.dtype[Any]) -> Array:
    """0, 1, ... along axis 1 of a value of this shape."""
    return np.arange(shape[1], dtype=dtype).reshape(-1, *(1,) * (len(shape) - 2))
