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

from suanzi.kernels import conv_flat
from suanzi.kernels._epilogue import (
    PackChannels,
    PlainEpilogue,
    blocked_epilogue,
    plain_epilogue,
)
from suanzi.kernels._flat_plan import Plan, transposed_plan
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
from suanzi.kernels._tiles import MOST_BORDER, Grid, Shape, Taps, tile
from suanzi.kernels._weight_blocks import PackWeights
from suanzi.kernels._weights import has_bias, with_bias
from suanzi.kernels.conv_depthwise import ConvDepthwise, PackTaps, depthwise
from suanzi.kernels.conv_depthwise import call as depthwise_call
from suanzi.kernels.conv_depthwise import tile as width
from suanzi.kernels.conv_direct import ConvDirect, direct
from suanzi.kernels.conv_samples import samples
from suanzi.kernels.conv_winograd import winograd
from suanzi.lang import Index, Trace, ceil_div
from suanzi.operators._operator import Array
from suanzi.operators.convolution import ConvTranspose


@dataclass(frozen=True)
class Phase:
    """One axis of a phase: its first output place, how many, its first tap, how many, its pad."""

    first: int
    count: int
    tap: int
    taps: int
    pad: int

    def reversed(self, kernel: int, stride: int) -> int:
        """Where the phase's last tap is if the kernel's taps are in reverse order."""
        return kernel - 1 - self.tap - (self.taps - 1) * stride


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
    """The sizes (with all phases, and the dilations), kernel, strides and pads; None where it isn't
    done here."""
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
    if max(conv.dilations) > 1 < max(conv.strides):
        return None
    KH, KW = one + W.shape[2:]
    SH, SW = one + conv.strides
    top, left = (0,) * len(one) + conv.pads[: 2 - len(one)]
    (H, IW), (OH, OW), K = one + X.shape[2:], one + Y.shape[2:], W.shape[1] * conv.group
    DH, DW = one + conv.dilations
    if Y.shape[1] != K or max(KH * DH, KW * DW) > MOST_BORDER:
        return None
    if (
        OH > H * SH + KH * DH or OW > IW * SW + KW * DW
    ):  # mostly beside the input, in code of its own
        return None
    s = Shape(X.shape[0], X.shape[1], H, IW, K, OH, OW, dilations=(DH, DW), group=conv.group)
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


def flat_plan(site: Site) -> Plan | None:
    """How it is done in plain layout."""
    found = shape_of(site)
    if found is None or found[0].group > 1:
        return None
    whole, kernel, strides, (top, left) = found
    return transposed_plan(replace(whole, kernel=kernel, strides=strides, top=top, left=left))


def choose(site: Site) -> Choice:
    X = site.inputs[0]
    assert X is not None
    found = shape_of(site)
    if found is None or not X.is_float32:
        return None
    whole, kernel, strides, pads = found
    if not site.output.lanes and not X.lanes:
        plan = flat_plan(site)
        return None if plan is None else conv_flat.flat(site, plan, transposed=True)
    if not site.output.lanes:
        return _choose_plain(site, whole, strides) if prefers_plain(site) else None
    reach = [(n - 1) * d for n, d in zip(kernel, whole.dilations, strict=True)]
    # Of stride 1 it is a convolution with the taps in reverse order.
    turned = replace(whole, kernel=kernel, top=reach[0] - pads[0], left=reach[1] - pads[1])
    kept = replace(whole, kernel=kernel, strides=strides, top=pads[0], left=pads[1])
    if strides != (1, 1):
        return samples(site, kept, True) or _by_phases(site, whole, kernel, strides, pads)
    return (
        depthwise(site, turned, True)
        or winograd(site, turned, True)
        or samples(site, kept, True)
        or direct(site, turned, True)
    )


def _by_phases(site: Site, whole: Shape, kernel: Pair, strides: Pair, pads: Pair) -> Choice:
    X, epilogue = site.inputs[0], blocked_epilogue(site)
    assert X is not None
    if epilogue is None or not X.lanes:
        return None
    V, KB = site.target.lanes, ceil_div(whole.K, site.target.lanes)
    T, OCB = tile(site.target, ceil_div(whole.OW, strides[1]), KB)  # one for all phases
    alone = whole.group == whole.C == whole.K
    in_blocks = PackWeights(whole.group, V, OCB * V, transposed=True)
    pack = PackTaps(V, reverse=True) if alone else in_blocks
    made = with_bias(site, pack, PackChannels(V))
    if made is None:
        return None
    (packing, weights), (adding, bias) = made
    calls = []
    grid = Grid(whole.OH, whole.OW, strides)
    arguments = (Input(0), weights, bias, Output(), *epilogue[1])
    for h, w in product(*map(phases, (whole.OH, whole.OW), kernel, strides, pads)):
        s = replace(whole, OH=h.count, OW=w.count, kernel=(h.taps, w.taps), top=h.pad, left=w.pad)
        first = (h.reversed(kernel[0], strides[0]), w.reversed(kernel[1], strides[1]))
        taps = Taps(kernel, first, strides)
        place, there = h.first * whole.OW + w.first, has_bias(site)
        if alone:
            one = ConvDepthwise(s, there, width(site.target, s), epilogue[0], grid, taps)
            calls.append(depthwise_call(site, one, arguments, place))
            continue
        wide = min(T, s.OW)
        phase = ConvDirect(s, False, there, wide, OCB, 4, False, epilogue[0], grid, taps)
        rows = chunks_for(s.macs // (s.N * s.OH * (KB // OCB)), s.OH, site.threads)
        chunks = s.N * (KB // OCB) * ceil_div(s.OH, rows)
        why = f"transposed, phase {h.first, w.first}, tile {wide} pixels x {OCB * V} channels"
        calls.append(Call(phase, arguments, chunks, why, (rows, place)))
    return (*packing, *adding, *calls)


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
    epilogue, X, W = plain_epilogue(site, ("scalar",)), site.inputs[0], site.inputs[1]
    B = site.inputs[2] if len(site.inputs) > 2 else None
    assert X is not None
    assert W is not None
    if epilogue is None or not X.lanes or W.constant is None:
        return None
    if B is not None and B.constant is None:
        return None
    V, taps = site.target.lanes, strides[0] * strides[1]
    T = min(s.W, site.target.registers - 3, 16)
    kernel = ConvTransposeLanes(s, strides, B is not None, T, epilogue[0])
    bias: Argument = Packed(PackLanes(V, taps), (2,)) if B is not None else Input(0)
    rows = chunks_for(s.C * s.W * V, s.N * s.H, site.threads)
    arguments = (Input(0), Packed(PackLanes(V), (1,)), bias, Output(), *epilogue[1])
    why = f"transposed, {s.K * taps} taps in a vector's lanes, tile {T} pixels"
    return (Call(kernel, arguments, ceil_div(s.N * s.H, rows), why, (rows,)),)
