"""What a model's outputs say: words with scores, boxes and regions drawn on the picture."""

from __future__ import annotations

import colorsys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np

from suanzi.operators._operator import Array
from suanzi.zoo.detection import Boxes, Finding, apart, softmax
from suanzi.zoo.labels import labels

if TYPE_CHECKING:
    from PIL.Image import Image

Resize = Literal["stretch", "crop", "pad"]


@dataclass(frozen=True)
class Guess:
    """A word, how sure the model is of it (of a region: its share of the picture), and where:
    left, top, right, bottom in the picture's pixels."""

    label: str
    score: float
    box: tuple[float, float, float, float] | None = None


@dataclass(frozen=True)
class Answer:
    """Best first; `picture` is the given one with what was found, or the one that was made."""

    guesses: tuple[Guess, ...] = ()
    picture: Image | None = None


class Answering(Protocol):
    """Makes an answer from the outputs, the picture, and how it was given to the model."""

    def __call__(
        self, outputs: Sequence[Array], image: Image, size: tuple[int, int], resize: Resize
    ) -> Answer: ...


@dataclass(frozen=True)
class Classes:
    """The first output scores each class: as probabilities, or before the softmax."""

    names: str
    top: int = 5

    def __call__(
        self, outputs: Sequence[Array], image: Image, size: tuple[int, int], resize: Resize
    ) -> Answer:
        scores = outputs[0].reshape(-1).astype(np.float64)
        if scores.min() < 0 or abs(scores.sum() - 1) > 0.01:  # else they went through one already
            scores = softmax(scores)
        best = np.argsort(-scores, kind="stable")[: self.top]
        return Answer(tuple(Guess(word(self.names, i), float(scores[i])) for i in best))


@dataclass(frozen=True)
class Detection:
    """Boxes that score at least `least`, each thing once."""

    find: Finding
    names: str
    least: float = 0.5
    overlap: float = 0.45
    skip: bool = False
    """The names have numbers that were never used; the model's classes leave them out."""
    of: Literal["input", "picture"] = "input"
    """What the corners are measured on."""

    def __call__(
        self, outputs: Sequence[Array], image: Image, size: tuple[int, int], resize: Resize
    ) -> Answer:
        found = self.find(outputs)
        corners = self._on_picture(found, image, size, resize)
        guesses = []
        for i in apart(found, self.least, self.overlap):
            left, top, right, bottom = map(float, corners[i])
            guesses.append(
                Guess(self._word(int(found.classes[i])), float(found.scores[i]),
                      (left, top, right, bottom))
            )  # fmt: skip
        return Answer(tuple(guesses), drawn(image, guesses))

    def _on_picture(
        self, found: Boxes, image: Image, size: tuple[int, int], resize: Resize
    ) -> Array:
        """In the picture's pixels, undoing how it was made to fit."""
        whole = np.array([image.width, image.height] * 2, np.float64)
        corners = found.corners
        if self.of == "input":
            seen = np.array([size[1], size[0]] * 2, np.float64)
            corners = corners if found.pixels else corners * seen
            if resize == "pad":
                scale = min(seen[:2] / whole[:2])
                corners = (corners - (seen - whole * scale) / 2) / scale
            else:
                corners = corners / seen * whole
        return np.asarray(corners.clip(0, whole))

    def _word(self, number: int) -> str:
        if not self.skip:
            return word(self.names, number)
        known = [name for name in labels(self.names) if name != "N/A"]
        return known[number] if 0 <= number < len(known) else f"class {number}"


@dataclass(frozen=True)
class Regions:
    """The first output scores each class at each pixel, [1, classes, H, W]; class 0 is nothing."""

    names: str

    def __call__(
        self, outputs: Sequence[Array], image: Image, size: tuple[int, int], resize: Resize
    ) -> Answer:
        from PIL import Image as Pillow

        classes = outputs[0][0].argmax(0)
        numbers, counts = np.unique(classes, return_counts=True)
        order = [i for i in np.argsort(-counts) if numbers[i]]
        guesses = [
            Guess(word(self.names, numbers[i]), float(counts[i] / classes.size)) for i in order
        ]
        paint = np.zeros((*classes.shape, 4), np.uint8)
        for i in order:
            paint[classes == numbers[i]] = (*color(word(self.names, numbers[i])), 150)
        layer = Pillow.fromarray(paint).resize(image.size, Pillow.Resampling.NEAREST)
        return Answer(
            tuple(guesses), Pillow.alpha_composite(image.convert("RGBA"), layer).convert("RGB")
        )


@dataclass(frozen=True)
class Repainted:
    """The output is a picture, [1, 3, H, W] from 0 to 255."""

    def __call__(
        self, outputs: Sequence[Array], image: Image, size: tuple[int, int], resize: Resize
    ) -> Answer:
        from PIL import Image as Pillow

        return Answer(picture=Pillow.fromarray(_pixels(outputs[0][0].transpose(1, 2, 0))))


@dataclass(frozen=True)
class Sharpened:
    """The output is a picture's brightness, [1, 1, H, W] from 0 to 1; its colours are enlarged."""

    def __call__(
        self, outputs: Sequence[Array], image: Image, size: tuple[int, int], resize: Resize
    ) -> Answer:
        from PIL import Image as Pillow

        bright = Pillow.fromarray(_pixels(outputs[0][0, 0] * 255))
        _, *colors = image.convert("YCbCr").resize(bright.size, Pillow.Resampling.BICUBIC).split()
        return Answer(picture=Pillow.merge("YCbCr", (bright, *colors)).convert("RGB"))


def _pixels(x: Array) -> Array:
    return np.asarray(np.rint(x).clip(0, 255), np.uint8)


def word(names: str, number: int) -> str:
    """A class's name; a list that is too short names it by its number."""
    known = labels(names)
    return known[number] if 0 <= number < len(known) else f"class {number}"


def color(label: str) -> tuple[int, int, int]:
    """The same for the same word."""
    hue = sum(label.encode()) * 0.618 % 1
    red, green, blue = (round(255 * part) for part in colorsys.hsv_to_rgb(hue, 0.8, 0.95))
    return red, green, blue


def drawn(image: Image, guesses: Sequence[Guess]) -> Image:
    """The picture with the boxes on it, each with its word."""
    from PIL import ImageDraw, ImageFont

    made = image.copy()
    pen = ImageDraw.Draw(made)
    side = max(image.size)
    font = ImageFont.load_default(max(10, side // 50))
    for guess in guesses:
        if guess.box is None:
            continue
        left, top, right, bottom = map(round, guess.box)
        paint = color(guess.label)
        pen.rectangle((left, top, max(left, right), max(top, bottom)), None, paint,
                      max(2, side // 300))  # fmt: skip
        text = f"{guess.label} {guess.score:.0%}"
        pen.rectangle(pen.textbbox((left, top), text, font), paint)
        pen.text((left, top), text, "black", font)
    return made
