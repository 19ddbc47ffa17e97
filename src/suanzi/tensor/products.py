"""Products of vectors and matrices, and what is added to them."""

import functools
import math
import string
from collections.abc import Sequence
from typing import Any

import numpy as np

from suanzi.errors import SuanziError
from suanzi.operators import Einsum
from suanzi.tensor.arithmetic import Number, matmul
from suanzi.tensor.core import Tensor, apply, axis, in_place, into, leaf, method
from suanzi.tensor.gathering import roll
from suanzi.tensor.views import expand, reshape


def _require_rank(rank: int, **tensors: Tensor) -> None:
    for name, x in tensors.items():
        if x.ndim != rank:
            raise SuanziError(
                "wrong rank", input=name, expected=f"{rank} axes",
                found=f"{x.ndim}: {tuple(x.shape)}",
            )  # fmt: skip


@method
def mm(input: Tensor, mat2: Tensor, *, out: Any = None) -> Tensor:
    """The product of two matrices."""
    _require_rank(2, input=input, mat2=mat2)
    return into(out, matmul(input, mat2))


@method
def bmm(input: Tensor, mat2: Tensor, *, out: Any = None) -> Tensor:
    """The products of two batches of matrices, pair by pair."""
    _require_rank(3, input=input, mat2=mat2)
    if input._value.shape[0] != mat2._value.shape[0]:
        raise SuanziError("the batches differ", input="mat2", expected=input.shape[0],
                          found=mat2.shape[0])  # fmt: skip
    return into(out, matmul(input, mat2))


@method
def mv(input: Tensor, vec: Tensor, *, out: Any = None) -> Tensor:
    """A matrix times a vector."""
    _require_rank(2, input=input)
    _require_rank(1, vec=vec)
    return into(out, matmul(input, vec))


@method
def dot(input: Tensor, tensor: Tensor, *, out: Any = None) -> Tensor:
    """Σ x·y of two vectors."""
    _require_rank(1, input=input, tensor=tensor)
    if input._value.shape != tensor._value.shape:
        raise SuanziError("the lengths differ", input="tensor", expected=tuple(input.shape),
                          found=tuple(tensor.shape))  # fmt: skip
    return into(out, matmul(input, tensor))


vdot = dot
Tensor.vdot = dot  # type: ignore[attr-defined]


@method
def inner(input: Tensor, other: Tensor, *, out: Any = None) -> Tensor:
    """Σ x·y over the last axes."""
    if not input.ndim or not other.ndim:
        return into(out, input * other)
    return into(out, tensordot(input, other, ([-1], [-1])))


@method
def outer(input: Tensor, vec2: Tensor, *, out: Any = None) -> Tensor:
    """xᵢ·yⱼ of two vectors."""
    _require_rank(1, input=input, vec2=vec2)
    return into(out, input.unsqueeze(1) * vec2)


ger = outer
Tensor.ger = outer  # type: ignore[attr-defined]


def _added(input: Tensor, product: Tensor, beta: Number, alpha: Number) -> Tensor:
    """beta · input + alpha · product; with beta 0 the input isn't looked at, NaN or not."""
    if alpha != 1:
        product = product * alpha
    if beta == 0:
        return product
    made = (input if beta == 1 else input * beta) + product
    if made._value.shape != product._value.shape:
        raise SuanziError("doesn't broadcast to the product", input="input",
                          expected=tuple(product.shape), found=tuple(input.shape))  # fmt: skip
    return made


@method
def addmm(
    input: Tensor, mat1: Tensor, mat2: Tensor, *, beta: Number = 1, alpha: Number = 1,
    out: Any = None,
) -> Tensor:  # fmt: skip
    """beta · input + alpha · mat1 @ mat2"""
    return into(out, _added(input, mm(mat1, mat2), beta, alpha))


@method
def addmv(
    input: Tensor, mat: Tensor, vec: Tensor, *, beta: Number = 1, alpha: Number = 1,
    out: Any = None,
) -> Tensor:  # fmt: skip
    """beta · input + alpha · mat @ vec"""
    return into(out, _added(input, mv(mat, vec), beta, alpha))


@method
def addr(
    input: Tensor, vec1: Tensor, vec2: Tensor, *, beta: Number = 1, alpha: Number = 1,
    out: Any = None,
) -> Tensor:  # fmt: skip
    """beta · input + alpha · vec1 ⊗ vec2"""
    return into(out, _added(input, outer(vec1, vec2), beta, alpha))


@method
def baddbmm(
    input: Tensor, batch1: Tensor, batch2: Tensor, *, beta: Number = 1, alpha: Number = 1,
    out: Any = None,
) -> Tensor:  # fmt: skip
    """beta · input + alpha · batch1 @ batch2"""
    return into(out, _added(input, bmm(batch1, batch2), beta, alpha))


@method
def addbmm(
    input: Tensor, batch1: Tensor, batch2: Tensor, *, beta: Number = 1, alpha: Number = 1,
    out: Any = None,
) -> Tensor:  # fmt: skip
    """beta · input + alpha · Σ batch1 @ batch2, over the batch"""
    return into(out, _added(input, bmm(batch1, batch2).sum(0), beta, alpha))


@method
def addcmul(
    input: Tensor, tensor1: Any, tensor2: Any, *, value: Number = 1, out: Any = None
) -> Tensor:
    """input + value · tensor1 · tensor2"""
    product = tensor1 * tensor2
    return into(out, input + (product if value == 1 else product * value))


@method
def addcdiv(
    input: Tensor, tensor1: Any, tensor2: Any, *, value: Number = 1, out: Any = None
) -> Tensor:
    """input + value · tensor1 / tensor2"""
    quotient = tensor1 / tensor2
    return into(out, input + (quotient if value == 1 else quotient * value))


@method
def lerp(input: Tensor, end: Tensor, weight: Any, *, out: Any = None) -> Tensor:
    """input + weight · (end - input)"""
    return into(out, input + (end - input) * weight)


for _function in (addmm, addmv, addr, baddbmm, addbmm, addcmul, addcdiv, lerp):
    in_place(_function)


@functools.lru_cache(1024)
def _equation(text: str) -> Einsum:
    return Einsum(equation=text.replace(" ", ""))


def einsum(equation: Any, *operands: Any) -> Tensor:
    """Sums of products along the axes that the equation names.

    >>> import suanzi
    >>> einsum("ij,j->i", suanzi.ones(2, 3), suanzi.arange(3.0))
    tensor([3., 3.])
    """
    if not isinstance(equation, str):
        equation, operands = _of_lists((equation, *operands))
    if len(operands) == 1 and isinstance(operands[0], list | tuple):
        operands = tuple(operands[0])
    return apply(_equation(equation), *operands)


def _of_lists(given: tuple[Any, ...]) -> tuple[str, tuple[Any, ...]]:
    """The equation of operands that are each followed by their axes as numbers."""

    def letters(axes: Sequence[Any]) -> str:
        return "".join("..." if a is Ellipsis else string.ascii_letters[a] for a in axes)

    pairs = len(given) // 2
    terms = ",".join(letters(given[2 * i + 1]) for i in range(pairs))
    to = f"->{letters(given[-1])}" if len(given) % 2 else ""
    return terms + to, given[: 2 * pairs : 2]


def tensordot(a: Tensor, b: Tensor, dims: Any = 2, out: Any = None) -> Tensor:
    """Σ a·b over axes of both: so many of a's last and b's first, or two lists of axes."""
    if isinstance(dims, int):
        first, second = [*range(a.ndim - dims, a.ndim)], [*range(dims)]
    else:
        lists = dims.tolist() if isinstance(dims, Tensor) else dims
        first, second = ([d] if isinstance(d, int) else [*d] for d in lists)
        first, second = [axis(a, d) for d in first], [axis(b, d) for d in second]
    sizes = [a._value.shape[i] for i in first]
    if sizes != [b._value.shape[i] for i in second]:
        raise SuanziError("the sizes differ", input="dims", expected=sizes,
                          found=[b._value.shape[i] for i in second])  # fmt: skip
    left = [i for i in range(a.ndim) if i not in first]
    right = [i for i in range(b.ndim) if i not in second]
    shape = [*(a._value.shape[i] for i in left), *(b._value.shape[i] for i in right)]
    n = math.prod(sizes)
    rows, columns = (
        math.prod(x._value.shape[i] for i in kept) for x, kept in ((a, left), (b, right))
    )
    x = reshape(a.permute(*left, *first), (rows, n))
    y = reshape(b.permute(*second, *right), (n, columns))
    return into(out, reshape(matmul(x, y), shape))


@method
def kron(input: Tensor, other: Tensor, *, out: Any = None) -> Tensor:
    """Each element of the one times all of the other, block by block."""
    rank = max(input.ndim, other.ndim)
    a, b = ([1] * (rank - x.ndim) + [*x._value.shape] for x in (input, other))
    first = reshape(input, [s for n in a for s in (n, 1)])
    second = reshape(other, [s for n in b for s in (1, n)])
    return into(out, reshape(first * second, [n * m for n, m in zip(a, b, strict=True)]))


@method
def cross(input: Tensor, other: Tensor, dim: int | None = None, *, out: Any = None) -> Tensor:
    """The vectors at right angles to those of both, along an axis of 3 (the first unless given)."""
    shape = np.broadcast_shapes(input._value.shape, other._value.shape)
    if dim is None:
        dim = next((i for i, n in enumerate(shape) if n == 3), len(shape) - 1)
    a, b = expand(input, shape), expand(other, shape)
    at = axis(a, dim)
    if not shape or shape[at] != 3:
        raise SuanziError("wrong size", input="dim", expected=3, found=shape[at : at + 1])
    made = roll(a, -1, at) * roll(b, -2, at) - roll(a, -2, at) * roll(b, -1, at)
    return into(out, made)


def chain_matmul(*matrices: Tensor, out: Any = None) -> Tensor:
    """The product of several matrices."""
    return into(out, functools.reduce(matmul, matrices))


@method
def matrix_power(input: Tensor, n: int, *, out: Any = None) -> Tensor:
    """The matrix times itself, n times; of its inverse where n is below zero."""
    base = input.inverse() if n < 0 else input
    n, power = abs(n), None
    while n:
        if n % 2:
            power = base if power is None else matmul(power, base)
        n //= 2
        if n:
            base = matmul(base, base)
    if power is None:
        eye = np.eye(input._value.shape[-1], dtype=input._value.dtype)
        return into(out, expand(leaf(eye), input.shape).clone())
    return into(out, power.clone() if power is input else power)


__all__ = [
    "addbmm", "addcdiv", "addcmul", "addmm", "addmv", "addr", "baddbmm", "bmm", "chain_matmul",
    "cross", "dot", "einsum", "ger", "inner", "kron", "lerp", "matrix_power", "mm", "mv", "outer",
    "tensordot", "vdot",
]  # fmt: skip
