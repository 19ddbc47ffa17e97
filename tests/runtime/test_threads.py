import os

import pytest

from suanzi.errors import SuanziError
from suanzi.runtime import threads
from suanzi.runtime.threads import default_threads


@pytest.fixture
def files(monkeypatch):
    """The files of the system, all absent at first."""
    found: dict[str, str] = {}
    monkeypatch.delenv("SUANZI_THREADS", raising=False)
    monkeypatch.setattr(threads, "_read", lambda path, default: found.get(path, str(default)))
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2, 3}, raising=False)
    return found


def siblings(cpu: int) -> str:
    return f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list"


def test_the_environment_decides(files, monkeypatch):
    monkeypatch.setenv("SUANZI_THREADS", "3")
    assert default_threads() == 3
    for wrong in ("0", "-1", "many", "1.5"):
        monkeypatch.setenv("SUANZI_THREADS", wrong)
        with pytest.raises(SuanziError, match="SUANZI_THREADS"):
            default_threads()


def test_every_processor_that_is_ours(files):
    assert default_threads() == 4


def test_threads_of_one_core_count_once(files):
    files |= {siblings(cpu): ("0-1", "0-1", "2-3", "2-3")[cpu] for cpu in range(4)}
    assert default_threads() == 2


@pytest.mark.parametrize(
    ("quota", "expected"),
    [("max 100000", 4), ("200000 100000", 2), ("50000 100000", 1), ("900000 100000", 4)],
)
def test_the_share_of_a_container(files, quota, expected):
    files["/sys/fs/cgroup/cpu.max"] = quota
    assert default_threads() == expected


def test_this_machine():
    assert default_threads() >= 1
