"""suanzi compare: every value inside a model, held to another way of computing it."""

from suanzi.cli import _print
from suanzi.cli.feeds import Feeding
from suanzi.errors import SuanziError
from suanzi.inspect.compare import ValueComparison, ValueDifference, compare_values, sides
from suanzi.inspect.plain import plain
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
    threads: int | None,
    precision: Precision,
    json: bool,
) -> None:
    if against not in sides():
        raise SuanziError("no such runtime", expected=", ".join(sides()), found=against)
    session = InferenceSession(model, threads=threads, precision=precision)
    feeds = feeding(session)
    with _print.working(f"{session.name}: computing every value twice"):
        found = compare_values(Values(session, feeds), Original(model), against, tolerance)
    if json:
        _print.data(plain(found))
    else:
        show(session, found)


def show(session: InferenceSession, found: ValueComparison) -> None:
    """The verdict, then the values that are apart, or those that differ most."""
    apart = [d for d in found.values if d.apart]
    verdict = f"{len(apart)} of {len(found.values)} values are apart" if apart else "they agree"
    shown = apart or sorted(found.values, key=lambda d: -(d.max_rel or 0.0))[:MOST_ROWS]
    _print.table(
        f"{session.name}: {found.ours} and {found.against}: {verdict} "
        f"(tolerance {found.tolerance:g} of each value's largest magnitude)",
        ["value", "operator", "difference", "relative", "ours", "theirs", "note"],
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
    numbers = ["" if x is None else f"{x:.3g}" for x in (d.max_abs, d.max_rel, d.ours, d.theirs)]
    return [d.value, d.operator, *numbers, d.note]
