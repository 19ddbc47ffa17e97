"""What an operator is: attributes as fields, facets as methods, meaning in NumPy alone."""

import functools
import inspect
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeVar, dataclass_transform

import numpy as np
from numpy.typing import NDArray

from suanzi.errors import SuanziError

Array = NDArray[Any]
Ints = tuple[int, ...]
Floats = tuple[float, ...]
Dim = int | str | None
"""A size: known, symbolic (the same name, the same size), or unknown."""


@dataclass(frozen=True)
class TensorType:
    """An element type, a shape (None: not even the rank is known), and the contents if known.

    >>> str(TensorType(np.float32, (1, 3, "H", None)))
    'float32[1, 3, H, ?]'
    """

    dtype: np.dtype[Any]
    shape: tuple[Dim, ...] | None
    value: Array | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "dtype", np.dtype(self.dtype))

    @staticmethod
    def of(array: Array) -> "TensorType":
        """The type of an array, its contents known."""
        return TensorType(array.dtype, array.shape, array)

    @property
    def rank(self) -> int | None:
        return None if self.shape is None else len(self.shape)

    @property
    def static(self) -> bool:
        """Whether every size is known."""
        return self.shape is not None and all(isinstance(d, int) for d in self.shape)

    @property
    def sizes(self) -> Ints:
        """The shape, every size known; an error otherwise."""
        if self.shape is None or not all(isinstance(d, int) for d in self.shape):
            raise SuanziError("the shape must be known here", found=self)
        return tuple(d for d in self.shape if isinstance(d, int))

    @property
    def size(self) -> int:
        return math.prod(self.sizes)

    @property
    def nbytes(self) -> int:
        return self.size * self.dtype.itemsize

    def __str__(self) -> str:
        if self.shape is None:
            return f"{self.dtype}[...]"
        return f"{self.dtype}[{', '.join('?' if d is None else str(d) for d in self.shape)}]"


SMALL = 1024
"""How many elements `infer_all` computes at most: shapes and indices, not weights."""


def _small(t: TensorType) -> bool:
    return t.static and t.size <= SMALL


@dataclass(frozen=True)
class Cost:
    """What one evaluation takes at the least: multiply-adds, bytes read, bytes written."""

    macs: int = 0
    read: int = 0
    written: int = 0

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(self.macs + other.macs, self.read + other.read, self.written + other.written)


@dataclass(frozen=True)
class Example:
    """An operator with small inputs (None: an optional input left out)."""

    operator: "Operator"
    inputs: tuple[Array | None, ...]


OPERATORS: dict[str, type["Operator"]] = {}
"""Every operator by its name: ONNX's op_type, or our own where ONNX has none."""


@dataclass(frozen=True)
class Operator:
    """The base of all operators. A subclass is decorated with `operator` and defines
    `infer`, `numpy`, `examples`, and `cost` where it does multiply-adds.

    `infer(*types)` gives the type of each output, or raises a SuanziError that names the input.
    `numpy(*arrays)` is the definition. Both take None for an optional input left out, and return
    one result, or a tuple where the operator has several outputs.
    """

    family: ClassVar[str]
    torch: ClassVar[str | None]
    """What PyTorch calls it; {n} stands for the number of spatial axes."""

    def infer(self, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError

    def numpy(self, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError

    def macs(self, inputs: Sequence[TensorType | None], outputs: Sequence[TensorType]) -> int:
        """Multiply-adds of one evaluation; the operators that multiply matrices override it."""
        return 0

    def cost(self, *types: TensorType | None) -> Cost:
        """Multiply-adds and bytes for inputs of these types, whose sizes are all known."""
        outputs = self.infer_all(types)
        read = sum(t.nbytes for t in types if t is not None)
        return Cost(self.macs(types, outputs), read, sum(t.nbytes for t in outputs))

    @classmethod
    def examples(cls) -> Sequence[Example]:
        """Small inputs: the tests', the pages' and the figures'."""
        raise NotImplementedError

    @property
    def title(self) -> str:
        """What it is called in tables: the class's name; fused ones list what they do."""
        return type(self).__name__

    def infer_all(self, types: Sequence[TensorType | None]) -> tuple[TensorType, ...]:
        """`infer` with its result as a tuple always; small contents that follow are attached."""
        try:
            result = self.infer(*types)
            outputs = result if isinstance(result, tuple) else (result,)
            known = all(_small(t) and t.value is not None for t in types if t is not None)
            wanted = all(_small(t) for t in outputs) and any(t.value is None for t in outputs)
            if not (known and wanted):
                return outputs
            values = self.numpy_all([None if t is None else t.value for t in types])
        except (ArithmeticError, LookupError, TypeError, ValueError) as error:
            # What no check has foreseen: too few inputs, an index out of range, no lone number.
            raise SuanziError(f"cannot be computed: {error}") from error
        return tuple(TensorType.of(value) for value in values)

    def numpy_all(self, arrays: Sequence[Array | None]) -> tuple[Array, ...]:
        """`numpy` with its result as a tuple always."""
        result = self.numpy(*arrays)
        # NumPy makes plain numbers of results without axes.
        return tuple(np.asarray(y) for y in (result if isinstance(result, tuple) else (result,)))


T = TypeVar("T", bound="type[Operator]")


@dataclass_transform(frozen_default=True, kw_only_default=True)
def operator(*, family: str, torch: str | None = None) -> Callable[[T], T]:
    """Makes a class an operator: a frozen dataclass with keyword fields, listed in OPERATORS."""

    def wrap(cls: T) -> T:
        if inspect.get_annotations(cls):  # without attributes of its own it is one already
            dataclass(frozen=True, kw_only=True)(cls)
        cls.family, cls.torch = family, torch
        OPERATORS[cls.__name__] = cls
        return cls

    return wrap


def require(condition: object, message: str, input: str, expected: Any, found: Any) -> None:
    """Raises the SuanziError that `infer` owes its caller unless the condition holds."""
    if not condition:
        raise SuanziError(message, input=input, expected=expected, found=found)


def broadcast_dims(a: Dim, b: Dim) -> Dim:
    """The size that two sizes broadcast to; a symbol beside 1 stays, beside a number yields."""
    if a == b or b == 1:
        return a
    if a == 1:
        return b
    if isinstance(a, int) and isinstance(b, int):
        raise SuanziError("the shapes don't broadcast", expected=f"{a} or 1", found=b)
    return a if isinstance(a, int) else b if isinstance(b, int) else None


def broadcast_shapes(*shapes: tuple[Dim, ...] | None) -> tuple[Dim, ...] | None:
    """NumPy's broadcasting of shapes, symbols and unknowns included.

    >>> broadcast_shapes(("N", 3, 1), (1, 5))
    ('N', 3, 5)
    """
    known = [s for s in shapes if s is not None]
    if len(known) < len(shapes):
        return None
    rank = max((len(s) for s in known), default=0)
    padded = [(1,) * (rank - len(s)) + tuple(s) for s in known]
    return tuple(functools.reduce(broadcast_dims, dims) for dims in zip(*padded, strict=True))
