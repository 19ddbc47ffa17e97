"""What happens, told to every page that listens."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from suanzi.workbench.messages import encode

PULSE = 15.0
"""Seconds after which a silent stream says that it is still there."""
MOST_WAITING = 1000
"""Messages that a page may leave unread before it is let go; it connects again by itself."""


class Events:
    """A stream of server-sent events for each listener."""

    def __init__(self) -> None:
        self._listeners: set[asyncio.Queue[bytes | None]] = set()
        self._count = 0

    def tell(self, message: bytes) -> None:
        """Sends JSON to all."""
        self._count += 1
        for queue in [*self._listeners]:
            try:
                queue.put_nowait(message)
            except asyncio.QueueFull:
                self._listeners.discard(queue)

    def close(self) -> None:
        """Ends all streams, so that the server can end."""
        for queue in self._listeners:
            queue.put_nowait(None)

    async def stream(self) -> AsyncIterator[bytes]:
        """One listener's events, from now on."""
        queue: asyncio.Queue[bytes | None] = asyncio.Queue(MOST_WAITING)
        self._listeners.add(queue)
        try:
            yield _event(encode({"type": "hello", "state": self._count}))
            while queue in self._listeners:
                try:
                    message = await asyncio.wait_for(queue.get(), PULSE)
                except TimeoutError:
                    yield b": still here\n\n"
                    continue
                if message is None:
                    return
                yield _event(message)
        finally:
            self._listeners.discard(queue)


def _event(message: bytes) -> bytes:
    return b"data: " + message + b"\n\n"  # JSON of ours has no line breaks
