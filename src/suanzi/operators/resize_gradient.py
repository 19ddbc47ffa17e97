"""How Resize passes gradients back: it is linear, and this is its transpose."""

from typing import Any

import numpy as np

from suanzi.operators._checks import require_shape, widen
from suanzi.operators._operator import Array, Example, Ints, TensorType, operator
from suanzi.operators.resize import Interpolation, Resize


@operator(family="resize")
class ResizeGradient(Interpolation):
    """dX[..., k, ...] = Σ_i w(i, k) · dY[..., i, ...], along each axis in turn, w being Resize's.
    The gradient of Resize, whose attributes and other inputs it has, for X of `shape`.
    """

    shape: Ints

    @property
    def resize(self) -> Resize:
        return Resize(**{k: v for k, v in vars(self).items() if k != "shape"})

    def infer(
        self,
        dY: TensorType,
        roi: TensorType | None = None,
        scales: TensorType | None = None,
        sizes: TensorType | None = None,
    ) -> TensorType:
        X = TensorType(dY.dtype, self.shape)
        made = self.resize.infer(X, roi, scales, sizes)
        if made.shape is not None:
            require_shape(dY, made.shape, "dY")
        return X

    def numpy(
        self,
        dY: Array,
        roi: Array | None = None,
        scales: Array | None = None,
        sizes: Array | None = None,
    ) -> Array:
        op, dX = self.resize, dY.astype(np.result_type(widen(dY), np.float32))
        for axis, x, scale in [*op.places(self.shape, roi, scales, sizes)][::-1]:
            size, along = self.shape[axis], np.moveaxis(dX, axis, 0)
            if op.crops:  # what lies outside isn't X's
                inside = (x >= 0) & (x <= size - 1)
                x, along = x[inside], along[inside]
            sums = np.zeros((size, *along.shape[1:]), dX.dtype)
            for element, weight in zip(*op.taps(x, size, scale), strict=True):
                weights = weight.astype(dX.dtype).reshape(-1, *(1,) * (dX.ndim - 1))
                np.add.at(sums, element, along * weights)
            dX = np.moveaxis(sums, 0, axis)
        return np.ascontiguousarray(dX).astype(dY.dtype)

    def grad(
        self,
        dZ: Any,
        _Z: Any,
        _dY: Any,
        roi: Any = None,
        scales: Any = None,
        sizes: Any = None,
    ) -> tuple[Any, ...]:
        plain = dict(vars(self.resize), extrapolation_value=0.0)  # what isn't X's gets nothing
        return lambda: Resize(**plain)(dZ, roi, scales, sizes), None, None, None

    @classmethod
    def examples(cls) -> list[Example]:
        examples = []
        for resize in Resize.examples():
            X, *others = resize.inputs
            assert isinstance(X, np.ndarray)
            (Y,) = resize.operator.numpy_all(resize.inputs)
            made = cls(**vars(resize.operator), shape=X.shape)
            examples.append(Example(made, (np.sin(Y), *others)))
        return examples
