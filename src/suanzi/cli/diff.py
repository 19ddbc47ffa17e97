"""suanzi diff: what differs between two models."""

from suanzi.cli import _print
from suanzi.inspect.diff import Change, diff
from suanzi.inspect.plain import plain
from suanzi.session import InferenceSession


def main(model: str, other: str, json: bool) -> None:
    ours, theirs = InferenceSession(model), InferenceSession(other)
    found = diff(ours.graph, theirs.graph, (ours.name, theirs.name))
    if json:
        _print.data(plain(found))
        return
    if found.same:
        _print.line(f"{ours.name} and {theirs.name} are the same model")
        return
    for kind, sentences in (("input", found.inputs), ("output", found.outputs)):
        for sentence in sentences:
            _print.line(f"{kind} {sentence}")
    counts = ", ".join(f"{count} {change}" for change, count in found.counts.items())
    _print.table(
        f"From {ours.name} to {theirs.name}: {counts}",
        ["node", "operator", "change", "what"],
        [
            (d.name, d.operator, d.change, "\n".join(_told(change) for change in d.what))
            for d in found.nodes
        ],
        words=4,
    )


def _told(change: Change) -> str:
    apart = "" if change.max_abs is None else f", at most {change.max_abs:.3g} apart"
    if change.ours == change.theirs:
        return f"{change.kind} {change.name} {change.ours}{apart}"
    return f"{change.kind} {change.name}: {change.ours or 'none'}, {change.theirs or 'none'}{apart}"
