"""Files that are written whole or not at all."""

import contextlib
import os
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO

import numpy as np

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
