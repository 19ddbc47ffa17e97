"""suanzi demo: digits recognised with the bundled model."""

from dataclasses import replace

from suanzi import data
from suanzi.cli import _print
from suanzi.cli.profile import show as show_profile
from suanzi.session import InferenceSession


def main(threads: int | None, json: bool) -> None:
    session = InferenceSession(data.digits_model(), threads=threads)
    (name,) = session.graph.inputs
    pictures = data.digits()
    answers = {
        file: int(session.run(None, {name: picture})[0].argmax())
        for file, picture in pictures.items()
    }
    measured = session.profile({name: next(iter(pictures.values()))})
    found = replace(measured, model="mnist-8")
    if json:
        _print.data({"digits": answers, "profile": found.to_dict()})
        return
    _print.table("Handwritten digits", ["picture", "recognised"], list(answers.items()))
    print()
    show_profile(found)
