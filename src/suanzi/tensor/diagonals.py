"""Diagonals and triangles of matrices."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from suanzi.errors import SuanziError
from suanzi.operators import Pad, Slice, Transpose, Trilu
from suanzi.tensor import dtypes
from suanzi.tensor.core import Step, Tensor, apply, axis, in_place, into, leaf, method
from suanzi.tensor.modes import modes
from suanzi.tensor.views import RESHAPE, reshape

PAD, SLICE = Pad(), Slice()
UPPER, LOWER = Trilu(upper=1), Trilu(upper=0)


def _triangle(operator: Trilu, input: Tensor, diagonal: int, out: Any) -> Tensor:
    if input.ndim < 2:
        raise SuanziError("a triangle is of a matrix", input="input", expected="2 axes or more",
                          found=tuple(input.shape))  # fmt: skip
    return into(out, apply(operator, input, np.array(diagonal)))


@method
def triu(input: Tensor, diagonal: int = 0, *, out: Any = None) -> Tensor:
    """The upper triangle of each matrix, zeros elsewhere."""
    return _triangle(UPPER, input, diagonal, out)


@method
def tril(input: Tensor, diagonal: int = 0, *, out: Any = None) -> Tensor:
    """The lower triangle of each matrix, zeros elsewhere."""
    return _triangle(LOWER, input, diagonal, out)


in_place(triu)
in_place(tril)


def _places(found: Any, dtype: dtypes.dtype | None) -> Tensor:
    return leaf(np.stack(found).astype((dtype or dtypes.int64).dtype))


def triu_indices(
    row: int, col: int, offset: int = 0, *, dtype: dtypes.dtype | None = None, device: Any = None,
    layout: Any = None,
) -> Tensor:  # fmt: skip
    """The rows and the columns of a matrix's upper triangle."""
    return _places(np.triu_indices(row, offset, col), dtype)


def tril_indices(
    row: int, col: int, offset: int = 0, *, dtype: dtypes.dtype | None = None, device: Any = None,
    layout: Any = None,
) -> Tensor:  # fmt: skip
    """The rows and the columns of a matrix's lower triangle.

    >>> tril_indices(2, 2).tolist()
    [[0, 1, 1], [0, 0, 1]]
    """
    return _places(np.tril_indices(row, offset, col), dtype)


@method
def diagonal(input: Tensor, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Tensor:
    """A diagonal of the matrices that two axes make, as a new last axis: a view."""
    a, b = axis(input, dim1), axis(input, dim2)
    if a == b or input.ndim < 2:
        raise SuanziError("a diagonal is of two axes", input="dim1", found=(dim1, dim2))
    order = (*(i for i in range(input.ndim) if i not in (a, b)), a, b)
    value = None
    if modes.trace is None:
        whole = input._value.transpose(order)[..., max(-offset, 0) :, max(offset, 0) :]
        length = min(whole.shape[-2:])
        value = np.einsum("...ii->...i", whole[..., :length, :length])
    return input._view(value, _cornering, order, offset)


def _cornering(given: tuple[int, ...], order: tuple[int, ...], offset: int) -> Sequence[Step]:
    """The matrices in a line each, of which a diagonal is every so many elements."""
    shape = tuple([given[i] for i in order])
    rows, columns = shape[-2:]
    length = max(0, min(rows, columns - offset) if offset >= 0 else min(rows + offset, columns))
    first = (offset if offset >= 0 else -offset * columns) if length else 0
    end = first + (length - 1) * (columns + 1) + 1 if length else 0
    return (
        (Transpose(perm=order), ()),
        (RESHAPE, ((*shape[:-2], rows * columns),)),
        (SLICE, ([first], [end], [len(shape) - 2], [columns + 1])),
    )


@method
def diag_embed(input: Tensor, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Tensor:
    """Matrices, on two new axes, whose diagonals are the last axis."""
    a, b = axis(input, dim1, extra=1), axis(input, dim2, extra=1)
    n, rank = input._value.shape[-1], input.ndim
    size = n + abs(offset)
    # Each element and the zeros up to the next are one stretch of the matrix's rows in a line.
    stretches = apply(PAD, input.unsqueeze(-1), np.array([0, size]), None, np.array([rank]))
    line = reshape(stretches, (*input._value.shape[:-1], n * (size + 1)))
    before = offset if offset >= 0 else -offset * size
    rest = size * size - before - n * (size + 1)
    line = apply(PAD, line, np.array([before, rest]), None, np.array([rank - 1]))
    square = reshape(line, (*input._value.shape[:-1], size, size))
    return square.movedim((-2, -1), (a, b))


@method
def diag(input: Tensor, diagonal: int = 0, *, out: Any = None) -> Tensor:
    """A matrix with this diagonal; or, of a matrix, its diagonal.

    >>> import suanzi
    >>> diag(suanzi.tensor([1, 2]))
    tensor([[1, 0],
            [0, 2]])
    """
    if input.ndim not in (1, 2):
        raise SuanziError("wrong rank", input="input", expected="1 or 2 axes", found=input.shape)
    if input.ndim == 1:
        return into(out, diag_embed(input, diagonal))
    return into(out, _diagonal(input, diagonal).clone())


_diagonal = diagonal


@method
def diagflat(input: Tensor, offset: int = 0) -> Tensor:
    """A matrix whose diagonal are all elements."""
    return diag_embed(reshape(input, (-1,)), offset)


@method
def diagonal_scatter(
    input: Tensor, src: Tensor, offset: int = 0, dim1: int = 0, dim2: int = 1
) -> Tensor:
    """The input with the source as its diagonal."""
    made = input.clone()
    diagonal(made, offset, dim1, dim2).copy_(src)
    return made


@method
def fill_diagonal_(self: Tensor, fill_value: Any, wrap: bool = False) -> Tensor:
    """One value on the main diagonal, in place."""
    diagonal(self).fill_(fill_value)
    return self


@method
def trace(input: Tensor) -> Tensor:
    """The sum of the main diagonal."""
    if input.ndim != 2:
        raise SuanziError("a trace is of a matrix", input="input", found=tuple(input.shape))
    return diagonal(input).sum()


__all__ = [
    "diag", "diag_embed", "diagflat", "diagonal", "diagonal_scatter", "trace", "tril",
    "tril_indices", "triu", "triu_indices",
]  # fmt: skip
