"""suanzi zoo, and models of the zoo in the other commands."""

import io
import tarfile

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from PIL import Image

from suanzi import data, zoo
from suanzi.zoo.catalogue import File
from suanzi.zoo.tasks import TASKS
from zoo_support import serving

OWN = "/onnxmodelzoo/mnist-8/resolve/main/mnist-8.onnx"


@pytest.fixture
def server(tmp_path):
    with serving(tmp_path) as found:
        found.files[OWN] = data.digits_model()
        yield found


@pytest.fixture
def picture(tmp_path):
    path = tmp_path / "seven.png"
    Image.fromarray(data.digits()["7.png"][0, 0].astype(np.uint8)).save(path)
    return path


def test_list(suanzi):
    done = suanzi("zoo", "list", "--tag", "vision", "--max-size", "50MB")
    assert "squeezenet1.0" in done.out
    assert "@12:int8" in done.out
    assert "vgg16 " not in done.out
    found = suanzi("zoo", "list", "--max-size", "30 kB", "--json").json
    assert {"mnist@8", "resnet-preproc@18"} <= {each["label"] for each in found}
    assert all(each["file"]["bytes"] <= 30_000 for each in found)


def test_show(suanzi):
    done = suanzi("zoo", "show", "mnist@8")
    assert "Input3: float32[1, 1, 28, 28]" in done.out
    assert zoo.show("mnist@8").file.sha256 in done.out
    assert "mnist@12:int8" in done.out
    assert "digits" in done.out
    assert suanzi("zoo", "show", "gpt2", "--json").json["opset"] == 10


def test_get(suanzi, server):
    done = suanzi("zoo", "get", "mnist@8")
    assert done.status == 0
    assert done.out.strip().endswith("mnist-8.onnx")
    assert suanzi("zoo", "get", "mnist@8", "--offline", "--json").json["paths"] == [
        done.out.strip()
    ]


def test_get_data(suanzi, server, monkeypatch):
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as made:
        made.addfile(tarfile.TarInfo("mnist/test_data_set_0/input_0.pb"))
    import hashlib

    path = zoo.show("mnist@8").samples.path
    digest = hashlib.sha256(packed.getvalue()).hexdigest()
    samples = File(path, len(packed.getvalue()), digest)
    monkeypatch.setitem(zoo.show("mnist@8").__dict__, "samples", samples)
    server.files[f"/onnxmodelzoo/legacy_models/resolve/main/{path}"] = packed.getvalue()
    assert "test_data_set_0" in suanzi("zoo", "get", "mnist@8", "--data").out


def test_run_answers_with_words(suanzi, server, picture):
    done = suanzi("run", "mnist@8", "--input", picture)
    assert done.status == 0
    assert done.out.splitlines()[0].split() == ["100.0%", "7"]
    found = suanzi("run", "mnist@8", "-i", f"Input3={picture}", "--json").json
    assert found["answer"][0]["label"] == "7"
    assert len(found["answer"]) == 5
    assert server.got == [OWN]


def test_run_as_the_command_line_says(suanzi, server, picture):
    """A mean or std of one's own, or no picture, and the outputs are shown as they are."""
    done = suanzi("run", "mnist@8", "-i", picture, "--std", 1 / 255)
    assert "Plus214_Output_0: float32[1, 10]" in done.out
    assert "Plus214_Output_0: float32[1, 10]" in suanzi("run", "mnist@8").out


def test_a_file_without_a_name_is_the_first_inputs(suanzi, digits, picture):
    one = suanzi("run", digits, "-i", picture, "--std", 1 / 255).out
    assert one == suanzi("run", digits, "-i", f"Input3={picture}", "--std", 1 / 255).out


def test_an_answer_that_is_a_picture(suanzi, tmp_path, monkeypatch, picture):
    """A model under a known name, whose output is its input."""
    kinds = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 3, 8, 8]) for name in ("x", "y")
    ]
    nodes = [helper.make_node("Relu", ["x"], ["y"])]
    file, made = tmp_path / "candy", tmp_path / "made.png"
    onnx.save(helper.make_model(helper.make_graph(nodes, "g", kinds[:1], kinds[1:])), file)
    monkeypatch.setattr("suanzi.cli.feeds.task_of", lambda name: TASKS["candy"])
    done = suanzi("run", file, "-i", picture)
    assert "--save FILE.png" in done.out
    assert suanzi("run", file, "-i", picture, "--save", made).status == 0
    with Image.open(made) as opened:
        assert opened.size == (8, 8)


def test_other_commands(suanzi, server, picture):
    assert "mnist-8.onnx by CNTK" in suanzi("show", "mnist@8").out
    assert "Input3" not in suanzi("profile", "mnist@8", "-i", picture, "--rounds", 1).err
    assert "the same model" in suanzi("diff", "mnist@8", "mnist@8").out
    assert server.got == [OWN]


@pytest.mark.parametrize(
    ("words", "texts"),
    [
        (["zoo", "list", "--max-size", "big"], ["--max-size isn't understood", "50MB", "big"]),
        (["zoo", "show", "resnt50"], ["Did you mean resnet50"]),
        (["zoo", "get", "mnist", "--offline"], ["--offline", "mnist"]),
        (["run", "resnt50"], ["no such model", "Did you mean resnet50"]),
        (["run", "mnist"], ["can't download mnist-12.onnx", "404"]),
        (["run", "mnist@8", "--offline"], ["not downloaded yet"]),
        (["run", "mnist@8", "-i", "none.png"], ["no such file", "none.png"]),
        (["run", "mnist@8", "--save", "x.png"], ["the answer is no picture", "x.png"]),
        (["run", "https://localhost/x.onnx"], ["#sha256="]),
        (["run", "hf:x"], ["the address isn't understood", "hf:OWNER/REPO/FILE.onnx"]),
    ],
)
def test_mistakes(refused, server, words, texts):
    refused(words, *texts)
