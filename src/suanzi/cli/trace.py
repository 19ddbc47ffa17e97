"""suanzi trace: every value inside a model."""

import os
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from suanzi.cli import _print
from suanzi.cli._values import arrays, storable, type_name
from suanzi.cli.feeds import Feeding
from suanzi.errors import SuanziError
from suanzi.inspect.statistics import brief
from suanzi.kernels import Precision
from suanzi.operators._operator import Array
from suanzi.session import InferenceSession


def main(
    model: str,
    feeding: Feeding,
    save: str | None,
    threads: int | None,
    precision: Precision,
    json: bool,
) -> None:
    session = InferenceSession(model, threads=threads, precision=precision)
    feeds = feeding(session)
    with _print.working(f"{session.name}: compiling"):
        traced = session.trace(feeds)
    values = {part: x for name, value in traced.items() for part, x in arrays(name, value)}
    files = keep(values, Path(save)) if save else {}
    found = {name: brief(x) for name, x in values.items()}
    if json:
        _print.data(
            [
                {
                    "value": name,
                    "type": type_name(values[name]),
                    "shape": values[name].shape,
                    **vars(s),
                    "not_finite": s.not_finite,
                    "file": files.get(name),
                }
                for name, s in found.items()
            ]
        )
        return
    _print.table(
        f"{session.name}: {len(found)} values",
        ["value", "type", "shape", "least", "mean", "largest", "not finite"],
        [
            (
                name,
                type_name(values[name]),
                "x".join(map(str, values[name].shape)),
                *("" if x is None else f"{x:.4g}" for x in (s.least, s.mean, s.largest)),
                s.not_finite or "",
            )
            for name, s in found.items()
        ],
        words=3,
        least=["type", "not finite"],
    )
    if save:
        _print.line(f"{len(files)} files in {save}")


def keep(values: Mapping[str, Array], folder: Path) -> dict[str, str]:
    """Writes each value to a .npy, named after it as far as a file can be; returns the names.

    No file appears in the folder before all are written.
    """
    files = _file_names(values)
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


def _file_names(values: Mapping[str, Array]) -> dict[str, str]:
    files: dict[str, str] = {}
    taken: set[str] = set()  # in lower case: to some file systems A and a are one
    for name in values:
        stem = re.sub(r"[^\w.-]+", "_", name, flags=re.ASCII)[:100].lstrip(".") or "value"
        number, file = 1, stem
        while file.lower() in taken:
            number += 1
            file = f"{stem}_{number}"
        taken.add(file.lower())
        files[name] = f"{file}.npy"
    return files
