"""Recurrent layers step by step: an LSTM that projects its state, which no operator does, and any
in a trace, where the steps become kernels."""

from typing import Any

import numpy as np

from suanzi.nn import functional as F  # noqa: N812  (everybody's name for it)
from suanzi.operators import ReverseSequence, Split
from suanzi.tensor import Tensor, apply, cat, leaf, stack, where

MOST = 256
"""Steps that a trace has at most: beyond them the operator is better, for all that it costs."""


def _step(
    mode: str, x: Tensor, state: tuple[Tensor, ...], R: Tensor, bias: Any, P: Any
) -> tuple[Tensor, ...]:
    """The next state, h or h and c, of x = W·x + b."""
    h = state[0]
    y = F.linear(h, R, bias)
    if mode == "LSTM":
        i, f, g, o = apply(Split(axis=1, num_outputs=4), x + y)
        c = f.sigmoid() * state[1] + i.sigmoid() * g.tanh()
        out = o.sigmoid() * c.tanh()
        return (out if P is None else F.linear(out, P)), c
    if mode == "GRU":
        split = Split(axis=1, num_outputs=3)
        (xr, xz, xn), (yr, yz, yn) = apply(split, x), apply(split, y)
        n = (xn + (xr + yr).sigmoid() * yn).tanh()
        return (n + (xz + yz).sigmoid() * (h - n),)
    return (F.tanh(x + y) if mode == "RNN_TANH" else F.relu(x + y),)


def walk(
    mode: str, x: Tensor, weights: Any, states: Any, lens: Any, biased: bool
) -> tuple[Tensor, ...]:
    """One layer over x [T, N, in]: its output [T, N, D·out], and the last states [D, N, ...].

    weights: of each direction, by PyTorch's order; lens: the sequences' lengths where they differ.
    """
    T, N, _ = x.shape
    whole = np.full(N, T, np.int64) if lens is None else lens.astype(np.int64)
    outputs, lasts = [], []
    for d, (W, R, *rest) in enumerate(weights):
        bias, other = rest[:2] if biased else (None, None)
        P = rest[-1] if len(rest) == (3 if biased else 1) else None
        state = tuple(s[d] for s in states)
        if not state:
            sizes = [R.shape[1], W.shape[0] // 4][: 2 if mode == "LSTM" else 1]
            state = tuple(x.new_zeros((N, size)) for size in sizes)
        ordered = apply(ReverseSequence(), x, whole) if d else x
        projected = F.linear(ordered, W, bias)
        parts = apply(Split(axis=0, num_outputs=T), projected) if T > 1 else (projected,)
        steps = []
        for t, part in enumerate(parts):
            new = _step(mode, part.squeeze(0), state, R, other, P)
            if lens is None:
                state = new
                steps.append(new[0])
            else:
                alive = leaf((t < whole)[:, None])
                state = tuple(where(alive, n, s) for n, s in zip(new, state, strict=True))
                steps.append(where(alive, new[0], 0.0))
        Y = stack(steps)
        outputs.append(apply(ReverseSequence(), Y, whole) if d else Y)
        lasts.append(state)
    return cat(outputs, 2), *(stack(s) for s in zip(*lasts, strict=True))
