"""Models of the zoo: what there is, and one brought here while the server goes on."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

from suanzi.errors import SuanziError

STEPS = 200
"""How often a download tells of itself at the most."""


def zoo() -> list[dict[str, Any]]:
    """The zoo's models as the page lists them."""
    from suanzi import zoo  # takes time that the page's first picture needs

    return [
        {
            "name": entry.label,
            "title": entry.title,
            "precision": entry.precision,
            "opset": entry.opset,
            "bytes": entry.file.bytes,
            "tags": entry.tags,
        }
        for entry in zoo.list()
    ]


def find(name: str) -> tuple[str, int]:
    """The label and the size of the zoo's model with this name. Nothing else has one: the page may
    name neither files nor addresses."""
    from suanzi import zoo

    entry = zoo.show(name)
    return entry.label, entry.file.bytes


async def downloaded(label: str, wanted: Callable[[], bool], arrived: Callable[[int], None]) -> str:
    """The file of a model, `arrived` told of its bytes so far. Ends when it isn't `wanted` any
    more; what has come is kept for another time."""
    from suanzi import zoo

    loop = asyncio.get_running_loop()
    done: asyncio.Future[str] = loop.create_future()
    steps = -1

    def progress(there: int, total: int | None) -> None:
        nonlocal steps
        if not wanted():
            raise SuanziError("the document was closed")
        if total and there * STEPS // total != steps:
            steps = there * STEPS // total
            loop.call_soon_threadsafe(arrived, there)

    def settle(path: str, error: SuanziError | None) -> None:
        if done.cancelled():
            return
        if error:
            done.set_exception(error)
        else:
            done.set_result(path)

    def work() -> None:
        path, failure = "", None
        try:
            path = str(zoo.path(label, progress=progress))
        except SuanziError as error:
            failure = error
        except Exception as error:  # whatever it is, the page is told
            failure = SuanziError(f"the download failed: {error}")
        try:
            loop.call_soon_threadsafe(settle, path, failure)
        except RuntimeError:  # the server has ended
            return

    # A thread that the server's end doesn't wait for.
    threading.Thread(target=work, daemon=True).start()
    return await done
