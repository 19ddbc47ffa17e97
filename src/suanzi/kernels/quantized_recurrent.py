"""LSTM in integers (DynamicQuantizeLSTM): X's quads by W's, at each time h's by R's.

X is quantized as a whole, for one product in int32 of all times; h anew at each time. What makes
the sums real lies behind R's quads.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from suanzi.graph.quantized import Quantize
from suanzi.kernels._kernel import Call, Choice, Input, Kernel, Packed, Scratch, Site
from suanzi.kernels._product import Product
from suanzi.kernels._rows import fold_row
from suanzi.kernels._walk import KEPT, Cells, LSTMWalk, RecurrentWalk
from suanzi.kernels.dynamic_quantize import scale_of
from suanzi.kernels.matmul import plan, terms
from suanzi.kernels.quantized_matmul import PackQuads, tiles
from suanzi.kernels.recurrent import PackBias, walk_along, walk_of
from suanzi.lang import Index, Lanes, Trace, ceil_div
from suanzi.lang.mathematics import VectorMathematics
from suanzi.operators._operator import Array
from suanzi.operators.contributed import DynamicQuantizeLSTM

G = DynamicQuantizeLSTM.gates


def _columns(scale: Array, D: int, columns: int) -> Array:
    """The scale of each direction's columns, from one of all, of each direction, or of each."""
    return np.broadcast_to(scale.reshape(D if scale.size > 1 else 1, -1), (D, columns))


@dataclass(frozen=True)
class PackInputs:
    """W [D, I, G·H] to panels of quads of all directions' columns."""

    width: int

    def __call__(self, W: Array) -> Array:
        return PackQuads(self.width)(np.hstack(list(W)))


@dataclass(frozen=True)
class PackStates:
    """R [D, H, G·H], its scale, W's, and B to int32 [D][H/V][H/4 + 4][G][V]: quads of rows, the
    columns' sums, then the bits of each column's scales of R and W, and of its bias."""

    lanes: int

    def __call__(self, R: Array, scale: Array, W_scale: Array, B: Array | None = None) -> Array:
        D, H, columns = R.shape
        quads = np.ascontiguousarray(R.reshape(D, H // 4, 4, columns).swapaxes(2, 3))
        sums = R.sum(1, dtype=np.int32)[:, None]
        bias = np.zeros((D, columns), np.float32) if B is None else PackBias(G, 0)(B).reshape(D, -1)
        real = np.stack([*(_columns(s, D, columns) for s in (scale, W_scale)), bias], 1)
        rows = np.concatenate([quads.view(np.int32)[..., 0], sums, real.view(np.int32)], 1)
        blocks = rows.reshape(D, -1, G, H // self.lanes, self.lanes)
        return blocks.transpose(0, 3, 1, 2, 4)


@dataclass(frozen=True)
class QuantizeWhole(Kernel):
    """DynamicQuantizeLinear in one chunk: x to bytes, their scale and zero point. The sizes: x's
    whole vectors, and the elements after them."""

    tail: bool
    pointers: ClassVar[int] = 4
    sizes: ClassVar[int] = 2

    def chunk(self, k: Trace) -> None:
        vectors, over = k.sizes
        x, y = k.tensor(0, 1), k.tensor(1, 1, element="uint8")
        start, rest = k.constant(0), over if self.tail else None
        low, high = (fold_row(k, how, x, start, vectors, rest) for how in ("min", "max"))
        scale, zero_point = scale_of(k, low, high)
        k.tensor(2, 1).put_lane(scale, 0, 0)
        k.tensor(3, 1, element="uint8").put_lane(zero_point, 0, 0)
        m, quantize = VectorMathematics(k), Quantize("uint8")
        for at in k.range(0, vectors * k.lanes, k.lanes):
            y.put(quantize.formula(m, x.vec(at), scale, zero_point), at)
        if self.tail:
            at = vectors * k.lanes
            y.put_part(over, quantize.formula(m, x.vec_part(over, at), scale, zero_point), at)


class QuantizedCells(Cells):
    """Beside h they keep its bytes; `scale` and `zero_point` are of the time that it is."""

    scale: Lanes
    zero_point: Lanes

    def __init__(self, k: Trace, walk: RecurrentWalk, d: Index, first: Index, rows: int) -> None:
        super().__init__(k, walk, d, first, rows)
        D, G, H, V = walk.directions, walk.gate_count, walk.H, k.lanes
        self.quads = k.tensor(1, D, H // V, H // 4 + 4, G, V, element="int32")
        self.bytes = k.tensor(2, 0, KEPT + walk.kept, walk.rows, 4 * H, element="uint8")

    def move_to(self, t: Index) -> None:
        super().move_to(t)
        k = self.k
        low, high = k.var(k.zero()), k.var(k.zero())
        for unit, _ in self.blocks():
            for row in range(self.rows):
                h = self.kept(self.before, row, unit)
                low.set(k.combine("min", low.get(), h))
                high.set(k.combine("max", high.get(), h))
        self.scale, self.zero_point = scale_of(k, low.get(), high.get())
        m, quantize = VectorMathematics(k), Quantize("uint8")
        for unit, _ in self.blocks():
            for row in range(self.rows):
                h = self.kept(self.before, row, unit)
                q = quantize.formula(m, h, self.scale, self.zero_point)
                self.bytes.put(q, k.chunk, KEPT + 1, row, unit)

    def gates(
        self,
        unit: Index,
        count: Index | int,
        gates: Sequence[int],
        last: Lanes | None = None,
        of: int | None = None,
    ) -> list[list[Lanes]]:
        k, chains, quads = self.k, self.walk.chains, self.walk.H // 4
        at = self.d, unit // k.lanes
        sums = [
            [[k.var(k.fill_int(0)) for _ in gates] for _ in range(self.rows)] for _ in range(chains)
        ]
        for quad, chain in terms(k, quads, chains):
            weights = [self.quads.vec(*at, quad, gate, 0) for gate in gates]
            for row, totals in enumerate(sums[chain]):
                h = self.bytes.bcast_four(k.chunk, KEPT + 1, row, quad * 4)
                for total, weight in zip(totals, weights, strict=True):
                    total.set(k.dot4(total.get(), h, weight))
        x_scale = self.tensors["x_scale"].bcast(0, 0, 0)
        found: list[list[Lanes]] = [[] for _ in range(self.rows)]
        for gate in gates:
            R_sum, *bits = (self.quads.vec(*at, quads + i, gate, 0) for i in range(4))
            R_scale, W_scale, bias = (x.from_bits() for x in bits)
            for row, values in enumerate(found):
                x = self.input(gate, row, unit, count).bits().to_float() * (W_scale * x_scale)
                first, *others = (s[row][gate].get() for s in sums)
                h = sum(others, start=first).to_float() - R_sum.to_float() * self.zero_point
                values.append(h * (R_scale * self.scale) + x + bias)
        return found


class QuantizedLSTMWalk(LSTMWalk):
    kept = 2  # c, and h's bytes

    @property
    def cells(self) -> type[Cells]:
        return QuantizedCells


def choose(site: Site) -> Choice:
    operator, V = site.operator, site.target.lanes
    assert isinstance(operator, DynamicQuantizeLSTM)
    X, W, R, B, lens, h, c, P, W_scale, W_zero, R_scale, R_zero = site.inputs
    assert X is not None
    assert W is not None
    assert R is not None
    real = [x for x in (X, B, h, c, *site.outputs) if x is not None]
    if any(x.lanes or not x.is_float32 or x.type.size == 0 for x in real):
        return None
    if any(x is not None and x.constant is None for x in site.inputs[1:4] + site.inputs[8:]):
        return None
    if lens is not None or P is not None or site.chain or walk_of(operator) is None:
        return None
    if W.type.dtype.name != "int8" or R.type.dtype.name != "int8":
        return None
    if any(x is not None and np.any(x.constant) for x in (W_zero, R_zero)):
        return None
    T, N = X.shape[:2][::-1] if operator.layout else X.shape[:2]
    D, H, columns = R.shape
    if H % V or N > 2 or W_scale is None or R_scale is None:  # h's range is that of all sequences
        return None

    M, I = T * N, W.shape[1]  # noqa: E741
    vectors, rest = divmod(X.type.size, V)
    found = Scratch("x", X.type.size), Scratch("x_scale", 4), Scratch("x_zero_point", 1)
    quantize = QuantizeWhole(rest > 0)
    first = Call(quantize, (Input(0), *found), 1, "quantizes X", (vectors, rest))
    x, x_scale, x_zero = found
    p = Product(M, D * columns, I)
    tile = plan(site.target, p.M, p.N, ceil_div(p.K, 4), site.threads)
    gates = Scratch("gates", 4 * p.M * p.N)
    panels = Packed(PackInputs(tile[1] * V), (1,))
    arguments = (x, panels, x_zero, Input(0), gates)
    inputs = tiles(site, p, tile, arguments, ("uint8", "int32"), (True, False))
    weights = Packed(PackStates(V), (2, 10, 8, 3) if B else (2, 10, 8))
    sizes = T, N, H
    walk = walk_along(site, QuantizedLSTMWalk, sizes, N, gates, weights, {"x_scale": x_scale})
    return first, inputs, walk
