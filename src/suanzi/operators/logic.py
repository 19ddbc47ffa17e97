"""Comparisons and logic, element by element; the inputs broadcast as NumPy's do.

Before opset 7 broadcasting was by the attributes `broadcast` and `axis`; comparisons took fewer
types before 13. Source, of all here: https://onnx.ai/onnx/operators/
"""

import math
from typing import Any

import numpy as np

from suanzi.operators._elementwise import Elementwise, Mathematics
from suanzi.operators._gradients import like, sum_to
from suanzi.operators._operator import Example, TensorType, operator, require


class Comparison(Elementwise):
    """Two inputs of one type; the output is bool."""

    result = np.bool_

    @classmethod
    def examples(cls) -> list[Example]:
        A = np.array([[1, 2, 3], [3, 2, np.nan]], np.float32)
        B = np.array([2, 2, 2], np.float32)
        return [Example(cls(), (A, B)), Example(cls(), (B.astype(np.int64), np.arange(1, 4)))]


class Logic(Elementwise):
    """Inputs and output are bool."""

    result = np.bool_

    def infer(self, *inputs: TensorType | None) -> TensorType:
        for i, t in enumerate(inputs):
            assert t is not None
            require(t.dtype == np.bool_, "wrong type", self._input_name(i), "bool", t.dtype)
        return super().infer(*inputs)

    @classmethod
    def examples(cls) -> list[Example]:
        return [Example(cls(), (np.array([[False], [True]]), np.array([False, True])))]


@operator(family="logic", torch="torch.eq")
class Equal(Comparison):
    """C = A equals B; NaN equals nothing."""

    def formula(self, m: Mathematics, A: Any, B: Any) -> Any:
        return A == B


@operator(family="logic", torch="torch.gt")
class Greater(Comparison):
    """C = A > B."""

    def formula(self, m: Mathematics, A: Any, B: Any) -> Any:
        return A > B


@operator(family="logic", torch="torch.ge")
class GreaterOrEqual(Comparison):
    """C = A ≥ B."""

    def formula(self, m: Mathematics, A: Any, B: Any) -> Any:
        return A >= B


@operator(family="logic", torch="torch.lt")
class Less(Comparison):
    """C = A < B."""

    def formula(self, m: Mathematics, A: Any, B: Any) -> Any:
        return A < B


@operator(family="logic", torch="torch.le")
class LessOrEqual(Comparison):
    """C = A ≤ B."""

    def formula(self, m: Mathematics, A: Any, B: Any) -> Any:
        return A <= B


@operator(family="logic", torch="torch.logical_and")
class And(Logic):
    """C = A and B."""

    def formula(self, m: Mathematics, A: Any, B: Any) -> Any:
        return A & B


@operator(family="logic", torch="torch.logical_or")
class Or(Logic):
    """C = A or B, or both."""

    def formula(self, m: Mathematics, A: Any, B: Any) -> Any:
        return A | B


@operator(family="logic", torch="torch.logical_xor")
class Xor(Logic):
    """C = A or B, not both."""

    def formula(self, m: Mathematics, A: Any, B: Any) -> Any:
        return (A & ~B) | (B & ~A)


@operator(family="logic", torch="torch.logical_not")
class Not(Logic):
    """Y = not X."""

    def formula(self, m: Mathematics, X: Any) -> Any:
        return ~X

    @classmethod
    def examples(cls) -> list[Example]:
        return [Example(cls(), (np.array([False, True]),))]


@operator(family="logic", torch="torch.where")
class Where(Elementwise):
    """Y = X where the condition holds, Y elsewhere; all three broadcast."""

    def infer(self, *inputs: TensorType | None) -> TensorType:
        condition, X, Y = inputs
        assert condition is not None
        assert X is not None
        require(condition.dtype == np.bool_, "wrong type", "condition", "bool", condition.dtype)
        return super().infer(TensorType(X.dtype, condition.shape), X, Y)

    def formula(self, m: Mathematics, condition: Any, X: Any, Y: Any) -> Any:
        return m.where(condition, X, Y)

    def grad(self, dZ: Any, _Z: Any, condition: Any, _X: Any, _Y: Any) -> tuple[Any, ...]:
        return (
            None,
            lambda: sum_to(masked(condition, dZ), _X.shape),
            lambda: sum_to(masked(~condition, dZ), _Y.shape),
        )

    @classmethod
    def examples(cls) -> list[Example]:
        X, Y = np.array([[1, 2], [3, 4]], np.float32), np.array([[-1], [-2]], np.float32)
        return [Example(cls(), (np.array([True, False]), X, Y))]


def masked(condition: Any, value: Any) -> Any:
    """The value where the condition holds, 0 elsewhere.

    >>> masked(np.array([True, False]), np.array([np.inf, np.inf]))
    array([inf,  0.])
    """
    return Where()(condition, value, like(0, value))


@operator(family="logic", torch="torch.isnan")
class IsNaN(Elementwise):
    """Y = X is NaN."""

    result = np.bool_

    def formula(self, m: Mathematics, X: Any) -> Any:
        return X != X

    @classmethod
    def examples(cls) -> list[Example]:
        return [Example(cls(), (np.array([1, np.nan, np.inf], np.float32),))]


@operator(family="logic", torch="torch.isinf")
class IsInf(Elementwise):
    """Y = X is +∞ (if detect_positive) or -∞ (if detect_negative)."""

    detect_negative: int = 1
    detect_positive: int = 1
    result = np.bool_

    def formula(self, m: Mathematics, X: Any) -> Any:
        found = X < X  # nothing is below itself: no
        if self.detect_negative:
            found = found | (-math.inf == X)
        if self.detect_positive:
            found = found | (math.inf == X)
        return found

    @classmethod
    def examples(cls) -> list[Example]:
        X = np.array([1, -np.inf, np.nan, np.inf], np.float32)
        return [Example(cls(), (X,)), Example(cls(detect_negative=0), (X,))]
