"""Products with weights: linear and bilinear."""

from typing import Any, cast

import numpy as np

from suanzi.errors import SuanziError
from suanzi.nn.functional._arguments import require_tensor
from suanzi.operators import Add, Gemm, MatMul
from suanzi.tensor import Tensor, apply, wrap
from suanzi.tensor.core import recorded as done
from suanzi.tensor.modes import modes

GEMM, MATMUL, ADD = Gemm(transB=1), MatMul(), Add()


def linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """x·Wᵀ + b over the last axis: input (*, in), weight (out, in) or (in), bias (out).

    >>> import suanzi
    >>> linear(suanzi.ones(2, 3), suanzi.ones(4, 3)).shape
    suanzi.Size([2, 4])
    """
    require_tensor(input)
    require_tensor(weight, "weight")
    x, w = input._value, weight._value
    if x.dtype != w.dtype:
        raise SuanziError("input and weight differ in type", input="weight", expected=input.dtype,
                          found=weight.dtype)  # fmt: skip
    if not x.shape or not 0 < len(w.shape) < 3 or x.shape[-1] != w.shape[-1]:
        raise SuanziError(
            "the last axes don't fit", input="input", found=tuple(x.shape),
            expected=f"{w.shape[-1] if w.shape else '?'} along the last axis, as weight has",
        )  # fmt: skip
    recorded = modes.grad and (
        input.requires_grad or weight.requires_grad or (bias is not None and bias.requires_grad)
    )
    small = type(x) is np.ndarray and x.size * w.size <= 1 << 18 and modes.trace is None
    plain = len(x.shape) == 2 and len(w.shape) == 2
    given = (input, weight) if bias is None else (input, weight, bias)
    if small and (plain or not recorded):
        y: Any = x @ w.T
        if bias is not None:
            y += bias._value
        return done(GEMM, given, np.asarray(y)) if recorded else wrap(np.asarray(y))
    if plain:
        return cast(Tensor, apply(GEMM, *given))
    if modes.trace is None and len(w.shape) == 2 and x.size and x.flags.c_contiguous:
        rows = apply(GEMM, input.reshape(-1, x.shape[-1]), *given[1:])  # Wᵀ needn't be copied
        return rows.reshape(*x.shape[:-1], w.shape[0])  # type: ignore[no-any-return]
    y = apply(MATMUL, input, weight.t())
    return y if bias is None else y + bias  # type: ignore[no-any-return]


def bilinear(input1: Tensor, input2: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """x1ᵀ·W·x2 + b over the last axes: weight (out, in1, in2)."""
    for name, x in (("input1", input1), ("input2", input2), ("weight", weight)):
        require_tensor(x, name)
    fits = (input1.shape[-1], input2.shape[-1]) == weight.shape[1:]
    if weight.ndim != 3 or not fits or input1.shape[:-1] != input2.shape[:-1]:
        raise SuanziError(
            "the inputs don't fit the weight", input="input1",
            expected=f"last axes of {tuple(weight.shape[1:])}, and the others alike",
            found=(tuple(input1.shape), tuple(input2.shape)),
        )  # fmt: skip
    pairs = input1.unsqueeze(-1) * input2.unsqueeze(-2)  # x1 ⊗ x2: one matrix product is left
    return linear(pairs.flatten(-2), weight.flatten(1), bias)
