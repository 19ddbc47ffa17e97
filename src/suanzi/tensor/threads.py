"""How many threads an operation may use."""

from suanzi.errors import SuanziError
from suanzi.runtime.threads import default_threads

_threads = 0


def get_num_threads() -> int:
    """How many threads operations use: SUANZI_THREADS, else all of the process's cores."""
    return _threads or default_threads()


def set_num_threads(threads: int) -> None:
    """Sets how many threads operations use, of what is compiled from now on."""
    global _threads
    if threads < 1:
        raise SuanziError("an operation needs a thread", expected="at least 1", found=threads)
    _threads = threads
