"""Downloads from a server that has whims: never is anything kept or used that is wrong."""

import errno
import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

import suanzi
from suanzi import SuanziError, data, zoo
from suanzi.zoo import download
from suanzi.zoo.sources import folder

MODEL = data.digits_model()
ENTRY = zoo.show("mnist@8")
OWN = "/onnxmodelzoo/mnist-8/resolve/main/mnist-8.onnx"
LEGACY = f"/onnxmodelzoo/legacy_models/resolve/main/{ENTRY.file.path}"
HASH = ENTRY.file.sha256


def kept():
    """The files in the cache, without locks."""
    return sorted(p.name for p in folder().rglob("*") if p.is_file() and p.suffix != ".lock")


def failed(*texts, name="mnist@8", **options):
    with pytest.raises(SuanziError) as told:
        zoo.path(name, **options)
    for text in texts:
        assert text in str(told.value)


def test_once(server):
    server.files[OWN] = MODEL
    told = []
    path = zoo.path("mnist@8", progress=lambda *each: told.append(each))
    assert path.read_bytes() == MODEL
    assert path.is_relative_to(folder())
    assert told[-1] == (len(MODEL), len(MODEL))
    assert zoo.path("mnist@8") == path == zoo.path("mnist@8", offline=True)
    assert server.got == [OWN]
    assert kept() == ["mnist-8.onnx"]


def test_sources_in_order(server, monkeypatch):
    monkeypatch.setenv("SUANZI_ZOO_URL", f"{server.address}/mirror/")
    server.files[LEGACY] = MODEL
    assert zoo.path("mnist@8").read_bytes() == MODEL
    assert server.got == [f"/mirror/{ENTRY.file.path}", OWN, LEGACY]


def test_nowhere(server):
    failed("can't download mnist-8.onnx", OWN, LEGACY, "404", "SUANZI_ZOO_URL")
    assert kept() == []


def test_no_network(server, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:1")
    failed("can't download", "refused", "Is there a network?")


def test_offline(server):
    server.files[OWN] = MODEL
    failed("--offline", "mnist@8", offline=True)
    assert server.asked == []


def test_resumed_where_the_connection_broke(server):
    server.files[OWN], server.breaks = MODEL, [9000, 5000]
    assert zoo.path("mnist@8").read_bytes() == MODEL
    assert [asked for *_, asked in server.asked] == ["", "bytes=9000-", "bytes=14000-"]


def test_resumed_by_another_run(server):
    def stop(there, total):
        raise KeyboardInterrupt

    server.files[OWN], server.breaks = MODEL, [9000]
    with pytest.raises(KeyboardInterrupt):
        zoo.path("mnist@8", progress=stop)
    assert kept() == ["mnist-8.onnx.part"]
    told = []
    assert zoo.path("mnist@8", progress=lambda *each: told.append(each)).read_bytes() == MODEL
    assert server.asked[-1][2] == "bytes=9000-"
    assert told[0][0] > 9000
    assert kept() == ["mnist-8.onnx"]


@pytest.mark.parametrize("lengths", [True, False])
def test_a_server_without_ranges(server, lengths):
    server.files[OWN], server.breaks = MODEL, [9000]
    server.ranges, server.lengths = False, lengths
    assert zoo.path("mnist@8").read_bytes() == MODEL
    assert server.asked[1][2] == "bytes=9000-"


def test_it_always_breaks(server):
    server.files[OWN] = server.files[LEGACY] = MODEL
    server.breaks = [100] + [0] * 20
    failed("can't download", "the connection broke after 100 of 26454 bytes")
    assert len(server.asked) == 1 + 2 * download.PATIENCE  # the second source goes on at 100


def test_a_server_that_is_busy(server):
    server.files[OWN] = server.files[LEGACY] = MODEL
    server.status[OWN] = 503
    assert zoo.path("mnist@8").read_bytes() == MODEL
    assert server.got == [OWN] * download.PATIENCE + [LEGACY]


def test_a_wrong_file_is_thrown_away_and_the_next_source_asked(server):
    server.files[OWN], server.files[LEGACY] = bytes(len(MODEL)), MODEL
    assert zoo.path("mnist@8").read_bytes() == MODEL
    assert kept() == ["mnist-8.onnx"]


def test_only_wrong_files(server):
    server.files[OWN], server.files[LEGACY] = bytes(len(MODEL)), MODEL + b"more"
    failed("sha256 is wrong", "it has 26458 bytes there, not 26454")
    assert kept() == []


def test_more_bytes_than_there_should_be(server):
    server.files[OWN], server.lengths = MODEL + b"more", False
    failed("more than 26454 bytes")


@pytest.mark.parametrize("rest", [b"x" * 500, b"x" * 26454, b"x" * 30000])
def test_a_wrong_beginning_was_left(server, rest):
    server.files[OWN] = MODEL
    part = folder() / HASH[:16] / "mnist-8.onnx.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(rest)
    assert zoo.path("mnist@8").read_bytes() == MODEL
    assert kept() == ["mnist-8.onnx"]


def test_a_damaged_file_is_downloaded_again(server):
    server.files[OWN] = MODEL
    path = zoo.path("mnist@8")
    path.write_bytes(MODEL[:-1] + b"!")
    failed("not downloaded yet", offline=True)
    assert zoo.path("mnist@8").read_bytes() == MODEL


def test_no_room(server, monkeypatch):
    usage = type("Usage", (), {"free": 1000})
    monkeypatch.setattr(download.shutil, "disk_usage", lambda folder: usage)
    failed("the disk is full", "26,454 bytes", "SUANZI_CACHE_DIR")
    assert server.asked == []


def test_the_disk_fills(server, monkeypatch):
    def write(file, block):
        file.write(block[:10])
        raise OSError(errno.ENOSPC, "No space left on device")

    server.files[OWN] = MODEL
    monkeypatch.setattr(download, "_write", write)
    failed("the disk is full")
    assert kept() == []


def test_a_cache_that_cant_be_written(server, tmp_path, monkeypatch):
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("SUANZI_CACHE_DIR", str(tmp_path / "file"))
    failed("can't write to the cache")


def test_two_processes_download_once(server):
    server.files[OWN], server.delay = MODEL, 0.3
    source = "import suanzi.zoo as z; print(z.path('mnist@8'))"
    env = {**os.environ, "PYTHONPATH": str(Path(suanzi.__file__).parents[1])}
    both = [
        subprocess.Popen([sys.executable, "-c", source], env=env, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    paths = {process.communicate(timeout=60)[0].strip() for process in both}
    assert [process.returncode for process in both] == [0, 0]
    assert {Path(path).read_bytes() == MODEL for path in paths} == {True}
    assert server.got == [OWN]


def test_a_url(server):
    server.files["/some/my%20model.onnx"] = MODEL
    url = f"{server.address}/some/my%20model.onnx"
    path = zoo.path(f"{url}#sha256={HASH}")
    assert (path.name, path.read_bytes()) == ("my_model.onnx", MODEL)
    failed("a URL needs the file's hash", "#sha256=", name=url)
    failed("the hash isn't understood", name=f"{url}#sha256=123")
    failed("sha256 is wrong", name=f"{url}#sha256={'0' * 64}")


def test_hugging_face(server):
    """The first answer tells the hash and where the file is; a redirection is followed."""
    at = "/me/nets/resolve/main/onnx/net.onnx"
    server.files["/blob"] = MODEL
    server.status[at] = 302
    server.headers[at] = {
        "Location": "/blob", "X-Linked-ETag": f'"{HASH}"', "X-Linked-Size": str(len(MODEL)),
    }  # fmt: skip
    path = zoo.path("hf:me/nets/onnx/net.onnx")
    assert (path.name, path.read_bytes()) == ("net.onnx", MODEL)
    server.status[at] = 503
    assert zoo.path("hf:me/nets/onnx/net.onnx", offline=True) == path
    assert zoo.path("hf:me/nets/onnx/net.onnx") == path  # by what it told last
    server.headers[at]["X-Linked-ETag"] = '"none"'
    server.status[at] = 200
    failed("no sha256 is told", name="hf:me/nets/onnx/net.onnx")
    failed("404", name="hf:me/nets@v2/none.onnx")
    assert server.asked[-1][1] == "/me/nets/resolve/v2/none.onnx"
    failed("can't ask for the file's hash", "--offline", name="hf:me/other/x.onnx", offline=True)
    for wrong in ("hf:me/nets", "hf:me/nets/../x.onnx", "hf:me/nets/x/", "hf:me/nets/a b.onnx"):
        failed("the address isn't understood", name=wrong)


def test_a_hash_spares_the_question(server):
    server.files["/me/nets/resolve/main/net.onnx"] = MODEL
    assert zoo.path(f"hf:me/nets/net.onnx#sha256={HASH}").read_bytes() == MODEL
    assert [method for method, *_ in server.asked] == ["GET"]


def test_files_are_themselves(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("resnet50").write_bytes(MODEL)
    assert zoo.path("resnet50") == Path("resnet50")
    assert zoo.path("none.onnx") == Path("none.onnx")
    assert zoo.path(tmp_path / "resnet50") == tmp_path / "resnet50"


def test_the_zoo_still_has_the_bundled_model():
    assert hashlib.sha256(MODEL).hexdigest() == HASH
