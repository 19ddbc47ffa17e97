"""Recurrent layers, over the operators RNN, LSTM and GRU."""

import math
import warnings
from typing import Any

import numpy as np

from suanzi.errors import SuanziError
from suanzi.nn import functional as F  # noqa: N812  (everybody's name for it)
from suanzi.nn import init
from suanzi.nn._recurrent_steps import MOST, walk
from suanzi.nn.module import Module
from suanzi.nn.parameter import Parameter
from suanzi.nn.utils.rnn import PackedSequence
from suanzi.operators import Gather, Split
from suanzi.operators import recurrent as operators
from suanzi.operators._operator import Array
from suanzi.tensor import Tensor, apply, cat, empty, leaf, stack
from suanzi.tensor.core import any_requires_grad
from suanzi.tensor.modes import modes

GATES = {"RNN_TANH": 1, "RNN_RELU": 1, "LSTM": 4, "GRU": 3}
ORDERS = {"LSTM": (0, 3, 1, 2), "GRU": (1, 0, 2)}
"""Which of PyTorch's gates stand where ONNX has its own."""


class RNNBase(Module):
    """Layers of a recurrent kind, each of one direction or two, over sequences."""

    def __init__(
        self, mode: str, input_size: int, hidden_size: int, num_layers: int = 1, bias: bool = True,
        batch_first: bool = False, dropout: float = 0.0, bidirectional: bool = False,
        proj_size: int = 0, device: Any = None, dtype: Any = None,
    ) -> None:  # fmt: skip
        super().__init__()
        if mode not in GATES:
            raise SuanziError("no such mode", input="mode", expected=", ".join(GATES), found=mode)
        sizes = {"input_size": input_size, "hidden_size": hidden_size, "num_layers": num_layers}
        for name, size in sizes.items():
            if isinstance(size, bool) or not isinstance(size, int) or size < 1:
                raise SuanziError("wrong size", input=name, expected="1 or more", found=size)
        for name, given in {"bias": bias, "batch_first": batch_first}.items():
            if not isinstance(given, bool):
                raise SuanziError("not a bool", input=name, expected="True or False", found=given)
        number = isinstance(dropout, int | float) and not isinstance(dropout, bool)
        if not number or not 0 <= dropout <= 1:
            raise SuanziError("wrong probability", input="dropout", expected="from 0 to 1",
                              found=dropout)  # fmt: skip
        if not 0 <= proj_size < hidden_size:
            raise SuanziError("wrong size", input="proj_size", found=proj_size,
                              expected=f"from 0 to below hidden_size, {hidden_size}")  # fmt: skip
        if dropout and num_layers == 1:
            warnings.warn("dropout comes between layers, and there is one alone", stacklevel=3)
        self.mode, self.input_size, self.hidden_size = mode, input_size, hidden_size
        self.num_layers, self.bias, self.batch_first = num_layers, bias, batch_first
        self.dropout, self.bidirectional = float(dropout), bidirectional
        self.proj_size = proj_size
        self._all_weights: list[list[str]] = []
        rows, out = GATES[mode] * hidden_size, proj_size or hidden_size
        for layer in range(num_layers):
            width = out * self._directions if layer else input_size
            for suffix in ("", "_reverse")[: self._directions]:
                shapes = {"weight_ih": (rows, width), "weight_hh": (rows, out)}
                if bias:
                    shapes |= {"bias_ih": (rows,), "bias_hh": (rows,)}  # type: ignore[dict-item]
                if proj_size:
                    shapes["weight_hr"] = (proj_size, hidden_size)
                names = [f"{name}_l{layer}{suffix}" for name in shapes]
                for name, shape in zip(names, shapes.values(), strict=True):
                    setattr(self, name, Parameter(empty(*shape, device=device, dtype=dtype)))
                self._all_weights.append(names)
        self.reset_parameters()

    @property
    def _directions(self) -> int:
        return 2 if self.bidirectional else 1

    @property
    def all_weights(self) -> list[list[Parameter]]:
        """The parameters of each layer, and direction in it."""
        return [[getattr(self, name) for name in names] for names in self._all_weights]

    def flatten_parameters(self) -> None:
        """Nothing: PyTorch's joins the weights in memory for CUDA's library."""

    def reset_parameters(self) -> None:
        """Draws all evenly from ±1/√hidden_size."""
        bound = 1 / math.sqrt(self.hidden_size)
        for weight in self.parameters():
            init.uniform_(weight, -bound, bound)

    def extra_repr(self) -> str:
        shown = [f"{self.input_size}, {self.hidden_size}"]
        usual = {"proj_size": 0, "num_layers": 1, "bias": True, "batch_first": False,
                 "dropout": 0.0, "bidirectional": False}  # fmt: skip
        for name, value in usual.items():
            found = getattr(self, name)
            shown += [] if found == value else [f"{name}={found}"]
        return ", ".join(shown)

    def check_input(self, input: Tensor, batch_sizes: Tensor | None) -> None:
        """That the input has the layer's type, rank and width."""
        weight: Parameter = self.all_weights[0][0]
        if input.dtype != weight.dtype:
            raise SuanziError("input and weights differ in type", input="input",
                              expected=weight.dtype, found=input.dtype)  # fmt: skip
        ranks = (2, 3) if batch_sizes is None else (2,)
        if input.ndim not in ranks or input.shape[-1] != self.input_size:
            raise SuanziError(
                "wrong shape", input="input", found=tuple(input.shape),
                expected=f"{ranks[-1]} axes, {self.input_size} along the last",
            )  # fmt: skip
        if not input.shape[0 if input.ndim == 2 or not self.batch_first else 1]:
            raise SuanziError("no steps", input="input", expected="at least one",
                              found=tuple(input.shape))  # fmt: skip

    def _check_states(self, states: Any, batch: tuple[int, ...]) -> None:
        count = self.num_layers * self._directions
        for i, state in enumerate(states):
            width = self.proj_size if self.proj_size and i == 0 else self.hidden_size
            expected = (count, *batch, width)
            if tuple(state.shape) != expected:
                raise SuanziError("wrong state", input="hx" if len(states) == 1 else f"hx[{i}]",
                                  expected=expected, found=tuple(state.shape))  # fmt: skip

    def forward(self, input: Any, hx: Any = None) -> Any:
        """input (L, N, in), batch_first (N, L, in), without a batch (L, in), or a PackedSequence:
        the last layer's states at each step, (L, N, D·out), and the last states (D·layers, N, out).
        """
        states = () if hx is None else hx if isinstance(hx, tuple | list) else (hx,)
        if isinstance(input, PackedSequence):
            return self._packed(input, states)
        self.check_input(input, None)
        batched = input.ndim == 3
        first = batched and self.batch_first
        N = () if not batched else (input.shape[0 if first else 1],)
        self._check_states(states, N)
        if not batched:
            input, states = input.unsqueeze(1), [s.unsqueeze(1) for s in states]
        x, last = self._layers(input.transpose(0, 1) if first else input, states, None)
        if first:
            x = x.transpose(0, 1)
        if not batched:
            x, last = x.squeeze(1), [s.squeeze(1) for s in last]
        return x, last[0] if len(last) == 1 else tuple(last)

    def _packed(self, packed: PackedSequence, states: Any) -> Any:
        """Of sequences of several lengths: padded, and packed again."""
        self.check_input(packed.data, packed.batch_sizes)
        sizes = packed.batch_sizes.numpy()
        T, N = len(sizes), int(sizes[0])
        self._check_states(states, (N,))
        running = np.arange(N) < sizes[:, None]
        places = np.zeros((T, N), np.int64)  # where each element lies, packed
        places[running] = np.arange(running.sum())
        if packed.sorted_indices is not None:
            states = [s.index_select(1, packed.sorted_indices) for s in states]
        x = apply(Gather(axis=0), packed.data, places)
        x, last = self._layers(x, states, running.sum(0).astype(np.int32))
        rows = np.flatnonzero(running)
        data = apply(Gather(axis=0), x.reshape(T * N, -1), rows)
        if packed.unsorted_indices is not None:
            last = [s.index_select(1, packed.unsorted_indices) for s in last]
        made = PackedSequence(
            data, packed.batch_sizes, packed.sorted_indices, packed.unsorted_indices
        )
        return made, last[0] if len(last) == 1 else tuple(last)

    def _layers(self, x: Tensor, states: Any, lens: Any) -> tuple[Tensor, list[Tensor]]:
        """All layers over x [T, N, in]; lens: the sequences' lengths where they differ."""
        D, weights = self._directions, self.all_weights
        trace = modes.trace  # a file keeps the operator, whatever the number of steps
        unrolled = trace is not None and not trace.exporting and x.shape[0] <= MOST
        stepping = self.proj_size or unrolled
        lasts = []
        for layer in range(self.num_layers):
            if layer and self.training:
                x = F.dropout(x, self.dropout)
            part = slice(layer * D, layer * D + D)
            mine = [s if self.num_layers == 1 else s[part] for s in states]
            if stepping:
                x, *last = walk(self.mode, x, weights[part], mine, lens, self.bias)
            else:
                x, *last = self._operate(x, weights[part], mine, lens)
            lasts.append(last)
        if self.num_layers == 1:
            return x, lasts[0]
        return x, [cat(parts) for parts in zip(*lasts, strict=True)]

    def _operate(
        self, x: Tensor, weights: list[list[Parameter]], states: Any, lens: Any
    ) -> tuple[Tensor, ...]:
        """One layer: its output [T, N, D·H], and the last states."""
        options: dict[str, Any] = {"hidden_size": self.hidden_size}
        if self.bidirectional:
            options["direction"] = "bidirectional"
        operator: Any
        if self.mode == "LSTM":
            operator = operators.LSTM(**options)
        elif self.mode == "GRU":
            operator = operators.GRU(**options, linear_before_reset=1)
        else:
            name = "Tanh" if self.mode == "RNN_TANH" else "Relu"
            operator = operators.RNN(**options, activations=(name,) * self._directions)
        W, R = (self._joined([[w[i]] for w in weights]) for i in (0, 1))
        B = self._joined([[*w[2:]] for w in weights]) if self.bias else None
        given = (x, W, R, B, lens if lens is None else leaf(lens), *states)
        while given[-1] is None:
            given = given[:-1]
        Y, *last = apply(operator, *given)
        T, D, N, H = Y.shape
        Y = Y.squeeze(1) if D == 1 else Y.permute(0, 2, 1, 3).reshape(T, N, D * H)
        return (Y, *last)

    def _joined(self, parts: list[list[Parameter]]) -> Tensor:
        """Weights of each direction, in ONNX's order of gates: [D, ...]."""
        order = ORDERS.get(self.mode)
        if modes.trace is None and not (
            modes.grad and any_requires_grad([p for part in parts for p in part])
        ):
            return leaf(_joined_arrays([[p._value for p in part] for part in parts], order))
        if order is None:
            return stack([p[0] if len(p) == 1 else cat(p) for p in parts])
        split = Split(axis=0, num_outputs=len(order))
        rows = []
        for part in parts:
            gates = [apply(split, p) for p in part]
            rows.append(cat([g[i] for g in gates for i in order]))
        return stack(rows) if len(rows) > 1 else rows[0].unsqueeze(0)


def _joined_arrays(parts: list[list[Array]], order: tuple[int, ...] | None) -> Array:
    """What RNNBase._joined makes, where nothing is recorded."""
    shape = (len(parts), -1, *parts[0][0].shape[1:])
    rows = [p for part in parts for p in part]
    if order is None:
        return np.concatenate(rows).reshape(shape)
    gates = [p.reshape(len(order), -1, *p.shape[1:]) for p in rows]
    return np.concatenate([g[i] for g in gates for i in order]).reshape(shape)


def _without_projection(kwargs: dict[str, Any]) -> None:
    if "proj_size" in kwargs:
        raise SuanziError("only LSTM projects its state", input="proj_size", expected="none",
                          found=kwargs["proj_size"])  # fmt: skip


class RNN(RNNBase):
    """h[t] = tanh(W·x[t] + b + W'·h[t - 1] + b'), or relu.

    >>> import suanzi
    >>> output, h = RNN(10, 20, 2)(suanzi.randn(5, 3, 10))
    >>> output.shape, h.shape
    (suanzi.Size([5, 3, 20]), suanzi.Size([2, 3, 20]))
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        _without_projection(kwargs)
        given = [*args]
        nonlinearity = given.pop(3) if len(given) > 3 else kwargs.pop("nonlinearity", "tanh")
        if nonlinearity not in ("tanh", "relu"):
            raise SuanziError("no such nonlinearity", input="nonlinearity",
                              expected="tanh or relu", found=nonlinearity)  # fmt: skip
        super().__init__(f"RNN_{nonlinearity.upper()}", *given, **kwargs)
        self.nonlinearity = nonlinearity


class LSTM(RNNBase):
    """Gates i, f, o and what is new, g: c[t] = f·c[t - 1] + i·g, h[t] = o·tanh(c[t]).

    >>> import suanzi
    >>> output, (h, c) = LSTM(10, 20, bidirectional=True)(suanzi.randn(5, 3, 10))
    >>> output.shape, h.shape, c.shape
    (suanzi.Size([5, 3, 40]), suanzi.Size([2, 3, 20]), suanzi.Size([2, 3, 20]))
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__("LSTM", *args, **kwargs)


class GRU(RNNBase):
    """Gates r, z and what is new, n: h[t] = (1 - z)·n + z·h[t - 1]."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        _without_projection(kwargs)
        super().__init__("GRU", *args, **kwargs)
