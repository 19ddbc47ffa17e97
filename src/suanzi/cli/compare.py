"""suanzi compare: every value inside a model, held to another way of computing it."""

from pathlib import Path

from suanzi.cli import _print
from suanzi.cli.feeds import Feeding
from suanzi.errors import SuanziError
from suanzi.inspect.compare import ValueComparison, ValueDifference, compare_values
from suanzi.inspect.plain import plain
from suanzi.inspect.shrink import Shrunk, shrink
from suanzi.inspect.sides import recorded, sides
from suanzi.inspect.values import Values
from suanzi.kernels import Precision
from suanzi.onnx.cut import Original
from suanzi.session import InferenceSession

MOST_ROWS = 20
"""Where nothing is apart, only the values that differ most are shown."""


def main(
    model: str,
    feeding: Feeding,
    against: str,
    tolerance: float,
    save: str | None,
    threads: int | None,
    precision: Precision,
    json: bool,
) -> None:
    if against not in sides() and not recorded(against):
        expected = f"{', '.join(sides())}, a folder of .npy files, an .npz or a .pt2"
        raise SuanziError("no such runtime", expected=expected, found=against)
    session = InferenceSession(model, threads=threads, precision=precision)
    feeds = feeding(session)
    original, part = Original(model), None
    with _print.working(f"{session.name}: computing every value twice"):
        values = Values(session, feeds)
        found = compare_values(values, original, against, tolerance)
        if save is not None:
            part = shrink(values, original, found)
            if part is not None:
                part.save(Path(save), found)
    if json:
        _print.data({**plain(found), **_told(part, save)} if save else plain(found))
        return
    show(session, found)
    if part is not None:
        _print.line(f"{save}: the {len(part.nodes)} nodes that still differ, with their inputs")
    elif save is not None:
        _print.line(f"nothing is saved: {'they agree' if found.first is None else 'no part alone'}")


def _told(part: Shrunk | None, save: str | None) -> dict[str, object]:
    return {"saved": None if part is None else save, "nodes": part and part.nodes}


def show(session: InferenceSession, found: ValueComparison) -> None:
    """The verdict, then the values that are apart, or those that differ most."""
    apart = [d for d in found.values if d.apart]
    verdict = f"{len(apart)} of {len(found.values)} values are apart" if apart else "they agree"
    shown = apart or sorted(found.values, key=lambda d: -(d.max_rel or 0.0))[:MOST_ROWS]
    _print.table(
        f"{session.name}: {found.ours} and {found.against}: {verdict} "
        f"(tolerance {found.tolerance:g} of each value's largest magnitude)",
        ["value", "operator", "difference", "relative", "ulps", "ours", "theirs", "note"],
        [_row(d) for d in shown],
        words=2,
        least=["ours", "theirs"],
    )
    if found.first is not None:
        _print.line(f"\nThey part first at node {session.graph.nodes[int(found.first)].label}.")
    if found.missing:
        _print.line(
            f"{len(found.missing)} values aren't in {found.against}: {found.missing[0]} ..."
        )


def _row(d: ValueDifference) -> list[object]:
    numbers = [
        "" if x is None else f"{x:.3g}" for x in (d.max_abs, d.max_rel, d.ulps, d.ours, d.theirs)
    ]
    return [d.value, d.operator, *numbers, d.note]
