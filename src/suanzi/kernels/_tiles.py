"""What convolutions share: their sizes, the tiles of an output row, the taps inside the input."""

import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import groupby

from suanzi.kernels._kernel import Site
from suanzi.lang import Index, Lanes, Target, Tensor, Trace
from suanzi.operators.convolution import Convolution

MOST_BORDER = 512
"""The widest padding of a row that is worth code: each tile that touches it has its own."""


@dataclass(frozen=True)
class Shape:
    """A 2-D convolution's sizes; 1-D and pointwise ones are brought to this form."""

    N: int
    C: int
    H: int
    W: int
    K: int
    OH: int
    OW: int
    kernel: tuple[int, int] = (1, 1)
    strides: tuple[int, int] = (1, 1)
    dilations: tuple[int, int] = (1, 1)
    top: int = 0
    left: int = 0
    group: int = 1

    @property
    def macs(self) -> int:
        taps = self.kernel[0] * self.kernel[1]
        return self.N * self.K * self.OH * self.OW * (self.C // self.group) * taps

    @property
    def pointwise(self) -> bool:
        """1x1 without strides or padding: rows mean nothing, the pixels are one long row."""
        same = (self.H, self.W) == (self.OH, self.OW)
        return self.kernel == (1, 1) and self.strides == (1, 1) and same and not self.top


@dataclass(frozen=True)
class Grid:
    """A larger output [OH, OW] of which every `steps`-th pixel along the axes is made."""

    OH: int
    OW: int
    steps: tuple[int, int]


@dataclass(frozen=True)
class Taps:
    """Which of the packed weights' taps [KH][KW] are used: every `steps`-th from `first` on."""

    kernel: tuple[int, int]
    first: tuple[int, int]
    steps: tuple[int, int]

    def places(self, kh: Index, kw: Index) -> tuple[Index, Index]:
        """Where a tap is among the packed ones."""
        (a, b), (m, n) = self.first, self.steps
        return kh * m + a, kw * n + b


def row_tiles(k: Trace, s: Shape, T: int) -> Iterator[tuple[Index, int, int | None]]:
    """The tiles of a row: their first pixel, width, and that pixel's number where it is fixed.

    Tiles in which some tap falls outside the input stand at fixed places and leave it out; the
    others are one loop.
    """
    reach = (s.kernel[1] - 1) * s.dilations[1]
    whole = [
        ow * s.strides[1] >= s.left
        and (ow + T - 1) * s.strides[1] + reach - s.left < s.W
        and ow + T <= s.OW
        for ow in range(0, s.OW, T)
    ]
    left = whole.index(True) if True in whole else len(whole)
    right = left + sum(whole)
    for i in [*range(left), *range(right, len(whole))]:
        yield k.constant(i * T), min(T, s.OW - i * T), i * T
    for ow in k.range(left * T, right * T, T):
        yield ow, T, None


def tap_rows(k: Trace, s: Shape, oh: Index) -> Iterator[Index]:
    """The taps' rows that fall inside the input."""
    KH, SH, DH = s.kernel[0], s.strides[0], s.dilations[0]
    if s.top == 0 and (s.OH - 1) * SH + (KH - 1) * DH < s.H:
        yield from k.range(KH)
        return
    # ih = oh·SH + kh·DH - top must be in [0, H); the sums below are kept ≥ 0 to divide.
    low = (k.constant(s.top + DH - 1) - oh * SH).maximum(0) // DH
    high = (k.constant(s.H - 1 + s.top + DH) - oh * SH).maximum(0) // DH
    yield from k.range(low, high.minimum(KH))


def places_inside(
    k: Trace, tap: Index, places: int, size: int, stride: int, dilation: int, pad: int
) -> tuple[Index, Index]:
    """The places, from the first to before the second, where a tap is inside the input."""
    at = tap * dilation
    # place · stride + at - pad must be in [0, size); what is divided is kept ≥ 0.
    first = (k.constant(pad + stride - 1) - at).maximum(0) // stride
    end = (k.constant(size - 1 + pad + stride) - at).maximum(0) // stride
    return first, end.minimum(places)


def tap_columns(k: Trace, s: Shape, T: int, fixed: int | None) -> Iterator[tuple[Index, list[int]]]:
    """The taps' columns, and which of the tile's pixels each has inside the input.

    Neighbours that have the same pixels are one loop.
    """

    def inside(column: int) -> list[int]:
        if fixed is None:
            return list(range(T))
        at = fixed * s.strides[1] + column * s.dilations[1] - s.left
        return [t for t in range(T) if 0 <= at + t * s.strides[1] < s.W]

    for pixels, group in groupby(range(s.kernel[1]), inside):
        columns = list(group)
        if pixels:
            for kw in k.range(columns[0], columns[-1] + 1):
                yield kw, pixels


def input_columns(
    s: Shape, T: int, fixed: int | None
) -> Iterator[tuple[int, list[tuple[int, int]]]]:
    """The input's columns that a tile reads, from its first on; the (tap, pixel) each serves."""
    KW, SW, DW = s.kernel[1], s.strides[1], s.dilations[1]
    for column in range((T - 1) * SW + (KW - 1) * DW + 1):
        inside = fixed is None or 0 <= fixed * SW - s.left + column < s.W
        pairs = [(kw, t) for kw in range(KW) for t in range(T) if kw * DW + t * SW == column]
        if inside and pairs:
            yield column, pairs


@functools.cache
def tile(
    target: Target, row: int, blocks: int, inputs: Callable[[int], float] | None = None
) -> tuple[int, int]:
    """T and OCB with the least estimated time for rows of `row` pixels by `blocks` blocks.

    `inputs(OCB)` tells how much input such a tile reads, where that depends on its width. Where a
    smaller tile is within 2 %, it is taken: its code is smaller and compiles sooner.
    """
    best, best_cost = (1, 1), float("inf")
    for OCB in (2, 3, 4, 1):
        if blocks % OCB:
            continue
        for T in range(1, min(row, (target.registers - OCB - 1) // OCB) + 1):
            if T * OCB > 28:
                break
            cost = row_cycles(T, OCB, row) / OCB * (inputs(OCB) if inputs else 1)
            if cost < best_cost * 0.98:
                best, best_cost = (T, OCB), cost
    return best


def row_cycles(T: int, OCB: int, row: int) -> float:
    """The estimated time of a row for one input channel and tap."""
    whole, rest = divmod(row, T)
    return whole * cycles(T, OCB) + (cycles(rest, OCB) if rest else 0)


def cycles(T: int, OCB: int) -> float:
    """A tile's estimated time: the longest of its multiply-adds (2 a cycle), its loads (2 a
    cycle), the weights' way from the second cache (2 cycles a vector) and the wait for one sum to
    follow another (4 cycles and some margin); and what broadcasts and a tile cost beside that.
    """
    return max(T * OCB / 2, (T + OCB) / 2 + 0.5, 2.0 * OCB, 5.0) + 0.03 * T + 0.15


def shape_of(site: Site) -> Shape | None:
    """The site's sizes as a 2-D convolution; None where it isn't one or has nothing to do."""
    conv = site.operator
    X, W, Y = site.inputs[0], site.inputs[1], site.output
    assert isinstance(conv, Convolution)
    assert X is not None
    assert W is not None
    rank = len(X.shape) - 2
    if rank not in (1, 2) or min(X.shape) == 0 or min(Y.shape) == 0:
        return None
    conv = conv.explicit(X.shape[2:], W.shape[2:])
    assert conv.strides is not None
    assert conv.pads is not None
    assert conv.dilations is not None
    one = (1,) * (2 - rank)
    pads = (0,) * (2 - rank) + conv.pads[:rank]
    shape = Shape(
        N=X.shape[0],
        C=X.shape[1],
        H=(one + X.shape[2:])[0],
        W=X.shape[-1],
        K=W.shape[0],
        OH=(one + Y.shape[2:])[0],
        OW=Y.shape[-1],
        kernel=_two(one + W.shape[2:]),
        strides=_two(one + conv.strides),
        dilations=_two(one + conv.dilations),
        top=pads[0],
        left=pads[1],
        group=conv.group,
    )
    if shape.kernel[1] == shape.W == shape.OW == 1 and not shape.left:
        shape = _row(shape)
    reach = (shape.kernel[1] - 1) * shape.dilations[1]
    beyond = (shape.OW - 1) * shape.strides[1] + reach - shape.left - shape.W
    return None if max(shape.left, beyond) > MOST_BORDER else shape


def _row(s: Shape) -> Shape:
    """A column as a row: both lie alike in memory, and rows are what kernels cut into tiles."""
    (kernel, _), (stride, _), (dilation, _) = s.kernel, s.strides, s.dilations
    return replace(
        s,
        H=1,
        W=s.H,
        OH=1,
        OW=s.OH,
        kernel=(1, kernel),
        strides=(1, stride),
        dilations=(1, dilation),
        top=0,
        left=s.top,
    )


def _two(values: tuple[int, ...]) -> tuple[int, int]:
    return values[0], values[1]


def read_row(
    k: Trace,
    x: Tensor,
    row: tuple[Index, ...],
    column: Index,
    first: int | None,
    size: int,
    outside: float = 0.0,
) -> Lanes | None:
    """A vector of a plain row of that size; `first` is its column's number where it may reach
    beyond the row. There its lanes are `outside`; None where all are."""
    V = k.lanes
    if first is None or (first >= 0 and first + V <= size):
        return x.vec(*row, column)
    if first >= size or first + V <= 0:
        return None
    mask = k.first(min(V, size - first))
    if first < 0:
        mask = mask & ~k.first(-first)
    value = x.vec_where(mask, *row, column)
    return value if outside == 0 else k.select(mask, value, k.fill(outside))
