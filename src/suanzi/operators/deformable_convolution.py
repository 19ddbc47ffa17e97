"""Deformable convolution: a filter whose elements each look at a place of their own."""

import math

import numpy as np

from suanzi.errors import SuanziError
from suanzi.operators._checks import per_channel, require_dtype, require_shape, widen
from suanzi.operators._interpolation import interpolate, zero_padded_linear
from suanzi.operators._operator import Array, Example, TensorType, operator, require
from suanzi.operators.convolution import Convolution


@operator(family="convolution", torch="torchvision.ops.DeformConv2d")
class DeformConv(Convolution):
    """Convolution whose filters' elements are moved by offsets, and weighed by a mask.

    Y[n,m,o] = B[m] + Σ_c,k X[n, c, o·s + k·d - p + offset[n,k,:,o]] · mask[n,k,o] · W[m,c,k],
    X being interpolated linearly between its elements and 0 outside.

    X [N, C, *sizes], W [M, C/group, *kernel], offset [N, G·K·n, *places], B [M],
    mask [N, G·K, *places], Y [N, M, *places], where n is the number of spatial axes, K that of the
    kernel's elements, and G is offset_group: each G-th part of the channels has offsets and a mask
    of its own.
    Source: https://onnx.ai/onnx/operators/onnx__DeformConv.html (opset 22, as 19)
    """

    offset_group: int = 1

    def infer(
        self,
        X: TensorType,
        W: TensorType,
        offset: TensorType,
        B: TensorType | None = None,
        mask: TensorType | None = None,
    ) -> TensorType:
        for t, name in ((W, "W"), (offset, "offset"), (B, "B"), (mask, "mask")):
            require_dtype(t, X.dtype, name)
        shape = self.infer_conv(X, W, B)
        if shape is None or X.shape is None or W.shape is None:
            return TensorType(X.dtype, shape)
        if self.offset_group < 1:
            raise SuanziError("wrong offset_group", expected="at least 1", found=self.offset_group)
        if isinstance(X.shape[1], int):
            expected = f"a multiple of {self.offset_group} channels"
            fits = X.shape[1] % self.offset_group == 0
            require(fits, "doesn't divide into groups of offsets", "X", expected, X)
        kernel = [k for k in W.shape[2:] if isinstance(k, int)]
        if len(kernel) == len(shape) - 2:
            moved = self.offset_group * math.prod(kernel)
            require_shape(offset, (X.shape[0], moved * len(kernel), *shape[2:]), "offset")
            require_shape(mask, (X.shape[0], moved, *shape[2:]), "mask")
        return TensorType(X.dtype, shape)

    def numpy(
        self, X: Array, W: Array, offset: Array, B: Array | None = None, mask: Array | None = None
    ) -> Array:
        (N, C, *sizes), (M, _, *kernel), G = X.shape, W.shape, self.offset_group
        n, output = len(sizes), offset.shape[2:]
        offsets = widen(offset).reshape(N * G, *kernel, n, *output)
        places = [
            offsets[(slice(None),) * (1 + n) + (i,)] + self._places(i, W.shape[2:], output)
            for i in range(n)
        ]
        batch = np.arange(N * G).reshape(-1, *(1,) * (2 * n))
        groups = widen(X).reshape(N * G, C // G, *sizes)
        seen = interpolate(groups, batch, zero_padded_linear(places, X.shape[2:]))
        if mask is not None:
            seen = seen * widen(mask).reshape(N * G, *kernel, *output, 1)
        # As in Conv, each column holds what one output place sees.
        columns = np.moveaxis(seen, -1, 1).reshape(N, self.group, -1, math.prod(output))
        Y = (widen(W).reshape(self.group, M // self.group, -1) @ columns).reshape(N, M, *output)
        return np.asarray(Y if B is None else Y + per_channel(widen(B), X.ndim)).astype(X.dtype)

    def _places(self, i: int, kernel: tuple[int, ...], output: tuple[int, ...]) -> Array:
        """Where the filter looks along axis i before it's moved, [*kernel, *places]."""
        n, axis = len(kernel), self.axes(len(kernel), kernel)[i]
        taps = np.arange(kernel[i]) * axis.dilation
        starts = np.arange(output[i]) * axis.stride - axis.begin
        along_kernel = taps.reshape(-1, *(1,) * (2 * n - i - 1))
        return np.asarray(along_kernel + starts.reshape(-1, *(1,) * (n - i - 1)))

    @classmethod
    def examples(cls) -> list[Example]:
        X = np.sin(np.arange(32, dtype=np.float32)).reshape(1, 2, 4, 4)
        W = np.arange(16, dtype=np.float32).reshape(2, 2, 2, 2) / 10 - 1
        offset = np.sin(np.arange(72, dtype=np.float32)).reshape(1, 8, 3, 3)
        mask = np.cos(np.arange(72, dtype=np.float32)).reshape(1, 8, 3, 3)
        B = np.array([1, -1], np.float32)
        doubled = np.concatenate([offset, -offset], 1)
        return [
            Example(cls(), (X, W, offset, B)),
            Example(cls(group=2, offset_group=2), (X, W[:, :1], doubled, None, mask)),
            Example(cls(strides=(2,)), (X[:, :, 0], W[:, :, 0], offset[:, :2, 0, :2], B)),
        ]
