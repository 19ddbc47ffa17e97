"""suanzi run: a model's outputs."""

from pathlib import Path

from suanzi.cli import _print
from suanzi.cli._files import save_arrays, save_picture
from suanzi.cli._values import arrays, described, lines
from suanzi.cli.feeds import Feeding
from suanzi.inspect.feeds import PICTURES
from suanzi.inspect.saved import storable
from suanzi.kernels import Precision
from suanzi.session import InferenceSession
from suanzi.zoo import Answer


def main(
    model: str,
    feeding: Feeding,
    save: str | None,
    threads: int | None,
    precision: Precision,
    json: bool,
) -> None:
    session = InferenceSession(model, threads=threads, precision=precision)
    feeds = feeding(session)
    with _print.working(f"{session.name}: compiling"):
        outputs = dict(zip(session.graph.outputs, session.run(None, feeds), strict=True))
    answer = feeding.answer(session, feeds, outputs)
    if save and save.lower().endswith(PICTURES):
        save_picture(Path(save), answer.picture if answer else None)
    elif save:
        parts = [part for name, value in outputs.items() for part in arrays(name, value)]
        save_arrays(Path(save), {name: storable(x) for name, x in parts})
    if answer:
        tell(answer, json)
        return
    if json:
        _print.data({name: described(value) for name, value in outputs.items()})
        return
    for name, value in outputs.items():
        for line in lines(name, value):
            _print.line(line)


def tell(answer: Answer, json: bool) -> None:
    """Words for people."""
    if json:
        _print.data({"answer": answer.guesses})
        return
    for guess in answer.guesses:
        where = ""
        if guess.box:
            left, top, right, bottom = (round(number) for number in guess.box)
            where = f", from {left}, {top} to {right}, {bottom}"
        _print.line(f"{guess.score:6.1%}  {guess.label}{where}")
    if not answer.guesses:
        _print.line("A picture: --save FILE.png keeps it" if answer.picture else "Nothing found")
