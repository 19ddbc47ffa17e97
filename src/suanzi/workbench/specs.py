"""What the page asks to run: an input's contents from its request and the files it has sent."""

from __future__ import annotations

import io
import wave
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

import numpy as np

from suanzi import data
from suanzi.errors import SuanziError
from suanzi.inspect import feeds
from suanzi.inspect.feeds import ARRAYS, PICTURES, Picture, input_types, require_known
from suanzi.operators._operator import TensorType, Value
from suanzi.session import InferenceSession
from suanzi.workbench.messages import MissingError, numbers, sizes, take

TEXTS = (".txt", ".labels", ".names", ".json")
KINDS = (*ARRAYS, ".wav", *PICTURES, *TEXTS)


@dataclass(frozen=True)
class File:
    """A file that the page has sent."""

    name: str
    contents: bytes

    @property
    def suffix(self) -> str:
        return PurePath(self.name).suffix.lower()

    def describe(self) -> dict[str, Any]:
        """What is in it; an error for a file of another kind, and a damaged one."""
        if self.suffix not in KINDS:
            raise SuanziError(
                "a file of a kind that isn't known",
                expected=", ".join(KINDS),
                found=self.suffix or self.name,
            )
        try:
            return {"name": self.name, "bytes": len(self.contents), **self._facts()}
        except SuanziError:
            raise
        except Exception as error:  # a damaged file makes the libraries raise anything
            raise SuanziError(f"can't read {self.name}: {error}") from None

    def _facts(self) -> dict[str, Any]:
        if self.suffix in PICTURES:
            picture = feeds.open_picture(self.contents)
            return {"kind": "image", "width": picture.width, "height": picture.height}
        if self.suffix == ".wav":
            with wave.open(io.BytesIO(self.contents)) as opened:
                return {
                    "kind": "wav",
                    "rate": opened.getframerate(),
                    "channels": opened.getnchannels(),
                    "frames": opened.getnframes(),
                }
        if self.suffix in TEXTS:
            return {"kind": "labels", "labels": len(self.labels())}
        unknown = TensorType(np.dtype(np.float32), None)
        if self.suffix == ".npz":
            with np.load(io.BytesIO(self.contents), allow_pickle=False) as archive:
                arrays = {key: archive[key] for key in archive}
        else:
            made = feeds.from_array_file(self.contents, self.suffix, "", unknown)
            arrays = {"": np.asarray(made)}
        return {
            "kind": self.suffix[1:],
            "arrays": [
                {"name": key, "type": str(TensorType(x.dtype, x.shape)), "shape": x.shape}
                for key, x in arrays.items()
            ],
        }

    def labels(self) -> list[str]:
        """One a line."""
        return self.contents.decode("utf-8-sig").splitlines()


def feeds_of(
    session: InferenceSession, spec: Any, files: Mapping[str, File], only: str | None = None
) -> dict[str, Value]:
    """The contents of all inputs, or of one alone."""
    dims, shapes = sizes(spec)
    asked = take(spec, "feeds", dict, {})
    require_known("input", asked, session.graph.inputs, session.name)
    types = input_types(session, dims, shapes)
    made: dict[str, Value] = {}
    for name, kind in types.items():
        if only in (None, name):
            try:
                made[name] = _feed(name, asked.get(name, {"kind": "random"}), kind, files)
            except SuanziError as error:
                raise error.at(model=session.name, input=name) from None
            except MemoryError:
                raise
            except Exception as error:  # a damaged file makes the libraries raise anything
                raise SuanziError(
                    f"can't be made: {error}", model=session.name, input=name
                ) from None
    return made


def _feed(name: str, feed: Any, kind: TensorType, files: Mapping[str, File]) -> Value:
    match take(feed, "kind", str):
        case "random":
            generator = np.random.default_rng(abs(take(feed, "seed", int, 0)))
            low, high = take(feed, "low", float, 0.0), take(feed, "high", float, 1.0)
            return feeds.random(kind, generator, low, high)
        case "constant":
            return feeds.from_text(str(take(feed, "value", float)), kind)
        case "text":
            return feeds.from_text(take(feed, "text", str), kind)
        case "sample":
            pictures = data.digits()
            picture = take(feed, "name", str)
            if picture not in pictures:
                raise SuanziError("no such sample", expected=", ".join(pictures), found=picture)
            return pictures[picture]
        case "image":
            return _picture(feed)(file_of(files, feed).contents, kind)
        case "wav":
            rate, start = take(feed, "rate", int, 0), take(feed, "start", int, 0)
            return feeds.from_sound(file_of(files, feed).contents, kind, rate, max(0, start))
        case "array":
            file = file_of(files, feed)
            key = take(feed, "key", str, "")
            return feeds.from_array_file(file.contents, file.suffix, name, kind, key)
        case other:
            raise SuanziError(
                "no such kind of contents",
                expected="random, constant, text, sample, image, wav or array",
                found=other,
            )


def _picture(feed: Any) -> Picture:
    def one_of(key: str, *known: str) -> Any:
        value = take(feed, key, str, known[0])
        if value not in known:
            raise SuanziError(f"no such {key}", expected=" or ".join(known), found=value)
        return value

    return Picture(
        layout=one_of("layout", "NCHW", "NHWC"),
        resize=one_of("resize", "stretch", "crop", "pad"),
        color=one_of("color", "", "RGB", "BGR", "L"),
        scale=take(feed, "scale", float, 1 / 255),
        mean=numbers(feed, "mean", (0.0,)),
        std=numbers(feed, "std", (1.0,)),
    )


def file_of(files: Mapping[str, File], request: Any, key: str = "file") -> File:
    """The file that a request names."""
    name = take(request, key, str)
    if name not in files:
        raise MissingError("no such file has been sent", found=name)
    return files[name]
