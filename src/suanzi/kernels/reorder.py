"""Plain layout to blocks of channels and back: V channels of V pixels transposed in registers."""

import math
from dataclasses import dataclass
from typing import ClassVar

from suanzi.kernels._kernel import Call, Choice, Input, Kernel, Output, Site
from suanzi.kernels.copy import share
from suanzi.lang import Index, Tensor, Trace, ceil_div


@dataclass(frozen=True)
class ReorderKernel(Kernel):
    """One chunk: a span of tiles, of V pixels each, of some planes; a plane is a block of channels.

    The sizes: planes, blocks of channels, channels, pixels, planes a chunk, tiles a chunk.
    """

    blocking: bool
    """To blocks; else from them."""
    channels: int
    """How many channels the last block has."""
    pixels: int
    """How many pixels the last tile has; 0 where all are whole."""
    pointers: ClassVar[int] = 2
    sizes: ClassVar[int] = 6

    def chunk(self, k: Trace) -> None:
        V = k.lanes
        planes, blocks, _, P, several, span = k.sizes
        parts = (P + (V - 1)) // V
        group, part = k.unravel(k.chunk, 0, (parts + span - 1) // span)
        first, whole = part * span, P // V
        for plane in k.range(group * several, (group * several + several).minimum(planes)):
            n, block = k.unravel(plane, 0, blocks)
            kinds = [(self.channels, block.equals(blocks - 1)), (V, block < blocks - 1)]
            if self.channels == V:
                kinds = [(V, block < blocks)]
            for channels, condition in kinds:
                with k.when(condition):
                    for tile in k.range(first, (first + span).minimum(whole)):
                        self.tile(k, plane, n, block, tile * V, channels, V)
                    if self.pixels:
                        with k.when((first <= whole) & (whole < first + span)):
                            self.tile(k, plane, n, block, whole * V, channels, self.pixels)

    def tile(
        self, k: Trace, plane: Index, n: Index, block: Index, p: Index, channels: int, pixels: int
    ) -> None:
        V, (_, _, C, P, _, _) = k.lanes, k.sizes
        source, result = (0, 1) if self.blocking else (1, 0)
        corner = k.tensor(source, 0, C, P).at(n, block * V, p)
        plain = Tensor(k, corner, (channels, P))
        blocked = Tensor(k, k.tensor(result, 0, P, V).at(plane, p, 0), (pixels, V))
        if self.blocking:
            rows = [plain.vec_part(pixels, c, 0) for c in range(channels)]
            rows += [k.zero()] * (V - channels)
            for pixel, row in enumerate(k.transpose(rows)[:pixels]):
                blocked.put(row, pixel, 0)
            return
        rows = [blocked.vec(pixel, 0) for pixel in range(pixels)]
        rows += [k.zero()] * (V - pixels)
        for c, row in enumerate(k.transpose(rows)[:channels]):
            plain.put_part(pixels, row, c, 0)


def choose(site: Site) -> Choice:
    X, Y, V = site.inputs[0], site.output, site.target.lanes
    assert X is not None
    if bool(X.lanes) == bool(Y.lanes) or not X.is_float32 or site.chain or not X.type.size:
        return None
    N, C, *spatial = X.shape
    P, blocks = math.prod(spatial), ceil_div(C, V)
    planes, tiles = N * blocks, ceil_div(P, V)
    several, span = share(V * V, tiles, planes, site.threads)
    kernel = ReorderKernel(bool(Y.lanes), C - (blocks - 1) * V, P % V)
    chunks = ceil_div(planes, several) * ceil_div(tiles, span)
    why = "tiles of V channels by V pixels, transposed in registers"
    sizes = (planes, blocks, C, P, several, span)
    return (Call(kernel, (Input(0), Output()), chunks, why, sizes),)
