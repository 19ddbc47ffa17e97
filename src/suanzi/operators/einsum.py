"""Einstein's summation: products of tensors, written as an equation of their axes' names."""

import functools
import math
import string
from collections.abc import Sequence
from typing import Any

import numpy as np

from suanzi.errors import SuanziError
from suanzi.operators._checks import require_dtype, widen
from suanzi.operators._gradients import expand, sum_to, transpose
from suanzi.operators._operator import (
    Array,
    Dim,
    Example,
    Operator,
    TensorType,
    broadcast_dims,
    broadcast_shapes,
    operator,
    require,
)

MORE = "..."
"""What stands for the axes without a name."""


@operator(family="linear", torch="torch.einsum")
class Einsum(Operator):
    """Y[i, k] = Σ_j A[i, j] · B[j, k] for "ij,jk->ik"; any number of inputs with any axes.

    Each letter is an axis; those that the right side lacks are summed over, and one that comes
    twice in a term is its diagonal. Without "->" the right side is the axes without a name, then
    the letters that come once, capitals first. "..." stands for axes without a name, which
    broadcast. Sums of half-precision numbers are taken in float32.
    Source: https://onnx.ai/onnx/operators/onnx__Einsum.html (opset 28, as 12)
    """

    equation: str

    def _terms(self) -> tuple[list[str], str]:
        """What the left side says of each input, and the right side."""
        equation = self.equation.replace(" ", "")
        left, arrow, right = equation.partition("->")
        letters = left.replace(MORE, "").replace(",", "")
        if not (letters + right.replace(MORE, "")).isalpha() and letters:
            raise SuanziError("not an equation", expected="such as ij,jk->ik", found=self.equation)
        if not arrow:
            once = sorted(c for c in set(letters) if letters.count(c) == 1)
            right = (MORE if MORE in left else "") + "".join(once)
        return left.split(","), right

    def sizes(
        self, inputs: Sequence[TensorType | None]
    ) -> tuple[dict[str, Dim], tuple[Dim, ...] | None]:
        """The size of each letter, and what the axes without a name broadcast to."""
        terms, right = self._terms()
        if len(terms) != len(inputs):
            raise SuanziError("wrong number of inputs", expected=len(terms), found=len(inputs))
        sizes: dict[str, Dim] = {}
        unnamed: tuple[Dim, ...] | None = ()
        for i, (term, t) in enumerate(zip(terms, inputs, strict=True)):
            assert t is not None
            before, more, after = term.partition(MORE)
            named = before + after
            if t.shape is None:
                unnamed = None if more else unnamed
                sizes |= {letter: sizes.get(letter) for letter in named}
                continue
            extra = len(t.shape) - len(named)
            fits = extra >= 0 if more else extra == 0
            require(fits, "wrong rank", f"Inputs_{i}", f"axes {term}", t)
            middle = t.shape[len(before) : len(before) + extra]
            unnamed = broadcast_shapes(unnamed, middle)
            dims = (*t.shape[: len(before)], *t.shape[len(before) + extra :])
            for letter, dim in zip(named, dims, strict=True):
                sizes[letter] = broadcast_dims(sizes.get(letter, 1), dim)
        missing = set(right.replace(MORE, "")) - set(sizes)
        if missing:
            raise SuanziError("no input has such an axis", found=", ".join(sorted(missing)))
        return sizes, unnamed

    def infer(self, *inputs: TensorType) -> TensorType:
        for i, t in enumerate(inputs):
            require_dtype(t, inputs[0].dtype, f"Inputs_{i}")
        sizes, unnamed = self.sizes(inputs)
        before, more, after = self._terms()[1].partition(MORE)
        if more and unnamed is None:
            return TensorType(inputs[0].dtype, None)
        middle = unnamed if more and unnamed is not None else ()
        named = [tuple(sizes[letter] for letter in part) for part in (before, after)]
        return TensorType(inputs[0].dtype, (*named[0], *middle, *named[1]))

    def numpy(self, *inputs: Array) -> Array:
        terms, right = self._terms()
        equation = f"{','.join(terms)}->{right}"
        Y = np.einsum(equation, *map(widen, inputs), optimize=len(inputs) > 1)
        return np.asarray(Y).astype(inputs[0].dtype)

    def grad(self, dY: Any, _Y: Any, *inputs: Any) -> tuple[Any, ...]:
        return tuple(functools.partial(self._gradient, dY, inputs, i) for i in range(len(inputs)))

    def _gradient(self, dY: Any, inputs: Sequence[Any], i: int) -> Any:
        """Input i's, again such a sum: of dY and the other inputs, to the axes of this one."""
        terms, right = self._terms()
        before, _, after = terms[i].partition(MORE)
        shape, dtype = tuple(inputs[i].shape), np.dtype(dY.dtype)
        start, stop = len(before), len(shape) - len(after)
        middle, sizes = shape[start:stop], shape[:start] + shape[stop:]
        given = [*zip(terms, inputs, strict=True)]
        given[i] = right, dY
        known = "".join(term for term, _ in given)
        unused = (c for c in string.ascii_letters if c not in known + before + after)
        names = ""
        for letter, size in zip(before + after, sizes, strict=True):
            name = letter
            if letter in names:  # off the diagonal the gradient is 0
                name = next(unused)
                given.append((letter + name, np.eye(size, dtype=dtype)))
            elif letter not in known:  # what was summed gets the same everywhere
                given.append((letter, np.ones(size, dtype)))
            names += name
        unnamed = MORE if MORE in right else ""
        equation = f"{','.join(term for term, _ in given)}->{unnamed}{names}"
        made = Einsum(equation=equation)(*(x for _, x in given))
        target = middle + sizes
        made = sum_to(expand(made, np.broadcast_shapes(made.shape, target)), target)
        first = range(len(middle), len(middle) + start)
        return transpose(made, *first, *range(len(middle)), *range(len(middle) + start, len(shape)))

    def macs(self, inputs: Sequence[TensorType | None], outputs: Sequence[TensorType]) -> int:
        """One for each combination of all axes and each further input, if done in one go."""
        sizes, unnamed = self.sizes(inputs)
        every = [d for d in (*sizes.values(), *(unnamed or ())) if isinstance(d, int)]
        return math.prod(every) * (len(inputs) - 1)

    @classmethod
    def examples(cls) -> list[Example]:
        A = np.arange(6, dtype=np.float32).reshape(2, 3)
        B = np.arange(12, dtype=np.float32).reshape(3, 4) - 5
        stack = np.stack([B, -B])
        return [
            Example(cls(equation="ij, jk -> ik"), (A, B)),
            Example(cls(equation="ij"), (A,)),
            Example(cls(equation="...ij,...j"), (stack, B[0])),
            Example(cls(equation="ij,njk,k->n"), (A, stack, B[0])),
            Example(cls(equation="ii->i"), (B[:, :3].copy(),)),
        ]
