"""Workers that die, are cancelled, or are given up: the workbench goes on."""

import os
import signal
import time

from onnx import TensorProto, helper

from inspect_support import make, value

SPEC = {"feeds": {"Input3": {"kind": "sample", "name": "4.png"}}}


def endless():
    """A loop that ends in a few hours."""
    body = helper.make_graph(
        [helper.make_node("Identity", ["c"], ["d"]), helper.make_node("Sin", ["s"], ["t"])],
        "body",
        [value("i", [], TensorProto.INT64), value("c", [], TensorProto.BOOL), value("s", [1])],
        [value("d", [], TensorProto.BOOL), value("t", [1])],
    )
    node = helper.make_node("Loop", ["n", "", "x"], ["y"], "endless", body=body)
    return make([node], [value("n", [], TensorProto.INT64), value("x", [1])], [value("y", [1])])


ENDLESS = {"feeds": {"n": {"kind": "constant", "value": 10**12}}}


def process(page, document):
    return page.desk.documents[document].process


def test_a_killed_worker(page, digits):
    run = page.job(digits, kind="run", spec=SPEC)["result"]["run"]
    os.kill(process(page, digits).pid, signal.SIGKILL)
    time.sleep(0.2)
    # The next request starts another, which knows the run and makes it again.
    found = page.get(f"/documents/{digits}/tensor/info", value="ReLU32_Output_0", run=run)
    assert found["shape"] == [1, 8, 28, 28]
    assert page.job(digits, kind="run", spec=SPEC)["state"] == "done"


def test_a_worker_that_dies_at_work(page):
    document = page.upload(endless())["id"]
    job = page.post(f"/documents/{document}/jobs", {"kind": "run", "spec": ENDLESS})["id"]
    page.wait(job, until=("running",))
    os.kill(process(page, document).pid, signal.SIGKILL)
    told = page.wait(job)
    assert (told["state"], told["error"]["kind"]) == ("failed", "lost")
    assert "signal 9" in told["error"]["message"]
    assert page.get("/state")["documents"]
    page.ask("DELETE", f"/documents/{document}")


def test_a_cancelled_run(page):
    document = page.upload(endless())["id"]
    short = {"feeds": {"n": {"kind": "constant", "value": 3}}}
    run = page.job(document, kind="run", spec=short)["result"]["run"]
    job = page.post(f"/documents/{document}/jobs", {"kind": "run", "spec": ENDLESS})["id"]
    waiting = page.post(f"/documents/{document}/jobs", {"kind": "run", "spec": ENDLESS})["id"]
    page.wait(job, until=("running",))
    # What is quick is answered meanwhile.
    assert page.get(f"/documents/{document}/nodes/0")["operator"] == "Loop"
    assert page.ask("DELETE", f"/jobs/{waiting}").json()["state"] == "cancelled"
    assert page.get(f"/jobs/{job}")["state"] == "running"
    assert page.ask("DELETE", f"/jobs/{job}").json()["state"] == "cancelled"
    assert page.ask("DELETE", f"/jobs/{job}").json()["state"] == "cancelled"
    # The run before is still there to be looked at.
    assert page.get(f"/documents/{document}/tensor/info", value="y", run=run)["shape"] == [1]
    assert page.job(document, kind="run", spec=short)["state"] == "done"
    page.ask("DELETE", f"/documents/{document}")


def test_a_document_closed_at_work(page):
    document = page.upload(endless())["id"]
    job = page.post(f"/documents/{document}/jobs", {"kind": "run", "spec": ENDLESS})["id"]
    page.wait(job, until=("running",))
    worker = process(page, document)
    page.ask("DELETE", f"/documents/{document}")
    assert page.get(f"/jobs/{job}")["state"] == "cancelled"
    worker._process.join(5)
    assert worker._process.exitcode is not None
