"""Every address of the server, on real models and wrong requests."""

import io
import json

import numpy as np
import pytest
from onnx import TensorProto, helper

import suanzi
from inspect_support import branching, make, value
from suanzi import InferenceSession, data


def array(answer):
    shape = answer.headers["x-suanzi-shape"]
    sizes = tuple(map(int, shape.split(","))) if shape else ()
    return np.frombuffer(answer.content, answer.headers["x-suanzi-dtype"]).reshape(sizes)


def test_the_state(page):
    state = page.get("/state")
    assert state["version"] == suanzi.__version__ != ""
    assert state["machine"]["threads"] == 1
    assert state["machine"]["target"] in state["machine"]["targets"]
    assert [s["name"] for s in state["samples"]] == [f"{i}.png" for i in range(10)]
    assert {r["name"] for r in state["runtimes"] if r["installed"]} >= {"onnxruntime"}
    picture = page.ask("GET", "/samples/7.png")
    assert picture.content.startswith(b"\x89PNG")
    assert picture.headers["content-type"] == "image/png"


def test_the_bundled_model_has_run(page, digits):
    document = page.get(f"/documents/{digits}")
    assert (document["name"], document["totals"]["nodes"]) == ("mnist-8.onnx", 12)
    (run,) = [r for r in document["runs"] if r["name"] == "7.png"]
    assert run["outputs"][0]["top"][0]["index"] == [0, 7]
    assert run["types"]["ReLU32_Output_0"]["shape"] == [1, 8, 28, 28]
    assert [node["operator"] for node in document["graphs"][""]["nodes"]][1] == "Conv"


def test_nodes(page, digits):
    node = page.get(f"/documents/{digits}/nodes/5")
    assert (node["name"], node["steps"][0]["operator"]) == ("Convolution110", "Conv+Relu")
    (kernel,) = page.get(f"/documents/{digits}/nodes/5/code", stage="asm")["kernels"]
    assert ".text" in kernel["text"]
    assert page.get(f"/documents/{digits}/nodes/99", 400)["message"] == "the model has no such node"
    assert page.get(f"/documents/{digits}/nodes/5/code", 400, stage="soup")["found"] == "soup"


def test_sizes_and_plan(page, digits):
    assert page.post(f"/documents/{digits}/sizes", {})["macs"] == 786_560
    plan = page.post(f"/documents/{digits}/plan", {"dims": {}})
    assert plan["steps"][0]["nodes"] == ["1", "2", "3"]
    wrong = page.post(f"/documents/{digits}/plan", {"shapes": {"Input3": [1, 2]}}, 400)
    assert (wrong["message"], wrong["input"]) == ("wrong rank", "Input3")


@pytest.mark.parametrize(
    "body",
    [
        {"dims": 3},
        {"dims": {"N": -1}},
        {"dims": {"N": "1"}},
        {"shapes": {"Input3": 7}},
        {"shapes": {"Input3": [1, True, 28, 28]}},
        {"shapes": {"nobody": [1]}},
        {"dims": {"nobody": 1}},
    ],
)
def test_sizes_that_are_wrong(page, digits, body):
    assert page.post(f"/documents/{digits}/sizes", body, 400)["kind"] == "user"


@pytest.mark.parametrize("contents", [b"{", b"[]", b"\xff", b"[" * 100_000])
def test_what_is_not_json(page, digits, contents):
    answer = page.ask("POST", f"/documents/{digits}/sizes", 400, content=contents)
    assert answer.json()["kind"] == "user"


def test_addresses_that_are_not_there(page, digits):
    for path in ("/documents/d999", "/jobs/j999", "/nothing", f"/documents/{digits}/tensor/soup"):
        assert page.get(path, 404)["kind"] == "missing"
    assert page.ask("PUT", "/state", 405).json()["message"]


# Runs


def test_a_run_and_its_tensors(page, digits):
    spec = {"feeds": {"Input3": {"kind": "sample", "name": "3.png"}}}
    job = page.job(digits, kind="run", spec=spec, name="three")
    assert (job["state"], job["progress"]) == ("done", 1.0)
    run = job["result"]["run"]
    assert job["result"]["outputs"][0]["top"][0]["index"] == [0, 3]
    feeds = {"Input3": data.digits()["3.png"]}
    true = InferenceSession(data.digits_model(), threads=1).trace(feeds)
    at = f"/documents/{digits}/tensor"
    relu = true["ReLU32_Output_0"]
    common = {"value": "ReLU32_Output_0", "run": run}
    info = page.get(f"{at}/info", **common)
    assert (info["shape"], info["layout"]) == ([1, 8, 28, 28], "maps")
    whole = page.ask("GET", f"{at}/data", params=common)
    np.testing.assert_allclose(array(whole), relu, atol=1e-3)
    part = page.ask("GET", f"{at}/data", params={**common, "index": "0,2:4,:,3:20:5"})
    np.testing.assert_array_equal(array(part), array(whole)[0, 2:4, :, 3:20:5])
    text = page.get(f"{at}/text", **common, index="0,0,0,:3")
    assert text["shape"] == [3]
    np.testing.assert_allclose(text["values"], array(whole)[0, 0, 0, :3])
    found = page.get(f"{at}/statistics", **common, axis=1, bins=8)
    assert len(found["channels"]) == 8
    assert sum(found["histogram"]["counts"]) == relu.size
    assert found["largest"] == pytest.approx(float(relu.max()), rel=1e-5)
    file = page.ask("GET", f"{at}/file", params=common)
    assert np.load(io.BytesIO(file.content)).shape == relu.shape
    assert 'filename="ReLU32_Output_0.npy"' in file.headers["content-disposition"]
    every = page.job(digits, kind="statistics", run=run)["result"]["values"]
    assert every.keys() == {"Input3", *true}
    assert every["ReLU32_Output_0"]["zeros"] == pytest.approx((relu == 0).mean())


def test_constants(page, digits):
    at = f"/documents/{digits}/tensor"
    info = page.get(f"{at}/info", value="Parameter87")
    assert (info["shape"], info["layout"]) == ([16, 8, 5, 5], "filters")
    assert page.get(f"{at}/info", 404, value="nobody")["message"] == "there is no such constant"


@pytest.mark.parametrize(
    ("params", "status"),
    [
        ({"index": "soup"}, 400),
        ({"index": "0,0,0,0,0,0,0,0,0"}, 400),
        ({"index": "99"}, 400),
        ({"index": "::0"}, 400),
        ({"index": "1" * 100}, 400),
        ({"as": "pictures"}, 400),
        ({"value": "ReLU32_Output_0", "run": "r999"}, 404),
        ({"value": "nobody", "run": "r1"}, 400),
        ({"graph": "0.body"}, 400),
    ],
)
def test_tensors_that_are_not_there(page, digits, params, status):
    common = {"value": "Parameter87"}
    page.get(f"/documents/{digits}/tensor/data", status, **{**common, **params})


def test_large_tensors_go_in_parts(page, monkeypatch):
    nodes = [helper.make_node("Expand", ["x", "shape"], ["y"])]
    model = make(nodes, [value("x", [1])], [value("y", [40, 1024, 1024])],
                 {"shape": np.array([40, 1024, 1024])})  # fmt: skip
    document = page.upload(model)["id"]
    run = page.job(document, kind="run", spec={})["result"]["run"]
    at = f"/documents/{document}/tensor"
    told = page.get(f"{at}/data", 413, value="y", run=run)
    assert "64 MiB" in told["expected"]
    assert page.get(f"{at}/text", 413, value="y", run=run)["expected"] == "at most 10,000"
    part = page.ask("GET", f"{at}/data", params={"value": "y", "run": run, "index": "3,:2,:2"})
    assert array(part).shape == (2, 2)
    page.ask("DELETE", f"/documents/{document}")


def test_other_types_of_tensors(page):
    nodes = [
        helper.make_node("Cast", ["x"], ["b"], to=TensorProto.BFLOAT16),
        helper.make_node("Cast", ["b"], ["y"], to=TensorProto.INT64),
    ]
    model = make(nodes, [value("x", [3])], [value("y", [3], TensorProto.INT64)])
    document = page.upload(model)["id"]
    spec = {"feeds": {"x": {"kind": "text", "text": "1 2 -3"}}}
    run = page.job(document, kind="run", spec=spec)["result"]["run"]
    at = f"/documents/{document}/tensor/data"
    for name, kind in (("b", "float32"), ("y", "float32"), ("y", "raw")):
        found = array(page.ask("GET", at, params={"value": name, "run": run, "as": kind}))
        np.testing.assert_array_equal(found, [1, 2, -3])
    assert found.dtype == np.int64


def test_files_as_inputs(page, digits):
    buffer = io.BytesIO()
    np.save(buffer, data.digits()["5.png"])
    at = f"/documents/{digits}"
    npy = page.send(f"{at}/files", buffer.getvalue(), "five.npy")
    assert npy["arrays"] == [{"name": "", "type": "float32[1, 1, 28, 28]", "shape": [1, 1, 28, 28]}]
    picture = page.ask("GET", "/samples/5.png").content
    image = page.send(f"{at}/files", picture, "five.png")
    assert (image["kind"], image["width"]) == ("image", 28)
    labels = page.send(f"{at}/files", "\n".join("abcdefghij").encode(), "labels.txt")
    assert labels["labels"] == 10
    feeds = [
        {"kind": "array", "file": npy["file"]},
        {"kind": "image", "file": image["file"], "scale": 1},
    ]
    for feed in feeds:
        spec = {"feeds": {"Input3": feed}, "labels": labels["file"]}
        best = page.job(digits, kind="run", spec=spec)["result"]["outputs"][0]["top"][0]
        assert best["label"] == "f"
        preview = page.post(f"{at}/preview", {"spec": spec, "input": "Input3"})
        made = page.ask("GET", f"{at}/tensor/data",
                        params={"value": "Input3", "run": preview["run"]})  # fmt: skip
        np.testing.assert_array_equal(array(made), data.digits()["5.png"])


@pytest.mark.parametrize(
    ("name", "contents"),
    [("x.exe", b"MZ"), ("x.npy", b"\x93NUMPY"), ("x.png", b"\x89PNG"), ("x.wav", b"RIFF"),
     ("x.npz", b"PK"), ("x.txt", b"\xff\xfe\xff"), ("x.pb", b"\xff"), ("../../x", b"")],
)  # fmt: skip
def test_files_that_cannot_be_read(page, digits, name, contents):
    told = page.send(f"/documents/{digits}/files", contents, name, 400)
    assert told["kind"] == "user"
    assert ".." not in told["text"]


@pytest.mark.parametrize(
    "feed",
    [
        {"kind": "soup"},
        {},
        3,
        {"kind": "text", "text": "a"},
        {"kind": "text", "text": "1 2"},
        {"kind": "sample", "name": "../x"},
        {"kind": "random", "seed": "x"},
        {"kind": "image", "file": "f999"},
        {"kind": "image"},
        {"kind": "array", "file": 7},
    ],
)
def test_feeds_that_are_wrong(page, digits, feed):
    job = page.job(digits, kind="run", spec={"feeds": {"Input3": feed}})
    assert job["state"] == "failed"
    assert job["error"]["kind"] in ("user", "missing")


def test_inputs_that_the_model_lacks(page, digits):
    job = page.job(digits, kind="run", spec={"feeds": {"nobody": {"kind": "random"}}})
    assert (job["error"]["message"], job["error"]["found"]) == (
        "the model has no such input", "nobody"
    )  # fmt: skip


def test_jobs_that_are_not_there(page, digits):
    page.post(f"/documents/{digits}/jobs", {"kind": "dance"}, 400)
    page.post(f"/documents/{digits}/jobs", {"kind": "run"}, 400)
    page.post(f"/documents/{digits}/jobs", {"kind": "profile", "run": 3}, 400)
    job = page.job(digits, kind="profile", run="r999")
    assert (job["state"], job["error"]["kind"]) == ("failed", "missing")


# Looking into a run


def test_a_profile(page, digits):
    job = page.job(digits, kind="profile", run="r1", rounds=2)
    profile = job["result"]
    assert profile["steps"][0]["nodes"] == [1, 2, 3]
    assert set(profile["nodes"]) <= {str(i) for i in range(12)}
    assert profile["memory"]["arena_bytes"] > 0
    trace = page.get(f"/documents/{digits}/profile/trace", job=job["id"])
    bars = [event for event in trace["traceEvents"] if event["ph"] == "X"]
    assert len(bars) >= len(profile["steps"])
    assert page.get(f"/documents/{digits}/profile/json", job=job["id"]) == profile
    page.get(f"/documents/{digits}/profile/soup", 404, job=job["id"])


def test_a_comparison(page, digits):
    found = page.job(digits, kind="compare", run="r1", against="onnxruntime")["result"]
    assert (found["first"], len(found["values"])) == (None, 12)
    found = page.job(digits, kind="compare", run="r1", against="strict")["result"]
    assert (found["first"], found["against"]) == (None, "strict")
    job = page.job(digits, kind="compare", run="r1", against="magic")
    assert job["error"]["message"] == "no such runtime"


def test_a_difference_of_two_models(page, digits):
    other = page.upload(branching(), "other.onnx")["id"]
    found = page.job(digits, kind="diff", other=other)["result"]
    assert (found["ours"], found["theirs"], found["same"]) == ("mnist-8.onnx", "other.onnx", False)
    page.post(f"/documents/{digits}/jobs", {"kind": "diff", "other": "d999"}, 404)
    page.ask("DELETE", f"/documents/{other}")


def test_a_receptive_field(page, digits):
    body = {"value": "ReLU32_Output_0", "box": [[0, 1], [3, 4], [10, 11], [0, 1]]}
    for more in ({}, {"run": "r1"}):
        found = page.post(f"/documents/{digits}/receptive", {**body, **more})
        assert found["values"]["Input3"]["box"] == [[0, 1], [0, 1], [8, 13], [0, 3]]
    for wrong in ({"box": []}, {"box": [1]}, {"value": "nobody"}, {"run": "r999"}):
        status = 404 if "run" in wrong else 400
        page.post(f"/documents/{digits}/receptive", {**body, **wrong}, status)


def test_a_part_cut_out(page, digits):
    body = {"nodes": ["5", "6", "7"]}
    file = page.ask("POST", f"/documents/{digits}/extract", content=json.dumps(body))
    assert len(InferenceSession(file.content).graph.nodes) == 3
    opened = page.post(f"/documents/{digits}/extract", {**body, "open": True})
    assert (opened["source"], opened["state"]) == ("cut", "ready")
    page.ask("DELETE", f"/documents/{opened['id']}")
    for wrong in ({"nodes": ["0.body.1"]}, {"nodes": ["99"]}, {"inputs": ["nobody"]}, {"nodes": 1}):
        page.post(f"/documents/{digits}/extract", wrong, 400)


# Documents


def test_bodies(page):
    document = page.upload(branching(), "if.onnx")
    assert document["state"] == "ready"
    at = f"/documents/{document['id']}"
    found = page.get(at)
    assert [*found["graphs"]] == ["", "0.then_branch", "0.else_branch"]
    assert page.get(f"{at}/nodes/0.then_branch.1")["operator"] == "Relu"
    spec = {"feeds": {"x": {"kind": "text", "text": "1"}}, "shapes": {"x": [2, 3]}}
    run = page.job(document["id"], kind="run", spec=spec)["result"]
    assert run["types"]["x"]["shape"] == [2, 3]
    page.ask("DELETE", at)
    page.get(at, 404)


def test_a_broken_model(page):
    """The tab is there and says what is wrong; all else goes on."""
    document = page.upload(b"no model at all", "broken.onnx")
    assert document["state"] == "failed"
    assert "not an ONNX file" in document["error"]["message"]
    assert document["error"]["model"] == "broken.onnx"
    told = page.get(f"/documents/{document['id']}", 400)
    assert told == document["error"]
    page.post(f"/documents/{document['id']}/sizes", {}, 400)
    job = page.job(document["id"], kind="run", spec={})
    assert job["state"] == "failed"
    page.ask("DELETE", f"/documents/{document['id']}")


def test_a_model_that_fails_at_a_node(page):
    nodes = [
        helper.make_node("Relu", ["x"], ["a"], "fine"),
        helper.make_node("Gather", ["a", "i"], ["y"], "wrong"),
    ]
    model = make(nodes, [value("x", [3]), value("i", [2], TensorProto.INT64)], [value("y", [2])])
    document = page.upload(model)["id"]
    spec = {"feeds": {"i": {"kind": "text", "text": "7"}}}
    error = page.job(document, kind="run", spec=spec)["error"]
    assert (error["node"], error["node_id"], error["kind"]) == ("wrong (Gather)", "1", "user")
    page.ask("DELETE", f"/documents/{document}")


def test_names_are_labels_not_paths(page):
    document = page.upload(data.digits_model(), "../../etc/a\x1bb.onnx")
    assert document["name"] == "ab.onnx"
    page.ask("DELETE", f"/documents/{document['id']}")


def test_the_bundled_model_again(page):
    document = page.post("/documents/bundled")
    assert document["source"] == "bundled"
    page.ask("DELETE", f"/documents/{document['id']}")


def test_too_much_is_refused(small_page):
    told = small_page.ask("POST", "/documents", 413, content=b"x" * 1001).json()
    assert told["expected"] == "at most 1,000 bytes"

    def parts():
        for _ in range(11):
            yield b"x" * 100

    small_page.ask("POST", "/documents", 413, content=parts())  # its length isn't told


def test_models_that_are_given(small_page):
    (document,) = small_page.get("/state")["documents"]
    assert (document["name"], document["source"]) == ("given.onnx", "given")
    small_page.get(f"/documents/{document['id']}", 400)


def test_figures(page, digits):
    """A node's own parameters; what the visitor changes; what it gets wrong."""
    detail = page.get(f"/documents/{digits}")
    nodes = {n["operator"]: n["id"] for n in detail["graphs"][""]["nodes"]}
    address = f"/documents/{digits}/nodes/{nodes['Conv']}/figure"
    found = page.get(address, step=2, theme="dark")
    assert (found["figure"], found["figures"][0]["id"]) == ("window", "window")
    controls = {c["name"]: c["value"] for c in found["controls"]}
    assert (controls["kernel"], controls["pad"]) == ([5, 5], [2, 2])
    assert found["svg"].startswith("<svg")
    assert found["text"]["zh"]
    other = page.get(address, parameters=json.dumps({"kernel": [3, 3]}))
    assert other["steps"] != found["steps"]
    curve = page.get(f"/documents/{digits}/nodes/{nodes['Relu']}/figure")
    assert (curve["figure"], curve["steps"], curve["text"]) == ("curve", 0, None)
    for wrong in ({"kernel": 10**9}, {"magic": 1}, {"size": "x" * 900}, [1]):
        page.get(address, 400, parameters=json.dumps(wrong))
    page.get(address, 400, parameters="{")
    page.get(address, 400, figure="magic")
    page.get(address, 400, theme="pink")
    page.get(address, 400, step="many")
