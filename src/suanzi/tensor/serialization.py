"""Tensors to a file and back, in the safetensors format: data alone, nothing in it can run.

A dictionary of tensors is a plain safetensors file, which any program reads. What is nested, or
holds other values, has its tensors in the file under names made of their places, and in the
metadata, under "suanzi", its form as JSON: null, booleans, numbers, strings and lists are
themselves; the rest is an object of one key: {"tensor": name}, {"array": name}, {"tuple": [...]}
or {"dict": [[key, value], ...]}.
"""

import contextlib
import json
import mmap
import os
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import ml_dtypes
import numpy as np
import safetensors

from suanzi.errors import SuanziError
from suanzi.operators._operator import Array
from suanzi.tensor.core import Tensor, wrap

DTYPES = {
    "BOOL": np.bool_,
    "U8": np.uint8,
    "I8": np.int8,
    "U16": np.uint16,
    "I16": np.int16,
    "U32": np.uint32,
    "I32": np.int32,
    "U64": np.uint64,
    "I64": np.int64,
    "F16": np.float16,
    "BF16": ml_dtypes.bfloat16,
    "F32": np.float32,
    "F64": np.float64,
}
"""Element types by the format's names."""

CONVERT = (
    "Where torch is installed, convert it: safetensors.torch.save_file({name: t.contiguous() for "
    "name, t in torch.load(path, weights_only=True).items()}, 'model.safetensors')"
)


def save(obj: Any, f: str | os.PathLike[str] | IO[bytes]) -> None:
    """Writes tensors, and dictionaries, lists and tuples of them and of plain values, to a file.

    Plain values are None, booleans, numbers and strings; the keys of dictionaries too. Values that
    share memory are written one by one. The file appears whole, or not at all.
    """
    arrays: dict[str, Array] = {}
    metadata = None
    if plain(obj):
        arrays.update((name, _contiguous(tensor._value)) for name, tensor in obj.items())
    else:
        try:
            form = _form(obj, "", arrays)
        except RecursionError:
            raise SuanziError("nested too deeply to be saved", input="obj") from None
        metadata = {"suanzi": json.dumps(form)}
    known = {np.dtype(kind) for kind in DTYPES.values()}
    for name, array in arrays.items():
        if array.dtype not in known:
            raise SuanziError(
                "elements that the file format doesn't have",
                input=name,
                expected=", ".join(sorted(kind.name for kind in known)),
                found=array.dtype,
            )
    specs = {
        name: safetensors.TensorSpec(
            dtype=array.dtype.name,
            shape=array.shape,
            data_ptr=array.ctypes.data,
            data_len=array.nbytes,
        )
        for name, array in arrays.items()
    }
    try:
        if isinstance(f, str | os.PathLike):
            _write(Path(f), specs, metadata)
        else:
            f.write(safetensors.serialize(specs, metadata))
    except UnicodeEncodeError as error:
        raise SuanziError(
            "text that UTF-8 can't encode", input="obj", found=ascii(error.object)
        ) from None


def load(
    f: str | os.PathLike[str] | IO[bytes],
    map_location: Any = None,
    *,
    weights_only: bool = True,
    mmap: bool | None = None,
) -> Any:
    """What `save` has written, or any safetensors file as a dictionary of tensors.

    The tensors of a file use its mapped memory, so nothing is read before it is needed, nor written
    back when they change. The other arguments are PyTorch's, and mean nothing here: all is on the
    CPU, nothing but weights can be in the file.
    """
    path = str(f) if isinstance(f, str | os.PathLike) else None
    try:
        memory = _memory(f)
        try:
            header = _header(memory, path)
        except (ValueError, RecursionError, KeyError, safetensors.SafetensorError) as error:
            raise _refusal(bytes(memory[:16]), error) from None
        form = header.pop("__metadata__", {}).get("suanzi")
        start = 8 + int.from_bytes(memory[:8], "little")
        arrays = {name: _array(memory, start, name, entry) for name, entry in header.items()}
        if form is None:
            return {name: wrap(array) for name, array in arrays.items()}
        try:
            return _value(json.loads(form), arrays)
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise SuanziError("its form in the metadata is broken", found=error) from None
    except SuanziError as error:
        error.at(model=path)
        raise


def plain(obj: Any) -> bool:
    """Whether it is a dictionary of tensors by name, which needs no form beside it."""
    return isinstance(obj, Mapping) and all(
        isinstance(name, str) and name != "__metadata__" and isinstance(value, Tensor)
        for name, value in obj.items()
    )


def _form(value: Any, place: str, arrays: dict[str, Array]) -> Any:
    """The JSON form of a value; its tensors go to `arrays`."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Tensor):
        return {"tensor": _add(value._value, place, arrays)}
    if isinstance(value, np.ndarray):
        return {"array": _add(value, place, arrays)}
    before = f"{place}." if place else ""
    if isinstance(value, Mapping):
        for key in value:
            if not (key is None or isinstance(key, bool | int | float | str)):
                raise SuanziError(
                    "a key that can't be saved",
                    input=place or "obj",
                    expected="a string or a number",
                    found=type(key).__name__,
                )
        return {"dict": [[k, _form(v, f"{before}{k}", arrays)] for k, v in value.items()]}
    if isinstance(value, list | tuple):
        parts = [_form(part, f"{before}{i}", arrays) for i, part in enumerate(value)]
        return parts if isinstance(value, list) else {"tuple": parts}
    raise SuanziError(
        "a value that can't be saved",
        input=place or "obj",
        expected="tensors, arrays, None, booleans, numbers, strings, and dictionaries, lists and "
        "tuples of them",
        found=type(value).__name__,
        hint="Save a module's or an optimizer's state_dict()",
    )


def _add(array: Array, place: str, arrays: dict[str, Array]) -> str:
    name = place or "tensor"
    while name in arrays or name == "__metadata__":  # {"a.b": ...} beside {"a": {"b": ...}}
        name += "_"
    arrays[name] = _contiguous(array)
    return name


def _contiguous(array: Any) -> Array:
    if not isinstance(array, np.ndarray):
        raise SuanziError("a tensor that is only traced has nothing to save yet")
    return np.asarray(array, array.dtype.newbyteorder("<"), order="C")


def _write(path: Path, specs: dict[str, Any], metadata: dict[str, str] | None) -> None:
    """Writes beside the path, then puts it there."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with open(beside, "wb") as file:
            mode = os.fstat(file.fileno()).st_mode
        safetensors.serialize_file(specs, beside, metadata)
        os.chmod(beside, mode)  # the library makes a file that its owner alone can read
        os.replace(beside, path)
    except (OSError, safetensors.SafetensorError) as error:
        raise SuanziError("can't be written", model=str(path), found=error) from None
    finally:
        with contextlib.suppress(OSError):
            beside.unlink(missing_ok=True)


def _memory(f: str | os.PathLike[str] | IO[bytes]) -> Any:
    """The contents, writable, but not back to a file."""
    if not isinstance(f, str | os.PathLike):
        return bytearray(f.read())
    try:
        with open(f, "rb") as file:
            if os.fstat(file.fileno()).st_size == 0:
                return bytearray()
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
    except (OSError, ValueError) as error:
        raise SuanziError("can't be read", found=error) from None


def _header(memory: Any, path: str | None) -> dict[str, Any]:
    """The header, after the library has checked all of it."""
    if path is None:
        safetensors.deserialize(bytes(memory))  # type: ignore[no-untyped-call]
    else:
        with safetensors.safe_open(path, "np"):
            pass
    size = int.from_bytes(memory[:8], "little")
    header: dict[str, Any] = json.loads(memory[8 : 8 + size])
    return header


def _refusal(head: bytes, error: Exception) -> SuanziError:
    if head.startswith((b"PK\x03\x04", b"\x80")):
        return SuanziError(
            "a pickle, which can run any code when it is loaded, so Suanzi never loads one",
            expected="a safetensors file",
            found="what torch.save writes",
            hint=CONVERT,
        )
    return SuanziError("not a safetensors file, or a broken one", found=error)


def _array(memory: Any, start: int, name: str, entry: dict[str, Any]) -> Array:
    if entry["dtype"] not in DTYPES:
        raise SuanziError(
            "elements that a tensor can't hold",
            input=name,
            expected=", ".join(DTYPES),
            found=entry["dtype"],
        )
    kind: np.dtype[Any] = np.dtype(DTYPES[entry["dtype"]])
    begin, end = entry["data_offsets"]
    if begin == end:
        return np.empty(entry["shape"], kind)
    array = np.frombuffer(memory, kind, (end - begin) // kind.itemsize, start + begin)
    array = array.reshape(entry["shape"])
    return array if array.flags.aligned else array.copy()


def _value(form: Any, arrays: dict[str, Array]) -> Any:
    """The value of a form; the inverse of `_form`."""
    if isinstance(form, list):
        return [_value(part, arrays) for part in form]
    if not isinstance(form, dict):
        return form
    ((kind, content),) = form.items()
    if kind == "tensor":
        return wrap(arrays[content])
    if kind == "array":
        return arrays[content]
    if kind == "tuple":
        return tuple(_value(part, arrays) for part in content)
    if kind == "dict":
        return {key: _value(part, arrays) for key, part in content}
    raise ValueError(f"unknown kind {kind!r}")
