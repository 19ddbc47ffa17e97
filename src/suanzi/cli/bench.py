"""suanzi bench: side by side with other runtimes."""

import math

from rich.console import Console
from rich.progress import Progress

from suanzi.cli import _print
from suanzi.cli.feeds import Feeding
from suanzi.errors import SuanziError
from suanzi.inspect import peers
from suanzi.inspect.bench import Comparison, compare
from suanzi.kernels import Precision
from suanzi.session import InferenceSession


def main(
    models: list[str],
    feeding: Feeding,
    against: str,
    threads: str,
    precision: Precision,
    seconds: float,
    json: bool,
) -> None:
    names = list(dict.fromkeys(name for name in against.split(",") if name))
    for name in names:
        peers.peer(name)  # an error before any time is spent
    words = threads.split(",")
    if not all(word.isdecimal() and int(word[:9]) > 0 for word in words):
        raise SuanziError("--threads isn't understood", expected="1,2", found=threads)
    counts = [int(word[:9]) for word in words]
    found: list[Comparison] = []
    terminal = Console(stderr=True)
    with Progress(console=terminal, transient=True, disable=not terminal.is_terminal) as progress:
        task = progress.add_task("", total=len(models) * len(counts))
        for model in models:
            session = InferenceSession(model)
            feeds = feeding(session)
            for count in counts:
                progress.update(task, description=f"{session.name}, threads: {count}")
                found.append(
                    compare(session.name, model, feeds, names, count, seconds, precision=precision)
                )
                progress.advance(task)
    if json:
        _print.data([comparison.to_dict() for comparison in found])
    else:
        show(found, names)


def show(found: list[Comparison], names: list[str]) -> None:
    """Medians with their spread, the ratio to the fastest peer, the difference of outputs."""
    rows: list[list[object]] = []
    for one in found:
        times = [
            f"{_print.seconds(t.median)} ±{50 * (t.high - t.low) / t.median:.0f}%"
            for t in one.timings
        ]
        apart = max((t.difference for t in one.timings[1:]), default=0.0)
        ratio = "" if one.ratio is None else f"{one.ratio:.2f}"
        rows.append([one.model, one.threads, *times, ratio, f"{apart:.0e}"])
    columns = ["model", "threads", "suanzi", *names, "ratio", "difference"]
    _print.table("Medians of interleaved rounds; ratio: the fastest peer's / ours", columns, rows)
    for threads in dict.fromkeys(one.threads for one in found):
        ratios = [one.ratio for one in found if one.threads == threads and one.ratio]
        if len(ratios) > 1:
            mean = math.exp(sum(map(math.log, ratios)) / len(ratios))
            print(f"threads: {threads}: geometric mean of the ratios {mean:.2f}")
