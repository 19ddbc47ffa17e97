"""suanzi optimize and suanzi convert: a model written anew."""

from pathlib import Path

from suanzi.cli import _print
from suanzi.onnx.convert import Weights, convert, optimize
from suanzi.onnx.read import read
from suanzi.session import InferenceSession


def optimized(model: str, save: str, json: bool) -> None:
    with _print.working(f"{Path(model).name}: optimizing"):
        optimize(model, save)
    _tell(model, save, json)


def converted(
    model: str, save: str, opset: int | None, weights: Weights | None, json: bool
) -> None:
    with _print.working(f"{Path(model).name}: converting"):
        convert(model, save, opset, weights)
    _tell(model, save, json)


def _tell(model: str, save: str, json: bool) -> None:
    """Both models in numbers; what was written can be opened, else this fails."""
    sides = {}
    for name, file in (("before", model), ("after", save)):
        made = read(file)
        sides[name] = {
            "file": file,
            "opset": made.opsets[""],
            "nodes": len(InferenceSession(file).graph.nodes),
            "weight_bytes": sum(x.nbytes for x in made.graph.constants.values()),
        }
    if json:
        _print.data(sides)
        return
    rows = [[what, *(sides[name][what] for name in sides)] for what in sides["before"]]
    _print.table(Path(save).name, ["", *sides], rows, words=3)
