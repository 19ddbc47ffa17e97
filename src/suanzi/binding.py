"""Values and bindings by onnxruntime's names: inputs given, outputs received, in memory of one's
own."""

from __future__ import annotations

import ctypes
import math
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from suanzi.arguments import NodeArg
from suanzi.errors import SuanziError
from suanzi.operators._operator import Array, TensorType
from suanzi.operators._types import element_number, element_type


class OrtValue:
    """A tensor, on the memory of a NumPy array.

    >>> value = OrtValue.ortvalue_from_numpy(np.zeros((2, 3), np.float32))
    >>> value.shape(), value.data_type(), value.device_name()
    ([2, 3], 'tensor(float)', 'cpu')
    """

    def __init__(self, array: Array) -> None:
        self._array = array

    @staticmethod
    def ortvalue_from_numpy(
        numpy_obj: Array, device_type: str = "cpu", device_id: int = 0, vendor_id: int = -1
    ) -> OrtValue:
        """Shares the array's memory where it is in one piece."""
        _require_cpu(device_type)
        return OrtValue(np.asarray(numpy_obj, order="C"))

    @staticmethod
    def ortvalue_from_numpy_with_onnx_type(data: Array, onnx_element_type: int) -> OrtValue:
        """The array's bytes as elements of ONNX's type: 16 for bfloat16, 10 for float16, ..."""
        dtype = element_type(onnx_element_type)
        if dtype.itemsize != data.dtype.itemsize:
            raise SuanziError(
                "the elements have another size", expected=f"{dtype.itemsize} bytes, as {dtype}",
                found=f"{data.dtype.itemsize} bytes, as {data.dtype}",
            )  # fmt: skip
        return OrtValue(np.ascontiguousarray(data).view(dtype))

    @staticmethod
    def ortvalue_from_shape_and_type(
        shape: Sequence[int], element_type: Any, device_type: str = "cpu", device_id: int = 0,
        vendor_id: int = -1,
    ) -> OrtValue:  # fmt: skip
        """New memory; its contents aren't set."""
        _require_cpu(device_type)
        return OrtValue(np.empty(tuple(shape), _dtype(element_type)))

    def numpy(self) -> Array:
        """The array, on the same memory."""
        return self._array

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        return np.array(self._array, dtype, copy=copy)

    def __dlpack__(self, **options: Any) -> Any:
        return self._array.__dlpack__(**options)

    def __dlpack_device__(self) -> tuple[int, int]:
        return (1, 0)

    def update_inplace(self, np_arr: Array) -> None:
        """Other contents, of the same type, in the same memory."""
        _copy(np.asarray(np_arr), self._array, "np_arr")

    def shape(self) -> list[int]:
        return [*self._array.shape]

    def data_type(self) -> str:
        return NodeArg.of("", TensorType(self._array.dtype, self._array.shape)).type

    def element_type(self) -> int:
        return element_number(self._array.dtype)

    def data_ptr(self) -> int:
        return int(self._array.ctypes.data)

    def tensor_size_in_bytes(self) -> int:
        return int(self._array.nbytes)

    @staticmethod
    def from_dlpack(data: Any, is_bool_tensor: bool = False) -> OrtValue:
        """Shares the memory of another library's tensor."""
        array = np.from_dlpack(data)
        return OrtValue(array.view(np.bool_) if is_bool_tensor else array)

    def device_name(self) -> str:
        return "cpu"

    def has_value(self) -> bool:
        return True

    def is_tensor(self) -> bool:
        return True

    def is_sparse_tensor(self) -> bool:
        return False

    def is_tensor_sequence(self) -> bool:
        return False


class Runs(Protocol):
    """What a binding needs of a session."""

    def get_outputs(self) -> list[NodeArg]: ...
    def run(self, output_names: Sequence[str] | None, input_feed: Mapping[str, Any]) -> Any: ...


class IOBinding:
    """Where a session finds its inputs and leaves its outputs; see `run_with_iobinding`."""

    def __init__(self, session: Runs) -> None:
        self._session = session
        self._inputs: dict[str, Any] = {}
        self._outputs: dict[str, Array | None] = {}
        self._made: list[OrtValue] = []

    def bind_cpu_input(self, name: str, arr_on_cpu: Any) -> None:
        self._inputs[name] = np.asarray(arr_on_cpu)

    def bind_ortvalue_input(self, name: str, ortvalue: OrtValue) -> None:
        self._inputs[name] = ortvalue.numpy()

    def bind_input(
        self, name: str, device_type: str, device_id: int, element_type: Any, shape: Sequence[int],
        buffer_ptr: int,
    ) -> None:  # fmt: skip
        """Memory by its address: the caller vouches for its size, and keeps it alive."""
        _require_cpu(device_type)
        self._inputs[name] = _at(buffer_ptr, element_type, shape)

    def bind_output(
        self, name: str, device_type: str = "cpu", device_id: int = 0, element_type: Any = None,
        shape: Sequence[int] | None = None, buffer_ptr: int | None = None,
    ) -> None:  # fmt: skip
        """An output that is wanted; with an address it is written there."""
        _require_cpu(device_type)
        given = None
        if buffer_ptr is not None:
            if element_type is None or shape is None:
                raise SuanziError(
                    "memory is of a type and shape", input=name, expected="element_type and shape"
                )
            given = _at(buffer_ptr, element_type, shape)
        self._outputs[name] = given

    def bind_ortvalue_output(self, name: str, ortvalue: OrtValue) -> None:
        self._outputs[name] = ortvalue.numpy()

    def synchronize_inputs(self) -> None:
        """All is in one memory."""

    def synchronize_outputs(self) -> None:
        """All is in one memory."""

    def get_outputs(self) -> list[OrtValue]:
        """Of the last run, in the order in which they were bound."""
        return self._made

    def copy_outputs_to_cpu(self) -> list[Array]:
        return [value.numpy() for value in self._made]

    def clear_binding_inputs(self) -> None:
        self._inputs.clear()

    def clear_binding_outputs(self) -> None:
        self._outputs.clear()

    def run(self) -> None:
        """Runs the session; what is wanted in memory of one's own is copied there."""
        names = [*self._outputs] or [y.name for y in self._session.get_outputs()]
        results = self._session.run(names, self._inputs)
        self._made = []
        for name, result in zip(names, results, strict=True):
            given = self._outputs.get(name)
            if given is not None:
                _copy(result, given, name)
            self._made.append(OrtValue(result if given is None else given))


def _require_cpu(device: str) -> None:
    if device != "cpu":
        raise SuanziError("no such device", input="device_type", expected="cpu", found=device)


def _dtype(element: Any) -> np.dtype[Any]:
    """A type as onnxruntime takes it: NumPy's, or ONNX's number."""
    return element_type(element) if isinstance(element, int) else np.dtype(element)


def _at(address: int, element: Any, shape: Sequence[int]) -> Array:
    dtype, sizes = _dtype(element), tuple(int(n) for n in shape)
    if dtype.hasobject or min(sizes, default=1) < 0 or not address:
        raise SuanziError("no such memory", expected="an address, a type of numbers and a shape",
                          found=(address, dtype, sizes))  # fmt: skip
    memory = (ctypes.c_uint8 * (math.prod(sizes) * dtype.itemsize)).from_address(address)
    return np.ctypeslib.as_array(memory).view(dtype).reshape(sizes)


def _copy(made: Any, to: Array, name: str) -> None:
    if not isinstance(made, np.ndarray) or (made.shape, made.dtype) != (to.shape, to.dtype):
        found = f"{made.dtype}{[*made.shape]}" if isinstance(made, np.ndarray) else type(made)
        raise SuanziError("the memory is of another type", input=name,
                          expected=f"{to.dtype}{[*to.shape]}", found=found)  # fmt: skip
    np.copyto(to, made)
