"""Tensors as the page asks for them: slices as bytes, numbers as text, statistics, files."""

from __future__ import annotations

import io
import re
from typing import Any

import numpy as np

from suanzi.errors import SuanziError
from suanzi.inspect.plain import plain
from suanzi.inspect.statistics import tensor_statistics
from suanzi.inspect.values import layout
from suanzi.operators._operator import Array
from suanzi.workbench.messages import Reply, TooLargeError, reply

MOST_SLICE = 64 << 20
"""Bytes of one answer."""
MOST_TEXT = 10_000
"""Elements that are sent as text."""

Index = tuple[int | slice, ...]


def info(name: str, x: Array, weight: bool) -> dict[str, Any]:
    """What is told of a tensor before its contents."""
    return {
        "value": name,
        "dtype": dtype_name(x),
        "shape": x.shape,
        "bytes": x.nbytes,
        "layout": layout(x, weight),
    }


def dtype_name(x: Array) -> str:
    return "string" if x.dtype == object else x.dtype.name


def statistics(name: str, x: Array, bins: int, axis: int | None) -> Reply:
    found = tensor_statistics(x, min(max(1, bins), 4096), axis)
    told = plain(found)
    whole = told.pop("whole")
    return reply({"value": name, **whole, **told})


def parse_index(text: str) -> Index:
    """NumPy's basic indexing as text.

    >>> parse_index("0, :, 3:20:2")
    (0, slice(None, None, None), slice(3, 20, 2))
    """
    parts: list[int | slice] = []
    for word in text.split(",") if text.strip() else ():
        numbers = [part.strip() for part in word.split(":")]
        if len(numbers) > 3 or not all(re.fullmatch(r"-?\d{1,15}|", n) for n in numbers):
            raise SuanziError("the index isn't understood", expected="0, :, 3:20:2", found=text)
        ends = [int(n) if n else None for n in numbers]
        if len(ends) == 1:
            if ends[0] is None:
                raise SuanziError("the index isn't understood", expected="0,:,3:20:2", found=text)
            parts.append(ends[0])
        elif len(ends) == 3 and ends[2] == 0:
            raise SuanziError("a step can't be 0", found=text)
        else:
            parts.append(slice(*ends))
    return tuple(parts)


def part(x: Array, index: str) -> Array:
    """The part of a tensor that an index names."""
    try:
        return np.asarray(x[parse_index(index)])
    except IndexError:
        raise SuanziError(
            "the index is outside the tensor", expected=x.shape, found=index
        ) from None


def contents(x: Array, index: str, kind: str) -> Reply:
    """A part's bytes in C order, lowest byte first."""
    chosen = part(x, index)
    if chosen.dtype == object:
        raise SuanziError("texts have no bytes to send", hint="Ask for them as text")
    if kind not in ("float32", "raw"):
        raise SuanziError("no such kind of contents", expected="float32 or raw", found=kind)
    size = chosen.size * (4 if kind == "float32" else chosen.itemsize)
    if size > MOST_SLICE:
        raise TooLargeError(
            "the part is too large to send at once",
            expected=f"at most {MOST_SLICE >> 20} MiB",
            found=f"{size >> 20} MiB",
            hint="Ask for a smaller one, or for every second element",
        )
    if kind == "float32":
        with np.errstate(over="ignore"):
            chosen = (np.abs(chosen) if chosen.dtype.kind == "c" else chosen).astype("<f4")
    elif chosen.dtype.kind in "iufc":
        chosen = chosen.astype(chosen.dtype.newbyteorder("<"))
    shape = ",".join(map(str, chosen.shape))
    headers = (("X-Suanzi-Shape", shape), ("X-Suanzi-Dtype", chosen.dtype.name))
    return Reply(chosen.tobytes(), "application/octet-stream", headers)


def text(x: Array, index: str) -> Reply:
    chosen = part(x, index)
    if chosen.size > MOST_TEXT:
        raise TooLargeError(
            "too many elements", expected=f"at most {MOST_TEXT:,}", found=chosen.size
        )
    return reply({"shape": chosen.shape, "values": chosen})


def file(name: str, x: Array) -> Reply:
    """An .npy named after the value."""
    stem = re.sub(r"[^\w.-]+", "_", name, flags=re.ASCII).strip("._")[:100] or "value"
    buffer = io.BytesIO()
    np.save(buffer, x.astype(np.str_) if x.dtype == object else x, allow_pickle=False)
    disposition = ("Content-Disposition", f'attachment; filename="{stem}.npy"')
    return Reply(buffer.getvalue(), "application/octet-stream", (disposition,))
