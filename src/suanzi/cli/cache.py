"""suanzi cache: the compiled kernels on disk."""

from suanzi.cli import _print
from suanzi.errors import SuanziError
from suanzi.runtime.cache import ObjectCache


def main(action: str, json: bool) -> None:
    if action not in ("show", "clear"):
        raise SuanziError("no such action", expected="show or clear", found=action)
    cache = ObjectCache()
    found = cache.clear() if action == "clear" else cache.usage()
    if json:
        _print.data({"folder": str(cache.folder), "files": found.files, "bytes": found.bytes})
    elif not cache.enabled:
        _print.line(f"{cache.folder}: not in use: switched off, or not the user's alone")
    else:
        verb = "removed" if action == "clear" else "kept"
        _print.line(f"{cache.folder}: {found.files} kernels {verb}, {_print.size(found.bytes)}")
