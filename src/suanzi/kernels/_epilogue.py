"""What a kernel does to its result before it writes it: a chain of elementwise operators."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from suanzi.graph.fused import Chain
from suanzi.kernels._kernel import Argument, Input, Operand, Packed, Site
from suanzi.kernels._weights import Packing, Pieces
from suanzi.lang import Index, Lanes, Tensor, Trace, ceil_div
from suanzi.lang.mathematics import VectorMathematics
from suanzi.operators._operator import Array, Ints


@dataclass(frozen=True)
class PackChannels(Packing):
    """A value for each channel, padded to whole blocks."""

    lanes: int

    def shape(self, weights: Ints) -> Ints:
        return (ceil_div(math.prod(weights), self.lanes) * self.lanes,)

    def pieces(self, packed: Array, weights: Array) -> Pieces:
        yield packed[: weights.size], weights.reshape(-1)


@dataclass(frozen=True)
class Extra:
    """One other input of the chain. Its kind says how it lies against the blocked output:

    scalar    one number
    channel   a number for each channel, padded to whole blocks unless `channels` are told
    gate      a number for each sample and channel: blocked [N, C, 1, 1]
    full      the output's shape and layout
    pixel     a number for each sample and pixel: plain [N, 1, H, W], N the output's or 1
    """

    kind: str
    batched: bool = True
    channels: int = 0


@dataclass(frozen=True)
class Epilogue:
    """The chain and how its extras lie; part of a kernel's plan. Without a chain: nothing."""

    chain: Chain | None = None
    extras: tuple[Extra, ...] = ()

    def apply(
        self,
        k: Trace,
        x: Lanes,
        first_pointer: int,
        blocks: int,
        pixels: int | Index,
        n: Index | int,
        block: Index | int,
        pixel: Index | int,
    ) -> Lanes:
        """The chain on one vector of channels of blocked output [n][block][pixel][lanes].

        The extras are the kernel's pointers from `first_pointer` on.
        """
        if self.chain is None:
            return x
        values = []
        for number, extra in enumerate(self.extras, first_pointer):
            if extra.kind == "scalar":
                value = k.tensor(number, 1).bcast(0)
            elif extra.kind == "channel":
                value = self.channel(k, k.tensor(number, blocks, k.lanes), block, extra.channels)
            elif extra.kind == "gate":
                place = n if extra.batched else 0
                value = k.tensor(number, 1, blocks, k.lanes).vec(place, block, 0)
            elif extra.kind == "pixel":
                place = n if extra.batched else 0
                value = k.tensor(number, 1, pixels).bcast(place, pixel)
            else:
                value = k.tensor(number, 1, blocks, pixels, k.lanes).vec(n, block, pixel, 0)
            values.append(value)
        result = self.chain.formula(VectorMathematics(k), x, *values)
        assert isinstance(result, Lanes)
        return result

    @staticmethod
    def channel(k: Trace, x: Tensor, block: Index | int, channels: int) -> Lanes:
        if channels % k.lanes == 0:
            return x.vec(block, 0)
        return x.vec_part((k.constant(channels) - block * k.lanes).minimum(k.lanes), block, 0)


def blocked_epilogue(site: Site) -> tuple[Epilogue, tuple[Argument, ...]] | None:
    """The epilogue of a site with blocked output, and its arguments; None if it can't be had."""
    if site.chain is None:
        return Epilogue(), ()
    kinds: list[Extra] = []
    arguments: list[Argument] = []
    for number, extra in enumerate(site.extras, len(site.inputs)):
        arrives = is_channels(extra, site.output)
        channels = Extra("channel", channels=site.output.shape[1])
        kind = channels if arrives else extra_of(extra, site.output)
        if kind is None:
            return None
        kinds.append(kind)
        if kind.kind == "channel" and not arrives:
            arguments.append(Packed(PackChannels(site.output.lanes), (number,)))
        else:
            arguments.append(Input(number))
    return Epilogue(site.chain, tuple(kinds)), tuple(arguments)


def is_channels(x: Operand, output: Operand) -> bool:
    """Whether a value that arrives has one number for each channel of blocks, and lies plain."""
    if x.lanes or x.constant is not None or not x.is_float32 or x.type.size == 1:
        return False
    shape = (1,) * (len(output.shape) - len(x.shape)) + x.shape
    return shape == (1, output.shape[1], *[1] * (len(output.shape) - 2))


def extra_of(extra: Operand, output: Operand) -> Extra | None:
    """How a value lies against blocked output; None where a kernel can't read it so."""
    if not extra.is_float32:
        return None
    if extra.type.size == 1:
        return Extra("scalar")
    N, C, *spatial = output.shape
    shape = (1,) * (len(output.shape) - len(extra.shape)) + extra.shape
    ones: Sequence[int] = [1] * len(spatial)
    if extra.lanes:
        if shape == output.shape:
            return Extra("full")
        if shape[1] == C and list(shape[2:]) == ones:
            return Extra("gate", batched=shape[0] == N)
        return None
    if extra.constant is not None and shape[0] == 1 and shape[1] == C and list(shape[2:]) == ones:
        return Extra("channel")
    if shape[1] == 1 and list(shape[2:]) == list(spatial) and shape[0] in (1, N):
        return Extra("pixel", batched=shape[0] == N)
    return None


@dataclass(frozen=True)
class PlainEpilogue:
    """The chain on a plain output, and how each of its extras lies against it:

    scalar    one number
    last      a number for each place along the last axis
    channel   a number for each channel (axis 1)
    gate      a number for each sample and channel
    full      the output's shape
    """

    chain: Chain | None = None
    kinds: tuple[str, ...] = ()

    def apply(
        self,
        k: Trace,
        x: Lanes,
        first_pointer: int,
        places: Mapping[str, Index],
        count: Index | int,
    ) -> Lanes:
        """The chain on one vector along the last axis, of which `count` lanes are real.

        `places` says for each kind which element is lane 0's (and every lane's for a channel).
        """
        if self.chain is None:
            return x
        values = []
        for number, kind in enumerate(self.kinds, first_pointer):
            extra = k.tensor(number, 1)
            if kind == "scalar":
                value = extra.bcast(0)
            elif kind in ("channel", "gate"):
                value = extra.bcast(places[kind])
            else:
                value = extra.vec_part(count, places[kind])
            values.append(value)
        result = self.chain.formula(VectorMathematics(k), x, *values)
        assert isinstance(result, Lanes)
        return result


def plain_epilogue(
    site: Site, allowed: Sequence[str]
) -> tuple[PlainEpilogue, tuple[Argument, ...]] | None:
    """The epilogue of a site whose output is plain, and its arguments; None if it can't be had."""
    if site.chain is None:
        return PlainEpilogue(), ()
    kinds = [_plain_kind(extra, site.output.shape, allowed) for extra in site.extras]
    if None in kinds:
        return None
    arguments = tuple(Input(n) for n in range(len(site.inputs), len(site.inputs) + len(kinds)))
    return PlainEpilogue(site.chain, tuple(kind for kind in kinds if kind)), arguments


def _plain_kind(extra: Operand, output: Sequence[int], allowed: Sequence[str]) -> str | None:
    """The first of the allowed kinds that the extra is of."""
    if extra.lanes or not extra.is_float32:
        return None
    rank = len(output)
    shape = (1,) * (rank - len(extra.shape)) + extra.shape
    shapes = {
        "scalar": (1,) * rank,
        "last": (1,) * (rank - 1) + tuple(output[-1:]),
        "channel": (1, *output[1:2], *[1] * (rank - 2)),
        "gate": (*output[:2], *[1] * (rank - 2)),
        "full": tuple(output),
    }
    return next((kind for kind in allowed if shapes[kind] == shape), None)
