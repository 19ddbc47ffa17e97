"""A model's inputs from the command line: files, pictures, or seeded random numbers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal, TypeVar

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
from suanzi.operators._operator import Array, TensorType, Value
from suanzi.session import InferenceSession
from suanzi.zoo import Answer, Task, task_of

T = TypeVar("T")
KINDS = (*ARRAYS, ".wav", *PICTURES)


@dataclass(frozen=True)
class Feeding:
    """How a model's inputs are made; call it with a session."""

    files: Mapping[str, str]
    """By input; the first one's may stand without its name, under an empty one."""
    dims: Mapping[str, int]
    shapes: Mapping[str, tuple[int, ...]]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    layout: Literal["NCHW", "NHWC"]
    seed: int
    task: Task | None = None
    """How a model of the zoo takes pictures, unless the command line says how."""

    def __call__(self, session: InferenceSession) -> dict[str, Any]:
        """An array for each input, a list of them for a sequence."""
        generator = np.random.default_rng(self.seed)
        files, picture = self._named(session), self._picture(session)
        feeds: dict[str, Any] = {}
        for name, kind in self.types(session).items():
            try:
                if self.task and picture and not feeds:  # it may make other inputs too
                    feeds = {**_read(picture, partial(self.task.feeds, session))}
                if name in feeds:
                    continue
                if name in files:
                    feeds[name] = self._file(name, files[name], kind)
                else:
                    feeds[name] = random(kind, generator)
            except SuanziError as error:
                raise error.at(model=session.name, input=name) from None
        return feeds

    def types(self, session: InferenceSession) -> dict[str, TensorType]:
        """The inputs' types with the sizes that are declared or given, and 1 for the batch."""
        require_known("input", self._named(session), session.graph.inputs, session.name)
        return input_types(session, self.dims, self.shapes)

    def answer(
        self, session: InferenceSession, feeds: Mapping[str, Array], outputs: Mapping[str, Any]
    ) -> Answer | None:
        """What the outputs say of the picture, where the model's task is known and one is given."""
        picture = self._picture(session)
        if self.task is None or picture is None:
            return None
        return self.task.tell(feeds, outputs, picture.read_bytes())

    def _picture(self, session: InferenceSession) -> Path | None:
        """The first input's file, if it is one."""
        file = self._named(session).get(next(iter(session.graph.inputs), ""))
        return file if file and file.suffix.lower() in PICTURES else None

    def _named(self, session: InferenceSession) -> dict[str, Path]:
        first = next(iter(session.graph.inputs), "")
        return {name or first: Path(file) for name, file in self.files.items()}

    def _file(self, name: str, file: Path, kind: TensorType) -> Value:
        suffix = file.suffix.lower()
        if suffix not in KINDS:
            raise SuanziError(
                "a file of a kind that isn't known", expected=", ".join(KINDS), found=file
            )

        def parse(contents: bytes) -> Value:
            if suffix in ARRAYS:
                return from_array_file(contents, suffix, name, kind)
            if suffix == ".wav":
                return from_sound(contents, kind)
            return Picture(layout=self.layout, mean=self.mean, std=self.std)(contents, kind)

        return _read(file, parse)


def _read(file: Path, parse: Callable[[bytes], T]) -> T:
    """What a file's bytes mean; whatever is wrong with them is an error that names it."""
    if not file.is_file():
        raise SuanziError("there is no such file", found=file)
    try:
        return parse(file.read_bytes())
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
    model: str = "",
) -> Feeding:
    """From the command line's words; `model` where its inputs may be pictures."""
    if layout not in ("NCHW", "NHWC"):
        raise SuanziError("no such layout", expected="NCHW or NHWC", found=layout)
    scale = _numbers(std, "--std")
    if 0 in scale:
        raise SuanziError("--std divides, so it can't be 0", found=std)
    own = (mean, std, layout) != ("0", "1", "NCHW")
    return Feeding(
        _pairs([_with_name(word) for word in files or ()], "--input"),
        {name: _size(text, "--dim") for name, text in _pairs(dims, "--dim").items()},
        {
            name: tuple(_size(word, "--shape") for word in text.split(","))
            for name, text in _pairs(shapes, "--shape").items()
        },
        _numbers(mean, "--mean"),
        scale,
        layout,
        seed,
        None if own or not model else task_of(model),
    )


def _with_name(word: str) -> str:
    return f"={word}" if "=" not in word and word.lower().endswith(KINDS) else word


def _pairs(words: list[str] | None, option: str) -> dict[str, str]:
    found = {}
    for word in words or ():
        name, _, value = word.partition("=")
        if not value or (option != "--input" and not name):
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
