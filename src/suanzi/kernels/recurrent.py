"""Recurrent layers: one product for the inputs of all times, then a walk along the sequences.

What the inputs add to the gates, X·Wᵀ + Wb, doesn't depend on the states: it is computed for all
times at once, and only h·Rᵀ (_walk.py) is left to one time after another.
"""

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from suanzi.kernels._epilogue import PlainEpilogue
from suanzi.kernels._kernel import (
    Argument,
    Call,
    Choice,
    Input,
    Kernel,
    Operand,
    Output,
    Packed,
    Scratch,
    Site,
)
from suanzi.kernels._panels import PackPanels, in_panels
from suanzi.kernels._product import Product
from suanzi.kernels._walk import (
    KEPT,
    GRUWalk,
    LSTMWalk,
    RecurrentWalk,
    ResetGRUWalk,
    RNNWalk,
)
from suanzi.kernels._weights import Made, Packing, Pieces, packed, split
from suanzi.kernels.elementwise import traceable
from suanzi.kernels.matmul import plan, tiles
from suanzi.lang import Trace, ceil_div
from suanzi.operators._elementwise import Elementwise
from suanzi.operators._operator import Array, Ints, TensorType
from suanzi.operators._recurrent import Recurrent
from suanzi.operators.linear import Gemm
from suanzi.operators.recurrent import GRU, LSTM, RNN


@dataclass(frozen=True)
class PackInputs:
    """W [D, G·H, I] to panels of its transpose's columns, as the product wants them."""

    width: int

    def __call__(self, W: Array) -> Array:
        return PackPanels(self.width, transposed=True)(W.reshape(-1, W.shape[-1]))


@dataclass(frozen=True)
class PackStates(Packing):
    """R [D, G·H, H] to [D][ceil(H/V)][H][G][V]."""

    gates: int
    lanes: int

    def shape(self, weights: Ints) -> Ints:
        D, _, H = weights
        return (D, ceil_div(H, self.lanes), H, self.gates, self.lanes)

    def pieces(self, packed: Array, weights: Array) -> Pieces:
        D, _, H = weights.shape
        units = weights.reshape(D, self.gates, H, H)
        for part, blocks, width in split(H, self.lanes):
            first = part.start // self.lanes
            piece = units[:, :, part].reshape(D, self.gates, blocks, width, H)
            place = packed[:, first : first + blocks, :, :, :width]
            yield place, piece.transpose(0, 2, 4, 1, 3)


@dataclass(frozen=True)
class PackBias:
    """B [D, 2·G·H] to Wb + Rb [D, G·H], for the last `apart` gates Wb alone."""

    gates: int
    apart: int

    def __call__(self, B: Array) -> Array:
        bias = B.reshape(B.shape[0], 2, self.gates, -1).astype(np.float32)
        bias[:, 1, self.gates - self.apart :] = 0
        return np.asarray(bias.sum(1))


@dataclass(frozen=True)
class PackLastBias(Packing):
    """B [D, 2·G·H] to the last gate's Rb [D, H]."""

    gates: int

    def shape(self, weights: Ints) -> Ints:
        return (weights[0], weights[1] // (2 * self.gates))

    def pieces(self, packed: Array, weights: Array) -> Pieces:
        yield packed, weights[:, -packed.shape[1] :]


@dataclass(frozen=True)
class SumBias(Kernel):
    """What PackBias does, for a B that arrives. The sizes: D, G·H, and H of the gates that get both
    added."""

    pointers: ClassVar[int] = 2
    sizes: ClassVar[int] = 3

    def chunk(self, k: Trace) -> None:
        D, size, shared = k.sizes
        b, y = k.tensor(0, 0, 2, size), k.tensor(1, 0, size)
        for d in k.range(D):
            for first, end in ((k.constant(0), shared), (shared, size)):
                for i in k.range(first, end, k.lanes):
                    count = (end - i).minimum(k.lanes)
                    value = b.vec_part(count, d, 0, i)
                    if end is shared:
                        value = value + b.vec_part(count, d, 1, i)
                    y.put_part(count, value, d, i)


def choose(site: Site) -> Choice:
    operator, target = site.operator, site.target
    X, W, R, B, sequence_lens, *states = (*site.inputs, *(None,) * 8)[:8]
    assert isinstance(operator, Recurrent)
    assert X is not None
    assert W is not None
    assert R is not None
    operands = [x for x in (*site.inputs, *site.outputs) if x is not None]
    if any(x.lanes or not x.is_float32 or x.type.size == 0 for x in operands):
        return None
    walk = walk_of(operator)
    peepholes = states[-1]
    if walk is None or sequence_lens is not None or peepholes is not None or site.chain:
        return None
    D, G, H, V = operator.directions, operator.gates, R.shape[-1], target.lanes
    T, N = X.shape[:2][::-1] if operator.layout else X.shape[:2]

    apart = 1 if walk is GRUWalk else 0
    p = Product(T * N, D * G * H, W.shape[-1], c=3 if B else None, c_steps=(0, 1) if B else None)
    tile = plan(target, p.M, p.N, p.K, site.threads)
    gates = Scratch("gates", 4 * p.M * p.N)
    made = packed(site, 2, PackStates(G, V))
    last = packed(site, 3, PackLastBias(G)) if B and apart else ((), Input(0))
    panels = _panels(site, W, tile[1] * V)
    if made is None or last is None or panels is None:
        return None
    summing, bias = _bias(B, G, H, apart) if B else ((), Input(0))
    inputs = tiles(
        p, tile, True, (Input(0), panels[1], bias, gates), target, site.threads, PlainEpilogue()
    )

    others: dict[str, Argument] = {"Rb": last[1]} if B and apart else {}
    free = target.registers - G - 1  # beside a weight for each gate, and h
    parts = max(ceil_div(N, min(12, free // G)), min(N, ceil_div(site.threads, D)))
    walking = walk_along(site, walk, (T, N, H), ceil_div(N, parts), gates, made[1], others)
    return (*panels[0], *summing, *made[0], *last[0], inputs, walking)


def _panels(site: Site, W: Operand, width: int) -> Made | None:
    """W as the product wants it, made in the run if it arrives."""
    if W.constant is not None:
        return (), Packed(PackInputs(width), (1,))
    rows = Operand(TensorType(W.type.dtype, (W.shape[0] * W.shape[1], W.shape[2])))
    product = replace(site, operator=Gemm(transB=1), inputs=(site.inputs[0], rows))
    return in_panels(product, width)


def _bias(B: Operand, G: int, H: int, apart: int) -> Made:
    if B.constant is not None:
        return (), Packed(PackBias(G, apart), (3,))
    D = B.shape[0]
    bias = Scratch("bias", 4 * D * G * H)
    sizes = (D, G * H, (G - apart) * H)
    return (Call(SumBias(), (Input(3), bias), 1, "Wb + Rb", sizes),), bias


def walk_along(
    site: Site,
    walk: type[RecurrentWalk],
    sizes: tuple[int, int, int],
    rows: int,
    gates: Scratch,
    weights: Argument,
    others: dict[str, Argument],
) -> Call:
    """The walk of T times, N sequences and H units, so many rows of them together."""
    operator, target = site.operator, site.target
    assert isinstance(operator, Recurrent)
    T, N, H = sizes
    D, G, V = operator.directions, operator.gates, target.lanes
    for number, name in ((5, "initial_h"), (6, "initial_c")):
        if number < len(site.inputs) and site.inputs[number] is not None:
            others[name] = Input(number)
    wanted = [y for i, y in enumerate(("Y", "Y_h", "Y_c")) if i not in site.skipped]
    others |= {name: Output(i) for i, name in enumerate(wanted[: len(site.outputs)])}
    free = target.registers - G - 1
    kernel = walk(
        functions=tuple(operator.functions()[: len(operator.defaults)]),
        directions=D,
        reverse=operator.direction == "reverse",
        N=N,
        H=H,
        layout=operator.layout,
        rows=rows,
        chains=max(1, min(4, ceil_div(8, G * rows), free // (G * rows))),
        given=tuple(others),
    )
    chunks = D * ceil_div(N, rows)
    states_bytes = 4 * chunks * (KEPT + walk.kept) * rows * ceil_div(H, V) * V
    memory = (gates, weights, Scratch("states", states_bytes))
    why = f"{D} x {N} sequences of {T} times, {rows} together, {H} units"
    return Call(kernel, (*memory, *others.values()), chunks, why, (T,))


def walk_of(layer: Recurrent) -> type[RecurrentWalk] | None:
    """The kind of walk that serves a layer."""
    functions, count = layer.functions(), len(layer.defaults)
    if layer.clip is not None or functions[:count] * layer.directions != functions:
        return None
    if not all(isinstance(f, Elementwise) and traceable(f) for f in functions):
        return None
    match layer:
        case RNN():
            return RNNWalk
        case LSTM():
            return None if layer.input_forget else LSTMWalk
        case GRU():
            return GRUWalk if layer.linear_before_reset else ResetGRUWalk
    return None
