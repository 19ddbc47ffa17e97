"""One step of a recurrent layer."""

import math
from typing import Any

from suanzi.errors import SuanziError
from suanzi.nn import functional as F  # noqa: N812  (everybody's name for it)
from suanzi.nn import init
from suanzi.nn.module import Module
from suanzi.nn.parameter import Parameter
from suanzi.tensor import Tensor, empty


class RNNCellBase(Module):
    """The weights of a cell: weight_ih, weight_hh, bias_ih, bias_hh, those of all gates joined."""

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool, num_chunks: int, device: Any = None,
        dtype: Any = None,
    ) -> None:  # fmt: skip
        super().__init__()
        self.input_size, self.hidden_size, self.bias = input_size, hidden_size, bias
        rows = num_chunks * hidden_size
        self.weight_ih = Parameter(empty(rows, input_size, device=device, dtype=dtype))
        self.weight_hh = Parameter(empty(rows, hidden_size, device=device, dtype=dtype))
        self.bias_ih: Parameter | None
        self.bias_hh: Parameter | None
        if bias:
            self.bias_ih = Parameter(empty(rows, device=device, dtype=dtype))
            self.bias_hh = Parameter(empty(rows, device=device, dtype=dtype))
        else:
            self.register_parameter("bias_ih", None)
            self.register_parameter("bias_hh", None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draws all evenly from ±1/√hidden_size."""
        bound = 1 / math.sqrt(self.hidden_size) if self.hidden_size > 0 else 0.0
        for weight in self.parameters():
            init.uniform_(weight, -bound, bound)

    def extra_repr(self) -> str:
        return f"{self.input_size}, {self.hidden_size}" + ("" if self.bias else ", bias=False")

    def _batched(self, input: Tensor, *states: Tensor | None) -> tuple[Tensor, ...]:
        """Input and states with a batch axis, the states 0 where they weren't given."""
        if input.ndim not in (1, 2) or input.shape[-1] != self.input_size:
            size = self.input_size
            raise SuanziError("wrong shape", input="input", expected=f"(N, {size}) or ({size})",
                              found=tuple(input.shape))  # fmt: skip
        expected = (*input.shape[:-1], self.hidden_size)
        for hx in states:
            if hx is not None and tuple(hx.shape) != expected:
                raise SuanziError("the state doesn't fit the input", input="hx", expected=expected,
                                  found=tuple(hx.shape))  # fmt: skip
        given = (input, *(input.new_zeros(expected) if h is None else h for h in states))
        return given if input.ndim == 2 else tuple(x.unsqueeze(0) for x in given)

    def _gates(self, input: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """What comes from the input and from the state."""
        return (
            F.linear(input, self.weight_ih, self.bias_ih),
            F.linear(hidden, self.weight_hh, self.bias_hh),
        )


class RNNCell(RNNCellBase):
    """h' = tanh(W·x + b + W'·h + b'), or relu."""

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, nonlinearity: str = "tanh",
        device: Any = None, dtype: Any = None,
    ) -> None:  # fmt: skip
        super().__init__(input_size, hidden_size, bias, 1, dtype=dtype)
        self.nonlinearity = nonlinearity

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        """input (N, in) or (in), hx (N, hidden) or (hidden)"""
        if self.nonlinearity not in ("tanh", "relu"):
            raise SuanziError("no such nonlinearity", input="nonlinearity",
                              expected="tanh or relu", found=self.nonlinearity)  # fmt: skip
        x, h = self._batched(input, hx)
        a, b = self._gates(x, h)
        made = F.tanh(a + b) if self.nonlinearity == "tanh" else F.relu(a + b)
        return made if input.ndim == 2 else made.squeeze(0)

    def extra_repr(self) -> str:
        other = self.nonlinearity != "tanh"
        return super().extra_repr() + (f", nonlinearity={self.nonlinearity}" if other else "")


class LSTMCell(RNNCellBase):
    """Gates i, f, o and what is new, g: c' = f·c + i·g, h' = o·tanh(c').

    >>> import suanzi
    >>> h, c = LSTMCell(10, 20)(suanzi.randn(3, 10))
    >>> h.shape, c.shape
    (suanzi.Size([3, 20]), suanzi.Size([3, 20]))
    """

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, device: Any = None,
        dtype: Any = None,
    ) -> None:  # fmt: skip
        super().__init__(input_size, hidden_size, bias, 4, dtype=dtype)

    def forward(
        self, input: Tensor, hx: tuple[Tensor, Tensor] | None = None
    ) -> tuple[Tensor, Tensor]:
        """input (N, in) or (in); hx, h and c, (N, hidden) or (hidden) each"""
        x, h, c = self._batched(input, *((None, None) if hx is None else hx))
        a, b = self._gates(x, h)
        i, f, g, o = (a + b).chunk(4, 1)
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        h = o.sigmoid() * c.tanh()
        return (h, c) if input.ndim == 2 else (h.squeeze(0), c.squeeze(0))


class GRUCell(RNNCellBase):
    """Gates r and z and what is new, n = tanh(W·x + b + r·(W'·h + b')): h' = (1 - z)·n + z·h."""

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, device: Any = None,
        dtype: Any = None,
    ) -> None:  # fmt: skip
        super().__init__(input_size, hidden_size, bias, 3, dtype=dtype)

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        """input (N, in) or (in), hx (N, hidden) or (hidden)"""
        x, h = self._batched(input, hx)
        (xr, xz, xn), (hr, hz, hn) = (gates.chunk(3, 1) for gates in self._gates(x, h))
        r, z = (xr + hr).sigmoid(), (xz + hz).sigmoid()
        n = (xn + r * hn).tanh()
        made = n + z * (h - n)
        return made if input.ndim == 2 else made.squeeze(0)  # type: ignore[no-any-return]
