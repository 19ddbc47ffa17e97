"""Tensors stacked, cut and combined: grids, blocks, and forms of cat and split for given axes."""

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from suanzi.errors import SuanziError
from suanzi.operators import Gather, Pad
from suanzi.tensor.core import Size, Tensor, apply, axis, method
from suanzi.tensor.joining import cat, stack
from suanzi.tensor.views import expand, reshape


def atleast_1d(*tensors: Any) -> Any:
    """With an axis at least."""
    return _each(tensors, lambda x: x if x.ndim else reshape(x, (1,)))


def atleast_2d(*tensors: Any) -> Any:
    """With two axes at least, new ones in front."""
    return _each(tensors, lambda x: x if x.ndim > 1 else reshape(x, (1, -1)))


def atleast_3d(*tensors: Any) -> Any:
    """With three axes at least: a vector in the middle, a matrix in front."""

    def raised(x: Tensor) -> Tensor:
        return x if x.ndim > 2 else x.unsqueeze(-1) if x.ndim == 2 else reshape(x, (1, -1, 1))

    return _each(tensors, raised)


def _each(tensors: tuple[Any, ...], change: Callable[[Tensor], Tensor]) -> Any:
    if len(tensors) == 1 and isinstance(tensors[0], list | tuple):
        return tuple(change(x) for x in tensors[0])
    made = tuple(change(x) for x in tensors)
    return made[0] if len(made) == 1 else made


def hstack(tensors: Sequence[Tensor], *, out: Tensor | None = None) -> Tensor:
    """Side by side: along the second axis, of vectors the first."""
    given = atleast_1d(tuple(tensors))
    return cat(given, 0 if given[0].ndim == 1 else 1, out=out)


def vstack(tensors: Sequence[Tensor], *, out: Tensor | None = None) -> Tensor:
    """One above the other: along the first axis, vectors as rows."""
    return cat(atleast_2d(tuple(tensors)), 0, out=out)


row_stack = vstack


def dstack(tensors: Sequence[Tensor], *, out: Tensor | None = None) -> Tensor:
    """One behind the other: along the third axis."""
    return cat(atleast_3d(tuple(tensors)), 2, out=out)


def column_stack(tensors: Sequence[Tensor], *, out: Tensor | None = None) -> Tensor:
    """Side by side, vectors as columns."""
    columns = [x if x.ndim > 1 else reshape(x, (-1, 1)) for x in tensors]
    return cat(columns, 1, out=out)


@method
def tensor_split(input: Tensor, indices_or_sections: Any, dim: int = 0) -> tuple[Tensor, ...]:
    """So many pieces along an axis, as even as can be; or cut at the places given."""
    at = axis(input, dim)
    size, cuts = input._value.shape[at], indices_or_sections
    cuts = cuts.tolist() if isinstance(cuts, Tensor) else cuts
    if isinstance(cuts, int):
        if cuts < 1:
            raise SuanziError("at least one piece", input="sections", found=cuts)
        each, more = divmod(size, cuts)
        cuts = [i * each + min(i, more) for i in range(1, cuts)]
    ahead = (*[slice(None)] * at,)
    edges = zip([None, *cuts], [*cuts, None], strict=True)
    return tuple(input[(*ahead, slice(a, b))] for a, b in edges)


def _even(input: Tensor, cuts: Any, dim: int) -> tuple[Tensor, ...]:
    if input.ndim <= dim or (isinstance(cuts, int) and input.shape[dim] % cuts):
        raise SuanziError(
            "can't be cut evenly", input="indices_or_sections", expected=f"a divisor of axis {dim}",
            found=f"{cuts} for {tuple(input.shape)}",
        )  # fmt: skip
    return tensor_split(input, cuts, dim)


@method
def hsplit(input: Tensor, indices_or_sections: Any) -> tuple[Tensor, ...]:
    """Cut along the second axis, of a vector the first."""
    return _even(input, indices_or_sections, 0 if input.ndim == 1 else 1)


@method
def vsplit(input: Tensor, indices_or_sections: Any) -> tuple[Tensor, ...]:
    """Cut along the first axis."""
    return _even(input, indices_or_sections, 0)


@method
def dsplit(input: Tensor, indices_or_sections: Any) -> tuple[Tensor, ...]:
    """Cut along the third axis."""
    return _even(input, indices_or_sections, 2)


def broadcast_shapes(*shapes: Any) -> Size:
    """The shape that the shapes broadcast to."""
    try:
        return Size(np.broadcast_shapes(*(tuple(s) if not isinstance(s, int) else s
                                          for s in shapes)))  # fmt: skip
    except ValueError:
        raise SuanziError("the shapes don't broadcast", found=shapes) from None


def broadcast_tensors(*tensors: Any) -> tuple[Tensor, ...]:
    """All in the shape that they broadcast to."""
    given = tensors[0] if len(tensors) == 1 and isinstance(tensors[0], list | tuple) else tensors
    shape = broadcast_shapes(*(x.shape for x in given))
    return tuple(expand(x, shape) for x in given)


def meshgrid(*tensors: Any, indexing: str = "ij") -> tuple[Tensor, ...]:
    """A grid's coordinates: for each vector a tensor of all the grid's places.

    >>> import suanzi
    >>> meshgrid(suanzi.arange(2), suanzi.arange(3))[0].tolist()
    [[0, 0, 0], [1, 1, 1]]
    """
    given = tensors[0] if len(tensors) == 1 and isinstance(tensors[0], list | tuple) else tensors
    if indexing not in ("ij", "xy"):
        raise SuanziError("wrong order", input="indexing", expected="ij or xy", found=indexing)
    swap = indexing == "xy" and len(given) > 1
    if swap:
        given = (given[1], given[0], *given[2:])
    sizes = [x.numel() for x in given]
    grids = [
        expand(reshape(x, [-1 if i == j else 1 for j in range(len(sizes))]), sizes)
        for i, x in enumerate(given)
    ]
    if swap:
        grids = [grids[1], grids[0], *grids[2:]]
    return tuple(grids)


def cartesian_prod(*tensors: Tensor) -> Tensor:
    """All combinations of one element of each vector, as rows."""
    if len(tensors) == 1:
        return tensors[0]
    return stack([reshape(x, (-1,)) for x in meshgrid(*tensors)], 1)


def combinations(input: Tensor, r: int = 2, with_replacement: bool = False) -> Tensor:
    """All r of a vector's elements, in order, as rows."""
    choose = itertools.combinations_with_replacement if with_replacement else itertools.combinations
    places = np.array([*choose(range(input.numel()), r)], np.int64).reshape(-1, r)
    return apply(Gather(axis=0), input, places)


def block_diag(*tensors: Tensor) -> Tensor:
    """One matrix with the others along its diagonal."""
    blocks = atleast_2d(tuple(tensors))
    width = sum(x.shape[1] for x in blocks)
    rows, before = [], 0
    for x in blocks:
        pads = np.array([before, width - before - x.shape[1]])
        rows.append(apply(Pad(), x, pads, None, np.array([1])))
        before += x.shape[1]
    return cat(rows, 0)


__all__ = [
    "atleast_1d", "atleast_2d", "atleast_3d", "block_diag", "broadcast_shapes",
    "broadcast_tensors", "cartesian_prod", "column_stack", "combinations", "dsplit", "dstack",
    "hsplit", "hstack", "meshgrid", "row_stack", "tensor_split", "vsplit", "vstack",
]  # fmt: skip
