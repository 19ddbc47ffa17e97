"""Local response normalization in blocks of channels: neighbours lie across lanes and blocks."""

import math
from dataclasses import dataclass
from typing import ClassVar

from suanzi.kernels._kernel import Call, Choice, Input, Kernel, Output, Site, chunks_for
from suanzi.kernels.copy import MOVED
from suanzi.kernels.through_blocks import through_blocks
from suanzi.lang import Lanes, Mask, Trace, ceil_div
from suanzi.lang.mathematics import VectorMathematics
from suanzi.operators.normalization import LRN


@dataclass(frozen=True)
class LRNKernel(Kernel):
    """One chunk: `span` pixels of a sample, in all channels. The sizes: channels, pixels, span."""

    operator: LRN
    pointers: ClassVar[int] = 2
    sizes: ClassVar[int] = 3

    def chunk(self, k: Trace) -> None:
        V, (C, P, span) = k.lanes, k.sizes
        blocks = (C + (V - 1)) // V
        n, part = k.unravel(k.chunk, 0, (P + span - 1) // span)
        x, y = k.tensor(0, 0, blocks, P, V), k.tensor(1, 0, blocks, P, V)
        first = part * span
        for block in k.range(blocks):
            around = [block - 1, block, block + 1]
            counts = [(C - b * V).minimum(V).maximum(0) for b in around]
            none = k.constant(0)
            counts[0] = k.select(block > 0, counts[0], none)
            near = [b.maximum(0).minimum(blocks - 1) for b in around]
            masks = [k.first(count) for count in counts]
            for p in k.range(first, (first + span).minimum(P)):
                values = [x.vec(n, b, p, 0) for b in near]
                sums = self.sums(k, [square(k, v, m) for v, m in zip(values, masks, strict=True)])
                y.put(self.normal(k, values[1], sums), n, block, p, 0)

    def sums(self, k: Trace, squares: list[Lanes]) -> Lanes:
        """Each channel's squares and its neighbours', from the blocks before, at and after it."""
        V, size = k.lanes, self.operator.size
        before, at, after = squares
        total = at
        for d in range(1, size // 2 + 1):
            total = total + at.shuffle(after, list(range(d, d + V)))
        for d in range(1, (size - 1) // 2 + 1):
            total = total + before.shuffle(at, list(range(V - d, 2 * V - d)))
        return total

    def normal(self, k: Trace, x: Lanes, sums: Lanes) -> Lanes:
        op, m = self.operator, VectorMathematics(k)
        base = k.fma(sums, k.fill(op.alpha / op.size), k.fill(op.bias))
        if op.beta == 0.75:  # roots are exact to the last bit, and cheaper than a power
            root = m.sqrt(base)
            return x / (root * m.sqrt(root))
        if op.beta == 0.5:
            return x / m.sqrt(base)
        return x / m.pow(base, op.beta)


def square(k: Trace, x: Lanes, real: Mask) -> Lanes:
    return k.select(real, x * x, k.zero())  # type: ignore[no-any-return]


def choose(site: Site) -> Choice:
    return _blocked(site) or through_blocks(_blocked, site)


def _blocked(site: Site) -> Choice:
    op, X, Y, V = site.operator, site.inputs[0], site.output, site.target.lanes
    assert isinstance(op, LRN)
    assert X is not None
    if not X.is_float32 or not X.lanes or not Y.lanes or site.chain or not X.type.size:
        return None
    if op.size // 2 > V:
        return None
    N, C, *spatial = X.shape
    P = math.prod(spatial)
    span = chunks_for(8 * ceil_div(C, V) * V, P, site.threads, MOVED)
    chunks = N * ceil_div(P, span)
    why = f"{span} pixels a chunk, neighbouring channels by shuffles"
    return (Call(LRNKernel(op), (Input(0), Output()), chunks, why, (C, P, span)),)
