"""ONNX's model zoo as data: what there is, and which of it a name means."""

import difflib
import functools
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any

from suanzi.errors import SuanziError

PRECISIONS = ("float32", "int8", "qdq")
"""int8 is made of integer operators, qdq of float ones between quantize and dequantize."""
SPOKEN = {"fp32": "float32", "float": "float32"}


@dataclass(frozen=True)
class File:
    """A file of the zoo: its place there, and what its bytes must be."""

    path: str
    bytes: int
    sha256: str


@dataclass(frozen=True)
class Entry:
    """A model: `name` as people type it, `title` as the zoo has it, ports by name with types.

    >>> find("resnet50").label, find("resnet50@7").opset, find("resnet50:int8").label
    ('resnet50@12', 7, 'resnet50@12:int8')
    """

    name: str
    title: str
    precision: str
    opset: int
    file: File
    samples: File
    """The same with inputs and the outputs they give, as a .tar.gz."""
    tags: tuple[str, ...]
    inputs: Mapping[str, str]
    outputs: Mapping[str, str]

    @property
    def label(self) -> str:
        """The name that means this very file."""
        other = "" if self.precision == "float32" else f":{self.precision}"
        return f"{self.name}@{self.opset}{other}"

    @property
    def stem(self) -> str:
        return self.file.path.rpartition("/")[2].removesuffix(".onnx")


@functools.cache
def _contents() -> tuple[tuple[Entry, ...], dict[str, str]]:
    text = (resources.files("suanzi.zoo") / "catalogue.json").read_text(encoding="utf-8")
    found = json.loads(text)
    return tuple(_entry(**each) for each in found["models"]), found["aliases"]


def _entry(path: str, bytes: int, sha256: str, data: Any, tags: list[str], **facts: Any) -> Entry:
    return Entry(file=File(path, bytes, sha256), samples=File(**data), tags=(*tags,), **facts)


def models(tag: str | None = None, max_bytes: float | None = None) -> list[Entry]:
    """All models, or those with a tag that contains this word and at most so large.

    >>> [entry.label for entry in models("style", 6.727e6)][:2]
    ['candy@8', 'mosaic@8']
    """
    word = (tag or "").lower()
    return [
        entry
        for entry in _contents()[0]
        if (not word or any(word in each for each in entry.tags))
        and (max_bytes is None or entry.file.bytes <= max_bytes)
    ]


def find(name: str) -> Entry:
    """The model that a name means: `resnet50` the newest in float32, `resnet50@7` that of opset 7,
    `resnet50:int8` the newest of that precision; a file's own name is one too.

    Case, dashes and dots don't matter. An unknown name is an error that suggests the closest.
    """
    entries, aliases = _contents()
    for entry in entries:
        if _plain(name.removesuffix(".onnx")) == _plain(entry.stem):
            return entry
    base, opset, precision = _parts(name)
    known = {_plain(entry.name): entry.name for entry in entries}
    known |= {_plain(entry.title): entry.name for entry in entries if entry.precision == "float32"}
    known |= {_plain(alias): target for alias, target in aliases.items()}
    known |= {_plain(entry.name): entry.name for entry in entries}  # a name goes before a title
    if _plain(base) not in known:
        close = difflib.get_close_matches(_plain(base), known, n=3, cutoff=0.6)
        names = list(dict.fromkeys(known[each] for each in close))
        raise SuanziError(
            "there is no such model, neither as a file nor in the zoo",
            found=name,
            hint=f"Did you mean {' or '.join(names)}?" if names else "suanzi zoo list tells all",
        )
    same = [entry for entry in entries if entry.name == known[_plain(base)]]
    fitting = [
        entry
        for entry in same
        if opset in (None, entry.opset) and precision in (None, entry.precision)
    ]
    if not fitting:
        labels = ", ".join(entry.label for entry in same)
        raise SuanziError("the zoo has no such version", expected=labels, found=name)
    return min(fitting, key=_preference)


def _preference(entry: Entry) -> tuple[int, int]:
    return PRECISIONS.index(entry.precision), -entry.opset


def _parts(name: str) -> tuple[str, int | None, str | None]:
    """
    >>> _parts("ResNet50:int8@12"), _parts("vgg16")
    (('ResNet50', 12, 'int8'), ('vgg16', None, None))
    """
    base, *marks = re.split(r"(?=[@:])", name)
    opset = precision = None
    for mark in marks:
        word = mark[1:].lower()
        if mark[0] == "@" and word.isdecimal() and len(word) < 4:
            opset = int(word)
        elif mark[0] == ":" and SPOKEN.get(word, word) in PRECISIONS:
            precision = SPOKEN.get(word, word)
        else:
            raise SuanziError(
                "the model's name isn't understood",
                expected=f"NAME@OPSET or NAME:{', NAME:'.join(PRECISIONS)}",
                found=name,
            )
    return base, opset, precision


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())
