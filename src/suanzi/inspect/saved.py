"""Values as files: written by `suanzi trace --save`, and read again to compare with."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from suanzi.errors import SuanziError
from suanzi.inspect.values import Values
from suanzi.operators._operator import Array


def saved_values(path: Path, values: Values) -> dict[str, Array]:
    """A run's values as they were saved: an .npz by their names, or a folder of .npy files that are
    named after them as `keep` does. What isn't there is left out; a file with none is an error.
    """
    try:
        if path.is_dir():
            files = file_names(values.names)
            found = {
                name: np.load(path / file, allow_pickle=False)
                for name, file in files.items()
                if (path / file).is_file()
            }
        else:
            with np.load(path, allow_pickle=False) as archive:
                found = {name: archive[name] for name in values.names if name in archive}
    except (OSError, ValueError, EOFError) as error:
        raise SuanziError(f"can't read saved tensors: {error}", found=str(path)) from None
    if not found:
        raise SuanziError(
            "none of the model's values is there",
            found=str(path),
            expected=f"arrays named like {values.names[-1]}",
            hint="suanzi trace --save DIR writes such files",
        )
    return found


def keep(values: Mapping[str, Array], folder: Path) -> dict[str, str]:
    """Writes each value to a .npy, named after it as far as a file can be; returns the names.

    No file appears in the folder before all are written.
    """
    files = file_names(values)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".trace", dir=folder) as part:
            for name, x in values.items():
                np.save(Path(part, files[name]), storable(x), allow_pickle=False)
            for file in files.values():
                os.replace(Path(part, file), folder / file)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise SuanziError(f"can't write to {folder}: {why}") from None
    return files


def file_names(names: Iterable[str]) -> dict[str, str]:
    """A .npy for each name, no two alike.

    >>> file_names(["a/b", "a b", "A_b"])
    {'a/b': 'a_b.npy', 'a b': 'a_b_2.npy', 'A_b': 'A_b_3.npy'}
    """
    files: dict[str, str] = {}
    taken: set[str] = set()  # in lower case: to some file systems A and a are one
    for name in names:
        stem = re.sub(r"[^\w.-]+", "_", name, flags=re.ASCII)[:100].lstrip(".") or "value"
        number, file = 1, stem
        while file.lower() in taken:
            number += 1
            file = f"{stem}_{number}"
        taken.add(file.lower())
        files[name] = f"{file}.npy"
    return files


def storable(x: Array) -> Array:
    """As a file holds it: texts of one length, since NumPy would pickle others."""
    return x.astype(np.str_) if x.dtype == object else x
