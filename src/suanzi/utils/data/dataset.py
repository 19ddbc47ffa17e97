"""What a DataLoader reads: samples by their number, or one after the other."""

import bisect
import itertools
import math
import warnings
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Generic, TypeVar

from suanzi.errors import SuanziError
from suanzi.tensor import Tensor
from suanzi.tensor.random import Generator, randperm

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Dataset(Generic[T_co]):
    """Samples by their number: a subclass has `__getitem__`, and mostly `__len__`.

    One with `__getitems__`, which takes a list of numbers, is asked for a batch at once.
    """

    def __getitem__(self, index: Any) -> T_co:
        raise NotImplementedError("a subclass of Dataset defines __getitem__")

    def __add__(self, other: "Dataset[T_co]") -> "ConcatDataset[T_co]":
        return ConcatDataset([self, other])


class IterableDataset(Dataset[T_co]):
    """Samples one after the other: a subclass has `__iter__`.

    Each worker of a DataLoader reads its own copy: `get_worker_info()` tells which part is its.
    """

    def __iter__(self) -> Iterator[T_co]:
        raise NotImplementedError("a subclass of IterableDataset defines __iter__")

    def __add__(self, other: Dataset[T_co]) -> "ChainDataset[T_co]":  # type: ignore[override]
        return ChainDataset([self, other])


class TensorDataset(Dataset[tuple[Tensor, ...]]):
    """Sample i is row i of each tensor."""

    def __init__(self, *tensors: Tensor) -> None:
        same_lengths(tensors, "tensors")
        self.tensors = tensors

    def __getitem__(self, index: Any) -> tuple[Tensor, ...]:
        return tuple(tensor[index] for tensor in self.tensors)

    def __len__(self) -> int:
        return len(self.tensors[0])


class StackDataset(Dataset[Any]):
    """Sample i is the tuple, or by keywords the dictionary, of the samples i of several datasets.

    >>> StackDataset(image=["a", "b"], label=[0, 1])[1]
    {'image': 'b', 'label': 1}
    """

    datasets: tuple[Any, ...] | dict[str, Any]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if args and kwargs:
            raise SuanziError("datasets come by position or by keyword, not both", input="datasets")
        same_lengths(args or [*kwargs.values()], "datasets")
        self.datasets = args or kwargs

    def __getitem__(self, index: Any) -> Any:
        if isinstance(self.datasets, dict):
            return {name: dataset[index] for name, dataset in self.datasets.items()}
        return tuple(dataset[index] for dataset in self.datasets)

    def __getitems__(self, indices: list[int]) -> list[Any]:
        if isinstance(self.datasets, dict):
            columns = [samples(dataset, indices) for dataset in self.datasets.values()]
            return [
                dict(zip(self.datasets, row, strict=True)) for row in zip(*columns, strict=True)
            ]
        return [*zip(*(samples(dataset, indices) for dataset in self.datasets), strict=True)]

    def __len__(self) -> int:
        datasets = self.datasets
        return len(next(iter(datasets.values() if isinstance(datasets, dict) else datasets)))


class ConcatDataset(Dataset[T_co]):
    """The samples of one dataset, then those of the next."""

    def __init__(self, datasets: Iterable[Any]) -> None:
        self.datasets = [*datasets]
        if not self.datasets:
            raise SuanziError("no dataset to concatenate", input="datasets")
        if any(isinstance(dataset, IterableDataset) for dataset in self.datasets):
            raise SuanziError(
                "an IterableDataset has no numbers of samples",
                input="datasets",
                hint="Use ChainDataset",
            )
        self.cumulative_sizes = [*itertools.accumulate(map(length, self.datasets))]

    def __getitem__(self, index: int) -> T_co:
        size = len(self)
        if not -size <= index < size:  # an IndexError, as it ends a loop over the dataset
            raise IndexError(f"index {index} of a ConcatDataset of {size} samples")
        index %= size
        which = bisect.bisect_right(self.cumulative_sizes, index)
        before = self.cumulative_sizes[which - 1] if which else 0
        sample: T_co = self.datasets[which][index - before]
        return sample

    def __len__(self) -> int:
        return self.cumulative_sizes[-1]


class ChainDataset(IterableDataset[T_co]):
    """All that one IterableDataset yields, then the next."""

    def __init__(self, datasets: Iterable[Any]) -> None:
        self.datasets = datasets

    def __iter__(self) -> Iterator[T_co]:
        for dataset in self.datasets:
            yield from _iterable(dataset)

    def __len__(self) -> int:
        # list() asks for it too: len's TypeError, not ours, says that there is none
        return sum(len(_iterable(dataset)) for dataset in self.datasets)  # type: ignore[arg-type, misc]


class Subset(Dataset[T_co]):
    """The samples of a dataset that `indices` names, in that order."""

    def __init__(self, dataset: Any, indices: Sequence[int]) -> None:
        self.dataset, self.indices = dataset, indices
        own = type(self)
        if own.__getitem__ is not Subset.__getitem__ and own.__getitems__ is Subset.__getitems__:
            raise NotImplementedError(
                f"{own.__name__} has its own __getitem__, so it needs a __getitems__ as well: "
                "DataLoader asks for whole batches"
            )

    def __getitem__(self, index: Any) -> T_co:
        at: Any = [self.indices[i] for i in index] if isinstance(index, list) else None
        sample: T_co = self.dataset[self.indices[index] if at is None else at]
        return sample

    def __getitems__(self, indices: list[int]) -> list[T_co]:
        return samples(self.dataset, [self.indices[i] for i in indices])

    def __len__(self) -> int:
        return len(self.indices)


def random_split(
    dataset: Any, lengths: Sequence[float], generator: Generator | None = None
) -> list[Subset[Any]]:
    """Parts of a dataset, no sample in two of them; `lengths` are counts, or fractions of 1.

    What fractions leave over by rounding down goes one by one to the first parts.

    >>> [len(part) for part in random_split(range(10), [0.45, 0.55])]
    [5, 5]
    """
    size = length(dataset)
    counts = [*lengths]
    if counts and math.isclose(sum(counts), 1) and sum(counts) <= 1:
        if any(not 0 <= part <= 1 for part in counts):
            raise SuanziError(
                "a fraction out of range", input="lengths", expected="0 to 1", found=counts
            )
        counts = [math.floor(size * part) for part in counts]
        for i in range(size - int(sum(counts))):
            counts[i % len(counts)] += 1
        for i, count in enumerate(counts):
            if count == 0:
                warnings.warn(f"part {i} of random_split is empty", stacklevel=2)
    if sum(counts) != size or any(int(count) != count or count < 0 for count in counts):
        raise SuanziError(
            "the parts don't make up the dataset",
            input="lengths",
            expected=f"counts that sum to {size}, or fractions that sum to 1",
            found=[*lengths],
        )
    order: list[int] = randperm(size, generator=generator).tolist()
    ends = itertools.accumulate(map(int, counts))
    return [
        Subset(dataset, order[end - int(count) : end])
        for end, count in zip(ends, counts, strict=True)
    ]


def samples(dataset: Any, indices: Sequence[Any]) -> list[Any]:
    """The samples of these numbers, at once where the dataset can."""
    at_once = getattr(dataset, "__getitems__", None)
    if not callable(at_once):
        return [dataset[i] for i in indices]
    found: list[Any] = at_once(indices)
    if len(found) != len(indices):
        raise SuanziError(
            f"__getitems__ of {type(dataset).__name__} returned another number of samples",
            expected=len(indices),
            found=len(found),
        )
    return found


def length(dataset: Any) -> int:
    """How many samples, of a dataset that must tell."""
    if not hasattr(dataset, "__len__"):
        raise SuanziError(
            "a dataset that doesn't tell its length",
            input="dataset",
            found=type(dataset).__name__,
            hint="Give it a __len__",
        )
    return len(dataset)


def same_lengths(values: Sequence[Any], name: str) -> None:
    """Refuses none at all, and lengths that differ."""
    lengths = [length(value) for value in values]
    if not lengths:
        raise SuanziError("at least one is needed", input=name, found="none")
    if len({*lengths}) > 1:
        raise SuanziError("lengths differ", input=name, expected="one length", found=lengths)


def _iterable(dataset: Any) -> IterableDataset[Any]:
    if not isinstance(dataset, IterableDataset):
        raise SuanziError(
            "ChainDataset takes IterableDatasets alone",
            input="datasets",
            found=type(dataset).__name__,
            hint="Use ConcatDataset",
        )
    return dataset
