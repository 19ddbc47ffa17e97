"""suanzi zoo: pretrained models by name; and where any command's MODEL is."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import groupby

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn

from suanzi import zoo
from suanzi.cli import _print
from suanzi.errors import SuanziError
from suanzi.inspect.plain import plain
from suanzi.zoo.download import Progress as Told

UNITS = {"": 1, "k": 1000, "m": 1000**2, "g": 1000**3, "ki": 1 << 10, "mi": 1 << 20, "gi": 1 << 30}


def located(reference: str, offline: bool) -> str:
    """The model's file; one of the zoo, or of the network, is downloaded first."""
    with downloading(reference) as told:
        return str(zoo.path(reference, offline=offline, progress=told))


@contextmanager
def downloading(what: str) -> Iterator[Told]:
    """A bar on a terminal's standard error, once the first bytes come."""
    terminal = Console(stderr=True)
    columns = ("{task.description}", BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(
        *columns, console=terminal, transient=True, disable=not terminal.is_terminal
    ) as progress:
        task = progress.add_task(_print.clean(what), visible=False)

        def told(there: int, total: int | None) -> None:
            progress.update(task, completed=there, total=total, visible=True)

        yield told


def show_all(tag: str | None, max_size: str | None, json: bool) -> None:
    """One line a model: its versions, and the size of the one that its name means."""
    found = zoo.list(tag, size_of(max_size))
    if json:
        _print.data([_facts(entry) for entry in found])
        return
    rows = []
    for name, group in groupby(found, key=lambda entry: entry.name):
        entries = [*group]
        rows.append([name, _sizes(entries), _versions(entries), ", ".join(entries[0].tags)])
    _print.table(
        f"{len(rows)} models, {len(found)} files; suanzi run NAME, NAME@OPSET or NAME:int8",
        ["name", "size", "versions", "tags"],
        rows,
        words=4,
        least=["tags"],
    )


def show(name: str, json: bool) -> None:
    """All that is known of a model."""
    entry = zoo.show(name)
    if json:
        _print.data(_facts(entry))
        return
    _print.line(f"{entry.label}: {entry.title}, {entry.precision}, opset {entry.opset}")
    for kind, ports in (("input", entry.inputs), ("output", entry.outputs)):
        for port, type in ports.items():
            _print.line(f"  {kind:6} {port}: {type}")
    _print.line(f"{_print.size(entry.file.bytes)}, sha256 {entry.file.sha256}")
    _print.line(f"tags: {', '.join(entry.tags)}")
    task = zoo.task_of(entry.label)
    if task:
        _print.line(f"a picture: {task.picture}")
        _print.line(f"the answer: {task.answer}")
    others = [each.label for each in zoo.list() if each.name == entry.name and each != entry]
    if others:
        _print.line(f"others: {', '.join(others)}")


def get(name: str, data: bool, offline: bool, json: bool) -> None:
    """Downloads a model, if it isn't there; prints its path, or those of its sample data."""
    if data:
        with downloading(name) as told:
            paths = [str(p) for p in zoo.samples(zoo.show(name), offline=offline, progress=told)]
    else:
        paths = [located(name, offline)]
    if json:
        _print.data({"paths": paths})
        return
    for path in paths:
        _print.line(path)


def _facts(entry: zoo.Entry) -> dict[str, object]:
    facts: dict[str, object] = plain(entry)
    return {"label": entry.label, **facts}


def _sizes(entries: Sequence[zoo.Entry]) -> str:
    sizes = [entry.file.bytes for entry in entries]
    least, most = _print.size(min(sizes)), _print.size(max(sizes))
    return least if least == most else f"{least} to {most}"


def _versions(entries: Sequence[zoo.Entry]) -> str:
    return " ".join(entry.label.removeprefix(entry.name) for entry in entries)


def size_of(text: str | None) -> float | None:
    """
    >>> size_of("50MB"), size_of("1.5 GiB"), size_of("300"), size_of(None)
    (50000000.0, 1610612736.0, 300.0, None)
    """
    if text is None:
        return None
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kmg]i?|)b?", text.strip().lower())
    if not found:
        raise SuanziError("--max-size isn't understood", expected="50MB", found=text)
    return float(found[1]) * UNITS[found[2]]
