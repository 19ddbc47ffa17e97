"""Pooling in plain layout: vectors along the rows, each row of the window read once.

The rows of a window are combined first, as they lie; then, where the window moves by two, every
other column is taken from two vectors.
"""

from dataclasses import dataclass
from typing import ClassVar

from suanzi.kernels._kernel import Argument, Call, Input, Kernel, Output, chunks_for
from suanzi.kernels._rows import NEUTRAL
from suanzi.kernels._tiles import MOST_BORDER, Shape, read_row, tap_rows
from suanzi.kernels.copy import MOVED
from suanzi.lang import Index, Lanes, Target, Tensor, Trace, ceil_div

Part = tuple[int, int, int]
"""The first tap's column, the number of the output's vector, and which half of its columns."""


@dataclass(frozen=True)
class PoolRows(Kernel):
    """One chunk: `rows` output rows. The sizes: all rows (of all samples and channels), `rows`.

    The numbers of samples and channels in `shape` are 1: they don't change the code.
    """

    shape: Shape
    how: str
    """ "max" or "add"."""
    R: int
    """Vectors of columns in a tile."""
    scale: float | None
    """What each sum is multiplied by; None where that differs from place to place."""
    sizes: ClassVar[int] = 2

    def pointer_count(self) -> int:
        return 2 + (self.scale is None)

    def chunk(self, k: Trace) -> None:
        s, (total, rows) = self.shape, k.sizes
        first, width = k.chunk * rows, self.R * k.lanes
        whole = [self.inside(ow, width) for ow in range(0, s.OW, width)]
        left = whole.index(True) if True in whole else len(whole)
        right = left + sum(whole)
        for row in k.range(first, (first + rows).minimum(total)):
            plane, oh = k.unravel(row, 0, s.OH)
            for ow in k.range(left * width, right * width, width):
                self.tile(k, plane, oh, ow, None)
            for i in [*range(left), *range(right, len(whole))]:
                self.tile(k, plane, oh, k.constant(i * width), i * width)

    def inside(self, ow: int, columns: int) -> bool:
        """Whether all that is read for these output columns, by whole vectors, is in the input."""
        s = self.shape
        first = ow * s.strides[1] - s.left
        last = max(base for base, _ in taps(s)) + columns * s.strides[1]
        return first >= 0 and first + last <= s.W and ow + columns <= s.OW

    def tile(self, k: Trace, plane: Index, oh: Index, ow: Index, fixed: int | None) -> None:
        """One tile. `fixed` is ow's number where the tile reaches beyond the input or output."""
        s, V, SW = self.shape, k.lanes, self.shape.strides[1]
        counts = [V] * self.R
        if fixed is not None:
            counts = [min(V, s.OW - fixed - v * V) for v in range(self.R)]
            counts = [count for count in counts if count > 0]
        x, y = k.tensor(0, 0, s.H, s.W), k.tensor(1, 0, s.OH, s.OW)
        bases = sorted({base for base, _ in taps(s)})
        parts = [(b, v, half) for v in range(len(counts)) for b in bases for half in range(SW)]
        neutral = k.fill(NEUTRAL[self.how])
        sums = {part: k.var(neutral) for part in parts}
        for kh in tap_rows(k, s, oh):
            ih = oh * s.strides[0] + kh * s.dilations[0] - s.top
            for part in parts:
                value = self.read(k, x, (plane, ih), ow, part, fixed)
                if value is not None:
                    sums[part].set(k.combine(self.how, value, sums[part].get()))
        for v, count in enumerate(counts):
            total = None
            for base, phase in taps(s):
                both = [sums[base, v, half].get() for half in range(SW)]
                value = both[0]
                if SW == 2:
                    value = value.shuffle(both[1], list(range(phase, 2 * V, 2)))
                total = value if total is None else k.combine(self.how, total, value)
            assert total is not None
            column = ow + v * V
            if self.how == "add" and self.scale is not None:
                total = total * self.scale
            elif self.how == "add":
                total = total * k.tensor(2, s.OH, s.OW).vec_part(count, oh, column)
            y.put_part(count, total, plane, oh, column)

    def read(
        self,
        k: Trace,
        x: Tensor,
        row: tuple[Index, Index],
        ow: Index,
        part: Part,
        fixed: int | None,
    ) -> Lanes | None:
        """A vector of an input row; beyond it what changes nothing, None where all is beyond."""
        s, V, (base, v, half) = self.shape, k.lanes, part
        offset = base + (v * s.strides[1] + half) * V - s.left
        first = None if fixed is None else fixed * s.strides[1] + offset
        column = ow * s.strides[1] + offset
        return read_row(k, x, row, column, first, s.W, NEUTRAL[self.how])


def taps(s: Shape) -> list[tuple[int, int]]:
    """For each tap the column where reading begins, and which of every SW columns it takes."""
    SW = s.strides[1]
    return [(kw * s.dilations[1] // SW * SW, kw * s.dilations[1] % SW) for kw in range(s.kernel[1])]


def call(
    s: Shape, how: str, scale: float | None, scales: list[Argument], planes: int, target: Target,
    threads: int,
) -> Call | None:  # fmt: skip
    """The call for a window over planes of rows; None where rows are too short for vectors, or
    windows too wide for registers."""
    V, SW = target.lanes, s.strides[1]
    reach = (s.kernel[1] - 1) * s.dilations[1]
    beyond = (s.OW - 1) * SW + reach - s.left - s.W
    sums = len({base for base, _ in taps(s)}) * SW
    if SW > 2 or s.OW < V // 2 or sums > target.registers - 6 or max(s.left, beyond) > MOST_BORDER:
        return None
    R = max(1, min(2, ceil_div(s.OW, V), (target.registers - 6) // sums))
    total = planes * s.OH
    rows = chunks_for(s.OW * s.kernel[0] * SW, total, threads, MOVED)
    kernel = PoolRows(s, how, R, scale)
    why = f"along rows, {R} vectors of columns at a time, {rows} rows a chunk"
    return Call(kernel, (Input(0), Output(), *scales), ceil_div(total, rows), why, (total, rows))
