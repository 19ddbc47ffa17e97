"""How pooling passes gradients back: to the largest element, or to all that a window sees."""

from typing import Any

import numpy as np

from suanzi.operators._checks import require_dtype, require_shape, widen
from suanzi.operators._gradients import reshape
from suanzi.operators._operator import Array, Example, Ints, TensorType, operator
from suanzi.operators._windows import overlap_add
from suanzi.operators.indexing import Gather
from suanzi.operators.pooling import AveragePool, MaxPool, Pool


@operator(family="pooling")
class MaxPoolGradient(Pool):
    """dX[I] += dY, I being the place of the largest element that each window of X sees, the first
    of equal ones; 0 elsewhere. The gradient of MaxPool, whose attributes it has.

    dY [N, C, *places], X and dX [N, C, *sizes].
    """

    def infer(self, dY: TensorType, X: TensorType) -> TensorType:
        require_dtype(dY, X.dtype, "dY")
        pooled = self.infer_pool(X)
        if pooled.shape is not None:
            require_shape(dY, pooled.shape, "dY")
        return TensorType(X.dtype, X.shape)

    def numpy(self, dY: Array, X: Array) -> Array:
        dX = np.zeros(X.size, widen(X).dtype)
        np.add.at(dX, self.largest(X).reshape(-1), widen(dY).reshape(-1))
        return dX.reshape(X.shape).astype(X.dtype)

    def largest(self, X: Any) -> Any:
        """Where in X, counted flat, the largest elements lie."""
        return MaxPool(**self.window())(X)[1]

    def grad(self, dZ: Any, _Z: Any, _dY: Any, X: Any) -> tuple[Any, ...]:
        return lambda: Gather()(reshape(dZ, (-1,)), self.largest(X)), None

    @classmethod
    def examples(cls) -> list[Example]:
        examples = []
        for pool in MaxPool.examples():
            Y, _ = pool.operator.numpy(*pool.inputs)
            assert isinstance(pool.operator, MaxPool)
            examples.append(Example(cls(**pool.operator.window()), (np.cos(Y), *pool.inputs)))
        return examples


@operator(family="pooling")
class AveragePoolGradient(Pool):
    """dX[i] = Σ dY[o] / count[o] over the windows o that see element i, count being how many
    elements count in each. The gradient of AveragePool, whose attributes it has, for X of `sizes`.

    dY [N, C, *places], dX [N, C, *sizes].
    """

    sizes: Ints
    count_include_pad: int = 0

    def infer(self, dY: TensorType) -> TensorType:
        channels = (None, None) if dY.shape is None else dY.shape[:2]
        places = self.output_sizes(self.sizes)
        require_shape(dY, (*channels, *places), "dY")
        return TensorType(dY.dtype, (*channels, *self.sizes))

    @property
    def pool(self) -> AveragePool:
        return AveragePool(**self.window(), count_include_pad=self.count_include_pad)

    def numpy(self, dY: Array) -> Array:
        n, axes = len(self.sizes), self.reach(self.sizes)
        shares = widen(dY) / self.pool.counts(self.sizes).astype(widen(dY).dtype)
        taps = tuple(a.kernel for a in axes)
        stamps = shares.reshape(*dY.shape[:2], *(1,) * n, *dY.shape[2:])
        stamps = np.broadcast_to(stamps, (*dY.shape[:2], *taps, *dY.shape[2:]))
        return overlap_add(stamps, axes, self.sizes).astype(dY.dtype)

    def grad(self, dZ: Any, _Z: Any, _dY: Any) -> tuple[Any, ...]:
        return (self.pool(dZ),)

    @classmethod
    def examples(cls) -> list[Example]:
        examples = []
        for pool in AveragePool.examples():
            assert isinstance(pool.operator, AveragePool)
            (X,) = pool.inputs
            assert isinstance(X, np.ndarray)
            dY = pool.operator.numpy(X)
            made = cls(**pool.operator.window(), sizes=X.shape[2:])
            examples.append(Example(made, (dY,)))
        return examples
