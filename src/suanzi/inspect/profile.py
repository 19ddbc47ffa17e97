"""What each step of a program takes, against what the machine could do."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from suanzi.graph import Graph, Node
from suanzi.inspect.memory import Memory, memory
from suanzi.inspect.nodes import cost_of
from suanzi.inspect.plan import covers
from suanzi.inspect.roofline import Roofline, roofline
from suanzi.inspect.values import specialised
from suanzi.operators._operator import Cost

if TYPE_CHECKING:
    from suanzi.program import Taken
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
    id: str = ""
    """The step's first output, by which plans know it too."""
    nodes: tuple[int, ...] = ()
    """The numbers of the model's nodes that it does."""
    threads: int = 1
    """How many threads had a part in it, at the most."""

    @property
    def gflops(self) -> float:
        return _gflops(self.macs, self.seconds)

    @property
    def intensity(self) -> float | None:
        """Operations a byte."""
        return 2 * self.macs / self.bytes if self.bytes else None


@dataclass(frozen=True)
class Bar:
    """When a thread was at a step, in seconds from the run's start."""

    step: int
    thread: int
    start: float
    seconds: float


@dataclass(frozen=True)
class Profile:
    """The steps of a program in order, and the machine's limits. Times are medians in seconds."""

    model: str
    steps: tuple[StepProfile, ...]
    seconds: float
    rounds: int
    roofline: Roofline
    nodes: dict[int, float] = field(default_factory=dict)
    """Seconds by the number of the model's node: a step's at the heaviest that it does, 0 at the
    others."""
    memory: Memory | None = None
    timeline: tuple[Bar, ...] = ()
    """Of one run, that which took as long as the median."""

    @property
    def macs(self) -> int:
        return sum(step.macs for step in self.steps)

    @property
    def gflops(self) -> float:
        return _gflops(self.macs, self.seconds)

    def to_dict(self) -> dict[str, Any]:
        """As plain data, for JSON."""
        steps = [
            {**asdict(step), "gflops": step.gflops, "intensity": step.intensity}
            for step in self.steps
        ]
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
    alike = [[taken for _, taken in run] for run in runs if len(run) == len(ran)]
    times = np.array([[taken.nanoseconds for taken in run] for run in alike])
    seconds = np.median(times, axis=0) / 1e9
    steps: list[StepProfile] = []
    nodes: list[Node] = []
    # A node's work may take several kernels one after another: they are one step to who looks.
    numbers: list[int] = []
    each_took = zip(ran, seconds, zip(*alike, strict=True), strict=True)
    for _, calls in itertools.groupby(each_took, key=lambda c: id(c[0].node)):
        parts, each, takes = zip(*calls, strict=True)
        numbers += [len(steps)] * len(parts)
        nodes.append(parts[0].node)
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
                id=next(filter(None, step.node.outputs)),
                threads=max(len(one.spans) for takes_of in takes for one in takes_of),
            )
        )
    done = covers(session.graph, nodes)
    steps = [replace(step, nodes=tuple(covered)) for step, covered in zip(steps, done, strict=True)]
    totals = times.sum(axis=1)
    total = float(np.median(totals)) / 1e9
    typical = alike[int(np.abs(totals - np.median(totals)).argmin())]
    stage = session.program(feeds)
    return Profile(
        session.name,
        tuple(steps),
        total,
        len(times),
        limits,
        _by_node(specialised(session.graph, feeds), steps),
        memory(stage.program, steps) if stage.program and not stage.rest else None,
        _timeline(numbers, typical),
    )


def _by_node(graph: Graph, steps: Sequence[StepProfile]) -> dict[int, float]:
    found: dict[int, float] = {}
    for step in steps:
        if not step.nodes:
            continue
        costs = {i: cost_of(graph, graph.nodes[i]) for i in step.nodes}
        work = {i: (c.macs, c.read + c.written) if c else (0, 0) for i, c in costs.items()}
        heaviest = max(step.nodes, key=lambda i: work[i])
        found.update((i, step.seconds if i == heaviest else 0.0) for i in step.nodes)
    return found


def _timeline(numbers: Sequence[int], run: Sequence[Taken]) -> tuple[Bar, ...]:
    """When each thread was at which step of a run; `numbers`: of the steps."""
    start = min((begin for taken in run for _, begin, _ in taken.spans), default=0)
    return tuple(
        Bar(number, thread, (begin - start) / 1e9, (end - begin) / 1e9)
        for number, taken in zip(numbers, run, strict=True)
        for thread, begin, end in taken.spans
    )


def _joined(texts: Iterable[str]) -> str:
    """Each text once."""
    return "; ".join(dict.fromkeys(texts))
