"""The largest singular value of a weight, by power iteration."""

from typing import Any

from suanzi.nn.module import Module
from suanzi.tensor import Tensor, no_grad


def default_dim(module: Module) -> int:
    """The axis of the output channels: transposed convolutions have it second."""
    return int(any("ConvTranspose" in cls.__name__ for cls in type(module).__mro__))


def as_matrix(weight: Tensor, dim: int) -> Tensor:
    """The axis `dim` as rows, all others as columns."""
    if dim != 0:
        weight = weight.permute(dim, *(axis for axis in range(weight.ndim) if axis != dim))
    return weight.reshape(weight.shape[0], -1)  # type: ignore[no-any-return]


def unit(x: Tensor, eps: float) -> Tensor:
    """x / max(‖x‖, eps)"""
    return x / x.norm().clamp(min=eps)  # type: ignore[no-any-return]


def random_unit(like: Tensor, size: int, eps: float) -> Tensor:
    """A direction to start from."""
    return unit(like.detach().new_empty(size).normal_(0, 1), eps)


def sigma(matrix: Tensor, u: Tensor, v: Tensor) -> Tensor:
    """uᵀ W v"""
    return (u * (matrix @ v)).sum()  # type: ignore[no-any-return]


@no_grad()
def iterate(matrix: Tensor, u: Any, v: Any, times: int, eps: float, v_first: bool) -> None:
    """v = Wᵀu / ‖Wᵀu‖, u = W v / ‖W v‖, in place; `v_first` tells in which order."""
    for _ in range(times):
        if v_first:
            v.copy_(unit(matrix.t() @ u, eps))
        u.copy_(unit(matrix @ v, eps))
        if not v_first:
            v.copy_(unit(matrix.t() @ u, eps))
