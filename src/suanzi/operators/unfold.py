"""Cutting a picture into the blocks that a sliding window sees."""

import math
from typing import Any

import numpy as np

from suanzi.operators._axes import product
from suanzi.operators._operator import Array, Dim, Example, Ints, TensorType, operator, require
from suanzi.operators._windows import Windowed
from suanzi.operators.unwinding import Col2Im


@operator(family="convolution", torch="nn.Unfold")
class Unfold(Windowed):
    """Y[n, (c, u, v), (y, x)] = X[n, c, y·s + u·d - p, x·s + v·d - p], 0 outside: what a
    convolution's window sees of X, one column for each place. The counterpart of Col2Im, which is
    PyTorch's Fold.

    X [N, C, *sizes], Y [N, C · Π kernel_shape, L]; L counts the places, by rows.
    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.Unfold.html
    """

    kernel_shape: Ints

    def infer(self, X: TensorType) -> TensorType:
        require(X.rank is None or X.rank > 2, "wrong rank", "X", "at least 3 axes", X)
        if X.shape is None:
            return TensorType(X.dtype, (None,) * 3)
        block = math.prod(self.kernel_shape)
        rows: Dim = X.shape[1] * block if isinstance(X.shape[1], int) else None
        return TensorType(X.dtype, (X.shape[0], rows, product(self.output_sizes(X.shape[2:]))))

    def numpy(self, X: Array) -> Array:
        n, view = X.ndim - 2, self.windows(X, 0)
        columns = view.transpose(0, 1, *range(2 + n, 2 + 2 * n), *range(2, 2 + n))
        places = math.prod(view.shape[2 : 2 + n])
        return columns.reshape(len(X), X.shape[1] * math.prod(self.kernel_shape), places)

    def grad(self, dY: Any, _Y: Any, _X: Any) -> tuple[Any, ...]:
        sizes = tuple(_X.shape[2:])
        window = self.explicit(sizes)
        fold = Col2Im(dilations=window.dilations, pads=window.pads, strides=window.strides)
        return (fold(dY, np.array(sizes), np.array(self.kernel_shape)),)

    @classmethod
    def examples(cls) -> list[Example]:
        X = np.arange(32, dtype=np.float32).reshape(1, 2, 4, 4)
        return [
            Example(cls(kernel_shape=(2, 2)), (X,)),
            Example(cls(kernel_shape=(2, 3), strides=(2, 1), pads=(1, 0, 1, 1)), (X,)),
            Example(cls(kernel_shape=(2,), dilations=(3,)), (X[:, :, 0],)),
        ]
