"""What each step of a program takes, against what the machine could do."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from suanzi.inspect.roofline import Roofline, roofline
from suanzi.operators._operator import Cost

if TYPE_CHECKING:
    from suanzi.session import InferenceSession
    from suanzi.stages import Timings


@dataclass(frozen=True)
class StepProfile:
    """One step. `share` is the least time that the machine could take, over the time taken; above
    1 where the data was in a cache."""

    node: str
    operator: str
    kernel: str
    plan: str
    why: str
    shape: tuple[int, ...]
    seconds: float
    macs: int
    bytes: int
    share: float

    @property
    def gflops(self) -> float:
        return _gflops(self.macs, self.seconds)


@dataclass(frozen=True)
class Profile:
    """The steps of a program in order, and the machine's limits. Times are medians in seconds."""

    model: str
    steps: tuple[StepProfile, ...]
    seconds: float
    rounds: int
    roofline: Roofline

    @property
    def macs(self) -> int:
        return sum(step.macs for step in self.steps)

    @property
    def gflops(self) -> float:
        return _gflops(self.macs, self.seconds)

    def to_dict(self) -> dict[str, Any]:
        """As plain data, for JSON."""
        steps = [{**asdict(step), "gflops": step.gflops} for step in self.steps]
        return {**asdict(self), "macs": self.macs, "gflops": self.gflops, "steps": steps}


def _gflops(macs: int, seconds: float) -> float:
    return 2 * macs / seconds / 1e9 if seconds else 0.0


def profile(session: InferenceSession, input_feed: Mapping[str, Any], rounds: int) -> Profile:
    """Runs a session `rounds` times, each step timed where it runs."""
    feeds = session.check(input_feed)
    limits = roofline(session.compiler.target, session.compiler.threads)
    session.run(None, feeds)  # once to compile, and for the caches and the page tables
    runs: list[Timings] = [[] for _ in range(max(1, rounds))]
    for run in runs:
        session.stages.run(feeds, run)
    ran = [step for step, _ in runs[-1]]
    # Data that random numbers decide may take other steps.
    times = np.array([[taken for _, taken in run] for run in runs if len(run) == len(ran)])
    seconds = np.median(times, axis=0) / 1e9
    steps = []
    # A node's work may take several kernels one after another: they are one step to who looks.
    for _, calls in itertools.groupby(zip(ran, seconds, strict=True), key=lambda c: id(c[0].node)):
        parts, each = zip(*calls, strict=True)
        step, taken = parts[0], float(sum(each))
        cost = sum((part.cost for part in parts), Cost())
        moved = cost.read + cost.written
        least = limits.seconds(cost.macs, moved)
        steps.append(
            StepProfile(
                node=step.node.name or next(filter(None, step.node.outputs)),
                operator=step.node.operator.title,
                kernel=_joined(part.kernel for part in parts),
                plan=_joined(part.plan for part in parts),
                why=_joined(part.why for part in parts),
                shape=step.shape,
                seconds=taken,
                macs=cost.macs,
                bytes=moved,
                share=least / taken if taken else 0.0,
            )
        )
    total = float(np.median(times.sum(axis=1))) / 1e9
    return Profile(session.name, tuple(steps), total, len(times), limits)


def _joined(texts: Iterable[str]) -> str:
    """Each text once."""
    return "; ".join(dict.fromkeys(texts))
