"""A worker process: one model, asked over a pipe. It may crash or be killed: the server goes on.

What is quick is answered by a few threads; jobs that take long run one after another.
"""

from __future__ import annotations

import gc
import os
import signal
import threading
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

from suanzi.errors import SuanziError
from suanzi.workbench.messages import ErrorInfo, Reply

JOBS = frozenset({"run", "statistics", "profile", "compare", "diff"})
"""The requests that take long: their method is first given a function that tells how far it is."""


@dataclass(frozen=True)
class Request:
    """A method of `Opened` to call, or "open", with which it all begins."""

    number: int
    method: str
    arguments: dict[str, Any]


@dataclass(frozen=True)
class Told:
    """How far a request is, or what has come of it: a Reply or an ErrorInfo."""

    number: int
    note: str = ""
    share: float | None = None
    outcome: Reply | ErrorInfo | None = None


def main(pipe: Connection) -> None:
    """Answers until the server goes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the server's to handle
    gc.disable()  # a model is many objects, none of them garbage: looking takes a tenth of the time
    from suanzi.workbench.opened import Opened  # imported while there is nothing to do yet

    sending = threading.Lock()
    opened: list[Opened] = []
    quick, slow = ThreadPoolExecutor(3), ThreadPoolExecutor(1)

    def tell(told: Told) -> None:
        with sending:
            pipe.send(told)

    def answer(request: Request) -> None:
        try:
            tell(Told(request.number, outcome=_call(opened, Opened, request, tell)))
        except (BrokenPipeError, OSError):
            os._exit(0)
        except BaseException as error:
            if not isinstance(error, SuanziError | MemoryError):
                traceback.print_exc()
            if isinstance(error, MemoryError):
                error = SuanziError(f"there isn't enough memory: {error}")
            graph = opened[0].graph if opened else None
            name = opened[0].name if opened else request.arguments.get("name")
            tell(Told(request.number, outcome=ErrorInfo.of(error, name, graph)))

    while True:
        try:
            request: Request = pipe.recv()
        except (EOFError, OSError):
            os._exit(0)  # at once, whatever still runs
        if request.method == "open":
            answer(request)
            gc.freeze()
            gc.enable()
        else:
            (slow if request.method in JOBS else quick).submit(answer, request)


def _call(
    opened: list[Any], make: Callable[..., Any], request: Request, tell: Callable[[Told], None]
) -> Reply:
    if request.method == "open":
        opened[:] = [make(**request.arguments)]
        made: Reply = opened[0].document()
        return made
    if not opened:
        raise SuanziError("no model is open")
    method = getattr(opened[0], request.method)
    if request.method in JOBS:

        def progress(note: str, share: float | None) -> None:
            tell(Told(request.number, note, share))

        progress("begins", None)
        done: Reply = method(progress, **request.arguments)
        return done
    found: Reply = method(**request.arguments)
    return found
