"""Tensors from numbers, from arrays, and of one value; and from one type to another."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from suanzi.errors import SuanziError
from suanzi.operators import Identity
from suanzi.tensor import dtypes
from suanzi.tensor.arithmetic import cast
from suanzi.tensor.autograd import Node
from suanzi.tensor.core import Tensor, apply, leaf, method, wrap
from suanzi.tensor.device import CPU
from suanzi.tensor.device import device as place
from suanzi.tensor.modes import modes
from suanzi.tensor.views import sizes_of


def _numbers(data: Any) -> Any:
    """Nested lists, with tensors in them as numbers."""
    if isinstance(data, Tensor):
        return data.numpy_()
    if isinstance(data, list | tuple):
        return [_numbers(x) for x in data]
    return data


def array_of(data: Any, dtype: dtypes.dtype | None) -> np.ndarray[Any, Any]:
    """A new array with the data, of PyTorch's type for it."""
    if isinstance(data, Tensor | np.ndarray | np.generic):
        source = data.numpy_() if isinstance(data, Tensor) else data
        dtypes.of_numpy(source.dtype if dtype is None else dtype.dtype)
        return np.array(source, None if dtype is None else dtype.dtype)
    try:
        array = np.array(_numbers(data))
    except ValueError as error:
        raise SuanziError(
            "not numbers in even rows", input="data", expected="nested lists of equal lengths"
        ) from error
    if dtype is not None:
        return array.astype(dtype.dtype)
    if array.dtype.kind == "f" or not array.size:
        return array.astype(dtypes.get_default_dtype().dtype)
    if array.dtype.kind not in "biu":
        raise SuanziError("a tensor holds numbers", input="data", found=array.dtype)
    return array if array.dtype == np.bool_ else array.astype(np.int64)


def tensor(
    data: Any,
    *,
    dtype: dtypes.dtype | None = None,
    device: Any = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
) -> Tensor:
    """A tensor with a copy of the data: numbers, nested lists, an array, a tensor.

    >>> tensor([[1, 2], [3, 4]]).dtype, tensor(0.5).dtype
    (suanzi.int64, suanzi.float32)
    """
    place(device or CPU)
    return leaf(array_of(data, dtype), requires_grad)


def _typed(name: str, dtype: dtypes.dtype) -> Callable[..., Tensor]:
    def make(*data: Any) -> Tensor:
        if len(data) == 1 and not isinstance(data[0], int):
            return tensor(data[0], dtype=dtype)
        return zeros(*(data or (0,)), dtype=dtype)

    make.__name__ = name
    make.__doc__ = f"A tensor of {dtype}: of the data, or, for sizes, of zeros."
    return make


ByteTensor = _typed("ByteTensor", dtypes.uint8)
BoolTensor = _typed("BoolTensor", dtypes.bool_)
ShortTensor = _typed("ShortTensor", dtypes.int16)
IntTensor = _typed("IntTensor", dtypes.int32)
LongTensor = _typed("LongTensor", dtypes.int64)
HalfTensor = _typed("HalfTensor", dtypes.float16)
FloatTensor = _typed("FloatTensor", dtypes.float32)
DoubleTensor = _typed("DoubleTensor", dtypes.float64)


def from_numpy(array: Any) -> Tensor:
    """A tensor over the array's own memory."""
    if not isinstance(array, np.ndarray):
        raise SuanziError("not an array", expected="numpy.ndarray", found=type(array))
    if any(s < 0 for s in array.strides):
        raise SuanziError("an array that runs backwards can't be shared", hint="Copy it first.")
    dtypes.of_numpy(array.dtype)
    made = wrap(array)
    made._shared = True
    return made


def as_tensor(data: Any, dtype: dtypes.dtype | None = None, device: Any = None) -> Tensor:
    """The data as a tensor: over the same memory where it is an array or a tensor."""
    if isinstance(data, Tensor):
        return data if dtype is None else cast(data, dtype)
    if isinstance(data, np.ndarray):
        shared = from_numpy(data)
        return shared if dtype is None else cast(shared, dtype)
    return tensor(data, dtype=dtype)


def asarray(
    obj: Any, *, dtype: dtypes.dtype | None = None, device: Any = None, copy: bool | None = None,
    requires_grad: bool = False,
) -> Tensor:  # fmt: skip
    """As `as_tensor`; with `copy` always over new memory."""
    if hasattr(obj, "__dlpack__") and not isinstance(obj, Tensor | np.ndarray):
        obj = np.from_dlpack(obj)
    made = as_tensor(obj, dtype)
    made = made.clone() if copy else made
    return made.requires_grad_() if requires_grad else made


def from_dlpack(source: Any) -> Tensor:
    """A tensor over the memory of any array that speaks DLPack.

    >>> from_dlpack(np.arange(3)).tolist()
    [0, 1, 2]
    """
    try:
        return from_numpy(np.from_dlpack(source))
    except (BufferError, RuntimeError, TypeError) as error:
        raise SuanziError(f"the memory can't be shared: {error}") from error


def frombuffer(
    buffer: Any,
    *,
    dtype: dtypes.dtype,
    count: int = -1,
    offset: int = 0,
    requires_grad: bool = False,
) -> Tensor:
    """A tensor over the bytes of a buffer."""
    return leaf(np.frombuffer(buffer, dtype.dtype, count, offset), requires_grad)


def _type(dtype: dtypes.dtype | None, like: Tensor | None = None) -> Any:
    if dtype is not None:
        return dtype.dtype
    return dtypes.get_default_dtype().dtype if like is None else like._value.dtype


def zeros(
    *size: Any, out: Tensor | None = None, dtype: dtypes.dtype | None = None, layout: Any = None,
    device: Any = None, requires_grad: bool = False, pin_memory: bool = False,
) -> Tensor:  # fmt: skip
    """Zeros."""
    return _given(out, np.zeros(_checked(sizes_of(size)), _type(dtype)), requires_grad, device)


def ones(
    *size: Any, out: Tensor | None = None, dtype: dtypes.dtype | None = None, layout: Any = None,
    device: Any = None, requires_grad: bool = False, pin_memory: bool = False,
) -> Tensor:  # fmt: skip
    """Ones."""
    return _given(out, np.ones(_checked(sizes_of(size)), _type(dtype)), requires_grad, device)


def empty(
    *size: Any, out: Tensor | None = None, dtype: dtypes.dtype | None = None, layout: Any = None,
    device: Any = None, requires_grad: bool = False, pin_memory: bool = False,
    memory_format: Any = None,
) -> Tensor:  # fmt: skip
    """A tensor whose contents nobody has set yet."""
    array = np.empty(_checked(sizes_of(size)), _type(dtype))
    if modes.trace is not None:
        array[...] = 0
    return _given(out, array, requires_grad, device)


def full(
    size: Any, fill_value: Any, *, out: Tensor | None = None, dtype: dtypes.dtype | None = None,
    layout: Any = None, device: Any = None, requires_grad: bool = False,
) -> Tensor:  # fmt: skip
    """One value throughout."""
    value = fill_value.item() if isinstance(fill_value, Tensor) else fill_value
    kind = (dtype or dtypes.of_python(value)).dtype
    return _given(out, np.full(_checked(sizes_of((size,))), value, kind), requires_grad, device)


def _checked(sizes: tuple[int, ...]) -> tuple[int, ...]:
    if min(sizes, default=0) < 0:
        raise SuanziError("a size below zero", input="size", expected="0 or more", found=sizes)
    return sizes


def _given(
    out: Tensor | None, array: Any, requires_grad: bool = False, device: Any = None
) -> Tensor:
    if device is not None:
        place(device)  # an error where it is another than the CPU
    made = leaf(array, requires_grad)
    return made if out is None else out._write(made)


def zeros_like(
    input: Tensor, *, dtype: dtypes.dtype | None = None, layout: Any = None, device: Any = None,
    requires_grad: bool = False, memory_format: Any = None,
) -> Tensor:  # fmt: skip
    """Zeros of the input's shape and type."""
    return _given(None, np.zeros(input._value.shape, _type(dtype, input)), requires_grad, device)


def ones_like(
    input: Tensor, *, dtype: dtypes.dtype | None = None, layout: Any = None, device: Any = None,
    requires_grad: bool = False, memory_format: Any = None,
) -> Tensor:  # fmt: skip
    """Ones of the input's shape and type."""
    return _given(None, np.ones(input._value.shape, _type(dtype, input)), requires_grad, device)


def empty_like(
    input: Tensor, *, dtype: dtypes.dtype | None = None, layout: Any = None, device: Any = None,
    requires_grad: bool = False, memory_format: Any = None,
) -> Tensor:  # fmt: skip
    """As `empty`, of the input's shape and type."""
    return empty(
        input._value.shape,
        dtype=dtype or input.dtype,
        device=device,
        requires_grad=requires_grad,
    )


def full_like(
    input: Tensor, fill_value: Any, *, dtype: dtypes.dtype | None = None, layout: Any = None,
    device: Any = None, requires_grad: bool = False, memory_format: Any = None,
) -> Tensor:  # fmt: skip
    """One value throughout, of the input's shape and type."""
    return _given(
        None, np.full(input._value.shape, fill_value, _type(dtype, input)), requires_grad, device
    )


def arange(
    start: Any, end: Any = None, step: Any = 1, *, out: Tensor | None = None,
    dtype: dtypes.dtype | None = None, layout: Any = None, device: Any = None,
    requires_grad: bool = False,
) -> Tensor:  # fmt: skip
    """start, start + step, ..., below the end.

    >>> arange(2, 8, 3).tolist()
    [2, 5]
    """
    if end is None:
        start, end = 0, start
    start, end, step = (x.item() if isinstance(x, Tensor) else x for x in (start, end, step))
    if step == 0 or (end - start) / step < 0:
        raise SuanziError("the steps never reach the end", found=(start, end, step))
    floating = any(isinstance(x, float) for x in (start, end, step))
    kind = dtype or (dtypes.get_default_dtype() if floating else dtypes.int64)
    count = math.ceil((end - start) / step)
    numbers = start + step * np.arange(count, dtype=np.float64 if floating else np.int64)
    return _given(out, np.asarray(numbers).astype(kind.dtype), requires_grad, device)


def linspace(
    start: Any, end: Any, steps: int, *, out: Tensor | None = None,
    dtype: dtypes.dtype | None = None, layout: Any = None, device: Any = None,
    requires_grad: bool = False,
) -> Tensor:  # fmt: skip
    """`steps` numbers from start to end, both included, evenly spaced."""
    first, last = float(start), float(end)
    return _given(out, np.linspace(first, last, steps, dtype=_type(dtype)), requires_grad, device)


def logspace(
    start: Any, end: Any, steps: int, base: float = 10.0, *, out: Tensor | None = None,
    dtype: dtypes.dtype | None = None, layout: Any = None, device: Any = None,
    requires_grad: bool = False,
) -> Tensor:  # fmt: skip
    """Powers of the base, whose exponents are linspace's."""
    array = np.logspace(float(start), float(end), steps, base=base, dtype=_type(dtype))
    return _given(out, array, requires_grad, device)


def eye(
    n: int, m: int | None = None, *, out: Tensor | None = None, dtype: dtypes.dtype | None = None,
    layout: Any = None, device: Any = None, requires_grad: bool = False,
) -> Tensor:  # fmt: skip
    """Ones on the diagonal, zeros elsewhere."""
    return _given(out, np.eye(n, m, dtype=_type(dtype)), requires_grad, device)


@method
def new_tensor(self: Tensor, data: Any, **options: Any) -> Tensor:
    return tensor(data, **{"dtype": self.dtype, **options})


@method
def new_zeros(
    self: Tensor, *size: Any, dtype: dtypes.dtype | None = None, **options: Any
) -> Tensor:
    return zeros(*size, dtype=dtype or self.dtype, **options)


@method
def new_ones(self: Tensor, *size: Any, dtype: dtypes.dtype | None = None, **options: Any) -> Tensor:
    return ones(*size, dtype=dtype or self.dtype, **options)


@method
def new_empty(
    self: Tensor, *size: Any, dtype: dtypes.dtype | None = None, **options: Any
) -> Tensor:
    return empty(*size, dtype=dtype or self.dtype, **options)


@method
def new_full(
    self: Tensor, size: Any, fill_value: Any, dtype: dtypes.dtype | None = None, **options: Any
) -> Tensor:
    return full(size, fill_value, dtype=dtype or self.dtype, **options)


IDENTITY = Identity()


@method
def clone(input: Tensor, *, memory_format: Any = None) -> Tensor:
    """A copy in memory of its own; gradients pass through it."""
    if modes.trace is not None:
        return apply(IDENTITY, input)
    made = wrap(input._value.copy())
    if modes.grad and input.requires_grad:
        Node(IDENTITY, (input,), (made,))
    return made


@method
def to(self: Tensor, *args: Any, **options: Any) -> Tensor:
    """The tensor in another dtype, or with another's; a device can be named, there is one."""
    copy = options.pop("copy", False)
    kind = options.pop("dtype", None)
    for arg in (*args, options.pop("device", None)):
        if isinstance(arg, dtypes.dtype):
            kind = arg
        elif isinstance(arg, Tensor):
            kind = arg.dtype
        elif isinstance(arg, str | place):
            place(arg)
    out = self if kind is None else cast(self, kind)
    return clone(out) if copy and out is self else out


@method
def type(self: Tensor, dtype: Any = None, non_blocking: bool = False) -> Any:
    """The name of its type, or the tensor in another."""
    if dtype is None:
        return f"suanzi.{self.dtype.name}"
    if isinstance(dtype, str):
        dtype = next(d for d in dtypes.ALL if d.name == dtype.rpartition(".")[2])
    return cast(self, dtype)


@method
def type_as(self: Tensor, other: Tensor) -> Tensor:
    return cast(self, other.dtype)


def _converter(name: str, dtype: dtypes.dtype) -> None:
    def convert(self: Tensor, memory_format: Any = None) -> Tensor:
        return cast(self, dtype)

    convert.__name__, convert.__doc__ = name, f"The elements as {dtype.name}."
    method(convert)


for _name, _dtype in {
    "float": dtypes.float32, "double": dtypes.float64, "half": dtypes.float16,
    "bfloat16": dtypes.bfloat16, "int": dtypes.int32, "long": dtypes.int64,
    "short": dtypes.int16, "char": dtypes.int8, "byte": dtypes.uint8, "bool": dtypes.bool_,
}.items():  # fmt: skip
    _converter(_name, _dtype)


@method
def cpu(self: Tensor, memory_format: Any = None) -> Tensor:
    return self


@method
def copy_(self: Tensor, src: Any, non_blocking: bool = False) -> Tensor:
    """Copies the elements of another tensor, broadcast and cast to this one's."""
    source = src if isinstance(src, Tensor) else as_tensor(src)
    return self._write(cast(source, self.dtype))


@method
def fill_(self: Tensor, value: Any) -> Tensor:
    """One value throughout, in place."""
    if isinstance(value, Tensor):
        return self._write(cast(value, self.dtype))
    return self._write(leaf(np.full((), value, self._value.dtype)))


@method
def apply_(self: Tensor, function: Any) -> Tensor:
    """A function of Python's on each element, in place; slow."""
    return self._write(leaf(_mapped(function, self)))


@method
def map_(self: Tensor, tensor: Tensor, function: Any) -> Tensor:
    """A function of Python's on each pair of elements, in place; slow."""
    return self._write(leaf(_mapped(function, self, tensor)))


def _mapped(function: Any, *tensors: Tensor) -> Any:
    first, *rest = np.broadcast_arrays(*(x.numpy_() for x in tensors))
    values = [function(*v) for v in zip(first.flat, *(r.flat for r in rest), strict=True)]
    return np.array(values, first.dtype).reshape(first.shape)


@method
def zero_(self: Tensor) -> Tensor:
    return fill_(self, 0)


def is_tensor(obj: Any) -> bool:
    """Whether it is a tensor."""
    return isinstance(obj, Tensor)


def numel(input: Tensor) -> int:
    """How many elements it has."""
    return input.numel()


__all__ = [
    "BoolTensor", "ByteTensor", "DoubleTensor", "FloatTensor", "HalfTensor", "IntTensor",
    "LongTensor", "ShortTensor", "arange", "as_tensor", "asarray", "clone", "empty", "empty_like",
    "eye", "from_dlpack", "from_numpy", "frombuffer", "full", "full_like", "is_tensor", "linspace",
    "logspace", "numel", "ones", "ones_like", "tensor", "zeros", "zeros_like",
]  # fmt: skip
