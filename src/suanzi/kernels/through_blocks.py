"""Kernels that only know blocks of channels, on plain data: there and back in scratch memory."""

from dataclasses import replace

from suanzi.graph.fused import Reorder
from suanzi.kernels import reorder
from suanzi.kernels._kernel import (
    Argument,
    Call,
    Choice,
    Chooser,
    Input,
    Operand,
    Output,
    Scratch,
    Site,
)


def through_blocks(chooser: Chooser, site: Site) -> Choice:
    """The calls for a site that is plain in its first input and in its output: a reorder to blocks,
    what the chooser finds for blocks, and a reorder back.
    """
    X, Y, V = site.inputs[0], site.output, site.target.lanes
    if X is None or X.lanes or Y.lanes or len(site.outputs) > 1 or site.chain is not None:
        return None
    if len(X.shape) < 3 or len(Y.shape) < 3:
        return None
    x, y = replace(X, lanes=V, constant=None), replace(Y, lanes=V)
    blocked = chooser(replace(site, inputs=(x, *site.inputs[1:]), outputs=(y,)))
    before = reorder.choose(
        replace(site, operator=Reorder(lanes=V), inputs=(X,), outputs=(x,), extras=())
    )
    after = reorder.choose(
        replace(site, operator=Reorder(lanes=0), inputs=(y,), outputs=(Y,), extras=())
    )
    if blocked is None or before is None or after is None:
        return None
    inside, outside = _scratch("blocks read", x), _scratch("blocks written", y)
    return (
        *(_moved(call, {Output(): inside}) for call in before),
        *(_moved(call, {Input(0): inside, Output(): outside}) for call in blocked),
        *(_moved(call, {Input(0): outside}) for call in after),
    )


def _scratch(name: str, operand: Operand) -> Scratch:
    return Scratch(name, operand.elements * operand.type.dtype.itemsize)


def _moved(call: Call, places: dict[Argument, Argument]) -> Call:
    """The call with some of its arguments in other memory."""
    return replace(call, arguments=tuple(places.get(a, a) for a in call.arguments))
