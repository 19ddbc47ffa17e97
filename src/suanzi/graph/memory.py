"""How much memory there is: a model is untrusted, and its shapes may ask for any amount."""

import os

from suanzi.errors import SuanziError
from suanzi.operators._operator import TensorType

_SMALL = 1 << 26
"""Bytes that are granted without asking the system."""


def available() -> int:
    """Bytes that can be allocated without swapping, as far as the system tells."""
    try:
        with open("/proc/meminfo", encoding="ascii") as lines:
            for line in lines:
                if line.startswith("MemAvailable:"):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass  # not Linux
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return 1 << 34


def require_memory(nbytes: int, what: TensorType | str) -> None:
    """Raises a SuanziError where so much memory isn't there."""
    if nbytes > _SMALL and nbytes > (limit := available()):
        raise SuanziError(
            f"{what} needs more memory than there is",
            expected=f"at most {limit / 2**30:.1f} GiB",
            found=f"{nbytes / 2**30:.1f} GiB",
        )
