"""Models of the zoo: listed, and opened by name as they come over the network."""

import threading
import time

import pytest

from suanzi import data, zoo
from suanzi.errors import SuanziError

RESNET = "resnet50@12"


class Network:
    """What a download does, step by step as the test lets it."""

    def __init__(self, model):
        self.model, self.asked, self.ended = model, [], None
        self.goes_on = threading.Event()
        self.error = None

    def path(self, reference, *, progress):
        self.asked.append(reference)
        try:
            progress(30_000_000, 102_000_000)
            assert self.goes_on.wait(20)
            progress(102_000_000, 102_000_000)
        except SuanziError as error:
            self.ended = error
            raise
        if self.error:
            raise self.error
        return self.model


@pytest.fixture
def network(monkeypatch, tmp_path):
    model = tmp_path / "model.onnx"
    model.write_bytes(data.digits_model())
    made = Network(model)
    monkeypatch.setattr(zoo, "path", made.path)
    yield made
    made.goes_on.set()


def info(page, document):
    return next(d for d in page.get("/state")["documents"] if d["id"] == document)


def until(holds):
    end = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_what_there_is(page):
    found = {model["name"]: model for model in page.get("/zoo")}
    assert len(found) == len(zoo.list())
    model = found[RESNET]
    assert model["opset"] == 12
    assert model["precision"] == "float32"
    assert model["bytes"] > 90e6
    assert "classification" in model["tags"]


def test_a_model_that_is_downloaded(page, network):
    told = page.post("/documents/zoo?name=ResNet50")
    assert (told["name"], told["source"], told["state"]) == (RESNET, "zoo", "opening")
    assert told["bytes"] == zoo.show("resnet50").file.bytes
    until(lambda: info(page, told["id"])["there"] == 30_000_000)
    network.goes_on.set()
    document = page.get(f"/documents/{told['id']}")
    assert document["totals"]["nodes"] > 5
    ready = info(page, told["id"])
    assert (ready["state"], ready["there"]) == ("ready", None)
    assert network.asked == [RESNET]
    page.ask("DELETE", f"/documents/{told['id']}")


def test_without_a_network(page, network):
    network.error = SuanziError("can't download resnet50-v1-12.onnx", hint="Is there a network?")
    network.goes_on.set()
    told = page.post("/documents/zoo?name=resnet50")
    until(lambda: info(page, told["id"])["state"] == "failed")
    failed = info(page, told["id"])
    assert failed["error"]["message"].startswith("can't download")
    assert failed["error"]["hint"] == "Is there a network?"
    assert failed["error"]["model"] == RESNET
    again = page.get(f"/documents/{told['id']}", 400)
    assert again["message"] == failed["error"]["message"]
    page.ask("DELETE", f"/documents/{told['id']}")


def test_closing_ends_the_download(page, network):
    told = page.post("/documents/zoo?name=resnet50")
    until(lambda: network.asked)
    page.ask("DELETE", f"/documents/{told['id']}")
    network.goes_on.set()
    until(lambda: network.ended)
    assert "closed" in str(network.ended)


@pytest.mark.parametrize(
    "name", ["", "resnt50", "/etc/passwd", "hf:a/b/c.onnx", "http://127.0.0.1/x.onnx"]
)
def test_only_names_of_the_zoo(page, network, name):
    error = page.post(f"/documents/zoo?name={name}", status=400)
    assert error["kind"] == "user"
    assert network.asked == []
