"""Layers that look up the rows of a table."""

from typing import Any, Self

from suanzi.errors import SuanziError
from suanzi.nn import functional as F  # noqa: N812  (everybody's name for it)
from suanzi.nn import init
from suanzi.nn.module import Module
from suanzi.nn.parameter import Parameter
from suanzi.tensor import Tensor, empty, no_grad


class _Table(Module):
    """A weight (num_embeddings, embedding_dim), which may be given."""

    def __init__(
        self, num_embeddings: int, embedding_dim: int, padding_idx: int | None,
        max_norm: float | None, norm_type: float, scale_grad_by_freq: bool, sparse: bool,
        weight: Tensor | None, freeze: bool, dtype: Any,
    ) -> None:  # fmt: skip
        super().__init__()
        self.num_embeddings, self.embedding_dim = num_embeddings, embedding_dim
        V = num_embeddings
        if padding_idx is not None:
            if not -V <= padding_idx < V:
                raise SuanziError("wrong padding_idx", input="padding_idx",
                                  expected=f"{-V} to {V - 1}", found=padding_idx)  # fmt: skip
            padding_idx %= V
        self.padding_idx = padding_idx
        self.max_norm, self.norm_type = max_norm, norm_type
        self.scale_grad_by_freq, self.sparse = scale_grad_by_freq, sparse
        if weight is None:
            weight = empty(V, embedding_dim, dtype=dtype)
            self.weight = Parameter(weight, requires_grad=not freeze)
            self.reset_parameters()
        elif tuple(weight.shape) != (V, embedding_dim):
            raise SuanziError("wrong shape", input="_weight", expected=(V, embedding_dim),
                              found=tuple(weight.shape))  # fmt: skip
        else:
            self.weight = Parameter(weight, requires_grad=not freeze)

    def reset_parameters(self) -> None:
        """Draws the table from the normal distribution; the row of the padding is 0."""
        init.normal_(self.weight)
        if self.padding_idx is not None:
            with no_grad():
                self.weight[self.padding_idx].fill_(0)

    def _extras(self, mode: str = "") -> str:
        parts = [f"{self.num_embeddings}, {self.embedding_dim}"]
        padding = [] if self.padding_idx is None else [f"padding_idx={self.padding_idx}"]
        parts += [] if mode else padding
        if self.max_norm is not None:
            parts.append(f"max_norm={self.max_norm}")
        if self.norm_type != 2:
            parts.append(f"norm_type={self.norm_type}")
        if self.scale_grad_by_freq:
            parts.append(f"scale_grad_by_freq={self.scale_grad_by_freq}")
        return ", ".join([*parts, *([f"mode={mode!r}", *padding] if mode else [])])


def _require_table(embeddings: Tensor) -> tuple[int, int]:
    if embeddings.dim() != 2:
        raise SuanziError("wrong rank", input="embeddings", expected="2 axes",
                          found=tuple(embeddings.shape))  # fmt: skip
    return tuple(embeddings.shape)  # type: ignore[return-value]


class Embedding(_Table):
    """The rows of a table that the input names: input (*), output (*, embedding_dim).

    >>> import suanzi
    >>> embedding = Embedding(10, 3)
    >>> embedding(suanzi.tensor([[1, 2, 4, 5], [4, 3, 2, 9]])).shape
    suanzi.Size([2, 4, 3])
    """

    def __init__(
        self, num_embeddings: int, embedding_dim: int, padding_idx: int | None = None,
        max_norm: float | None = None, norm_type: float = 2.0, scale_grad_by_freq: bool = False,
        sparse: bool = False, _weight: Tensor | None = None, _freeze: bool = False,
        device: Any = None, dtype: Any = None,
    ) -> None:  # fmt: skip
        super().__init__(num_embeddings, embedding_dim, padding_idx, max_norm, norm_type,
                         scale_grad_by_freq, sparse, _weight, _freeze, dtype)  # fmt: skip

    def forward(self, input: Tensor) -> Tensor:
        return F.embedding(input, self.weight, self.padding_idx, self.max_norm, self.norm_type,
                           self.scale_grad_by_freq, self.sparse)  # fmt: skip

    def extra_repr(self) -> str:
        return self._extras() + (", sparse=True" if self.sparse else "")

    @classmethod
    def from_pretrained(
        cls, embeddings: Tensor, freeze: bool = True, padding_idx: int | None = None,
        max_norm: float | None = None, norm_type: float = 2.0, scale_grad_by_freq: bool = False,
        sparse: bool = False,
    ) -> Self:  # fmt: skip
        """A layer of this table, which doesn't learn if it is frozen."""
        V, D = _require_table(embeddings)
        return cls(V, D, padding_idx, max_norm, norm_type, scale_grad_by_freq, sparse, embeddings,
                   freeze)  # fmt: skip


class EmbeddingBag(_Table):
    """The sums, means or largest numbers of bags of the table's rows: (B, embedding_dim).

    >>> import suanzi
    >>> embedding_sum = EmbeddingBag(10, 3, mode="sum")
    >>> input = suanzi.tensor([1, 2, 4, 5, 4, 3, 2, 9])
    >>> embedding_sum(input, suanzi.tensor([0, 4])).shape
    suanzi.Size([2, 3])
    """

    def __init__(
        self, num_embeddings: int, embedding_dim: int, max_norm: float | None = None,
        norm_type: float = 2.0, scale_grad_by_freq: bool = False, mode: str = "mean",
        sparse: bool = False, _weight: Tensor | None = None, include_last_offset: bool = False,
        padding_idx: int | None = None, device: Any = None, dtype: Any = None,
    ) -> None:  # fmt: skip
        super().__init__(num_embeddings, embedding_dim, padding_idx, max_norm, norm_type,
                         scale_grad_by_freq, sparse, _weight, False, dtype)  # fmt: skip
        self.mode, self.include_last_offset = mode, include_last_offset

    def forward(
        self, input: Tensor, offsets: Tensor | None = None,
        per_sample_weights: Tensor | None = None,
    ) -> Tensor:  # fmt: skip
        """input (B, L); or (L) with offsets (B)"""
        return F.embedding_bag(
            input, self.weight, offsets, self.max_norm, self.norm_type, self.scale_grad_by_freq,
            self.mode, self.sparse, per_sample_weights, self.include_last_offset, self.padding_idx,
        )  # fmt: skip

    def extra_repr(self) -> str:
        return self._extras(self.mode)

    @classmethod
    def from_pretrained(
        cls, embeddings: Tensor, freeze: bool = True, max_norm: float | None = None,
        norm_type: float = 2.0, scale_grad_by_freq: bool = False, mode: str = "mean",
        sparse: bool = False, include_last_offset: bool = False, padding_idx: int | None = None,
    ) -> Self:  # fmt: skip
        """A layer of this table, which doesn't learn if it is frozen."""
        V, D = _require_table(embeddings)
        made = cls(V, D, max_norm, norm_type, scale_grad_by_freq, mode, sparse, embeddings,
                   include_last_offset, padding_idx)  # fmt: skip
        made.weight.requires_grad = not freeze
        return made
