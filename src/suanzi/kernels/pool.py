"""Pooling in blocks of channels: a tile of pixels by one vector of channels, kept in registers.

Plain data is pooled along its rows (pool_rows), or put into blocks for it.
"""

import math
from dataclasses import dataclass, replace
from typing import ClassVar, NamedTuple

import numpy as np

from suanzi.kernels import pool_rows, reduce
from suanzi.kernels._kernel import (
    Argument,
    Call,
    Choice,
    Input,
    Kernel,
    Operand,
    Output,
    Packed,
    Scratch,
    Site,
    chunks_for,
)
from suanzi.kernels._rows import NEUTRAL
from suanzi.kernels._tiles import Shape, input_columns, row_tiles, tap_columns, tap_rows
from suanzi.kernels.copy import MOVED
from suanzi.kernels.through_blocks import through_blocks
from suanzi.lang import Index, Trace, ceil_div
from suanzi.operators._operator import Array, Ints, TensorType
from suanzi.operators._windows import Axis
from suanzi.operators.pooling import (
    AveragePool,
    GlobalAveragePool,
    GlobalMaxPool,
    MaxPool,
    Pool,
)
from suanzi.operators.reduction import ReduceMax, ReduceMean

UNROLLED = 7
"""The widest row of taps that is unrolled, so that each pixel of the input is loaded once."""
IDLE = Axis(1, 1, 1, 0, 0)
"""A window of one element, which moves by one."""
SUMS = 8
"""How many sums or maxima a global pool keeps, so that none waits for the one before it."""


@dataclass(frozen=True)
class Scales:
    """What each place's sum is multiplied by: 1 over how many elements count there."""

    operator: AveragePool
    sizes: Ints

    def __call__(self) -> Array:
        return (1 / self.operator.counts(self.sizes)).astype(np.float32)


@dataclass(frozen=True)
class PoolKernel(Kernel):
    """One chunk: `rows` output rows. The sizes: all rows (of all samples and blocks), `rows`.

    The numbers of samples and channels in `shape` are 1: they don't change the code.
    """

    shape: Shape
    how: str
    """ "max" or "add"."""
    T: int
    sizes: ClassVar[int] = 2

    def pointer_count(self) -> int:
        return 3 if self.how == "add" else 2

    def chunk(self, k: Trace) -> None:
        s, (total, rows) = self.shape, k.sizes
        first = k.chunk * rows
        for row in k.range(first, (first + rows).minimum(total)):
            plane, oh = k.unravel(row, 0, s.OH)
            for ow, T, fixed in row_tiles(k, s, self.T):
                self.tile(k, plane, oh, ow, T, fixed)

    def tile(self, k: Trace, plane: Index, oh: Index, ow: Index, T: int, fixed: int | None) -> None:
        s, V = self.shape, k.lanes
        (SH, SW), (DH, DW) = s.strides, s.dilations
        x, y = k.tensor(0, 0, s.H, s.W, V), k.tensor(1, 0, s.OH, s.OW, V)
        acc = [k.var(k.fill(NEUTRAL[self.how])) for _ in range(T)]
        for kh in tap_rows(k, s, oh):
            ih, origin = oh * SH + kh * DH - s.top, ow * SW - s.left
            if s.kernel[1] <= UNROLLED:
                for column, pairs in input_columns(s, T, fixed):
                    value = x.vec(plane, ih, origin + column, 0)
                    for _, t in pairs:
                        acc[t].set(k.combine(self.how, value, acc[t].get()))
            else:
                for kw, pixels in tap_columns(k, s, T, fixed):
                    for t in pixels:
                        value = x.vec(plane, ih, origin + kw * DW + t * SW, 0)
                        acc[t].set(k.combine(self.how, value, acc[t].get()))
        for t in range(T):
            value = acc[t].get()
            if self.how == "add":
                value = value * k.tensor(2, s.OH, s.OW).bcast(oh, ow + t)
            y.put(value, plane, oh, ow + t, 0)


def choose(site: Site) -> Choice:
    """For MaxPool (of whose outputs only the first is asked for) and AveragePool."""
    return _blocked(site) or _plain(site) or through_blocks(_blocked, site)


def _plain(site: Site) -> Choice:
    """Along the rows of plain data."""
    op, X, Y = site.operator, site.inputs[0], site.output
    assert isinstance(op, MaxPool | AveragePool)
    assert X is not None
    if not X.is_float32 or X.lanes or Y.lanes or site.chain or len(site.outputs) > 1:
        return None
    parts = stages(op, X.shape, Y.shape)
    if parts is None or len(parts) > 1:
        return None
    shape, planes, scales = parts[0].shape, X.shape[0] * X.shape[1], None
    scale: float | None = 1.0
    if isinstance(op, AveragePool):
        scales = Scales(op, X.shape[2:])
        numbers = scales()
        scale = float(numbers.min()) if numbers.min() == numbers.max() else None
    packed: list[Argument] = [Packed(scales, ())] if scales and scale is None else []
    how = "max" if isinstance(op, MaxPool) else "add"
    made = pool_rows.call(shape, how, scale, packed, planes, site.target, site.threads)
    return None if made is None else (made,)


def _blocked(site: Site) -> Choice:
    op, X, Y = site.operator, site.inputs[0], site.output
    assert isinstance(op, MaxPool | AveragePool)
    assert X is not None
    if not X.is_float32 or not X.lanes or not Y.lanes or site.chain or len(site.outputs) > 1:
        return None
    parts = stages(op, X.shape, Y.shape)
    if parts is None:
        return None
    calls: list[Call] = []
    source: Argument = Input(0)
    for number, stage in enumerate(parts):
        last = number == len(parts) - 1
        result = Output() if last else between("pooled", stage.Y, X.lanes)
        calls.append(pool_call(site, stage, source, result))
        source = result
    return tuple(calls)


class Stage(NamedTuple):
    """A pool over one or two axes, and the shapes that it reads and writes."""

    pool: Pool
    X: Ints
    Y: Ints

    @property
    def shape(self) -> Shape:
        """The sizes, those of one spatial axis brought to two."""
        rank = len(self.X) - 2
        y, x = [IDLE] * (2 - rank) + self.pool.explicit(self.X[2:]).axes(rank)
        return Shape(
            N=1,
            C=1,
            H=self.X[2] if rank == 2 else 1,
            W=self.X[-1],
            K=1,
            OH=self.Y[2] if rank == 2 else 1,
            OW=self.Y[-1],
            kernel=(y.kernel, x.kernel),
            strides=(y.stride, x.stride),
            dilations=(y.dilation, x.dilation),
            top=y.begin,
            left=x.begin,
        )


def stages(pool: Pool, X: Ints, Y: Ints) -> list[Stage] | None:
    """A pool over three axes goes over the last two, then over the first; in blocks of channels
    the first one's places lie like samples. None for more axes, or for no elements.
    """
    rank = len(X) - 2
    if rank > 3 or min(X) == 0 or min(Y) == 0:
        return None
    if rank < 3:
        return [Stage(pool, X, Y)]
    (N, C, D, H, W), (OD, OH, OW) = X, Y[2:]
    explicit = pool.explicit(X[2:])
    depth, *plane = explicit.axes(3)
    return [
        Stage(explicit.over(plane), (N * D, C, H, W), (N * D, C, OH, OW)),
        Stage(explicit.over([depth, IDLE]), (N, C, D, OH * OW), (N, C, OD, OH * OW)),
    ]


def between(name: str, shape: Ints, lanes: int) -> Scratch:
    """Memory for a value in blocks of channels."""
    N, C, *spatial = shape
    return Scratch(name, 4 * N * ceil_div(C, lanes) * lanes * math.prod(spatial))


def pool_call(site: Site, stage: Stage, source: Argument, result: Argument) -> Call:
    op, s, V = stage.pool, stage.shape, site.target.lanes
    T = min(range(1, min(s.OW, 14) + 1), key=lambda T: (ceil_div(s.OW, T) * (T + 4), -T))
    kernel = PoolKernel(s, "max" if isinstance(op, MaxPool) else "add", T)
    total = stage.X[0] * ceil_div(stage.X[1], V) * s.OH
    work = s.OW * V * math.prod(s.kernel) // 2
    rows = chunks_for(work, total, site.threads, MOVED)
    scales: list[Argument] = []
    if isinstance(op, AveragePool):
        scales = [Packed(Scales(op, stage.X[2:]), ())]
    why = f"tiles of {T} pixels x {V} channels, {rows} rows a chunk"
    return Call(kernel, (source, result, *scales), ceil_div(total, rows), why, (total, rows))


@dataclass(frozen=True)
class GlobalPoolKernel(Kernel):
    """One chunk: some planes, each one vector of channels. The sizes: planes, pixels, planes a
    chunk.
    """

    how: str
    pointers: ClassVar[int] = 2
    sizes: ClassVar[int] = 3

    def chunk(self, k: Trace) -> None:
        planes, pixels, several = k.sizes
        x, y = k.tensor(0, 0, pixels, k.lanes), k.tensor(1, 0, k.lanes)
        first, whole = k.chunk * several, pixels // SUMS * SUMS
        for plane in k.range(first, (first + several).minimum(planes)):
            acc = [k.var(k.fill(NEUTRAL[self.how])) for _ in range(SUMS)]
            for p in k.range(0, whole, SUMS):
                for i in range(SUMS):
                    acc[i].set(k.combine(self.how, x.vec(plane, p + i, 0), acc[i].get()))
            for p in k.range(whole, pixels):
                acc[0].set(k.combine(self.how, x.vec(plane, p, 0), acc[0].get()))
            parts = [a.get() for a in acc]
            while len(parts) > 1:
                pairs = zip(parts[::2], parts[1::2], strict=True)
                parts = [k.combine(self.how, a, b) for a, b in pairs]
            result = parts[0]
            if self.how == "add":
                result = result / k.floats(pixels)
            y.put(result, plane, 0)


def choose_global(site: Site) -> Choice:
    """For GlobalMaxPool and GlobalAveragePool; plain ones are reductions of rows."""
    op, X, Y = site.operator, site.inputs[0], site.output
    assert isinstance(op, GlobalMaxPool | GlobalAveragePool)
    assert X is not None
    if not X.lanes and not Y.lanes and len(X.shape) > 2:
        over = np.arange(2, len(X.shape))
        axes = Operand(TensorType.of(over), constant=over)
        reduction = ReduceMean() if isinstance(op, GlobalAveragePool) else ReduceMax()
        return reduce.choose(replace(site, operator=reduction, inputs=(X, axes)))
    if not X.is_float32 or not X.lanes or not Y.lanes or site.chain or not X.type.size:
        return None
    planes, pixels = X.shape[0] * ceil_div(X.shape[1], X.lanes), math.prod(X.shape[2:])
    several = chunks_for(pixels * X.lanes, planes, site.threads, MOVED)
    kernel = GlobalPoolKernel("add" if isinstance(op, GlobalAveragePool) else "max")
    why = f"{SUMS} vectors of channels at a time, {several} blocks a chunk"
    sizes = (planes, pixels, several)
    return (Call(kernel, (Input(0), Output()), ceil_div(planes, several), why, sizes),)
