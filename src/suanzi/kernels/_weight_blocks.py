"""Weights packed for the direct convolution: blocks of input channels, rows of output channels."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise, product

from suanzi.kernels._weights import Packing, Pieces, split
from suanzi.lang import ceil_div
from suanzi.operators._operator import Array, Ints


@dataclass(frozen=True)
class PackWeights(Packing):
    """W [K, C/group, KH, KW] to [K/(V·OCB)][blocks][KH][KW][inner][OCB·V].

    A block of input channels has `inner` of them. A row of output blocks reads the input blocks
    of all the groups that it touches, so where it touches several, other groups' weights are 0.
    """

    group: int
    inner: int
    width: int
    """OCB · V, a row's output channels."""
    transposed: bool = False
    """W is a transposed convolution's, [C, K/group, KH, KW]: its taps are put in reverse order."""

    def reach(self, weights: Ints) -> "Reach":
        first, second = weights[0], weights[1] * self.group
        K, C = (second, first) if self.transposed else (first, second)
        return Reach(K, C, self.group, self.inner, self.width)

    def shape(self, weights: Ints) -> Ints:
        reach, taps = self.reach(weights), weights[2:]
        rows, ones = ceil_div(reach.K, self.width), (1,) * (2 - len(taps))
        return (rows, reach.blocks, *ones, *taps, self.inner, self.width)

    def whole(self, weights: Ints) -> bool:
        return self.group == 1

    def pieces(self, packed: Array, weights: Array) -> Pieces:
        reach, taps, ones = self.reach(weights.shape), weights.shape[2:], (1,) * (4 - weights.ndim)
        weights = weights.reshape(*weights.shape[:2], *ones, *taps)
        if self.transposed:
            packed = packed[:, :, ::-1, ::-1]
        each = len(weights) // self.group
        for g in range(self.group):
            filters = weights[g * each : (g + 1) * each]
            if self.transposed:
                filters = filters.swapaxes(0, 1)
            if self.group == 1:
                yield from in_blocks(packed, filters, self.width, self.inner)
            else:
                yield from self.block_diagonal(packed, filters, g, reach)

    def block_diagonal(self, packed: Array, filters: Array, g: int, reach: "Reach") -> Pieces:
        """Group g's filters [K/group, C/group, KH, KW], in parts whose blocks are alike."""
        Kg, Cg, *taps = filters.shape
        for (k, row, r, column), (c, block, b, channel) in product(
            parts(g * Kg, Kg, self.width), parts(g * Cg, Cg, self.inner)
        ):
            first = block - reach.first(row)
            place = packed[row : row + r, first : first + b, :, :, channel, column]
            piece = filters[k, c].reshape(r, place.shape[5], b, place.shape[4], *taps)
            yield place, piece.transpose(0, 2, 4, 5, 3, 1)


def parts(first: int, count: int, width: int) -> Iterator[tuple[slice, int, int, slice]]:
    """A stretch of an axis cut where blocks begin and end: where the part is in the stretch, its
    first block, how many blocks, and where it is in them.

    >>> for part in parts(first=3, count=12, width=5):
    ...     print(part)
    (slice(0, 2, None), 0, 1, slice(3, 5, None))
    (slice(2, 12, None), 1, 2, slice(0, 5, None))
    """
    end = first + count
    cuts = [first, end]
    if first // width != (end - 1) // width:
        cuts = sorted({first, ceil_div(first, width) * width, end // width * width, end})
    for begin, stop in pairwise(cuts):
        block, at = divmod(begin, width)
        wide = min(width - at, stop - begin)
        here = slice(begin - first, stop - first)
        yield here, block, (stop - begin) // wide, slice(at, at + wide)


def in_blocks(place: Array, filters: Array, width: int, inner: int) -> Pieces:
    """place [rows][blocks][KH][KW][inner][width] from filters [K, C, KH, KW], in whole parts."""
    K, C, *taps = filters.shape
    for (rows, r, w), (blocks, b, i) in product(split(K, width), split(C, inner)):
        piece = filters[rows, blocks].reshape(r, w, b, i, *taps).transpose(0, 2, 4, 5, 3, 1)
        row, block = rows.start // width, blocks.start // inner
        yield place[row : row + r, block : block + b, :, :, :i, :w], piece


@dataclass(frozen=True)
class Reach:
    """Which blocks of `inner` input channels a row of `width` output channels reads: those of all
    the groups that it touches."""

    K: int
    C: int
    group: int
    inner: int
    width: int

    def first(self, row: int) -> int:
        return (row * self.width * self.group // self.K) * (self.C // self.group) // self.inner

    def end(self, row: int) -> int:
        last = min((row + 1) * self.width, self.K) - 1
        return ceil_div((last * self.group // self.K + 1) * (self.C // self.group), self.inner)

    @property
    def counts(self) -> list[int]:
        """How many blocks each row reads."""
        rows = range(ceil_div(self.K, self.width))
        return [self.end(row) - self.first(row) for row in rows]

    @property
    def blocks(self) -> int:
        return max(self.counts)
