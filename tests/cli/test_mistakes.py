"""Every mistake is one message and status 1, and leaves nothing half written."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import suanzi as package

PYTHONPATH = str(Path(package.__file__).parents[1])


@pytest.mark.parametrize(
    ("words", "texts"),
    [
        (["--input", "nobody=x.npy"], ["mnist-8.onnx", "no such input", "Input3", "nobody"]),
        (["--input", "Input3"], ["--input isn't understood", "NAME=VALUE"]),
        (["--input", "Input3=none.npy"], ["input Input3", "no such file", "none.npy"]),
        (["--input", "Input3=none.txt"], ["input Input3", "kind", ".npy", "none.txt"]),
        (["--shape", "Input3=1,2"], ["wrong rank", "4 axes", "float32[1, 2]"]),
        (["--shape", "Input3=1,1,28,29"], ["wrong size of axis 3"]),
        (["--shape", "Input3=-1"], ["--shape isn't understood", "-1"]),
        (["--shape", f"Input3={'9' * 5000}"], ["--shape isn't understood"]),
        (["--dim", "N=3"], ["no such symbolic dimension", "N"]),
        (["--mean", "a"], ["--mean isn't understood"]),
        (["--std", "1,0"], ["can't be 0"]),
        (["--layout", "CHWN"], ["NCHW or NHWC", "CHWN"]),
        (["--threads", "0"], ["threads", "0"]),
        (["--threads", "two"], ["--threads", "two"]),
        (["--seed", "-1"], ["--seed"]),
        (["--save", "no/such/folder/y.npz"], ["can't write no/such/folder/y.npz"]),
        (["--save", "."], ["can't write"]),
        (["--nonsense"], ["--nonsense"]),
    ],
)
def test_options_of_run(refused, digits, tmp_path, monkeypatch, words, texts):
    monkeypatch.chdir(tmp_path)
    if "two" in words:
        texts = texts[:1]
    refused(["run", digits, *words], *texts)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("words", "texts"),
    [
        (["show", "MODEL", "--stage", "soup"], ["no such stage", "graph", "soup"]),
        (["show", "MODEL", "--node", "n"], ["--node needs a stage"]),
        (["show", "MODEL", "--stage", "ir", "--node", "n"], ["no step", "n", "--stage graph"]),
        (["profile", "MODEL", "--rounds", "0"], ["--rounds"]),
        (["bench", "MODEL", "--against", "magic"], ["no such runtime", "onnxruntime", "magic"]),
        (
            ["bench", "MODEL", "--against", "", "--threads", "1,0"],
            ["--threads isn't understood", "1,0"],
        ),
        (["bench", "MODEL", "none.onnx", "--against", "", "--seconds", "0"], ["none.onnx"]),
        (["bench"], ["MODEL"]),
        (["cache", "burn"], ["show or clear", "burn"]),
        (["dance"], ["dance"]),
    ],
)
def test_other_commands(refused, digits, words, texts):
    refused([digits if word == "MODEL" else word for word in words], *texts)


def test_a_peer_that_is_not_installed(refused, digits, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    refused(["bench", digits, "--against", "openvino"], "isn't installed", "pip install openvino")


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".pb", ".png", ".jpg"])
@pytest.mark.parametrize(
    "contents", [b"", b"nothing of the kind", b"\x89PNG\r\n\x1a\n" + b"\0" * 60]
)
def test_damaged_inputs(refused, digits, tmp_path, suffix, contents):
    file = tmp_path / f"x{suffix}"
    file.write_bytes(contents)
    refused(["run", digits, "-i", f"Input3={file}"], "mnist-8.onnx: input Input3: ")


def test_arrays_that_do_not_fit(refused, digits, tmp_path):
    file = tmp_path / "x.npy"
    np.save(file, np.zeros((1, 1, 28, 28)))
    words = ["run", digits, "-i", f"Input3={file}"]
    refused(words, "wrong type or shape", "float32[1, 1, 28, 28]", "float64[1, 1, 28, 28]")
    np.save(file, np.array([{}]), allow_pickle=True)
    refused(words, "can't read", "x.npy")
    np.savez(tmp_path / "x.npz", a=np.zeros(1), b=np.zeros(1))
    refused(["run", digits, "-i", f"Input3={tmp_path / 'x.npz'}"], "no array", "a, b")


def test_a_trace_that_cannot_be_kept(refused, digits, tmp_path):
    file = tmp_path / "file"
    file.touch()
    refused(["trace", digits, "--save", file], "can't write to", "file")
    refused(["trace", digits, "--save", file / "below"], "can't write to", "below")
    assert [*tmp_path.iterdir()] == [file]
    assert file.stat().st_size == 0


def test_a_file_is_written_whole_or_not_at_all(tmp_path):
    from suanzi.cli._files import whole

    kept = tmp_path / "kept"
    kept.write_text("old")

    def interrupted():
        with whole(kept) as file:
            file.write(b"new, half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert kept.read_text() == "old"
    assert [*tmp_path.iterdir()] == [kept]


def process(*words, **options):
    return subprocess.Popen(
        [sys.executable, "-m", "suanzi", *words],
        env={**os.environ, "PYTHONPATH": PYTHONPATH},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def test_a_reader_that_leaves(digits):
    running = process("trace", digits, "--json")
    running.stdout.close()
    assert running.stderr.read() == ""
    assert running.wait(60) in (0, 1)
    running.stderr.close()


def test_an_interrupt(suanzi, digits, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("suanzi.session.InferenceSession.run", interrupted)
    done = suanzi("run", digits)
    assert (done.status, done.out, done.err) == (130, "", "")


def test_as_a_module():
    with process("demo", "--json") as running:
        out, err = running.communicate(timeout=120)
    assert (running.returncode, err) == (0, "")
    assert out.startswith('{"digits": {"0.png": 0')
