"""Convolution and its transpose, over any number of spatial axes."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from suanzi.errors import SuanziError
from suanzi.operators._checks import agree, per_channel, require_dtype, require_shape, widen
from suanzi.operators._operator import Array, Dim, Example, Ints, TensorType, operator, require
from suanzi.operators._windows import Axis, Windowed, overlap_add


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
        return replace(self, output_shape=None, output_padding=extra)._with(axes)

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
