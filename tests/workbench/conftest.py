"""A workbench in this process, asked as its page would."""

import json
import time

import pytest
from starlette.testclient import TestClient

from suanzi.workbench.app import application
from suanzi.workbench.desk import Desk
from suanzi.workbench.serve import begin

TOKEN = "T0kenT0kenT0kenT0ken"
ORIGIN = "http://127.0.0.1:8000"


class Page:
    """Requests with the token and our own origin; JSON in and out."""

    def __init__(self, client, desks):
        self.client, self.desks = client, desks

    @property
    def desk(self):
        return self.desks[-1]

    def ask(self, method, path, status=200, **options):
        answer = self.client.request(method, f"/api{path}", **options)
        assert answer.status_code == status, answer.content[:2000]
        return answer

    def get(self, path, status=200, **params):
        return self.ask("GET", path, status, params=params).json()

    def post(self, path, body=None, status=200, **options):
        return self.ask("POST", path, status, content=json.dumps(body or {}), **options).json()

    def send(self, path, contents, name, status=200):
        return self.ask("POST", path, status, content=contents, params={"name": name}).json()

    def upload(self, model, name="model.onnx"):
        contents = model if isinstance(model, bytes) else model.SerializeToString()
        return self.send("/documents", contents, name)

    def job(self, document, **request):
        """Starts a job and waits until it is over."""
        return self.wait(self.post(f"/documents/{document}/jobs", request)["id"])

    def wait(self, job, until=("done", "failed", "cancelled")):
        end = time.monotonic() + 60
        while (told := self.get(f"/jobs/{job}"))["state"] not in until:
            assert time.monotonic() < end, told
            time.sleep(0.02)
        return told


def pages(models=(), **limits):
    desks = []

    def desk_of():
        desks.append(Desk(threads=1))
        begin(desks[-1], models)
        return desks[-1]

    headers = {"Authorization": f"Bearer {TOKEN}", "Origin": ORIGIN}
    app = application(desk_of, TOKEN, **limits)
    with TestClient(app, base_url=ORIGIN, headers=headers, follow_redirects=False) as client:
        yield Page(client, desks)


@pytest.fixture(scope="module")
def page():
    """A workbench without a model of its own: the bundled one is open, and has run."""
    yield from pages()


@pytest.fixture
def small_page(tmp_path):
    """A workbench that takes no file over 1,000 bytes."""
    path = tmp_path / "given.onnx"
    path.write_bytes(b"no model")
    yield from pages([str(path)], most_upload=1000)


@pytest.fixture
def digits(page):
    """The id of the bundled model's document, whose first run is over."""
    document = page.get("/state")["documents"][0]["id"]
    end = time.monotonic() + 60
    while not page.get(f"/documents/{document}")["runs"]:
        assert time.monotonic() < end
        time.sleep(0.02)
    return document
