"""suanzi trace: every value inside a model."""

from pathlib import Path

from suanzi.cli import _print
from suanzi.cli._values import arrays, type_name
from suanzi.cli.feeds import Feeding
from suanzi.inspect.saved import keep
from suanzi.inspect.statistics import brief
from suanzi.kernels import Precision
from suanzi.session import InferenceSession


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
        traced = session.trace(feeds)
    values = {part: x for name, value in traced.items() for part, x in arrays(name, value)}
    files = keep(values, Path(save)) if save else {}
    found = {name: brief(x) for name, x in values.items()}
    if json:
        _print.data(
            [
                {
                    "value": name,
                    "type": type_name(values[name]),
                    "shape": values[name].shape,
                    **vars(s),
                    "not_finite": s.not_finite,
                    "file": files.get(name),
                }
                for name, s in found.items()
            ]
        )
        return
    _print.table(
        f"{session.name}: {len(found)} values",
        ["value", "type", "shape", "least", "mean", "largest", "not finite"],
        [
            (
                name,
                type_name(values[name]),
                "x".join(map(str, values[name].shape)),
                *("" if x is None else f"{x:.4g}" for x in (s.least, s.mean, s.largest)),
                s.not_finite or "",
            )
            for name, s in found.items()
        ],
        words=3,
        least=["type", "not finite"],
    )
    if save:
        _print.line(f"{len(files)} files in {save}")
