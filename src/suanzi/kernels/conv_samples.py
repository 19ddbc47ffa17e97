"""Convolution of small images, and its transpose: a tile is one place of T samples.

Rows of a few pixels leave a direct tile narrow, and most of its taps fall outside. Here the T
pixels of a tile are the same place of T samples, which all see the same taps. Weights that aren't
constant are packed by the chunk that needs them, into memory that stays in the second cache: where
there are few pixels for each weight, to write them out and read them again would cost more.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from suanzi.kernels._epilogue import Epilogue, PackChannels, blocked_epilogue
from suanzi.kernels._kernel import Argument, Call, Choice, Input, Kernel, Output, Scratch, Site
from suanzi.kernels._tiles import Shape, row_cycles, shape_of
from suanzi.kernels._weight_rows import PackRows, Rows, slot_size
from suanzi.kernels._weights import has_bias, packed
from suanzi.kernels.conv_direct import add
from suanzi.lang import Index, Target, Trace, ceil_div

SHORT, FEWEST = 4, 4
"""The longest rows, and the fewest samples, that it is for."""


@dataclass(frozen=True)
class ConvSamples(Kernel):
    """One chunk: a part of the places of all samples, for a row of OCB blocks of channels."""

    shape: Shape
    transposed: bool
    bias: bool
    T: int
    OCB: int
    packs: bool
    """The weights come as they are, and are packed into memory of the thread's own."""
    parts: int
    epilogue: Epilogue

    def pointer_count(self) -> int:
        return 5 + len(self.epilogue.extras)

    def chunk(self, k: Trace) -> None:
        s, V = self.shape, k.lanes
        row, part = k.unravel(k.chunk, ceil_div(s.K, V * self.OCB), self.parts)
        slot = k.thread if self.packs else row
        if self.packs:
            taps = s.kernel[0] * s.kernel[1]
            Rows(s.K, s.C, taps, self.OCB, self.transposed).pack(k, 4, 1, slot, row)
        each = ceil_div(s.OH * s.OW, self.parts)
        first = part * each
        rest = s.N % self.T
        for place in k.range(first, (first + each).minimum(s.OH * s.OW)):
            oh, ow = k.unravel(place, s.OH, s.OW)
            for n in k.range(0, s.N - rest, self.T):
                self.tile(k, (slot, row), n, oh, ow, self.T)
            if rest:
                self.tile(k, (slot, row), k.constant(s.N - rest), oh, ow, rest)

    def tile(
        self, k: Trace, at: tuple[Index, Index], n: Index, oh: Index, ow: Index, T: int
    ) -> None:
        s, V, OCB, (slot, row) = self.shape, k.lanes, self.OCB, at
        (KH, KW), CB, KB = s.kernel, ceil_div(s.C, V), ceil_div(s.K, V)
        x = k.tensor(0, s.N, CB, s.H, s.W, V)
        w = k.tensor(1, 0, slot_size(s.C * KH * KW, V), OCB, V)
        start = [
            k.tensor(2, KB, V).vec(row * OCB + o, 0) if self.bias else k.zero() for o in range(OCB)
        ]
        acc = [[k.var(start[o]) for o in range(OCB)] for _ in range(T)]

        def multiply(cb: Index, channels: int, tap: Index, ih: Index, iw: Index) -> None:
            U = next(u for u in (4, 2, 1) if channels % u == 0)
            for first in k.range(0, channels, U):
                for c in (first + u for u in range(U)):
                    place = (cb * V + c) * (KH * KW) + tap
                    weights = [w.vec(slot, place, o, 0) for o in range(OCB)]
                    for t in range(T):
                        add(acc[t], weights, x.bcast(n + t, cb, ih, iw, c), k)

        for kh, ih in self.taps(k, oh, KH, s.H, s.strides[0], s.dilations[0], s.top):
            for kw, iw in self.taps(k, ow, KW, s.W, s.strides[1], s.dilations[1], s.left):
                tap = kh * KW + kw
                for cb in k.range(s.C // V):
                    multiply(cb, V, tap, ih, iw)
                if s.C % V:
                    multiply(k.constant(s.C // V), s.C % V, tap, ih, iw)
        y = k.tensor(3, s.N, KB, s.OH * s.OW, V)
        for t in range(T):
            for o in range(OCB):
                block, pixel = row * OCB + o, oh * s.OW + ow
                value = acc[t][o].get()
                value = self.epilogue.apply(k, value, 5, KB, s.OH * s.OW, n + t, block, pixel)
                y.put(value, n + t, block, pixel, 0)

    def taps(
        self, k: Trace, place: Index, kernel: int, size: int, stride: int, dilation: int, pad: int
    ) -> Iterator[tuple[Index, Index]]:
        """The taps along an axis that are inside the input for a place of the output, and where.

        What is divided is kept ≥ 0.
        """
        if not self.transposed:  # at = place · stride + tap · dilation - pad
            origin = place * stride - pad
            low = (k.constant(dilation - 1) - origin).maximum(0) // dilation
            high = (k.constant(size - 1 + dilation) - origin).maximum(0) // dilation
            for tap in k.range(low, high.minimum(kernel)):
                yield tap, origin + tap * dilation
            return
        # at · stride = place + pad - tap · dilation; only one of stride and dilation isn't 1
        origin = place + pad
        first, last = origin % stride, origin // stride
        low = (last - (size - dilation)).maximum(0) // dilation
        high = (last // dilation + 1).minimum((k.constant(kernel - 1 + stride) - first) // stride)
        for step in k.range(low, high):
            yield first + step * stride, last - step * dilation


def tile(target: Target, samples: int, blocks: int, row_bytes: int) -> tuple[int, int]:
    """T and OCB with the least estimated time, so that a row's weights stay in the second cache."""
    best, best_cost = (1, 1), float("inf")
    for OCB in (2, 3, 4, 1):
        if blocks % OCB or (OCB > 1 and OCB * row_bytes > 3 * target.l2 // 4):
            continue
        for T in range(1, min(samples, (target.registers - OCB - 1) // OCB) + 1):
            if T * OCB > 28:
                break
            cost = row_cycles(T, OCB, samples) / OCB
            if cost < best_cost * 0.98:
                best, best_cost = (T, OCB), cost
    return best


def choose(site: Site) -> Choice:
    s = shape_of(site)
    return None if s is None else samples(site, s)


def samples(site: Site, s: Shape, transposed: bool = False) -> Choice:
    """The algorithm for a convolution of these sizes, or for a transposed one."""
    X, W, Y = site.inputs[0], site.inputs[1], site.output
    assert X is not None
    assert W is not None
    steps = s.strides if transposed else (1, 1)
    places = [ceil_div(size, step) for size, step in zip((s.OH, s.OW), steps, strict=True)]
    if s.group > 1 or places[1] > SHORT or places[0] > 2 * SHORT or s.N < FEWEST:
        return None
    if not X.is_float32 or not X.lanes or not Y.lanes or not W.is_float32:
        return None
    epilogue = blocked_epilogue(site)
    if epilogue is None:
        return None
    V, KB, taps = site.target.lanes, ceil_div(s.K, site.target.lanes), s.kernel[0] * s.kernel[1]
    size = slot_size(s.C * taps, V)
    T, OCB = tile(site.target, s.N, KB, size * V * 4)
    packs = W.constant is None
    weights: Argument = Scratch("weights", size * OCB * V * 4, per_thread=True)
    made = None if packs else packed(site, 1, PackRows(V, OCB * V, transposed))
    if made is not None:
        weights = made[1]
    bias = packed(site, 2, PackChannels(V)) if has_bias(site) else ((), Input(0))
    if bias is None:
        return None
    rows = KB // OCB
    parts = min(ceil_div(4 * site.threads, rows), s.OH * s.OW) if rows < 2 * site.threads else 1
    kernel = ConvSamples(s, transposed, has_bias(site), T, OCB, packs, parts, epilogue[0])
    arguments = (Input(0), weights, bias[1], Output(), Input(1 if packs else 0), *epilogue[1])
    why = f"small images, tile {T} samples x {OCB * V} channels"
    return (*bias[0], Call(kernel, arguments, rows * parts, why))
