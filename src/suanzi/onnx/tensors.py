"""TensorProto to array, wherever its contents lie: raw bytes, typed fields, or a file beside."""

import math
from pathlib import Path

import numpy as np
from google.protobuf.message import DecodeError
from onnx import TensorProto, numpy_helper

from suanzi.errors import SuanziError
from suanzi.operators._checks import STRING
from suanzi.operators._operator import Array
from suanzi.operators._types import element_type

PACKED_BITS: dict[int, int] = {
    TensorProto.INT4: 4,
    TensorProto.UINT4: 4,
    TensorProto.FLOAT4E2M1: 4,
    TensorProto.INT2: 2,
    TensorProto.UINT2: 2,
}
"""Types of which several elements share a byte."""

TYPED_FIELDS: dict[int, str] = {
    TensorProto.FLOAT: "float_data",
    TensorProto.COMPLEX64: "float_data",
    TensorProto.DOUBLE: "double_data",
    TensorProto.COMPLEX128: "double_data",
    TensorProto.INT64: "int64_data",
    TensorProto.UINT32: "uint64_data",
    TensorProto.UINT64: "uint64_data",
    TensorProto.STRING: "string_data",
}
"""Where the elements lie when they aren't raw bytes; those of all other types in int32_data."""


def to_array(tensor: TensorProto, folder: Path | None) -> Array:
    """The contents, without a copy where the bytes can stay; `folder` is the model's."""
    try:
        return _to_array(tensor, folder)
    except SuanziError as error:
        raise error.at(input=tensor.name) from None


def _to_array(tensor: TensorProto, folder: Path | None) -> Array:
    dtype, dims = element_type(tensor.data_type), tuple(tensor.dims)
    if any(d < 0 for d in dims):
        raise SuanziError("a tensor's sizes can't be negative", found=list(dims))
    if tensor.HasField("segment"):
        raise SuanziError("tensors in segments aren't supported")
    size = math.prod(dims)
    if dtype == STRING:
        return _typed(tensor, size)
    nbytes = math.ceil(size * PACKED_BITS.get(tensor.data_type, 8 * dtype.itemsize) / 8)
    if tensor.data_location == TensorProto.EXTERNAL:
        data = _external(tensor, folder, nbytes)
    elif tensor.HasField("raw_data"):
        data = tensor.raw_data
    else:
        return _typed(tensor, size)
    if len(data) != nbytes:
        raise SuanziError(
            f"the bytes don't fill {dtype}{list(dims)}",
            expected=f"{nbytes} bytes",
            found=len(data),
            hint="The file may be truncated or damaged.",
        )
    if tensor.data_type in PACKED_BITS:
        whole = TensorProto(data_type=tensor.data_type, dims=dims, raw_data=data)
        return numpy_helper.to_array(whole)
    array = np.frombuffer(data, np.uint8 if dtype.kind == "b" else dtype)
    return _shaped(array != 0 if dtype.kind == "b" else array, dims)


def _typed(tensor: TensorProto, size: int) -> Array:
    field = TYPED_FIELDS.get(tensor.data_type, "int32_data")
    count = size * (2 if tensor.data_type in (TensorProto.COMPLEX64, TensorProto.COMPLEX128) else 1)
    count = math.ceil(count * PACKED_BITS.get(tensor.data_type, 8) / 8)
    found = len(getattr(tensor, field))
    if found != count:
        raise SuanziError(
            f"the elements don't fill {list(tensor.dims)}",
            expected=f"{count} in {field}",
            found=found,
        )
    if size == 0:
        return _shaped(np.empty(0, element_type(tensor.data_type)), tuple(tensor.dims))
    if tensor.data_type == TensorProto.STRING:
        texts = np.array([text.decode() for text in tensor.string_data], STRING)
        return _shaped(texts, tuple(tensor.dims))
    return _shaped(numpy_helper.to_array(tensor).reshape(-1), tuple(tensor.dims))


def _shaped(array: Array, dims: tuple[int, ...]) -> Array:
    try:
        return array.reshape(dims)
    except ValueError as error:  # more axes than NumPy has, or a size beyond its range beside a 0
        raise SuanziError(f"NumPy can't hold the shape: {error}", found=list(dims)) from None


def _external(tensor: TensorProto, folder: Path | None, nbytes: int) -> bytes:
    """The bytes from a file in the model's folder. Read, not mapped: a mapped file that is cut
    short later would end the process."""
    entries = {entry.key: entry.value for entry in tensor.external_data}
    location = entries.get("location", "")
    if folder is None:
        raise SuanziError(
            "the tensor's data lies in another file",
            expected="a path to the model",
            found="its bytes alone",
            hint="Give the path, or load the data first.",
        )
    path = Path(folder, location)
    try:
        inside = path.resolve().is_relative_to(folder.resolve())
        found = path.is_file()
        total = path.stat().st_size if inside and found else 0
    except (OSError, ValueError, RuntimeError) as error:  # endless links, names that can't be
        raise SuanziError(f"can't reach external data: {error}", found=location) from None
    if not inside or not location:
        raise SuanziError(
            "external data must lie in the model's folder",
            found=location or "no location",
            hint="Absolute paths, '..' and links to other folders are refused.",
        )
    if not found:
        raise SuanziError(
            "external data is missing", found=location, hint="Put the file beside the model."
        )
    offset = _number(entries, "offset", 0)
    length = _number(entries, "length", max(total - offset, 0))
    if offset + length > total or length != nbytes:
        raise SuanziError(
            f"external data doesn't fill {list(tensor.dims)}",
            expected=f"{nbytes} bytes at {offset}",
            found=f"length {length} in a file of {total} bytes",
        )
    try:
        with path.open("rb") as file:
            file.seek(offset)
            return file.read(length)
    except OSError as error:
        raise SuanziError(f"can't read external data: {error.strerror}", found=location) from None


def _number(entries: dict[str, str], key: str, default: int) -> int:
    text = entries.get(key, str(default))
    if not (text.isascii() and text.isdigit() and len(text) < 20):
        raise SuanziError(f"external data: {key} must be a number of bytes", found=text)
    return int(text)


def read_tensor(path: str | Path) -> Array:
    """A tensor from a .pb file, as ONNX's test data is kept."""
    return parse_tensor(Path(path).read_bytes(), str(path))


def parse_tensor(file: bytes, name: str) -> Array:
    """A tensor from the bytes of such a file."""
    tensor = TensorProto()
    try:
        tensor.ParseFromString(file)
    except DecodeError:
        raise SuanziError("not a tensor: the file isn't a TensorProto", found=name) from None
    return to_array(tensor, None)
