"""Batches of sequences of different lengths: padded, or packed step by step."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, Self

import numpy as np

from suanzi.errors import SuanziError
from suanzi.tensor import Tensor, as_tensor, cat, dtypes, stack


class _Packed(NamedTuple):
    data: Tensor
    batch_sizes: Tensor
    sorted_indices: Tensor | None
    unsorted_indices: Tensor | None


class PackedSequence(_Packed):
    """All sequences' first elements, then all second ones, and so on, the longest sequence first.

    data: the elements; batch_sizes: how many sequences have each step; sorted_indices: in
    which order the sequences were taken, unsorted_indices: how to put them back.
    """

    def __new__(
        cls,
        data: Any,
        batch_sizes: Tensor | None = None,
        sorted_indices: Tensor | None = None,
        unsorted_indices: Tensor | None = None,
    ) -> Self:
        if batch_sizes is None:
            data, batch_sizes = data
        if unsorted_indices is None:
            unsorted_indices = invert_permutation(sorted_indices)
        return super().__new__(cls, data, batch_sizes, sorted_indices, unsorted_indices)

    def to(self, *args: Any, **kwargs: Any) -> Self:
        """With its data of another type."""
        data = self.data.to(*args, **kwargs)
        return self if data is self.data else self._replace(data=data)

    def cpu(self) -> Self:
        return self

    def double(self) -> Self:
        return self.to(dtypes.float64)

    def float(self) -> Self:
        return self.to(dtypes.float32)

    def half(self) -> Self:
        return self.to(dtypes.float16)

    def long(self) -> Self:
        return self.to(dtypes.int64)

    def int(self) -> Self:
        return self.to(dtypes.int32)

    def short(self) -> Self:
        return self.to(dtypes.int16)

    def char(self) -> Self:
        return self.to(dtypes.int8)

    def byte(self) -> Self:
        return self.to(dtypes.uint8)

    @property
    def is_cuda(self) -> bool:
        return False

    def is_pinned(self) -> bool:
        return False


def invert_permutation(permutation: Tensor | None) -> Tensor | None:
    """The permutation that undoes another."""
    if permutation is None:
        return None
    return as_tensor(np.argsort(permutation.numpy()))


def pack_padded_sequence(
    input: Tensor,
    lengths: Tensor | Sequence[int],
    batch_first: bool = False,
    enforce_sorted: bool = True,
) -> PackedSequence:
    """Packs padded sequences, [T, B, *] or, with `batch_first`, [B, T, *].

    `enforce_sorted`: they must come by falling length; otherwise they are sorted here.

    >>> import suanzi
    >>> seq = suanzi.tensor([[1, 2, 0], [3, 0, 0], [4, 5, 6]])
    >>> packed = pack_padded_sequence(seq, [2, 1, 3], batch_first=True, enforce_sorted=False)
    >>> packed.data, packed.batch_sizes, packed.sorted_indices
    (tensor([4, 1, 3, 5, 2, 6]), tensor([3, 2, 1]), tensor([2, 0, 1]))
    """
    if input.ndim < 2:
        raise SuanziError("wrong rank", input="input", expected="at least 2 axes", found=input.ndim)
    sizes = np.array(lengths.numpy() if isinstance(lengths, Tensor) else lengths, np.int64)
    batch, steps = input.shape[not batch_first], input.shape[batch_first]
    if sizes.shape != (batch,):
        raise SuanziError(
            "one length a sequence", input="lengths", expected=f"({batch},)", found=sizes.shape
        )
    if batch == 0 or sizes.min() <= 0 or sizes.max() > steps:
        raise SuanziError(
            "the lengths don't fit the sequences",
            input="lengths",
            expected=f"1 to {steps}",
            found=sizes.tolist(),
        )
    order = None
    if not enforce_sorted:
        order = np.argsort(-sizes, kind="stable")
        sizes = sizes[order]
    elif (np.diff(sizes) > 0).any():
        raise SuanziError(
            "the sequences aren't sorted by length in decreasing order",
            input="lengths",
            found=sizes.tolist(),
            hint="Pass enforce_sorted=False",
        )
    batch_sizes = (sizes[None] > np.arange(sizes[0])[:, None]).sum(1)
    step = np.repeat(np.arange(len(batch_sizes)), batch_sizes)
    place = _places(batch_sizes)
    place = place if order is None else order[place]
    flat = input.reshape(batch * steps, *input.shape[2:])
    rows = place * steps + step if batch_first else step * batch + place
    sorted_indices = None if order is None else as_tensor(order)
    return PackedSequence(flat[as_tensor(rows)], as_tensor(batch_sizes), sorted_indices)


def _places(batch_sizes: Any) -> Any:
    """For each packed element, which sequence it is of, the longest being 0."""
    return np.concatenate([np.arange(size) for size in batch_sizes])


def pad_packed_sequence(
    sequence: PackedSequence,
    batch_first: bool = False,
    padding_value: float = 0.0,
    total_length: int | None = None,
) -> tuple[Tensor, Tensor]:
    """The sequences padded again, [T, B, *] or [B, T, *], and their lengths.

    `total_length`: how many steps to pad to, instead of the longest sequence's.
    """
    sizes = sequence.batch_sizes.numpy()
    batch, steps = int(sizes[0]), len(sizes)
    if total_length is not None:
        if total_length < steps:
            raise SuanziError(
                "total_length must be at least the length of the longest sequence",
                input="total_length",
                expected=f"at least {steps}",
                found=total_length,
            )
        steps = total_length
    order = np.arange(batch)
    if sequence.unsorted_indices is not None:
        order = sequence.unsorted_indices.numpy()
    # Each place of the result reads a packed element, or the padding behind them.
    data = sequence.data
    rows = np.full((steps, batch), len(data))
    rows[np.repeat(np.arange(len(sizes)), sizes), _places(sizes)] = np.arange(len(data))
    rows = rows[:, order].T if batch_first else rows[:, order]
    padding = data.new_full((1, *data.shape[1:]), padding_value)
    padded = cat([data, padding])[as_tensor(np.ascontiguousarray(rows))]
    lengths = (sizes[None] > np.arange(batch)[:, None]).sum(1)
    return padded, as_tensor(lengths[order])


def pad_sequence(
    sequences: Iterable[Tensor],
    batch_first: bool = False,
    padding_value: float = 0.0,
    padding_side: str = "right",
) -> Tensor:
    """Tensors [L, *] of different L in one, padded to the longest: [T, B, *] or [B, T, *]."""
    if not isinstance(sequences, Iterable):
        raise SuanziError(
            "wrong sequences", input="sequences", expected="tensors", found=type(sequences)
        )
    if padding_side not in ("left", "right"):
        raise SuanziError(
            "wrong side", input="padding_side", expected="left or right", found=padding_side
        )
    tensors = list(sequences)
    if not tensors:
        raise SuanziError("expected at least one sequence", input="sequences")
    longest = max(len(t) for t in tensors)
    padded = []
    for t in tensors:
        padding = t.new_full((longest - len(t), *t.shape[1:]), padding_value)
        padded.append(cat([t, padding] if padding_side == "right" else [padding, t]))
    return stack(padded, 0 if batch_first else 1)


def unpad_sequence(
    padded_sequences: Tensor, lengths: Tensor, batch_first: bool = False
) -> list[Tensor]:
    """The sequences of a padded batch, each of its own length."""
    axis = 0 if batch_first else 1
    return [
        sequence[: int(length)]
        for sequence, length in zip(padded_sequences.unbind(axis), lengths, strict=True)
    ]


def pack_sequence(sequences: Sequence[Tensor], enforce_sorted: bool = True) -> PackedSequence:
    """Packs tensors [L, *] of different L."""
    lengths = [len(sequence) for sequence in sequences]
    return pack_padded_sequence(pad_sequence(sequences), lengths, enforce_sorted=enforce_sorted)


def unpack_sequence(packed_sequences: PackedSequence) -> list[Tensor]:
    """The sequences that were packed."""
    padded, lengths = pad_packed_sequence(packed_sequences)
    return unpad_sequence(padded, lengths)
