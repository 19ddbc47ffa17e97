"""A model's inputs from the command line: files, pictures, or seeded random numbers."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from suanzi.errors import SuanziError
from suanzi.graph.infer import narrow
from suanzi.graph.memory import require_memory
from suanzi.operators._operator import Array, OptionalType, SequenceType, TensorType, Value
from suanzi.session import InferenceSession

PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp")
OPEN = "Say it with --shape NAME=1,3,224,224, or --dim SYMBOL=SIZE"
GIVEN = "Say it with --input NAME=FILE; the arrays of an .npz are a sequence's elements"


@dataclass(frozen=True)
class Feeding:
    """How a model's inputs are made; call it with a session."""

    files: Mapping[str, str]
    dims: Mapping[str, int]
    shapes: Mapping[str, tuple[int, ...]]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    layout: str
    seed: int

    def __call__(self, session: InferenceSession) -> dict[str, Any]:
        """An array for each input, a list of them for a sequence."""
        random = np.random.default_rng(self.seed)
        feeds: dict[str, Any] = {}
        for name, kind in self.types(session).items():
            try:
                if name in self.files:
                    feeds[name] = self._file(name, Path(self.files[name]), kind)
                else:
                    feeds[name] = _random(kind, random)
            except SuanziError as error:
                raise error.at(model=session.name, input=name) from None
        return feeds

    def types(self, session: InferenceSession) -> dict[str, TensorType]:
        """The inputs' types with the sizes that are declared or given, and 1 for the batch."""
        declared = {name: session.graph.types[name] for name in session.graph.inputs}
        dims = {dim for kind in declared.values() for dim in kind.shape or ()}
        symbols = {dim for dim in dims if isinstance(dim, str)}
        for what, known, given in (
            ("input", declared.keys(), {**self.files, **self.shapes}),
            ("symbolic dimension", symbols, self.dims),
        ):
            for name in given:
                if name not in known:
                    raise SuanziError(
                        f"the model has no such {what}",
                        model=session.name,
                        expected=" or ".join(sorted(known)) or "none",
                        found=name,
                    )
        try:
            return {name: self._type(name, kind) for name, kind in declared.items()}
        except SuanziError as error:
            raise error.at(model=session.name) from None

    def _type(self, name: str, declared: TensorType) -> TensorType:
        if name in self.shapes:
            return narrow(name, declared, TensorType(declared.dtype, self.shapes[name]))
        if declared.shape is None:
            return declared
        sizes = [self.dims.get(d, d) if isinstance(d, str) else d for d in declared.shape]
        if sizes and not isinstance(sizes[0], int):
            sizes[0] = 1
        return TensorType(declared.dtype, tuple(sizes))

    def _file(self, name: str, file: Path, kind: TensorType) -> Value:
        suffix = file.suffix.lower()
        if suffix not in (".npy", ".npz", ".pb", *PICTURES):
            raise SuanziError(
                "a file of a kind that isn't known",
                expected=", ".join((".npy", ".npz", ".pb", *PICTURES)),
                found=file,
            )
        if not file.is_file():
            raise SuanziError("there is no such file", found=file)
        try:
            if suffix == ".npy":
                return np.asarray(np.load(file, allow_pickle=False))
            if suffix == ".npz":
                return _from_archive(name, file, kind)
            if suffix == ".pb":
                from suanzi.onnx.tensors import read_tensor

                return read_tensor(file)
            return self._picture(file, kind)
        except SuanziError:
            raise
        except Exception as error:  # a damaged file makes the libraries raise anything
            raise SuanziError(f"can't read {file}: {error}") from None

    def _picture(self, file: Path, kind: TensorType) -> Array:
        """Resized to what the model wants, 0 to 1, then (x - mean) / std for each channel."""
        from PIL import Image

        if kind.rank != 4:
            raise SuanziError("a picture needs an input of 4 axes", found=kind)
        sizes = [dim if isinstance(dim, int) else 0 for dim in kind.shape or ()]
        order = (1, 2, 3) if self.layout == "NCHW" else (3, 1, 2)
        channels, height, width = (sizes[axis] for axis in order)
        for option, values in (("--mean", self.mean), ("--std", self.std)):
            if len(values) not in (1, channels or 3):
                raise SuanziError(
                    f"{option} doesn't fit the picture",
                    expected=f"1 number or {channels or 3}",
                    found=len(values),
                )
        with Image.open(file) as opened:
            image = opened.convert("L" if channels == 1 else "RGB")
        size = (width or image.width, height or image.height)
        require_memory(12 * size[0] * size[1], "the resized picture")
        pixels = np.asarray(image.resize(size, Image.Resampling.BILINEAR), np.float32) / 255
        pixels = pixels.reshape(*pixels.shape[:2], -1)
        pixels = (pixels - np.array(self.mean, np.float32)) / np.array(self.std, np.float32)
        if kind.dtype == np.uint8:
            pixels = np.rint(pixels * 255).clip(0, 255)
        made = pixels.transpose(2, 0, 1) if self.layout == "NCHW" else pixels
        return np.ascontiguousarray(made[None], kind.dtype)


def _from_archive(name: str, file: Path, kind: TensorType) -> Value:
    with np.load(file, allow_pickle=False) as archive:
        if isinstance(kind, SequenceType):
            return [archive[key] for key in archive]
        keys = list(archive)
        if name not in keys and len(keys) != 1:
            raise SuanziError(f"{file} has no array of that name", found=", ".join(keys))
        return np.asarray(archive[name if name in keys else keys[0]])


def _random(kind: TensorType, random: np.random.Generator) -> Value:
    if isinstance(kind, OptionalType):
        return None
    if kind.dtype == object:
        raise SuanziError("no random value is of this type", found=kind, hint=GIVEN)
    if not kind.static:
        raise SuanziError("a size is open", found=kind, hint=OPEN)
    require_memory(kind.nbytes, "the input")
    if np.issubdtype(kind.dtype, np.integer) or kind.dtype == np.bool_:
        return random.integers(0, 2, kind.sizes).astype(kind.dtype)
    return random.random(kind.sizes, np.float32).astype(kind.dtype)


def main(
    files: list[str] | None,
    dims: list[str] | None,
    shapes: list[str] | None,
    mean: str,
    std: str,
    layout: str,
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
