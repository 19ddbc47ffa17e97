"""suanzi extract: a part of a model as a model of its own."""

from pathlib import Path

from suanzi.cli import _print
from suanzi.cli._files import whole
from suanzi.inspect.extract import extract
from suanzi.onnx.cut import Original
from suanzi.session import InferenceSession


def main(model: str, save: str, inputs: list[str], outputs: list[str], json: bool) -> None:
    session = InferenceSession(model)
    made = extract(session.graph, Original(model), inputs, outputs)
    part = InferenceSession(made)
    with whole(Path(save)) as file:
        file.write(made)
    told = {
        "file": save,
        "nodes": len(part.graph.nodes),
        "inputs": {name: str(part.graph.types[name]) for name in part.graph.inputs},
        "outputs": {name: str(part.graph.types[name]) for name in part.graph.outputs},
        "bytes": len(made),
    }
    if json:
        _print.data(told)
        return
    _print.line(f"{save}: {told['nodes']} of {len(session.graph.nodes)} nodes")
    for kind in ("inputs", "outputs"):
        for name in getattr(part.graph, kind):
            _print.line(f"  {kind[:-1]:6} {name}: {part.graph.types[name]}")
