"""Parametrizations of weights: orthogonal, by length and direction, of spectral norm 1."""

import math
from typing import Any

import numpy as np

from suanzi.errors import SuanziError
from suanzi.nn.module import Module
from suanzi.nn.parameter import is_lazy
from suanzi.nn.utils._spectral import as_matrix, default_dim, iterate, random_unit, sigma, unit
from suanzi.nn.utils.parametrize import register_parametrization
from suanzi.nn.utils.weight_norm import norm_except, normed
from suanzi.operators import Inverse
from suanzi.tensor import Tensor, cat, eye, finfo, no_grad

ORTHOGONAL_MAPS = ("matrix_exp", "cayley", "householder")


def _weight_of(module: Module, name: str) -> Tensor:
    weight = getattr(module, name, None)
    if not isinstance(weight, Tensor) or is_lazy(weight):
        raise SuanziError(f"the module has no initialized parameter or buffer '{name}'")
    return weight


class _WeightNorm(Module):
    def __init__(self, dim: int | None) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, weight_g: Tensor, weight_v: Tensor) -> Tensor:
        return normed(weight_g, weight_v, self.dim)

    def right_inverse(self, weight: Tensor) -> tuple[Tensor, Tensor]:
        return norm_except(weight, self.dim), weight


def weight_norm(module: Module, name: str = "weight", dim: int | None = 0) -> Module:
    """Makes a weight g · v / ‖v‖, with g as `original0` and v as `original1`.

    State dicts of the older `nn.utils.weight_norm` load too. Salimans & Kingma, 2016.
    """
    register_parametrization(module, name, _WeightNorm(dim), unsafe=True)

    def rename(state: dict[str, Any], prefix: str, *_: Any) -> None:
        for number, end in enumerate(("_g", "_v")):
            if f"{prefix}{name}{end}" in state:
                new = f"{prefix}parametrizations.{name}.original{number}"
                state[new] = state.pop(f"{prefix}{name}{end}")

    module._register_load_state_dict_pre_hook(rename)
    return module


class _SpectralNorm(Module):
    def __init__(self, weight: Tensor, n_power_iterations: int, dim: int, eps: float) -> None:
        super().__init__()
        rank = weight.ndim
        if not -rank <= dim < rank:
            raise SuanziError(
                "dimension out of range", input="dim", expected=f"[{-rank}, {rank - 1}]", found=dim
            )
        if n_power_iterations <= 0:
            raise SuanziError(
                "n_power_iterations must be positive",
                input="n_power_iterations",
                expected="at least 1",
                found=n_power_iterations,
            )
        self.dim, self.eps = dim % rank, eps
        if rank > 1:
            self.n_power_iterations = n_power_iterations
            with no_grad():
                matrix = as_matrix(weight, self.dim)
                for name, size in zip(("_u", "_v"), matrix.shape, strict=True):
                    self.register_buffer(name, random_unit(weight, size, eps))
            iterate(matrix, self._u, self._v, 15, eps, v_first=False)

    def forward(self, weight: Tensor) -> Tensor:
        if weight.ndim == 1:
            return unit(weight, self.eps)
        matrix = as_matrix(weight, self.dim)
        if self.training:
            iterate(matrix, self._u, self._v, self.n_power_iterations, self.eps, v_first=False)
        # Clones, as the next iteration must not change what backward reads.
        return weight / sigma(matrix, self._u.clone(), self._v.clone())

    def right_inverse(self, value: Tensor) -> Tensor:
        return value


def spectral_norm(
    module: Module,
    name: str = "weight",
    n_power_iterations: int = 1,
    eps: float = 1e-12,
    dim: int | None = None,
) -> Module:
    """Divides a weight by its largest singular value, which is followed by power iteration.

    Miyato et al., 2018.
    """
    weight = _weight_of(module, name)
    dim = default_dim(module) if dim is None else dim
    parametrization = _SpectralNorm(weight, n_power_iterations, dim, eps)
    return register_parametrization(module, name, parametrization)


class _Orthogonal(Module):
    base: Tensor | None

    def __init__(self, weight: Tensor, orthogonal_map: str, use_trivialization: bool) -> None:
        super().__init__()
        self.shape, self.orthogonal_map = weight.shape, orthogonal_map
        if use_trivialization:
            self.register_buffer("base", None)

    def forward(self, X: Tensor) -> Tensor:
        n, k = X.shape[-2:]
        transposed = n < k
        if transposed:
            X, n, k = X.transpose(-2, -1), k, n
        if self.orthogonal_map == "householder":
            Q = _householder(X)
        else:
            A = X.tril()
            if n != k:  # into a square matrix
                A = cat([A, A.new_zeros((*A.shape[:-1], n - k))], -1)
            A = A - A.transpose(-2, -1)
            exact = self.orthogonal_map == "cayley"
            Q = (_cayley(A) if exact else _matrix_exp(A))[..., :k]
        if getattr(self, "base", None) is not None:
            Q = self.base @ Q  # type: ignore[operator]
        return Q.transpose(-2, -1) if transposed else Q

    @no_grad()
    def right_inverse(self, Q: Tensor) -> Tensor:
        if Q.shape != self.shape:
            raise SuanziError(
                "wrong shape of an orthogonal matrix", expected=self.shape, found=Q.shape
            )
        n, k = Q.shape[-2:]
        transposed = n < k
        if transposed:
            Q, n, k = Q.transpose(-2, -1), k, n
        if "base" not in self._buffers:
            if self.orthogonal_map != "householder":
                raise NotImplementedError(
                    "it is not possible to assign to the matrix exponential or the Cayley "
                    "parametrizations when use_trivialization=False"
                )
            A = _reflectors(Q)
            return A.transpose(-2, -1) if transposed else A
        more = Q.new_empty((*Q.shape[:-1], n - k)).normal_(0, 1)
        full = cat([Q, more], -1) if n != k else Q
        self.base = full.clone() if _is_orthogonal(full) else _orthonormal(full)
        # The diagonal is what the Householder map multiplies by: with -1 it gives the identity.
        start = eye(*self.shape[-2:], dtype=Q.dtype).neg()
        return start.expand(self.shape).clone()  # type: ignore[no-any-return]


def orthogonal(
    module: Module,
    name: str = "weight",
    orthogonal_map: str | None = None,
    *,
    use_trivialization: bool = True,
) -> Module:
    """Makes a weight a matrix with orthonormal columns, or rows where it is wide.

    orthogonal_map: "matrix_exp", exp(A); "cayley", (I + A/2)(I - A/2)⁻¹, with A skew-symmetric; or
    "householder", a product of reflections. `use_trivialization`: the result is multiplied
    by a matrix so that the weight can be assigned to.
    """
    weight = _weight_of(module, name)
    if weight.ndim < 2:
        raise SuanziError(
            "expected a matrix or a batch of matrices", input=name, found=f"{weight.ndim} axes"
        )
    if orthogonal_map is None:
        orthogonal_map = "matrix_exp" if weight.shape[-2] == weight.shape[-1] else "householder"
    if orthogonal_map not in ORTHOGONAL_MAPS:
        raise SuanziError(
            "wrong map",
            input="orthogonal_map",
            expected=", ".join(ORTHOGONAL_MAPS),
            found=orthogonal_map,
        )
    parametrization = _Orthogonal(weight, orthogonal_map, use_trivialization)
    return register_parametrization(module, name, parametrization, unsafe=True)


def _matrix_exp(A: Tensor) -> Tensor:
    """exp(A) = exp(A / 2ˢ)^(2ˢ): A's series of 12 terms, for a norm of at most 1/2."""
    norm = float(np.abs(A.detach().numpy()).sum(-1).max(initial=0))
    squarings = max(0, math.ceil(math.log2(norm)) + 1) if norm > 0 else 0
    A = A * 0.5**squarings
    total = term = eye(A.shape[-1], dtype=A.dtype).expand(A.shape)
    for number in range(1, 13):
        term = (term @ A) * (1 / number)
        total = total + term
    for _ in range(squarings):
        total = total @ total
    return total  # type: ignore[no-any-return]


def _cayley(A: Tensor) -> Tensor:
    """(I - A/2)⁻¹ (I + A/2)"""
    identity = eye(A.shape[-1], dtype=A.dtype)
    return Inverse()(identity - A * 0.5) @ (identity + A * 0.5)  # type: ignore[no-any-return]


def _householder(X: Tensor) -> Tensor:
    """The product of k reflections I - τ a aᵀ, whose a are X's columns below the diagonal."""
    n, k = X.shape[-2:]
    identity = eye(n, k, dtype=X.dtype)
    A = X.tril(-1) + identity
    tau = 2.0 / (A * A).sum(-2, keepdim=True)
    Q = identity
    for i in reversed(range(k)):
        a = A[..., :, i : i + 1]
        Q = Q - (tau[..., i : i + 1] * a) @ (a.transpose(-2, -1) @ Q)
    # The diagonal is signs, which aren't trained.
    signs = np.diagonal(X.detach().numpy(), axis1=-2, axis2=-1).astype(np.int64)
    return Q * X.new_tensor(signs).unsqueeze(-2)  # type: ignore[no-any-return]


def _reflectors(Q: Tensor) -> Tensor:
    """What `_householder` makes a matrix of orthonormal columns from."""
    raw, tau = np.linalg.qr(Q.detach().numpy(), mode="raw")
    A = np.swapaxes(raw, -2, -1).copy()
    places = np.arange(A.shape[-1])
    # LAPACK's τ is exactly zero where it leaves a reflection out.
    A[..., places, places] = np.sign(A[..., places, places]) * np.where(tau == 0, -1, 1)
    return Q.new_tensor(A)  # type: ignore[no-any-return]


def _orthonormal(A: Tensor) -> Tensor:
    """The Q of A = QR whose R has a positive diagonal."""
    q, r = np.linalg.qr(A.detach().numpy())
    return A.new_tensor(q * np.sign(np.diagonal(r, axis1=-2, axis2=-1))[..., None, :])  # type: ignore[no-any-return]


def _is_orthogonal(Q: Tensor) -> bool:
    value = Q.detach().numpy()
    n, k = value.shape[-2:]
    close = 10.0 * n * finfo(Q.dtype).eps
    return bool(np.allclose(np.swapaxes(value, -2, -1) @ value, np.eye(k), atol=close))
