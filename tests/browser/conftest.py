"""The workbench's page in Debian's Chromium, driven by Playwright, against a real server."""

import json
import re
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import suanzi
from model_support import FETCHED

playwright = pytest.importorskip("playwright.sync_api")

CHROMIUM = Path("/usr/bin/chromium")
STATIC = Path(suanzi.__file__).parent / "workbench" / "static"
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
DENSENET = Path(onnx.__file__).parent / "backend/test/data/light/light_densenet121.onnx"
REAL = {
    "ocr": "rapidocr_onnxruntime/models/ch_PP-OCRv4_rec_infer.onnx",
    "silero": "silero_vad/data/silero_vad.onnx",
    "smart-turn": "pipecat/audio/turn/smart_turn/data/smart-turn-v3.2-cpu.onnx",
}


def pytest_collection_modifyitems(items):
    reason = next(
        (
            text
            for there, text in [
                (CHROMIUM.exists(), "Chromium isn't at /usr/bin/chromium"),
                ((STATIC / "index.html").exists(), "the page isn't built: npm run build"),
            ]
            if not there
        ),
        None,
    )
    for item in items:
        if reason and Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.skip(reason=reason))


def large_model(blocks=2500):
    """A flat chain of 10,000 nodes."""
    nodes, x = [], "x"
    for i in range(blocks):
        nodes += [
            helper.make_node("Relu", [x], [f"a{i}"]),
            helper.make_node(["Sigmoid", "Tanh", "Exp"][i * i % 7 % 3], [f"a{i}"], [f"b{i}"]),
            helper.make_node(["Tanh", "Neg"][i * i % 5 % 2], [x], [f"c{i}"]),
            helper.make_node("Add", [f"b{i}", f"c{i}"], [f"d{i}"]),
        ]
        x = f"d{i}"
    return model("large", nodes, {"x": [1, 16]}, {x: [1, 16]}, {})


def small_model(scale, extra):
    """Scopes, an If, a weight; `extra` puts one node more into it."""

    def body(name, operator):
        nodes = [helper.make_node(operator, ["b"], [name], name=f"in_{name}")]
        return helper.make_graph(nodes, name, [], [tensor(name, [1, 4])])

    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["a"], name="enc/layer1/matmul"),
        helper.make_node("Relu", ["a"], ["b"], name="enc/layer1/relu"),
        helper.make_node("ReduceSum", ["b"], ["s"], name="sum", keepdims=0),
        helper.make_node("Greater", ["s", "zero"], ["c"], name="greater"),
        helper.make_node(
            "If", ["c"], ["y"], name="choice",
            then_branch=body("t", "Exp"), else_branch=body("e", "Neg"),
        ),
    ]  # fmt: skip
    if extra:
        nodes[2:2] = [helper.make_node("Tanh", ["b"], ["tanh"], name="extra")]
        nodes[3].input[0] = "tanh"
    weight = (np.arange(12, dtype=np.float32).reshape(3, 4) - 5) * scale
    constants = {"w": weight, "zero": np.float32(0)}
    return model("small", nodes, {"x": ["N", 3]}, {"y": None}, constants)


def tensor(name, shape):
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)


def model(name, nodes, inputs, outputs, constants):
    graph = helper.make_graph(
        nodes,
        name,
        [tensor(*item) for item in inputs.items()],
        [tensor(*item) for item in outputs.items()],
        [numpy_helper.from_array(np.asarray(array), key) for key, array in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)


@pytest.fixture(scope="session")
def files(tmp_path_factory):
    """The models of these tests by name; the fetched ones where they are."""
    folder = tmp_path_factory.mktemp("models")
    onnx.save(large_model(), folder / "large.onnx")
    onnx.save(small_model(0.1, False), folder / "small.onnx")
    onnx.save(small_model(0.2, True), folder / "changed.onnx")
    (folder / "broken.onnx").write_bytes(b"this is no model")
    found = {path.stem: path for path in folder.iterdir()}
    found["densenet"] = DENSENET
    found |= {name: FETCHED / path for name, path in REAL.items() if (FETCHED / path).is_file()}
    return found


@contextmanager
def serving():
    """A server that began without a model: its address and its process."""
    command = [sys.executable, "-m", "suanzi", "open", "--no-browser", "--threads", "1"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    line = process.stdout.readline()
    try:
        yield re.search(r"http://\S+", line).group(), process
    finally:
        process.terminate()
        process.wait(timeout=20)
        process.stdout.close()


@pytest.fixture(scope="session")
def address():
    with serving() as (found, _):
        yield found


@pytest.fixture
def own_server(context, files):
    """The page on a server of its own, which a test may hurt."""
    with serving() as (address, process):
        page = context.new_page()
        page.goto(address)
        yield Workbench(page, files).drawn(), process


@pytest.fixture(scope="session")
def browser():
    with playwright.sync_playwright() as play:
        yield play.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)


class Workbench:
    """The page, as a person uses it."""

    def __init__(self, page, files):
        self.page, self.files = page, files
        self.graph = page.get_by_role("application")

    def open(self, name):
        path = self.files.get(name) or pytest.skip("run scripts/fetch_models.py")
        if not self.page.get_by_role("tab", name=path.name).count():
            self.page.locator("header input[type=file]").set_input_files(path)
        tab = self.page.get_by_role("tab", name=path.name)
        tab.click()
        return self.drawn()

    def bundled(self):
        self.page.get_by_role("tab", name="mnist-8.onnx").first.click()
        return self.drawn()

    def drawn(self):
        self.page.wait_for_selector("canvas[data-drawn]", timeout=60_000)
        return self

    def find(self, query, steps=1):
        box = self.page.get_by_label("Find nodes")
        box.fill(query)
        for _ in range(steps):
            box.press("Enter")
        return self.page.locator(".find [role=status]")

    def node(self, query, steps=1):
        """Finds a node, and waits for all that the server says of it."""
        self.find(query, steps)
        self.page.locator("aside h3", has_text="What it does").wait_for()

    def view(self, name):
        self.page.get_by_role("tab", name=name, exact=True).first.click()

    def section(self, title):
        """A folded part of the panel, opened."""
        part = self.page.locator("aside details", has=self.page.locator("h3", has_text=title))
        part = part.locator("visible=true").first
        if part.get_attribute("open") is None:
            part.locator("summary").first.click()
        return part

    def state(self):
        """The view as the address has it."""
        self.page.wait_for_timeout(400)
        pairs = (part.split("=", 1) for part in self.page.url.split("#", 1)[1].split("&"))
        return {key: unquote(value.replace("+", " ")) for key, value in pairs}

    def selected(self):
        self.page.wait_for_url(lambda url: "select=" in url)
        return json.loads(f"[{self.state().get('select', '')}]")

    def download(self, act):
        with self.page.expect_download() as waiting:
            act()
        return Path(waiting.value.path())


@pytest.fixture
def context(browser):
    with browser.new_context(viewport={"width": 1280, "height": 720}) as made:
        yield made


@pytest.fixture
def bench(context, address, files):
    """The page on a fresh context; no error of the page goes unseen, no request leaves."""
    page = context.new_page()
    wrong, elsewhere = [], []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("request", lambda r: elsewhere.append(r.url) if not _own(r.url, address) else None)
    page.goto(address)
    yield Workbench(page, files).drawn()
    assert wrong == []
    assert elsewhere == []


def _own(url, address):
    return url.startswith((address.split("?")[0], "blob:", "data:"))
