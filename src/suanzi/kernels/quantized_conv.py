"""Convolution of 8-bit integers: exact sums in int32, of four products at a time.

The input is first copied between borders that hold its zero point, so that no window leaves it. A
chunk then gathers some vectors of output pixels: for each of the C·kernel numbers that a window
sees, the vector of what the pixels see there. Four of them (a quad) become the four bytes of an
int32 for each pixel. On these columns the convolution is the product of matrices that
quantized_matmul describes, the weights being the one that is broadcast: T filters by OCB vectors.

With x the input's zero point and the weights' 0, Σ (X - x)·W = Σ X·W - x·Σ W.
"""

import math
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from suanzi.graph.quantized import MAX_STRIDE, QuantizedConv, writes_bytes
from suanzi.kernels._epilogue import PlainEpilogue, plain_epilogue
from suanzi.kernels._kernel import Call, Choice, Input, Kernel, Output, Packed, Scratch, Site
from suanzi.kernels._tiles import Shape, shape_of
from suanzi.kernels.matmul import plan, terms
from suanzi.kernels.quantized_matmul import BYTES, byte, rows_of
from suanzi.lang import Index, Lanes, Tensor, Trace, ceil_div
from suanzi.operators._operator import Array
from suanzi.operators.integer_convolution import ConvInteger


@dataclass(frozen=True)
class PackFilters:
    """W [M, ...] as int8, in quads: [M][ceil(K/4)] of int32, padded with zeros; then Σ W, [M]."""

    def __call__(self, W: Array) -> Array:
        lowered = W.reshape(len(W), -1).astype(np.int16) - (128 if W.dtype == np.uint8 else 0)
        padded = np.pad(lowered.astype(np.int8), ((0, 0), (0, -lowered.shape[1] % 4)))
        sums = lowered.sum(1, dtype=np.int32)
        return np.concatenate([np.ascontiguousarray(padded).view(np.int32).ravel(), sums])


@dataclass(frozen=True)
class Places:
    """Where, from the window's corner, each of the numbers that it sees lies; padded with zeros to
    whole quads. Only W's shape is read."""

    kernel: tuple[int, int]
    steps: tuple[int, int, int]
    """How far apart channels lie, and neighbours along the window's axes."""

    def __call__(self, W: Array) -> Array:
        c, u, v = np.indices((W.shape[1], *self.kernel))
        places = c * self.steps[0] + u * self.steps[1] + v * self.steps[2]
        return np.pad(places.ravel().astype(np.int64), (0, -places.size % 4))


@dataclass(frozen=True)
class PadBytes(Kernel):
    """One chunk: one channel [H, W] copied as uint8 into [rows, columns] full of the zero point."""

    H: int
    W: int
    top: int
    left: int
    rows: int
    columns: int
    element: str
    zero_point: bool
    pointers: ClassVar[int] = 3

    def chunk(self, k: Trace) -> None:
        up = 128 if self.element == "int8" else 0
        X = k.tensor(0, 1, self.H, self.W, element=self.element)
        Y = k.tensor(2, 1, self.rows, self.columns, element="uint8")
        zero = byte(k, 1, self.element) + up if self.zero_point else k.fill_int(up)
        for row in k.range(self.rows):
            for column in k.range(0, self.columns, k.lanes):
                count = (self.columns - column).minimum(k.lanes)
                Y.put_part(count, zero, k.chunk, row, column)
        width = min(self.W, self.columns - self.left)
        for row in k.range(min(self.H, self.rows - self.top)):
            for column in k.range(0, width // k.lanes * k.lanes, k.lanes):
                value = X.vec(k.chunk, row, column) + up
                Y.put(value, k.chunk, row + self.top, column + self.left)
            rest = width % k.lanes
            if rest:
                value = X.vec_part(rest, k.chunk, row, width - rest) + up
                Y.put_part(rest, value, k.chunk, row + self.top, width - rest + self.left)


@dataclass(frozen=True)
class QuantizedConvTiles(Kernel):
    """One chunk: some filters of a group (their number is the call's size, a multiple of T), by
    OCB vectors of pixels, none of which goes beyond a row."""

    shape: Shape
    rows: int
    columns: int
    """The input's, with its borders."""
    T: int
    OCB: int
    zero_point: bool
    element: str
    """X's type."""
    scale: str
    """One for all ("scalar"), for each filter ("channel"), or none."""
    written: str
    """Y's type."""
    epilogue: PlainEpilogue
    sizes: ClassVar[int] = 1

    def pointer_count(self) -> int:
        return 7 + len(self.epilogue.kinds)

    def chunk(self, k: Trace) -> None:
        s, V = self.shape, k.lanes
        per_row = ceil_div(s.OW, V)
        panels = ceil_div(s.OH * per_row, self.OCB)
        M, C = s.K // s.group, s.C // s.group
        (filters,) = k.sizes
        blocks = (M - 1 + filters) // filters
        n, g, panel, block = k.unravel(k.chunk, s.N, s.group, panels, blocks)
        corner = (n * s.C + g * C) * (self.rows * self.columns)
        vectors: list[tuple[Index, Index, Index | int]] = []
        for o in range(self.OCB):
            # What would be beyond the end is the last vector once more.
            place = (panel * self.OCB + o).minimum(s.OH * per_row - 1)
            oh, ow = place // per_row, (place % per_row) * V
            count: Index | int = V if s.OW % V == 0 else (s.OW - ow).minimum(V)
            at = corner + oh * (s.strides[0] * self.columns) + ow * s.strides[1]
            vectors.append((at, oh * s.OW + ow, count))
        self.gather(k, [at for at, _, _ in vectors])
        first = block * filters
        last = (first + filters).minimum(M)
        for m in k.range(first, last - (self.T - 1), self.T):
            self.tile(k, n, g, m, self.T, vectors)
        if M % self.T:
            with k.when(last.equals(M)):
                self.tile(k, n, g, last - M % self.T, M % self.T, vectors)

    @property
    def quads(self) -> int:
        return ceil_div(self.shape.C // self.shape.group * math.prod(self.shape.kernel), 4)

    def gather(self, k: Trace, vectors: list[Index]) -> None:
        """What the vectors of pixels see, in quads, to the thread's own columns."""
        stride, V = self.shape.strides[1], k.lanes
        X, places = k.tensor(0, 1, element="uint8"), k.tensor(2, 1, element="int64")
        for quad, _ in terms(k, self.quads, 1):
            offsets = [places.index(quad * 4 + i) for i in range(4)]
            for o, at in enumerate(vectors):
                value = k.fill_int(0)
                for i, offset in enumerate(offsets):
                    seen = X.vec(at + offset, lanes=stride * V)
                    seen = seen.shuffle(seen, list(range(0, stride * V, stride)))
                    value = value | (seen << 8 * i)
                self.gathered(k).put(value, k.thread, quad, o * V)

    def gathered(self, k: Trace) -> Tensor:
        return k.tensor(3, 1, self.quads, self.OCB * k.lanes, element="int32")

    def tile(
        self,
        k: Trace,
        n: Index,
        g: Index,
        m: Index,
        T: int,
        vectors: list[tuple[Index, Index, Index | int]],
    ) -> None:
        s, V = self.shape, k.lanes
        M = s.K // s.group
        w, columns = k.tensor(1, s.K, self.quads, element="int32"), self.gathered(k)
        total = k.tensor(1, 1, element="int32")  # Σ W, after the quads
        up = 128 if self.element == "int8" else 0
        sums = []
        for t in range(T):
            start = k.fill_int(0)
            if self.zero_point or up:
                zero = byte(k, 4, self.element) + up if self.zero_point else k.fill_int(up)
                start = k.fill_int(0) - zero * total.bcast(g * M + m + t + s.K * self.quads)
            sums.append([k.var(start) for _ in vectors])
        for quad, _ in terms(k, self.quads, 1):
            seen = [columns.vec(k.thread, quad, o * V) for o in range(self.OCB)]
            for t in range(T):
                weights = w.bcast(g * M + m + t, quad)
                for one, columns_seen in zip(sums[t], seen, strict=True):
                    one.set(k.dot4(one.get(), columns_seen, weights))

        pixels = s.OH * s.OW
        y, scale = k.tensor(6, 1, element=self.written), k.tensor(5, 1)
        totals: list[list[Lanes]] = [[one.get() for one in row] for row in sums]
        for r, row in rows_of(k, totals, self.epilogue):
            channel = g * M + m + r
            for value, (_, pixel, count) in zip(row, vectors, strict=True):
                offset = (n * s.K + channel) * pixels + pixel
                if self.scale:
                    factor = scale.bcast(0 if self.scale == "scalar" else channel)
                    value = value.to_float() * factor
                    places = {"full": offset, "channel": channel, "gate": n * s.K + channel}
                    value = self.epilogue.apply(k, value, 7, places, count)
                y.put_part(count, value, offset)


def _flat(s: Shape) -> Shape:
    """A window of one pixel sees the image as one long row."""
    alone = s.kernel == s.strides == (1, 1) and (s.H, s.W) == (s.OH, s.OW)
    return replace(s, H=1, W=s.H * s.W, OH=1, OW=s.OH * s.OW) if alone else s


def choose(site: Site) -> Choice:
    X, W, x_zero, w_zero, scale = (*site.inputs, None, None, None)[:5]
    assert X is not None
    assert W is not None
    written = site.output.type.dtype.name
    if not isinstance(site.operator, QuantizedConv | ConvInteger) or W.constant is None:
        return None
    if any(x.type.dtype.name not in BYTES or x.lanes for x in (X, W)) or site.output.lanes:
        return None
    lowered = 128 if W.type.dtype == np.uint8 else 0
    if w_zero is not None and (w_zero.constant is None or (w_zero.constant != lowered).any()):
        return None
    if (w_zero is None and lowered) or (x_zero is not None and x_zero.type.size != 1):
        return None
    if written in BYTES and not (site.chain is not None and writes_bytes(site.chain)):
        return None
    s = shape_of(site)
    epilogue = plain_epilogue(site, ("scalar", "channel", "gate", "full"))
    if s is None or epilogue is None or s.strides[1] > MAX_STRIDE or min(s.top, s.left) < 0:
        return None
    if site.output.type.size != s.N * s.K * s.OH * s.OW:  # the chain broadcasts it further
        return None
    s = _flat(s)
    V, M, C = site.target.lanes, s.K // s.group, s.C // s.group
    rows = (s.OH - 1) * s.strides[0] + (s.kernel[0] - 1) * s.dilations[0] + 1
    per_row = ceil_div(s.OW, V)
    columns = per_row * V * s.strides[1] + (s.kernel[1] - 1) * s.dilations[1]
    quads = ceil_div(C * math.prod(s.kernel), 4)
    T, OCB = plan(site.target, M, s.OH * per_row * V, quads, site.threads)
    panels = s.N * s.group * ceil_div(s.OH * per_row, OCB)
    blocks = min(ceil_div(M, T), max(1, 2 * site.threads // panels)) if site.threads > 1 else 1
    filters = T * ceil_div(ceil_div(M, T), blocks)

    element, zero_point = X.type.dtype.name, x_zero is not None
    zero = Input(2 if zero_point else 0)
    padded = Scratch("padded", s.N * s.C * rows * columns)
    pad = PadBytes(s.H, s.W, s.top, s.left, rows, columns, element, zero_point)
    step = (rows * columns, columns * s.dilations[0], s.dilations[1])
    one = "scalar" if scale is not None and scale.type.size == 1 else "channel"
    kernel = QuantizedConvTiles(
        s, rows, columns, T, OCB, zero_point, element,
        one if scale is not None else "", written, epilogue[0],
    )  # fmt: skip
    arguments = (
        padded,
        Packed(PackFilters(), (1,)),
        Packed(Places(s.kernel, step), (1,)),
        Scratch("columns", 4 * quads * OCB * V, per_thread=True),
        zero,
        Input(0 if scale is None else 4),
        Output(),
        *epilogue[1],
    )
    why = f"tile {T} filters x {OCB * V} pixels, {filters} filters a chunk, in quads of int8"
    return (
        Call(pad, (Input(0), zero, padded), s.N * s.C, "puts borders around"),
        Call(kernel, arguments, panels * ceil_div(M, filters), why, (filters,)),
    )
