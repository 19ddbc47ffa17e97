"""What two tensors, or a tensor and a number, make: arithmetic and comparisons, and their types."""

from collections.abc import Callable
from typing import Any

import numpy as np

from suanzi.errors import SuanziError
from suanzi.operators import (
    Add,
    And,
    BitwiseAnd,
    BitwiseNot,
    BitwiseOr,
    BitwiseXor,
    Cast,
    Div,
    Equal,
    Floor,
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
    MatMul,
    Mod,
    Mul,
    Neg,
    Not,
    Or,
    Pow,
    Sub,
    Xor,
)  # fmt: skip
from suanzi.operators._operator import Operator
from suanzi.operators._types import element_number
from suanzi.tensor import dtypes
from suanzi.tensor.core import Tensor, apply, in_place, leaf, method, pointwise, wrap

Number = bool | int | float
Operand = Tensor | Number
CASTS = {d: Cast(to=element_number(d.dtype)) for d in dtypes.ALL}


def cast(input: Tensor, dtype: dtypes.dtype) -> Tensor:
    """The elements in another type; the tensor itself where it has that."""
    if input._value.dtype == dtype.dtype:
        return input
    return apply(CASTS[dtype], input)


def result_type(*operands: Any) -> dtypes.dtype:
    """The type that the operands meet in, as torch.result_type.

    Tensors with axes decide; those without, and then numbers, count where they are of a higher
    kind (bool, whole, floating).

    >>> import suanzi
    >>> result_type(suanzi.ones(2, dtype=suanzi.float16), 2.5), result_type(suanzi.arange(3), 2.5)
    (suanzi.float16, suanzi.float32)
    """
    levels: list[dtypes.dtype | None] = [None, None, None]
    for x in operands:
        if isinstance(x, Tensor):
            level, kind = (0 if x._value.shape else 1), x.dtype
        else:
            level, kind = 2, dtypes.of_python(x)
        known = levels[level]
        levels[level] = kind if known is None else dtypes.promote_types(known, kind)
    found: dtypes.dtype | None = None
    for kind_ in levels:
        if kind_ is not None and (found is None or kind_.category > found.category):
            found = kind_
    assert found is not None
    return found


def as_tensor_of(x: Any, dtype: dtypes.dtype) -> Tensor:
    """The operand in this type; a number becomes a tensor without axes."""
    if isinstance(x, Tensor):
        return cast(x, dtype)
    if isinstance(x, np.ndarray):
        return cast(wrap(x), dtype)
    return leaf(np.asarray(x, dtype.dtype))


def together(a: Any, b: Any) -> tuple[Tensor, Tensor]:
    """Both in the type that they meet in."""
    if isinstance(a, Tensor):
        kind = a._value.dtype
        if isinstance(b, Tensor):
            if kind == b._value.dtype:
                return a, b
        elif (type(b) is float and kind.kind == "f") or (type(b) is int and kind.kind in "fiu"):
            return a, leaf(np.asarray(b, kind))  # a number of no higher kind: it takes the type
    if isinstance(a, np.ndarray | np.generic):
        a = wrap(np.asarray(a))
    if isinstance(b, np.ndarray | np.generic):
        b = wrap(np.asarray(b))
    for x in (a, b):
        if not isinstance(x, Tensor | bool | int | float):
            raise SuanziError("not an operand", expected="a tensor or a number", found=type(x))
    dtype = result_type(a, b)
    return as_tensor_of(a, dtype), as_tensor_of(b, dtype)


def binary(operator: Operator, a: Any, b: Any) -> Tensor:
    """The operator on both, in the type that they meet in."""
    a, b = together(a, b)
    return pointwise(operator, a, b)


def _of_bools(operator: Operator, logical: Operator, a: Any, b: Any) -> Tensor:
    """An operator that has a form of its own for bools."""
    a, b = together(a, b)
    return pointwise(logical if a._value.dtype == np.bool_ else operator, a, b)


ADD, SUB, MUL, DIV, POW, NEG = Add(), Sub(), Mul(), Div(), Pow(), Neg()
OR, AND, XOR, MATMUL = Or(), And(), Xor(), MatMul()


@method
def add(input: Any, other: Any, *, alpha: Number = 1) -> Tensor:
    """input + alpha · other"""
    if alpha != 1:
        other = mul(other, alpha) if isinstance(other, Tensor) else other * alpha
    both = isinstance(input, Tensor) and isinstance(other, Tensor)
    if both and input._value.dtype == other._value.dtype != np.bool_:
        return pointwise(ADD, input, other)
    return _of_bools(ADD, OR, input, other)


@method
def sub(input: Any, other: Any, *, alpha: Number = 1) -> Tensor:
    """input - alpha · other"""
    for x in (input, other):
        if isinstance(x, bool) or (isinstance(x, Tensor) and x._value.dtype == np.bool_):
            raise SuanziError("bools can't be subtracted", hint="Use ^ or logical_xor.")
    if alpha != 1:
        other = mul(other, alpha) if isinstance(other, Tensor) else other * alpha
    return binary(SUB, input, other)


@method
def mul(input: Any, other: Any) -> Tensor:
    """input · other"""
    return _of_bools(MUL, AND, input, other)


@method
def div(input: Any, other: Any, *, rounding_mode: str | None = None) -> Tensor:
    """input / other: floating point always, unless rounded ("trunc" or "floor")."""
    a, b = together(input, other)
    if rounding_mode == "floor":
        return floor_divide(a, b)
    if rounding_mode not in (None, "trunc"):
        raise SuanziError("wrong rounding", input="rounding_mode", expected="trunc or floor",
                          found=rounding_mode)  # fmt: skip
    if not a.dtype.is_floating_point and rounding_mode is None:
        default = dtypes.get_default_dtype()
        a, b = cast(a, default), cast(b, default)
    quotient = pointwise(DIV, a, b)
    if rounding_mode == "trunc" and quotient.dtype.is_floating_point:
        return quotient.trunc()
    return quotient


@method
def floor_divide(input: Any, other: Any) -> Tensor:
    """⌊input / other⌋"""
    a, b = together(input, other)
    if a.dtype.is_floating_point:
        return apply(Floor(), pointwise(DIV, a, b))
    rest = remainder(a, b)
    return pointwise(DIV, pointwise(SUB, a, rest), b)


@method
def remainder(input: Any, other: Any) -> Tensor:
    """input - other · ⌊input / other⌋: of the divisor's sign, as Python's %."""
    a, b = together(input, other)
    if a.dtype.is_floating_point:
        return pointwise(SUB, a, pointwise(MUL, b, floor_divide(a, b)))
    if type(b._value) is np.ndarray and not b._value.all():
        raise SuanziError("a whole number is divided by zero", input="other")
    return pointwise(Mod(), a, b)


@method
def fmod(input: Any, other: Any) -> Tensor:
    """The remainder of the dividend's sign, as C's fmod."""
    return binary(Mod(fmod=1), input, other)


@method
def pow(input: Any, exponent: Any) -> Tensor:
    """input to the power of the exponent."""
    if isinstance(exponent, int | float) and isinstance(input, Tensor):
        whole = type(exponent) is int and input._value.dtype != np.bool_
        if exponent == 2 and (whole or input.dtype.is_floating_point):
            return mul(input, input)
        if exponent == 1 and input.dtype.is_floating_point:
            return input.clone()
        if exponent == 0.5 and input.dtype.is_floating_point:
            return input.sqrt()
        if exponent < 0 and not isinstance(exponent, float) and not input.is_floating_point():
            raise SuanziError("whole numbers have no negative whole powers", found=exponent)
    return binary(POW, input, exponent)


@method
def neg(input: Tensor) -> Tensor:
    """-input"""
    return apply(NEG, input)


def _comparison(name: str, operator: Operator) -> Callable[[Any, Any], Tensor]:
    def compare(input: Any, other: Any) -> Tensor:
        return binary(operator, input, other)

    compare.__name__ = name
    compare.__doc__ = f"{operator.title}, element by element: a tensor of bools."
    return method(compare)


eq = _comparison("eq", Equal())
gt = _comparison("gt", Greater())
ge = _comparison("ge", GreaterOrEqual())
lt = _comparison("lt", Less())
le = _comparison("le", LessOrEqual())
greater, greater_equal, less, less_equal = gt, ge, lt, le
NOT = Not()


@method
def ne(input: Any, other: Any) -> Tensor:
    """Unequal, element by element: a tensor of bools."""
    return apply(NOT, eq(input, other))


@method
def matmul(input: Any, other: Any) -> Tensor:
    """The product of matrices, over any axes before them; of vectors too, as in NumPy."""
    a = leaf(input) if isinstance(input, np.ndarray) else input
    b = leaf(other) if isinstance(other, np.ndarray) else other
    known = isinstance(a, Tensor) and isinstance(b, Tensor)
    if not known or a._value.dtype != b._value.dtype:
        raise SuanziError(
            "a product of matrices wants tensors of one type",
            input="other",
            expected=getattr(a, "dtype", "a tensor"),
            found=getattr(b, "dtype", type(b)),
        )
    return pointwise(MATMUL, a, b)


@method
def bitwise_and(input: Any, other: Any) -> Tensor:
    return _of_bools(BitwiseAnd(), AND, input, other)


@method
def bitwise_or(input: Any, other: Any) -> Tensor:
    return _of_bools(BitwiseOr(), OR, input, other)


@method
def bitwise_xor(input: Any, other: Any) -> Tensor:
    return _of_bools(BitwiseXor(), XOR, input, other)


@method
def bitwise_not(input: Tensor) -> Tensor:
    of_bools = input._value.dtype == np.bool_
    return apply(NOT if of_bools else BitwiseNot(), input)


def _truth(input: Any) -> Tensor:
    return cast(input, dtypes.bool_) if isinstance(input, Tensor) else leaf(np.asarray(bool(input)))


@method
def logical_and(input: Tensor, other: Tensor) -> Tensor:
    return pointwise(AND, _truth(input), _truth(other))


@method
def logical_or(input: Tensor, other: Tensor) -> Tensor:
    return pointwise(OR, _truth(input), _truth(other))


@method
def logical_xor(input: Tensor, other: Tensor) -> Tensor:
    return pointwise(XOR, _truth(input), _truth(other))


@method
def logical_not(input: Tensor) -> Tensor:
    return apply(NOT, _truth(input))


subtract, multiply, divide, negative, true_divide = sub, mul, div, neg, div
not_equal = ne

for _function in (
    add, sub, mul, div, pow, neg, floor_divide, remainder, fmod, eq, ne, gt, ge, lt, le,
    bitwise_and, bitwise_or, bitwise_xor, bitwise_not, logical_and, logical_or, logical_xor,
    logical_not,
):  # fmt: skip
    in_place(_function)


OPERANDS = (Tensor, bool, int, float, np.ndarray, np.generic)


def _reflected(function: Callable[..., Tensor]) -> Callable[[Tensor, Any], Tensor]:
    return lambda self, other: function(other, self)


def _checked(function: Callable[..., Tensor]) -> Callable[[Tensor, Any], Any]:
    """The method of a Python operator: what is no operand is left to the other side."""

    def operate(self: Tensor, other: Any) -> Any:
        return function(self, other) if isinstance(other, OPERANDS) else NotImplemented

    return operate


for _name, _function in {
    "add": add, "sub": sub, "mul": mul, "truediv": div, "floordiv": floor_divide,
    "mod": remainder, "pow": pow, "and": bitwise_and, "or": bitwise_or, "xor": bitwise_xor,
    "matmul": matmul,
}.items():  # fmt: skip
    setattr(Tensor, f"__{_name}__", _checked(_function))
    setattr(Tensor, f"__r{_name}__", _checked(_reflected(_function)))
    setattr(Tensor, f"__i{_name}__", in_place(_function))
for _name, _function in {"eq": eq, "ne": ne, "gt": gt, "ge": ge, "lt": lt, "le": le}.items():
    setattr(Tensor, f"__{_name}__", _checked(_function))
Tensor.__neg__ = neg  # type: ignore[method-assign]
Tensor.__invert__ = bitwise_not  # type: ignore[method-assign]

__all__ = [
    "add", "bitwise_and", "bitwise_not", "bitwise_or", "bitwise_xor", "div", "divide", "eq",
    "floor_divide", "fmod", "ge", "greater", "greater_equal", "gt", "le", "less", "less_equal",
    "logical_and", "logical_not", "logical_or", "logical_xor", "lt", "matmul", "mul",
    "multiply", "ne", "neg", "negative", "not_equal", "pow", "remainder", "result_type", "sub",
    "subtract", "true_divide",
]  # fmt: skip
