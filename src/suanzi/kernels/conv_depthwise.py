"""Depthwise convolution: each channel with its own filter, a vector of channels at a time.

A tile holds T pixels of one output row. For each row of taps it loads the row's weights, then each
input pixel once, and adds it to every sum that it belongs to.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from suanzi.kernels._epilogue import Epilogue, PackChannels, blocked_epilogue
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
from suanzi.kernels._tiles import Shape, input_columns, row_tiles, shape_of, tap_columns, tap_rows
from suanzi.lang import Index, Target, Tensor, Trace, Var, ceil_div
from suanzi.operators._operator import Array

UNROLLED = 7
"""The widest row of taps that is unrolled, its weights in registers."""


@dataclass(frozen=True)
class PackTaps:
    """W [C, 1, KH, KW] to [C/V][KH][KW][V], padded with zeros."""

    lanes: int

    def __call__(self, W: Array) -> Array:
        C, V = W.shape[0], self.lanes
        taps = np.zeros((ceil_div(C, V) * V, W[0].size), np.float32)
        taps[:C] = W.reshape(C, -1)
        return np.ascontiguousarray(taps.reshape(-1, V, W[0].size).transpose(0, 2, 1))


@dataclass(frozen=True)
class ConvDepthwise(Kernel):
    """One chunk: `rows` output rows, each of one sample and block of channels."""

    shape: Shape
    bias: bool
    T: int
    epilogue: Epilogue
    sizes: ClassVar[int] = 1

    def pointer_count(self) -> int:
        return 4 + len(self.epilogue.extras)

    def chunk(self, k: Trace) -> None:
        s = self.shape
        CB, first = ceil_div(s.C, k.lanes), k.chunk * k.sizes[0]
        for row in k.range(first, (first + k.sizes[0]).minimum(s.N * CB * s.OH)):
            n, cb, oh = k.unravel(row, s.N, CB, s.OH)
            for ow, T, fixed in row_tiles(k, s, self.T):
                self.tile(k, n, cb, oh, ow, T, fixed)

    def tile(
        self, k: Trace, n: Index, cb: Index, oh: Index, ow: Index, T: int, fixed: int | None
    ) -> None:
        s, V = self.shape, k.lanes
        CB, (KH, KW), (SH, SW), (DH, DW) = ceil_div(s.C, V), s.kernel, s.strides, s.dilations
        x = k.tensor(0, s.N, CB, s.H, s.W, V)
        w = k.tensor(1, CB, KH, KW, V)
        start = k.tensor(2, CB, V).vec(cb, 0) if self.bias else k.zero()
        acc = [k.var(start) for _ in range(T)]
        for kh in tap_rows(k, s, oh):
            ih = oh * SH + kh * DH - s.top
            origin = ow * SW - s.left
            if KW > UNROLLED:
                for tap, pixels in tap_columns(k, s, T, fixed):
                    weight = w.vec(cb, kh, tap, 0)
                    for t in pixels:
                        value = x.vec(n, cb, ih, origin + tap * DW + t * SW, 0)
                        acc[t].set(k.fma(weight, value, acc[t].get()))
            else:
                taps = [w.vec(cb, kh, kw, 0) for kw in range(KW)]
                for column, pairs in input_columns(s, T, fixed):
                    value = x.vec(n, cb, ih, origin + column, 0)
                    for kw, t in pairs:
                        acc[t].set(k.fma(taps[kw], value, acc[t].get()))
        self.write(k, acc, k.tensor(3, s.N, CB, s.OH * s.OW, V), n, cb, oh * s.OW + ow)

    def write(self, k: Trace, acc: list[Var], y: Tensor, n: Index, cb: Index, at: Index) -> None:
        s, CB = self.shape, ceil_div(self.shape.C, k.lanes)
        for t, sum_ in enumerate(acc):
            value = self.epilogue.apply(k, sum_.get(), 4, CB, s.OH * s.OW, n, cb, at + t)
            y.put(value, n, cb, at + t, 0)


def tile(target: Target, s: Shape) -> int:
    """The T that takes a row the least estimated time."""
    KW = s.kernel[1]
    most = max(1, target.registers - 2 - (KW if KW <= UNROLLED else 1))

    def cost(T: int) -> float:
        return ceil_div(s.OW, T) * (max(4.0, KW * T / 2) + 4)

    return min(range(1, min(most, s.OW, 14) + 1), key=cost)


def choose(site: Site) -> Choice:
    X, W, Y = site.inputs[0], site.inputs[1], site.output
    B = site.inputs[2] if len(site.inputs) > 2 else None
    assert X is not None
    assert W is not None
    s = shape_of(site)
    if s is None or not s.group == s.C == s.K or W.constant is None:
        return None
    if not X.is_float32 or not X.lanes or not Y.lanes or (B is not None and B.constant is None):
        return None
    epilogue = blocked_epilogue(site)
    if epilogue is None:
        return None
    V, T = site.target.lanes, tile(site.target, s)
    kernel = ConvDepthwise(s, B is not None, T, epilogue[0])
    total = s.N * ceil_div(s.C, V) * s.OH
    work = s.OW * V * max(16, s.kernel[0] * s.kernel[1])  # few taps: as long as it takes to move
    rows = chunks_for(work, total, site.threads)
    bias: Argument = Packed(PackChannels(V), (2,)) if B is not None else Input(0)
    arguments = (Input(0), Packed(PackTaps(V), (1,)), bias, Output(), *epilogue[1])
    why = f"depthwise, tile {T} pixels x {V} channels, {rows} rows a chunk"
    return (Call(kernel, arguments, ceil_div(total, rows), why, (rows,)),)
