"""Normalization: zero mean and unit variance over some axes, then a scale and a shift."""

import functools
import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from suanzi.errors import SuanziError
from suanzi.operators._axes import axis_of
from suanzi.operators._checks import agree, per_channel, require_shape, widen
from suanzi.operators._compose import mean, present, total
from suanzi.operators._gradients import like, reshape, sum_to
from suanzi.operators._operator import (
    Array,
    Dim,
    Example,
    Ints,
    Operator,
    TensorType,
    operator,
    require,
)
from suanzi.operators._standard import (
    inverse_root,
    standard,
    through_scale,
    through_standard,
)
from suanzi.operators._types import element_type
from suanzi.operators._values import as_type
from suanzi.operators.arithmetic import Pow
from suanzi.operators.pooling import AveragePool


def standardise(X: Array, axes: Ints, epsilon: float) -> tuple[Array, Array, Array]:
    """(X - mean) / √(variance + ε) over the axes, the mean, and 1 / √(variance + ε)."""
    mean = X.mean(axes, keepdims=True)
    centred = X - mean
    inverse = 1 / np.sqrt((centred * centred).mean(axes, keepdims=True) + epsilon)
    return centred * inverse, mean, inverse


def require_channels(X: TensorType, **others: TensorType | None) -> None:
    """X has channels, and each of the others one number for each."""
    require(X.rank is None or X.rank > 1, "wrong rank", "X", "at least 2 axes", X)
    channels = None if X.shape is None else X.shape[1]
    for name, t in others.items():
        require_shape(t, (channels,), name)


def channelwise(x: Any, X: Any) -> Any:
    """`per_channel` of any value: x[C] so that it broadcasts over X [N, C, ...]."""
    return reshape(x, (-1, *(1,) * (len(X.shape) - 2)))


def channel_examples() -> tuple[Array, Array, Array]:
    """X [2, 4, 2, 3], scale [4] and B [4]."""
    X = np.sin(np.arange(48, dtype=np.float32)).reshape(2, 4, 2, 3)
    return X, np.array([1, 2, 0.5, -1], np.float32), np.array([0, 1, -1, 0.5], np.float32)


@operator(family="normalization", torch="nn.BatchNorm{n}d")
class BatchNormalization(Operator):
    """Y = (X - mean) / √(var + ε) · scale + B, for each channel.

    X and Y [N, C, ...], the others [C]. In training_mode mean and var are those of X over all
    axes but C, and two more outputs are running_mean = input_mean · momentum + mean · (1 -
    momentum) and running_var likewise. Before opset 14 there were further outputs, before 9 the
    attribute `spatial`, before 7 `is_test`.
    Source: https://onnx.ai/onnx/operators/onnx__BatchNormalization.html (opset 15)
    """

    epsilon: float = 1e-5
    momentum: float = 0.9
    training_mode: int = 0

    grad_outputs = (1, 2)

    def infer(
        self,
        X: TensorType,
        scale: TensorType,
        B: TensorType,
        input_mean: TensorType,
        input_var: TensorType,
    ) -> TensorType | tuple[TensorType, ...]:
        require_channels(X, scale=scale, B=B, input_mean=input_mean, input_var=input_var)
        Y = TensorType(X.dtype, X.shape)
        if not self.training_mode:
            return Y
        running = TensorType(input_mean.dtype, input_mean.shape)
        return Y, running, TensorType(input_var.dtype, input_var.shape)

    def numpy(
        self, X: Array, scale: Array, B: Array, input_mean: Array, input_var: Array
    ) -> Array | tuple[Array, ...]:
        x, mean, var = widen(X), widen(input_mean), widen(input_var)
        if self.training_mode:
            axes = (0, *range(2, X.ndim))
            mean, var = x.mean(axes), x.var(axes)
        c = functools.partial(per_channel, rank=X.ndim)
        Y = (x - c(mean)) / np.sqrt(c(var) + self.epsilon) * c(widen(scale)) + c(widen(B))
        if not self.training_mode:
            return Y.astype(X.dtype)
        running_mean = widen(input_mean) * self.momentum + mean * (1 - self.momentum)
        running_var = widen(input_var) * self.momentum + var * (1 - self.momentum)
        return (
            Y.astype(X.dtype),
            running_mean.astype(input_mean.dtype),
            running_var.astype(input_var.dtype),
        )

    def grad(
        self, dY: Any, Y: Any, X: Any, scale: Any, _B: Any, input_mean: Any, input_var: Any
    ) -> tuple[Any, ...]:
        axes = (0, *range(2, len(X.shape)))
        c = functools.partial(channelwise, X=X)
        kept, new, running = self.momentum, 1 - self.momentum, (None, None)
        batch_mean, batch_var = input_mean, input_var
        if self.training_mode:
            dY, running = present(dY[0], Y[0], X), dY[1:]
            batch_mean, batch_var = Y[1:] if kept == 0 else self._statistics(X, axes)
        centred = X - c(batch_mean)
        inverse = inverse_root(batch_var, self.epsilon)
        sums = functools.cache(lambda: total(dY, axes, 0))
        products = functools.cache(lambda: total(dY * centred, axes, 0))  # dY · (X - mean)

        def dX() -> Any:
            slope = scale * inverse
            if not self.training_mode:
                return as_type(dY * c(slope), X.dtype)
            # X reaches Y through mean and var as well, and those are outputs too.
            n = max(math.prod(X.shape) // max(X.shape[1], 1), 1)
            by_mean, by_var = -slope * sums(), -slope * inverse * inverse * products()
            if running[0] is not None:
                by_mean = by_mean + running[0] * new
            if running[1] is not None:
                by_var = by_var + running[1] * (2 * new)
            made = dY * c(slope) + centred * c(by_var * (1 / n)) + c(by_mean * (1 / n))
            return as_type(made, X.dtype)

        def d_scale() -> Any:
            return as_type(products() * inverse, scale.dtype)

        if not self.training_mode:
            cube = inverse * inverse * inverse
            d_mean: Any = lambda: -scale * inverse * sums()  # noqa: E731
            d_var: Any = lambda: scale * cube * products() * -0.5  # noqa: E731
        else:
            d_mean, d_var = (None if d is None else d * kept for d in running)
        return dX, d_scale, lambda: as_type(sums(), scale.dtype), d_mean, d_var

    @staticmethod
    def _statistics(X: Any, axes: Ints) -> tuple[Any, Any]:
        """The batch's mean and variance for each channel."""
        middle = mean(X, axes)
        centred = X - middle
        return reshape(middle, (-1,)), reshape(mean(centred * centred, axes), (-1,))

    @classmethod
    def examples(cls) -> list[Example]:
        X, scale, B = channel_examples()
        inputs = (X, scale, B, B / 2, np.array([1, 0.5, 2, 4], np.float32))
        return [Example(cls(), inputs), Example(cls(training_mode=1, momentum=0.75), inputs)]


@operator(family="normalization", torch="nn.InstanceNorm{n}d")
class InstanceNormalization(Operator):
    """Y = (X - mean) / √(var + ε) · scale + B, mean and var over each channel of each instance.

    input and Y [N, C, ...], scale and B [C]. Opset 1 differed in `consumed_inputs` alone.
    Source: https://onnx.ai/onnx/operators/onnx__InstanceNormalization.html (opset 22)
    """

    epsilon: float = 1e-5

    def infer(self, input: TensorType, scale: TensorType, B: TensorType) -> TensorType:
        require_channels(input, scale=scale, B=B)
        return TensorType(input.dtype, input.shape)

    def numpy(self, input: Array, scale: Array, B: Array) -> Array:
        normal, _, _ = standardise(widen(input), tuple(range(2, input.ndim)), self.epsilon)
        Y = normal * per_channel(scale, input.ndim) + per_channel(B, input.ndim)
        return np.asarray(Y).astype(input.dtype)

    def grad(self, dY: Any, _Y: Any, input: Any, scale: Any, _B: Any) -> tuple[Any, ...]:
        axes = tuple(range(2, len(input.shape)))
        normal, inverse = standard(input, axes, self.epsilon)
        each = (0, *axes)
        return (
            lambda: through_standard(dY * channelwise(scale, input), normal, inverse, axes),
            lambda: total(dY * normal, each, 0),
            lambda: total(dY, each, 0),
        )

    @classmethod
    def examples(cls) -> list[Example]:
        X, scale, B = channel_examples()
        return [Example(cls(), (X, scale, B)), Example(cls(epsilon=0.5), (X[:, :, 0], scale, B))]


@operator(family="normalization", torch="nn.GroupNorm")
class GroupNormalization(Operator):
    """Y = (X - mean) / √(var + ε) · scale + bias, mean and var over each of num_groups equal
    groups of channels of each instance.

    X and Y [N, C, ...], scale and bias [C]. The quotient is computed in the type `stash_type`
    and rounded to X's. Before opset 21 scale and bias had one number for each group.
    Source: https://onnx.ai/onnx/operators/onnx__GroupNormalization.html (opset 21)
    """

    num_groups: int
    epsilon: float = 1e-5
    stash_type: int = 1

    def infer(self, X: TensorType, scale: TensorType, bias: TensorType) -> TensorType:
        require_channels(X, scale=scale, bias=bias)
        if self.num_groups < 1:
            raise SuanziError("wrong num_groups", expected="at least 1", found=self.num_groups)
        if X.shape is not None and isinstance(X.shape[1], int):
            expected = f"a multiple of {self.num_groups} channels"
            require(
                X.shape[1] % self.num_groups == 0, "doesn't divide into groups", "X", expected, X
            )
        return TensorType(X.dtype, X.shape)

    def numpy(self, X: Array, scale: Array, bias: Array) -> Array:
        each = math.prod(X.shape[1:]) // self.num_groups
        groups = X.astype(element_type(self.stash_type)).reshape(len(X), self.num_groups, each)
        normal = standardise(groups, (2,), self.epsilon)[0].astype(X.dtype).reshape(X.shape)
        return np.asarray(normal * per_channel(scale, X.ndim) + per_channel(bias, X.ndim))

    def grad(self, dY: Any, _Y: Any, X: Any, scale: Any, _bias: Any) -> tuple[Any, ...]:
        groups = (X.shape[0], self.num_groups, math.prod(X.shape[1:]) // self.num_groups)
        stash = element_type(self.stash_type)
        normal, inverse = standard(as_type(reshape(X, groups), stash), (2,), self.epsilon)

        def dX() -> Any:
            g = as_type(reshape(dY * channelwise(scale, X), groups), stash)
            made = through_standard(g, normal, inverse, (2,))
            return as_type(reshape(made, X.shape), X.dtype)

        each = (0, *range(2, len(X.shape)))
        return (
            dX,
            lambda: total(dY * reshape(as_type(normal, X.dtype), X.shape), each, 0),
            lambda: total(dY, each, 0),
        )

    @classmethod
    def examples(cls) -> list[Example]:
        X, scale, B = channel_examples()
        return [Example(cls(num_groups=n), (X, scale, B)) for n in (1, 2, 4)]


@dataclass(frozen=True, kw_only=True)
class TrailingNormalization(Operator):
    """Normalizes over the axes from `axis` to the last, in the type `stash_type`; what follows is
    in X's type. Scale and bias broadcast to X's shape.
    """

    axis: int = -1
    epsilon: float = 1e-5
    stash_type: int = 1

    def axes(self, rank: int) -> Ints:
        return tuple(range(axis_of(self.axis, rank), rank))

    def infer_trailing(self, X: TensorType, **others: TensorType | None) -> TensorType:
        if X.rank is not None:
            axis_of(self.axis, X.rank)
        for name, t in others.items():
            if t is None or t.shape is None or X.shape is None:
                continue
            require(_broadcasts_to(t.shape, X.shape), "doesn't broadcast to X", name, X, t)
        return TensorType(X.dtype, X.shape)


def _broadcasts_to(shape: tuple[Dim, ...], to: tuple[Dim, ...]) -> bool:
    pairs = zip(shape[::-1], to[::-1], strict=False)
    return len(shape) <= len(to) and all(a == 1 or agree(a, b) for a, b in pairs)


@operator(family="normalization", torch="nn.LayerNorm")
class LayerNormalization(TrailingNormalization):
    """Y = (X - Mean) · InvStdDev · Scale + B, where InvStdDev = 1 / √(var + ε).

    X and Y of one shape; Mean and InvStdDev, the further outputs, have size 1 from `axis` on and
    the type `stash_type`. New in opset 17.
    Source: https://onnx.ai/onnx/operators/onnx__LayerNormalization.html (opset 17)
    """

    grad_outputs = (1, 2)

    def infer(
        self, X: TensorType, Scale: TensorType, B: TensorType | None = None
    ) -> tuple[TensorType, TensorType, TensorType]:
        Y = self.infer_trailing(X, Scale=Scale, B=B)
        shape = X.shape
        if shape is not None:
            axes = self.axes(len(shape))
            shape = (*shape[: axes[0]], *(1,) * len(axes))
        statistic = TensorType(element_type(self.stash_type), shape)
        return Y, statistic, statistic

    def numpy(self, X: Array, Scale: Array, B: Array | None = None) -> tuple[Array, Array, Array]:
        x = X.astype(element_type(self.stash_type))
        normal, mean, inverse = standardise(x, self.axes(X.ndim), self.epsilon)
        Y = normal.astype(X.dtype) * Scale
        if B is not None:
            Y = Y + B
        return Y.astype(X.dtype), mean, inverse

    def grad(self, dY: Any, Y: Any, X: Any, Scale: Any, B: Any = None) -> tuple[Any, ...]:
        (_, middle, inverse), (_, d_middle, d_inverse) = Y, dY
        axes, d = self.axes(len(X.shape)), present(dY[0], Y[0], X)
        normal = (as_type(X, middle.dtype) - middle) * inverse
        count = math.prod(X.shape[axes[0] :])

        def dX() -> Any:
            g = as_type(d * Scale, middle.dtype)
            made = through_standard(g, normal, inverse, axes)
            if d_middle is not None:
                made = made + d_middle * (1 / count)
            if d_inverse is not None:
                made = made - normal * (d_inverse * inverse * inverse * (1 / count))
            return as_type(made, X.dtype)

        return (
            dX,
            lambda: sum_to(d * as_type(normal, X.dtype), Scale.shape),
            None if B is None else (lambda: sum_to(d, B.shape)),
        )

    @classmethod
    def examples(cls) -> list[Example]:
        X, _, _ = channel_examples()
        return [
            Example(cls(), (X, np.array([1, 2, 3], np.float32), np.array([0, 1, 2], np.float32))),
            Example(cls(axis=1), (X, X[0] + 1, None)),
        ]


@operator(family="normalization", torch="nn.RMSNorm")
class RMSNormalization(TrailingNormalization):
    """Y = X / √(mean(X²) + ε) · scale, the mean over the axes from `axis` to the last.

    X and Y of one shape, Y of scale's type. New in opset 23.
    Source: https://onnx.ai/onnx/operators/onnx__RMSNormalization.html (opset 23)
    """

    def infer(self, X: TensorType, scale: TensorType) -> TensorType:
        return TensorType(scale.dtype, self.infer_trailing(X, scale=scale).shape)

    def numpy(self, X: Array, scale: Array) -> Array:
        x = X.astype(element_type(self.stash_type))
        square = (x * x).mean(self.axes(X.ndim), keepdims=True)
        normal = x / np.sqrt(square + self.epsilon)
        return np.asarray(normal.astype(X.dtype).astype(scale.dtype) * scale)

    def grad(self, dY: Any, _Y: Any, X: Any, scale: Any) -> tuple[Any, ...]:
        axes, x = self.axes(len(X.shape)), as_type(X, element_type(self.stash_type))
        inverse = inverse_root(mean(x * x, axes), self.epsilon)
        normal = x * inverse

        def dX() -> Any:
            g = as_type(dY * scale, x.dtype)
            return as_type(through_scale(g, normal, inverse, axes), X.dtype)

        return dX, lambda: sum_to(dY * as_type(normal, scale.dtype), scale.shape)

    @classmethod
    def examples(cls) -> list[Example]:
        X, _, _ = channel_examples()
        scale = np.array([1, 2, 3], np.float32)
        return [Example(cls(), (X, scale)), Example(cls(axis=2), (X, X[0, 0]))]


@operator(family="normalization", torch="nn.LocalResponseNorm")
class LRN(Operator):
    """Y = X / (bias + alpha/size · S)^beta, S the sum of squares over `size` channels about each.

    X and Y [N, C, ...]; of an even size one more channel lies after than before.
    Source: https://onnx.ai/onnx/operators/onnx__LRN.html (opset 13, as opset 1)
    """

    size: int
    alpha: float = 1e-4
    beta: float = 0.75
    bias: float = 1.0

    def infer(self, X: TensorType) -> TensorType:
        require_channels(X)
        if self.size < 1:
            raise SuanziError("wrong size", expected="at least 1", found=self.size)
        return TensorType(X.dtype, X.shape)

    def numpy(self, X: Array) -> Array:
        x = widen(X)
        before, after = (min(n, X.shape[1]) for n in ((self.size - 1) // 2, self.size // 2))
        squares = np.pad(x * x, [(0, 0), (before, after), *[(0, 0)] * (X.ndim - 2)])
        S = np.lib.stride_tricks.sliding_window_view(squares, before + 1 + after, 1).sum(-1)
        return np.asarray(x / (self.bias + self.alpha / self.size * S) ** self.beta).astype(X.dtype)

    def grad(self, dY: Any, _Y: Any, X: Any) -> tuple[Any, ...]:
        before, after = (min(n, X.shape[1]) for n in ((self.size - 1) // 2, self.size // 2))
        rows = (X.shape[0], 1, X.shape[1], math.prod(X.shape[2:]))

        def summed(x: Any, before: int, after: int) -> Any:
            """The sums over the channels about each: of a mean that counts the padding."""
            window = (before + 1 + after, 1)
            pool = AveragePool(kernel_shape=window, pads=(before, 0, after, 0), count_include_pad=1)
            return reshape(pool(reshape(x, rows)) * window[0], X.shape)

        share = self.alpha / self.size
        D = summed(X * X, before, after) * share + self.bias
        power = Pow()(D, like(-self.beta, D))
        # X[j] is in the sums of the channels that it is in the window of: before and after swap.
        reached = summed(dY * X * power / D, after, before)
        return (dY * power - X * reached * (2 * self.beta * share),)

    @classmethod
    def examples(cls) -> list[Example]:
        X, _, _ = channel_examples()
        return [Example(cls(size=3, alpha=0.5), (X,)), Example(cls(size=2, bias=2.0), (X,))]
