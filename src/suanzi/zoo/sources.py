"""What a reference means: where its file comes from, what its bytes must be, where it is kept."""

import contextlib
import hashlib
import http.client
import os
import re
import tarfile
import tempfile
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass
from email.message import Message
from pathlib import Path
from typing import Any

import platformdirs
from filelock import FileLock

from suanzi.errors import SuanziError
from suanzi.zoo.catalogue import Entry, File, find
from suanzi.zoo.download import HEADERS, TIMEOUT, Progress, download, is_whole

HUGGING_FACE = "https://huggingface.co"
"""HF_ENDPOINT names another place with the same paths, as it does for huggingface_hub."""
HASH = r"[0-9a-f]{64}"
SYNTAX = "hf:OWNER/REPO/FILE.onnx, or a URL with #sha256=..."
MOST_REDIRECTS = 5


@dataclass(frozen=True)
class Source:
    """A file that can be had."""

    name: str
    urls: tuple[str, ...]
    sha256: str
    size: int | None = None

    @property
    def path(self) -> Path:
        """Where it is kept: what has the same bytes is kept once."""
        return folder() / self.sha256[:16] / self.name


def folder() -> Path:
    """The folder of all downloads; SUANZI_CACHE_DIR moves it together with the kernels."""
    base = os.environ.get("SUANZI_CACHE_DIR")
    return Path(base or platformdirs.user_cache_dir("suanzi", appauthor=False)) / "zoo"


def is_reference(text: str) -> bool:
    """Whether it isn't a file of this machine: a name of the zoo, hf: or a URL.

    >>> [is_reference(text) for text in ("resnet50", "hf:a/b/c.onnx", "x.onnx", "./resnet50")]
    [True, True, False, False]
    """
    if text.startswith(("hf:", "http://", "https://")):
        return True
    path = Path(text)
    return not (path.suffix == ".onnx" or path.name != text or os.path.lexists(text))


def path(
    reference: str | os.PathLike[str], *, offline: bool = False, progress: Progress | None = None
) -> Path:
    """The file of a model, downloaded if it isn't there yet, its sha256 verified.

    `reference` is a name of the zoo (`resnet50`, `resnet50@7`, `resnet50:int8`), `hf:OWNER/REPO/
    FILE.onnx` (`OWNER/REPO@REVISION`), a URL that ends with `#sha256=...`, or a file. `offline`
    takes only what is there. `progress(bytes_there, bytes_in_all)` is told of a download.
    """
    text = os.fspath(reference)
    if not is_reference(text):
        return Path(text)
    return _had(source(text, offline), text, offline, progress)


def source(reference: str, offline: bool = False) -> Source:
    """Where a reference's file comes from."""
    if not reference.startswith(("hf:", "http://", "https://")):
        return of_file(find(reference).file)
    address, _, mark = reference.partition("#")
    given = re.fullmatch(rf"sha256=({HASH})", mark.lower())
    if mark and not given:
        raise SuanziError("the hash isn't understood", expected="#sha256=...", found=mark)
    last = urllib.parse.unquote(urllib.parse.urlsplit(address).path.rpartition("/")[2])
    name = re.sub(r"[^\w.-]", "_", last).lstrip(".") or "model.onnx"
    if reference.startswith("hf:"):
        url, name = _hugging_face(address)
        sha256, size = (given[1], None) if given else _told(url, offline)
        return Source(name, (url,), sha256, size)
    if not given:
        raise SuanziError(
            "a URL needs the file's hash, so that nothing else is run",
            expected=f"{address}#sha256=...",
            found=reference,
        )
    return Source(name, (address,), given[1])


def of_file(file: File) -> Source:
    """A file of the zoo: from the mirror, its own repository, the one that keeps the old paths."""
    name = file.path.rpartition("/")[2]
    stem = name.removesuffix(".tar.gz").removesuffix(".onnx")
    urls = [
        f"{_endpoint()}/onnxmodelzoo/{stem}/resolve/main/{name}",
        f"{_endpoint()}/onnxmodelzoo/legacy_models/resolve/main/{file.path}",
    ]
    mirror = os.environ.get("SUANZI_ZOO_URL")
    if mirror:
        urls.insert(0, f"{mirror.rstrip('/')}/{file.path}")
    return Source(name, tuple(urls), file.sha256, file.bytes)


def samples(entry: Entry, *, offline: bool = False, progress: Progress | None = None) -> list[Path]:
    """The folders of a model's sample data: input_0.pb, ... and output_0.pb, ..., as ONNX keeps
    its tests."""
    archive = of_file(entry.samples)
    made = archive.path.with_name("samples")
    if not made.exists():
        packed = _had(archive, f"{entry.label}'s sample data", offline, progress)
        try:
            with FileLock(f"{made}.lock"):
                if not made.exists():
                    _unpack(packed, made)
                    packed.unlink()  # it has the model once more
        except (OSError, tarfile.TarError) as error:
            raise SuanziError(f"can't unpack {packed.name}: {error}", found=made) from None
    return sorted({file.parent for file in made.rglob("*.pb")})


def _unpack(packed: Path, made: Path) -> None:
    """The tensors of an archive; they appear all or not at all."""
    with tempfile.TemporaryDirectory(dir=made.parent) as part, tarfile.open(packed) as archive:
        wanted = [member for member in archive if member.name.endswith(".pb")]
        archive.extractall(part, wanted, filter="data")
        kept = Path(part, "kept")
        kept.mkdir()
        for entry in Path(part).iterdir():
            if entry != kept:
                entry.rename(kept / entry.name)
        kept.rename(made)


def _had(source: Source, asked: str, offline: bool, progress: Progress | None) -> Path:
    if offline and not is_whole(source.path, source.sha256):
        raise SuanziError(
            "not downloaded yet, and --offline was asked for", found=asked, expected=source.path
        )
    if offline:
        return source.path
    return download(source.urls, source.path, source.sha256, source.size, progress)


def _endpoint() -> str:
    return os.environ.get("HF_ENDPOINT", HUGGING_FACE).rstrip("/")


def _hugging_face(address: str) -> tuple[str, str]:
    """The URL of hf:OWNER/REPO@REVISION/FILE, and the file's name."""
    found = re.fullmatch(r"hf:([\w.-]+/[\w.-]+)(?:@([\w.-]+))?/([\w./-]*\w)", address)
    if not found or ".." in found[3].split("/"):
        raise SuanziError("the address isn't understood", expected=SYNTAX, found=address)
    repository, revision, file = found.groups()
    url = f"{_endpoint()}/{repository}/resolve/{revision or 'main'}/{file}"
    return url, file.rpartition("/")[2]


def _told(url: str, offline: bool) -> tuple[str, int | None]:
    """The sha256 that Hugging Face tells of a file; what it told last where it can't be asked."""
    note = folder() / "told" / hashlib.sha256(url.encode()).hexdigest()
    try:
        if offline:
            raise OSError("--offline was asked for")
        sha256, size = _asked(url)
    except (OSError, http.client.HTTPException) as error:
        last = note.read_text() if note.is_file() else ""
        if getattr(error, "code", 500) < 500 or not re.fullmatch(HASH, last):
            raise SuanziError(f"can't ask for the file's hash: {error}", found=url) from None
        return last, None
    with contextlib.suppress(OSError):  # it is for a time without a network
        note.parent.mkdir(parents=True, exist_ok=True)
        note.write_text(sha256)
    return sha256, size


def _asked(url: str) -> tuple[str, int | None]:
    at = url
    for _ in range(MOST_REDIRECTS):
        headers = _head(at)
        sha256 = headers.get("X-Linked-ETag", "").strip('"')
        if re.fullmatch(HASH, sha256):
            size = headers.get("X-Linked-Size", "")
            return sha256, int(size) if size.isdecimal() else None
        if "Location" not in headers:
            break
        at = urllib.parse.urljoin(at, headers["Location"])
    raise SuanziError("no sha256 is told of this file", found=url, hint="Add it: #sha256=...")


class _Stay(urllib.request.HTTPRedirectHandler):
    """Redirections aren't followed: the first answer has the hash."""

    def redirect_request(self, *_: Any) -> None:
        return None


def _head(url: str) -> Message:
    request = urllib.request.Request(url, headers=HEADERS, method="HEAD")
    try:
        with urllib.request.build_opener(_Stay).open(request, timeout=TIMEOUT) as response:
            headers: Message = response.headers
            return headers
    except urllib.error.HTTPError as error:
        error.close()
        if error.code in (301, 302, 303, 307, 308):
            return error.headers
        raise
