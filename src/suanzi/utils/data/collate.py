"""Samples to a batch: tensors are stacked, and whatever holds tensors keeps its form."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from suanzi.errors import SuanziError
from suanzi.tensor import Tensor, float64, tensor
from suanzi.tensor.creation import as_tensor, from_numpy
from suanzi.tensor.joining import stack


def default_collate(batch: Sequence[Any]) -> Any:
    """A batch of samples of the same form, with a new first axis in each tensor.

    Numbers and NumPy arrays become tensors, strings and bytes stay a list; dictionaries, lists and
    named tuples are batched within, a plain tuple as a list.
    """
    first = batch[0]
    if isinstance(first, Tensor):
        if any(sample.requires_grad for sample in batch) or len({x.shape for x in batch}) > 1:
            return stack(batch)  # which keeps gradients, and has words for shapes that differ
        return from_numpy(np.stack([sample.numpy() for sample in batch]))
    if isinstance(first, np.ndarray) and first.dtype.kind not in "OSU":
        return as_tensor(np.stack(batch))
    if isinstance(first, np.bool_ | np.number):
        return as_tensor(np.array(batch))
    if isinstance(first, float):
        return tensor(batch, dtype=float64)
    if isinstance(first, int):
        return tensor(batch)
    if isinstance(first, str | bytes):
        return batch
    if isinstance(first, Mapping):
        return _like(first, {key: default_collate([x[key] for x in batch]) for key in first})
    if isinstance(first, Sequence):
        if len({len(sample) for sample in batch}) > 1:
            raise SuanziError(
                "the samples of a batch differ in length",
                input="batch",
                found=[len(sample) for sample in batch],
                hint="Pad them in a collate_fn of your own",
            )
        return _like(first, [default_collate(column) for column in zip(*batch, strict=True)])
    raise SuanziError(
        "the default collate_fn can't batch these samples",
        input="batch",
        expected="tensors, NumPy arrays, numbers, strings, and dictionaries or lists of them",
        found=type(first).__name__,
        hint="Give DataLoader a collate_fn of your own",
    )


def default_convert(data: Any) -> Any:
    """One sample with its NumPy arrays as tensors, and the rest as it is."""
    if isinstance(data, np.ndarray | np.bool_ | np.number):
        return data if data.dtype.kind in "OSU" else as_tensor(data)
    if isinstance(data, Mapping):
        return _like(data, {key: default_convert(value) for key, value in data.items()})
    if isinstance(data, Sequence) and not isinstance(data, str | bytes):
        return _like(data, [default_convert(value) for value in data])
    return data


def _like(form: Any, parts: Any) -> Any:
    """The parts in a container like `form`; a plain list or dictionary if it can't be made so."""
    kind: Callable[..., Any] = type(form)
    if isinstance(form, tuple):
        return kind(*parts) if hasattr(form, "_fields") else parts
    try:
        return kind(parts)
    except TypeError:
        return parts
