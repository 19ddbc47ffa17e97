"""Transposed convolution: the output's phases, each a direct convolution of the input.

With strides S the output pixels whose place (plus padding) is r modulo S take the taps r, r+S, ...
alone, and for them the sum is a convolution of stride 1 with those taps in reverse order.

Where the kernel is as large as the strides, no taps overlap, and the channels are few, all the
taps of all the channels are the lanes of one vector, and the output is plain.
"""

from dataclasses import dataclass, replace
from itertools import product
from typing import ClassVar

import numpy as np

from suanzi.kernels._epilogue import (
    PackChannels,
    PlainEpilogue,
    blocked_epilogue,
    plain_epilogue,
)
from suanzi.kernels._kernel import (
    Argument,
    Call,
    Choice,
    Input,
    Kernel,
    Output,
    Packed,
    Site,
    chunks_for,
)
from suanzi.kernels._tiles import Shape, tile
from suanzi.kernels.conv_direct import ConvDirect, Grid, PackWeights
from suanzi.lang import Index, Trace, ceil_div
from suanzi.operators._operator import Array
from suanzi.operators.convolution import ConvTranspose


@dataclass(frozen=True)
class PackPhase:
    """W [C, K/group, KH, KW]: a phase's taps, as a convolution's packed weights."""

    taps: tuple[int, int]
    """The first tap of each axis."""
    strides: tuple[int, int]
    pack: PackWeights

    def __call__(self, W: Array) -> Array:
        W = W.reshape(*W.shape[:2], *((1,) * (4 - W.ndim)), *W.shape[2:])
        W = W[:, :, self.taps[0] :: self.strides[0], self.taps[1] :: self.strides[1]]
        C, Kg, KH, KW = W[:, :, ::-1, ::-1].shape
        G = self.pack.group
        split = W[:, :, ::-1, ::-1].reshape(G, C // G, Kg, KH, KW)
        return self.pack(split.transpose(0, 2, 1, 3, 4).reshape(G * Kg, C // G, KH, KW))


@dataclass(frozen=True)
class Phase:
    """One axis of a phase: its first output place, how many, its first tap, how many, its pad."""

    first: int
    count: int
    tap: int
    taps: int
    pad: int


def phases(output: int, kernel: int, stride: int, pad: int) -> list[Phase]:
    """An axis's phases that hold any place.

    >>> phases(output=6, kernel=3, stride=2, pad=1)
    [Phase(first=0, count=3, tap=1, taps=1, pad=0), Phase(first=1, count=3, tap=0, taps=2, pad=0)]
    """
    found = []
    for first in range(min(stride, output)):
        tap = (first + pad) % stride
        taps = ceil_div(max(0, kernel - tap), stride)
        # The last tap meets the input at (first + pad) // stride - (taps - 1).
        before = taps - 1 - (first + pad) // stride
        found.append(Phase(first, ceil_div(output - first, stride), tap, taps, before))
    return found


Pair = tuple[int, int]


def shape_of(site: Site) -> tuple[Shape, Pair, Pair, Pair] | None:
    """The sizes (all the phases'), kernel, strides and pads; None where it isn't done here."""
    conv, X, W, Y = site.operator, site.inputs[0], site.inputs[1], site.output
    assert isinstance(conv, ConvTranspose)
    assert X is not None
    assert W is not None
    one = (1,) * (4 - len(X.shape))
    if len(X.shape) not in (3, 4) or min(X.shape) == 0 or min(Y.shape) == 0:
        return None
    conv = conv.explicit(X.shape[2:], W.shape[2:])
    assert conv.strides is not None
    assert conv.pads is not None
    assert conv.dilations is not None
    if max(conv.dilations) > 1:
        return None
    KH, KW = one + W.shape[2:]
    SH, SW = one + conv.strides
    top, left = (0,) * len(one) + conv.pads[: 2 - len(one)]
    (H, IW), (OH, OW), K = one + X.shape[2:], one + Y.shape[2:], W.shape[1] * conv.group
    if KH < SH or KW < SW or Y.shape[1] != K:
        return None
    if OH > H * SH + KH or OW > IW * SW + KW:  # mostly beside the input, in code of its own
        return None
    s = Shape(X.shape[0], X.shape[1], H, IW, K, OH, OW, group=conv.group)
    return s, (KH, KW), (SH, SW), (top, left)


def prefers_plain(site: Site) -> bool:
    """Whether the output should be plain (the input blocked): all taps fit a vector's lanes."""
    found = shape_of(site)
    if found is None:
        return False
    s, kernel, (SH, SW), pads = found
    apart = kernel == (SH, SW) and pads == (0, 0) and (s.OH, s.OW) == (s.H * SH, s.W * SW)
    few = site.target.lanes >= s.K * SH * SW
    return apart and few and s.group == 1


def choose(site: Site) -> Choice:
    X, W = site.inputs[0], site.inputs[1]
    B = site.inputs[2] if len(site.inputs) > 2 else None
    assert X is not None
    assert W is not None
    found = shape_of(site)
    if found is None or W.constant is None or not X.is_float32 or not X.lanes:
        return None
    if B is not None and B.constant is None:
        return None
    whole, kernel, strides, pads = found
    if not site.output.lanes:
        return _choose_plain(site, whole, strides) if prefers_plain(site) else None
    epilogue = blocked_epilogue(site)
    if epilogue is None:
        return None
    V, KB = site.target.lanes, ceil_div(whole.K, site.target.lanes)
    bias: Argument = Packed(PackChannels(V), (2,)) if B is not None else Input(0)
    calls = []
    axes = map(phases, (whole.OH, whole.OW), kernel, strides, pads)
    for h, w in product(*axes):
        s = replace(whole, OH=h.count, OW=w.count, kernel=(h.taps, w.taps), top=h.pad, left=w.pad)
        T, OCB = tile(site.target, s.OW, KB)
        grid = Grid(whole.OH, whole.OW, strides)
        direct = ConvDirect(s, False, B is not None, T, OCB, 4, False, epilogue[0], grid)
        rows = chunks_for(s.macs // (s.N * s.OH * (KB // OCB)), s.OH, site.threads)
        pack = PackPhase((h.tap, w.tap), strides, PackWeights(s.group, V, OCB * V))
        arguments = (Input(0), Packed(pack, (1,)), bias, Output(), *epilogue[1])
        chunks = s.N * (KB // OCB) * ceil_div(s.OH, rows)
        why = f"transposed, phase {h.first, w.first}, tile {T} pixels x {OCB * V} channels"
        calls.append(Call(direct, arguments, chunks, why, (rows, h.first * whole.OW + w.first)))
    return tuple(calls)


@dataclass(frozen=True)
class PackLanes:
    """W [C, K, KH, KW] to [C][V], or B [K], each bias for all the taps, to [V]."""

    lanes: int
    taps: int = 1

    def __call__(self, x: Array) -> Array:
        rows = np.repeat(x.reshape(1, -1), self.taps, 1) if x.ndim == 1 else x.reshape(len(x), -1)
        return np.pad(rows.astype(np.float32), ((0, 0), (0, self.lanes - rows.shape[1])))


@dataclass(frozen=True)
class ConvTransposeLanes(Kernel):
    """One chunk: `rows` input rows. Lane (o, u, v) of a sum is an output pixel of channel o."""

    shape: Shape
    strides: tuple[int, int]
    bias: bool
    T: int
    epilogue: PlainEpilogue
    sizes: ClassVar[int] = 1

    def pointer_count(self) -> int:
        return 4 + len(self.epilogue.kinds)

    def chunk(self, k: Trace) -> None:
        s, first = self.shape, k.chunk * k.sizes[0]
        rest = s.W % self.T
        for row in k.range(first, (first + k.sizes[0]).minimum(s.N * s.H)):
            n, ih = k.unravel(row, s.N, s.H)
            for iw in k.range(0, s.W - rest, self.T):
                self.tile(k, n, ih, iw, self.T)
            if rest:
                self.tile(k, n, ih, k.constant(s.W - rest), rest)

    def tile(self, k: Trace, n: Index, ih: Index, iw: Index, T: int) -> None:
        s, V, (SH, SW) = self.shape, k.lanes, self.strides
        x = k.tensor(0, s.N, ceil_div(s.C, V), s.H, s.W, V)
        w = k.tensor(1, s.C, V)
        start = k.tensor(2, V).vec(0) if self.bias else k.zero()
        acc = [k.var(start) for _ in range(T)]
        for cb in k.range(ceil_div(s.C, V)):
            for c in k.range(0, (k.constant(s.C) - cb * V).minimum(V)):
                weight = w.vec(cb * V + c, 0)
                for t in range(T):
                    acc[t].set(k.fma(weight, x.bcast(n, cb, ih, iw + t, c), acc[t].get()))
        y = k.tensor(3, s.N, s.K, s.H * SH, s.W * SW)
        for t in range(T):
            value = self.epilogue.apply(k, acc[t].get(), 4, {}, V)
            for o, u in product(range(s.K), range(SH)):
                lanes = [(o * SH + u) * SW + v for v in range(SW)]
                y.put(value.shuffle(value, lanes), n, o, ih * SH + u, (iw + t) * SW)


def _choose_plain(site: Site, s: Shape, strides: tuple[int, int]) -> Choice:
    epilogue = plain_epilogue(site, ("scalar",))
    if epilogue is None:
        return None
    V, taps = site.target.lanes, strides[0] * strides[1]
    T = min(s.W, site.target.registers - 3, 16)
    B = site.inputs[2] if len(site.inputs) > 2 else None
    kernel = ConvTransposeLanes(s, strides, B is not None, T, epilogue[0])
    bias: Argument = Packed(PackLanes(V, taps), (2,)) if B is not None else Input(0)
    rows = chunks_for(s.C * s.W * V, s.N * s.H, site.threads)
    arguments = (Input(0), Packed(PackLanes(V), (1,)), bias, Output(), *epilogue[1])
    why = f"transposed, {s.K * taps} taps in a vector's lanes, tile {T} pixels"
    return (Call(kernel, arguments, ceil_div(s.N * s.H, rows), why, (rows,)),)
