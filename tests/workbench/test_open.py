"""suanzi open: the whole of it as a process, with its events, until Ctrl-C."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx2
import pytest
from onnx import helper

import suanzi
from inspect_support import make, value
from suanzi.workbench.serve import has_display

SOURCE = str(Path(suanzi.__file__).parents[1])


def start(*words):
    return subprocess.Popen(
        [sys.executable, "-m", "suanzi", "open", "--no-browser", *words],
        env={**os.environ, "PYTHONPATH": SOURCE},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "small.onnx"
    node = helper.make_node("Relu", ["x"], ["y"])
    path.write_bytes(make([node], [value("x", [2])], [value("y", [2])]).SerializeToString())
    return str(path)


@pytest.mark.skipif(os.name != "posix", reason="Ctrl-C by a signal")
def test_from_the_start_to_the_end(model):
    process = start(model)
    try:
        line = process.stdout.readline()
        address = re.search(r"http://127\.0\.0\.1:(\d+)/\?token=\S+", line)
        assert address, line
        origin = f"http://127.0.0.1:{address[1]}"
        with httpx2.Client(base_url=origin, headers={"Origin": origin}, timeout=30) as client:
            assert client.get("/api/state").status_code == 403
            assert client.get(address[0], follow_redirects=True).status_code == 200
            (document,) = client.get("/api/state").json()["documents"]
            assert document["name"] == "small.onnx"
            with client.stream("GET", "/api/events") as stream:
                lines = stream.iter_lines()
                assert next(lines).startswith('data: {"type":"hello"')
                request = {"kind": "run", "spec": {}}
                job = client.post(f"/api/documents/{document['id']}/jobs", json=request).json()
                states = []
                for event in lines:
                    if event.startswith("data: "):
                        told = json.loads(event.removeprefix("data: "))
                        if told["type"] == "job":
                            assert told["job"]["id"] == job["id"]
                            states.append(told["job"]["state"])
                            if states[-1] == "done":
                                break
                assert told["job"]["result"]["outputs"][0]["shape"] == [2]
                assert "running" in states
                workers = children(process.pid)
                process.send_signal(signal.SIGINT)  # while a page listens
                _, err = process.communicate(timeout=20)
        assert err == ""
        assert workers
        end = time.monotonic() + 10
        while any(os.path.exists(f"/proc/{pid}") for pid in workers):
            assert time.monotonic() < end
            time.sleep(0.05)
    finally:
        process.kill()
        process.communicate()


def children(pid):
    listed = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(word) for word in listed.read_text().split()] if listed.exists() else [pid]


def test_a_port_that_is_taken():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        process = start("--port", str(taken.getsockname()[1]))
        _, err = process.communicate(timeout=30)
    assert process.returncode == 1
    assert "--port" in err
    assert "Traceback" not in err


def test_a_model_that_is_not_there():
    process = start("none.onnx")
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (1, "")
    assert "none.onnx: there is no such file" in err


def test_only_this_machine_can_connect():
    from suanzi.workbench.serve import _listen

    with _listen(0) as listener:
        assert listener.getsockname()[0] == "127.0.0.1"


def test_where_a_browser_is(monkeypatch):
    monkeypatch.setattr(sys, "platform", "linux")
    for name in ("SSH_CONNECTION", "DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    assert not has_display()
    monkeypatch.setenv("DISPLAY", ":0")
    assert has_display()
    monkeypatch.setenv("SSH_CONNECTION", "there here")
    assert not has_display()
