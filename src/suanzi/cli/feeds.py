"""A model's inputs from the command line: files, pictures, or seeded random numbers."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from suanzi.errors import SuanziError
from suanzi.inspect.feeds import (
    ARRAYS,
    PICTURES,
    Picture,
    from_array_file,
    from_sound,
    input_types,
    random,
    require_known,
)
from suanzi.operators._operator import TensorType, Value
from suanzi.session import InferenceSession

KINDS = (*ARRAYS, ".wav", *PICTURES)


@dataclass(frozen=True)
class Feeding:
    """How a model's inputs are made; call it with a session."""

    files: Mapping[str, str]
    dims: Mapping[str, int]
    shapes: Mapping[str, tuple[int, ...]]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    layout: Literal["NCHW", "NHWC"]
    seed: int

    def __call__(self, session: InferenceSession) -> dict[str, Any]:
        """An array for each input, a list of them for a sequence."""
        generator = np.random.default_rng(self.seed)
        feeds: dict[str, Any] = {}
        for name, kind in self.types(session).items():
            try:
                if name in self.files:
                    feeds[name] = self._file(name, Path(self.files[name]), kind)
                else:
                    feeds[name] = random(kind, generator)
            except SuanziError as error:
                raise error.at(model=session.name, input=name) from None
        return feeds

    def types(self, session: InferenceSession) -> dict[str, TensorType]:
        """The inputs' types with the sizes that are declared or given, and 1 for the batch."""
        require_known("input", self.files, session.graph.inputs, session.name)
        return input_types(session, self.dims, self.shapes)

    def _file(self, name: str, file: Path, kind: TensorType) -> Value:
        suffix = file.suffix.lower()
        if suffix not in KINDS:
            raise SuanziError(
                "a file of a kind that isn't known", expected=", ".join(KINDS), found=file
            )
        if not file.is_file():
            raise SuanziError("there is no such file", found=file)
        try:
            contents = file.read_bytes()
            if suffix in ARRAYS:
                return from_array_file(contents, suffix, name, kind)
            if suffix == ".wav":
                return from_sound(contents, kind)
            return Picture(layout=self.layout, mean=self.mean, std=self.std)(contents, kind)
        except SuanziError:
            raise
        except Exception as error:  # a damaged file makes the libraries raise anything
            raise SuanziError(f"can't read {file}: {error}") from None


def main(
    files: list[str] | None,
    dims: list[str] | None,
    shapes: list[str] | None,
    mean: str,
    std: str,
    layout: Literal["NCHW", "NHWC"],
    seed: int,
) -> Feeding:
    """From the command line's words."""
    if layout not in ("NCHW", "NHWC"):
        raise SuanziError("no such layout", expected="NCHW or NHWC", found=layout)
    scale = _numbers(std, "--std")
    if 0 in scale:
        raise SuanziError("--std divides, so it can't be 0", found=std)
    return Feeding(
        _pairs(files, "--input"),
        {name: _size(text, "--dim") for name, text in _pairs(dims, "--dim").items()},
        {
            name: tuple(_size(word, "--shape") for word in text.split(","))
            for name, text in _pairs(shapes, "--shape").items()
        },
        _numbers(mean, "--mean"),
        scale,
        layout,
        seed,
    )


def _pairs(words: list[str] | None, option: str) -> dict[str, str]:
    found = {}
    for word in words or ():
        name, _, value = word.partition("=")
        if not (name and value):
            raise SuanziError(f"{option} isn't understood", expected="NAME=VALUE", found=word)
        found[name] = value
    return found


def _size(word: str, option: str) -> int:
    if not (word.isdecimal() and len(word) < 16):
        raise SuanziError(f"{option} isn't understood", expected="a size, such as 224", found=word)
    return int(word)


def _numbers(text: str, option: str) -> tuple[float, ...]:
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise SuanziError(
            f"{option} isn't understood", expected="numbers like 0.485,0.456,0.406", found=text
        ) from None
