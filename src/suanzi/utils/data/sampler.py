"""The order in which a dataset is read: numbers of samples, or lists of them."""

import itertools
from collections.abc import Iterable, Iterator, Sequence, Sized
from typing import Any, Generic, TypeVar

from suanzi.errors import SuanziError
from suanzi.tensor import float64
from suanzi.tensor.creation import as_tensor
from suanzi.tensor.random import Generator, multinomial, randint, randperm

T_co = TypeVar("T_co", covariant=True)


class Sampler(Generic[T_co]):
    """Numbers of samples, or lists of them: a subclass has `__iter__`, and mostly `__len__`."""

    def __iter__(self) -> Iterator[T_co]:
        raise NotImplementedError("a subclass of Sampler defines __iter__")


class SequentialSampler(Sampler[int]):
    """0, 1, 2, ..."""

    def __init__(self, data_source: Sized) -> None:
        self.data_source = data_source

    def __iter__(self) -> Iterator[int]:
        return iter(range(len(self)))

    def __len__(self) -> int:
        return len(self.data_source)


class RandomSampler(Sampler[int]):
    """All samples in a random order, or `num_samples` of them; more than all go round again.

    With `replacement` each draw is from all of them.
    """

    def __init__(
        self,
        data_source: Sized,
        replacement: bool = False,
        num_samples: int | None = None,
        generator: Generator | None = None,
    ) -> None:
        self.data_source, self.generator = data_source, generator
        self.replacement = _flag(replacement, "replacement")
        self._num_samples = None if num_samples is None else positive(num_samples, "num_samples")
        positive(self.num_samples, "num_samples")  # an empty data source has no order

    @property
    def num_samples(self) -> int:
        return len(self.data_source) if self._num_samples is None else self._num_samples

    def __iter__(self) -> Iterator[int]:
        size, count = len(self.data_source), self.num_samples
        if self.replacement:
            yield from randint(0, size, (count,), generator=self.generator).tolist()
            return
        for start in range(0, count, size):
            order = randperm(size, generator=self.generator).tolist()
            yield from order[: count - start]

    def __len__(self) -> int:
        return self.num_samples


class SubsetRandomSampler(Sampler[int]):
    """The given numbers in a random order."""

    def __init__(self, indices: Sequence[int], generator: Generator | None = None) -> None:
        self.indices, self.generator = indices, generator

    def __iter__(self) -> Iterator[int]:
        for i in randperm(len(self.indices), generator=self.generator).tolist():
            yield self.indices[i]

    def __len__(self) -> int:
        return len(self.indices)


class WeightedRandomSampler(Sampler[int]):
    """`num_samples` numbers, number i drawn as often as `weights[i]` says in proportion."""

    def __init__(
        self,
        weights: Sequence[float],
        num_samples: int,
        replacement: bool = True,
        generator: Generator | None = None,
    ) -> None:
        self.weights = as_tensor(weights, dtype=float64)
        if self.weights.dim() != 1:
            shape = tuple(self.weights.shape)
            raise SuanziError("wrong rank", input="weights", expected="1 axis", found=shape)
        self.num_samples = positive(num_samples, "num_samples")
        self.replacement = _flag(replacement, "replacement")
        self.generator = generator

    def __iter__(self) -> Iterator[int]:
        drawn = multinomial(
            self.weights, self.num_samples, self.replacement, generator=self.generator
        )
        yield from drawn.tolist()

    def __len__(self) -> int:
        return self.num_samples


class BatchSampler(Sampler[list[int]]):
    """What another sampler yields, in lists of `batch_size`; the last may be shorter.

    >>> [*BatchSampler(range(5), 2, drop_last=False)]
    [[0, 1], [2, 3], [4]]
    """

    def __init__(self, sampler: Iterable[Any], batch_size: int, drop_last: bool) -> None:
        self.sampler = sampler
        self.batch_size = positive(batch_size, "batch_size")
        self.drop_last = _flag(drop_last, "drop_last")

    def __iter__(self) -> Iterator[list[int]]:
        rest = iter(self.sampler)
        while batch := [*itertools.islice(rest, self.batch_size)]:
            if len(batch) == self.batch_size or not self.drop_last:
                yield batch

    def __len__(self) -> int:
        return batches(len(self.sampler), self.batch_size, self.drop_last)  # type: ignore[arg-type]


def batches(samples: int, batch_size: int, drop_last: bool) -> int:
    """How many batches that many samples make."""
    return samples // batch_size if drop_last else -(-samples // batch_size)


def positive(value: int, name: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value <= 0:
        raise SuanziError("wrong value", input=name, expected="a positive integer", found=value)
    return value


def _flag(value: bool, name: str) -> bool:
    if not isinstance(value, bool):
        raise SuanziError("wrong value", input=name, expected="True or False", found=value)
    return value
