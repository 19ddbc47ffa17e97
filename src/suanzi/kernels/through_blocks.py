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
from suanzi.operators._operator import Ints


def through_blocks(chooser: Chooser, site: Site, data: Ints = (0,)) -> Choice:
    """The calls for a site that is plain in its inputs numbered `data` and in its output: reorders
    to blocks, what the chooser finds for blocks, and a reorder back.
    """
    Y, V = site.output, site.target.lanes
    inputs = list(site.inputs)
    before: list[Call] = []
    places: dict[Argument, Argument] = {}
    if Y.lanes or len(Y.shape) < 3 or len(site.outputs) > 1 or site.chain is not None:
        return None
    for number in data:
        X = inputs[number]
        if X is None or X.lanes or len(X.shape) < 3:
            return None
        inputs[number] = x = replace(X, lanes=V, constant=None)
        places[Input(number)] = inside = _scratch(f"blocks read {number}", x)
        calls = _reorder(site, X, x)
        if calls is None:
            return None
        moved: dict[Argument, Argument] = {Input(0): Input(number), Output(): inside}
        before.extend(_moved(call, moved) for call in calls)
    y = replace(Y, lanes=V)
    outside = _scratch("blocks written", y)
    blocked = chooser(replace(site, inputs=tuple(inputs), outputs=(y,)))
    after = _reorder(site, y, Y)
    if blocked is None or after is None:
        return None
    return (
        *before,
        *(_moved(call, {**places, Output(): outside}) for call in blocked),
        *(_moved(call, {Input(0): outside}) for call in after),
    )


def _reorder(site: Site, source: Operand, result: Operand) -> Choice:
    operator = Reorder(result.lanes)
    return reorder.choose(
        replace(site, operator=operator, inputs=(source,), outputs=(result,), extras=())
    )


def _scratch(name: str, operand: Operand) -> Scratch:
    return Scratch(name, operand.elements * operand.type.dtype.itemsize)


def _moved(call: Call, places: dict[Argument, Argument]) -> Call:
    """The call with some of its arguments in other memory."""
    return replace(call, arguments=tuple(places.get(a, a) for a in call.arguments))
