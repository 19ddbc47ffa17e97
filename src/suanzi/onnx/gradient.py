"""Gradient, written out: from y back to the xs, by each operator's own rule in turn.

Source: https://onnx.ai/onnx/operators/onnx_aionnxpreviewtraining_Gradient.html (version 1)
"""

import dataclasses

from suanzi.errors import SuanziError
from suanzi.graph.gradient import backward
from suanzi.graph.trace import Symbol, Trace
from suanzi.onnx.contrib_steps import Steps
from suanzi.operators import Expand, Shape
from suanzi.operators._gradients import like


def gradient(s: Steps) -> tuple[str, ...]:
    """dy/dx for each x of xs: what y's elements, summed, gain with each element of x."""
    xs, zs, y = s.required("xs"), s.attribute("zs", ()), s.required("y")
    if (*xs, *zs) != s.call.inputs:
        raise SuanziError("Gradient at other values isn't supported", expected=(*xs, *zs))
    trace, known = Trace(), dict[str, Symbol]()

    def value(name: str) -> Symbol:
        """A value of the graph, as an input of the trace."""
        if name not in known:
            known[name] = trace.input(s.graph.type(name), name)
        return known[name]

    ones = Expand()(like(1, value(y)), Shape()(value(y)))
    found = backward(s.graph.nodes, {y: ones}, xs, value)
    made = [found[x] if x in found else value(x) * 0 for x in xs]
    return tuple(_written(s, trace, made))


def _written(s: Steps, trace: Trace, symbols: list[Symbol]) -> list[str]:
    """The symbols' names once the nodes of the trace are steps."""
    names = {name: name for name in ("", *trace.inputs)}
    for name, array in trace.constants.items():
        names[name] = s.constant(array, array.dtype)
    for node in trace.nodes:
        op = node.operator
        settings = {f.name: getattr(op, f.name) for f in dataclasses.fields(op)}
        inputs = [names[name] for name in node.inputs]
        made = s.several(len(node.outputs), type(op).__name__, *inputs, **settings)
        names.update(zip(node.outputs, made, strict=True))
    return [s("Identity", names[symbol.name]) for symbol in symbols]
