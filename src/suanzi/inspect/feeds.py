"""A model's inputs: the sizes they have, and what they hold: files, pictures, sound, numbers."""

from __future__ import annotations

import io
import json
import wave
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from suanzi.errors import SuanziError
from suanzi.graph.infer import narrow
from suanzi.graph.memory import require_memory
from suanzi.operators._operator import Array, Dim, OptionalType, SequenceType, TensorType, Value

if TYPE_CHECKING:
    from PIL.Image import Image

    from suanzi.session import InferenceSession

PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp")
ARRAYS = (".npy", ".npz", ".pb")
MOST_PIXELS = 100_000_000
"""Of a picture as its file has it: a small file can hold a picture larger than the memory."""
OPEN = "Say it with --shape NAME=1,3,224,224, or --dim SYMBOL=SIZE"
GIVEN = "Say it with --input NAME=FILE; the arrays of an .npz are a sequence's elements"


def input_types(
    session: InferenceSession,
    dims: Mapping[str, int] | None = None,
    shapes: Mapping[str, tuple[int, ...]] | None = None,
) -> dict[str, TensorType]:
    """The inputs' types with the sizes that are declared or given, and 1 for the batch."""
    dims, shapes = dims or {}, shapes or {}
    declared = {name: session.graph.types[name] for name in session.graph.inputs}
    known = {dim for kind in declared.values() for dim in kind.shape or ()}
    symbols = {dim for dim in known if isinstance(dim, str)}
    require_known("input", shapes, declared, session.name)
    require_known("symbolic dimension", dims, symbols, session.name)

    def type_of(name: str, kind: TensorType) -> TensorType:
        if name in shapes:
            return narrow(name, kind, TensorType(kind.dtype, shapes[name]))
        if kind.shape is None:
            return kind
        sizes: list[Dim] = [dims.get(d, d) if isinstance(d, str) else d for d in kind.shape]
        if sizes and not isinstance(sizes[0], int):
            sizes[0] = 1
        return TensorType(kind.dtype, tuple(sizes))

    try:
        return {name: type_of(name, kind) for name, kind in declared.items()}
    except SuanziError as error:
        raise error.at(model=session.name) from None


def require_known(what: str, given: Any, known: Any, model: str) -> None:
    """An error for the first name that isn't among those known."""
    for name in given:
        if name not in known:
            raise SuanziError(
                f"the model has no such {what}",
                model=model,
                expected=" or ".join(sorted(known)) or "none",
                found=name,
            )


@dataclass(frozen=True)
class Picture:
    """How a picture becomes a tensor: (pixel · scale - mean) / std for each channel."""

    layout: Literal["NCHW", "NHWC"] = "NCHW"
    resize: Literal["stretch", "crop", "pad"] = "stretch"
    """To a size of other proportions: distorted, cut off at the sides, or with black sides."""
    color: Literal["RGB", "BGR", "L", ""] = ""
    """Empty: as many channels as the input has."""
    scale: float = 1 / 255
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)
    central: float = 1.0
    """Cropped to so much of what would fit: 0.875 is 224 of a picture made 256."""
    fill: int = 0
    """The grey of the sides that pad."""

    def __call__(self, file: bytes, kind: TensorType) -> Array:
        """The tensor of a picture file for an input of this type."""
        if kind.rank != 4:
            raise SuanziError("a picture needs an input of 4 axes", found=kind)
        sizes = [dim if isinstance(dim, int) else 0 for dim in kind.shape or ()]
        order = (1, 2, 3) if self.layout == "NCHW" else (3, 1, 2)
        channels, height, width = (sizes[axis] for axis in order)
        color = self.color or ("L" if channels == 1 else "RGB")
        for name, values in (("mean", self.mean), ("std", self.std)):
            wanted = 1 if color == "L" else 3
            if len(values) not in (1, wanted):
                raise SuanziError(
                    f"the {name} doesn't fit the picture",
                    expected="1 number" if wanted == 1 else f"1 number or {wanted}",
                    found=len(values),
                )
        if 0 in self.std:
            raise SuanziError("the std divides, so it can't be 0", found=self.std)
        image = open_picture(file).convert("L" if color == "L" else "RGB")
        size = (width or image.width, height or image.height)
        require_memory(12 * size[0] * size[1], "the resized picture")
        pixels: Array = np.asarray(self._resized(image, size), np.float32) * self.scale
        pixels = pixels.reshape(*pixels.shape[:2], -1)
        if color == "BGR":
            pixels = pixels[..., ::-1]
        pixels = (pixels - np.array(self.mean, np.float32)) / np.array(self.std, np.float32)
        if kind.dtype == np.uint8:
            pixels = np.rint(pixels / self.scale).clip(0, 255)
        made = pixels.transpose(2, 0, 1) if self.layout == "NCHW" else pixels
        return np.ascontiguousarray(made[None], kind.dtype)

    def _resized(self, image: Image, size: tuple[int, int]) -> Image:
        from PIL import Image as Pillow
        from PIL import ImageOps

        bilinear = Pillow.Resampling.BILINEAR
        if self.resize == "crop":
            return ImageOps.fit(image, size, bilinear, bleed=(1 - self.central) / 2)
        if self.resize == "pad":
            grey = self.fill if image.mode == "L" else (self.fill,) * 3
            return ImageOps.pad(image, size, bilinear, grey)
        return image.resize(size, bilinear)


def open_picture(file: bytes) -> Image:
    """A picture from a file's bytes, not larger than MOST_PIXELS."""
    from PIL import Image

    opened = Image.open(io.BytesIO(file))
    if opened.width * opened.height > MOST_PIXELS:
        raise SuanziError(
            "the picture is too large",
            expected=f"at most {MOST_PIXELS:,} pixels",
            found=f"{opened.width} x {opened.height}",
        )
    opened.load()
    return opened


def from_array_file(file: bytes, suffix: str, name: str, kind: TensorType, key: str = "") -> Value:
    """What an .npy, .npz or .pb holds for an input; `key` names an array of an .npz."""
    if suffix == ".npy":
        return np.asarray(np.load(io.BytesIO(file), allow_pickle=False))
    if suffix == ".pb":
        from suanzi.onnx.tensors import parse_tensor

        return parse_tensor(file, "the file")
    with np.load(io.BytesIO(file), allow_pickle=False) as archive:
        if isinstance(kind, SequenceType) and not key:
            return [archive[each] for each in archive]
        keys = list(archive)
        wanted = key or (name if name in keys or len(keys) != 1 else keys[0])
        if wanted not in keys:
            raise SuanziError("the file has no array of that name", found=", ".join(keys))
        return np.asarray(archive[wanted])


def sound(file: bytes) -> tuple[Array, int]:
    """A WAV file's samples, -1 to 1, [frames, channels], and how many there are a second."""
    with wave.open(io.BytesIO(file)) as opened:
        width, channels = opened.getsampwidth(), opened.getnchannels()
        frames = opened.readframes(opened.getnframes())
        rate = opened.getframerate()
    if width == 3:  # NumPy has no such integers: to the upper bytes of four
        parts = np.frombuffer(frames, np.uint8).reshape(-1, 3)
        whole = np.zeros((len(parts), 4), np.uint8)
        whole[:, 1:] = parts
        samples = whole.view("<i4")[:, 0] / 2.0**31
    elif width == 1:
        samples = (np.frombuffer(frames, np.uint8) - 128.0) / 128
    elif width in (2, 4):
        samples = np.frombuffer(frames, f"<i{width}") / 2.0 ** (8 * width - 1)
    else:
        raise SuanziError("a WAV of a kind that isn't known", found=f"{8 * width} bits")
    return samples.reshape(-1, channels).astype(np.float32), rate


def from_sound(file: bytes, kind: TensorType, rate: int = 0, start: int = 0) -> Array:
    """A WAV as one channel for an input whose last axis is time: at `rate` samples a second, from
    sample `start` on, cut or followed by silence."""
    samples, given = sound(file)
    mono: Array = samples.mean(axis=1)
    if rate and rate != given:
        count = max(1, round(len(mono) * rate / given))
        require_memory(8 * count, "the resampled sound")
        mono = np.interp(np.arange(count) * given / rate, np.arange(len(mono)), mono)
    mono = mono[start:]
    *front, last = kind.shape or (None,)
    if any(d not in (1, None) and isinstance(d, int) for d in front):
        raise SuanziError("a sound needs an input of one axis longer than 1, the last", found=kind)
    length = last if isinstance(last, int) else len(mono)
    require_memory(8 * length, "the sound")
    made = np.zeros(length)
    part = mono[:length]
    made[: len(part)] = part
    return made.reshape(*(1 for _ in front), length).astype(kind.dtype)


def from_text(text: str, kind: TensorType) -> Array:
    """Numbers as people write them: JSON's lists, or separated by commas and spaces; of texts one
    a line. They fill the input's shape, or one number does all of it."""
    if kind.dtype == object:
        made = np.array(text.splitlines() or [""], object)
    else:
        try:
            made = np.asarray(json.loads(text)) if "[" in text else _numbers(text)
            made = made.astype(kind.dtype)
        except (ValueError, TypeError, OverflowError, RecursionError):
            raise SuanziError(
                "the numbers aren't understood", expected="1, 2.5, 3", found=text[:40]
            ) from None
    if not kind.static:
        return made
    require_memory(kind.nbytes, "the input")
    if made.size == 1:
        return np.full(kind.sizes, made.reshape(())[()])
    if made.size != kind.size:
        raise SuanziError("too many or too few numbers", expected=kind.size, found=made.size)
    return made.reshape(kind.sizes)


def _numbers(text: str) -> Array:
    return np.array([float(word) for word in text.replace(",", " ").split()])


def random(
    kind: TensorType, generator: np.random.Generator, low: float = 0.0, high: float = 1.0
) -> Value:
    """Random numbers from `low` to `high`; whole ones include both."""
    if isinstance(kind, OptionalType):
        return None
    if kind.dtype == object or not kind.is_tensor:
        raise SuanziError("no random value is of this type", found=kind, hint=GIVEN)
    if not kind.static:
        raise SuanziError("a size is open", found=kind, hint=OPEN)
    require_memory(kind.nbytes, "the input")
    if np.issubdtype(kind.dtype, np.integer) or kind.dtype == np.bool_:
        return generator.integers(int(low), int(high) + 1, kind.sizes).astype(kind.dtype)
    made = generator.random(kind.sizes, np.float32)
    return (made * (high - low) + low).astype(kind.dtype)
