"""The command in this process: its status, what it wrote to each stream."""

import json
import sys
from typing import NamedTuple

import pytest

from suanzi import cli, data


class Done(NamedTuple):
    status: int
    out: str
    err: str

    @property
    def json(self):
        return json.loads(self.out)


@pytest.fixture(scope="session")
def digits(tmp_path_factory):
    """The bundled model as a file."""
    path = tmp_path_factory.mktemp("model") / "mnist-8.onnx"
    path.write_bytes(data.digits_model())
    return str(path)


@pytest.fixture
def suanzi(monkeypatch, capsys):
    """Runs `suanzi ...`, as in a pipe: however wide the terminal that the tests run in."""
    monkeypatch.delenv("COLUMNS", raising=False)

    def run(*words: object) -> Done:
        monkeypatch.setattr(sys, "argv", ["suanzi", *map(str, words)])
        status = 0
        try:
            cli.main()
        except SystemExit as end:
            status = end.code or 0
        out, err = capsys.readouterr()
        return Done(status, out, err)

    return run


@pytest.fixture
def refused(suanzi):
    """Runs a command that must end with status 1 and one message that holds these texts."""

    def run(words, *texts):
        status, out, err = suanzi(*words)
        assert (status, out) == (1, ""), err
        assert "Traceback" not in err
        for text in texts:
            assert text in err, err
        return err

    return run
