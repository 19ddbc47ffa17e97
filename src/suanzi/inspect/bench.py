"""Side by side: the same model, inputs and threads, in interleaved rounds."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from suanzi.errors import SuanziError
from suanzi.inspect import peers
from suanzi.operators._operator import Array

if TYPE_CHECKING:
    from suanzi.kernels import Precision

PAUSE, WARMING, TURN = 0.06, 0.02, 0.1
"""Seconds: between two runtimes, since onnxruntime's threads spin for 50 ms after a run and would
take a core from the next; of calls that aren't timed; of calls that are."""


@dataclass(frozen=True)
class Timing:
    """One runtime's seconds a run over the rounds. `difference` is the largest of its outputs from
    ours, over the largest output."""

    runtime: str
    median: float
    low: float
    high: float
    difference: float


@dataclass(frozen=True)
class Comparison:
    """One model at one number of threads. `ratio`: the fastest peer's median over ours."""

    model: str
    threads: int
    runs: int
    """Timed runs of ours."""
    timings: tuple[Timing, ...]
    precision: Precision = "fast"
    """Ours."""

    @property
    def ours(self) -> Timing:
        return self.timings[0]

    @property
    def fastest_peer(self) -> Timing | None:
        return min(self.timings[1:], key=lambda t: t.median, default=None)

    @property
    def ratio(self) -> float | None:
        fastest = self.fastest_peer
        return None if fastest is None else fastest.median / self.ours.median

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "ratio": self.ratio}


def compare(
    name: str,
    model: peers.Source,
    feeds: Mapping[str, Array],
    against: Sequence[str],
    threads: int,
    seconds: float = 4.0,
    rounds: int = 200,
    precision: Precision = "fast",
) -> Comparison:
    """Times Suanzi and its peers for `seconds` or `rounds` rounds; five at the least."""
    runners = {"suanzi": peers.suanzi(model, threads, precision)}
    outputs = {"suanzi": runners["suanzi"](feeds)}
    for peer in against:
        try:
            runners[peer] = peers.peer(peer)(model, threads)
            outputs[peer] = runners[peer](feeds)
        except Exception as error:
            raise SuanziError(f"{peer} can't run it: {error}", model=name) from error
    times = interleaved({name: _call(run, feeds) for name, run in runners.items()}, seconds, rounds)
    timings = []
    for runtime, taken in times.items():
        low, median, high = np.percentile(taken, [10, 50, 90])
        apart = difference(outputs["suanzi"], outputs[runtime])
        timings.append(Timing(runtime, float(median), float(low), float(high), apart))
    return Comparison(name, threads, len(times["suanzi"]), tuple(timings), precision)


def _call(run: peers.Runner, feeds: Mapping[str, Array]) -> Callable[[], object]:
    return lambda: run(feeds)


def interleaved(
    calls: Mapping[str, Callable[[], object]], seconds: float, rounds: int
) -> dict[str, list[float]]:
    """Seconds of each call. In a round each has a turn of many calls, in an order that changes from
    round to round, so that a slow moment of the machine falls on all alike; at least five rounds.
    """
    times: dict[str, list[float]] = {name: [] for name in calls}
    names, end = list(calls), time.perf_counter() + seconds
    for number in range(rounds):
        for name in names[number % len(names) :] + names[: number % len(names)]:
            time.sleep(PAUSE)
            _timed(calls[name], WARMING)
            times[name] += _timed(calls[name], TURN)
        if number >= 4 and time.perf_counter() > end:
            break
    return times


def _timed(call: Callable[[], object], seconds: float) -> list[float]:
    """Calls again and again until so many seconds are over; the time of each, one at the least."""
    times: list[float] = []
    end = time.perf_counter() + seconds
    while not times or time.perf_counter() < end:
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return times


def difference(ours: Sequence[Array], theirs: Sequence[Array]) -> float:
    """The largest difference of all outputs, relative to each output's largest magnitude; NaN
    where one runtime gives NaN or infinity and the other doesn't."""
    pairs = zip(ours, theirs, strict=True)
    return float(np.max([_difference(a, b) for a, b in pairs], initial=0.0))


def _difference(ours: Array, theirs: Array) -> float:
    a, b = np.asarray(ours, np.float64), np.asarray(theirs, np.float64)
    if a.shape != b.shape:
        return math.nan
    finite = np.isfinite(b)
    if not np.array_equal(a[~finite], b[~finite], equal_nan=True):
        return math.nan
    scale = float(np.abs(b[finite]).max(initial=0.0)) or 1.0
    return float(np.abs(a[finite] - b[finite]).max(initial=0.0)) / scale
