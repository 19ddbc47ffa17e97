import os
import subprocess
import sys
import time

import pytest

from suanzi.lang.target import AVX2, AVX512
from suanzi.runtime import cache as module
from suanzi.runtime.cache import ObjectCache, cache_key

posix = pytest.mark.skipif(not hasattr(os, "geteuid"), reason="permissions are POSIX's")


@pytest.fixture
def cache(tmp_path):
    return ObjectCache(tmp_path / "objects")


def test_what_was_put_is_got_by_another_cache(cache):
    assert cache.get("a") is None
    cache.put("a", b"code")
    cache.put("empty", b"")
    assert ObjectCache(cache.folder).get("a") == b"code"
    assert ObjectCache(cache.folder).get("empty") == b""


def test_makes_once(cache):
    made = []
    for _ in range(3):
        assert cache.get_or_make("a", lambda: made.append(1) or b"code") == b"code"
    assert len(made) == 1


def test_the_key_tells_kernels_targets_and_sources_apart(monkeypatch):
    key = cache_key("Relu 8", AVX2)
    assert key == cache_key("Relu 8", AVX2)
    others = {cache_key("Relu 9", AVX2), cache_key("Relu 8", AVX512)}
    monkeypatch.setattr(module, "_sources", lambda: "another version")
    others.add(cache_key("Relu 8", AVX2))
    assert len(others | {key}) == 4


@pytest.mark.parametrize(
    "damage",
    [
        lambda found: b"",
        lambda found: found[:10],
        lambda found: found[:-1],
        lambda found: found + b"x",
        lambda found: found[:-1] + bytes([found[-1] ^ 1]),
        lambda found: bytes([found[0] ^ 1]) + found[1:],
    ],
)
def test_a_damaged_entry_is_a_miss_and_is_removed(cache, damage):
    cache.put("a", b"some object code")
    (path,) = cache.folder.iterdir()
    path.write_bytes(damage(path.read_bytes()))
    assert cache.get("a") is None
    assert not path.exists()
    cache.put("a", b"some object code")
    assert cache.get("a") == b"some object code"


def test_an_entry_under_another_name_is_a_miss(cache):
    cache.put("a", b"code of a")
    (path,) = cache.folder.iterdir()
    path.rename(path.with_name(path.name.replace("a", "b", 1)))
    assert cache.get("b") is None


def test_clear_and_usage(cache):
    for i in range(5):
        cache.put(str(i), bytes(100))
    (cache.folder / "stranger.txt").write_text("not ours to remove")
    usage = cache.usage()
    assert usage.files == 5
    assert usage.bytes > 500
    assert cache.clear() == usage
    assert cache.usage() == (0, 0)
    assert [path.name for path in cache.folder.iterdir()] == ["stranger.txt"]


def test_the_oldest_used_go_first(tmp_path):
    cache = ObjectCache(tmp_path / "objects", limit_bytes=10_000)
    long_ago = time.time() - 10 * module.DAY
    for i in range(9):
        cache.put(str(i), bytes(1000))
        os.utime(cache._path(str(i)), (long_ago + i, long_ago + i))
    assert cache.get("0") is not None  # and so it is the newest now
    cache.put("9", bytes(1000))
    assert cache.usage().bytes <= 10_000
    assert cache.get("0") is not None
    assert cache.get("9") is not None
    assert cache.get("1") is None
    assert cache.get("2") is None


def test_a_new_process_counts_what_is_there(tmp_path):
    for i in range(30):
        ObjectCache(tmp_path / "objects", limit_bytes=10_000).put(str(i), bytes(1000))
    assert 0 < ObjectCache(tmp_path / "objects").usage().bytes <= 10_000


def test_leftovers_of_dead_processes_go(tmp_path):
    cache = ObjectCache(tmp_path / "objects", limit_bytes=2_000)
    old, new = cache.folder / "old.part", cache.folder / "new.part"
    old.write_bytes(b"x")
    new.write_bytes(b"x")
    os.utime(old, (1, 1))
    for i in range(3):
        cache.put(str(i), bytes(1000))
    assert not old.exists()
    assert new.exists()


@posix
def test_the_user_alone_may_read(cache):
    cache.put("a", b"code")
    assert cache.folder.stat().st_mode & 0o777 == 0o700
    (path,) = cache.folder.iterdir()
    assert path.stat().st_mode & 0o777 == 0o600


@posix
@pytest.mark.parametrize("mode", [0o720, 0o702, 0o777])
def test_a_folder_that_others_may_write_is_not_used(tmp_path, mode):
    ObjectCache(tmp_path).put("a", b"code")
    tmp_path.chmod(mode)
    cache = ObjectCache(tmp_path)
    assert cache.get("a") is None
    cache.put("b", b"code")
    assert cache.usage() == (0, 0)
    assert cache.clear() == (0, 0)
    assert len(list(tmp_path.iterdir())) == 1


@posix
def test_a_folder_of_someone_else_is_not_used(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: tmp_path.stat().st_uid + 1)
    assert not ObjectCache(tmp_path).enabled


@posix
def test_a_file_that_others_may_write_is_a_miss(cache):
    cache.put("a", b"code")
    (path,) = cache.folder.iterdir()
    path.chmod(0o666)
    assert cache.get("a") is None


@posix
def test_a_link_is_a_miss(cache, tmp_path):
    cache.put("a", b"code")
    (path,) = cache.folder.iterdir()
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    assert cache.get("a") is None


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("in the way")
    cache = ObjectCache(tmp_path / "file" / "objects")
    cache.put("a", b"code")
    assert cache.get("a") is None


def test_a_folder_that_goes_away(cache):
    cache.put("a", b"code")
    cache.clear()
    cache.folder.rmdir()
    assert cache.get("a") is None
    cache.put("a", b"code")
    assert cache.usage() == (0, 0)


def test_a_full_disk_leaves_nothing_behind(cache, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    cache.put("a", b"code")
    assert list(cache.folder.iterdir()) == []


def test_a_read_only_disk_still_serves(cache, monkeypatch):
    cache.put("a", b"code")
    os.utime(cache._path("a"), (1, 1))

    def read_only(*_):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(os, "utime", read_only)
    assert cache.get("a") == b"code"


def test_the_environment_moves_it_and_switches_it_off(tmp_path, monkeypatch):
    monkeypatch.setenv("SUANZI_CACHE_DIR", str(tmp_path / "here"))
    cache = ObjectCache()
    assert cache.folder == tmp_path / "here"
    cache.put("a", b"code")
    monkeypatch.setenv("SUANZI_CACHE", "0")
    assert ObjectCache().get("a") is None
    monkeypatch.setenv("SUANZI_CACHE", "1")
    assert ObjectCache().get("a") == b"code"


def test_processes_share_a_folder(tmp_path):
    """Each puts, gets and clears what the others do; all that is ever got is right."""
    source = f"""
import random, sys
from suanzi.runtime.cache import ObjectCache
cache = ObjectCache({str(tmp_path / "objects")!r}, limit_bytes=60_000)
random.seed(int(sys.argv[1]))
hits = 0
for i in range(400):
    key = str(random.randrange(20))
    code = (key * 4000).encode()
    found = cache.get(key)
    assert found in (None, code)
    hits += found is not None
    cache.put(key, code)
    if i % 97 == 0:
        cache.clear()
assert hits > 0
"""
    processes = [
        subprocess.Popen([sys.executable, "-c", source, str(seed)], stderr=subprocess.PIPE)
        for seed in range(3)
    ]
    for process in processes:
        _, error = process.communicate(timeout=60)
        assert process.returncode == 0, error
    assert not list((tmp_path / "objects").glob("*.part"))
