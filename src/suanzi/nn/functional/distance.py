"""Distances and resemblances of vectors."""

import numpy as np

from suanzi.errors import SuanziError
from suanzi.nn.functional._arguments import require_tensor
from suanzi.tensor import Tensor, no_grad, pdist


def pairwise_distance(
    x1: Tensor, x2: Tensor, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False
) -> Tensor:
    """The p-norm of x1 - x2 + eps along the last axis.

    >>> import suanzi
    >>> pairwise_distance(suanzi.tensor([[3.0, 4.0]]), suanzi.zeros(1, 2))
    tensor([5.0000])
    """
    require_tensor(x1, "x1")
    require_tensor(x2, "x2")
    _require_broadcast(x1, x2)
    return (x1 - x2 + eps).norm(p, -1, keepdim)  # type: ignore[no-any-return]


def cosine_similarity(x1: Tensor, x2: Tensor, dim: int = 1, eps: float = 1e-8) -> Tensor:
    """x1·x2 / (|x1|·|x2|) along an axis, each norm at least eps."""
    require_tensor(x1, "x1")
    require_tensor(x2, "x2")
    for name, x in (("x1", x1), ("x2", x2)):
        if not x.is_floating_point():
            raise SuanziError("not floating-point numbers", input=name, found=x.dtype)
    shape = _require_broadcast(x1, x2)
    a, b = x1.expand(shape), x2.expand(shape)
    return (_unit(a, dim, eps) * _unit(b, dim, eps)).sum(dim)  # type: ignore[no-any-return]


def _unit(x: Tensor, dim: int, eps: float) -> Tensor:
    size = x.norm(2, dim, True).clone()
    with no_grad():  # the gradient passes the bound
        size.clamp_(min=eps)
    return x / size  # type: ignore[no-any-return]


def _require_broadcast(x1: Tensor, x2: Tensor) -> tuple[int, ...]:
    try:
        return np.broadcast_shapes(x1._value.shape, x2._value.shape)
    except ValueError:
        raise SuanziError("the shapes don't broadcast", input="x2", expected=tuple(x1.shape),
                          found=tuple(x2.shape)) from None  # fmt: skip


__all__ = ["cosine_similarity", "pairwise_distance", "pdist"]
