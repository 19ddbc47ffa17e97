"""Linear models of ai.onnx.ml."""

from typing import Any

import numpy as np

from suanzi.operators._ml import (
    DOMAIN,
    FLOAT32,
    Strings,
    class_labels,
    features,
    matrix_shape,
    post_transform,
    table,
    two_sided,
)
from suanzi.operators._operator import Array, Example, Floats, Ints, Operator, TensorType, operator

POINTS = np.array([[1, 2], [-3, 0.5], [0, -1]], np.float32)


@operator(family="classical", domain=DOMAIN, torch="nn.Linear")
class LinearRegressor(Operator):
    """Y = post_transform(X @ coefficientsᵀ + intercepts).

    X [N, F], coefficients [targets, F], intercepts [targets], Y float32 [N, targets].
    Source: https://onnx.ai/onnx/operators/onnx_aionnxml_LinearRegressor.html (version 1)
    """

    coefficients: Floats | None = None
    intercepts: Floats | None = None
    post_transform: str = "NONE"
    targets: int = 1

    def infer(self, X: TensorType) -> TensorType:
        return TensorType(FLOAT32, (matrix_shape(X)[0], self.targets))

    def numpy(self, X: Array) -> Array:
        weights = table(self.coefficients, self.targets, "coefficients")
        bias = np.array(self.intercepts or 0, FLOAT32)
        return post_transform(features(X) @ weights.T + bias, self.post_transform)

    @classmethod
    def examples(cls) -> list[Example]:
        two: dict[str, Any] = {
            "coefficients": (1.0, 2.0, -1.0, 0.5),
            "intercepts": (0.25, -0.5),
            "targets": 2,
        }
        return [
            Example(cls(coefficients=(1.0, -2.0)), (POINTS,)),
            Example(cls(**two, post_transform="SOFTMAX"), (POINTS,)),
        ]


@operator(family="classical", domain=DOMAIN, torch="nn.Linear")
class LinearClassifier(Operator):
    """Z = post_transform(X @ coefficientsᵀ + intercepts); Y = the label of the largest score.

    X [N, F], coefficients [classes, F], intercepts [classes]; Y [N], int64 or text as the labels
    are; Z float32 [N, classes]. Of two classes the second's coefficients may stand alone: then it
    is chosen where its score is positive, and the first's score is 1 minus it.
    Source: https://onnx.ai/onnx/operators/onnx_aionnxml_LinearClassifier.html (version 1)
    """

    coefficients: Floats
    intercepts: Floats | None = None
    classlabels_ints: Ints | None = None
    classlabels_strings: Strings | None = None
    multi_class: int = 0
    post_transform: str = "NONE"

    def infer(self, X: TensorType) -> tuple[TensorType, TensorType]:
        N, F = matrix_shape(X)
        labels, classes = self._labels, None
        if isinstance(F, int) and F:
            rows = len(self.coefficients) // F
            classes = 2 if rows == 1 and labels.size == 2 else rows
        return TensorType(labels.dtype, (N,)), TensorType(FLOAT32, (N, classes))

    @property
    def _labels(self) -> Array:
        return class_labels(self.classlabels_ints, self.classlabels_strings)

    def numpy(self, X: Array) -> tuple[Array, Array]:
        x, labels = features(X), self._labels
        weights = table(self.coefficients, len(self.coefficients) // x.shape[1], "coefficients")
        scores = x @ weights.T + np.array(self.intercepts or 0, FLOAT32)
        positive = (scores[:, 0] > 0).astype(np.int64)
        chosen = scores.argmax(1) if len(weights) > 1 else positive
        if len(weights) == 1 and labels.size == 2:
            return labels.take(chosen), two_sided(scores, True, self.post_transform)
        Z = post_transform(scores, self.post_transform)
        return labels.take(chosen) if labels.size > 1 else chosen, Z

    @classmethod
    def examples(cls) -> list[Example]:
        three: dict[str, Any] = {
            "coefficients": (1.0, 2.0, -1.0, 0.5, 0.0, 1.0),
            "intercepts": (0.25, -0.5, 0.0),
        }
        names = ("left", "middle", "right")
        return [
            Example(cls(**three, classlabels_strings=names), (POINTS,)),
            Example(cls(coefficients=(1.0, -2.0), classlabels_ints=(5, 7)), (POINTS,)),
        ]
