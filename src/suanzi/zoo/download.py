"""Files from the network: resumed where a connection broke, and never used before their hash is
known to be right.

The standard library's HTTP client does it: pooch begins a broken download anew, and huggingface_hub
knows but one place.
"""

import errno
import functools
import hashlib
import http.client
import os
import shutil
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO

from filelock import FileLock

from suanzi.errors import SuanziError

Progress = Callable[[int, int | None], None]
"""Called with the bytes there are and the bytes there will be, as they come. What it raises ends
the download, which a later one resumes."""

BLOCK = 1 << 18
TIMEOUT = 30.0
PATIENCE = 3
"""How often a connection may break one after the other without a byte having come."""
PAUSE = 0.5
HEADERS = {"User-Agent": "suanzi", "Accept-Encoding": "identity"}


class _BrokenError(Exception):
    """It may go better when it is tried again."""


class _FailedError(Exception):
    """This source doesn't have it."""


def download(
    urls: Sequence[str],
    target: Path,
    sha256: str,
    size: int | None = None,
    progress: Progress | None = None,
) -> Path:
    """`target`, from the first of `urls` that gives the bytes with this hash, unless it is there.

    Any number of processes may ask for it at once: one downloads, the others wait. The file takes
    its name when it is whole and verified; what had come when a connection broke is kept beside it.
    """
    if is_whole(target, sha256):
        return target
    part = target.with_name(f"{target.name}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{target}.lock"):
            if is_whole(target, sha256):  # another process was faster
                return target
            _require_disk(part, size)
            tried = []
            for url in urls:
                try:
                    _fetch(url, part, sha256, size, progress)
                except _FailedError as error:
                    tried.append(f"{url}: {error}")
                else:
                    os.replace(part, target)
                    return target
    except OSError as error:
        if error.errno == errno.ENOSPC:
            part.unlink(missing_ok=True)
            raise _full(target.parent, size) from None
        raise SuanziError(
            f"can't write to the cache: {error.strerror or error}", found=target.parent
        ) from None
    raise SuanziError(
        f"can't download {target.name}",
        found="; ".join(tried),
        hint="Is there a network? SUANZI_ZOO_URL names a mirror",
    )


def is_whole(path: Path, sha256: str) -> bool:
    """Whether the file is there with these very bytes."""
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == sha256
    except OSError:
        return False


def _fetch(url: str, part: Path, sha256: str, size: int | None, progress: Progress | None) -> None:
    """All bytes into `part`, verified; nothing is left there that is wrong."""
    resumed, breaks = _length(part) > 0, 0
    while True:
        before = _length(part)
        try:
            if size is None or before < size:
                _more(url, part, size, progress)
        except _BrokenError as error:
            breaks = 0 if _length(part) > before else breaks + 1
            if breaks == PATIENCE:
                raise _FailedError(str(error)) from None
            time.sleep(PAUSE * breaks)
            continue
        if is_whole(part, sha256):
            return
        part.unlink()
        if not resumed:
            raise _FailedError("its sha256 is wrong, so it was thrown away")
        resumed = False  # what another time left there may have been at fault


def _more(url: str, part: Path, size: int | None, progress: Progress | None) -> None:
    """The bytes after those that `part` has, or all where the server can't begin in the middle."""
    have = _length(part)
    request = urllib.request.Request(url, headers=HEADERS)
    if have:
        request.add_header("Range", f"bytes={have}-")
    with _opened(request, part) as response:
        range_told = response.headers.get("Content-Range", "")
        if response.status != 206:
            have = 0
        elif not range_told.startswith(f"bytes {have}-"):
            part.unlink(missing_ok=True)
            raise _BrokenError(f"another part of the file came: {range_told}")
        length = response.headers.get("Content-Length", "")
        total = have + int(length) if length.isdecimal() else size
        if size is not None and total != size:
            raise _FailedError(f"it has {total} bytes there, not {size}")
        with open(part, "ab" if have else "wb", buffering=0) as file:
            for block in iter(functools.partial(_read, response), b""):
                have += len(block)
                if size is not None and have > size:
                    raise _FailedError(f"it has more than {size} bytes there")
                _write(file, block)
                if progress:
                    progress(have, total)
        if total is not None and have < total:
            raise _BrokenError(f"the connection broke after {have} of {total} bytes")


def _opened(request: urllib.request.Request, part: Path) -> http.client.HTTPResponse:
    try:
        response: http.client.HTTPResponse = urllib.request.urlopen(request, timeout=TIMEOUT)
    except urllib.error.HTTPError as error:
        error.close()
        told = f"{error.code} {error.reason}"
        if error.code == 416:  # what we have is longer than the file
            part.unlink(missing_ok=True)
        elif error.code not in (408, 429) and error.code < 500:
            raise _FailedError(told) from None
        raise _BrokenError(told) from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise _FailedError(str(getattr(error, "reason", error))) from None
    return response


def _read(response: http.client.HTTPResponse) -> bytes:
    try:
        return response.read(BLOCK)
    except (OSError, http.client.HTTPException) as error:
        raise _BrokenError(f"the connection broke: {error}") from None


def _write(file: IO[bytes], block: bytes) -> None:
    """All of it: an unbuffered file may take less at once."""
    rest = memoryview(block)
    while rest:
        rest = rest[file.write(rest) :]


def _length(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _require_disk(part: Path, size: int | None) -> None:
    missing = (size or 0) - _length(part)
    if missing > shutil.disk_usage(part.parent).free:
        raise _full(part.parent, size)


def _full(folder: Path, size: int | None) -> SuanziError:
    return SuanziError(
        "the disk is full",
        expected=f"{size:,} bytes" if size else None,
        found=folder,
        hint="SUANZI_CACHE_DIR moves the cache",
    )
