"""Normalization of rows: layer, RMS, instance and group normalization.

A row is what one mean and variance are taken over. It is read twice, from the cache after the
first: for the sums of the elements and of their squares, about the first element, which mostly is
near the mean; and for the result. Where it isn't near, the squares are summed again about the mean.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from suanzi.kernels._kernel import Argument, Call, Choice, Input, Kernel, Operand, Output, Site
from suanzi.kernels._rows import (
    Grid,
    Store,
    along,
    chunk_rows,
    fold_row,
    goes_past,
    load,
    passing,
    pieces,
)
from suanzi.lang import Index, Lanes, Tensor, Trace, Var
from suanzi.lang.mathematics import VectorMathematics
from suanzi.operators._operator import Ints
from suanzi.operators.normalization import (
    GroupNormalization,
    InstanceNormalization,
    RMSNormalization,
    TrailingNormalization,
)

UNROLL = 4
FAR = 16.0
"""How many variances the first element's distance from the mean, squared, may be."""
FLOAT = 1
"""ONNX's number of float32."""


@dataclass(frozen=True)
class NormalizeRows(Kernel):
    """Over rows of channels of pixels; scale and bias have a number for each channel, or, where
    `by_element`, for each element of a row, which is one channel then. One chunk: some rows.

    The sizes of a call: rows, the rows of one sample, the channels of a row, the whole vectors of a
    channel, the elements after them, and the Grid's.
    """

    centred: bool
    by_element: bool
    bias: bool
    epsilon: float
    tail: bool
    statistics: tuple[int, ...] = ()
    """Which are written too, a number for each row: 1 the mean, 2 the inverse of the deviation."""
    large: bool = False
    """Written past the caches."""
    sizes: ClassVar[int] = 7

    def pointer_count(self) -> int:
        return 3 + self.bias + len(self.statistics)

    def chunk(self, k: Trace) -> None:
        rows, chunk = k.sizes[0], k.sizes[5:]
        for put in passing(k, k.tensor(1, 1), self.large):
            for row, _, _ in chunk_rows(k, rows, k.constant(1), *chunk):
                self.row(k, row, put)

    def row(self, k: Trace, row: Index, put: Store) -> None:
        _, groups, channels, vectors, over, *_ = k.sizes
        m = VectorMathematics(k)
        pixels = vectors * k.lanes + over
        length = channels * pixels
        rest = over if self.tail else None
        count = k.floats(length)
        x, y = k.tensor(0, 1), k.tensor(1, 1)
        parameters = [k.tensor(i, 1) for i in range(2, 3 + self.bias)]
        statistics = [k.tensor(3 + self.bias + i, 1) for i in range(len(self.statistics))]

        def starts() -> Iterator[tuple[Index, Index]]:
            """Each channel's number and the offset of its pixels."""
            if self.by_element:
                yield k.constant(0), row * length
                return
            for c in k.range(channels):
                yield (row % groups) * channels + c, row * length + c * pixels

        centre, variance = k.zero(), k.var(k.zero())
        if not self.centred:
            variance.set(_sum(k, x, starts(), vectors, rest) / count)
        else:
            pivot = x.bcast(row * length)
            total, squares = _sums(k, x, starts(), vectors, rest, pivot)
            away = total / count
            centre = pivot + away
            variance.set(squares / count - away * away)
            # Far from the mean the difference has lost digits: again, about the mean.
            near = away * away <= variance.get() * FAR
            with k.when(near.lane(0).invert()):
                variance.set(_sum(k, x, starts(), vectors, rest, centre) / count)
        inverse = 1 / m.sqrt(variance.get() + self.epsilon)
        for memory, which in zip(statistics, self.statistics, strict=True):
            memory.put_lane(centre if which == 1 else inverse, 0, row)
        for channel, start in starts():
            numbers = [] if self.by_element else [p.bcast(channel) for p in parameters]
            for v, part in along(k, 0, vectors + 1, vectors, rest, 4):
                at = v * k.lanes
                scale, *bias = numbers or [load(p, at, part) for p in parameters]
                value = (load(x, start + at, part) - centre) * inverse * scale
                put(y, value + bias[0] if bias else value, start + at, part)


def _sum(
    k: Trace,
    x: Tensor,
    channels: Iterator[tuple[Index, Index]],
    vectors: Index,
    rest: Index | None,
    centre: Lanes | None = None,
) -> Lanes:
    """Σ (x - centre)² over all channels of a row, in every lane."""

    def each(value: Lanes, at: Index, part: Index | None) -> Lanes:
        away = value if centre is None else value - centre
        return away * away

    total = k.var(k.zero())
    for _, start in channels:
        total.set(total.get() + fold_row(k, "add", x, start, vectors, rest, each))
    return k.reduce("add", total.get())


def _sums(
    k: Trace,
    x: Tensor,
    channels: Iterator[tuple[Index, Index]],
    vectors: Index,
    rest: Index | None,
    pivot: Lanes,
) -> tuple[Lanes, Lanes]:
    """Σ (x - pivot) and Σ (x - pivot)² over all channels of a row, in every lane."""
    total, squares = k.var(k.zero()), k.var(k.zero())
    for _, start in channels:
        for first, last in pieces(k, vectors // UNROLL):
            sums = [(k.var(k.zero()), k.var(k.zero())) for _ in range(UNROLL)]
            for group in k.range(first, last):
                for u, pair in enumerate(sums):
                    _add(k, pair, x.vec(start + (group * UNROLL + u) * k.lanes) - pivot)
            for one, square in sums:
                total.set(total.get() + one.get())
                squares.set(squares.get() + square.get())
        for v in k.range(vectors // UNROLL * UNROLL, vectors):
            _add(k, (total, squares), x.vec(start + v * k.lanes) - pivot)
        if rest is not None:
            away = x.vec_part(rest, start + vectors * k.lanes) - pivot
            _add(k, (total, squares), k.select(k.first(rest), away, k.zero()))
    return k.reduce("add", total.get()), k.reduce("add", squares.get())


def _add(k: Trace, sums: tuple[Var, Var], away: Lanes) -> None:
    total, squares = sums
    total.set(total.get() + away)
    squares.set(k.fma(away, away, squares.get()))


def choose(site: Site) -> Choice:
    """For Layer-, RMS-, Instance- and GroupNormalization."""
    operator, (Y, *statistics) = site.operator, site.outputs
    X, scale, *others = site.inputs
    bias = others[0] if others else None
    operands = [x for x in (X, scale, bias, Y, *statistics) if x is not None]
    written = tuple(
        i for i in range(len(site.outputs) + len(site.skipped)) if i not in site.skipped
    )
    if site.chain is not None or 0 in site.skipped or Y.type.size == 0:
        return None
    if not all(x.is_float32 and not x.lanes for x in operands):
        return None
    N, *rest = Y.shape or (1,)
    by_element = isinstance(operator, TrailingNormalization)
    if isinstance(operator, TrailingNormalization):
        axes = operator.axes(len(Y.shape))
        length = math.prod(Y.shape[axes[0] :])
        if operator.stash_type != FLOAT or not all(
            _is_row(x, Y.shape[axes[0] :]) for x in (scale, bias) if x is not None
        ):
            return None
        rows, groups, channels, pixels = Y.type.size // length, 1, 1, length
    elif isinstance(operator, InstanceNormalization):
        groups, channels, pixels = rest[0], 1, math.prod(rest[1:])
        rows = N * groups
    elif isinstance(operator, GroupNormalization) and operator.stash_type == FLOAT:
        groups = operator.num_groups
        channels, pixels = rest[0] // groups, math.prod(rest[1:])
        rows = N * groups
    else:
        return None
    vectors, over = divmod(pixels, site.target.lanes)
    centred = not isinstance(operator, RMSNormalization)
    kernel = NormalizeRows(
        centred,
        by_element,
        bias is not None,
        operator.epsilon,
        over > 0,
        written[1:],
        goes_past(Y.type.nbytes, rows * channels, over),
    )
    grid = Grid.cut(rows, 1, channels * pixels * 4, site.threads)
    sizes = (rows, groups, channels, vectors, over, grid.chunk_rows, grid.chunk_vectors)
    arguments: list[Argument] = [Input(0), Output(), Input(1)]
    if bias is not None:
        arguments.append(Input(2))
    arguments.extend(Output(number) for number in range(1, len(site.outputs)))
    why = f"{rows} rows of {channels * pixels} elements"
    return (Call(kernel, tuple(arguments), grid.chunks, why, sizes),)


def _is_row(operand: Operand, shape: Ints) -> bool:
    """Whether a scale or a bias has each element of a row, and nothing before."""
    return operand.shape[-len(shape) :] == shape and operand.type.size == math.prod(shape)
