"""Channel shuffle in blocks of channels: each vector is gathered from the blocks it comes from."""

import math
from dataclasses import dataclass
from typing import ClassVar

from suanzi.kernels._kernel import Call, Choice, Input, Kernel, Output, Site, chunks_for
from suanzi.kernels.copy import MOVED
from suanzi.lang import Lanes, Trace, ceil_div
from suanzi.operators.channel_shuffle import ChannelShuffle

MOST = 128
"""Blocks of channels, for each of which there is code."""


@dataclass(frozen=True)
class ShuffleKernel(Kernel):
    """One chunk: `span` pixels of one sample, in all channels. The sizes: pixels, span."""

    channels: int
    group: int
    pointers: ClassVar[int] = 2
    sizes: ClassVar[int] = 2

    def chunk(self, k: Trace) -> None:
        V, (P, span) = k.lanes, k.sizes
        blocks, depth = ceil_div(self.channels, V), self.channels // self.group
        x, y = k.tensor(0, 0, blocks, P, V), k.tensor(1, 0, blocks, P, V)
        n, part = k.unravel(k.chunk, 0, (P + span - 1) // span)
        first = part * span
        for block in range(blocks):
            real = range(block * V, min(block * V + V, self.channels))
            sources = [c % self.group * depth + c // self.group for c in real]
            for p in k.range(first, (first + span).minimum(P)):
                found = {b: x.vec(n, b, p, 0) for b in sorted({c // V for c in sources})}
                y.put(gathered(found, sources, V), n, block, p, 0)


def gathered(blocks: dict[int, Lanes], sources: list[int], V: int) -> Lanes:
    """A vector whose lane i is channel sources[i]; the others hold anything."""
    places = list(range(V))
    made = next(iter(blocks.values()))
    for i, (b, vector) in enumerate(blocks.items()):
        here = {lane: c % V for lane, c in enumerate(sources) if c // V == b}
        kept = places if i else [0] * V
        made = made.shuffle(vector, [V + here[j] if j in here else kept[j] for j in range(V)])
    return made


def choose(site: Site) -> Choice:
    op, X, Y = site.operator, site.inputs[0], site.output
    assert isinstance(op, ChannelShuffle)
    assert X is not None
    if not X.is_float32 or not X.lanes or not Y.lanes or site.chain or not X.type.size:
        return None
    N, C, *spatial = X.shape
    P, blocks = math.prod(spatial), ceil_div(C, X.lanes)
    if blocks > MOST:
        return None
    span = chunks_for(blocks * X.lanes, P, site.threads, MOVED)
    why = f"{span} pixels a chunk, lanes gathered by shuffles"
    chunks = N * ceil_div(P, span)
    return (Call(ShuffleKernel(C, op.group), (Input(0), Output()), chunks, why, (P, span)),)
