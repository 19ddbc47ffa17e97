"""The examples run as they stand, and learn what they say."""

import re
import sys
from pathlib import Path

import pytest

pytest.importorskip("sklearn")
EXAMPLES = Path(__file__).parent.parent / "examples"


@pytest.fixture
def run(monkeypatch, capsys, tmp_path):
    """Runs an example's main with these arguments; gives what it printed."""
    monkeypatch.syspath_prepend(str(EXAMPLES))

    def call(name, *arguments, **changes):
        monkeypatch.setattr(sys, "argv", [name, *arguments])
        module = __import__(name)
        for key, value in changes.items():
            monkeypatch.setattr(module, key, value)
        module.main()
        return capsys.readouterr().out

    return call


def shares(text):
    """The percentages in a text, as fractions; those of progress bars are whole numbers."""
    return [float(found) / 100 for found in re.findall(r"(\d+\.\d+)%", text)]


def test_digits(run, tmp_path):
    text = run("digits", "--folder", str(tmp_path))
    ours, theirs = shares(text)
    assert ours > 0.98
    assert theirs == ours
    assert float(re.search(r"differ by ([\d.e-]+)", text)[1]) < 1e-3
    assert (tmp_path / "loss.svg").read_text().startswith("<svg")


def test_normalizations(run, tmp_path):
    text = run("normalizations", "--epochs", "2", "--folder", str(tmp_path), BATCHES=(8, 64))
    found = shares(text)
    assert len(found) == 2 * 2 * 4  # in evaluation and in training, two sizes, four norms
    assert min(found) > 0.9


@pytest.mark.parametrize("name", ["resnet", "transformer"])
def test_network(run, name):
    (right,) = shares(run(name, "--epochs", "6"))
    assert right > 0.9
