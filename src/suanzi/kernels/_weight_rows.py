"""Weights packed a row of output channels at a time: at once, or by each chunk that needs one."""

import math
from dataclasses import dataclass

from suanzi.kernels._weights import Packing, Pieces, split
from suanzi.lang import Index, Tensor, Trace, ceil_div
from suanzi.operators._operator import Array, Ints


def slot_size(elements: int, lanes: int) -> int:
    """How many vectors' places a row of weights has that is packed by `Rows`: whole tiles."""
    return ceil_div(elements, lanes) * lanes


@dataclass(frozen=True)
class PackRows(Packing):
    """W [K, C, KH, KW] to [K/width][C·KH·KW][width]; `transposed`: it is [C, K, KH, KW]."""

    lanes: int
    width: int
    transposed: bool

    def shape(self, weights: Ints) -> Ints:
        K, C = weights[1::-1] if self.transposed else weights[:2]
        size = slot_size(C * math.prod(weights[2:]), self.lanes)
        return ceil_div(K, self.width), size, self.width

    def pieces(self, packed: Array, weights: Array) -> Pieces:
        filters = weights.reshape(*weights.shape[:2], -1)
        filters = filters.swapaxes(0, 1) if self.transposed else filters
        _, C, taps = filters.shape
        place = packed[:, : C * taps].reshape(len(packed), C, taps, self.width)
        for rows, r, w in split(len(filters), self.width):
            first = rows.start // self.width
            piece = filters[rows].reshape(r, w, C, taps).transpose(0, 2, 3, 1)
            yield place[first : first + r, :, :, :w], piece


LINE, AHEAD = 16, 12
"""The elements of a cache line, and for how many input channels to come they are asked for."""


@dataclass(frozen=True)
class Rows:
    """`PackRows` a row at a time, by the chunk that needs it, into memory of the thread's own.

    Where there are few pixels for each weight, to pack them all first and read them again would
    take longer than the convolution.
    """

    K: int
    C: int
    taps: int
    OCB: int
    transposed: bool
    reverse: bool = False
    """The taps are put in reverse order."""

    def pack(self, k: Trace, plain: int, to: int, slot: Index, row: Index) -> None:
        """Packs a row from one pointer's memory to another's, V by V transposed in registers."""
        V, OCB, taps = k.lanes, self.OCB, self.taps
        w = k.tensor(to, 0, slot_size(self.C * taps, V), OCB, V)
        for o in range(OCB):
            first = (row * OCB + o) * V
            channels = [(first + i).minimum(self.K - 1) for i in range(V)]
            if not self.transposed:
                self.along(k, k.tensor(plain, self.K, self.C * taps), w, slot, o, channels)
                continue
            source = k.tensor(plain, self.C, self.K, taps)
            for c in k.range(self.C):
                if taps == 1:
                    whole = self.K % (V * OCB) == 0
                    width = V if whole else (k.constant(self.K) - first).minimum(V).maximum(0)
                    w.put(source.vec_part(width, c, first, 0), slot, c, o, 0)
                    continue
                for i in range(0, V * taps, LINE):  # its stretches are short and far apart
                    source.prefetch(c + AHEAD, first, i)
                for tap in range(0, taps, V):
                    count = min(V, taps - tap)
                    lines = [source.vec_part(count, c, channel, tap) for channel in channels]
                    for i, line in enumerate(k.transpose(lines)[:count]):
                        place = taps - 1 - tap - i if self.reverse else tap + i
                        w.put(line, slot, c * taps + place, o, 0)

    def along(
        self, k: Trace, source: Tensor, w: Tensor, slot: Index, o: int, channels: list[Index]
    ) -> None:
        """The rows of a vector's output channels, each of which lies in one stretch."""
        V, length = k.lanes, self.C * self.taps
        for e in k.range(0, length, V):
            width = V if length % V == 0 else (k.constant(length) - e).minimum(V)
            lines = [source.vec_part(width, channel, e) for channel in channels]
            for i, line in enumerate(k.transpose(lines)):
                w.put(line, slot, e + i, o, 0)
