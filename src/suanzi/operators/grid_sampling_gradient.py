"""How GridSample passes gradients back: to the elements about each place, and to the places."""

import itertools
from collections.abc import Sequence

import numpy as np

from suanzi.operators._checks import require_dtype, require_shape, widen
from suanzi.operators._interpolation import Tap, interpolate
from suanzi.operators._operator import Array, Example, TensorType, operator
from suanzi.operators.grid_sampling import GridSample, Sampling


@operator(family="vision")
class GridSampleGradient(Sampling):
    """The gradients dX and dgrid of GridSample, whose attributes it has: an element gets dY times
    what it weighed; a place gets Σ dY · X · ∂weight/∂place over the elements about it.

    dY [N, C, *places], X and dX [N, C, *sizes], grid and dgrid [N, *places, r].
    """

    def infer(
        self, dY: TensorType, X: TensorType, grid: TensorType
    ) -> tuple[TensorType, TensorType]:
        require_dtype(dY, X.dtype, "dY")
        Y = self.sample.infer(X, grid)
        if Y.shape is not None:
            require_shape(dY, Y.shape, "dY")
        return TensorType(X.dtype, X.shape), TensorType(grid.dtype, grid.shape)

    @property
    def sample(self) -> GridSample:
        return GridSample(**vars(self))

    def numpy(self, dY: Array, X: Array, grid: Array) -> tuple[Array, Array]:
        x, sizes = X.astype(np.result_type(widen(X), np.float32)), X.shape[2:]
        dy = np.moveaxis(dY.astype(x.dtype), 1, -1)  # [N, *places, C]
        taps, slopes = self.sample.taps(grid, sizes), self.sample.taps(grid, sizes, slope=True)
        batch = np.arange(len(X)).reshape(-1, *(1,) * len(sizes))
        dgrid = np.empty(grid.shape, dy.dtype)
        for i in range(len(sizes)):
            changed = interpolate(x, batch, [*taps[:i], slopes[i], *taps[i + 1 :]])
            dgrid[..., len(sizes) - 1 - i] = (dy * changed).sum(-1)
        return _scattered(dy, batch, taps, X.shape).astype(X.dtype), dgrid.astype(grid.dtype)

    @classmethod
    def examples(cls) -> list[Example]:
        examples = []
        for sample in GridSample.examples():
            (Y,) = sample.operator.numpy_all(sample.inputs)
            examples.append(Example(cls(**vars(sample.operator)), (np.cos(Y), *sample.inputs)))
        return examples


def _scattered(
    dy: Array, batch: Array, taps: Sequence[Sequence[Tap]], shape: tuple[int, ...]
) -> Array:
    """`interpolate` backwards: dy [N, *places, C] added to the elements that it was made of."""
    rows = np.zeros((shape[0], *shape[2:], shape[1]), dy.dtype)
    for combination in itertools.product(*taps):
        weight = np.ones((), dy.dtype)
        for tap in combination:
            weight = weight * tap.weight.astype(dy.dtype)
        places = (batch, *(tap.element.astype(int) for tap in combination))
        np.add.at(rows, places, dy * weight[..., None])
    return np.ascontiguousarray(np.moveaxis(rows, -1, 1))
