"""Axes made one, and one made several."""

from collections.abc import Sequence

from suanzi.errors import SuanziError
from suanzi.nn.module import Module
from suanzi.tensor import Tensor


class Flatten(Module):
    """A range of axes as one.

    >>> import suanzi
    >>> Flatten()(suanzi.randn(32, 1, 5, 5)).size()
    suanzi.Size([32, 25])
    """

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        super().__init__()
        self.start_dim, self.end_dim = start_dim, end_dim

    def forward(self, input: Tensor) -> Tensor:
        made: Tensor = input.flatten(self.start_dim, self.end_dim)
        return made

    def extra_repr(self) -> str:
        return f"start_dim={self.start_dim}, end_dim={self.end_dim}"


class Unflatten(Module):
    """One axis as several, of which -1 stands for the size that is left.

    >>> import suanzi
    >>> Unflatten(1, (2, 5, 5))(suanzi.randn(2, 50)).size()
    suanzi.Size([2, 2, 5, 5])
    """

    def __init__(self, dim: int, unflattened_size: Sequence[int]) -> None:
        super().__init__()
        sizes = unflattened_size
        if not isinstance(sizes, tuple | list) or not all(isinstance(s, int) for s in sizes):
            raise SuanziError("wrong unflattened_size", input="unflattened_size",
                              expected="whole numbers", found=sizes)  # fmt: skip
        self.dim, self.unflattened_size = dim, sizes

    def forward(self, input: Tensor) -> Tensor:
        made: Tensor = input.unflatten(self.dim, self.unflattened_size)
        return made

    def extra_repr(self) -> str:
        return f"dim={self.dim}, unflattened_size={self.unflattened_size}"
