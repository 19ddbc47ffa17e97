"""Convolution, its transpose, and what their gradients take, over any number of spatial axes."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np

from suanzi.errors import SuanziError
from suanzi.operators._checks import agree, per_channel, require_dtype, require_shape, widen
from suanzi.operators._operator import Array, Dim, Example, Ints, TensorType, operator, require
from suanzi.operators._windows import Axis, Windowed, overlap_add
from suanzi.operators.joining import Slice
from suanzi.operators.reduction import ReduceSum


@dataclass(frozen=True, kw_only=True)
class Convolution(Windowed):
    """What Conv, its integer forms and its transpose share."""

    kernel_shape: Ints | None = None
    group: int = 1

    def spatial(self, X: TensorType, W: TensorType) -> tuple[Dim, ...] | None:
        """The output's sizes along the spatial axes, once X and W are found to fit."""
        for t, name in ((X, "X"), (W, "W")):
            require(t.rank is None or t.rank > 2, "wrong rank", name, "at least 3 axes", t)
        if X.shape is None or W.shape is None:
            return None
        n, kernel = len(X.shape) - 2, W.shape[2:]
        require(len(kernel) == n, "wrong rank", "W", f"{n + 2} axes, as X has", W)
        if self.group < 1:
            raise SuanziError("wrong group", expected="at least 1", found=self.group)
        if self.kernel_shape is not None:
            require_shape(W, (*W.shape[:2], *self.kernel_shape), "W")
        known = tuple(k for k in kernel if isinstance(k, int))
        if self.kernel_shape is None and len(known) < n:
            return (None,) * n
        require(min(known, default=1) > 0, "empty filters", "W", "at least 1 along each axis", W)
        return self.output_sizes(X.shape[2:], known)

    def infer_conv(
        self, X: TensorType, W: TensorType, B: TensorType | None
    ) -> tuple[Dim, ...] | None:
        """The shape of a convolution's output."""
        sizes = self.spatial(X, W)
        if sizes is None or X.shape is None or W.shape is None:
            return None
        M, per_group = W.shape[:2]
        if isinstance(X.shape[1], int):
            expected = f"{X.shape[1] // self.group} along axis 1 (X's channels / {self.group})"
            fits = X.shape[1] % self.group == 0 and agree(per_group, X.shape[1] // self.group)
            require(fits, "wrong number of channels", "W", expected, W)
        if isinstance(M, int):
            fits = M % self.group == 0
            expected = f"a multiple of {self.group} along axis 0"
            require(fits, "wrong number of filters", "W", expected, W)
        require_shape(B, (M,), "B")
        return (X.shape[0], M, *sizes)

    def convolve(self, X: Array, W: Array) -> Array:
        """Y[n,m,o] = Σ_c,k X[n, c, o·stride + k·dilation - pad] · W[m,c,k], group by group."""
        N, G, n = X.shape[0], self.group, X.ndim - 2
        view = self.windows(X, 0, W.shape[2:])
        output, kernel = view.shape[2 : 2 + n], tuple(range(2 + n, 2 + 2 * n))
        # Each column holds what one output place sees: a convolution is a product of matrices.
        columns = view.transpose(0, 1, *kernel, *range(2, 2 + n))
        columns = columns.reshape(N, G, math.prod(W.shape[1:]), math.prod(output))
        Y = W.reshape(G, W.shape[0] // G, -1) @ columns
        return np.asarray(Y.reshape(N, W.shape[0], *output))

    def macs(self, inputs: Sequence[TensorType | None], outputs: Sequence[TensorType]) -> int:
        """Each output element takes one for each weight of its filter."""
        assert inputs[1] is not None
        return outputs[0].size * math.prod(inputs[1].sizes[1:])


@operator(family="convolution", torch="nn.Conv{n}d")
class Conv(Convolution):
    """Slides each filter over the input and sums the products.

    Y[n,m,y,x] = B[m] + Σ_c,u,v X[n, c, y·s+u·d-p, x·s+v·d-p] · W[m,c,u,v], X being 0 outside.

    X [N, C, *sizes], W [M, C/group, *kernel], B [M], Y [N, M, *places]; the first C/group
    channels make the first M/group, and so on. places = ⌊(size + pads - (kernel-1)·d - 1)/s⌋ + 1.
    Sums of half-precision numbers are taken in float32. Before opset 11 nothing differed but
    defaults left unsaid.
    Source: https://onnx.ai/onnx/operators/onnx__Conv.html (opset 22)
    """

    def infer(self, X: TensorType, W: TensorType, B: TensorType | None = None) -> TensorType:
        require_dtype(W, X.dtype, "W")
        require_dtype(B, X.dtype, "B")
        return TensorType(X.dtype, self.infer_conv(X, W, B))

    def numpy(self, X: Array, W: Array, B: Array | None = None) -> Array:
        Y = self.convolve(widen(X), widen(W))
        if B is not None:
            Y = Y + per_channel(B, X.ndim)
        return Y.astype(X.dtype)

    def grad(self, dY: Any, _Y: Any, X: Any, W: Any, _B: Any = None) -> tuple[Any, ...]:
        made = attributes(self.explicit(X.shape[2:], W.shape[2:]))
        return (
            lambda: back_to(X.shape, dY.shape, made)(dY, W),
            lambda: ConvWeightGradient(**made)(X, dY),
            *(() if _B is None else (lambda: sum_channels(dY),)),
        )

    @classmethod
    def examples(cls) -> list[Example]:
        X = np.arange(50, dtype=np.float32).reshape(1, 2, 5, 5)
        W = np.arange(36, dtype=np.float32).reshape(2, 2, 3, 3) / 10 - 1
        B = np.array([1, -1], np.float32)
        return [
            Example(cls(pads=(1, 1, 1, 1)), (X, W, B)),
            Example(cls(strides=(2, 1), auto_pad="SAME_UPPER"), (X, W, B)),
            Example(cls(group=2, dilations=(2, 2)), (X, W[:, :1], None)),
            Example(cls(kernel_shape=(3,), pads=(2, 0)), (X[:, :, 0], W[:, :, 0], B)),
        ]


@operator(family="convolution", torch="nn.ConvTranspose{n}d")
class ConvTranspose(Convolution):
    """Lays down each filter, times the input's element, at each place; overlaps add up.

    Y[n, m, y·s+u·d-p, x·s+v·d-p] += X[n,c,y,x] · W[c,m,u,v], and B[m] is added.

    X [N, C, *sizes], W [C, M/group, *kernel], B [M], Y [N, M, *outputs], where
    output = (size-1)·s + output_padding + (kernel-1)·d + 1 - pads. Where `output_shape` or
    SAME (output = size·s) gives the output, the pads follow from it, the odd one at the end for
    SAME_UPPER, else at the beginning. Opset 1 said no more clearly where the odd one goes.
    Source: https://onnx.ai/onnx/operators/onnx__ConvTranspose.html (opset 22)
    """

    output_padding: Ints | None = None
    output_shape: Ints | None = None

    def explicit(self, sizes: Ints, kernel: Ints | None = None) -> Self:
        """As Windowed's; output_padding is spelt out too, in place of output_shape."""
        axes, extra = self.axes(len(sizes), kernel), self._numbers("output_padding", len(sizes), 0)
        if self.output_shape is not None or self.auto_pad.startswith("SAME"):
            output = self.places(sizes, kernel)
            missing = [  # what the stamps cover less what is wanted
                (size - 1) * a.stride + a.extent - o
                for size, a, o in zip(sizes, axes, output, strict=True)
            ]
            totals = [max(0, m + e) for m, e in zip(missing, extra, strict=True)]
            at_end = self.auto_pad == "SAME_UPPER"
            axes = [self.split(a, t, at_end) for a, t in zip(axes, totals, strict=True)]
            extra = tuple(t - m for t, m in zip(totals, missing, strict=True))
        return replace(self, output_shape=None, output_padding=extra).over(axes)

    def output_sizes(self, sizes: Sequence[Dim], kernel: Ints | None = None) -> tuple[Dim, ...]:
        if self.output_shape is not None:
            return self._numbers("output_shape", len(sizes), 1)
        axes, extra = self.axes(len(sizes), kernel), self._numbers("output_padding", len(sizes), 0)
        return tuple(map(self._upsampled, sizes, axes, extra))

    def _upsampled(self, size: Dim, axis: Axis, extra: int) -> Dim:
        grown = axis.extent - axis.stride + extra - axis.begin - axis.end
        if self.auto_pad.startswith("SAME"):
            grown = 0
        if not isinstance(size, int):
            return size if axis.stride == 1 and grown == 0 else None
        output = size * axis.stride + grown
        require(output >= 0, "less than the pads take away", "X", f"at least {-grown}", size)
        return output

    def infer(self, X: TensorType, W: TensorType, B: TensorType | None = None) -> TensorType:
        require_dtype(W, X.dtype, "W")
        require_dtype(B, X.dtype, "B")
        sizes = self.spatial(X, W)
        if sizes is None or X.shape is None or W.shape is None:
            return TensorType(X.dtype, None)
        C, M = X.shape[1], W.shape[1]
        require_shape(W, (C, *W.shape[1:]), "W")
        if isinstance(C, int):
            require(C % self.group == 0, "doesn't divide into groups", "X", self.group, X)
        M = M * self.group if isinstance(M, int) else None
        require_shape(B, (M,), "B")
        return TensorType(X.dtype, (X.shape[0], M, *sizes))

    def numpy(self, X: Array, W: Array, B: Array | None = None) -> Array:
        N, G, n, sizes, kernel = X.shape[0], self.group, X.ndim - 2, X.shape[2:], W.shape[2:]
        op = self.explicit(sizes, kernel)
        axes, output = op.axes(n), op.places(sizes)
        M = W.shape[1] * G
        filters = widen(W).reshape(G, W.shape[0] // G, -1).swapaxes(1, 2)
        stamps = filters @ widen(X).reshape(N, G, X.shape[1] // G, -1)
        Y = overlap_add(stamps.reshape(N, M, *kernel, *sizes), axes, output)
        if B is not None:
            Y = Y + per_channel(B, X.ndim)
        return Y.astype(X.dtype)

    def grad(self, dY: Any, _Y: Any, X: Any, W: Any, _B: Any = None) -> tuple[Any, ...]:
        made = attributes(self.explicit(X.shape[2:], W.shape[2:]))
        return (
            lambda: as_far_as(X.shape, Conv(**made)(dY, W)),
            lambda: ConvWeightGradient(**made)(dY, X),
            *(() if _B is None else (lambda: sum_channels(dY),)),
        )

    def macs(self, inputs: Sequence[TensorType | None], outputs: Sequence[TensorType]) -> int:
        """Each input element takes one for each weight that it meets."""
        X, W = inputs[:2]
        assert X is not None
        assert W is not None
        return X.size * math.prod(W.sizes[1:])

    @classmethod
    def examples(cls) -> list[Example]:
        X = np.arange(18, dtype=np.float32).reshape(1, 2, 3, 3)
        W = np.arange(36, dtype=np.float32).reshape(2, 2, 3, 3) / 10 - 1
        B = np.array([1, -1], np.float32)
        return [
            Example(cls(strides=(2, 2), pads=(1, 1, 1, 1), output_padding=(1, 1)), (X, W, B)),
            Example(cls(strides=(2, 3), auto_pad="SAME_UPPER"), (X, W, None)),
            Example(cls(strides=(2, 2), output_shape=(8, 8)), (X, W, B)),
            Example(cls(group=2, dilations=(2, 1)), (X, W[:, :1], B)),
        ]


def attributes(conv: "Convolution | ConvWeightGradient") -> dict[str, Any]:
    """What a convolution has in common with its transpose and its gradient."""
    names = ("kernel_shape", "strides", "pads", "dilations", "group")
    return {name: getattr(conv, name) for name in names}


def back_to(shape: Ints, places: Ints, made: dict[str, Any]) -> ConvTranspose:
    """The transpose of the Conv with these attributes from a value of shape `places` to `shape`."""
    axes = Conv(**made).axes(len(shape) - 2)
    left = [  # what the windows don't reach at the end
        size + a.begin + a.end - a.extent - (count - 1) * a.stride
        for size, count, a in zip(shape[2:], places[2:], axes, strict=True)
    ]
    return ConvTranspose(output_padding=tuple(left), **made)


def as_far_as(shape: Ints, value: Any) -> Any:
    """The value without the places at the end that are beyond this shape."""
    if tuple(value.shape) == tuple(shape):
        return value
    axes = np.arange(2, len(shape))
    return Slice()(value, np.zeros_like(axes), np.array(shape[2:], np.int64), axes)


def sum_channels(dY: Any) -> Any:
    """The gradient of a number added to each channel."""
    axes = np.array([0, *range(2, len(dY.shape))], np.int64)
    return ReduceSum(keepdims=0)(dY, axes)


@operator(family="convolution")
class ConvWeightGradient(Windowed):
    """Sums what each weight of a convolution was multiplied by, times its output's gradient.

    dW[m,c,u,v] = Σ_n,y,x X[n, c, y·s+u·d-p, x·s+v·d-p] · dY[n,m,y,x], X being 0 outside.

    X [N, C, *sizes], dY [N, M, *places], dW [M, C/group, *kernel_shape]; the attributes are the
    Conv's. dY may have fewer places than X has room for: those at the end are left out. A
    ConvTranspose's weights have this gradient with the roles of X and dY exchanged.
    Sums of half-precision numbers are taken in float32.
    """

    group: int = 1

    def infer(self, X: TensorType, dY: TensorType) -> TensorType:
        require_dtype(dY, X.dtype, "dY")
        require(X.rank is None or X.rank > 2, "wrong rank", "X", "at least 3 axes", X)
        require(self.group > 0, "wrong group", "group", "at least 1", self.group)
        if X.shape is None or dY.shape is None:
            return TensorType(X.dtype, None)
        require(dY.rank == X.rank, "wrong rank", "dY", f"{X.rank} axes, as X has", dY)
        (N, C, *sizes), (_, M, *places) = X.shape, dY.shape
        room = self.output_sizes(sizes)
        require_shape(dY, (N, M, *(None,) * len(room)), "dY")
        for place, most in zip(places, room, strict=True):
            fits = not isinstance(place, int) or not isinstance(most, int) or place <= most
            require(fits, "more places than X has room for", "dY", list(room), dY)
        for t, channels, name in ((X, C, "X"), (dY, M, "dY")):
            divides = not isinstance(channels, int) or channels % self.group == 0
            require(divides, "doesn't divide into groups", name, self.group, t)
        per_group = C // self.group if isinstance(C, int) else C if self.group == 1 else None
        kernel = [axis.kernel for axis in self.axes(len(sizes))]
        return TensorType(X.dtype, (M, per_group, *kernel))

    def numpy(self, X: Array, dY: Array) -> Array:
        (N, M, *places), C, G, n = dY.shape, X.shape[1], self.group, X.ndim - 2
        view = self.windows(widen(X), 0)[(slice(None),) * 2 + tuple(map(slice, places))]
        kernel = view.shape[2 + n :]
        taps = view.reshape(N, G, C // G, math.prod(places), math.prod(kernel))
        columns = taps.transpose(1, 0, 3, 2, 4).reshape(G, N * math.prod(places), -1)
        rows = widen(dY).reshape(N, G, M // G, -1).transpose(1, 2, 0, 3).reshape(G, M // G, -1)
        return (rows @ columns).reshape(M, C // G, *kernel).astype(X.dtype)

    def grad(self, ddW: Any, _dW: Any, X: Any, dY: Any) -> tuple[Any, ...]:
        made = attributes(self.explicit(X.shape[2:]))
        return (
            lambda: back_to(X.shape, dY.shape, made)(dY, ddW),
            lambda: as_far_as(dY.shape, Conv(**made)(X, ddW)),
        )

    def macs(self, inputs: Sequence[TensorType | None], outputs: Sequence[TensorType]) -> int:
        """Each element of dY takes one for each weight of its filter."""
        assert inputs[1] is not None
        return inputs[1].size * math.prod(outputs[0].sizes[1:])

    @classmethod
    def examples(cls) -> list[Example]:
        X = np.arange(50, dtype=np.float32).reshape(1, 2, 5, 5) / 10
        dY = np.arange(36, dtype=np.float32).reshape(1, 4, 3, 3) / 10 - 1
        return [
            Example(cls(kernel_shape=(3, 3), strides=(2, 2), pads=(1, 1, 1, 1)), (X, dY)),
            Example(cls(kernel_shape=(2, 2), dilations=(2, 2), group=2), (X, dY)),
            Example(cls(kernel_shape=(3,)), (X[:, :, 0], dY[:, :, 0])),
        ]
