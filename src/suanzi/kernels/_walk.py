"""The walk of recurrent layers along their sequences, by kinds of cells.

For each vector of units it sums h·Rᵀ of all gates in registers, on top of what the inputs add, and
finds the units' new states there. R is small enough to stay in the second cache meanwhile.
"""

import functools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from suanzi.kernels._kernel import Kernel
from suanzi.kernels.matmul import panel_columns, terms
from suanzi.lang import Index, Lanes, Trace, ceil_div
from suanzi.lang.mathematics import VectorMathematics
from suanzi.operators._elementwise import Elementwise

KEPT = 2
"""In the scratch: the states h of even times, of odd times, then what else the units keep."""

Function = Callable[[Lanes], Lanes]


@dataclass(frozen=True)
class RecurrentWalk(Kernel):
    """One chunk: one direction of `rows` sequences, from their first time to their last.

    A subclass is a kind of cell. The size: T.
    """

    functions: tuple[Elementwise, ...]
    directions: int
    reverse: bool
    """The first direction walks from the end."""
    N: int
    H: int
    layout: int
    rows: int
    chains: int
    """Sums that each take every chains-th unit, so that one addition needn't wait for another."""
    given: tuple[str, ...]
    """Which there are of x_scale (where X is quantized), Rb (of the last gate), initial_h,
    initial_c, Y, Y_h, Y_c: the pointers from 3 on, in this order."""
    sizes: ClassVar[int] = 1
    gate_count: ClassVar[int]
    states: ClassVar[tuple[str, ...]] = ("h",)
    kept: ClassVar[int] = 0
    """How many numbers each unit keeps beside h; c is the first."""

    def pointer_count(self) -> int:
        return 3 + len(self.given)

    @property
    def cells(self) -> "type[Cells]":
        return Cells

    def chunk(self, k: Trace) -> None:
        d, part = k.unravel(k.chunk, self.directions, ceil_div(self.N, self.rows))
        for rows in panel_columns(k, part, self.N, self.rows):
            cells = self.cells(k, self, d, part * self.rows, rows)
            cells.begin()
            for t in k.range(k.sizes[0]):
                cells.move_to(t)
                self.advance(cells)
            cells.end()

    def advance(self, cells: "Cells") -> None:
        """The new states, for each block of units of each sequence."""
        raise NotImplementedError


class Cells:
    """The cells of a chunk at one time of the walk: what they read and write."""

    def __init__(self, k: Trace, walk: RecurrentWalk, d: Index, first: Index, rows: int) -> None:
        self.k, self.walk, self.d, self.first, self.rows = k, walk, d, first, rows
        D, G, N, H, T = walk.directions, walk.gate_count, walk.N, walk.H, k.sizes[0]
        units = ceil_div(H, k.lanes) * k.lanes
        row = D * G * H
        times = (row, T * row) if walk.layout else (N * row, row)
        self.inputs = k.tensor(0, strides=(*times, G * H, H, 1))
        self.weights = k.tensor(1, D, units // k.lanes, H, G, k.lanes)
        self.memory = k.tensor(2, 0, KEPT + walk.kept, walk.rows, units)
        state = (H, D * H, 1) if walk.layout else (N * H, H, 1)
        steps = {
            "Rb": (H, 0, 1),
            "Y": (H, T * (D * H), 1, D * H) if walk.layout else (N * H, H, 1, D * N * H),
        }
        self.tensors = {
            name: k.tensor(3 + i, strides=steps.get(name, state))
            for i, name in enumerate(walk.given)
        }
        m = VectorMathematics(k)
        self.functions: list[Function] = [functools.partial(f.formula, m) for f in walk.functions]

    def move_to(self, t: Index) -> None:
        """To the t-th step of the walk."""
        backward = self.d if self.walk.directions == 2 else int(self.walk.reverse)
        self.time = t + (self.k.sizes[0] - 1 - t * 2) * backward
        self.before, self.after = t % 2, 1 - t % 2

    def blocks(self) -> Iterator[tuple[Index, Index | int]]:
        """The first unit of each block, and how many units there are."""
        H, V = self.walk.H, self.k.lanes
        for unit in self.k.range(0, H, V):
            yield unit, (H - unit).minimum(V) if H % V else V

    def states(self, h: Index | int) -> dict[str, Index | int]:
        """Where each state is kept, when h is there."""
        return dict(zip(self.walk.states, (h, KEPT), strict=False))

    def begin(self) -> None:
        """The states before the first time."""
        for unit, count in self.blocks():
            for row in range(self.rows):
                for state, place in self.states(0).items():
                    start = self.k.zero()
                    if given := self.tensors.get(f"initial_{state}"):
                        start = given.vec_part(count, self.d, self.first + row, unit)
                    self.keep(start, place, row, unit)

    def end(self) -> None:
        """The states after the last time."""
        for unit, count in self.blocks():
            for row in range(self.rows):
                for state, place in self.states(self.k.sizes[0] % 2).items():
                    if last := self.tensors.get(f"Y_{state}"):
                        value = self.kept(place, row, unit)
                        last.put_part(count, value, self.d, self.first + row, unit)

    def input(self, gate: int, row: int, unit: Index, count: Index | int) -> Lanes:
        """What the inputs add to a gate."""
        return self.inputs.vec_part(count, self.time, self.first + row, self.d, gate, unit)

    def last_bias(self, unit: Index, count: Index | int) -> Lanes:
        Rb = self.tensors.get("Rb")
        return Rb.vec_part(count, self.d, 0, unit) if Rb else self.k.zero()

    def kept(self, place: Index | int, row: int, unit: Index) -> Lanes:
        return self.memory.vec(self.k.chunk, place, row, unit)

    def keep(self, value: Lanes, place: Index | int, row: int, unit: Index) -> None:
        self.memory.put(value, self.k.chunk, place, row, unit)

    def next_state(self, h: Lanes, row: int, unit: Index, count: Index | int) -> None:
        self.keep(h, self.after, row, unit)
        if Y := self.tensors.get("Y"):
            Y.put_part(count, h, self.d, self.first + row, unit, self.time)

    def gates(
        self,
        unit: Index,
        count: Index | int,
        gates: Sequence[int],
        last: Lanes | None = None,
        of: int | None = None,
    ) -> list[list[Lanes]]:
        """Each row's gates: what the inputs add (or `last`, to the last gate) + h·Rᵀ, where h is
        the state before, or what is kept at `of`.
        """
        k, chains = self.k, self.walk.chains
        place, block = self.before if of is None else of, unit // k.lanes
        sums = [[[k.var(k.zero()) for _ in gates] for _ in range(self.rows)] for _ in range(chains)]
        for row, starts in enumerate(sums[0]):
            for gate, start in zip(gates, starts, strict=True):
                special = last if gate == gates[-1] else None
                start.set(special or self.input(gate, row, unit, count))
        for i, chain in terms(k, self.walk.H, chains):
            weights = [self.weights.vec(self.d, block, i, gate, 0) for gate in gates]
            for row, totals in enumerate(sums[chain]):
                h = self.memory.bcast(k.chunk, place, row, i)
                for total, weight in zip(totals, weights, strict=True):
                    total.set(k.fma(weight, h, total.get()))
        return [
            [
                sum((s[row][i].get() for s in sums[1:]), start=one.get())
                for i, one in enumerate(first)
            ]
            for row, first in enumerate(sums[0])
        ]


class RNNWalk(RecurrentWalk):
    gate_count = 1

    def advance(self, cells: Cells) -> None:
        (f,) = cells.functions
        for unit, count in cells.blocks():
            for row, (h,) in enumerate(cells.gates(unit, count, (0,))):
                cells.next_state(f(h), row, unit, count)


class LSTMWalk(RecurrentWalk):
    gate_count = 4
    states = ("h", "c")
    kept = 1

    def advance(self, cells: Cells) -> None:
        f, g, h = cells.functions
        for unit, count in cells.blocks():
            for row, (i, o, forget, c) in enumerate(cells.gates(unit, count, range(4))):
                C = f(forget) * cells.kept(KEPT, row, unit) + f(i) * g(c)
                cells.keep(C, KEPT, row, unit)
                cells.next_state(f(o) * h(C), row, unit, count)


class GRUWalk(RecurrentWalk):
    """With linear_before_reset: one product for all gates."""

    gate_count = 3

    def advance(self, cells: Cells) -> None:
        f, g = cells.functions
        for unit, count in cells.blocks():
            bias = cells.last_bias(unit, count)
            for row, (z, r, h) in enumerate(cells.gates(unit, count, range(3), bias)):
                z = f(z)
                h = g(cells.input(2, row, unit, count) + f(r) * h)
                H = cells.kept(cells.before, row, unit)
                cells.next_state((1 - z) * h + z * H, row, unit, count)


class ResetGRUWalk(RecurrentWalk):
    """Without: the last gate's product has to wait for all of r ⊙ H."""

    gate_count = 3
    kept = 2  # z, r ⊙ H

    def advance(self, cells: Cells) -> None:
        f, g = cells.functions
        for unit, count in cells.blocks():
            for row, (z, r) in enumerate(cells.gates(unit, count, (0, 1))):
                cells.keep(f(z), KEPT, row, unit)
                H = cells.kept(cells.before, row, unit)
                cells.keep(f(r) * H, KEPT + 1, row, unit)
        for unit, count in cells.blocks():
            for row, (h,) in enumerate(cells.gates(unit, count, (2,), of=KEPT + 1)):
                z, H = cells.kept(KEPT, row, unit), cells.kept(cells.before, row, unit)
                cells.next_state((1 - z) * g(h) + z * H, row, unit, count)
