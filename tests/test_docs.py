"""The pages that are made from the code are up to date, and the code on the others runs."""

import re
import runpy
from pathlib import Path

import pytest

import suanzi
from suanzi import nn

ROOT = Path(__file__).parent.parent
SCRIPTS, EXAMPLES = ROOT / "scripts", ROOT / "examples"


def test_the_page_of_operators():
    made = runpy.run_path(str(SCRIPTS / "make_docs.py"))
    page = made["PAGE"].read_text(encoding="utf-8")
    if page != made["operators_page"]():
        pytest.fail("docs/operators.md isn't up to date: run `python scripts/make_docs.py`")


def run_page(page):
    """Runs a page's blocks of Python in order, as one program; lines are numbered as in the page.

    Parts of a file, and what needs PyTorch itself, stand in blocks of `py`, which aren't run.
    """
    text = (ROOT / page).read_text(encoding="utf-8")
    names = {"__name__": page}
    found = [*re.finditer(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)]
    assert found
    for block in found:
        before = "\n" * text.count("\n", 0, block.start(1))
        exec(compile(before + block[1], page, "exec"), names)
    return names


def test_the_readme(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    small = nn.Sequential(nn.Conv2d(3, 4, 3, stride=32), nn.ReLU())
    suanzi.export(small, suanzi.ones(1, 3, 224, 224), "model.onnx", input_names=["x"])
    names = run_page("README.md")
    assert isinstance(names["session"], suanzi.InferenceSession)


def test_pytorchs_interface(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(EXAMPLES))
    from networks.resnet import resnet18

    with suanzi.no_grad(), monkeypatch.context() as patch:
        patch.setattr(nn.init, "kaiming_uniform_", lambda t, *_, **__: t.zero_())
        suanzi.save(resnet18().state_dict(), "resnet18.safetensors")
    names = run_page("docs/pytorch.md")
    assert (tmp_path / "halves.onnx").exists()
    assert names["model"].fc.weight.sum() == 0


def test_a_training_step(capsys):
    names = run_page("docs/architecture.md")
    steps = names["plan"].program.steps
    assert all(step.kernel != "NumPy" for step in steps)
    assert "ReduceMeanBackward0" in capsys.readouterr().out
