"""Object code kept across processes, so that a model opens warm without tracing a kernel.

A file an entry: reading the 40 of a ResNet-50 takes a millisecond. What is in the folder gets
executed, so the folder and its files must be the user's alone; where they aren't, or where the disk
is full or read-only, everything works without the cache. SUANZI_CACHE=0 switches it off and
SUANZI_CACHE_DIR moves it.
"""

import contextlib
import functools
import hashlib
import os
import stat
import tempfile
import time
from collections.abc import Callable
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import NamedTuple

import llvmlite
import platformdirs

from suanzi.lang.target import Target

MIB = 1 << 20
DAY = 86_400.0
SUFFIX, TEMPORARY = ".object", ".part"
DIGEST_BYTES = hashlib.sha256().digest_size


class Usage(NamedTuple):
    """How much the cache holds, or gave up."""

    files: int
    bytes: int


def cache_key(description: str, target: Target) -> str:
    """Names a kernel's object code: all that it is made from goes in."""
    parts = [description, repr(target), llvmlite.__version__, _sources()]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


@functools.cache
def _sources() -> str:
    """The digest of the code that makes kernels, so that no change to it meets an old kernel."""
    digest = hashlib.sha256()
    for folder in ("operators", "graph", "lang", "kernels", "runtime"):
        _add_sources(digest, resources.files("suanzi") / folder)
    return digest.hexdigest()


def _add_sources(digest: "hashlib._Hash", folder: Traversable) -> None:
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if entry.name.endswith((".py", ".ll")):
            digest.update(f"{entry.name}\0".encode() + entry.read_bytes())
        elif entry.is_dir() and entry.name != "__pycache__":
            _add_sources(digest, entry)


class ObjectCache:
    """Bytes by key in a folder, at most `limit_bytes` of them; the oldest used go first.

    Any number of processes may share a folder: an entry appears whole or not at all.
    """

    def __init__(self, folder: str | Path | None = None, limit_bytes: int = 256 * MIB) -> None:
        folder = folder or os.environ.get("SUANZI_CACHE_DIR")
        self.folder = Path(folder or platformdirs.user_cache_dir("suanzi", appauthor=False))
        self.limit_bytes = limit_bytes
        self._held: int | None = None  # bytes in the folder as far as we know: None until we put
        self.enabled = os.environ.get("SUANZI_CACHE") != "0" and _private(self.folder)

    def get(self, key: str) -> bytes | None:
        """The bytes put under `key`. A damaged entry is removed, and isn't there."""
        if not self.enabled:
            return None
        path = self._path(key)
        try:
            with open(path, "rb", opener=_no_link) as file:
                status = os.fstat(file.fileno())
                found = file.read() if _ours(status) else b""
            code = found[DIGEST_BYTES:]
            if found[:DIGEST_BYTES] != _digest(key, code):
                path.unlink()
                return None
            if time.time() - status.st_mtime > DAY:  # what was used lately is kept longest
                with contextlib.suppress(OSError):
                    os.utime(path)
        except OSError:
            return None
        return code

    def put(self, key: str, code: bytes) -> None:
        """Keeps `code`, if it can."""
        if not self.enabled:
            return
        part = None
        try:
            with tempfile.NamedTemporaryFile(  # made readable by the user alone
                dir=self.folder, suffix=TEMPORARY, delete=False
            ) as file:
                part = file.name
                file.write(_digest(key, code) + code)
            os.replace(part, self._path(key))
        except OSError:
            if part is not None:
                with contextlib.suppress(OSError):
                    os.unlink(part)
            return
        if self._held is None:
            self._held = self.usage().bytes
        else:
            self._held += DIGEST_BYTES + len(code)
        if self._held > self.limit_bytes:
            self._evict()

    def get_or_make(self, key: str, make: Callable[[], bytes]) -> bytes:
        """The bytes put under `key`, made and put now if there are none."""
        code = self.get(key)
        if code is None:
            code = make()
            self.put(key, code)
        return code

    def usage(self) -> Usage:
        """What the folder holds."""
        return _sum(self._files(SUFFIX))

    def clear(self) -> Usage:
        """Empties the folder; returns what it gave up."""
        return _sum(_removed(self._files(SUFFIX, TEMPORARY)))

    def _path(self, key: str) -> Path:
        return self.folder / f"{key}{SUFFIX}"

    def _files(self, *suffixes: str) -> list[tuple[Path, os.stat_result]]:
        files = []
        if self.enabled:
            with contextlib.suppress(OSError), os.scandir(self.folder) as entries:
                for entry in entries:
                    if entry.name.endswith(suffixes):
                        with contextlib.suppress(OSError):
                            files.append((Path(entry.path), entry.stat(follow_symlinks=False)))
        return files

    def _evict(self) -> None:
        """Down to three quarters of the limit, and what a process left behind when it died."""
        before = time.time() - DAY
        _removed([(path, s) for path, s in self._files(TEMPORARY) if s.st_mtime < before])
        files = sorted(self._files(SUFFIX), key=lambda file: file[1].st_mtime)
        held, doomed = _sum(files).bytes, []
        for path, status in files:
            if held <= self.limit_bytes * 3 // 4:
                break
            doomed.append((path, status))
            held -= status.st_size
        _removed(doomed)
        self._held = held


def _digest(key: str, code: bytes) -> bytes:
    return hashlib.sha256(key.encode() + code).digest()


def _sum(files: list[tuple[Path, os.stat_result]]) -> Usage:
    return Usage(len(files), sum(status.st_size for _, status in files))


def _removed(files: list[tuple[Path, os.stat_result]]) -> list[tuple[Path, os.stat_result]]:
    removed = []
    for path, status in files:
        with contextlib.suppress(OSError):
            path.unlink()
            removed.append((path, status))
    return removed


def _private(folder: Path) -> bool:
    """Whether `folder`, made now if it isn't there, is the user's alone to write."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return _ours(folder.stat())
    except OSError:
        return False


def _ours(status: os.stat_result) -> bool:
    if not hasattr(os, "geteuid"):  # Windows: the folder of the user's profile is private
        return True
    return status.st_uid == os.geteuid() and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def _no_link(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NOFOLLOW", 0))
