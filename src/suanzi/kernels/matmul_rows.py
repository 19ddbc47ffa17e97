"""Products of one small constant A with many small B: B's rows are read once, into registers.

Adaptive pooling along an axis is such a product.
"""

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from suanzi.graph.fused import TransposedMatMul
from suanzi.kernels._kernel import Call, Choice, Input, Kernel, Output, Site, chunks_for
from suanzi.lang import Trace, ceil_div
from suanzi.operators._operator import Array
from suanzi.operators.linear import MatMul

MOST, FEWEST = 128, 64
"""The most factors of A, and the fewest matrices B, that it is for."""
WIDEST = 2
"""The most vectors of a row."""


@dataclass(frozen=True)
class MatMulRows(Kernel):
    """One chunk: `several` of the matrices. The sizes: how many there are, `several`."""

    factors: tuple[tuple[float, ...], ...]
    """A."""
    N: int
    pointers: ClassVar[int] = 2
    sizes: ClassVar[int] = 2

    def chunk(self, k: Trace) -> None:
        total, several = k.sizes
        M, K = len(self.factors), len(self.factors[0])
        x, y = k.tensor(0, 0, K, self.N), k.tensor(1, 0, M, self.N)
        first = k.chunk * several
        for matrix in k.range(first, (first + several).minimum(total)):
            for column in range(0, self.N, k.lanes):
                count = min(k.lanes, self.N - column)
                rows = [x.vec_part(count, matrix, i, column) for i in range(K)]
                for number, factors in enumerate(self.factors):
                    value = k.zero()
                    for row, factor in zip(rows, factors, strict=True):
                        value = k.fma(row, k.fill(factor), value)
                    y.put_part(count, value, matrix, number, column)


def choose(site: Site) -> Choice:
    A, B, Y = site.inputs[0], site.inputs[1], site.output
    assert A is not None
    assert B is not None
    factors = _constant(site)
    if factors is None or len(B.shape) < 3 or not all(x.is_float32 for x in (A, B, Y)):
        return None
    (K, N), matrices = B.shape[-2:], math.prod(B.shape[:-2])
    small = factors.size <= MOST and ceil_div(N, site.target.lanes) <= WIDEST
    fits = site.target.registers // 2 >= K
    if B.lanes or Y.lanes or not small or not fits or matrices < FEWEST or Y.type.size == 0:
        return None
    if not np.isfinite(factors).all():
        return None
    kernel = MatMulRows(tuple(tuple(row) for row in factors.tolist()), N)
    several = chunks_for(factors.size * site.target.lanes, matrices, site.threads)
    why = f"a constant {len(factors)}x{K} times {matrices} matrices, {several} a chunk"
    chunks = ceil_div(matrices, several)
    return (Call(kernel, (Input(1), Output()), chunks, why, (matrices, several)),)


def _constant(site: Site) -> Array | None:
    """The constant matrix A, where nothing but A is transposed."""
    operator, A = site.operator, site.inputs[0]
    assert A is not None
    if site.chain is not None or A.constant is None or len(A.shape) != 2:
        return None
    if isinstance(operator, MatMul):
        return np.asarray(A.constant)
    rank = tuple(range(len(site.output.shape)))
    if isinstance(operator, TransposedMatMul) and operator.b == operator.y == rank:
        return np.asarray(A.constant).transpose(operator.a)
    return None
