"""Linear algebra, NumPy's with gradients; `suanzi.linalg` has it under `torch.linalg`'s names.

Products, norms, `inv` and `det` are made of operators and can be compiled; the decompositions run
in NumPy, eagerly.
"""

import functools
import math
from typing import Any

import numpy as np

from suanzi.errors import SuanziError
from suanzi.operators import Det, Inverse
from suanzi.tensor.arithmetic import matmul
from suanzi.tensor.core import Tensor, apply, axis, leaf, method, wrap
from suanzi.tensor.diagonals import diag_embed, diagonal, tril, triu
from suanzi.tensor.distances import vector_norm
from suanzi.tensor.function import Function
from suanzi.tensor.returns import named

QR = named("linalg_qr", "Q", "R")
SVD = named("linalg_svd", "U", "S", "Vh")
Eigh = named("linalg_eigh", "eigenvalues", "eigenvectors")
SlogDet = named("linalg_slogdet", "sign", "logabsdet")
LeastSquares = named("linalg_lstsq", "solution", "residuals", "rank", "singular_values")


def _by_numpy(function: Any, *tensors: Tensor) -> Any:
    """NumPy's function of the arrays; what it can't do is an error of ours."""
    try:
        return function(*(x.numpy_() for x in tensors))
    except np.linalg.LinAlgError as error:
        raise SuanziError(f"the matrix doesn't allow it: {error}", input="A") from error


def _require_square(A: Tensor) -> None:
    if A.ndim < 2 or A.shape[-1] != A.shape[-2]:
        raise SuanziError("not square", input="A", expected="[..., n, n]", found=tuple(A.shape))


def inv(A: Tensor) -> Tensor:
    """A⁻¹

    >>> import suanzi
    >>> inv(suanzi.tensor([[2.0, 0.0], [0.0, 4.0]]))
    tensor([[0.5000, 0.0000],
            [0.0000, 0.2500]])
    """
    _require_square(A)
    return apply(Inverse(), A)


def det(A: Tensor) -> Tensor:
    """The determinant of each matrix."""
    _require_square(A)
    return apply(Det(), A)


class _SlogDet(Function):
    @staticmethod
    def forward(ctx: Any, A: Tensor) -> Any:
        sign, size = (wrap(np.asarray(x)) for x in _by_numpy(np.linalg.slogdet, A))
        ctx.save_for_backward(A)
        ctx.mark_non_differentiable(sign)
        return sign, size

    @staticmethod
    def backward(ctx: Any, _sign: Any, gradient: Tensor) -> Any:
        (A,) = ctx.saved_tensors
        return gradient[..., None, None] * inv(A).mT


def slogdet(A: Tensor) -> Any:
    """The determinant's sign, and the logarithm of its size."""
    _require_square(A)
    return SlogDet(*_SlogDet.apply(A))


class _Solve(Function):
    @staticmethod
    def forward(ctx: Any, A: Tensor, B: Tensor) -> Any:
        X = wrap(np.asarray(_by_numpy(np.linalg.solve, A, B)))
        ctx.save_for_backward(A, X)
        return X

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:
        A, X = ctx.saved_tensors
        of_B = _Solve.apply(A.mT, gradient)
        return -matmul(of_B, X.mT), of_B


def solve(A: Tensor, B: Tensor, *, left: bool = True) -> Tensor:
    """X with A @ X = B; with X @ A = B if not left."""
    _require_square(A)
    vector = B.ndim == 1 or (B.ndim == A.ndim - 1 and B.shape == A.shape[:-1])
    if vector:
        return solve(A, B.unsqueeze(-1)).squeeze(-1)
    if not left:
        return solve(A.mT, B.mT).mT
    batch = np.broadcast_shapes(A.shape[:-2], B.shape[:-2])
    return _Solve.apply(A.expand(*batch, *A.shape[-2:]), B.expand(*batch, *B.shape[-2:]))


def solve_triangular(
    A: Tensor, B: Tensor, *, upper: bool, left: bool = True, unitriangular: bool = False
) -> Tensor:
    """As `solve`, of A's upper or lower triangle."""
    T = triu(A) if upper else tril(A)
    if unitriangular:
        T = T - diag_embed(diagonal(T, 0, -2, -1)) + leaf(np.eye(A.shape[-1], dtype=A._value.dtype))
    return solve(T, B, left=left)


class _Cholesky(Function):
    @staticmethod
    def forward(ctx: Any, A: Tensor) -> Any:
        L = wrap(_by_numpy(np.linalg.cholesky, A))
        ctx.save_for_backward(L)
        return L

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:
        (L,) = ctx.saved_tensors
        inner = tril(matmul(L.mT, gradient))
        inner = inner - diag_embed(diagonal(inner, 0, -2, -1)) * 0.5
        half = _Solve.apply(L.mT, inner)
        S = _Solve.apply(L.mT, half.mT).mT
        return (S + S.mT) * 0.5


def cholesky(A: Tensor, *, upper: bool = False) -> Tensor:
    """L, lower triangular, with L @ Lᵀ = A, which is symmetric and positive definite."""
    _require_square(A)
    L = _Cholesky.apply(A)
    return L.mT if upper else L


class _Eigh(Function):
    @staticmethod
    def forward(ctx: Any, A: Tensor, triangle: str) -> Any:
        function = functools.partial(np.linalg.eigh, UPLO=triangle)
        values, vectors = (wrap(np.asarray(x)) for x in _by_numpy(function, A))
        ctx.save_for_backward(values, vectors)
        return values, vectors

    @staticmethod
    def backward(ctx: Any, of_values: Tensor, of_vectors: Tensor) -> Any:
        values, V = ctx.saved_tensors
        apart = values.unsqueeze(-2) - values.unsqueeze(-1)
        eye = np.eye(values.shape[-1], dtype=bool)
        apart = apart.masked_fill(leaf(eye), math.inf)
        inner = matmul(V.mT, of_vectors) / apart + diag_embed(of_values)
        made = matmul(matmul(V, inner), V.mT)
        return (made + made.mT) * 0.5


def eigh(A: Tensor, UPLO: str = "L") -> Any:
    """The eigenvalues, in order, and the eigenvectors of symmetric matrices."""
    _require_square(A)
    return Eigh(*_Eigh.apply(A, UPLO))


def eigvalsh(A: Tensor, UPLO: str = "L") -> Tensor:
    """The eigenvalues of symmetric matrices, in order."""
    return eigh(A, UPLO).eigenvalues


class _SVD(Function):
    @staticmethod
    def forward(ctx: Any, A: Tensor) -> Any:
        parts = _by_numpy(functools.partial(np.linalg.svd, full_matrices=False), A)
        U, S, Vh = (wrap(x) for x in parts)
        ctx.save_for_backward(U, S, Vh)
        return U, S, Vh

    @staticmethod
    def backward(ctx: Any, of_U: Tensor, of_S: Tensor, of_Vh: Tensor) -> Any:
        U, S, Vh = ctx.saved_tensors
        V, of_V, k = Vh.mT, of_Vh.mT, S.shape[-1]
        squares = S * S
        apart = squares.unsqueeze(-2) - squares.unsqueeze(-1)
        apart = apart.masked_fill(leaf(np.eye(k, dtype=bool)), math.inf)
        left, right = matmul(U.mT, of_U), matmul(V.mT, of_V)
        wide, high = S.unsqueeze(-2), S.unsqueeze(-1)
        inner = (left - left.mT) / apart * wide + high * ((right - right.mT) / apart)
        made = matmul(matmul(U, inner + diag_embed(of_S)), Vh)
        if U.shape[-2] > k:
            rest = of_U / wide
            made = made + matmul(rest - matmul(U, matmul(U.mT, rest)), Vh)
        if V.shape[-2] > k:
            rest = of_V / wide
            made = made + matmul(U, (rest - matmul(V, matmul(V.mT, rest))).mT)
        return made


def svd(A: Tensor, full_matrices: bool = True, *, driver: str | None = None) -> Any:
    """U, S, Vh with U @ diag(S) @ Vh = A; gradients pass without full_matrices alone."""
    if full_matrices and A.shape[-1] != A.shape[-2]:
        if A.requires_grad:
            raise SuanziError("the full matrices have no gradients", input="full_matrices",
                              expected=False, found=True)  # fmt: skip
        return SVD(*(wrap(x) for x in _by_numpy(np.linalg.svd, A)))
    return SVD(*_SVD.apply(A))


def svdvals(A: Tensor, *, driver: str | None = None) -> Tensor:
    """The singular values, largest first."""
    return _SVD.apply(A)[1]


class _QR(Function):
    @staticmethod
    def forward(ctx: Any, A: Tensor) -> Any:
        Q, R = (wrap(x) for x in _by_numpy(np.linalg.qr, A))
        ctx.save_for_backward(Q, R)
        return Q, R

    @staticmethod
    def backward(ctx: Any, of_Q: Tensor, of_R: Tensor) -> Any:
        Q, R = ctx.saved_tensors
        if R.shape[-1] != R.shape[-2]:
            raise SuanziError("only of matrices with as many rows as columns, or more", input="A")
        M = matmul(R, of_R.mT) - matmul(of_Q.mT, Q)
        lower = tril(M)
        both = lower + tril(M, -1).mT
        return _Solve.apply(R, (of_Q + matmul(Q, both)).mT).mT


def qr(A: Tensor, mode: str = "reduced") -> Any:
    """Q, with orthogonal columns, and R, upper triangular, with Q @ R = A."""
    if mode == "reduced":
        return QR(*_QR.apply(A))
    if mode not in ("complete", "r"):
        raise SuanziError("wrong mode", input="mode", expected="reduced, complete, r", found=mode)
    if A.requires_grad:
        raise SuanziError("only the reduced form has gradients", input="mode", found=mode)
    if mode == "r":
        made = _by_numpy(functools.partial(np.linalg.qr, mode="r"), A)
        return QR(leaf(np.empty(0, A._value.dtype)), wrap(made))
    return QR(*(wrap(x) for x in _by_numpy(functools.partial(np.linalg.qr, mode=mode), A)))


def pinv(A: Tensor, *, rtol: float | None = None, hermitian: bool = False) -> Tensor:
    """The pseudo-inverse (Moore and Penrose)."""
    U, S, Vh = _SVD.apply(A)
    if rtol is None:
        rtol = max(A.shape[-2:]) * float(np.finfo(A._value.dtype).eps)
    small = S.detach() <= rtol * S.detach().amax(-1, keepdim=True)
    turned = (1.0 / S.masked_fill(small, 1.0)).masked_fill(small, 0.0)
    return matmul(Vh.mT * turned.unsqueeze(-2), U.mT)


def lstsq(A: Tensor, B: Tensor, rcond: float | None = None, *, driver: str | None = None) -> Any:
    """X with the least |A @ X - B|."""
    X = matmul(pinv(A), B)
    empty = leaf(np.empty(0, A._value.dtype))
    return LeastSquares(X, empty, matrix_rank(A), empty)


def matrix_rank(A: Tensor, *, tol: Any = None, hermitian: bool = False) -> Tensor:
    """How many singular values are above the tolerance."""
    return leaf(np.asarray(np.linalg.matrix_rank(A.numpy_(), tol), np.int64))


def norm(
    A: Tensor, ord: Any = None, dim: Any = None, keepdim: bool = False, *, dtype: Any = None
) -> Tensor:
    """The norm of vectors, or of matrices where two axes are named (or `ord` is for these)."""
    two = isinstance(dim, tuple | list) and len(dim) == 2
    if ord is not None and (two or (dim is None and A.ndim == 2)):
        return matrix_norm(A, ord, (-2, -1) if dim is None else dim, keepdim, dtype=dtype)
    return vector_norm(A, 2 if ord is None else ord, dim, keepdim, dtype=dtype)


def matrix_norm(
    A: Tensor, ord: Any = "fro", dim: Any = (-2, -1), keepdim: bool = False, *, dtype: Any = None
) -> Tensor:
    """A norm of matrices: fro, nuc, inf, -inf, 1, -1, 2 or -2."""
    A = A if dtype is None else A.to(dtype)
    rows, columns = (axis(A, d) for d in dim)
    if ord == "fro":
        return vector_norm(A, 2, (rows, columns), keepdim)
    if ord in ("nuc", 2, -2):
        values = svdvals(A.movedim((rows, columns), (-2, -1)))
        made = values.sum(-1) if ord == "nuc" else values.amax(-1) if ord == 2 else values.amin(-1)
        for at in sorted((rows, columns)) if keepdim else ():
            made = made.unsqueeze(at)
        return made
    if ord not in (1, -1, math.inf, -math.inf):
        raise SuanziError("wrong norm", input="ord", expected="fro, nuc, inf, -inf, 1, -1, 2, -2",
                          found=ord)  # fmt: skip
    inside, outside = (rows, columns) if abs(ord) == 1 else (columns, rows)
    sums = A.abs().sum(inside, keepdim=True)
    made = sums.amax(outside, keepdim=True) if ord > 0 else sums.amin(outside, keepdim=True)
    return made if keepdim else made.squeeze((rows, columns))


def cond(A: Tensor, p: Any = None) -> Tensor:
    """The norm of A times that of its inverse."""
    if p in (None, 2, -2):
        S = svdvals(A)
        return S[..., 0] / S[..., -1] if p != -2 else S[..., -1] / S[..., 0]
    return matrix_norm(A, p) * matrix_norm(inv(A), p)


def multi_dot(tensors: Any) -> Tensor:
    """The product of several matrices."""
    return functools.reduce(matmul, tensors)


def matrix_exp(A: Tensor) -> Tensor:
    """e^A = Σ Aⁿ / n!: of A halved until it is small, and the result squared as often."""
    _require_square(A)
    size = float(np.abs(A.numpy(force=True)).sum(-1).max(initial=0.0))
    halvings = max(0, math.ceil(math.log2(size)) + 1) if size > 0 else 0
    small = A * 0.5**halvings
    eye = leaf(np.eye(A.shape[-1], dtype=A._value.dtype)).expand(A.shape)
    total, term = eye + small, small
    for n in range(2, 19):
        term = matmul(term, small) * (1 / n)
        total = total + term
    for _ in range(halvings):
        total = matmul(total, total)
    return total


def vecdot(x: Tensor, y: Tensor, *, dim: int = -1) -> Tensor:
    """Σ x·y along an axis."""
    return (x * y).sum(dim)


def vander(x: Tensor, *, N: int | None = None) -> Tensor:
    """The powers of each element, from 0 on, as rows."""
    count = x.shape[-1] if N is None else N
    return x.unsqueeze(-1) ** leaf(np.arange(count, dtype=x._value.dtype))


@method
def inverse(input: Tensor) -> Tensor:
    """As `linalg.inv`."""
    return inv(input)


@method
def logdet(input: Tensor) -> Tensor:
    """The determinant's logarithm; NaN where it is below zero."""
    sign, size = slogdet(input)
    return size.masked_fill(sign < 0, math.nan)


@method
def pinverse(input: Tensor, rcond: float = 1e-15) -> Tensor:
    """As `linalg.pinv`."""
    return pinv(input, rtol=rcond)


for _function in (det, slogdet, matrix_exp):
    method(_function)
Tensor.cholesky = cholesky  # type: ignore[attr-defined]

__all__ = ["cholesky", "det", "inverse", "logdet", "matrix_exp", "pinverse", "slogdet"]
