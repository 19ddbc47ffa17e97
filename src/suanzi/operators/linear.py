"""Products of matrices."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from suanzi.operators._checks import agree, require_dtype, widen
from suanzi.operators._compose import swap_last
from suanzi.operators._gradients import reshape, sum_to
from suanzi.operators._operator import (
    Array,
    Example,
    Operator,
    TensorType,
    broadcast_shapes,
    operator,
    require,
)


def matmul_shape(A: TensorType, B: TensorType, a: str = "A", b: str = "B") -> Any:
    """The shape of A @ B; a and b are what messages call the two."""
    for t, name in ((A, a), (B, b)):
        require(t.rank != 0, "wrong rank", name, "at least 1 axis", t)
    if A.shape is None or B.shape is None:
        return None
    inner = B.shape[-2] if len(B.shape) > 1 else B.shape[0]
    expected = f"{A.shape[-1]} rows" if len(B.shape) > 1 else f"{A.shape[-1]} elements"
    require(agree(A.shape[-1], inner), f"doesn't fit {a}, which is {A}", b, expected, B)
    batch = broadcast_shapes(A.shape[:-2], B.shape[:-2])
    assert batch is not None
    return batch + A.shape[-2:-1] + (B.shape[-1:] if len(B.shape) > 1 else ())


def matmul_macs(inputs: Sequence[TensorType | None], outputs: Sequence[TensorType]) -> int:
    """Each element of A @ B takes as many multiply-adds as A has columns."""
    assert inputs[0] is not None
    return outputs[0].size * inputs[0].sizes[-1]


@operator(family="linear", torch="torch.matmul")
class MatMul(Operator):
    """Y = A @ B, as numpy.matmul: Y[..., m, n] = Σ_k A[..., m, k] · B[..., k, n].

    A [..., M, K], B [..., K, N], Y [..., M, N]; the axes before broadcast. A lone axis of A is a
    row, one of B a column, and Y doesn't have it. Sums of half-precision numbers are taken in
    float32. Before opset 9 of floating-point numbers only.
    Source: https://onnx.ai/onnx/operators/onnx__MatMul.html (opset 13)
    """

    def infer(self, A: TensorType, B: TensorType) -> TensorType:
        require_dtype(B, A.dtype, "B")
        return TensorType(A.dtype, matmul_shape(A, B))

    def numpy(self, A: Array, B: Array) -> Array:
        return np.asarray(np.matmul(widen(A), widen(B))).astype(A.dtype)

    def grad(self, dY: Any, _Y: Any, A: Any, B: Any) -> tuple[Any, ...]:
        """dA = dY @ Bᵀ, dB = Aᵀ @ dY, a lone axis taken as a row of A, a column of B."""
        rows = reshape(A, (1, *A.shape)) if len(A.shape) == 1 else A
        columns = reshape(B, (*B.shape, 1)) if len(B.shape) == 1 else B
        M, N = rows.shape[-2], columns.shape[-1]
        batch = dY.shape[: len(dY.shape) - (len(A.shape) > 1) - (len(B.shape) > 1)]
        dY = reshape(dY, (*batch, M, N))

        def by_columns() -> Any:
            if len(columns.shape) > 2:
                return sum_to(swap_last(rows) @ dY, columns.shape)
            count = math.prod(batch) * M  # one product for all the batch, as B is one
            return swap_last(reshape(rows, (count, rows.shape[-1]))) @ reshape(dY, (count, N))

        return (
            lambda: reshape(sum_to(dY @ swap_last(columns), rows.shape), A.shape),
            lambda: reshape(by_columns(), B.shape),
        )

    def macs(self, inputs: Sequence[TensorType | None], outputs: Sequence[TensorType]) -> int:
        return matmul_macs(inputs, outputs)

    @classmethod
    def examples(cls) -> list[Example]:
        A = np.arange(6, dtype=np.float32).reshape(2, 3)
        B = np.arange(12, dtype=np.float32).reshape(3, 4) - 5
        stack = np.stack([B, -B, 2 * B])
        return [Example(cls(), pair) for pair in ((A, B), (A, stack), (A[0], B), (A, B[:, 0]))]


@operator(family="linear", torch="nn.Linear")
class Gemm(Operator):
    """Y = alpha · A' @ B' + beta · C, where A' is A, or its transpose if transA; B' likewise.

    A' [M, K], B' [K, N], Y [M, N]; C broadcasts to Y. Before opset 11 C had to be there; before
    7 broadcasting was by the attribute `broadcast`.
    Source: https://onnx.ai/onnx/operators/onnx__Gemm.html (opset 13)
    """

    alpha: float = 1.0
    beta: float = 1.0
    transA: int = 0  # noqa: N815
    transB: int = 0  # noqa: N815

    def infer(self, A: TensorType, B: TensorType, C: TensorType | None = None) -> TensorType:
        require_dtype(B, A.dtype, "B")
        require_dtype(C, A.dtype, "C")
        for t, name in ((A, "A"), (B, "B")):
            require(t.rank in (2, None), "wrong rank", name, "2 axes", t)
        if A.shape is None or B.shape is None:
            return TensorType(A.dtype, (None, None))
        M, K = A.shape[::-1] if self.transA else A.shape
        rows, N = B.shape[::-1] if self.transB else B.shape
        require(agree(rows, K), f"doesn't fit A, which is {A}", "B", f"{K} along K", B)
        if C is not None and C.shape is not None:
            fits = len(C.shape) <= 2 and all(
                c == 1 or agree(c, y)
                for c, y in zip(C.shape[::-1], (N, M)[: len(C.shape)], strict=True)
            )
            require(fits, "doesn't broadcast to Y", "C", [M, N], C)
        return TensorType(A.dtype, (M, N))

    def numpy(self, A: Array, B: Array, C: Array | None = None) -> Array:
        left, right = widen(A.T if self.transA else A), widen(B.T if self.transB else B)
        Y = self.alpha * (left @ right)
        if C is not None:
            Y = Y + self.beta * widen(C)
        return np.asarray(Y).astype(A.dtype)

    def grad(self, dY: Any, _Y: Any, A: Any, B: Any, _C: Any = None) -> tuple[Any, ...]:
        def product(left: Any, right: Any, trans_left: int, trans_right: int) -> Any:
            return Gemm(alpha=self.alpha, transA=trans_left, transB=trans_right)(left, right)

        tA, tB = self.transA, self.transB
        return (
            lambda: product(B, dY, tB, 1) if tA else product(dY, B, 0, 1 - tB),
            lambda: product(dY, A, 1, tA) if tB else product(A, dY, 1 - tA, 0),
            lambda: self.beta * sum_to(dY, _C.shape),
        )

    def macs(self, inputs: Sequence[TensorType | None], outputs: Sequence[TensorType]) -> int:
        assert inputs[0] is not None
        return outputs[0].size * inputs[0].sizes[0 if self.transA else 1]

    @classmethod
    def examples(cls) -> list[Example]:
        A = np.arange(6, dtype=np.float32).reshape(2, 3)
        B = np.arange(12, dtype=np.float32).reshape(3, 4) - 5
        C = np.array([1, 2, 3, 4], np.float32)
        return [
            Example(cls(), (A, B, C)),
            Example(cls(transA=1, transB=1, alpha=0.5), (A.T.copy(), B.T.copy(), None)),
            Example(cls(beta=2.0), (A, B, np.array([[1], [2]], np.float32))),
        ]


@operator(family="linear", torch="torch.linalg.det")
class Det(Operator):
    """Y = the determinant of each matrix: X [..., M, M], Y [...].

    Source: https://onnx.ai/onnx/operators/onnx__Det.html (opset 22, as 11)
    """

    def infer(self, X: TensorType) -> TensorType:
        if X.shape is None:
            return X
        square = len(X.shape) > 1 and agree(*X.shape[-2:])
        require(square, "not square", "X", "as many rows as columns", X)
        return TensorType(X.dtype, X.shape[:-2])

    def numpy(self, X: Array) -> Array:
        return np.asarray(np.linalg.det(widen(X))).astype(X.dtype)

    def grad(self, dY: Any, Y: Any, X: Any) -> tuple[Any, ...]:
        from suanzi.operators.contributed import Inverse

        return (reshape(dY * Y, (*Y.shape, 1, 1)) * swap_last(Inverse()(X)),)

    @classmethod
    def examples(cls) -> list[Example]:
        X = np.array([[[1, 2], [3, 4]], [[2, 0], [1, 3]]], np.float32)
        return [Example(cls(), (X,)), Example(cls(), (X[0],))]
