"""Bags of rows of a table, each bag summed up, averaged, or its largest numbers taken."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from suanzi.errors import SuanziError
from suanzi.operators._checks import require_dtype, require_shape, widen
from suanzi.operators._operator import Array, Example, Operator, TensorType, operator, require


@dataclass(frozen=True, kw_only=True)
class Bags(Operator):
    """weight [V, D]; indices [L]; offsets [B], where in indices each bag starts, in order;
    per_sample_weights [L] (absent: ones), for sums alone. An index of padding_idx isn't in its bag.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.EmbeddingBag.html
    """

    mode: str = "mean"
    padding_idx: int | None = None

    def infer_bags(
        self,
        weight: TensorType,
        indices: TensorType,
        offsets: TensorType,
        per_sample_weights: TensorType | None,
    ) -> TensorType:
        if self.mode not in ("sum", "mean", "max"):
            raise SuanziError("no such mode", expected="sum, mean or max", found=self.mode)
        require_shape(weight, (None, None), "weight")
        require_shape(indices, (None,), "indices")
        require_shape(offsets, (None,), "offsets")
        require_shape(per_sample_weights, indices.shape or (None,), "per_sample_weights")
        require_dtype(per_sample_weights, weight.dtype, "per_sample_weights")
        alone = per_sample_weights is None or self.mode == "sum"
        require(alone, f"mode is {self.mode}", "per_sample_weights", "None", per_sample_weights)
        B = None if offsets.shape is None else offsets.shape[0]
        return TensorType(weight.dtype, (B, None if weight.shape is None else weight.shape[1]))

    def bags(self, indices: Array, offsets: Array, V: int) -> tuple[Array, Array]:
        """The bag of each index, and which indices count."""
        inside = (indices >= 0) & (indices < V)
        require(inside.all(), "no such row", "indices", f"from 0 to {V - 1}", indices[~inside][:1])
        L = len(indices)
        ordered = np.all(np.diff(offsets) >= 0) and (not len(offsets) or offsets[0] == 0)
        fits = ordered and (not len(offsets) or offsets[-1] <= L)
        require(fits, "wrong offsets", "offsets", f"from 0 to {L}, in order", offsets)
        bag = np.searchsorted(offsets, np.arange(L), "right") - 1
        kept = np.ones(L, bool) if self.padding_idx is None else indices != self.padding_idx
        return bag, np.flatnonzero(kept & (bag >= 0))

    def counts(self, bag: Array, B: int, dtype: Any) -> Array:
        """How many indices each bag has, at least 1: [B, 1]."""
        return np.maximum(np.bincount(bag, minlength=B), 1)[:, None].astype(dtype)

    @classmethod
    def data(cls) -> tuple[Array, Array, Array]:
        weight = np.sin(np.arange(15, dtype=np.float32)).reshape(5, 3)
        return weight, np.array([1, 2, 4, 4, 3, 2]), np.array([0, 2, 2, 5])


@operator(family="embedding", torch="nn.EmbeddingBag")
class EmbeddingBag(Bags):
    """Y[b] = Σ per_sample_weights[i] · weight[indices[i]] over the i of bag b; their mean, or the
    largest number of each column, as `mode` says. An empty bag gives 0.

    weight [V, D], indices [L], offsets [B], per_sample_weights [L], Y [B, D].
    """

    def infer(
        self,
        weight: TensorType,
        indices: TensorType,
        offsets: TensorType,
        per_sample_weights: TensorType | None = None,
    ) -> TensorType:
        return self.infer_bags(weight, indices, offsets, per_sample_weights)

    def numpy(
        self,
        weight: Array,
        indices: Array,
        offsets: Array,
        per_sample_weights: Array | None = None,
    ) -> Array:
        bag, kept = self.bags(indices, offsets, len(weight))
        rows, bag = widen(weight)[indices[kept]], bag[kept]
        shape = (len(offsets), weight.shape[1])
        if self.mode == "max":
            Y = np.full(shape, -np.inf, rows.dtype)
            np.maximum.at(Y, bag, rows)
            full = np.bincount(bag, minlength=len(offsets)) > 0
            return np.where(full[:, None], Y, 0).astype(weight.dtype)
        if per_sample_weights is not None:
            rows = rows * widen(per_sample_weights)[kept, None]
        Y = np.zeros(shape, rows.dtype)
        np.add.at(Y, bag, rows)
        if self.mode == "mean":
            Y /= self.counts(bag, len(offsets), Y.dtype)
        return Y.astype(weight.dtype)

    def grad(
        self,
        dY: Any,
        _Y: Any,
        weight: Any,
        indices: Any,
        offsets: Any,
        per_sample_weights: Any = None,
    ) -> tuple[Any, ...]:
        inputs = (weight, indices, offsets, per_sample_weights)
        d_weight, d_samples = EmbeddingBagGradient(**vars(self))(dY, *inputs)
        return d_weight, None, None, None if per_sample_weights is None else d_samples

    @classmethod
    def examples(cls) -> list[Example]:
        inputs, samples = cls.data(), np.linspace(-1, 2, 6, dtype=np.float32)
        return [
            Example(cls(), inputs),
            Example(cls(mode="sum"), (*inputs, samples)),
            Example(cls(mode="max", padding_idx=2), inputs),
        ]


@operator(family="embedding")
class EmbeddingBagGradient(Bags):
    """The gradients of EmbeddingBag's weight and per_sample_weights: each row gets dY of the bags
    that it is in, as often as it is; of equal largest numbers the first alone gets it.

    dY [B, D], the others as EmbeddingBag's.
    """

    def infer(
        self,
        dY: TensorType,
        weight: TensorType,
        indices: TensorType,
        offsets: TensorType,
        per_sample_weights: TensorType | None = None,
    ) -> tuple[TensorType, TensorType]:
        Y = self.infer_bags(weight, indices, offsets, per_sample_weights)
        require_dtype(dY, Y.dtype, "dY")
        require_shape(dY, Y.shape or (None, None), "dY")
        return TensorType(weight.dtype, weight.shape), TensorType(weight.dtype, indices.shape)

    def numpy(
        self,
        dY: Array,
        weight: Array,
        indices: Array,
        offsets: Array,
        per_sample_weights: Array | None = None,
    ) -> tuple[Array, Array]:
        bag, kept = self.bags(indices, offsets, len(weight))
        chosen, bag = indices[kept], bag[kept]
        rows, d = widen(weight)[chosen], widen(dY)[bag]
        samples = np.zeros(len(indices), d.dtype)
        samples[kept] = (d * rows).sum(1)
        if self.mode == "mean":
            d = d / self.counts(bag, len(offsets), d.dtype)[bag]
        elif self.mode == "max":
            d = np.where(self._first(rows, bag, dY.shape), d, 0)
        elif per_sample_weights is not None:
            d = d * widen(per_sample_weights)[kept, None]
        table = np.zeros(weight.shape, d.dtype)
        np.add.at(table, chosen, d)
        return table.astype(weight.dtype), samples.astype(weight.dtype)

    @staticmethod
    def _first(rows: Array, bag: Array, shape: tuple[int, ...]) -> Array:
        """Where each column's largest number in each bag lies, the first of equal ones."""
        most = np.full(shape, -np.inf, rows.dtype)
        np.maximum.at(most, bag, rows)
        row, column = np.nonzero(rows == most[bag])
        first = np.full(shape, len(rows))
        np.minimum.at(first, (bag[row], column), row)
        return np.asarray(np.arange(len(rows))[:, None] == first[bag])

    @classmethod
    def examples(cls) -> list[Example]:
        dY = np.cos(np.arange(12, dtype=np.float32)).reshape(4, 3)
        return [Example(cls(mode=mode), (dY, *cls.data())) for mode in ("sum", "mean", "max")]
