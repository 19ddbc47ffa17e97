"""suanzi run: a model's outputs."""

from pathlib import Path

from suanzi.cli import _print
from suanzi.cli._files import save_arrays
from suanzi.cli._values import arrays, described, lines, storable
from suanzi.cli.feeds import Feeding
from suanzi.session import InferenceSession


def main(model: str, feeding: Feeding, save: str | None, threads: int | None, json: bool) -> None:
    session = InferenceSession(model, threads=threads)
    feeds = feeding(session)
    with _print.working(f"{session.name}: compiling"):
        outputs = dict(zip(session.graph.outputs, session.run(None, feeds), strict=True))
    if save:
        parts = [part for name, value in outputs.items() for part in arrays(name, value)]
        save_arrays(Path(save), {name: storable(x) for name, x in parts})
    if json:
        _print.data({name: described(value) for name, value in outputs.items()})
        return
    for name, value in outputs.items():
        for line in lines(name, value):
            _print.line(line)
