"""Files that are written whole or not at all."""

import contextlib
import os
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO

import numpy as np
from PIL import Image

from suanzi.errors import SuanziError
from suanzi.operators._operator import Array


@contextlib.contextmanager
def whole(path: Path) -> Iterator[IO[bytes]]:
    """A file to write, which takes its name when all is written."""
    try:
        part = path.with_name(f".{os.getpid()}.part")
        with open(part, "xb") as file:
            try:
                yield file
                file.close()
                os.replace(part, path)
            except BaseException:
                os.unlink(part)
                raise
    except (OSError, ValueError) as error:
        raise SuanziError(f"can't write {path}: {getattr(error, 'strerror', 0) or error}") from None


def save_arrays(path: Path, arrays: Mapping[str, Array]) -> None:
    """An .npz. NumPy's `savez` can't: it takes names as keywords, and `file` is its own."""
    with whole(path) as file, zipfile.ZipFile(file, "w") as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as entry:
                np.lib.format.write_array(entry, array, allow_pickle=False)


def save_picture(path: Path, picture: Image.Image | None) -> None:
    """In the form that the name's end tells."""
    if picture is None:
        raise SuanziError("the answer is no picture", found=path, hint="--save FILE.npz has arrays")
    made = Image.registered_extensions()[path.suffix.lower()]
    with whole(path) as file:
        picture.save(file, made)
