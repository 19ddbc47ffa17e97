"""Features made ready, in ai.onnx.ml: scaled, normalised, filled in, cut at a threshold, chosen."""

import math

import numpy as np

from suanzi.errors import SuanziError
from suanzi.operators._ml import DOMAIN, FLOAT32, matrix_shape, strings
from suanzi.operators._operator import (
    Array,
    Example,
    Floats,
    Ints,
    Operator,
    TensorType,
    operator,
    require,
)

POINTS = np.array([[1, 2, -4], [0, 0.5, 3]], np.float32)
NORMS = ("MAX", "L1", "L2")


@operator(family="features", domain=DOMAIN, torch="torch.index_select")
class ArrayFeatureExtractor(Operator):
    """Z[..., k] = X[..., Y[k]]: the columns that Y names.

    X [..., F], Y int64 of any shape with K elements, each from 0 to F - 1; Z [..., K], with an
    axis before it where X has one axis alone.
    Source: https://onnx.ai/onnx/operators/onnx_aionnxml_ArrayFeatureExtractor.html (version 1)
    """

    def infer(self, X: TensorType, Y: TensorType) -> TensorType:
        if X.shape is None:
            return TensorType(X.dtype, None)
        require(X.shape, "wrong number of axes", "X", "[..., F]", X)
        K = Y.size if Y.static else None
        return TensorType(X.dtype, ((*X.shape[:-1], K) if X.shape[1:] else (1, K)))

    def numpy(self, X: Array, Y: Array) -> Array:
        if ((Y < 0) | (X.shape[-1] <= Y)).any():
            raise SuanziError(
                "no such column", input="Y", expected=f"0 to {X.shape[-1] - 1}", found=Y
            )
        return np.atleast_2d(X[..., Y.reshape(-1)])

    @classmethod
    def examples(cls) -> list[Example]:
        return [
            Example(cls(), (POINTS, np.array([2, 0]))),
            Example(cls(), (strings(["a", "b"]), np.array([[1]]))),
        ]


@operator(family="features", domain=DOMAIN)
class Binarizer(Operator):
    """Y = 1 where X > threshold, else 0; its shape and type are X's.

    Source: https://onnx.ai/onnx/operators/onnx_aionnxml_Binarizer.html (version 1)
    """

    threshold: float = 0.0

    def infer(self, X: TensorType) -> TensorType:
        return TensorType(X.dtype, X.shape)

    def numpy(self, X: Array) -> Array:
        return (self.threshold < X).astype(X.dtype)

    @classmethod
    def examples(cls) -> list[Example]:
        return [Example(cls(threshold=0.75), (POINTS,))]


@operator(family="features", domain=DOMAIN, torch="torch.cat")
class FeatureVectorizer(Operator):
    """The inputs side by side, each cut, or padded with zeros, to its number of columns.

    Each X [N, F], or [F] for one row; Y float32 [N, Σ inputdimensions].
    Source: https://onnx.ai/onnx/operators/onnx_aionnxml_FeatureVectorizer.html (version 1)
    """

    inputdimensions: Ints

    def infer(self, *X: TensorType) -> TensorType:
        counts = len(X), len(self.inputdimensions)
        fits = counts[0] == counts[1] and X and min(self.inputdimensions) >= 0
        require(fits, "wrong inputdimensions", "X", *counts)
        return TensorType(FLOAT32, (matrix_shape(X[0])[0], sum(self.inputdimensions)))

    def numpy(self, *X: Array) -> Array:
        columns = [np.atleast_2d(x) for x in X]
        Y = np.zeros((len(columns[0]), sum(self.inputdimensions)), FLOAT32)
        start = 0
        for x, size in zip(columns, self.inputdimensions, strict=True):
            given = x[:, :size]
            Y[:, start : start + given.shape[1]] = given
            start += size
        return Y

    @classmethod
    def examples(cls) -> list[Example]:
        one = np.array([[5], [6]], np.float32)
        return [Example(cls(inputdimensions=(2, 1, 4)), (POINTS, one, POINTS))]


@operator(family="features", domain=DOMAIN, torch="torch.where")
class Imputer(Operator):
    """Y = X, with every replaced_value (NaN: those that aren't numbers) replaced by the imputed
    value, which is one for all columns or one for each.

    X [N, F], or [F]; Y has its shape and type.
    Source: https://onnx.ai/onnx/operators/onnx_aionnxml_Imputer.html (version 1)
    """

    imputed_value_floats: Floats | None = None
    imputed_value_int64s: Ints | None = None
    replaced_value_float: float = 0.0
    replaced_value_int64: int = 0

    def infer(self, X: TensorType) -> TensorType:
        values = self._values(X)
        last = X.shape[-1] if X.shape else None
        fits = not isinstance(last, int) or values.size in (1, last)
        require(fits, "as many values as columns", "X", values.size, X)
        return TensorType(X.dtype, X.shape)

    def _values(self, X: TensorType | Array) -> Array:
        real = X.dtype.kind == "f"
        return np.array((self.imputed_value_floats if real else self.imputed_value_int64s) or ())

    def numpy(self, X: Array) -> Array:
        real = X.dtype.kind == "f"
        replaced = self.replaced_value_float if real else self.replaced_value_int64
        missing = np.isnan(X) if math.isnan(replaced) else replaced == X
        return np.where(missing, self._values(X), X).astype(X.dtype)

    @classmethod
    def examples(cls) -> list[Example]:
        holes = np.where(POINTS == 0, np.nan, POINTS).astype(np.float32)
        each = (1.5, 2.5, 3.5)
        return [
            Example(cls(imputed_value_floats=each, replaced_value_float=math.nan), (holes,)),
            Example(cls(imputed_value_int64s=(9,)), (POINTS.astype(np.int64),)),
        ]


@operator(family="features", domain=DOMAIN, torch="F.normalize")
class Normalizer(Operator):
    """Y = X / norm of its row: MAX the largest element, L1 Σ|x|, L2 √Σx²; a norm of 0 divides
    nothing.

    X [N, F], or [F], Y float32 of its shape. With L2 the quotient keeps its sign, as it does with
    the others.
    Source: https://onnx.ai/onnx/operators/onnx_aionnxml_Normalizer.html (version 1)
    """

    norm: str = "MAX"

    def infer(self, X: TensorType) -> TensorType:
        if self.norm not in NORMS:
            raise SuanziError("wrong norm", expected=", ".join(NORMS), found=self.norm)
        matrix_shape(X)
        return TensorType(FLOAT32, X.shape)

    def numpy(self, X: Array) -> Array:
        x = X.astype(FLOAT32)
        if self.norm == "MAX":
            size = x.max(-1, keepdims=True)
        elif self.norm == "L1":
            size = np.abs(x).sum(-1, keepdims=True)
        else:
            size = np.sqrt((x**2).sum(-1, keepdims=True))
        return np.asarray(x / np.where(size == 0, FLOAT32.type(1), size))

    @classmethod
    def examples(cls) -> list[Example]:
        rows = np.vstack([POINTS, 0 * POINTS])
        return [Example(cls(norm=norm), (rows,)) for norm in NORMS]


@operator(family="features", domain=DOMAIN)
class Scaler(Operator):
    """Y = (X - offset) · scale; offset and scale are one number, or one for each column.

    X [N, F], or [F], Y float32 of its shape.
    Source: https://onnx.ai/onnx/operators/onnx_aionnxml_Scaler.html (version 1)
    """

    offset: Floats | None = None
    scale: Floats | None = None

    def infer(self, X: TensorType) -> TensorType:
        last = X.shape[-1] if X.shape else None
        for values in (self.offset, self.scale):
            count = len(values or (1,))
            fits = not isinstance(last, int) or count in (1, last)
            require(fits, "as many numbers as columns", "X", count, X)
        return TensorType(FLOAT32, X.shape)

    def numpy(self, X: Array) -> Array:
        offset, scale = np.array(self.offset or 0, FLOAT32), np.array(self.scale or 1, FLOAT32)
        return np.asarray((X.astype(FLOAT32) - offset) * scale)

    @classmethod
    def examples(cls) -> list[Example]:
        each = (1.0, 2.0, 0.5)
        return [
            Example(cls(offset=(1.0,), scale=each), (POINTS,)),
            Example(cls(offset=each), (POINTS.astype(np.int64),)),
        ]
