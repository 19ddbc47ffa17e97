"""Normalization: zero mean and unit variance over some axes, then a scale and a shift."""

import functools
from dataclasses import dataclass

import numpy as np

from suanzi.errors import SuanziError
from suanzi.operators._axes import axis_of
from suanzi.operators._checks import agree, per_channel, require_shape, widen
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
from suanzi.operators._types import element_type


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
        groups = X.astype(element_type(self.stash_type)).reshape(len(X), self.num_groups, -1)
        normal = standardise(groups, (2,), self.epsilon)[0].astype(X.dtype).reshape(X.shape)
        return np.asarray(normal * per_channel(scale, X.ndim) + per_channel(bias, X.ndim))

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

    @classmethod
    def examples(cls) -> list[Example]:
        X, _, _ = channel_examples()
        return [Example(cls(size=3, alpha=0.5), (X,)), Example(cls(size=2, bias=2.0), (X,))]
