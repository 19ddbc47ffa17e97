"""Plans of convolutions over rows laid end to end (conv_flat): which phases the input is split
into, which the output is made of, and what each tap reads."""

from dataclasses import dataclass, replace
from itertools import product
from typing import NamedTuple

import numpy as np

from suanzi.kernels._tiles import Shape
from suanzi.lang import ceil_div
from suanzi.operators._operator import Array


class Place(NamedTuple):
    """What a tap reads: of which phase of the input's rows and columns, and how many rows and
    columns further than the output's place."""

    row_phase: int
    column_phase: int
    row: int
    column: int


Taps = tuple[tuple[int, Place], ...]
"""The number of each tap's weights, and what it reads."""


@dataclass(frozen=True)
class Phase:
    """The output's rows from `first` on, `step` apart; for each phase of its columns its taps."""

    first: int
    count: int
    columns: tuple[Taps, ...]


@dataclass(frozen=True)
class Plan:
    """A convolution of this form. `shape` has the strides by which the input is split and the
    padding before it; `steps` says how many phases the output has along its axes."""

    shape: Shape
    steps: tuple[int, int]
    phases: tuple[Phase, ...]

    @property
    def places(self) -> list[Place]:
        return [place for one in self.phases for taps in one.columns for _, place in taps]

    @property
    def pitch(self) -> int:
        """Columns from one row to the next."""
        return ceil_div(self.shape.OW, self.steps[1]) + max(p.column for p in self.places)

    @property
    def row_phases(self) -> list[int]:
        return sorted({p.row_phase for p in self.places})

    def first_tap(self, phase: Phase) -> int:
        """How many taps the phases before have."""
        before = self.phases[: self.phases.index(phase)]
        return sum(len(taps) for one in before for taps in one.columns)

    def plane(self, band: int, beyond: int) -> int:
        """Elements of one channel's phase, for `band` rows of output; vectors reach `beyond`."""
        return (band + max(p.row for p in self.places)) * self.pitch + beyond


def plan_of(s: Shape) -> Plan:
    """Of a convolution."""
    (SH, SW), (DH, DW) = s.strides, s.dilations
    taps = tuple(
        (kh * s.kernel[1] + kw, Place(kh * DH % SH, kw * DW % SW, kh * DH // SH, kw * DW // SW))
        for kh, kw in product(*map(range, s.kernel))
    )
    return Plan(s, (1, 1), (Phase(0, s.OH, (taps,)),))


def transposed_plan(s: Shape) -> Plan:
    """Of a transposed convolution, whose strides and padding the shape has."""

    def along(axis: int, pad: int) -> list[list[tuple[int, int]]]:
        """For each phase its taps, and how far from the place each reads."""
        S, D = s.strides[axis], s.dilations[axis]
        steps = [[(i, first + pad - i * D) for i in range(s.kernel[axis])] for first in range(S)]
        return [[(i, away // S) for i, away in phase if away % S == 0] for phase in steps]

    rows, columns = along(0, s.top), along(1, s.left)
    top, left = (-min(away for p in axis for _, away in p) for axis in (rows, columns))
    phases = tuple(
        Phase(
            first,
            ceil_div(s.OH - first, s.strides[0]),
            tuple(
                tuple(
                    (kh * s.kernel[1] + kw, Place(0, 0, h + top, w + left))
                    for (kh, h), (kw, w) in product(row, column)
                )
                for column in columns
            ),
        )
        for first, row in enumerate(rows)
        if first < s.OH
    )
    return Plan(replace(s, strides=(1, 1), top=top, left=left), s.strides, phases)


@dataclass(frozen=True)
class TapTable:
    """For each tap, phase by phase, the number of its weights, and how far from the output's place
    it reads, where a channel's phase takes `size` elements."""

    plan: Plan
    size: int

    def __call__(self) -> Array:
        p, SW = self.plan, self.plan.shape.strides[1]
        return np.array(
            [
                (number, (ph * SW + pw) * self.size + row * p.pitch + column)
                for phase in p.phases
                for taps in phase.columns
                for number, (ph, pw, row, column) in taps
            ],
            np.int64,
        )
