"""Layers of distances and resemblances."""

from suanzi.nn import functional as F  # noqa: N812  (everybody's name for it)
from suanzi.nn.module import Module
from suanzi.tensor import Tensor


class PairwiseDistance(Module):
    """The p-norm of x1 - x2 + eps along the last axis.

    >>> import suanzi
    >>> PairwiseDistance()(suanzi.ones(100, 128), suanzi.zeros(100, 128)).shape
    suanzi.Size([100])
    """

    def __init__(self, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False) -> None:
        super().__init__()
        self.norm, self.eps, self.keepdim = p, eps, keepdim

    def forward(self, x1: Tensor, x2: Tensor) -> Tensor:
        """x1 and x2 (N, D) or (D)."""
        return F.pairwise_distance(x1, x2, self.norm, self.eps, self.keepdim)


class CosineSimilarity(Module):
    """x1·x2 / (|x1|·|x2|) along an axis, each norm at least eps."""

    def __init__(self, dim: int = 1, eps: float = 1e-8) -> None:
        super().__init__()
        self.dim, self.eps = dim, eps

    def forward(self, x1: Tensor, x2: Tensor) -> Tensor:
        """x1 and x2 of shapes that broadcast."""
        return F.cosine_similarity(x1, x2, self.dim, self.eps)
