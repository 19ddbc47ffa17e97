"""Winograd's F(4x4, 3x3): its matrices, and the weights as its products read them."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from suanzi.kernels._kernel import Kernel
from suanzi.lang import Lanes, Trace, ceil_div
from suanzi.operators._operator import Array

M, R = 4, 3  # outputs and taps along an axis
D = M + R - 1  # inputs
PLACES = D * D

BT = [
    [4, 0, -5, 0, 1, 0],
    [0, -4, -4, 1, 1, 0],
    [0, 4, -4, -1, 1, 0],
    [0, -2, -1, 2, 1, 0],
    [0, 2, -1, -2, 1, 0],
    [0, 4, 0, -5, 0, 1],
]
G: list[list[float]] = [
    [1 / 4, 0, 0],
    [-1 / 6, -1 / 6, -1 / 6],
    [-1 / 6, 1 / 6, -1 / 6],
    [1 / 24, 1 / 12, 1 / 6],
    [1 / 24, -1 / 12, 1 / 6],
    [0, 0, 1],
]
AT = [[1, 1, 1, 1, 1, 0], [0, 1, -1, 2, -2, 0], [0, 1, 1, 4, 4, 0], [0, 1, -1, 8, -8, 1]]


@dataclass(frozen=True)
class PackWeights:
    """W [K, C, 3, 3] to G W Gᵀ as [K/width][36][C][width]; `transposed`: it is a transposed
    convolution's, [C, K, 3, 3], with its taps in reverse order.
    """

    lanes: int
    width: int
    transposed: bool

    def __call__(self, W: Array) -> Array:
        W = W.swapaxes(0, 1)[:, :, ::-1, ::-1] if self.transposed else W
        K, C = W.shape[:2]
        rows, blocks = ceil_div(K, self.width), ceil_div(C, self.lanes)
        taps = np.zeros((R * R, blocks * self.lanes, rows * self.width), np.float32)
        taps[:, :C, :K] = W.reshape(K, C, R * R).transpose(2, 1, 0)
        g = np.array(G, np.float32)
        both = np.kron(g, g)  # one product for the two sides
        made = both @ taps.reshape(R * R, -1)
        split = made.reshape(PLACES, blocks * self.lanes, rows, self.width)
        return np.ascontiguousarray(split.transpose(2, 0, 1, 3))


def transform(
    matrix: Sequence[Sequence[float]], k: Trace, d: list[list[Lanes]]
) -> list[list[Lanes]]:
    """matrix · d · matrixᵀ."""
    columns = [_apply(matrix, k, column) for column in zip(*d, strict=True)]
    return [_apply(matrix, k, row) for row in zip(*columns, strict=True)]


def _apply(matrix: Sequence[Sequence[float]], k: Trace, vectors: Sequence[Lanes]) -> list[Lanes]:
    """matrix · vectors, with the zeros left out and the ones not multiplied."""
    out = []
    for row in matrix:
        total: Lanes | None = None
        for factor, vector in sorted(
            ((f, v) for f, v in zip(row, vectors, strict=True) if f), key=lambda term: -term[0]
        ):
            if total is None:
                total = vector if factor == 1 else vector * factor
            elif abs(factor) == 1:
                total = total + vector if factor > 0 else total - vector
            else:
                total = k.fma(k.fill(factor), vector, total)
        assert total is not None
        out.append(total)
    return out


@dataclass(frozen=True)
class WinogradWeights(Kernel):
    """PackWeights in each run: one chunk is a block of output channels, V at a time."""

    K: int
    C: int
    OCB: int
    transposed: bool
    pointers: ClassVar[int] = 2

    def chunk(self, k: Trace) -> None:
        V, OCB, K = k.lanes, self.OCB, self.K
        order = (1, 0) if self.transposed else (0, 1)
        sizes = (K, self.C)
        w = k.tensor(0, *(sizes[i] for i in order), R * R)
        u = k.tensor(1, 0, PLACES, ceil_div(self.C, V) * V, OCB, V)
        row, o = k.unravel(k.chunk, 0, OCB)
        channels = [(k.chunk * V + i).minimum(K - 1) for i in range(V)]
        for c in k.range(self.C):
            places = [(channel, c) for channel in channels]
            lines = [
                [w.vec_part(min(V, R * R - first), *(p[i] for i in order), first) for p in places]
                for first in range(0, R * R, V)
            ]
            taps = [tap for part in lines for tap in k.transpose(part)][: R * R]
            taps = taps[::-1] if self.transposed else taps
            made = transform(G, k, [taps[i : i + R] for i in range(0, R * R, R)])
            for place, vector in enumerate(itertools.chain(*made)):
                u.put(vector, row, place, c, o, 0)
