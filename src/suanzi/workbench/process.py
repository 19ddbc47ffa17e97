"""The server's side of a worker process: calls that wait for its answers, and its death."""

from __future__ import annotations

import asyncio
import itertools
import multiprocessing
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from suanzi.workbench.messages import ErrorInfo, RemoteError, Reply
from suanzi.workbench.worker import Request, Told, main

Progress = Callable[[str, float | None], None]


@dataclass
class _Call:
    """A request that waits for its answer."""

    future: asyncio.Future[Reply]
    progress: Progress | None


class Process:
    """A worker. `lost` is called once, when it dies without being told to."""

    def __init__(self, lost: Callable[[ErrorInfo], None] | None = None) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=main, args=(theirs,), daemon=True)
        self._process.start()
        theirs.close()
        self.lost = lost
        self._loop = asyncio.get_running_loop()
        self._calls: dict[int, _Call] = {}
        self._numbers = itertools.count()
        self._sending = threading.Lock()
        self.ended: ErrorInfo | None = None
        threading.Thread(target=self._listen, daemon=True).start()

    @property
    def pid(self) -> int | None:
        return self._process.pid

    async def call(self, method: str, progress: Progress | None = None, **arguments: Any) -> Reply:
        """Asks; a worker's error, or its death, is a RemoteError."""
        if self.ended:
            raise RemoteError(self.ended)
        number = next(self._numbers)
        future: asyncio.Future[Reply] = self._loop.create_future()
        self._calls[number] = _Call(future, progress)
        try:
            await asyncio.to_thread(self._send, Request(number, method, arguments))
            return await future
        except (BrokenPipeError, OSError):
            raise RemoteError(self._died()) from None
        finally:
            self._calls.pop(number, None)

    def kill(self, why: ErrorInfo) -> None:
        """Ends it now; what still waits is told why."""
        self._end(why)
        self._process.kill()

    def _send(self, request: Request) -> None:
        with self._sending:
            self._pipe.send(request)

    def _listen(self) -> None:
        """In a thread of its own: hands what the worker tells to the event loop."""
        try:
            while True:
                told: Told = self._pipe.recv()
                self._loop.call_soon_threadsafe(self._take, told)
        except (EOFError, OSError):
            self._process.join(1)
        try:
            self._loop.call_soon_threadsafe(self._gone)
        except RuntimeError:  # the server has ended
            return

    def _take(self, told: Told) -> None:
        call = self._calls.get(told.number)
        if call is None or call.future.done():
            return
        if isinstance(told.outcome, Reply):
            call.future.set_result(told.outcome)
        elif told.outcome is not None:
            call.future.set_exception(RemoteError(told.outcome))
        elif call.progress:
            call.progress(told.note, told.share)

    def _gone(self) -> None:
        if self.ended is None:
            info = self._died()
            self._end(info)
            if self.lost:
                self.lost(info)

    def _died(self) -> ErrorInfo:
        code = self._process.exitcode
        how = f"signal {-code}" if code is not None and code < 0 else f"status {code}"
        hint = ", perhaps for lack of memory" if code == -9 else ""
        return ErrorInfo.plainly(f"the model's process ended ({how}{hint})", "lost")

    def _end(self, info: ErrorInfo) -> None:
        self.ended = info
        for call in self._calls.values():
            if not call.future.done():
                call.future.set_exception(RemoteError(info))
