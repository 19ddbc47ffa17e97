"""Backward through time: how recurrent layers pass gradients from each step to the one before.

The gates of all steps are made again at once, as Y holds the states that they saw; what passes from
step to step is then little but the products with R.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from suanzi.operators._compose import cut, join, part, swap_last, total
from suanzi.operators._gradients import like, reshape, transpose, zeros
from suanzi.operators._values import as_type
from suanzi.operators.activation import Clip
from suanzi.operators.arithmetic import Abs
from suanzi.operators.logic import Less, LessOrEqual, Where
from suanzi.operators.time_axis import ReverseSequence

if TYPE_CHECKING:
    from suanzi.operators._recurrent import Recurrent


class Weights(NamedTuple):
    """What one direction has: R [G·H, H], its bias and peepholes (None: none), activations."""

    R: Any
    Rb: Any
    P: Any
    functions: Sequence[Any]


class Activation(NamedTuple):
    """An activation applied to z, which is clipped before; its result is `value`."""

    function: Any
    bound: float | None
    z: Any
    value: Any

    @classmethod
    def of(cls, function: Any, z: Any, bound: float | None) -> "Activation":
        clipped = z if bound is None else Clip()(z, like(-bound, z), like(bound, z))
        return cls(function, bound, z, function(clipped))

    def back(self, gradient: Any) -> Any:
        """The gradient of z."""
        made = self.function.grad(gradient, self.value, self.z)[0]
        made = made() if callable(made) else made
        if self.bound is None:
            return made
        inside = LessOrEqual()(Abs()(self.z), like(self.bound, made))
        return Where()(inside, made, like(0, made))


class Step(NamedTuple):
    """What a step backwards gives: the gradients of X·Wᵀ + Wb, of H·Rᵀ + Rb, of the states before,
    and of the peepholes.
    """

    projected: Any
    recurrent: Any
    before: tuple[Any, ...]
    peepholes: Any = None


def through_time(
    layer: "Recurrent",
    dY: Sequence[Any],
    Y: Any,
    X: Any,
    W: Any,
    R: Any,
    B: Any,
    sequence_lens: Any,
    initial: Sequence[Any],
    P: Any = None,
) -> tuple[Any, ...]:
    """The gradients of X, W, R, B, nothing (for sequence_lens), the initial states, and P.

    dY are those of Y and of the last states.
    """
    d_steps, *d_last = dY
    if layer.layout:
        X, Y = transpose(X, 1, 0, 2), transpose(Y, 1, 2, 0, 3)
        d_steps = None if d_steps is None else transpose(d_steps, 1, 2, 0, 3)
        d_last, initial = (
            [None if s is None else transpose(s, 1, 0, 2) for s in states]
            for states in (d_last, initial)
        )
    made = [
        _direction(layer, d, d_steps, d_last, Y, X, W, R, B, sequence_lens, initial, P)
        for d in range(layer.directions)
    ]
    dX = made[0][0] if len(made) == 1 else made[0][0] + made[1][0]
    *weights, dB = zip(*(m[1] for m in made), strict=True)
    d_weights = [*(join(parts, 0) for parts in weights), None if B is None else join(dB, 0)]
    states = [join(parts, 0) for parts in zip(*(m[2] for m in made), strict=True)]
    if layer.layout:
        dX, states = transpose(dX, 1, 0, 2), [transpose(s, 1, 0, 2) for s in states]
    dP = None if P is None else join([m[3] for m in made], 0)
    return (dX, *d_weights, None, *states, dP)


def _direction(
    layer: "Recurrent",
    d: int,
    d_steps: Any,
    d_last: Sequence[Any],
    Y: Any,
    X: Any,
    W: Any,
    R: Any,
    B: Any,
    lens: Any,
    initial: Sequence[Any],
    P: Any,
) -> tuple[Any, list[Any], Sequence[Any], Any]:
    """The gradients of X; W, R and B; the initial states; and P, in one direction."""
    (T, N, _), H = X.shape, R.shape[-1]
    reverse = d == 1 or layer.direction == "reverse"

    def one(x: Any, axis: int = 0) -> Any:
        return part(x, axis, d, d + 1)

    def in_order(x: Any) -> Any:
        """The steps in the order in which this direction takes them, or back from it."""
        if not reverse:
            return x
        whole = np.full(N, T, np.int64)
        return ReverseSequence()(x, whole if lens is None else as_type(lens, np.dtype(np.int64)))

    def steps(y: Any) -> Any:
        return in_order(reshape(one(y, 1), (T, N, H)))

    x, w = in_order(X), reshape(one(W), W.shape[1:])
    count = len(layer.defaults)
    biases = (None, None) if B is None else cut(reshape(one(B), (-1,)), 0, 2)
    own = Weights(
        reshape(one(R), R.shape[1:]),
        biases[1],
        None if P is None else one(P),
        layer.functions()[d * count : (d + 1) * count],
    )
    states = [zeros((1, N, H), X) if s is None else one(s) for s in initial]
    before = join([states[0], part(steps(Y), 0, 0, T - 1)], 0) if T > 1 else states[0]
    projected, recurrent = x @ swap_last(w), before @ swap_last(own.R)
    if B is not None:
        projected, recurrent = projected + biases[0], recurrent + biases[1]

    alive: Sequence[Any] = (None,) * T
    if lens is not None:
        times = np.arange(T).reshape(T, 1, 1)
        running = Less()(times, reshape(as_type(lens, np.dtype(np.int64)), (1, N, 1)))
        alive = cut(as_type(running, np.dtype(X.dtype)), 0, T)

    memories, rest = [], tuple(states[1:])
    parts = (cut(v, 0, T) for v in (projected, recurrent, before))
    for z, r, h, live in zip(*parts, alive, strict=True):
        memory, new = layer.remember(z, r, (h, *rest), own)
        memories.append(memory)
        if live is not None:
            new = tuple(n * live + s * (1 - live) for n, s in zip(new, rest, strict=True))
        rest = new

    gradient = [zeros((1, N, H), X) if g is None else one(g) for g in d_last]
    arriving: Sequence[Any] = (None,) * T if d_steps is None else cut(steps(d_steps), 0, T)
    made: list[Step] = []
    for memory, arrived, live in zip(memories[::-1], arriving[::-1], alive[::-1], strict=True):
        entering = gradient if live is None else [g * live for g in gradient]
        kept = None if live is None else [g - e for g, e in zip(gradient, entering, strict=True)]
        if arrived is not None:
            arrived = arrived if live is None else arrived * live
            entering = [entering[0] + arrived, *entering[1:]]
        step = layer.back(memory, entering, own)
        made.append(step)
        gradient = list(step.before)
        if kept is not None:
            gradient = [g + k for g, k in zip(gradient, kept, strict=True)]
    made.reverse()
    d_projected = join([s.projected for s in made], 0)
    alike = made[0].recurrent is made[0].projected
    d_recurrent = d_projected if alike else join([s.recurrent for s in made], 0)
    d_weights = [
        reshape(product(d_projected, x), (1, *W.shape[1:])),
        reshape(layer.weigh(d_recurrent, before, memories), (1, *R.shape[1:])),
        None if B is None else _bias(d_projected, d_recurrent),
    ]
    dP = None
    if P is not None:
        dP = reshape(total(join([s.peepholes for s in made], 0), (0, 1), 0), (1, -1))
    return in_order(d_projected @ w), d_weights, gradient, dP


def _bias(d_projected: Any, d_recurrent: Any) -> Any:
    """The gradient of both biases, [1, 2·G·H]."""
    first = total(d_projected, (0, 1), 0)
    second = first if d_recurrent is d_projected else total(d_recurrent, (0, 1), 0)
    return reshape(join([first, second], 0), (1, -1))


def product(gradient: Any, values: Any) -> Any:
    """Σ over all steps and sequences of gradient ⊗ value: [G·H, I] of [T, N, G·H] and [T, N, I]."""
    rows = reshape(gradient, (-1, gradient.shape[-1]))
    return swap_last(rows) @ reshape(values, (-1, values.shape[-1]))
