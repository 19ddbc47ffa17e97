"""One step of an optimizer, of ai.onnx.preview.training, for any number of tensors at once."""

from collections.abc import Callable
from typing import Any

import numpy as np

from suanzi.errors import SuanziError
from suanzi.operators._operator import Array, Example, Operator, TensorType, operator, require

DOMAIN = "ai.onnx.preview.training"


class Optimizer(Operator):
    """Its inputs are the learning rate R, the count of steps T, then all tensors X, all gradients
    G, and all of each state; the outputs the new X and the new states, in the same order."""

    states = 1

    def infer(self, R: TensorType, T: TensorType, *tensors: TensorType) -> tuple[TensorType, ...]:
        count = len(tensors) // (2 + self.states)
        whole = count and len(tensors) % (2 + self.states) == 0
        require(whole, "wrong number of inputs", "X", f"{2 + self.states} a tensor", len(tensors))
        return tuple(
            TensorType(t.dtype, t.shape) for t in (*tensors[:count], *tensors[2 * count :])
        )

    def numpy(self, R: Array, T: Array, *tensors: Array) -> tuple[Array, ...]:
        count = len(tensors) // (2 + self.states)
        groups = [tensors[i : i + count] for i in range(0, len(tensors), count)]
        steps = [self.step(R, T, *tensor) for tensor in zip(*groups, strict=True)]
        return tuple(
            np.asarray(new).astype(tensors[0].dtype)
            for group in zip(*steps, strict=True)
            for new in group
        )

    def step(self, R: Array, T: Array, X: Array, G: Array, *state: Array) -> tuple[Any, ...]:
        """One tensor's new value and its new states."""
        raise NotImplementedError

    @classmethod
    def example(cls, **attributes: Any) -> list[Example]:
        X, G = np.array([1, -2], np.float32), np.array([0.5, 4], np.float32)
        inputs = (X, G, *(np.abs(G),) * cls.states)
        R, made = np.array(0.25, np.float32), cls(**attributes)
        return [Example(made, (R, np.array(step), *inputs)) for step in (0, 3)]


@operator(family="training", domain=DOMAIN, torch="optim.Adagrad")
class Adagrad(Optimizer):
    """G' = norm_coefficient·X + G; H' = H + G'²; X' = X - R / (1 + T·decay_factor) · G' /
    (√H' + epsilon).

    Inputs R and T scalars, then X, G and H, each any number of tensors; outputs X' and H'.
    Source: https://onnx.ai/onnx/operators/onnx_aionnxpreviewtraining_Adagrad.html (version 1)
    """

    decay_factor: float = 0.0
    epsilon: float = 1e-6
    norm_coefficient: float = 0.0

    def step(self, R: Array, T: Array, X: Array, G: Array, *state: Array) -> tuple[Any, ...]:
        g = self.norm_coefficient * X + G
        H = state[0] + g * g
        return X - R / (1 + T * self.decay_factor) * g / (np.sqrt(H) + self.epsilon), H

    @classmethod
    def examples(cls) -> list[Example]:
        return cls.example(decay_factor=0.1, norm_coefficient=0.01)


@operator(family="training", domain=DOMAIN, torch="optim.Adam")
class Adam(Optimizer):
    """G' = norm_coefficient·X + G; V' = α·V + (1 - α)·G'; H' = β·H + (1 - β)·G'²;
    X' = (1 - norm_coefficient_post) · (X - r·V' / (√H' + epsilon)), r = R, and from the first step
    on R·√(1 - β^T) / (1 - α^T).

    Inputs R and T scalars, then X, G, V and H, each any number of tensors; outputs X', V' and H'.
    Source: https://onnx.ai/onnx/operators/onnx_aionnxpreviewtraining_Adam.html (version 1)
    """

    states = 2
    alpha: float = 0.9
    beta: float = 0.999
    epsilon: float = 1e-6
    norm_coefficient: float = 0.0
    norm_coefficient_post: float = 0.0

    def step(self, R: Array, T: Array, X: Array, G: Array, *state: Array) -> tuple[Any, ...]:
        V, H = state
        g = self.norm_coefficient * X + G
        V = self.alpha * V + (1 - self.alpha) * g
        H = self.beta * H + (1 - self.beta) * g * g
        rate = R * np.sqrt(1 - self.beta**T) / (1 - self.alpha**T) if T > 0 else R
        return (1 - self.norm_coefficient_post) * (X - rate * V / (np.sqrt(H) + self.epsilon)), V, H

    @classmethod
    def examples(cls) -> list[Example]:
        return cls.example(norm_coefficient=0.01, norm_coefficient_post=0.02)


@operator(family="training", domain=DOMAIN, torch="optim.SGD")
class Momentum(Optimizer):
    """G' = norm_coefficient·X + G; V' = α·V + β'·G', β' = β, but 1 at the first step (T = 0);
    X' = X - R·V', or with mode = "nesterov" X - R·(G' + α·V').

    Inputs R and T scalars, then X, G and V, each any number of tensors; outputs X' and V'.
    Source: https://onnx.ai/onnx/operators/onnx_aionnxpreviewtraining_Momentum.html (version 1)
    """

    alpha: float
    beta: float
    mode: str
    norm_coefficient: float

    def step(self, R: Array, T: Array, X: Array, G: Array, *state: Array) -> tuple[Any, ...]:
        g = self.norm_coefficient * X + G
        V = self.alpha * state[0] + (self.beta if T > 0 else 1) * g
        moves: dict[str, Callable[[], Any]] = {
            "standard": lambda: V,
            "nesterov": lambda: g + self.alpha * V,
        }
        if self.mode not in moves:
            raise SuanziError("wrong mode", expected=", ".join(moves), found=self.mode)
        return X - R * moves[self.mode](), V

    @classmethod
    def examples(cls) -> list[Example]:
        settings = {"alpha": 0.9, "beta": 0.1, "norm_coefficient": 0.01}
        return [
            *cls.example(**settings, mode="standard"),
            *cls.example(**settings, mode="nesterov"),
        ]
