"""How many threads a session uses unless it is told."""

import os
from pathlib import Path

from suanzi.errors import SuanziError


def default_threads() -> int:
    """SUANZI_THREADS, or else the processor's cores that this process may use.

    Two threads of one core share its arithmetic, so such a pair counts once; a container's share of
    the processor's time counts too.
    """
    wanted = os.environ.get("SUANZI_THREADS")
    if wanted:
        if not wanted.isdecimal() or int(wanted) == 0:
            raise SuanziError(
                "SUANZI_THREADS isn't a number of threads", expected="1 or more", found=wanted
            )
        return int(wanted)
    if hasattr(os, "sched_getaffinity"):
        cpus = sorted(os.sched_getaffinity(0))
    else:
        cpus = list(range(os.cpu_count() or 1))
    cores = {
        _read(f"/sys/devices/system/cpu/cpu{c}/topology/thread_siblings_list", c) for c in cpus
    }
    return max(1, min(len(cores), _quota(len(cpus))))


def _quota(cpus: int) -> int:
    """Whole processors' worth of time that the control group allows, where it sets a limit."""
    quota, period = _read("/sys/fs/cgroup/cpu.max", "max 1").split()
    return cpus if quota == "max" else int(quota) // int(period)


def _read(path: str, default: object) -> str:
    try:
        return Path(path).read_text().strip()
    except OSError:
        return str(default)
