"""The values of the kernel language: what the machine computes, indices, vectors, masks and more.

Python's numbers beside them are constants. Arithmetic emits instructions at the place where the
trace stands; Python's `for` and `if` therefore unroll and choose, and cost nothing at run time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llvmlite import ir

if TYPE_CHECKING:
    from suanzi.lang.trace import Trace

I1, I8, I32, I64 = ir.IntType(1), ir.IntType(8), ir.IntType(32), ir.IntType(64)
F32 = ir.FloatType()
CONTRACT = ("contract",)  # a product and a sum may become one multiply-add, nothing more


class Condition:
    """A machine boolean, for `Trace.when` and `Trace.select`."""

    def __init__(self, k: Trace, value: Any) -> None:
        self.k, self.value = k, value

    def __and__(self, other: Condition) -> Condition:
        return Condition(self.k, self.k.b.and_(self.value, other.value))

    def __or__(self, other: Condition) -> Condition:
        return Condition(self.k, self.k.b.or_(self.value, other.value))

    def invert(self) -> Condition:
        return Condition(self.k, self.k.b.not_(self.value))


class Index:
    """An int64: a loop's counter, a size, an offset. Constants are folded as the trace runs."""

    def __init__(self, k: Trace, value: Any) -> None:
        self.k, self.value = k, value

    def _other(self, other: Index | int) -> Any:
        return other.value if isinstance(other, Index) else ir.Constant(I64, other)

    def __add__(self, other: Index | int) -> Index:
        if isinstance(other, int) and other == 0:
            return self
        return Index(self.k, self.k.b.add(self.value, self._other(other), flags=["nsw"]))

    __radd__ = __add__

    def __sub__(self, other: Index | int) -> Index:
        if isinstance(other, int) and other == 0:
            return self
        return Index(self.k, self.k.b.sub(self.value, self._other(other), flags=["nsw"]))

    def __rsub__(self, other: int) -> Index:
        return Index(self.k, self.k.b.sub(ir.Constant(I64, other), self.value, flags=["nsw"]))

    def __mul__(self, other: Index | int) -> Index:
        if isinstance(other, int) and other == 1:
            return self
        return Index(self.k, self.k.b.mul(self.value, self._other(other), flags=["nsw"]))

    __rmul__ = __mul__

    def __floordiv__(self, other: Index | int) -> Index:
        """The quotient; both must be ≥ 0."""
        if isinstance(other, int) and other == 1:
            return self
        return Index(self.k, self.k.b.udiv(self.value, self._other(other)))

    def __mod__(self, other: Index | int) -> Index:
        """The remainder; both must be ≥ 0."""
        return Index(self.k, self.k.b.urem(self.value, self._other(other)))

    def _compare(self, how: str, other: Index | int) -> Condition:
        return Condition(self.k, self.k.b.icmp_signed(how, self.value, self._other(other)))

    def __lt__(self, other: Index | int) -> Condition:
        return self._compare("<", other)

    def __le__(self, other: Index | int) -> Condition:
        return self._compare("<=", other)

    def __gt__(self, other: Index | int) -> Condition:
        return self._compare(">", other)

    def __ge__(self, other: Index | int) -> Condition:
        return self._compare(">=", other)

    def equals(self, other: Index | int) -> Condition:
        return self._compare("==", other)

    def _pick(self, condition: Condition, other: Index | int) -> Index:
        return Index(self.k, self.k.b.select(condition.value, self.value, self._other(other)))

    def minimum(self, other: Index | int) -> Index:
        return self._pick(self < other, other)

    def maximum(self, other: Index | int) -> Index:
        return self._pick(self > other, other)


class Mask:
    """One bit a lane, from comparing vectors."""

    def __init__(self, k: Trace, value: Any) -> None:
        self.k, self.value = k, value

    def __and__(self, other: Mask) -> Mask:
        return Mask(self.k, self.k.b.and_(self.value, other.value))

    def __or__(self, other: Mask) -> Mask:
        return Mask(self.k, self.k.b.or_(self.value, other.value))

    def __invert__(self) -> Mask:
        return Mask(self.k, self.k.b.not_(self.value))

    def lane(self, number: int) -> Condition:
        """One lane's bit."""
        place = ir.Constant(I32, number)
        return Condition(self.k, self.k.b.extract_element(self.value, place))


class Lanes:
    """A vector of float32, int32 or int64; a Python number beside it is in every lane."""

    def __init__(self, k: Trace, value: Any) -> None:
        self.k, self.value = k, value

    @property
    def lanes(self) -> int:
        return int(self.value.type.count)

    @property
    def is_float(self) -> bool:
        return bool(self.value.type.element == F32)

    def like(self, number: float) -> Lanes:
        """The number in every lane of a vector like this one."""
        cast = float if self.is_float else int
        return Lanes(self.k, ir.Constant(self.value.type, [cast(number)] * self.lanes))

    def _other(self, other: Lanes | float) -> Any:
        return other.value if isinstance(other, Lanes) else self.like(other).value

    def _arithmetic(self, floating: str, integer: str, a: Any, b: Any) -> Lanes:
        if self.is_float:
            return Lanes(self.k, getattr(self.k.b, floating)(a, b, flags=CONTRACT))
        return Lanes(self.k, getattr(self.k.b, integer)(a, b))

    def __add__(self, other: Lanes | float) -> Lanes:
        return self._arithmetic("fadd", "add", self.value, self._other(other))

    __radd__ = __add__

    def __sub__(self, other: Lanes | float) -> Lanes:
        return self._arithmetic("fsub", "sub", self.value, self._other(other))

    def __rsub__(self, other: float) -> Lanes:
        return self._arithmetic("fsub", "sub", self._other(other), self.value)

    def __mul__(self, other: Lanes | float) -> Lanes:
        return self._arithmetic("fmul", "mul", self.value, self._other(other))

    __rmul__ = __mul__

    def __truediv__(self, other: Lanes | float) -> Lanes:
        return Lanes(self.k, self.k.b.fdiv(self.value, self._other(other), flags=CONTRACT))

    def __rtruediv__(self, other: float) -> Lanes:
        return Lanes(self.k, self.k.b.fdiv(self._other(other), self.value, flags=CONTRACT))

    def __neg__(self) -> Lanes:
        if self.is_float:
            return Lanes(self.k, self.k.b.fneg(self.value))
        return self.like(0) - self

    def _compare(self, how: str, other: Lanes | float) -> Mask:
        b, other = self.k.b, self._other(other)
        if not self.is_float:
            return Mask(self.k, b.icmp_signed(how, self.value, other))
        compare = b.fcmp_unordered if how == "!=" else b.fcmp_ordered  # NaN equals nothing
        return Mask(self.k, compare(how, self.value, other))

    def __lt__(self, other: Lanes | float) -> Mask:
        return self._compare("<", other)

    def __le__(self, other: Lanes | float) -> Mask:
        return self._compare("<=", other)

    def __gt__(self, other: Lanes | float) -> Mask:
        return self._compare(">", other)

    def __ge__(self, other: Lanes | float) -> Mask:
        return self._compare(">=", other)

    def __eq__(self, other: Lanes | float) -> Mask:  # type: ignore[override]
        return self._compare("==", other)

    def __ne__(self, other: Lanes | float) -> Mask:  # type: ignore[override]
        return self._compare("!=", other)

    __hash__ = None  # type: ignore[assignment]

    def _integers(self) -> Any:
        return ir.VectorType(I32, self.lanes)

    def bits(self) -> Lanes:
        """The float32 lanes' bits as int32."""
        return Lanes(self.k, self.k.b.bitcast(self.value, self._integers()))

    def from_bits(self) -> Lanes:
        """The float32 lanes whose bits these int32 are."""
        return Lanes(self.k, self.k.b.bitcast(self.value, ir.VectorType(F32, self.lanes)))

    def to_int(self) -> Lanes:
        """float32 to int32, towards zero; the values must fit."""
        return Lanes(self.k, self.k.b.fptosi(self.value, self._integers()))

    def to_float(self) -> Lanes:
        return Lanes(self.k, self.k.b.sitofp(self.value, ir.VectorType(F32, self.lanes)))

    def __lshift__(self, count: int) -> Lanes:
        return Lanes(self.k, self.k.b.shl(self.value, self._other(count)))

    def __rshift__(self, count: int) -> Lanes:
        """Arithmetic: the sign is kept."""
        return Lanes(self.k, self.k.b.ashr(self.value, self._other(count)))

    def __and__(self, other: Lanes | int) -> Lanes:
        return Lanes(self.k, self.k.b.and_(self.value, self._other(other)))

    def __or__(self, other: Lanes | int) -> Lanes:
        return Lanes(self.k, self.k.b.or_(self.value, self._other(other)))

    def __xor__(self, other: Lanes | int) -> Lanes:
        return Lanes(self.k, self.k.b.xor(self.value, self._other(other)))

    def shuffle(self, other: Lanes, places: list[int]) -> Lanes:
        """A vector whose lane i is lane places[i] of the two vectors, one after the other."""
        mask = ir.Constant(ir.VectorType(I32, len(places)), places)
        return Lanes(self.k, self.k.b.shuffle_vector(self.value, other.value, mask))


class Var:
    """A variable of the kernel: an alloca, which LLVM turns into a register."""

    def __init__(self, k: Trace, start: Lanes | Index) -> None:
        self.k, self.make = k, type(start)
        with k.b.goto_block(k.entry):
            self.pointer = k.b.alloca(start.value.type)
        self.type = start.value.type
        self.set(start)

    def get(self) -> Any:
        return self.make(self.k, self.k.b.load(self.pointer, typ=self.type))

    def set(self, value: Lanes | Index) -> None:
        self.k.b.store(value.value, self.pointer)
