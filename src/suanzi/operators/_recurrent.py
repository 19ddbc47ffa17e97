"""What recurrent layers share: the walk along a sequence, and their activation functions."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from suanzi.errors import SuanziError
from suanzi.operators import activation
from suanzi.operators._checks import require_dtype, require_shape, widen
from suanzi.operators._elementwise import NUMPY, Mathematics
from suanzi.operators._operator import (
    Array,
    Dim,
    Example,
    Floats,
    Operator,
    TensorType,
    require,
)
from suanzi.operators._recurrent_gradient import Step, Weights, product

Function = Callable[[Array], Array]


@dataclass(frozen=True)
class Affine:
    """Y = α·X + β, an activation of recurrent layers alone."""

    alpha: float = 1.0
    beta: float = 0.0

    def formula(self, m: Mathematics, X: Any) -> Any:
        return self.alpha * X + self.beta

    def __call__(self, X: Any) -> Any:
        return X * self.alpha + self.beta

    def grad(self, dY: Any, _Y: Any, _X: Any) -> tuple[Any]:
        return (dY * self.alpha,)


@dataclass(frozen=True)
class ScaledTanh:
    """Y = α·tanh(β·X), an activation of recurrent layers alone."""

    alpha: float = 1.0
    beta: float = 1.0

    def formula(self, m: Mathematics, X: Any) -> Any:
        return self.alpha * m.tanh(self.beta * X)

    def __call__(self, X: Any) -> Any:
        return activation.Tanh()(X * self.beta) * self.alpha

    def grad(self, dY: Any, Y: Any, _X: Any) -> tuple[Any]:
        return (dY * (self.alpha - Y * Y * (1 / self.alpha)) * self.beta,)


ACTIVATIONS: dict[str, Any] = {
    made.__name__.lower(): made
    for made in (
        activation.Relu,
        activation.Tanh,
        activation.Sigmoid,
        activation.LeakyRelu,
        activation.ThresholdedRelu,
        activation.HardSigmoid,
        activation.Elu,
        activation.Softsign,
        activation.Softplus,
        Affine,
        ScaledTanh,
    )
}


@dataclass(frozen=True, kw_only=True)
class Recurrent(Operator):
    """What the layers share: `step` takes them from one time to the next.

    X [T, N, I]: T steps of N sequences of I numbers (layout 1: [N, T, I]).
    W [D, G·H, I], R [D, G·H, H], B [D, 2·G·H] (those of W, then those of R): G gates of H numbers
    in each of D directions. sequence_lens [N]: beyond it a state stays and Y is 0.
    initial_h [D, N, H], 0 where left out (layout 1: [N, D, H]).
    Y [T, D, N, H]: each step's state (layout 1: [N, T, D, H]); Y_h as initial_h: the last.

    `direction` is forward, reverse (each sequence from its own end) or bidirectional. `activations`
    name f, g (and h) of each direction; activation_alpha and _beta go to those that have them, in
    order. `clip` bounds what goes into them, save the cell state into h, as runtimes have it.
    Before opset 14 there was no layout; in opset 1 (LSTM, RNN) and 3 (GRU) `output_sequence` said
    whether there is Y.
    Source, of all here: https://onnx.ai/onnx/operators/ (opset 22)
    """

    activation_alpha: Floats | None = None
    activation_beta: Floats | None = None
    activations: tuple[str, ...] | None = None
    clip: float | None = None
    direction: str = "forward"
    hidden_size: int | None = None
    layout: int = 0

    gates: ClassVar[int]
    defaults: ClassVar[tuple[str, ...]]

    @property
    def directions(self) -> int:
        return 2 if self.direction == "bidirectional" else 1

    def functions(self) -> list[Any]:
        """The activations of each direction in turn; their `formula` is what they do."""
        count = len(self.defaults) * self.directions
        names = self.defaults * self.directions if self.activations is None else self.activations
        if len(names) != count:
            raise SuanziError("wrong activations", expected=f"{count} names", found=list(names))
        left = {
            "alpha": list(self.activation_alpha or ()),
            "beta": list(self.activation_beta or ()),
        }
        made = []
        for name in names:
            if name.lower() not in ACTIVATIONS:
                raise SuanziError("no such activation", expected=list(ACTIVATIONS), found=name)
            kind = ACTIVATIONS[name.lower()]
            taken = {k: v.pop(0) for k, v in left.items() if hasattr(kind, k) and v}
            made.append(kind(**taken))
        return made

    def infer_states(
        self,
        X: TensorType,
        W: TensorType,
        R: TensorType,
        B: TensorType | None,
        sequence_lens: TensorType | None,
        P: TensorType | None = None,
        **initial: TensorType | None,
    ) -> tuple[TensorType, TensorType]:
        """The types of Y and of each last state."""
        if self.direction not in ("forward", "reverse", "bidirectional"):
            raise SuanziError("no such direction", found=self.direction)
        self.functions()
        require(X.rank in (3, None), "wrong rank", "X", "3 axes", X)
        T, N, I = X.shape or (None,) * 3  # noqa: E741
        if self.layout:
            T, N = N, T
        D, H = self.directions, self.hidden_size or (R.shape[-1] if R.shape else None)

        def times(n: int) -> Dim:
            return n * H if isinstance(H, int) else None

        require_shape(W, (D, times(self.gates), I), "W")
        require_shape(R, (D, times(self.gates), H), "R")
        require_shape(B, (D, times(2 * self.gates)), "B")
        require_shape(P, (D, times(3)), "P")
        require_shape(sequence_lens, (N,), "sequence_lens")
        state = (N, D, H) if self.layout else (D, N, H)
        for name, t in {"W": W, "R": R, "B": B, "P": P, **initial}.items():
            require_dtype(t, X.dtype, name)
        for name, t in initial.items():
            require_shape(t, state, name)
        Y = (N, T, D, H) if self.layout else (T, D, N, H)
        return TensorType(X.dtype, Y), TensorType(X.dtype, state)

    def step(
        self, x: Array, state: tuple[Array, ...], R: Array, Rb: Array, P: Array, f: list[Function]
    ) -> tuple[Array, ...]:
        """The next state, of which the first part goes into Y. x is X·Wᵀ + Wb, [N, G·H]."""
        raise NotImplementedError

    def remember(
        self, projected: Any, recurrent: Any, state: tuple[Any, ...], own: Weights
    ) -> tuple[Any, tuple[Any, ...]]:
        """`step` once more for its gradient, of X·Wᵀ + Wb and H·Rᵀ + Rb: what `back` needs, and
        the next state but H.
        """
        raise NotImplementedError

    def back(self, memory: Any, gradient: Sequence[Any], own: Weights) -> Step:
        """A step backwards: from the gradients of the state after it to those of what made it."""
        raise NotImplementedError

    def weigh(self, recurrent: Any, before: Any, memories: Sequence[Any]) -> Any:
        """R's gradient from that of H·Rᵀ at every step; `before` are the states H."""
        return product(recurrent, before)

    def scan(
        self,
        X: Array,
        W: Array,
        R: Array,
        B: Array | None,
        sequence_lens: Array | None,
        initial: tuple[Array | None, ...],
        P: Array | None = None,
    ) -> tuple[Array, ...]:
        """Y and the last states."""
        x = widen(X.swapaxes(0, 1) if self.layout else X)
        T, N, _ = x.shape
        D, H = R.shape[0], R.shape[-1]
        W, R = widen(W), widen(R)
        biases = np.zeros((D, 2, W.shape[1]), x.dtype) if B is None else widen(B).reshape(D, 2, -1)
        peepholes = np.zeros((D, 3, H), x.dtype) if P is None else widen(P).reshape(D, 3, H)
        states = [np.zeros((D, N, H), x.dtype) if s is None else widen(s) for s in initial]
        if self.layout:
            states = [
                s if given is None else s.swapaxes(0, 1)
                for s, given in zip(states, initial, strict=True)
            ]
        lens = np.full(N, T) if sequence_lens is None else sequence_lens
        fits = np.all((lens >= 0) & (lens <= T))
        require(fits, "beyond the sequence", "sequence_lens", f"from 0 to {T}", lens)
        time = np.arange(T)[:, None]
        from_end = np.where(time < lens, lens - 1 - time, time)[..., None]
        functions = [_applied(f) for f in self.functions()]
        count = len(self.defaults)
        outputs, lasts = [], []
        for d in range(D):
            reverse = d == 1 or self.direction == "reverse"
            inputs = np.take_along_axis(x, from_end, 0) if reverse else x
            projected = inputs @ W[d].T + biases[d, 0]
            state: tuple[Array, ...] = tuple(s[d] for s in states)
            Y = np.zeros((T, N, H), x.dtype)
            for t in range(T):
                f = functions[d * count : (d + 1) * count]
                new = self.step(projected[t], state, R[d], biases[d, 1], peepholes[d], f)
                alive = (t < lens)[:, None]
                state = tuple(np.where(alive, n, s) for n, s in zip(new, state, strict=True))
                Y[t] = np.where(alive, state[0], 0)
            outputs.append(np.take_along_axis(Y, from_end, 0) if reverse else Y)
            lasts.append(state)
        Y = np.stack(outputs, 1)
        last = [np.stack(s) for s in zip(*lasts, strict=True)]
        if self.layout:
            Y, last = Y.transpose(2, 0, 1, 3), [s.swapaxes(0, 1) for s in last]
        return tuple(np.asarray(y).astype(X.dtype) for y in (Y, *last))

    def clipped(self, x: Array) -> Array:
        return x if self.clip is None else x.clip(-self.clip, self.clip)

    def macs(self, inputs: Sequence[TensorType | None], outputs: Sequence[TensorType]) -> int:
        """Each step takes each weight once for each sequence."""
        X, W, R = inputs[:3]
        assert X is not None
        assert W is not None
        assert R is not None
        T, N, _ = X.sizes
        return T * N * (W.size + R.size)

    @classmethod
    def data(cls, D: int = 1) -> tuple[Array, ...]:
        """X, W, R and B of examples, H = 3."""
        rng = np.random.default_rng(0)
        G = cls.gates * 3
        shapes = (4, 2, 5), (D, G, 5), (D, G, 3), (D, 2 * G)
        return tuple(rng.standard_normal(shape).astype(np.float32) / 2 for shape in shapes)

    @classmethod
    def examples(cls) -> list[Example]:
        X, W, R, B = cls.data()
        both = cls.data(2)
        lens = np.array([4, 2], np.int32)
        return [
            Example(cls(hidden_size=3), (X, W, R)),
            Example(cls(hidden_size=3, direction="reverse"), (X, W, R, B, lens)),
            Example(cls(hidden_size=3, direction="bidirectional"), both),
            Example(cls(hidden_size=3, layout=1, clip=0.5), (X, W, R, B)),
        ]


def _applied(function: Any) -> Function:
    def apply(x: Array) -> Array:
        with np.errstate(all="ignore"):
            return np.asarray(function.formula(NUMPY, x), x.dtype)

    return apply
