"""Weights in the form that a kernel reads: made once where they are constant, else in each run."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from suanzi.kernels._kernel import Argument, Call, Input, Packed, Scratch, Site
from suanzi.kernels.copy import copy
from suanzi.operators._operator import Array, Ints

Pieces = Iterator[tuple[Array, Array]]
MOST_PIECES = 1024
"""More pieces than this aren't worth a step each."""


class Packing:
    """Where the weights' elements go: a frozen dataclass that gives `shape` and `pieces`.

    Applied to an array, it makes the packed one; what no piece covers is 0.
    """

    def shape(self, weights: Ints) -> Ints:
        """The packed array's shape."""
        raise NotImplementedError

    def pieces(self, packed: Array, weights: Array) -> Pieces:
        """Views of the packed array, and the views of the weights that are copied there."""
        raise NotImplementedError

    def whole(self, weights: Ints) -> bool:
        """Whether what no piece covers may hold anything, since it never matters."""
        return True

    def __call__(self, weights: Array) -> Array:
        packed = np.zeros(self.shape(weights.shape), np.float32)
        for place, piece in self.pieces(packed, weights):
            place[...] = piece
        return packed


@dataclass(frozen=True)
class Zero:
    """One zero, to fill memory with."""

    def __call__(self) -> Array:
        return np.zeros(1, np.float32)


Made = tuple[tuple[Call, ...], Argument]
"""The calls that make something, and where it is then."""


def packed(site: Site, number: int, packing: Packing) -> Made | None:
    """The calls that pack the site's input with that number, and where it is then; None where it
    can't be had.
    """
    operand = site.inputs[number]
    assert operand is not None
    if operand.constant is not None:
        return (), Packed(packing, (number,))
    if operand.lanes or not operand.is_float32:
        return None
    shape = packing.shape(operand.shape)
    source, result = np.empty(operand.shape, np.float32), np.empty(shape, np.float32)
    to = Scratch(f"packed {number}", result.nbytes)
    calls: list[Call] = []
    moves = [(Input(number), pair) for pair in packing.pieces(result, source)]
    if len(moves) > MOST_PIECES:
        return None
    fills: list[tuple[Argument, tuple[Array, Array]]] = []
    if not packing.whole(operand.shape):
        fills = [(Packed(Zero(), ()), (result, np.broadcast_to(np.empty(1, np.float32), shape)))]
    for from_, (place, piece) in [*fills, *moves]:
        made = copy(place, piece, to, from_, site.target, site.threads)
        if made is None:
            return None
        calls.extend(made)
    return tuple(calls), to


def split(size: int, width: int) -> list[tuple[slice, int, int]]:
    """An axis as whole stretches of `width`, then the rest: (where, how many, how wide).

    >>> split(7, 3)
    [(slice(0, 6, None), 2, 3), (slice(6, 7, None), 1, 1)]
    """
    whole = size // width
    parts = [(slice(0, whole * width), whole, width), (slice(whole * width, size), 1, size % width)]
    return [part for part in parts if part[1] * part[2]]


def with_bias(site: Site, weights: Packing, bias: Packing) -> tuple[Made, Made] | None:
    """A convolution's weights and bias; without a bias, an argument that isn't read."""
    made = packed(site, 1, weights)
    added: Made | None = packed(site, 2, bias) if has_bias(site) else ((), Input(0))
    return None if made is None or added is None else (made, added)


def has_bias(site: Site) -> bool:
    return len(site.inputs) > 2 and site.inputs[2] is not None


def arrive(site: Site) -> bool:
    """Whether the weights aren't constant, but float32 that comes as it is."""
    W = site.inputs[1]
    assert W is not None
    return W.constant is None and W.is_float32 and not W.lanes
