"""Element types under PyTorch's names, and which type two tensors meet in."""

from typing import Any

import ml_dtypes
import numpy as np

from suanzi.errors import SuanziError


class dtype:
    """The type of a tensor's elements. NumPy takes it wherever it takes a dtype of its own.

    >>> float32, np.zeros(2, float32).dtype
    (suanzi.float32, dtype('float32'))
    """

    def __init__(self, name: str, of: Any, category: int) -> None:
        self.name, self.dtype, self.category = name, np.dtype(of), category

    @property
    def is_floating_point(self) -> bool:
        return self.category == FLOATING

    @property
    def is_complex(self) -> bool:
        return False

    @property
    def is_signed(self) -> bool:
        return self.category == FLOATING or self.dtype.kind == "i"

    @property
    def itemsize(self) -> int:
        return int(self.dtype.itemsize)

    def __repr__(self) -> str:
        return f"suanzi.{self.name}"

    def __reduce__(self) -> str:
        return self.name


BOOL, INTEGRAL, FLOATING = range(3)

bool_ = dtype("bool", np.bool_, BOOL)
uint8 = dtype("uint8", np.uint8, INTEGRAL)
int8 = dtype("int8", np.int8, INTEGRAL)
int16 = dtype("int16", np.int16, INTEGRAL)
int32 = dtype("int32", np.int32, INTEGRAL)
int64 = dtype("int64", np.int64, INTEGRAL)
uint16 = dtype("uint16", np.uint16, INTEGRAL)
uint32 = dtype("uint32", np.uint32, INTEGRAL)
uint64 = dtype("uint64", np.uint64, INTEGRAL)
float16 = dtype("float16", np.float16, FLOATING)
bfloat16 = dtype("bfloat16", ml_dtypes.bfloat16, FLOATING)
float32 = dtype("float32", np.float32, FLOATING)
float64 = dtype("float64", np.float64, FLOATING)

ALL = (
    bool_, uint8, int8, int16, int32, int64, uint16, uint32, uint64,
    float16, bfloat16, float32, float64,
)  # fmt: skip
_BY_NUMPY = {d.dtype: d for d in ALL}


def of_numpy(found: Any) -> dtype:
    """Our name of NumPy's element type.

    >>> of_numpy(np.dtype("float64"))
    suanzi.float64
    """
    try:
        return _BY_NUMPY[found]
    except KeyError:
        raise SuanziError(
            "a tensor can't hold such elements", expected=", ".join(d.name for d in ALL),
            found=found,
        ) from None  # fmt: skip


_default = float32


def get_default_dtype() -> dtype:
    """The type that floating-point numbers of Python become: float32 unless it was set."""
    return _default


def set_default_dtype(d: dtype) -> None:
    """Sets the type that floating-point numbers of Python become."""
    global _default
    if not d.is_floating_point:
        raise SuanziError("wrong default type", expected="a floating-point type", found=d)
    _default = d


def promote_types(a: dtype, b: dtype) -> dtype:
    """The smallest type that holds both, by PyTorch's rules: any float over any whole number.

    >>> promote_types(int64, float16), promote_types(uint8, int8), promote_types(float16, bfloat16)
    (suanzi.float16, suanzi.int16, suanzi.float32)
    """
    if a is b:
        return a
    if a.category != b.category:
        return a if a.category > b.category else b
    if {a, b} == {float16, bfloat16}:
        return float32
    if a.category == FLOATING:  # bfloat16 is below float32, whatever NumPy knows of it
        return a if a.itemsize > b.itemsize else b
    return of_numpy(np.promote_types(a.dtype, b.dtype))


def can_cast(a: dtype, to: dtype) -> bool:
    """Whether values may go from one type into the other in place: not to a lower category."""
    return a.category <= to.category


def of_python(value: Any) -> dtype:
    """The type of a number of Python's."""
    if isinstance(value, bool | np.bool_):
        return bool_
    if isinstance(value, int | np.integer):
        return int64
    return _default


class finfo:
    """The limits of a floating-point type.

    >>> finfo(float32).eps
    1.1920928955078125e-07
    """

    def __init__(self, d: dtype | None = None) -> None:
        d = d or _default
        if not d.is_floating_point:
            raise SuanziError("finfo wants a floating-point type", found=d)
        found: Any = ml_dtypes.finfo(d.dtype)  # type: ignore[no-untyped-call]
        self.dtype, self.bits = d.name, found.bits
        self.eps, self.max, self.min, self.tiny, self.resolution = (
            float(x) for x in (found.eps, found.max, found.min, found.tiny, found.resolution)
        )
        self.smallest_normal = self.tiny


class iinfo:
    """The limits of a type of whole numbers.

    >>> iinfo(int8).max
    127
    """

    def __init__(self, d: dtype) -> None:
        if d.category != INTEGRAL:
            raise SuanziError("iinfo wants a type of whole numbers", found=d)
        found = np.iinfo(d.dtype)
        self.dtype, self.bits = d.name, found.bits
        self.max, self.min = int(found.max), int(found.min)
