"""Elementwise operators and chains of them: one loop over vectors, any broadcasting.

The output is seen as rows of vectors. In plain memory the shape is first cut down to the axes that
matter: neighbours that every operand keeps, or every one repeats, become one axis; the last is the
row. In blocked memory a row is the pixels of one sample's block of channels, one vector each.
"""

import functools
import inspect
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from suanzi.graph.fused import Chain, in_registers
from suanzi.graph.quantized import Dequantize, Quantize, reads_bytes, writes_bytes
from suanzi.kernels._epilogue import PackChannels, extra_of, is_channels
from suanzi.kernels._kernel import (
    Argument,
    Call,
    Choice,
    Input,
    Kernel,
    Operand,
    Output,
    Packed,
    Site,
)
from suanzi.kernels._rows import Grid, along, chunk_rows, goes_past, load, offset, passing
from suanzi.lang import Index, Lanes, Mask, Tensor, Trace, ceil_div
from suanzi.lang.mathematics import VectorMathematics
from suanzi.lang.target import PORTABLE
from suanzi.operators._elementwise import Elementwise
from suanzi.operators._operator import Ints
from suanzi.operators.arithmetic import Pow

BYTES = ("int8", "uint8")
MAX_AXES = 4
"""Before the row."""


@dataclass(frozen=True)
class Source:
    """How an operand lies against the rows. `kept`: the axes before the row that it has itself.

    vector  a vector for each vector of the row
    same    one vector for the whole row
    number  one number for the whole row
    pixel   a number for each vector of the row
    channel one vector for the whole row, of channels in plain memory: fewer in the last block
    """

    kind: str
    kept: tuple[bool, ...]
    element: str = "float32"


Value = Lanes | Mask | float | None
Reader = Callable[[Index, Index | None], Value]
"""Gives an operand's vector of that number in a row; of the last one only the first elements."""


@dataclass(frozen=True)
class Apply(Kernel):
    """One chunk: some rows, or a piece of one.

    The sizes of a call: the axes before the row (the last MAX_AXES - axes of them unused), the
    whole vectors of a row, the elements after them, the channels of blocks, and the rows and
    vectors of a chunk.
    """

    operator: Elementwise
    sources: tuple[Source | float | None, ...]
    """A number is an operand known beforehand, None one left out."""
    axes: int
    unroll: int
    tail: bool
    element: str = "float32"
    large: bool = False
    """Written past the caches."""
    sizes: ClassVar[int] = MAX_AXES + 5

    def pointer_count(self) -> int:
        return 1 + sum(isinstance(s, Source) for s in self.sources)

    def chunk(self, k: Trace) -> None:
        shape = k.sizes[: self.axes]
        vectors, rest, channels, *chunk = k.sizes[MAX_AXES:]
        row_vectors = vectors + 1 if self.tail else vectors
        lengths = {
            "vector": vectors * k.lanes + rest,
            "same": k.constant(k.lanes),
            "number": k.constant(1),
            "pixel": vectors,
            "channel": k.constant(k.lanes),
        }
        out = k.tensor(0, 1, element=self.element)
        rows = math.prod(shape, start=k.constant(1))
        for put in passing(k, out, self.large):
            for row, begin, end in chunk_rows(k, rows, row_vectors, *chunk):
                at = k.unravel(row, *shape)
                readers = []
                pointer = 1
                for source in self.sources:
                    if isinstance(source, Source):
                        start = offset(k, at, shape, source.kept, lengths[source.kind])
                        memory = k.tensor(pointer, 1, element=source.element)
                        readers.append(_reader(source.kind, memory, start, channels))
                        pointer += 1
                    else:
                        readers.append(_known(source))
                start = row * lengths["vector"]
                tail = rest if self.tail else None
                for v, part in along(k, begin, end, vectors, tail, self.unroll):
                    y = self.value(k, [read(v, part) for read in readers])
                    put(out, y, start + v * k.lanes, part)

    def value(self, k: Trace, values: Sequence[Value]) -> Lanes:
        y = self.operator.formula(VectorMathematics(k), *values)
        if isinstance(y, Mask):
            y = k.select(y, k.fill_int(1), k.fill_int(0))
        assert isinstance(y, Lanes)
        return y


def _reader(kind: str, memory: Tensor, start: Index, channels: Index) -> Reader:
    if kind == "channel":
        some = memory.vec_part((channels - start).minimum(memory.k.lanes), start)
        return lambda v, part: some
    if kind in ("same", "number"):
        value = operand_value(memory, memory.vec(start) if kind == "same" else memory.bcast(start))
        return lambda v, part: value
    if kind == "pixel":
        return lambda v, part: memory.bcast(start + v)
    return lambda v, part: operand_value(memory, load(memory, start + v * memory.k.lanes, part))


def operand_value(memory: Tensor, value: Lanes) -> Lanes | Mask:
    """What a formula computes with: a mask for bool, float32 for the bytes of quantized numbers."""
    if memory.kind == "bool":
        return value != 0
    return value.to_float() if memory.kind in BYTES else value


def _known(value: float | None) -> Reader:
    return lambda v, part: value


@functools.cache
def instructions(operator: Elementwise, elements: tuple[str, ...] = ()) -> int | None:
    """How many instructions the formula takes on inputs of these types, float32 where none is
    given; None if the language can't trace it."""
    k = Trace("formula", PORTABLE, 0, 0)
    arity = _arity(operator)
    zeros = {"bool": k.zero() != 0, "int32": k.fill_int(0), "int64": k.fill_int(0, wide=True)}
    values = [zeros.get(e, k.zero()) for e in (*elements, *["float32"] * arity)[:arity]]
    try:
        y = operator.formula(VectorMathematics(k), *values)
    except (TypeError, AttributeError, ValueError):
        return None
    return len(k.b.block.instructions) if isinstance(y, (Lanes, Mask)) else None


def traceable(operator: Elementwise) -> bool:
    """Whether the language can trace the operator's formula on float32."""
    return instructions(operator) is not None


def _arity(operator: Elementwise) -> int:
    """The formula's inputs, optional ones included; two where it takes any number."""
    if isinstance(operator, Chain):
        return operator.arity
    parameters = list(inspect.signature(operator.formula).parameters.values())[1:]
    return sum(2 if p.kind is p.VAR_POSITIONAL else 1 for p in parameters)


def _exponents(operator: Elementwise) -> set[int | None]:
    """The operands that are read as the exponent of a power and nowhere else."""
    if isinstance(operator, Pow):
        return {1}
    if not isinstance(operator, Chain):
        return set()
    powers = [link.sources for link in operator.links if isinstance(link.operator, Pow)]
    read = [source for link in operator.links for source in link.sources]
    return {sources[1] for sources in powers if read.count(sources[1]) == 1}


def _number(operand: Operand) -> float | None:
    """The one number that an operand is, where it is known."""
    if operand.constant is None or operand.constant.size != 1:
        return None
    return float(np.asarray(operand.constant).reshape(())[()])


def choose(site: Site) -> Choice:
    operator, output = site.operator, site.output
    if not isinstance(operator, Elementwise) or site.chain is not None:
        return None
    if not _kept(output, writes_bytes(operator)) or output.type.size == 0:
        return None
    exponents = _exponents(operator)
    numbers = {
        i: number
        for i, x in enumerate(site.inputs)
        if x is not None and i in exponents and (number := _number(x)) is not None
    }
    operands = {i: x for i, x in enumerate(site.inputs) if x is not None and i not in numbers}
    types = [operands[i].type if i in operands else None for i in range(len(site.inputs))]
    made_by_passes = isinstance(operator, (Chain, Dequantize, Quantize))
    if not operands or not (made_by_passes or in_registers(operator, types)):
        return None
    cost = instructions(operator, tuple("" if t is None else t.dtype.name for t in types))
    if cost is None:
        return None
    if not all(_kept(x, reads_bytes(operator, i)) for i, x in operands.items()):
        return None
    made = _blocked(operands, output) if output.lanes else _plain(operands, output, site)
    if made is None:
        return None
    found, arguments, shape, vectors, rest = made
    if len(shape) > MAX_AXES:
        return None
    sources = tuple(found.get(i, numbers.get(i)) for i in range(len(site.inputs)))
    unroll = 4 if cost <= 12 else 2 if cost <= 60 else 1
    V, rows, row_vectors = site.target.lanes, math.prod(shape), vectors + (rest > 0)
    large = output.is_float32 and goes_past(4 * output.elements, rows, rest)
    name = output.type.dtype.name
    kernel = Apply(operator, sources, len(shape), unroll, rest > 0, name, large)
    grid = Grid.cut(rows, row_vectors, V, site.threads)
    padded = shape + (1,) * (MAX_AXES - len(shape))
    channels = output.shape[1] if output.lanes else 0
    sizes = (*padded, vectors, rest, channels, grid.chunk_rows, grid.chunk_vectors)
    why = f"{rows} rows of {vectors * V + rest} elements, {cost} instructions a vector"
    return (Call(kernel, (Output(), *arguments), grid.chunks, why, sizes),)


def _kept(x: Operand, bytes: bool) -> bool:
    """Whether the kernel reads or writes the operand's type; quantized numbers where it may."""
    others = ("int32", "int64", "bool", *BYTES) if bytes else ("int32", "int64", "bool")
    return x.is_float32 or (not x.lanes and x.type.dtype.name in others)


Made = tuple[dict[int, Source], list[Argument], Ints, int, int]
"""The sources, their arguments, the axes before the row, a row's whole vectors and what is over."""


def _plain(operands: dict[int, Operand], output: Operand, site: Site) -> Made | None:
    if any(x.lanes for x in operands.values()):
        return None
    shape, kept = collapse(output.shape, [x.shape for x in operands.values()])
    sources = {
        i: Source("vector" if own[-1] else "number", own[:-1], x.type.dtype.name)
        for (i, x), own in zip(operands.items(), kept, strict=True)
    }
    vectors, rest = divmod(shape[-1], site.target.lanes)
    return sources, [Input(i) for i in operands], shape[:-1], vectors, rest


def _blocked(operands: dict[int, Operand], output: Operand) -> Made | None:
    V = output.lanes
    N, blocks, pixels = output.shape[0], ceil_div(output.shape[1], V), math.prod(output.shape[2:])
    plain = {i for i, x in operands.items() if is_channels(x, output)}
    extras = {i: extra_of(x, output) for i, x in operands.items() if i not in plain}
    kinds = {extra.kind for extra in extras.values() if extra is not None}
    if kinds <= {"full", "scalar"} and not plain:  # memory is memory: one long row
        N, blocks, pixels = 1, 1, N * blocks * pixels
    sources: dict[int, Source] = {}
    arguments: list[Argument] = []
    for i in operands:
        if i in plain:
            sources[i] = Source("channel", (False, True))
            arguments.append(Input(i))
            continue
        extra = extras[i]
        if extra is None:
            return None
        channel = extra.kind == "channel"
        arguments.append(Packed(PackChannels(V), (i,)) if channel else Input(i))
        batched = extra.batched and extra.kind in ("full", "gate", "pixel")
        kind = {"full": "vector", "pixel": "pixel", "scalar": "number"}.get(extra.kind, "same")
        sources[i] = Source(kind, (batched, extra.kind in ("full", "gate", "channel")))
    return sources, arguments, (N, blocks), pixels, 0


def collapse(shape: Ints, operands: Sequence[Ints]) -> tuple[Ints, list[tuple[bool, ...]]]:
    """The fewest axes that say how operands broadcast to a shape, and which of them each keeps.

    >>> collapse((8, 3, 5, 7), [(8, 3, 5, 7), (3, 1, 1)])
    ((8, 3, 35), [(True, True, True), (False, True, False)])
    """
    padded = [(1,) * (len(shape) - len(x)) + x for x in operands]
    sizes: list[int] = []
    patterns: list[tuple[bool, ...]] = []
    for axis, size in enumerate(shape):
        if size == 1:
            continue
        pattern = tuple(x[axis] == size for x in padded)
        if patterns and patterns[-1] == pattern:
            sizes[-1] *= size
        else:
            sizes.append(size)
            patterns.append(pattern)
    while len(sizes) < 2:  # an axis before the row, and the row
        sizes.insert(0, 1)
        patterns.insert(0, (True,) * len(padded))
    return tuple(sizes), [tuple(p[i] for p in patterns) for i in range(len(padded))]
