"""What an operator is: attributes as fields, facets as methods, meaning in NumPy alone."""

import functools
import inspect
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, TypeVar, dataclass_transform

import numpy as np
from numpy.typing import NDArray

from suanzi.errors import SuanziError

Array = NDArray[Any]
Value = Array | list[Any] | dict[Any, Any] | None
"""A tensor; a sequence; a map; an optional that is empty, or an input left out."""
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
    def is_tensor(self) -> bool:
        """Whether the values are tensors: arrays."""
        return type(self) is TensorType

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


@dataclass(frozen=True)
class _Holder(TensorType):
    """What holds values: it stands where a tensor's type does, and says nothing but `element`."""

    dtype: np.dtype[Any] = field(init=False, default=np.dtype(np.object_))
    shape: tuple[Dim, ...] | None = field(init=False, default=None)
    value: Array | None = field(init=False, default=None, compare=False, repr=False)
    element: TensorType


@dataclass(frozen=True)
class SequenceType(_Holder):
    """A list of values of one type; only a run shows how many.

    >>> str(SequenceType(TensorType(np.float32, (2, None))))
    'sequence(float32[2, ?])'
    """

    def __str__(self) -> str:
        return f"sequence({self.element})"


@dataclass(frozen=True)
class OptionalType(_Holder):
    """A value of some type, or None; only a run shows which."""

    def __str__(self) -> str:
        return f"optional({self.element})"


@dataclass(frozen=True)
class MapType(_Holder):
    """A dict from whole numbers, or text, to values of one type.

    >>> str(MapType(TensorType(np.float32, ()), np.dtype(np.int64)))
    'map(int64, float32[])'
    """

    key: np.dtype[Any]

    def __str__(self) -> str:
        return f"map({self.key}, {self.element})"


def join_types(a: TensorType, b: TensorType) -> TensorType | None:
    """The type that values of both have: sizes that differ aren't known. None if there is none.

    >>> str(join_types(TensorType(np.float32, (2, 3)), TensorType(np.float32, (2, 4))))
    'float32[2, ?]'
    """
    if isinstance(a, OptionalType) != isinstance(b, OptionalType):  # what is there is itself
        joined = join_types(
            a.element if isinstance(a, OptionalType) else a,
            b.element if isinstance(b, OptionalType) else b,
        )
        return None if joined is None else OptionalType(joined)
    if isinstance(a, _Holder) or isinstance(b, _Holder):
        if type(a) is not type(b) or not (isinstance(a, _Holder) and isinstance(b, _Holder)):
            return None
        element = join_types(a.element, b.element)
        if element is None:
            return None
        joined = replace(a, element=element)
        return joined if joined == replace(b, element=element) else None
    if a.dtype != b.dtype:
        return None
    if a.shape is None or b.shape is None or len(a.shape) != len(b.shape):
        return TensorType(a.dtype, None)
    dims = zip(a.shape, b.shape, strict=True)
    return TensorType(a.dtype, tuple(x if x == y else None for x, y in dims))


UNFORESEEN = (ArithmeticError, LookupError, MemoryError, RuntimeError, TypeError, ValueError)
"""What Python and NumPy raise for attributes and contents that no check has foreseen."""
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
    inputs: tuple[Value, ...]


OPERATORS: dict[str, type["Operator"]] = {}
"""Every operator by its name: ONNX's op_type, or our own where ONNX has none; after its domain
and a dot where that isn't ai.onnx."""


def qualified(domain: str, name: str) -> str:
    """The name by which OPERATORS knows an operator.

    >>> qualified("ai.onnx.ml", "Scaler"), qualified("", "Conv")
    ('ai.onnx.ml.Scaler', 'Conv')
    """
    return f"{domain}.{name}" if domain else name


@dataclass(frozen=True)
class Operator:
    """The base of all operators. A subclass is decorated with `operator` and defines
    `infer`, `numpy`, `examples`, and `cost` where it does multiply-adds.

    `infer(*types)` gives the type of each output, or raises a SuanziError that names the input.
    `numpy(*arrays)` is the definition. Both take None for an optional input left out, and return
    one result, or a tuple where the operator has several outputs.

    Where it can be differentiated it defines `grad(self, dY, Y, *inputs)`, made of operators: the
    gradients of the inputs from the output's (of several outputs, `dY` and `Y` are tuples, and a
    part of dY is None where nothing depends on that output). It returns one entry for each input:
    a value; a function without arguments that makes it, called if it is wanted; or None where
    there is none. The values are arrays, or whatever else operators are applied to. A parameter
    whose name begins with an underscore gets its type alone: what isn't read needn't be kept.
    """

    family: ClassVar[str]
    domain: ClassVar[str]
    torch: ClassVar[str | None]
    """What PyTorch calls it; {n} stands for the number of spatial axes."""
    holders: ClassVar[bool] = False
    """Whether it takes sequences, optionals or maps beside tensors."""
    deterministic: ClassVar[bool] = True
    """Whether the same inputs always give the same outputs; random numbers don't."""

    grad: ClassVar[Callable[..., Any] | None] = None
    grad_outputs: ClassVar[Ints | None] = None
    """Which of several outputs `grad` reads, where not all: of the others it gets the types."""

    def __call__(self, *values: Any) -> Any:
        """Applies the operator: to arrays by its definition, to other values as they see fit.

        The result is one value, or a tuple where there are several outputs.
        """
        for value in values:
            if hasattr(value, "__operate__"):
                return value.__operate__(self, values)
        return self.numpy(*values)

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
        if not self.holders:
            for t in types:
                require(t is None or t.is_tensor, "not a tensor", "", "a tensor", t)
        try:
            result = self.infer(*types)
            outputs = result if isinstance(result, tuple) else (result,)
            known = all(_small(t) and t.value is not None for t in types if t is not None)
            wanted = all(_small(t) for t in outputs) and any(t.value is None for t in outputs)
            if not (known and wanted and self.deterministic):
                return outputs
            values = self.numpy_all([None if t is None else t.value for t in types])
        except UNFORESEEN as error:
            # What no check has foreseen: too few inputs, an index out of range, no lone number.
            raise SuanziError(f"cannot be computed: {error}") from error
        return tuple(TensorType.of(value) for value in values)

    def numpy_all(self, arrays: Sequence[Value]) -> tuple[Any, ...]:
        """`numpy` with its result as a tuple; a sequence is a list, an empty optional None."""
        result = self.numpy(*arrays)
        # NumPy makes plain numbers of results without axes.
        return tuple(
            y if isinstance(y, list | dict) or y is None else np.asarray(y)
            for y in (result if isinstance(result, tuple) else (result,))
        )


T = TypeVar("T", bound="type[Operator]")


@dataclass_transform(frozen_default=True, kw_only_default=True)
def operator(
    *, family: str, torch: str | None = None, domain: str = "", name: str = ""
) -> Callable[[T], T]:
    """Makes a class an operator: a frozen dataclass with keyword fields, listed in OPERATORS.

    `name` is what the domain calls it, where another domain's operator has the class's name.
    """

    def wrap(cls: T) -> T:
        if inspect.get_annotations(cls):  # without attributes of its own it is one already
            dataclass(frozen=True, kw_only=True)(cls)
        cls.family, cls.torch, cls.domain = family, torch, domain
        OPERATORS[qualified(domain, name or cls.__name__)] = cls
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
