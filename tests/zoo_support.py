"""A server on this machine that behaves as badly as it is told to."""

import contextlib
import re
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from suanzi.zoo import download


@dataclass
class Server:
    """What it has by path, how it behaves, and what it was asked: (method, path, range)."""

    address: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    status: dict[str, int] = field(default_factory=dict)
    headers: dict[str, dict[str, str]] = field(default_factory=dict)
    ranges: bool = True
    lengths: bool = True
    breaks: list[int] = field(default_factory=list)
    """For each of the next answers, after how many bytes the connection breaks."""
    delay: float = 0.0
    asked: list[tuple[str, str, str]] = field(default_factory=list)

    @property
    def got(self):
        return [path for method, path, _ in self.asked if method == "GET"]


class Handler(BaseHTTPRequestHandler):
    state: Server

    def log_message(self, *_):
        pass

    def do_HEAD(self):
        self.answer(b"")

    def do_GET(self):
        self.answer(self.state.files.get(self.path, b""))

    def answer(self, body):
        state, asked = self.state, self.headers.get("Range", "")
        state.asked.append((self.command, self.path, asked))
        time.sleep(state.delay)
        status = state.status.get(self.path, 200 if self.path in state.files else 404)
        extra = dict(state.headers.get(self.path, {}))
        start = re.fullmatch(r"bytes=(\d+)-", asked)
        if status == 200 and start and state.ranges:
            at, whole = int(start[1]), len(body)
            status = 206 if at < whole else 416
            extra["Content-Range"] = f"bytes {at}-{whole - 1}/{whole}"
            body = body[at:] if at < whole else b""
        self.send_response(status)
        if state.lengths:
            self.send_header("Content-Length", str(len(body)))
        for name, value in extra.items():
            self.send_header(name, value)
        self.end_headers()
        end = state.breaks.pop(0) if state.breaks and status < 300 else len(body)
        self.wfile.write(body[:end])


@contextlib.contextmanager
def serving(tmp_path):
    """The only source that there is, and an empty cache."""
    state = Server()
    handler = type("Handler", (Handler,), {"state": state})
    with (
        ThreadingHTTPServer(("127.0.0.1", 0), handler) as server,
        pytest.MonkeyPatch.context() as m,
    ):
        state.address = f"http://127.0.0.1:{server.server_address[1]}"
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY", "SUANZI_ZOO_URL"):
            m.delenv(name, raising=False)
        m.setenv("HF_ENDPOINT", state.address)
        m.setenv("SUANZI_CACHE_DIR", str(tmp_path / "cache"))
        m.setattr(download, "PAUSE", 0.0)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield state
        finally:
            server.shutdown()
            thread.join()
