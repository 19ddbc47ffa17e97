"""Activation functions."""

import math
from typing import Any

import numpy as np

from suanzi.operators._checks import require_shape
from suanzi.operators._elementwise import Elementwise, Mathematics
from suanzi.operators._gradients import sum_to
from suanzi.operators._operator import Example, TensorType, operator, require
from suanzi.operators.arithmetic import Abs, Erf, Exp
from suanzi.operators.logic import Where, masked

SIGNED = np.array([-3, -1, -0.25, 0, 0.5, 1, 4], np.float32)
"""What the examples of activations show: both sides of zero, and zero."""


class Activation(Elementwise):
    """An elementwise operator whose examples show it on SIGNED with its default attributes.

    Y has the shape and the type of X. Source, of all here: https://onnx.ai/onnx/operators/
    """

    @classmethod
    def examples(cls) -> list[Example]:
        return [Example(cls(), (SIGNED,))]


@operator(family="activation", torch="nn.ReLU")
class Relu(Activation):
    """Y = max(X, 0).

    Before opset 14 of floating-point numbers only.
    """

    def formula(self, m: Mathematics, X: Any) -> Any:
        return m.maximum(X, 0)

    def grad(self, dY: Any, Y: Any, _X: Any) -> tuple[Any, ...]:
        return (masked(Y > 0, dY),)


@operator(family="activation", torch="nn.LeakyReLU")
class LeakyRelu(Activation):
    """Y = X where X ≥ 0, α·X elsewhere."""

    alpha: float = 0.01

    def formula(self, m: Mathematics, X: Any) -> Any:
        return m.where(X < 0, self.alpha * X, X)

    def grad(self, dY: Any, _Y: Any, X: Any) -> tuple[Any, ...]:
        return (Where()(X > 0, dY, self.alpha * dY),)


@operator(family="activation", torch="nn.PReLU")
class PRelu(Elementwise):
    """Y = X where X ≥ 0, slope·X elsewhere; slope broadcasts to X's shape.

    Before opset 7 a slope of one axis stood for channels.
    """

    def infer(self, *inputs: TensorType | None) -> TensorType:
        X, slope = inputs
        made = super().infer(X, slope)
        assert X is not None
        assert slope is not None
        fits = made.shape is None or X.shape is None or made.rank == X.rank
        if fits and made.static and X.static:
            fits = made.shape == X.shape
        require(fits, "the slope doesn't broadcast to X", "slope", X, slope)
        return TensorType(X.dtype, X.shape)

    def formula(self, m: Mathematics, X: Any, slope: Any) -> Any:
        return m.where(X < 0, slope * X, X)

    def grad(self, dY: Any, _Y: Any, X: Any, slope: Any) -> tuple[Any, ...]:
        return (
            lambda: Where()(X > 0, dY, slope * dY),
            lambda: sum_to(masked(X <= 0, X * dY), slope.shape),
        )

    @classmethod
    def examples(cls) -> list[Example]:
        X = np.array([[-1, 2], [-3, -4], [5, 0]], np.float32)
        return [
            Example(cls(), (X, np.array([0.5], np.float32))),
            Example(cls(), (X, np.array([[0.1], [0.2], [0.3]], np.float32))),
        ]


@operator(family="activation", torch="nn.ELU")
class Elu(Activation):
    """Y = X where X ≥ 0, α·(exp(X) - 1) elsewhere."""

    alpha: float = 1.0

    def formula(self, m: Mathematics, X: Any) -> Any:
        return m.where(X < 0, self.alpha * (m.exp(X) - 1), X)

    def grad(self, dY: Any, _Y: Any, X: Any) -> tuple[Any, ...]:
        return (Where()(X > 0, dY, self.alpha * Exp()(X) * dY),)


@operator(family="activation", torch="nn.SELU")
class Selu(Activation):
    """Y = γ·X where X > 0, γ·α·(exp(X) - 1) elsewhere.

    Before opset 6 alpha was 1.6732 and gamma 1.0507.
    """

    alpha: float = 1.6732631921768188
    gamma: float = 1.0507010221481323

    def formula(self, m: Mathematics, X: Any) -> Any:
        return self.gamma * m.where(X > 0, X, self.alpha * (m.exp(X) - 1))

    def grad(self, dY: Any, _Y: Any, X: Any) -> tuple[Any, ...]:
        return (self.gamma * Where()(X > 0, dY, self.alpha * Exp()(X) * dY),)


@operator(family="activation", torch="nn.CELU")
class Celu(Activation):
    """Y = max(X, 0) + min(α·(exp(X/α) - 1), 0).

    Before opset 28 of float32 only.
    """

    alpha: float = 1.0

    def formula(self, m: Mathematics, X: Any) -> Any:
        return m.maximum(X, 0) + m.minimum(self.alpha * (m.exp(X / self.alpha) - 1), 0)

    def grad(self, dY: Any, _Y: Any, X: Any) -> tuple[Any, ...]:
        return (Where()(X > 0, dY, Exp()(X / self.alpha) * dY),)


@operator(family="activation", torch="nn.Threshold")
class ThresholdedRelu(Activation):
    """Y = X where X > α, 0 elsewhere."""

    alpha: float = 1.0

    def formula(self, m: Mathematics, X: Any) -> Any:
        return m.where(self.alpha < X, X, 0)

    def grad(self, dY: Any, _Y: Any, X: Any) -> tuple[Any, ...]:
        return (masked(self.alpha < X, dY),)


@operator(family="activation", torch="nn.Softshrink")
class Shrink(Activation):
    """Y = X + bias where X < -lambd, X - bias where X > lambd, 0 elsewhere.

    PyTorch's Softshrink has bias = lambd, its Hardshrink bias = 0.
    """

    bias: float = 0.0
    lambd: float = 0.5

    def formula(self, m: Mathematics, X: Any) -> Any:
        return m.where(-self.lambd > X, X + self.bias, m.where(self.lambd < X, X - self.bias, 0))

    def grad(self, dY: Any, _Y: Any, X: Any) -> tuple[Any, ...]:
        return (masked((-self.lambd > X) | (self.lambd < X), dY),)


@operator(family="activation", torch="torch.clamp")
class Clip(Elementwise):
    """Y = min(max(X, min), max); min and max are scalars, and either may be left out.

    Before opset 11 min and max were attributes; before 12 of floating-point numbers only.
    """

    def infer(self, *inputs: TensorType | None) -> TensorType:
        X, *bounds = inputs
        for name, t in zip(("min", "max"), bounds, strict=False):
            one = t is None or not t.static or t.size == 1
            require(one, "wrong shape", name, "one number", t)
        made = super().infer(*inputs)
        assert X is not None
        return TensorType(made.dtype, X.shape)

    def formula(self, m: Mathematics, X: Any, min: Any = None, max: Any = None) -> Any:
        if min is not None:
            X = m.maximum(X, min)
        return X if max is None else m.minimum(X, max)

    def grad(self, dY: Any, _Y: Any, X: Any, min: Any = None, max: Any = None) -> tuple[Any, ...]:
        low = -math.inf if min is None else min
        high = math.inf if max is None else max
        return (
            lambda: masked((low <= X) & (high >= X), dY),
            lambda: sum_to(masked((low > X) & (low < high), dY), min.shape),
            lambda: sum_to(masked((high < X) | (high < low), dY), max.shape),
        )

    @classmethod
    def examples(cls) -> list[Example]:
        low, high = np.array(-0.5, np.float32), np.array(2, np.float32)
        return [
            Example(cls(), (SIGNED, low, high)),
            Example(cls(), (SIGNED, None, high)),
            Example(cls(), (SIGNED, low)),
            Example(cls(), (SIGNED,)),
        ]


@operator(family="activation", torch="nn.Hardsigmoid")
class HardSigmoid(Activation):
    """Y = max(0, min(1, α·X + β)); PyTorch's has α = 1/6."""

    alpha: float = 0.2
    beta: float = 0.5

    def formula(self, m: Mathematics, X: Any) -> Any:
        return m.maximum(m.minimum(self.alpha * X + self.beta, 1), 0)

    def grad(self, dY: Any, _Y: Any, X: Any) -> tuple[Any, ...]:
        line = self.alpha * X + self.beta
        return (masked((line > 0) & (line < 1), self.alpha * dY),)


@operator(family="activation", torch="nn.Hardswish")
class HardSwish(Activation):
    """Y = X · max(0, min(1, X/6 + 1/2))."""

    def formula(self, m: Mathematics, X: Any) -> Any:
        return X * m.maximum(m.minimum(X * (1 / 6) + 0.5, 1), 0)

    def grad(self, dY: Any, _Y: Any, X: Any) -> tuple[Any, ...]:
        return (masked(X > -3, Where()(X < 3, dY * (X / 3 + 0.5), dY)),)


@operator(family="activation", torch="nn.Sigmoid")
class Sigmoid(Activation):
    """Y = 1 / (1 + exp(-X))."""

    def formula(self, m: Mathematics, X: Any) -> Any:
        return m.sigmoid(X)

    def grad(self, dY: Any, Y: Any, _X: Any) -> tuple[Any, ...]:
        return (dY * Y * (1 - Y),)


@operator(family="activation", torch="nn.Tanh")
class Tanh(Activation):
    """Y = tanh(X)."""

    def formula(self, m: Mathematics, X: Any) -> Any:
        return m.tanh(X)

    def grad(self, dY: Any, Y: Any, _X: Any) -> tuple[Any, ...]:
        return (dY * (1 - Y * Y),)


def softplus(m: Mathematics, x: Any) -> Any:
    """log(1 + exp(x)), written so that exp cannot overflow."""
    return m.maximum(x, 0) + m.log(1 + m.exp(-m.abs(x)))


@operator(family="activation", torch="nn.Softplus")
class Softplus(Activation):
    """Y = log(1 + exp(X))."""

    def formula(self, m: Mathematics, X: Any) -> Any:
        return softplus(m, X)

    def grad(self, dY: Any, _Y: Any, X: Any) -> tuple[Any, ...]:
        return (dY * Sigmoid()(X),)


@operator(family="activation", torch="nn.Softsign")
class Softsign(Activation):
    """Y = X / (1 + |X|)."""

    def formula(self, m: Mathematics, X: Any) -> Any:
        return X / (1 + m.abs(X))

    def grad(self, dY: Any, _Y: Any, X: Any) -> tuple[Any, ...]:
        size = 1 + Abs()(X)
        return (dY / (size * size),)


@operator(family="activation", torch="nn.Mish")
class Mish(Activation):
    """Y = X · tanh(log(1 + exp(X)))."""

    def formula(self, m: Mathematics, X: Any) -> Any:
        return X * m.tanh(softplus(m, X))

    def grad(self, dY: Any, _Y: Any, X: Any) -> tuple[Any, ...]:
        t = Tanh()(Softplus()(X))
        return (dY * (t + X * (1 - t * t) * Sigmoid()(X)),)


@operator(family="activation", torch="nn.SiLU")
class Swish(Activation):
    """Y = X · sigmoid(α·X)."""

    alpha: float = 1.0

    def formula(self, m: Mathematics, X: Any) -> Any:
        return X * m.sigmoid(self.alpha * X)

    def grad(self, dY: Any, _Y: Any, X: Any) -> tuple[Any, ...]:
        s = Sigmoid()(self.alpha * X)
        return (dY * s * (1 + self.alpha * X * (1 - s)),)


@operator(family="activation")
class SwiGLU(Elementwise):
    """Y = A · sigmoid(α·A) · B, for A and B of one shape: Swish of the gate A, times B.

    New in opset 28.
    """

    alpha: float = 1.0

    def infer(self, *inputs: TensorType | None) -> TensorType:
        A, B = inputs
        made = super().infer(A, B)
        assert A is not None
        if A.shape is not None:  # no broadcasting here
            require_shape(B, A.shape, "B")
        return made

    def formula(self, m: Mathematics, A: Any, B: Any) -> Any:
        return A * m.sigmoid(self.alpha * A) * B

    def grad(self, dY: Any, _Y: Any, A: Any, B: Any) -> tuple[Any, ...]:
        s = Sigmoid()(self.alpha * A)
        return lambda: dY * B * s * (1 + self.alpha * A * (1 - s)), lambda: dY * A * s

    @classmethod
    def examples(cls) -> list[Example]:
        return [Example(cls(), (SIGNED, SIGNED[::-1].copy()))]


@operator(family="activation", torch="nn.GELU")
class Gelu(Activation):
    """Y = X/2 · (1 + erf(X/√2)), or with approximate="tanh"
    Y = X/2 · (1 + tanh(√(2/π) · (X + 0.044715·X³))).
    """

    approximate: str = "none"

    def formula(self, m: Mathematics, X: Any) -> Any:
        if self.approximate == "tanh":
            inner = math.sqrt(2 / math.pi) * (X + 0.044715 * (X * X * X))
            return 0.5 * X * (1 + m.tanh(inner))
        return 0.5 * X * (1 + m.erf(X * math.sqrt(0.5)))

    def grad(self, dY: Any, _Y: Any, X: Any) -> tuple[Any, ...]:
        if self.approximate == "tanh":
            factor = math.sqrt(2 / math.pi)
            t = Tanh()(factor * (X + 0.044715 * (X * X * X)))
            slope = factor * (1 + 3 * 0.044715 * (X * X)) * (1 - t * t)
            return (0.5 * dY * (1 + t + X * slope),)
        density = Exp()(-0.5 * X * X) * (1 / math.sqrt(2 * math.pi))
        return (dY * (0.5 * (1 + Erf()(X * math.sqrt(0.5))) + X * density),)

    @classmethod
    def examples(cls) -> list[Example]:
        return [Example(cls(), (SIGNED,)), Example(cls(approximate="tanh"), (SIGNED,))]
