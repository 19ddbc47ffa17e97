"""Logic and shifts of each bit of integers; the inputs broadcast as NumPy's do.

Source, of all here: https://onnx.ai/onnx/operators/
"""

from typing import Any

import numpy as np

from suanzi.errors import SuanziError
from suanzi.operators._elementwise import Elementwise, Mathematics, Pointwise
from suanzi.operators._operator import Array, Example, TensorType, operator


class Bitwise(Elementwise):
    """Inputs and output are integers of one type."""

    @classmethod
    def examples(cls) -> list[Example]:
        return [
            Example(cls(), (np.array([[0b1100], [-1]], np.int32), np.array([0b1010, 7], np.int32)))
        ]


@operator(family="bitwise", torch="torch.bitwise_and")
class BitwiseAnd(Bitwise):
    """C = the bits that A and B both have."""

    def formula(self, m: Mathematics, A: Any, B: Any) -> Any:
        return A & B


@operator(family="bitwise", torch="torch.bitwise_or")
class BitwiseOr(Bitwise):
    """C = the bits that A or B has."""

    def formula(self, m: Mathematics, A: Any, B: Any) -> Any:
        return A | B


@operator(family="bitwise", torch="torch.bitwise_xor")
class BitwiseXor(Bitwise):
    """C = the bits that one of A and B has."""

    def formula(self, m: Mathematics, A: Any, B: Any) -> Any:
        return A ^ B


@operator(family="bitwise", torch="torch.bitwise_not")
class BitwiseNot(Bitwise):
    """Y = the bits that X hasn't."""

    def formula(self, m: Mathematics, X: Any) -> Any:
        return ~X

    @classmethod
    def examples(cls) -> list[Example]:
        return [Example(cls(), (np.array([0b1100, -1], np.int32),))]


@operator(family="bitwise", torch="torch.bitwise_left_shift")
class BitShift(Pointwise):
    """Z = X's bits moved by Y places to the `direction` LEFT or RIGHT: ⌊X · 2^±Y⌋ in X's bits.

    To the right the sign's bit moves in. Moved below 0 or by all its bits or more, a negative X
    becomes -1 to the right, everything else 0. Before opset 28 of unsigned integers only.
    """

    direction: str

    def infer(self, *inputs: TensorType | None) -> TensorType:
        if self.direction not in ("LEFT", "RIGHT"):
            raise SuanziError("wrong direction", expected="LEFT or RIGHT", found=self.direction)
        return super().infer(*inputs)

    def numpy(self, X: Array, Y: Array) -> Array:
        bits = 8 * X.dtype.itemsize
        beyond = (Y < 0) | (bits <= Y)
        places = np.where(beyond, bits - 1, Y).astype(X.dtype)
        if self.direction == "LEFT":
            return np.where(beyond, 0, np.left_shift(X, places)).astype(X.dtype)
        # By all but one bit, a signed X leaves its sign alone, which is what lies beyond as well.
        signed = X.dtype.kind == "i"
        return np.where(beyond & (not signed), 0, np.right_shift(X, places)).astype(X.dtype)

    @classmethod
    def examples(cls) -> list[Example]:
        X, Y = np.array([[5], [-16]], np.int8), np.array([1, 3, 8], np.int8)
        unsigned = np.array([128, 3], np.uint8), np.array([1, 7], np.uint8)
        return [
            Example(cls(direction="LEFT"), (X, Y)),
            Example(cls(direction="RIGHT"), (X, Y)),
            Example(cls(direction="RIGHT"), unsigned),
        ]
