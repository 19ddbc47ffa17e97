"""suanzi profile: where the time goes."""

from json import dumps
from pathlib import Path

from suanzi.cli import _print
from suanzi.cli._files import whole
from suanzi.cli.feeds import Feeding
from suanzi.inspect.chrome import chrome_trace
from suanzi.inspect.plain import plain
from suanzi.inspect.profile import Profile
from suanzi.kernels import Precision
from suanzi.session import InferenceSession

EXPLAINED = 5  # of the slowest steps, what was chosen and why


def main(
    model: str,
    feeding: Feeding,
    rounds: int,
    save: str | None,
    threads: int | None,
    precision: Precision,
    json: bool,
) -> None:
    session = InferenceSession(model, threads=threads, precision=precision)
    feeds = feeding(session)
    with _print.working(f"{session.name}: compiling, and {rounds} runs"):
        found = session.profile(feeds, rounds)
    if save:
        with whole(Path(save)) as file:
            file.write(dumps(plain(chrome_trace(found.to_dict()))).encode())
    if json:
        _print.data(found.to_dict())
    else:
        show(found)


def show(found: Profile) -> None:
    """The table of steps, the sums, and what the slowest steps do."""
    limits = found.roofline
    _print.table(
        f"{found.model}: {_print.seconds(found.seconds)} a run (median of {found.rounds}, "
        f"threads: {limits.threads}), {_print.count(found.macs)} multiply-adds, "
        f"{found.gflops:.0f} GFLOP/s",
        [
            "step",
            "operator",
            "kernel",
            "output",
            "time",
            "%",
            "multiply-adds",
            "bytes",
            "GFLOP/s",
            "of limit",
        ],
        [
            (
                step.node,
                step.operator,
                step.kernel,
                "x".join(map(str, step.shape)),
                _print.seconds(step.seconds),
                f"{100 * step.seconds / max(found.seconds, 1e-12):.1f}",
                _print.count(step.macs) if step.macs else "",
                _print.size(step.bytes),
                f"{step.gflops:.0f}" if step.macs else "",
                f"{step.share:.0%}",
            )
            for step in found.steps
        ],
        words=4,
        least=["bytes", "multiply-adds", "output", "GFLOP/s"],
    )
    _print.line(
        f"\nThis machine's limits: {limits.gflops:.0f} GFLOP/s, {limits.gigabytes:.0f} GB/s. "
        "The slowest steps:"
    )
    for step in sorted(found.steps, key=lambda step: -step.seconds)[:EXPLAINED]:
        _print.line(f"  {step.node}: {step.why}")
