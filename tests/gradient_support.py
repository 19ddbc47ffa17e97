"""What the tests of gradients share: rules called as an engine does, and differences of values."""

import inspect
import zlib

import numpy as np

from suanzi.graph.evaluate import evaluate
from suanzi.graph.trace import Trace
from suanzi.operators import TensorType

EPS = 1e-6


def floating(x):
    """Whether an input is one of numbers that a gradient can be of."""
    return isinstance(x, np.ndarray) and x.dtype.kind == "f"


def rule(operator, dY, Y, inputs, wanted):
    """The gradients of the inputs by the operator's rule, called as an engine calls it: where a
    parameter has an underscore it gets the type alone, and what isn't wanted isn't made."""
    names = [*inspect.signature(operator.grad).parameters.values()]
    variadic = names[-1].kind is inspect.Parameter.VAR_POSITIONAL
    names += [names[-1]] * (2 + len(inputs) - len(names)) if variadic else []
    typed = [
        TensorType(x.dtype, x.shape) if p.name.startswith("_") and x is not None else x
        for p, x in zip(names[2:], inputs, strict=False)
    ]
    if names[1].name.startswith("_"):
        Y = tuple(TensorType(y.dtype, y.shape) for y in Y)
    made = operator.grad(dY if len(Y) > 1 else dY[0], Y if len(Y) > 1 else Y[0], *typed)
    made = [*made, *[None] * (len(inputs) - len(made))]
    return [
        (part() if callable(part) else part) if want else None
        for part, want in zip(made, wanted, strict=False)
    ]


def differences(operator, dY, inputs, i):
    """What the outputs, times dY, gain with each element of an input."""
    found = np.zeros(inputs[i].shape)
    for place in np.ndindex(found.shape):
        sides = []
        for step in (EPS, -EPS):
            moved = [x if x is None else x.copy() for x in inputs]
            moved[i][place] += step
            made = operator.numpy_all(moved)
            sides.append(sum((y * d).sum() for y, d in zip(made, dY, strict=True) if d is not None))
        found[place] = (sides[0] - sides[1]) / (2 * EPS)
    return found


def check(operator, *inputs, but=()):
    """Holds the gradients of all floating inputs to differences of values."""
    inputs = [x.astype(np.float64) if floating(x) else x for x in inputs]
    Y = operator.numpy_all(inputs)
    random = np.random.default_rng(zlib.crc32(repr(operator).encode()))
    dY = tuple(random.normal(size=y.shape) if floating(y) else None for y in Y)
    wanted = [floating(x) and i not in but for i, x in enumerate(inputs)]
    made = rule(operator, dY, Y, inputs, wanted)
    for i in np.flatnonzero(wanted):
        x = inputs[i]
        part = np.zeros(x.shape) if made[i] is None else np.asarray(made[i])
        assert part.shape == x.shape
        assert part.dtype == x.dtype
        np.testing.assert_allclose(part, differences(operator, dY, inputs, i), 1e-5, 1e-7)
    check_trace(operator, dY, Y, inputs, made, wanted)


def check_trace(operator, dY, Y, inputs, expected, wanted):
    """The same rule applied to symbols makes a graph of the same values."""
    trace, feeds = Trace(), {}

    def symbol(x, name):
        if not floating(x):
            return x
        feeds[name] = x
        return trace.input(TensorType(x.dtype, x.shape), name)

    given = [
        symbol(x, f"x{i}") if want else x
        for i, (x, want) in enumerate(zip(inputs, wanted, strict=True))
    ]
    gradients = tuple(symbol(d, f"d{i}") for i, d in enumerate(dY))
    outputs = tuple(symbol(y, f"y{i}") for i, y in enumerate(Y))
    made = rule(operator, gradients, outputs, given, wanted)
    present = [(m, e) for m, e in zip(made, expected, strict=True) if m is not None]
    symbols = [trace.symbol(m) for m, _ in present]
    assert all(
        s.type.dtype == np.asarray(e).dtype for s, (_, e) in zip(symbols, present, strict=True)
    )
    values = evaluate(trace.graph(symbols), feeds)
    for s, (_, e) in zip(symbols, present, strict=True):
        np.testing.assert_allclose(values[s.name], e, 1e-9, 1e-12)
