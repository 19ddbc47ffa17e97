"""Support vector machines of ai.onnx.ml."""

from typing import Any

import numpy as np

from suanzi.errors import SuanziError
from suanzi.operators._ml import (
    DOMAIN,
    FLOAT32,
    Strings,
    class_labels,
    features,
    matrix_shape,
    post_transform,
    sigmoid,
    table,
    two_sided,
)
from suanzi.operators._operator import Array, Example, Floats, Ints, Operator, TensorType, operator

KERNELS = ("LINEAR", "POLY", "RBF", "SIGMOID")


def kernel(X: Array, V: Array, kind: str, parameters: Floats | None) -> Array:
    """The kernel of each row of X with each row of V, [N, S]; parameters γ, c, d.

    LINEAR x·v, POLY (γ·x·v + c)^d, RBF exp(-γ·|x - v|²), SIGMOID tanh(γ·x·v + c).
    """
    gamma, c, degree = parameters or (0.0, 0.0, 0.0)
    products = X @ V.T
    if kind == "LINEAR":
        return products
    if kind == "POLY":
        return np.asarray((gamma * products + c) ** degree)
    if kind == "RBF":
        squares = (X**2).sum(1)[:, None] - 2 * products + (V**2).sum(1)
        return np.asarray(np.exp(-gamma * np.maximum(squares, 0)))
    if kind == "SIGMOID":
        return np.tanh(gamma * products + c)
    raise SuanziError("wrong kernel_type", expected=", ".join(KERNELS), found=kind)


def couple(r: Array) -> Array:
    """Probabilities p[N, k] of the classes from those of pairs, r[N, k, k] (i rather than j).

    They minimise ΣΣ (r[j,i]·p[i] - r[i,j]·p[j])², by the iteration that libsvm has.
    Source: Wu, Lin, Weng, Probability Estimates for Multi-class Classification, 2004, method 2
    """
    k = r.shape[1]
    Q = -r.swapaxes(1, 2) * r
    diagonal = np.arange(k)
    Q[:, diagonal, diagonal] = 0
    Q[:, diagonal, diagonal] = ((r * (1 - np.eye(k))) ** 2).sum(1)
    p = np.full((len(r), k), 1 / k)
    for _ in range(max(100, k)):
        Qp = np.einsum("nij,nj->ni", Q, p)
        pQp = (p * Qp).sum(1)
        active = np.abs(Qp - pQp[:, None]).max(1) >= 0.005 / k
        if not active.any():
            break
        for t in range(k):
            step = np.where(active, (pQp - Qp[:, t]) / Q[:, t, t], 0)
            pQp = (pQp + step * (step * Q[:, t, t] + 2 * Qp[:, t])) / (1 + step) ** 2
            Qp = (Qp + step[:, None] * Q[:, t]) / (1 + step)[:, None]
            p[:, t] += step
            p /= (1 + step)[:, None]
    return p


@operator(family="classical", domain=DOMAIN)
class SVMRegressor(Operator):
    """Y = Σ coefficients[s] · kernel(X, support_vectors[s]) + rho; its sign, with one_class.

    X [N, F], support_vectors [n_supports, F], Y float32 [N, 1]; kernel_params are γ, c and d of
    `kernel`. Without support vectors Y = X @ coefficientsᵀ + rho.
    Source: https://onnx.ai/onnx/operators/onnx_aionnxml_SVMRegressor.html (version 1)
    """

    coefficients: Floats | None = None
    kernel_params: Floats | None = None
    kernel_type: str = "LINEAR"
    n_supports: int = 0
    one_class: int = 0
    post_transform: str = "NONE"
    rho: Floats | None = None
    support_vectors: Floats | None = None

    def infer(self, X: TensorType) -> TensorType:
        return TensorType(FLOAT32, (matrix_shape(X)[0], 1))

    def numpy(self, X: Array) -> Array:
        x, weights = features(X), np.array([self.coefficients or ()], FLOAT32)
        if self.n_supports:
            vectors = table(self.support_vectors, self.n_supports, "support_vectors")
            y = kernel(x, vectors, self.kernel_type, self.kernel_params) @ weights.T
        else:
            y = x @ weights.T
        y = y + np.array((self.rho or (0.0,))[0], FLOAT32)
        if self.one_class:
            y = np.where(y > 0, 1, -1)
        return post_transform(y, self.post_transform)

    @classmethod
    def examples(cls) -> list[Example]:
        X = np.array([[1, 2], [-3, 0.5], [0, -1]], np.float32)
        machine: dict[str, Any] = {
            "coefficients": (1.0, -0.5, 2.0),
            "support_vectors": (1.0, 1.0, -1.0, 0.5, 0.0, -2.0),
            "n_supports": 3,
            "rho": (0.25,),
            "kernel_params": (0.5, 1.0, 3.0),
        }
        return [
            *(Example(cls(**machine, kernel_type=kind), (X,)) for kind in KERNELS),
            Example(cls(**machine, one_class=1), (X,)),
            Example(cls(coefficients=(1.0, -1.0), rho=(0.5,)), (X,)),
        ]


@operator(family="classical", domain=DOMAIN)
class SVMClassifier(Operator):
    """Each pair of classes i < j has a machine of the two's support vectors, whose score

    s[i,j] = Σ_(v of i) coefficients[j-1,v]·kernel(X,v) + Σ_(v of j) coefficients[i,v]·kernel(X,v)
    + rho[i,j]

    is a vote for i where positive, else for j. Y is the class with the most votes; Z the scores of
    the pairs. With prob_a and prob_b, Z are the classes' probabilities, coupled from the pairs'
    1 / (1 + exp(prob_a·s + prob_b)). Without support vectors, coefficients [classes, F] score each
    class as x·coefficients + rho[0].

    X [N, F]; support_vectors [S, F] in order of class, vectors_per_class how many are each's; Y
    [N], int64 or text as the labels are; Z float32 [N, pairs or classes].
    Source: https://onnx.ai/onnx/operators/onnx_aionnxml_SVMClassifier.html (version 1)
    """

    classlabels_ints: Ints | None = None
    classlabels_strings: Strings | None = None
    coefficients: Floats | None = None
    kernel_params: Floats | None = None
    kernel_type: str = "LINEAR"
    post_transform: str = "NONE"
    prob_a: Floats | None = None
    prob_b: Floats | None = None
    rho: Floats | None = None
    support_vectors: Floats | None = None
    vectors_per_class: Ints | None = None

    @property
    def _labels(self) -> Array:
        return class_labels(self.classlabels_ints, self.classlabels_strings)

    def infer(self, X: TensorType) -> tuple[TensorType, TensorType]:
        N, labels = matrix_shape(X)[0], self._labels
        k = labels.size
        paired = self.vectors_per_class and not self.prob_a
        columns = k * (k - 1) // 2 if paired else k
        return TensorType(labels.dtype, (N,)), TensorType(FLOAT32, (N, max(columns, 2)))

    def _pairs(self, x: Array) -> tuple[Array, Array]:
        """The scores of the pairs, and which two classes each is of."""
        sizes = np.array(self.vectors_per_class, np.int64)
        k = sizes.size
        vectors = table(self.support_vectors, int(sizes.sum()), "support_vectors")
        weights = table(self.coefficients, k - 1, "coefficients")
        products = kernel(x, vectors, self.kernel_type, self.kernel_params)
        first, second = np.triu_indices(k, 1)
        owner = np.repeat(np.arange(k), sizes)
        mine, theirs = owner == first[:, None], owner == second[:, None]
        chosen = np.where(mine, weights[second - 1], np.where(theirs, weights[first], 0))
        return products @ chosen.T + np.array(self.rho, FLOAT32), np.stack([first, second])

    def _probabilities(self, scores: Array, pairs: Array, k: int) -> Array:
        a, b = np.array(self.prob_a, FLOAT32), np.array(self.prob_b, FLOAT32)
        p = (1 - sigmoid(scores * a + b)).clip(1e-7, 1 - 1e-7)
        r = np.zeros((len(p), k, k))
        r[:, pairs[0], pairs[1]] = p
        r[:, pairs[1], pairs[0]] = 1 - p
        return couple(r)

    def numpy(self, X: Array) -> tuple[Array, Array]:
        x, labels = features(X), self._labels
        k = labels.size
        if not self.vectors_per_class:
            weights = table(self.coefficients, k, "coefficients")
            scores = x @ weights.T + np.array((self.rho or (0.0,))[0], FLOAT32)
            chosen = scores.argmax(1)
            return labels.take(chosen), post_transform(scores, self.post_transform)
        scores, pairs = self._pairs(x)
        winners = np.where(scores > 0, pairs[0], pairs[1])
        votes = (winners[..., None] == np.arange(k)).sum(1)
        Y = labels.take(votes.argmax(1))
        if k == 2 and not self.prob_a:
            return Y, two_sided(scores, self.post_transform != "NONE", self.post_transform)
        Z = self._probabilities(scores, pairs, k) if self.prob_a else scores
        return Y, post_transform(Z, self.post_transform)

    @classmethod
    def examples(cls) -> list[Example]:
        X = np.array([[1, 2], [-3, 0.5], [0, -1]], np.float32)
        machine: dict[str, Any] = {
            "classlabels_ints": (3, 5, 7),
            "coefficients": (1.0, -0.5, 2.0, -1.0, 0.5, 1.5, -2.0, 1.0),
            "support_vectors": (1.0, 1.0, -1.0, 0.5, 0.0, -2.0, 2.0, 0.5),
            "vectors_per_class": (1, 2, 1),
            "rho": (0.25, -0.5, 0.0),
            "kernel_params": (0.5, 1.0, 3.0),
            "kernel_type": "RBF",
        }
        chances: dict[str, Any] = {"prob_a": (-1.0, -2.0, -0.5), "prob_b": (0.0, 0.5, -0.25)}
        flat: dict[str, Any] = {
            "coefficients": (1.0, 0.5, -1.0, 2.0),
            "classlabels_strings": ("no", "yes"),
        }
        return [
            Example(cls(**machine), (X,)),
            Example(cls(**machine, **chances), (X,)),
            Example(cls(**flat, rho=(0.25,)), (X,)),
        ]
