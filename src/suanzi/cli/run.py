"""suanzi run: a model's outputs."""

from pathlib import Path

import numpy as np

from suanzi.cli import _print
from suanzi.cli._files import save_arrays
from suanzi.cli.feeds import Feeding
from suanzi.operators._operator import TensorType
from suanzi.session import InferenceSession

MOST_SHOWN = 64  # elements that are still shown whole


def main(model: str, feeding: Feeding, save: str | None, threads: int | None, json: bool) -> None:
    session = InferenceSession(model, threads=threads)
    feeds = feeding(session)
    with _print.working(f"{session.name}: compiling"):
        outputs = dict(zip(session.graph.outputs, session.run(None, feeds), strict=True))
    if save:
        save_arrays(Path(save), outputs)
    if json:
        _print.data(
            {
                name: {"type": x.dtype.name, "shape": x.shape, "values": x}
                for name, x in outputs.items()
            }
        )
        return
    for name, x in outputs.items():
        _print.line(f"{name}: {TensorType(x.dtype, x.shape)}")
        with np.printoptions(threshold=MOST_SHOWN, precision=5, suppress=True):
            print(x)
