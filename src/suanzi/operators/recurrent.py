"""Recurrent layers: a state that goes from each step of a sequence to the next."""

import numpy as np

from suanzi.operators._operator import Array, Example, TensorType, operator
from suanzi.operators._recurrent import Function, Recurrent


class OneState(Recurrent):
    """A recurrent layer that carries the hidden state alone."""

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

    @classmethod
    def examples(cls) -> list[Example]:
        P = np.linspace(-1, 1, 9, dtype=np.float32).reshape(1, 9)
        peephole = Example(cls(hidden_size=3), (*cls.data(), None, None, None, P))
        return [*super().examples(), peephole]
