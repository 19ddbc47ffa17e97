"""Recurrent layers: a state that goes from each step of a sequence to the next."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from suanzi.operators._compose import apart, cut, join, part, swap_last
from suanzi.operators._gradients import zeros
from suanzi.operators._operator import Array, Example, TensorType, operator
from suanzi.operators._recurrent import Function, Recurrent
from suanzi.operators._recurrent_gradient import (
    Activation,
    Step,
    Weights,
    product,
    through_time,
)


class OneState(Recurrent):
    """A recurrent layer that carries the hidden state alone."""

    grad_outputs = (0,)

    def infer(
        self,
        X: TensorType,
        W: TensorType,
        R: TensorType,
        B: TensorType | None = None,
        sequence_lens: TensorType | None = None,
        initial_h: TensorType | None = None,
    ) -> tuple[TensorType, TensorType]:
        return self.infer_states(X, W, R, B, sequence_lens, initial_h=initial_h)

    def numpy(
        self,
        X: Array,
        W: Array,
        R: Array,
        B: Array | None = None,
        sequence_lens: Array | None = None,
        initial_h: Array | None = None,
    ) -> tuple[Array, ...]:
        return self.scan(X, W, R, B, sequence_lens, (initial_h,))

    def grad(
        self,
        dY: Any,
        Y: Any,
        X: Any,
        W: Any,
        R: Any,
        B: Any = None,
        sequence_lens: Any = None,
        initial_h: Any = None,
    ) -> tuple[Any, ...]:
        return through_time(self, dY, Y[0], X, W, R, B, sequence_lens, (initial_h,))[:-1]


@operator(family="recurrent", torch="nn.RNN")
class RNN(OneState):
    """H' = f(X·Wᵀ + Wb + H·Rᵀ + Rb), where f = tanh. Shapes and attributes: see Recurrent."""

    gates = 1
    defaults = ("Tanh",)

    def step(
        self, x: Array, state: tuple[Array, ...], R: Array, Rb: Array, P: Array, f: list[Function]
    ) -> tuple[Array, ...]:
        (H,) = state
        return (f[0](self.clipped(x + H @ R.T + Rb)),)

    def remember(
        self, projected: Any, recurrent: Any, state: tuple[Any, ...], own: Weights
    ) -> tuple[Any, tuple[Any, ...]]:
        return Activation.of(own.functions[0], projected + recurrent, self.clip), ()

    def back(self, memory: Any, gradient: Sequence[Any], own: Weights) -> Step:
        d = memory.back(gradient[0])
        return Step(d, d, (d @ own.R,))


@operator(family="recurrent", torch="nn.GRU")
class GRU(OneState):
    """Update gate z, reset gate r and what is new, h; W, R and B hold them in this order:

    z = f(X·Wzᵀ + Wbz + H·Rzᵀ + Rbz)
    r = f(X·Wrᵀ + Wbr + H·Rrᵀ + Rbr)
    h = g(X·Whᵀ + Wbh + (r ⊙ H)·Rhᵀ + Rbh), or if linear_before_reset, as PyTorch has it,
        g(X·Whᵀ + Wbh + r ⊙ (H·Rhᵀ + Rbh))
    H' = (1 - z) ⊙ h + z ⊙ H

    where f = sigmoid and g = tanh. Shapes and attributes: see Recurrent.
    """

    linear_before_reset: int = 0

    gates = 3
    defaults = ("Sigmoid", "Tanh")

    def step(
        self, x: Array, state: tuple[Array, ...], R: Array, Rb: Array, P: Array, f: list[Function]
    ) -> tuple[Array, ...]:
        (H,) = state
        (xz, xr, xh), (Rz, Rr, Rh) = np.split(x, 3, axis=1), np.split(R, 3)
        bz, br, bh = np.split(Rb, 3)
        z = f[0](self.clipped(xz + H @ Rz.T + bz))
        r = f[0](self.clipped(xr + H @ Rr.T + br))
        inner = r * (H @ Rh.T + bh) if self.linear_before_reset else (r * H) @ Rh.T + bh
        h = f[1](self.clipped(xh + inner))
        return ((1 - z) * h + z * H,)

    def remember(
        self, projected: Any, recurrent: Any, state: tuple[Any, ...], own: Weights
    ) -> tuple[Any, tuple[Any, ...]]:
        (H,), (f, g) = state, own.functions
        width = 2 * H.shape[-1]  # of z and r, which go through the same activation
        (x, xh), (y, hh) = (apart(v, width) for v in (projected, recurrent))
        gates = Activation.of(f, x + y, self.clip)
        z, r = cut(gates.value, -1, 2)
        if self.linear_before_reset:
            inner = r * hh
        else:
            inner = (r * H) @ swap_last(part(own.R, 0, width, own.R.shape[0]))
            if own.Rb is not None:
                inner = inner + part(own.Rb, 0, width, own.R.shape[0])
        return (H, hh, z, r, gates, Activation.of(g, xh + inner, self.clip)), ()

    def back(self, memory: Any, gradient: Sequence[Any], own: Weights) -> Step:
        (H, hh, z, r, gates, h), (dH,) = memory, gradient
        dh, dz, kept = h.back(dH * (1 - z)), dH * (H - h.value), dH * z
        if self.linear_before_reset:
            d = gates.back(join([dz, dh * hh], -1))
            recurrent = join([d, dh * r], -1)
            return Step(join([d, dh], -1), recurrent, (kept + recurrent @ own.R,))
        width = 2 * H.shape[-1]
        reset = dh @ part(own.R, 0, width, own.R.shape[0])  # the gradient of r ⊙ H
        d = gates.back(join([dz, reset * H], -1))
        whole = join([d, dh], -1)
        return Step(whole, whole, (kept + reset * r + d @ part(own.R, 0, 0, width),))

    def weigh(self, recurrent: Any, before: Any, memories: Sequence[Any]) -> Any:
        if self.linear_before_reset:
            return product(recurrent, before)
        gates, h = apart(recurrent, 2 * before.shape[-1])
        reset = join([r * H for H, _, _, r, _, _ in memories], 0)
        return join([product(gates, before), product(h, reset)], 0)

    @classmethod
    def examples(cls) -> list[Example]:
        torch = cls(hidden_size=3, linear_before_reset=1)
        return [*super().examples(), Example(torch, cls.data())]


@operator(family="recurrent", torch="nn.LSTM")
class LSTM(Recurrent):
    """Gates for input, output and forgetting, i, o, f, and what is new, c; W, R, B hold them so:

    i = f(X·Wiᵀ + Wbi + H·Riᵀ + Rbi + Pi ⊙ C)
    f = f(X·Wfᵀ + Wbf + H·Rfᵀ + Rbf + Pf ⊙ C), or 1 - i if input_forget
    c = g(X·Wcᵀ + Wbc + H·Rcᵀ + Rbc)
    C' = f ⊙ C + i ⊙ c
    o = f(X·Woᵀ + Wbo + H·Roᵀ + Rbo + Po ⊙ C')
    H' = o ⊙ h(C')

    where f = sigmoid and g = h = tanh. P [D, 3·H] holds Pi, Po, Pf; initial_c and Y_c are to C
    what initial_h and Y_h are to H. Shapes and attributes: see Recurrent.
    """

    input_forget: int = 0

    grad_outputs = (0,)
    gates = 4
    defaults = ("Sigmoid", "Tanh", "Tanh")

    def infer(
        self,
        X: TensorType,
        W: TensorType,
        R: TensorType,
        B: TensorType | None = None,
        sequence_lens: TensorType | None = None,
        initial_h: TensorType | None = None,
        initial_c: TensorType | None = None,
        P: TensorType | None = None,
    ) -> tuple[TensorType, TensorType, TensorType]:
        initial = {"initial_h": initial_h, "initial_c": initial_c}
        Y, state = self.infer_states(X, W, R, B, sequence_lens, P, **initial)
        return Y, state, state

    def numpy(
        self,
        X: Array,
        W: Array,
        R: Array,
        B: Array | None = None,
        sequence_lens: Array | None = None,
        initial_h: Array | None = None,
        initial_c: Array | None = None,
        P: Array | None = None,
    ) -> tuple[Array, ...]:
        return self.scan(X, W, R, B, sequence_lens, (initial_h, initial_c), P)

    def grad(
        self,
        dY: Any,
        Y: Any,
        X: Any,
        W: Any,
        R: Any,
        B: Any = None,
        sequence_lens: Any = None,
        initial_h: Any = None,
        initial_c: Any = None,
        P: Any = None,
    ) -> tuple[Any, ...]:
        initial = (initial_h, initial_c)
        return through_time(self, dY, Y[0], X, W, R, B, sequence_lens, initial, P)

    def step(
        self, x: Array, state: tuple[Array, ...], R: Array, Rb: Array, P: Array, f: list[Function]
    ) -> tuple[Array, ...]:
        H, C = state
        xi, xo, xf, xc = np.split(x + H @ R.T + Rb, 4, axis=1)
        Pi, Po, Pf = P
        i = f[0](self.clipped(xi + Pi * C))
        forget = 1 - i if self.input_forget else f[0](self.clipped(xf + Pf * C))
        C = forget * C + i * f[1](self.clipped(xc))
        o = f[0](self.clipped(xo + Po * C))
        return o * f[2](C), C

    def remember(
        self, projected: Any, recurrent: Any, state: tuple[Any, ...], own: Weights
    ) -> tuple[Any, tuple[Any, ...]]:
        C, (f, g, h) = state[1], own.functions
        zi, zo, zf, zc = cut(projected + recurrent, -1, 4)
        Pi, Po, Pf = (None,) * 3 if own.P is None else cut(own.P, -1, 3)
        i = Activation.of(f, zi if Pi is None else zi + Pi * C, self.clip)
        forget = None
        if not self.input_forget:
            forget = Activation.of(f, zf if Pf is None else zf + Pf * C, self.clip)
        c = Activation.of(g, zc, self.clip)
        new = (1 - i.value if forget is None else forget.value) * C + i.value * c.value
        o = Activation.of(f, zo if Po is None else zo + Po * new, self.clip)
        return (C, new, i, forget, c, o, Activation.of(h, new, None)), (new,)

    def back(self, memory: Any, gradient: Sequence[Any], own: Weights) -> Step:
        (C, new, i, forget, c, o, h), (dH, dC) = memory, gradient
        Pi, Po, Pf = (None,) * 3 if own.P is None else cut(own.P, -1, 3)
        do = o.back(dH * h.value)
        dC = dC + h.back(dH * o.value)
        if Po is not None:
            dC = dC + Po * do
        if forget is None:  # 1 - i stands in its place
            di, df = i.back(dC * (c.value - C)), zeros(dC.shape, dC)
            before = dC * (1 - i.value)
        else:
            di, df = i.back(dC * c.value), forget.back(dC * C)
            before = dC * forget.value
        d = join([di, do, df, c.back(dC * i.value)], -1)
        if own.P is None:
            return Step(d, d, (d @ own.R, before))
        return Step(
            d, d, (d @ own.R, before + Pi * di + Pf * df), join([di * C, do * new, df * C], -1)
        )

    @classmethod
    def examples(cls) -> list[Example]:
        P = np.linspace(-1, 1, 9, dtype=np.float32).reshape(1, 9)
        peephole = Example(cls(hidden_size=3), (*cls.data(), None, None, None, P))
        return [*super().examples(), peephole]
