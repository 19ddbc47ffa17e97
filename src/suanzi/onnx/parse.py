"""A path, bytes or a ModelProto to a ModelProto whose texts are texts."""

import os
from pathlib import Path
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import DecodeError, Message
from onnx import ModelProto, TensorProto

from suanzi.errors import SuanziError


def parse(source: str | os.PathLike[str] | bytes | ModelProto) -> ModelProto:
    """The model, unread otherwise."""
    model = source if isinstance(source, ModelProto) else _decode(_bytes(source))
    _check_texts(model)
    return model


def _bytes(source: object) -> bytes:
    if isinstance(source, bytes | bytearray | memoryview):
        return bytes(source)
    if not isinstance(source, str | os.PathLike):
        kind = type(source).__name__
        raise SuanziError("not a model", expected="a path, bytes or a ModelProto", found=kind)
    try:
        path = Path(source)
        if path.exists() and not path.is_file():  # a folder, or a pipe that would never end
            raise SuanziError("not a file", found="a folder" if path.is_dir() else "a device")
        return path.read_bytes()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise SuanziError(f"can't read the model: {reason}", found=str(source)) from None


def _decode(data: bytes) -> ModelProto:
    if not data:
        raise SuanziError("not an ONNX file", found="an empty one")
    try:
        model: ModelProto = ModelProto.FromString(data)
    except DecodeError:
        raise SuanziError(
            "not an ONNX file, or a truncated one", found=f"bytes that begin {data[:12]!r}"
        ) from None
    if not (model.ir_version and model.HasField("graph")):
        raise SuanziError("not an ONNX file, or a truncated one", found="no version or no graph")
    return model


def _check_texts(message: Message) -> None:
    """protobuf gives a text that isn't UTF-8 as bytes: an error, wherever one hides."""
    for field, value in _fields(message):
        if field.type not in (field.TYPE_STRING, field.TYPE_MESSAGE):
            continue
        for item in (value,) if isinstance(value, str | bytes | Message) else value:
            if isinstance(item, bytes):
                raise SuanziError("a text isn't UTF-8", found=f"{field.name} {item[:40]!r}")
            if isinstance(item, Message):
                _check_texts(item)


def _fields(message: Message) -> list[tuple[FieldDescriptor, Any]]:
    if isinstance(message, TensorProto):  # to list all would copy the contents
        named = message.DESCRIPTOR.fields_by_name
        return [(named[key], getattr(message, key)) for key in ("name", "external_data")]
    return list(message.ListFields())
