"""Rows of a table, looked up by their numbers: one by one, or in bags."""

import numpy as np

from suanzi.errors import SuanziError
from suanzi.nn.functional._arguments import require_tensor
from suanzi.operators import EmbeddingBag, Gather, OneHot
from suanzi.tensor import Tensor, apply, arange, cat, int64, leaf, no_grad, ones, where, zeros
from suanzi.tensor.core import recorded
from suanzi.tensor.modes import modes

GATHER = Gather(axis=0)
SMALL = 16_384  # elements that NumPy takes in less than a program's overhead
UNSIGNED = {4: np.uint32, 8: np.uint64}


def _require_rows(input: Tensor, weight: Tensor) -> None:
    """That the input names rows of the table, as far as its values are known."""
    require_tensor(input)
    require_tensor(weight, "weight")
    numbers = input._value
    if numbers.dtype.kind != "i" or numbers.dtype.itemsize < 4:
        raise SuanziError("rows are named by whole numbers", input="input",
                          expected="int64 or int32", found=input.dtype)  # fmt: skip
    if len(weight._value.shape) != 2:
        raise SuanziError("wrong rank", input="weight", expected="2 axes",
                          found=tuple(weight.shape))  # fmt: skip
    if type(numbers) is not np.ndarray or not numbers.size:
        return
    # A number below 0 is among the largest where it is read without a sign: one search for both.
    if int(numbers.view(UNSIGNED[numbers.dtype.itemsize]).max()) >= len(weight._value):
        low, high = int(numbers.min()), int(numbers.max())
        raise SuanziError("there is no such row", input="input",
                          expected=f"0 to {weight.shape[0] - 1}",
                          found=low if low < 0 else high)  # fmt: skip


def _row(padding_idx: int | None, weight: Tensor) -> int | None:
    """padding_idx counted from the front."""
    if padding_idx is None:
        return None
    V = int(weight.shape[0])
    if not -V <= padding_idx < V:
        raise SuanziError("wrong padding_idx", input="padding_idx", expected=f"{-V} to {V - 1}",
                          found=padding_idx)  # fmt: skip
    return padding_idx % V


def _renormalize(weight: Tensor, input: Tensor, max_norm: float, norm_type: float) -> None:
    """Scales the rows that are used down to the norm, in place."""
    with no_grad():
        at = input.reshape(-1).to(int64)
        rows = apply(GATHER, weight, at)
        norms = rows.norm(norm_type, 1, keepdim=True)
        one = leaf(np.ones((), norms._value.dtype))
        scales = where(norms > max_norm, max_norm / (norms + 1e-7), one)
        weight._write(weight.index_copy(0, at, rows * scales))


def _counts(input: Tensor, weight: Tensor) -> Tensor:
    """How often each element of the input is in it."""
    at = input.reshape(-1).to(int64)
    each = ones(at.shape, dtype=weight.dtype)
    totals = zeros(weight.shape[0], dtype=weight.dtype).scatter_add(0, at, each)
    return apply(GATHER, totals, at).reshape(input.shape)  # type: ignore[no-any-return]


def embedding(
    input: Tensor, weight: Tensor, padding_idx: int | None = None, max_norm: float | None = None,
    norm_type: float = 2.0, scale_grad_by_freq: bool = False, sparse: bool = False,
) -> Tensor:  # fmt: skip
    """weight[input]: the rows of the table (V, D) that the input (*) names, as (*, D).

    The row padding_idx gets no gradient. Rows longer than max_norm are scaled down in place first;
    scale_grad_by_freq divides a row's gradient by how often it is named. Gradients are dense.

    >>> import suanzi
    >>> embedding(suanzi.tensor([1, 0]), suanzi.tensor([[1.0, 2.0], [3.0, 4.0]]))
    tensor([[3., 4.],
            [1., 2.]])
    """
    _require_rows(input, weight)
    row = _row(padding_idx, weight)
    if max_norm is not None:
        _renormalize(weight, input, max_norm, norm_type)
    table, numbers = weight._value, input._value
    if modes.trace is None and numbers.size * table.shape[1] <= SMALL:
        y = recorded(GATHER, (weight, input), table.take(numbers, 0))
    else:
        y = apply(GATHER, weight, input)
    if not y.requires_grad:
        return y
    if scale_grad_by_freq:
        fixed = y.detach()
        y = fixed + (y - fixed) / _counts(input, weight).unsqueeze(-1)
    if row is not None:
        y = where((input == row).unsqueeze(-1), y.detach(), y)
    return y


def embedding_bag(
    input: Tensor, weight: Tensor, offsets: Tensor | None = None, max_norm: float | None = None,
    norm_type: float = 2, scale_grad_by_freq: bool = False, mode: str = "mean",
    sparse: bool = False, per_sample_weights: Tensor | None = None,
    include_last_offset: bool = False, padding_idx: int | None = None,
) -> Tensor:  # fmt: skip
    """The sums, means or largest numbers of bags of the table's rows: (B, D).

    input (B, L), a bag a row; or (L), of which each bag begins where offsets (B) says; the last
    offset is the end if include_last_offset. Rows of padding_idx don't count.

    >>> import suanzi
    >>> table = suanzi.tensor([[1.0, 2.0], [3.0, 4.0]])
    >>> embedding_bag(suanzi.tensor([[0, 1], [1, 1]]), table)
    tensor([[2., 3.],
            [3., 4.]])
    """
    _require_rows(input, weight)
    if mode not in ("sum", "mean", "max"):
        raise SuanziError("wrong mode", input="mode", expected="sum, mean or max", found=mode)
    samples = per_sample_weights
    if samples is not None:
        if samples.shape != input.shape:
            raise SuanziError("wrong shape", input="per_sample_weights",
                              expected=tuple(input.shape), found=tuple(samples.shape))  # fmt: skip
        if mode != "sum":
            raise SuanziError("weights are for sums alone", input="per_sample_weights",
                              expected=f"None for mode {mode}", found="a tensor")  # fmt: skip
        samples = samples.reshape(-1)
    if scale_grad_by_freq and mode == "max":
        raise SuanziError("the largest numbers have no frequency", input="scale_grad_by_freq",
                          expected="False for mode max", found=True)  # fmt: skip
    starts = _starts(input, offsets, include_last_offset)
    row = _row(padding_idx, weight)
    if max_norm is not None:
        _renormalize(weight, input, max_norm, norm_type)
    flat = input.reshape(-1)
    operator = EmbeddingBag(mode=mode, padding_idx=row)
    if scale_grad_by_freq and weight.requires_grad:
        # The table of the bags is one of each index's own row, so that each is scaled by itself.
        rows = embedding(flat, weight, row, scale_grad_by_freq=True)
        nothing = zeros(1, weight.shape[1], dtype=weight.dtype)
        flat, weight = _own_rows(flat, row), cat([rows, nothing])
        operator = EmbeddingBag(mode=mode, padding_idx=None if row is None else len(rows))
    given = (weight, flat, starts) if samples is None else (weight, flat, starts, samples)
    return apply(operator, *given)  # type: ignore[no-any-return]


def _own_rows(flat: Tensor, row: int | None) -> Tensor:
    """Each index's own place; the place after the last for those of the padding."""
    places = arange(flat.shape[0])
    if row is None:
        return places
    return where(flat == row, leaf(np.array(flat.shape[0])), places)  # type: ignore[no-any-return]


def _starts(input: Tensor, offsets: Tensor | None, include_last_offset: bool) -> Tensor:
    """Where each bag begins in the input, laid flat."""
    if input.ndim == 2:
        if offsets is not None:
            raise SuanziError("the rows of the input are the bags", input="offsets",
                              expected="None for an input of 2 axes", found="a tensor")  # fmt: skip
        B, L = input.shape
        return leaf(np.arange(B) * L)
    if input.ndim != 1:
        raise SuanziError("wrong rank", input="input", expected="1 or 2 axes",
                          found=tuple(input.shape))  # fmt: skip
    if offsets is None or offsets.ndim != 1:
        raise SuanziError("an input of 1 axis wants offsets", input="offsets", expected="1 axis",
                          found=offsets if offsets is None else tuple(offsets.shape))  # fmt: skip
    if include_last_offset:
        if not offsets.shape[0]:
            raise SuanziError("no last offset", input="offsets", expected="at least one", found=0)
        offsets = offsets[:-1]
    known = offsets._value
    if type(known) is np.ndarray and known.size and (known[0] != 0 or known[-1] > input.shape[0]):
        raise SuanziError("wrong offsets", input="offsets", found=known.tolist(),
                          expected=f"from 0 to at most {input.shape[0]}")  # fmt: skip
    return offsets.to(int64)  # type: ignore[no-any-return]


def one_hot(tensor: Tensor, num_classes: int = -1) -> Tensor:
    """A new last axis, 1 at the place that the element names and 0 elsewhere.

    >>> import suanzi
    >>> one_hot(suanzi.tensor([0, 2]))
    tensor([[1, 0, 0],
            [0, 0, 1]])
    """
    require_tensor(tensor, "tensor")
    if tensor._value.dtype != np.int64:
        raise SuanziError("wrong type", input="tensor", expected="int64", found=tensor.dtype)
    known = tensor._value if type(tensor._value) is np.ndarray else None
    if num_classes == -1:
        places = tensor.numpy_()
        if not places.size:
            raise SuanziError("an empty tensor names no number of classes", input="num_classes",
                              expected="1 or more", found=num_classes)  # fmt: skip
        num_classes = int(places.max()) + 1
    if num_classes < 1:
        raise SuanziError("wrong num_classes", input="num_classes", expected="1 or more",
                          found=num_classes)  # fmt: skip
    if known is not None and known.size and not 0 <= known.min() <= known.max() < num_classes:
        raise SuanziError("there is no such class", input="tensor",
                          expected=f"0 to {num_classes - 1}",
                          found=(int(known.min()), int(known.max())))  # fmt: skip
    values = leaf(np.array([0, 1], np.int64))
    return apply(OneHot(), tensor, np.array(num_classes), values)  # type: ignore[no-any-return]
