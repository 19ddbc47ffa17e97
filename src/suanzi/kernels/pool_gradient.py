"""The gradients of pooling in blocks of channels: each window adds to what it has seen.

Windows overlap, so one chunk does whole planes: it fills them with 0, then goes over the windows.
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import ClassVar

from suanzi.kernels._kernel import (
    Argument,
    Call,
    Choice,
    Input,
    Kernel,
    Output,
    Packed,
    Site,
    chunks_for,
)
from suanzi.kernels._tiles import Shape, row_tiles, tap_columns, tap_rows
from suanzi.kernels.copy import MOVED
from suanzi.kernels.pool import Scales, Stage, between, pool_call, stages
from suanzi.kernels.through_blocks import through_blocks
from suanzi.lang import Index, Lanes, Trace, ceil_div
from suanzi.operators.pooling import AveragePool, MaxPool
from suanzi.operators.pooling_gradient import AveragePoolGradient, MaxPoolGradient

NOWHERE = -1.0
UNROLLED = 16
"""The most taps of a window that are unrolled where all are inside."""


@dataclass(frozen=True)
class PoolGradient(Kernel):
    """One chunk: some planes, each one vector of channels. The sizes: planes, planes a chunk.

    The numbers of samples and channels in `shape` are 1: they don't change the code.
    """

    shape: Shape
    largest: bool
    """The gradient goes to the first of the largest elements, the first NaN if there is one; else
    to all, times a scale for each window."""
    pointers: ClassVar[int] = 3
    sizes: ClassVar[int] = 2

    def chunk(self, k: Trace) -> None:
        s, (planes, several) = self.shape, k.sizes
        dX = k.tensor(2, 0, k.lanes)
        first = k.chunk * several
        for plane in k.range(first, (first + several).minimum(planes)):
            start = plane * (s.H * s.W)
            for pixel in k.range(start, start + s.H * s.W):
                dX.put(k.zero(), pixel, 0)
            low, high = self.inner_rows()
            for oh in k.range(low, high):
                self.row(k, plane, oh, inner=True)
            for rows in ((0, low), (high, s.OH)):
                for oh in k.range(*rows):
                    self.row(k, plane, oh, inner=False)

    def inner_rows(self) -> tuple[int, int]:
        """The rows of windows that are inside and small enough to be unrolled, from and to."""
        s = self.shape
        reach = (s.kernel[0] - 1) * s.dilations[0]
        low = min(s.OH, ceil_div(s.top, s.strides[0]))
        high = max(low, min(s.OH, (s.H - 1 - reach + s.top) // s.strides[0] + 1))
        return (low, high) if math.prod(s.kernel) <= UNROLLED else (0, 0)

    def row(self, k: Trace, plane: Index, oh: Index, *, inner: bool) -> None:
        """A row of windows."""
        s, V = self.shape, k.lanes
        dY, x, dX = k.tensor(0, 0, s.OH, s.OW, V), k.tensor(1, 0, s.H, s.W, V), k.tensor(2, 0, V)
        for ow, _, fixed in row_tiles(k, s, 1):
            gradient, at = dY.vec(plane, oh, ow, 0), None
            if self.largest:
                best, where = k.var(k.zero()), k.var(k.fill(NOWHERE))
                for number, ih, iw in self.taps(k, oh, ow, fixed, inner):
                    value, old = x.vec(plane, ih, iw, 0), best.get()
                    later = (old == old) & ~(value <= old)  # it is larger, or NaN
                    better = (where.get() < 0) | later
                    best.set(k.select(better, value, old))
                    where.set(k.select(better, numbered(k, number), where.get()))
                at = where.get()
            else:
                gradient = gradient * k.tensor(1, s.OH, s.OW).bcast(oh, ow)
            for number, ih, iw in self.taps(k, oh, ow, fixed, inner):
                pixel, added = (plane * s.H + ih) * s.W + iw, gradient
                if at is not None:
                    added = k.select(at == numbered(k, number), gradient, k.zero())
                dX.put(dX.vec(pixel, 0) + added, pixel, 0)

    def taps(
        self, k: Trace, oh: Index, ow: Index, fixed: int | None, inner: bool
    ) -> Iterator[tuple[Index | int, Index, Index]]:
        """Each tap of a window that is inside: its number, its row and column in X."""
        s = self.shape
        rows: Iterable[Index | int] = range(s.kernel[0]) if inner else tap_rows(k, s, oh)
        for kh in rows:
            ih = oh * s.strides[0] + kh * s.dilations[0] - s.top
            for kw in self.columns(k, fixed):
                iw = ow * s.strides[1] + kw * s.dilations[1] - s.left
                yield kh * s.kernel[1] + kw, ih, iw

    def columns(self, k: Trace, fixed: int | None) -> Iterator[Index | int]:
        """The columns of taps that are inside."""
        s = self.shape
        if s.kernel[1] > UNROLLED:
            yield from (kw for kw, _ in tap_columns(k, s, 1, fixed))
            return
        for kw in range(s.kernel[1]):
            at = (fixed or 0) * s.strides[1] + kw * s.dilations[1] - s.left
            if fixed is None or 0 <= at < s.W:
                yield kw


def numbered(k: Trace, number: Index | int) -> Lanes:
    return k.fill(number) if isinstance(number, int) else k.floats(number)


def choose(site: Site) -> Choice:
    """For MaxPoolGradient and AveragePoolGradient."""
    data = (0, 1) if isinstance(site.operator, MaxPoolGradient) else (0,)
    return _blocked(site) or through_blocks(_blocked, site, data)


def _blocked(site: Site) -> Choice:
    op, Y = site.operator, site.output
    assert isinstance(op, MaxPoolGradient | AveragePoolGradient)
    operands = [x for x in (*site.inputs, Y) if x is not None]
    if site.chain is not None or not all(x.is_float32 and x.lanes for x in operands):
        return None
    pool = MaxPool(**op.window()) if isinstance(op, MaxPoolGradient) else op.pool
    parts = stages(pool, Y.shape, operands[0].shape)
    if parts is None:
        return None
    calls: list[Call] = []
    reads: list[Argument] = [Input(1)]
    for stage in parts[:-1] if isinstance(pool, MaxPool) else ():
        reads.append(between("pooled", stage.Y, Y.lanes))
        calls.append(pool_call(site, stage, *reads[-2:]))
    gradient: Argument = Input(0)
    for number, stage in reversed(list(enumerate(parts))):
        if isinstance(stage.pool, AveragePool):
            beside: Argument = Packed(Scales(stage.pool, stage.X[2:]), ())
        else:
            beside = reads[number]
        result = between(f"gradient {number}", stage.X, Y.lanes) if number else Output()
        calls.append(_call(site, stage, (gradient, beside, result)))
        gradient = result
    return tuple(calls)


def _call(site: Site, stage: Stage, arguments: tuple[Argument, ...]) -> Call:
    s, V = stage.shape, site.target.lanes
    planes = stage.X[0] * ceil_div(stage.X[1], V)
    work = V * (s.H * s.W + s.OH * s.OW * math.prod(s.kernel))
    several = chunks_for(work, planes, site.threads, MOVED)
    why = f"{several} planes of {V} channels a chunk"
    kernel = PoolGradient(s, isinstance(stage.pool, MaxPool))
    return Call(kernel, arguments, ceil_div(planes, several), why, (planes, several))
