"""Convolution in plain layout over rows laid end to end: for rows that fill no whole vectors.

A chunk first copies the rows of the input that it needs into memory of its thread: padded, and
where the convolution moves by two, even and odd columns apart. There the rows that a tap reads
follow one another at one distance, so a vector may go over the end of a row: what lies between two
rows of the output is computed too, and not written. A tile holds KT output channels by R vectors.

A transposed convolution that moves by S makes S by S outputs for each place, each from taps of its
own; those of a row are summed in one tile, and written in turns.
"""

import functools
from dataclasses import dataclass

from suanzi.kernels import conv_rows
from suanzi.kernels._epilogue import PackChannels, PlainEpilogue, plain_epilogue
from suanzi.kernels._flat_plan import Phase, Plan, TapTable, plan_of
from suanzi.kernels._kernel import Call, Choice, Input, Kernel, Output, Packed, Scratch, Site
from suanzi.kernels._tiles import read_row, row_cycles, shape_of
from suanzi.kernels._tiles import tile as blocked_tile
from suanzi.kernels._weights import has_bias, with_bias
from suanzi.kernels.conv_rows import MOVING, PackFilters
from suanzi.lang import Index, Lanes, Target, Trace, ceil_div

UNROLLED = 5
"""The most taps of one turn of a loop."""


@dataclass(frozen=True)
class ConvFlat(Kernel):
    """One chunk: `band` rows of places of a sample."""

    plan: Plan
    bias: bool
    KT: int
    R: int
    band: int
    epilogue: PlainEpilogue

    def pointer_count(self) -> int:
        return 6 + len(self.epilogue.kinds)

    def size(self, lanes: int) -> int:
        """Elements of one channel's phase in a thread's memory."""
        return self.plan.plane(self.band, (self.R + 1) * lanes)

    def chunk(self, k: Trace) -> None:
        p, V = self.plan, k.lanes
        n, band = k.unravel(k.chunk, 0, ceil_div(p.phases[0].count, self.band))
        first = band * self.band
        self.pack(k, n, first)
        for phase in p.phases:
            rows = (k.constant(phase.count) - first).minimum(self.band)
            for kb in k.range(p.shape.K // self.KT):
                for q in k.range(0, rows * p.pitch, self.R * V):
                    self.tile(k, (n, kb, first, rows), q, phase)

    def packed_steps(self, lanes: int) -> tuple[int, ...]:
        """Between threads, channels, phases of rows and of columns, elements."""
        (SH, SW), size = self.plan.shape.strides, self.size(lanes)
        return self.plan.shape.C * SH * SW * size, SH * SW * size, SW * size, size, 1

    def pack(self, k: Trace, n: Index, first: Index) -> None:
        """Copies the input's rows that a band reads."""
        p, s, V = self.plan, self.plan.shape, k.lanes
        (SH, SW), pitch = s.strides, p.pitch
        x, packed = k.tensor(0, 0, s.C, s.H, s.W), k.tensor(4, strides=self.packed_steps(V))
        whole = [d * SW >= s.left and (d + V) * SW - s.left <= s.W for d in range(0, pitch, V)]
        left = whole.index(True) if True in whole else len(whole)
        right = left + sum(whole)
        fixed = [*range(left), *range(right, len(whole))]

        def put(values: list[Lanes], c: Index, ph: int, at: Index) -> None:
            for pw, value in enumerate(values):
                packed.put(value, k.thread, c, ph, pw, at)

        def read(c: Index, ih: Index, d: Index, known: int | None) -> list[Lanes]:
            parts = []
            for half in range(SW):
                column = d * SW + (half * V - s.left)
                start = None if known is None else known * SW + half * V - s.left
                value = read_row(k, x, (n, c, ih), column, start, s.W)
                parts.append(k.zero() if value is None else value)
            if SW == 1:
                return parts
            return [parts[0].shuffle(parts[1], list(range(pw, 2 * V, 2))) for pw in range(SW)]

        for c in k.range(s.C):
            for ph in p.row_phases:
                # A row's last vector goes over its end: the next row is written after it.
                for r in k.range(self.band + max(place.row for place in p.places)):
                    ih, start = (first + r) * SH + (ph - s.top), r * pitch
                    inside = (ih >= 0) & (ih < s.H)
                    with k.when(inside):
                        for i in fixed[:left]:
                            put(read(c, ih, k.constant(i * V), i * V), c, ph, start + i * V)
                        for d in k.range(left * V, right * V, V):
                            put(read(c, ih, d, None), c, ph, start + d)
                        for i in fixed[left:]:
                            put(read(c, ih, k.constant(i * V), i * V), c, ph, start + i * V)
                    with k.when(inside.invert()):
                        for d in k.range(0, pitch, V):
                            put([k.zero()] * SW, c, ph, start + d)

    def tile(self, k: Trace, at: tuple[Index, Index, Index, Index], q: Index, phase: Phase) -> None:
        """The places from q on, counted along the packed rows of the band."""
        p, s, V, (n, kb, first, rows) = self.plan, self.plan.shape, k.lanes, at
        x = k.tensor(4, strides=(*self.packed_steps(V)[:2], 1))
        w = k.tensor(1, s.K // self.KT, s.C, s.kernel[0] * s.kernel[1], self.KT)
        b, channels, vectors = k.tensor(2, s.K), range(self.KT), range(self.R)
        starts = [b.bcast(kb * self.KT + c) if self.bias else k.zero() for c in channels]
        sums = [[[k.var(starts[c]) for _ in vectors] for c in channels] for _ in phase.columns]
        table, first_tap = k.tensor(5, 0, 2, element="int64"), self.plan.first_tap(phase)
        for ic in k.range(s.C):
            for v, taps in enumerate(phase.columns):
                # A machine loop: in one long stretch of code LLVM would spill sums.
                several = max(u for u in range(1, UNROLLED + 1) if len(taps) % u == 0)
                for t in k.range(first_tap, first_tap + len(taps), several):
                    for u in range(several):
                        offset = q + table.index(t + u, 1)
                        values = [x.vec(k.thread, ic, offset + r * V) for r in vectors]
                        for c in channels:
                            weight = w.bcast(kb, ic, table.index(t + u, 0), c)
                            for sum_, value in zip(sums[v][c], values, strict=True):
                                sum_.set(k.fma(weight, value, sum_.get()))
                first_tap += len(taps)
        for r in vectors:
            i, j = k.unravel(q + r * V, 0, p.pitch)
            made: list[tuple[Index, list[Lanes]]] = []
            for c in channels:
                place = kb * self.KT + c
                places = {"channel": place, "gate": n * s.K + place}
                each = [column[c][r].get() for column in sums]
                each = [self.epilogue.apply(k, value, 6, places, V) for value in each]
                made.append((place, in_turns(each)))
            oh = (first + i) * p.steps[0] + phase.first
            with k.when(i < rows):
                self.write(k, n, made, oh, j, p.pitch)
            with k.when((j > p.pitch - V) & (i + 1 < rows)):
                self.write(k, n, made, oh + p.steps[0], j - p.pitch, p.pitch)

    def write(
        self, k: Trace, n: Index, made: list[tuple[Index, list[Lanes]]], oh: Index, j: Index,
        pitch: int,
    ) -> None:  # fmt: skip
        """Those lanes that are in row oh, whose lane 0 would be column j's."""
        s, V, SW = self.plan.shape, k.lanes, self.plan.steps[1]
        y = k.tensor(3, 0, s.K, s.OH, s.OW)
        for part in range(SW):
            column = j * SW + part * V
            inside = k.first(k.constant(s.OW) - column) & ~k.first(k.constant(0) - column)
            for channel, values in made:
                y.put_where(inside, values[part], n, channel, oh, column)


def in_turns(values: list[Lanes]) -> list[Lanes]:
    """Two vectors' lanes in turns, as two vectors; one stays as it is."""
    if len(values) == 1:
        return values
    a, b = values
    V = a.lanes
    order = [lane // 2 + lane % 2 * V for lane in range(2 * V)]
    return [a.shuffle(b, order[:V]), a.shuffle(b, order[V:])]


PACKING, WRITING = 0.25, 4.0
"""Cycles that an element takes to be packed, and a vector to be written."""


@functools.cache
def tile(target: Target, plan: Plan) -> tuple[int, int, float]:
    """KT and R with the least estimated time, and that in cycles for each element of output."""
    s, best, best_cost = plan.shape, (1, 1), float("inf")
    V, RW = target.lanes, plan.steps[1]
    macs = sum(len(taps) for phase in plan.phases for taps in phase.columns) / len(plan.phases)
    for KT in (t for t in range(16, 0, -1) if s.K % t == 0):
        for R in range(1, 5):
            sums = KT * R * RW
            if sums + R + 1 > target.registers - 2:
                break
            # Vectors that aren't aligned take a cycle each, broadcasts half a cycle.
            loads = macs * (R + KT / 2)
            cycles = s.C * max(macs * KT * R / 2, loads, 2.0 * macs) * 1.04
            cost = (cycles + WRITING * sums) / (KT * R * V * RW)
            cost *= plan.pitch * RW / s.OW
            if cost < best_cost * 0.98:
                best, best_cost = (KT, R), cost
    packed = s.C * s.strides[0] * s.strides[1] * plan.pitch * plan.phases[0].count
    return *best, best_cost + PACKING * packed / (s.K * s.OH * s.OW)


def fits(plan: Plan, target: Target) -> bool:
    """Whether vectors go over the end of one row at most, and columns lie apart by two at most."""
    s = plan.shape
    return s.group == 1 and max(s.strides[1], plan.steps[1]) <= 2 and plan.pitch >= target.lanes


def prefers_plain(plan: Plan, target: Target, moved: int, kept: int) -> bool:
    """Whether this algorithm, with so many elements `moved` from blocks or to them around it, is
    better than blocks of output channels, for which so many are `kept` plain around it."""
    s = plan.shape
    if not fits(plan, target):
        return False
    KB, row = ceil_div(s.K, target.lanes), ceil_div(s.OW, plan.steps[1])
    T, OCB = blocked_tile(target, row, KB)
    blocked = 0.0
    for phase in plan.phases:
        taps = s.C * sum(map(len, phase.columns))
        written = KB * row * len(phase.columns)
        blocked += phase.count * (row_cycles(T, OCB, row) * (KB // OCB) * taps + written)
    plain = tile(target, plan)[2] * s.K * s.OH * s.OW
    return s.N * plain + MOVING * moved < s.N * blocked + MOVING * kept


def choose(site: Site) -> Choice:
    s = shape_of(site)
    if s is None:
        return None
    plan = plan_of(s)
    taps = s.C * s.kernel[0] * s.kernel[1]
    if not fits(plan, site.target):
        return None
    if (
        conv_rows.applies(s)
        and conv_rows.tile(site.target, s)[3] * taps < tile(site.target, plan)[2]
    ):
        return None
    return flat(site, plan)


def flat(site: Site, plan: Plan, transposed: bool = False) -> Choice:
    """The calls for a plan whose input and output are plain."""
    X, Y, s, V = site.inputs[0], site.output, plan.shape, site.target.lanes
    assert X is not None
    if not fits(plan, site.target) or not X.is_float32 or X.lanes or Y.lanes:
        return None
    if Y.type.size != s.N * s.K * s.OH * s.OW:  # the chain broadcasts it further
        return None
    epilogue = plain_epilogue(site, ("scalar", "channel", "gate"))
    if epilogue is None:
        return None
    KT, R, _ = tile(site.target, plan)
    split, rows = s.strides[0] * s.strides[1], plan.phases[0].count

    def bytes_of(band: int) -> int:
        return 4 * s.C * split * plan.plane(band, (R + 1) * V)

    wanted = ceil_div(rows, ceil_div(4 * site.threads, s.N)) if site.threads > 1 else rows
    bands = [b for b in range(1, rows + 1) if bytes_of(b) <= site.target.l2 // 2]
    if not bands:
        return None
    band = ceil_div(rows, ceil_div(rows, min(max(bands), max(4, wanted))))
    made = with_bias(site, PackFilters(KT, transposed), PackChannels(1))
    if made is None:
        return None
    (packing, weights), (adding, bias) = made
    kernel = ConvFlat(plan, has_bias(site), KT, R, band, epilogue[0])
    scratch = Scratch("rows", bytes_of(band), per_thread=True)
    table = Packed(TapTable(plan, kernel.size(V)), ())
    arguments = (Input(0), weights, bias, Output(), scratch, table, *epilogue[1])
    why = f"over rows end to end, tile {KT} channels x {R * V} columns, {band} rows a chunk"
    return (*packing, *adding, Call(kernel, arguments, s.N * ceil_div(rows, band), why))
