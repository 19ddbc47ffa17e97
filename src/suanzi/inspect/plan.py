"""How a model runs: the graph after our passes, its kernels and why, their IR and assembly."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from suanzi.compiler import prepare, site_of
from suanzi.errors import SuanziError
from suanzi.graph import Graph, Node
from suanzi.graph.fused import Reorder
from suanzi.graph.infer import infer
from suanzi.graph.passes.dead_code import dead_code
from suanzi.graph.pipeline import PASSES
from suanzi.inspect.feeds import OPEN
from suanzi.kernels import choose
from suanzi.kernels._kernel import Call
from suanzi.operators._operator import TensorType, Value
from suanzi.placement import place
from suanzi.runtime.machine import assembly

if TYPE_CHECKING:
    from suanzi.session import InferenceSession
    from suanzi.stages import Stage

Types = Mapping[str, TensorType]
LATER = "waits for what the data show: a later stage, compiled for the shapes that it meets"


@dataclass(frozen=True)
class PlanStep:
    """A node of the graph after the passes. `id` is its first output; `nodes` are the numbers of
    the model's nodes that it does; `free`: it takes no work, as its result shares memory."""

    id: str
    name: str
    operator: str
    inputs: list[str]
    outputs: list[str]
    types: list[str]
    layout: str
    kernel: list[str]
    chunks: list[int]
    why: list[str]
    plan: list[str]
    free: bool
    nodes: list[str]

    @property
    def label(self) -> str:
        return self.name or self.id


@dataclass(frozen=True)
class PassData:
    """How many nodes a pass leaves."""

    name: str
    nodes: int


@dataclass(frozen=True)
class PlanValue:
    """A value of the graph after the passes; `lanes`: of its blocks of channels, or 0."""

    type: str
    lanes: int
    constant: bool


@dataclass(frozen=True)
class Plan:
    target: str
    threads: int
    passes: list[PassData]
    steps: list[PlanStep]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    constants: list[str]
    types: dict[str, PlanValue]


def static(types: Types) -> bool:
    """Whether the sizes of all tensors among the inputs are known."""
    return all(kind.static for kind in types.values() if kind.is_tensor)


def zeros(types: Types) -> dict[str, Value]:
    """Tensors of these types that take no memory; the contents of others don't matter here."""
    return {
        name: np.broadcast_to(np.zeros((), t.dtype), t.sizes) if t.is_tensor else None
        for name, t in types.items()
    }


@dataclass(frozen=True)
class Prepared:
    """The graph after all passes; where the data decide upon shapes, that of the first `stage`."""

    session: InferenceSession
    graph: Graph
    stage: Stage | None

    def calls(self, node: Node) -> tuple[Call, ...]:
        """The kernels' calls that do a node; none: it runs by its definition."""
        return choose(site_of(self.graph, node, self.session.compiler)) or ()

    @functools.cached_property
    def steps(self) -> list[PlanStep]:
        """All steps in order, those of later stages as far as they are known."""
        free = {self.graph.nodes[number].outputs[0] for number in place(self.graph).free}
        later = [*self._later()]
        nodes = [*self.graph.nodes, *(node for node, _, _ in later)]
        done = covers(self.session.graph, nodes)
        steps = [
            self._step(node, self.calls(node), node.outputs[0] in free, covered)
            for node, covered in zip(self.graph.nodes, done, strict=False)
        ]
        rest = done[len(steps) :]
        for (node, kernel, why), covered in zip(later, rest, strict=True):
            step = self._step(node, (), False, covered)
            steps.append(_with(step, kernel=[kernel], why=[why]))
        return steps

    def step_nodes(self, name: str | None) -> list[Node]:
        """The nodes of a program with this name, or that make this value; all for None."""
        return [n for n in self.graph.nodes if name in (None, n.name, *n.outputs)]

    def _step(
        self, node: Node, calls: tuple[Call, ...], free: bool, covered: list[int]
    ) -> PlanStep:
        if free:
            calls, kernel, why = (), "", "no work: the result lies in the same memory"
        else:
            kernel, why = "NumPy", "no kernel: by its definition"
        outputs = [name for name in node.outputs if name]
        lanes = self.graph.lanes.get(outputs[0])
        types = self.graph.types
        return PlanStep(
            id=outputs[0],
            name=node.name,
            operator=node.operator.title,
            inputs=[name for name in node.inputs if name],
            outputs=outputs,
            types=[str(types[name]) for name in outputs if name in types],
            layout=f"blocks of {lanes}" if lanes else "plain",
            kernel=[type(call.kernel).__name__ for call in calls] or [kernel],
            chunks=[call.chunks for call in calls],
            why=[call.why for call in calls] or [why],
            plan=[repr(call.kernel) for call in calls],
            free=free,
            nodes=[str(i) for i in covered],
        )

    def _later(self) -> Iterator[tuple[Node, str, str]]:
        """What follows the first stage's program: each node, its kernel, and why."""
        if self.stage is None:
            return
        for cut in self.stage.cuts:
            yield cut.node, cut.step.kernel, cut.step.why
        if self.stage.rest:
            for node in self.stage.rest.graph.nodes:
                yield node, "", LATER


def _with(step: PlanStep, kernel: list[str], why: list[str]) -> PlanStep:
    return PlanStep(**{**vars(step), "kernel": kernel, "why": why})


def prepared(session: InferenceSession, types: Types) -> Prepared:
    """The plan of a session for inputs of these types."""
    compiler = session.compiler
    try:
        if not static(types):
            graph = infer(session.graph, types)
            return Prepared(session, prepare(graph, compiler), None)
        stage = session.stages.split(zeros(types))
        graph = prepare(stage.graph, compiler)
        return Prepared(session, graph, stage)
    except SuanziError as error:
        error.hint = error.hint or (None if static(types) else OPEN)
        raise error.at(model=session.name) from None


def covers(graph: Graph, steps: Sequence[Node]) -> list[list[int]]:
    """For each step, the numbers of the graph's nodes that it does: all between what it makes and
    what other steps have made. Each node is done by the first step that needs it."""
    makers = {name: i for i, node in enumerate(graph.nodes) for name in node.outputs if name}
    aliases = {
        step.inputs[0]: step.outputs[0] for step in steps if isinstance(step.operator, Reorder)
    }
    boundary = {name for step in steps for name in step.outputs if name}
    boundary |= {aliases[name] for name in boundary & aliases.keys()}
    taken: set[int] = set()
    found: list[list[int]] = []
    for step in steps:
        mine: set[int] = set()
        # A step that writes blocks of an output makes what the Reorder after it only moves.
        todo = [
            name if name in makers else aliases.get(name, "")
            for name in step.outputs
            if name and not (isinstance(step.operator, Reorder) and step.outputs[0] in makers)
        ]
        while todo:
            maker = makers.get(todo.pop())
            if maker is None or maker in taken:
                continue
            taken.add(maker)
            mine.add(maker)
            todo += [name for name in graph.nodes[maker].inputs if name not in boundary]
        found.append(sorted(mine))
    return found


def plan(session: InferenceSession, types: Types) -> Plan:
    """The graph after the passes with its kernels, and what each pass left of it."""
    ready = prepared(session, types)
    graph = ready.graph
    return Plan(
        target=session.compiler.target.name,
        threads=session.compiler.threads,
        passes=_passes(session.graph, ready),
        steps=ready.steps,
        inputs=graph.inputs,
        outputs=graph.outputs,
        constants=list(graph.constants),
        types={
            name: PlanValue(str(t), graph.lanes.get(name, 0), name in graph.constants)
            for name, t in graph.types.items()
        },
    )


def _passes(model: Graph, ready: Prepared) -> list[PassData]:
    found = [PassData("model", len(model.nodes))]
    graph = ready.stage.graph if ready.stage else model
    for apply in PASSES:
        graph = dead_code(apply(graph))
        found.append(PassData(apply.__name__, len(graph.nodes)))
    return [*found, PassData("blocked_layout", len(ready.graph.nodes))]


def code(session: InferenceSession, calls: Sequence[Call], kind: str) -> dict[str, str]:
    """The text of each kernel by its symbol: 'ir' as we emit it, or 'asm' as LLVM compiles it."""
    target = session.compiler.target
    texts: dict[str, str] = {}
    for kernel in {call.kernel.symbol: call.kernel for call in calls}.values():
        text = kernel.ir(target)
        texts[kernel.symbol] = assembly(text, target) if kind == "asm" else text
    return texts
