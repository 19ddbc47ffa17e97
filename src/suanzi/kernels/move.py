"""The operators that only move elements, each as the copies that it comes to."""

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

import numpy as np

from suanzi.graph.depth import DepthPlaces, DepthWindows
from suanzi.kernels._kernel import Argument, Call, Choice, Input, Operand, Output, Packed, Site
from suanzi.kernels.copy import copy
from suanzi.lang import ceil_div
from suanzi.operators._axes import axis_of
from suanzi.operators._operator import Array, Operator
from suanzi.operators.cast import Identity
from suanzi.operators.channel_shuffle import ChannelShuffle
from suanzi.operators.indexing import Gather
from suanzi.operators.joining import Concat, Pad, Slice, Split, Tile
from suanzi.operators.shape import (
    DepthToSpace,
    Expand,
    Flatten,
    Reshape,
    SpaceToDepth,
    Squeeze,
    Transpose,
    Unsqueeze,
)

OUTPUT, INPUT = Output(0), Input(0)
MOST_PIECES = 32
"""Of a padding that repeats the data: each takes a call."""


@dataclass(frozen=True)
class Move:
    """`result[...] = source`: two views, and the arguments whose memory they view."""

    result: Array
    source: Array
    to: Argument = OUTPUT
    from_: Argument = INPUT


def memory(operand: Operand) -> Array:
    """An array that lies as the operand does; its contents don't matter."""
    if not operand.lanes:
        return np.empty(operand.shape, operand.type.dtype)
    N, C, *spatial = operand.shape
    shape = (N, ceil_div(C, operand.lanes), *spatial, operand.lanes)
    return np.empty(shape, operand.type.dtype)


def choose(site: Site) -> Choice:
    """For every operator of MOVES."""
    if site.chain is not None:
        return None
    moves = MOVES[type(site.operator)](site)
    if moves is None:
        return None
    calls: list[Call] = []
    for m in moves:
        made = copy(m.result, m.source, m.to, m.from_, site.target, site.threads)
        if made is None:
            return None
        calls.extend(made)
    return tuple(calls) or None


Moves = list[Move] | None


def _one_layout(site: Site) -> bool:
    return len({x.lanes for x in (*site.inputs, *site.outputs) if x is not None}) == 1


def _plain(site: Site) -> bool:
    return _one_layout(site) and not site.output.lanes


def _memories(site: Site) -> tuple[Array, Array]:
    """The first input's and the first output's."""
    X = site.inputs[0]
    assert X is not None
    return memory(X), memory(site.output)


def _view(site: Site) -> Moves:
    """An operator whose definition is a view of its first input; the others are constant."""
    others = site.inputs[1:]
    if not _plain(site) or any(x is not None and x.constant is None for x in others):
        return None
    x, y = _memories(site)
    (view,) = site.operator.numpy_all([x, *(None if o is None else o.constant for o in others)])
    return [Move(y, view)]


def _pieces(whole: Operand, parts: Sequence[Operand], axis: int) -> list[Array] | None:
    """The views of the whole's memory that its parts along an axis take up.

    Blocked channels can only be cut between blocks.
    """
    axis, V = axis_of(axis, len(whole.shape)), whole.lanes
    sizes = [part.shape[axis] for part in parts]
    if V and axis == 1:
        if any(size % V for size in sizes[:-1]):
            return None
        sizes = [ceil_div(size, V) for size in sizes]
    return np.split(memory(whole), list(accumulate(sizes))[:-1], axis)


def _concat(site: Site) -> Moves:
    op = site.operator
    assert isinstance(op, Concat)
    inputs = [x for x in site.inputs if x is not None]
    pieces = _pieces(site.output, inputs, op.axis) if _one_layout(site) else None
    if pieces is None:
        return None
    return [
        Move(piece, memory(x), OUTPUT, Input(i))
        for i, (piece, x) in enumerate(zip(pieces, inputs, strict=True))
    ]


def _split(site: Site) -> Moves:
    op, X = site.operator, site.inputs[0]
    assert isinstance(op, Split)
    assert X is not None
    lanes = {X.lanes, *(y.lanes for y in site.outputs)}
    if len(lanes) > 1 or sum(y.shape[op.axis] for y in site.outputs) != X.shape[op.axis]:
        return None  # where the sum is less, an output is left out
    pieces = _pieces(X, site.outputs, op.axis)
    if pieces is None:
        return None
    return [
        Move(memory(y), piece, Output(i))
        for i, (piece, y) in enumerate(zip(pieces, site.outputs, strict=True))
    ]


def _reshape(site: Site) -> Moves:
    """The same elements in the same order, where input and output can't share their memory."""
    if not _plain(site):
        return None
    x, y = _memories(site)
    return [Move(y, x.reshape(y.shape))]


def _expand(site: Site) -> Moves:
    if not _plain(site):
        return None
    x, y = _memories(site)
    return [Move(y, np.broadcast_to(x, y.shape))]


def _tile(site: Site) -> Moves:
    if not _plain(site):
        return None
    x, y = _memories(site)
    pairs = [(b // a, a) for a, b in zip(x.shape, y.shape, strict=True)]
    shape = [size for pair in pairs for size in pair]
    source = x.reshape([size for a in x.shape for size in (1, a)])
    return [Move(y.reshape(shape), np.broadcast_to(source, shape))]


def _depth_to_space(site: Site) -> Moves:
    op = site.operator
    assert isinstance(op, DepthToSpace)
    if not _plain(site):
        return None
    x, y = _memories(site)
    (N, C, H, W), b = x.shape, op.blocksize
    depth = C // b**2
    if op.mode == "DCR":
        source = x.reshape(N, b, b, depth, H, W).transpose(0, 3, 4, 1, 5, 2)
    else:
        source = x.reshape(N, depth, b, b, H, W).transpose(0, 1, 4, 2, 5, 3)
    return [Move(y.reshape(source.shape), source)]


def _space_to_depth(site: Site) -> Moves:
    op = site.operator
    assert isinstance(op, SpaceToDepth)
    if not _plain(site):
        return None
    x, y = _memories(site)
    (N, C, H, W), b = x.shape, op.blocksize
    order = (0, 3, 5, 1, 2, 4) if op.mode == "DCR" else (0, 1, 3, 5, 2, 4)
    source = x.reshape(N, C, H // b, b, W // b, b).transpose(order)
    return [Move(y.reshape(source.shape), source)]


def _channel_shuffle(site: Site) -> Moves:
    op = site.operator
    assert isinstance(op, ChannelShuffle)
    if not _plain(site):
        return None
    x, y = _memories(site)
    N, C, *sizes = x.shape
    source = x.reshape(N, op.group, C // op.group, *sizes).swapaxes(1, 2)
    return [Move(y.reshape(source.shape), source)]


def _gather(site: Site) -> Moves:
    """Constant indices at even distances; most often there is a single one."""
    op, (X, indices) = site.operator, site.inputs
    assert isinstance(op, Gather)
    assert X is not None
    assert indices is not None
    if not _plain(site) or indices.constant is None or not indices.constant.size:
        return None
    x, y = _memories(site)
    axis = axis_of(op.axis, x.ndim)
    size, places = x.shape[axis], indices.constant.ravel()
    if places.min() < -size or places.max() >= size:
        return None  # the definition says what is wrong
    places = np.where(places < 0, places + size, places)
    step = int(places[1] - places[0]) if places.size > 1 else 1
    if step == 0 or (np.diff(places) != step).any():
        return None
    stop = int(places[-1]) + step
    cut = slice(int(places[0]), None if stop < 0 else stop, step)
    source = x[(slice(None),) * axis + (cut,)]
    return [Move(y.reshape(source.shape), source)]


def _depth_windows(site: Site) -> Moves:
    op = site.operator
    assert isinstance(op, DepthWindows)
    if not _plain(site):
        return None
    x, y = _memories(site)
    zero, one = Packed(Zero(str(y.dtype)), ()), np.empty(1, y.dtype)
    return [
        Move(place, seen)
        if seen is not None
        else Move(place, np.broadcast_to(one, place.shape), OUTPUT, zero)
        for place, seen in op.taps(y, x)
    ]


def _depth_places(site: Site) -> Moves:
    op, inputs = site.operator, [x for x in site.inputs if x is not None]
    assert isinstance(op, DepthPlaces)
    if not _plain(site):
        return None
    parts = op.parts(memory(site.output), tuple(map(memory, inputs)))
    return [Move(place, seen, OUTPUT, Input(i)) for i, (place, seen) in enumerate(parts)]


@dataclass(frozen=True)
class Zero:
    """One element of 0, for what no input gives."""

    dtype: str

    def __call__(self) -> Array:
        return np.zeros(1, self.dtype)


def _pad(site: Site) -> Moves:
    """The data's place, and a border filled on two sides of each axis."""
    op, (X, pads, *others) = site.operator, site.inputs
    value, axes = (*others, None, None)[:2]
    assert isinstance(op, Pad)
    assert X is not None
    assert pads is not None
    if pads.constant is None or (axes is not None and axes.constant is None):
        return None
    if not _plain(site):
        return None
    x, y = _memories(site)
    widths = op.widths(x.ndim, pads.constant, None if axes is None else axes.constant)
    if op.mode != "constant":
        return _mirror(op.mode, x, y, widths)
    kept = [slice(max(-a, 0), n - max(-b, 0)) for n, (a, b) in zip(x.shape, widths, strict=True)]
    inside = [slice(max(a, 0), n - max(b, 0)) for n, (a, b) in zip(y.shape, widths, strict=True)]
    moves = [Move(y[tuple(inside)], x[tuple(kept)])]
    fill = Packed(Zero(str(y.dtype)), ()) if value is None else Input(2)
    one, whole = np.empty(1, y.dtype), [slice(None)] * y.ndim
    for axis, part in enumerate(inside):
        for border in (slice(0, part.start), slice(part.stop, None)):
            box = y[(*inside[:axis], border, *whole[axis + 1 :])]
            moves.append(Move(box, np.broadcast_to(one, box.shape), OUTPUT, fill))
    return moves


def _mirror(mode: str, x: Array, y: Array, widths: list[tuple[int, int]]) -> Moves:
    """A border that repeats the data: on each axis runs of places, forwards, backwards or one."""
    if min(map(min, widths)) < 0 or not x.size:
        return None
    axes = [
        list(_runs(np.pad(np.arange(size), width, mode)))  # type: ignore[call-overload]
        for size, width in zip(x.shape, widths, strict=True)
    ]
    if math.prod(map(len, axes)) > MOST_PIECES:
        return None
    moves = []
    for runs in itertools.product(*axes):
        box = y[tuple(to for to, _ in runs)]
        moves.append(Move(box, np.broadcast_to(x[tuple(source for _, source in runs)], box.shape)))
    return moves


def _runs(places: Array) -> Iterator[tuple[slice, slice]]:
    """The stretches of places at even distances: where each goes, and where it is from."""
    start = 0
    while start < len(places):
        step = int(places[start + 1] - places[start]) if start + 1 < len(places) else 1
        end = start + 1
        while end < len(places) and places[end] - places[end - 1] == step:
            end += 1
        first, last = int(places[start]), int(places[end - 1])
        stop = last + (step or 1)
        yield slice(start, end), slice(first, None if stop < 0 else stop, step or 1)
        start = end


MOVES: dict[type[Operator], Callable[[Site], Moves]] = {
    ChannelShuffle: _channel_shuffle,
    Concat: _concat,
    DepthPlaces: _depth_places,
    DepthToSpace: _depth_to_space,
    DepthWindows: _depth_windows,
    Expand: _expand,
    Flatten: _reshape,
    Gather: _gather,
    Identity: _reshape,
    Pad: _pad,
    Reshape: _reshape,
    Slice: _view,
    SpaceToDepth: _space_to_depth,
    Split: _split,
    Squeeze: _reshape,
    Tile: _tile,
    Transpose: _view,
    Unsqueeze: _reshape,
}
"""What each operator copies; None where it must be computed otherwise."""
