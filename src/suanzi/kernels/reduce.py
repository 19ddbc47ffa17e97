"""Sums, means and extremes over axes, of a value or of what a chain makes of some.

Neighbouring axes that are both reduced, or both kept, become one. Blocks of channels are vectors of
results. Where there are too few results for all threads, some parts of each are made first.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from suanzi.graph.fused import Chain, Folded
from suanzi.kernels._epilogue import PackChannels, extra_of, is_channels
from suanzi.kernels._folding import FORMS, MAX_AXES, Reduce
from suanzi.kernels._kernel import (
    Argument,
    Call,
    Choice,
    Input,
    Operand,
    Output,
    Packed,
    Scratch,
    Site,
)
from suanzi.kernels._rows import SMALLEST_CHUNK, Grid
from suanzi.kernels.elementwise import Source, collapse
from suanzi.lang import ceil_div
from suanzi.operators._axes import ints
from suanzi.operators._operator import Ints
from suanzi.operators.reduction import (
    ReduceL1,
    ReduceL2,
    ReduceMax,
    ReduceMean,
    ReduceMin,
    ReduceSum,
    ReduceSumSquare,
    Reduction,
)

OF_PARTS: dict[type[Reduction], type[Reduction]] = {
    **{kind: kind for kind in (ReduceSum, ReduceMean, ReduceMax, ReduceMin, ReduceL1, ReduceL2)},
    ReduceSumSquare: ReduceSum,
}
"""What makes a result of the results of as many parts of equal size."""


def choose(site: Site) -> Choice:
    """For reductions, of a chain's result too, over axes that are constant."""
    operator, Y = site.operator, site.output
    chain, arity = None, 1
    if isinstance(operator, Folded):
        chain, arity, operator = operator.chain, operator.chain.arity, operator.body
    operands, others = site.inputs[:arity], site.inputs[arity:]
    axes = others[0] if others else None
    if not isinstance(operator, Reduction) or type(operator) not in FORMS or site.chain is not None:
        return None
    if axes is not None and axes.constant is None:
        return None
    X = _folded(operands, chain)
    if X is None or not Y.is_float32 or X.type.size == 0:
        return None
    given = ints(axes.constant) if axes is not None and axes.constant is not None else ()
    over = operator.reduced_axes(given, len(X.shape))
    made = _blocked(operands, X, Y, over) if X.lanes else _plain(operands, X, Y, over)
    if made is None or True not in made.reduced or len(made.shape) > MAX_AXES:
        return None
    edge = bool(X.lanes) and not Y.lanes
    kernel = Reduce(type(operator), made.reduced, False, chain, made.sources, edge)
    width = X.shape[1] if kernel.edge else made.shape[-1]
    call = _call(kernel, made.shape, width, (Output(), *made.arguments), site)
    parts = _parts(made, kernel, call, site.threads)
    if parts == 1:
        return (call,)
    return _in_parts(made, parts, kernel, width, Y.type.size, site)


@dataclass(frozen=True)
class Laid:
    """What is folded as it lies: its axes, which are reduced, its operands and their arguments."""

    shape: Ints
    reduced: tuple[bool, ...]
    sources: tuple[Source, ...]
    arguments: tuple[Argument, ...]


def _folded(operands: Sequence[Operand | None], chain: Chain | None) -> Operand | None:
    """What is folded, if kernels can make it: the value itself, or what the chain makes."""
    if any(x is None for x in operands):
        return None
    present = [x for x in operands if x is not None]
    if chain is None:
        return present[0] if present[0].is_float32 else None
    if any(x.type.dtype.name not in ("float32", "int32", "int64", "bool") for x in present):
        return None
    return Operand(chain.infer(*(x.type for x in present)), max(x.lanes for x in present))


def _plain(operands: Sequence[Operand | None], X: Operand, Y: Operand, over: Ints) -> Laid | None:
    present = [x for x in operands if x is not None]
    if Y.lanes:
        return None
    results = tuple(1 if i in over else size for i, size in enumerate(X.shape))
    shape, (results_kept, *kept) = collapse(X.shape, [results, *(x.shape for x in present)])
    sources = tuple(
        Source("vector" if own[-1] else "number", own, x.type.dtype.name)
        for x, own in zip(present, kept, strict=True)
    )
    arguments = tuple(Input(i) for i in range(len(present)))
    return Laid(shape, tuple(not own for own in results_kept), sources, arguments)


def _blocked(operands: Sequence[Operand | None], X: Operand, Y: Operand, over: Ints) -> Laid | None:
    """Over the pixels, to blocks, or over samples and pixels, to plain."""
    (N, C, *pixels), V = X.shape, X.lanes
    if sorted(over) != [*([] if Y.lanes else [0]), *range(2, len(X.shape))]:
        return None
    sources: list[Source] = []
    arguments: list[Argument] = []
    for number, x in enumerate(operands):
        assert x is not None
        element = x.type.dtype.name
        if is_channels(x, X):
            sources.append(Source("channel", (False, True, False, True)))
            arguments.append(Input(number))
            continue
        extra = extra_of(x, X)
        if extra is None:
            return None
        constant = extra.kind == "channel"
        arguments.append(Packed(PackChannels(V), (number,)) if constant else Input(number))
        channels = extra.kind in ("full", "gate", "channel")
        batched = extra.batched and extra.kind in ("full", "gate", "pixel")
        kept = (batched, channels, extra.kind in ("full", "pixel"), channels)
        sources.append(Source("vector" if channels else "number", kept, element))
    shape = (N, ceil_div(C, V), math.prod(pixels), V)
    reduced = (not Y.lanes, False, True, False)
    return Laid(shape, reduced, tuple(sources), tuple(arguments))


def _call(
    kernel: Reduce, shape: Ints, width: int, arguments: tuple[Argument, ...], site: Site
) -> Call:
    vectors, rest = divmod(shape[-1], site.target.lanes)
    kernel = replace(kernel, tail=rest > 0)
    count = math.prod(size for size, r in zip(shape, kernel.reduced, strict=True) if r)
    results = math.prod(shape) // count
    operands = len(kernel.sources)
    if kernel.reduced[-1]:
        grid = Grid.cut(results, 1, count * operands, site.threads)
    else:
        work = site.target.lanes * count * operands
        grid = Grid.cut(results // shape[-1], vectors + (rest > 0), work, site.threads)
    padded = shape + (1,) * (MAX_AXES - len(shape))
    sizes = (*padded, vectors, rest, width, grid.chunk_rows, grid.chunk_vectors)
    why = f"{results} results of {count} elements, " + ("across" if kernel.reduced[-1] else "down")
    return Call(kernel, arguments, grid.chunks, why, sizes)


def _parts(made: Laid, kernel: Reduce, call: Call, threads: int) -> int:
    """How many parts of each result are made first, where there are too few results to share."""
    axis, work = made.reduced.index(True), math.prod(made.shape) * len(made.sources)
    most = min(4 * threads, work // SMALLEST_CHUNK, made.shape[axis])
    enough = call.chunks >= 2 * threads or kernel.operator not in OF_PARTS
    if threads == 1 or enough or len(made.shape) == MAX_AXES or (kernel.edge and axis > 0):
        return 1
    return max((n for n in range(1, most + 1) if made.shape[axis] % n == 0), default=1)


def _in_parts(
    made: Laid, parts: int, kernel: Reduce, width: int, results: int, site: Site
) -> tuple[Call, ...]:
    """The calls that reduce the parts of the first reduced axis, then what they have made."""
    axis = made.reduced.index(True)

    def twice(flags: tuple[bool, ...], first: bool) -> tuple[bool, ...]:
        return (*flags[:axis], first, *flags[axis:])

    shape = (*made.shape[:axis], parts, made.shape[axis] // parts, *made.shape[axis + 1 :])
    sources = tuple(replace(s, kept=twice(s.kept, s.kept[axis])) for s in made.sources)
    some = replace(kernel, reduced=twice(made.reduced, False), sources=sources)
    scratch = Scratch("parts", 4 * parts * results)
    first = _call(some, shape, width, (scratch, *made.arguments), site)
    before = math.prod(made.shape[:axis])
    rest, over = collapse((before, parts, results // before), [(before, 1, results // before)])
    reduced = tuple(not own for own in over[0])
    sources = (Source("vector", (True,) * len(rest)),)
    again = Reduce(OF_PARTS[kernel.operator], reduced, False, None, sources)
    return first, _call(again, rest, rest[-1], (Output(), scratch), site)
