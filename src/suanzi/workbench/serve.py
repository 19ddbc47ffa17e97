"""Starts the workbench: a server on this machine alone, and a browser where there is one."""

from __future__ import annotations

import os
import secrets
import socket
import sys
import threading
import webbrowser
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType

import uvicorn

from suanzi.errors import SuanziError
from suanzi.workbench.app import application, open_bundled
from suanzi.workbench.desk import Desk

HOST = "127.0.0.1"
SAMPLE = "7.png"


def serve(
    models: Sequence[str],
    port: int,
    threads: int | None,
    browser: bool,
    announce: Callable[[str], None],
) -> None:
    """Serves until it is interrupted. `announce` is given the address once it can be opened."""
    for model in models:
        if not Path(model).is_file():
            raise SuanziError("there is no such file", model=model)
    listener = _listen(port)
    token = secrets.token_urlsafe(24)
    address = f"http://{HOST}:{listener.getsockname()[1]}/?token={token}"
    desks: list[Desk] = []

    def desk_of() -> Desk:
        desk = Desk(threads)
        desks.append(desk)
        begin(desk, models)
        announce(address)
        if browser and has_display():
            threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()
        return desk

    config = uvicorn.Config(
        application(desk_of, token),
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=2,
    )
    _Server(config, desks).run(sockets=[listener])


class _Server(uvicorn.Server):
    """A server that ends the pages' streams first: else it would wait for them."""

    def __init__(self, config: uvicorn.Config, desks: list[Desk]) -> None:
        super().__init__(config)
        self._desks = desks

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        for desk in self._desks:
            desk.events.close()
        super().handle_exit(sig, frame)


def begin(desk: Desk, models: Sequence[str]) -> None:
    """The tabs of the start: the given models, or the bundled one with a sample already run."""
    for model in models:
        path = Path(model).resolve()
        desk.add(path.name, "given", str(path), path.stat().st_size)
    if not models:
        document = open_bundled(desk)
        spec = {"feeds": {"Input3": {"kind": "sample", "name": SAMPLE}}}
        run = {"run": desk.new_run(), "spec": spec, "name": SAMPLE}
        desk.start(document, "run", run)


def has_display() -> bool:
    """Whether a browser could show itself to whoever sits here, not at the end of a tunnel."""
    if "SSH_CONNECTION" in os.environ:
        return False
    if sys.platform in ("win32", "darwin"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def _listen(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    if os.name == "posix":
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
    except OSError as error:
        listener.close()
        raise SuanziError(
            f"can't listen on port {port}: {error.strerror}",
            hint="Choose another with --port, or 0 for any",
        ) from None
    return listener
