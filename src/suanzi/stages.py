"""Graphs that the data decide upon: run in stages, each compiled for what the ones before made.

A stage is a program of all nodes whose types are known, and the cuts after it: nodes whose results'
shapes only the data show, that run other graphs, or that handle sequences, optionals or texts. The
cuts run by their definitions; then the types of the rest are known, and it is the next stage.

To compile takes longer than a few small definitions, and shapes that data made may never come back.
So what follows a cut, and a body of control flow, runs by its definitions when it first meets some
shapes, unless that is much work, and is compiled when it meets them again.
"""

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from suanzi.compiler import Compiler
from suanzi.errors import SuanziError
from suanzi.graph import Graph, Node
from suanzi.graph.bodies import ControlFlow, bodies_of
from suanzi.graph.evaluate import naming
from suanzi.graph.infer import infer
from suanzi.graph.memory import require_memory
from suanzi.graph.passes.control_flow import control_flow
from suanzi.graph.passes.dead_code import dead_code
from suanzi.graph.passes.fold_constants import fold_constants
from suanzi.operators._operator import Array, TensorType, Value
from suanzi.program import NO_COST, Program, Step, Taken

MOST_PROGRAMS = 64  # of one graph, for as many combinations of input shapes; the oldest goes first
MUCH = 10_000_000
"""Multiply-adds and bytes of a node, on average, that its definition takes as long for as compiling
it: some 10 ms."""

Timings = list[tuple[Step, Taken]]
"""Steps in the order in which they ran, and when."""


class Stages:
    """A graph, run for inputs of any shapes; what is compiled for some is kept.

    Any number of threads may use it at once.
    """

    def __init__(self, graph: Graph, compiler: Compiler, at_once: bool = False) -> None:
        self.graph, self.compiler = graph, compiler
        self.at_once = at_once
        """Whether new shapes are compiled for when first met, however little the work."""
        self._made: dict[Any, Stage] = {}
        self._lock = threading.Lock()

    def at(self, feeds: Mapping[str, Any]) -> "Stage":
        """The first stage for inputs of these shapes, made or compiled now if it is due."""
        key = tuple([getattr(feeds[name], "shape", None) for name in self.graph.inputs])
        stage = self._made.get(key)
        if stage is None or stage.program is None:
            with self._lock:
                stage = self._made.pop(key, None)
                again = stage is not None
                stage = stage or self.split(feeds)
                if stage.program is None and (again or self.at_once or stage.is_much):
                    stage = replace(stage, program=self.compiler.compile(stage.graph))
                while len(self._made) >= MOST_PROGRAMS:
                    del self._made[next(iter(self._made))]
                self._made[key] = stage
        return stage

    def split(self, feeds: Mapping[str, Any]) -> "Stage":
        """The first stage for inputs of these shapes, not compiled."""
        return _stage(_specialised(self.graph, feeds), self.compiler)

    def run(self, feeds: Mapping[str, Any], timings: Timings | None = None) -> dict[str, Any]:
        """The outputs by name; what each step took is added to `timings`."""
        stages: Stages | None = self
        outputs: dict[str, Any] = {}
        while stages is not None:
            stage = stages.at(feeds)
            feeds = stage.run(feeds, timings)
            for name in stage.outputs:
                outputs[name] = feeds[name]
            stages = stage.rest
        return outputs


@dataclass(frozen=True)
class Stage:
    """Nodes whose types are known, the cuts after them, and the rest of the graph."""

    graph: Graph
    """The nodes that a program can hold."""
    definitions: tuple["Cut", ...]
    """The same nodes, each by itself: they run while there is no program."""
    cuts: tuple["Cut", ...]
    outputs: tuple[str, ...]
    """Those of the whole graph's outputs that are there after this stage."""
    constants: Mapping[str, Array]
    """Outputs that are constants, where no program gives them."""
    rest: Stages | None
    program: Program | None = None

    @property
    def is_much(self) -> bool:
        """Whether compiling the nodes takes no longer than their definitions."""
        costs = [cut.step.cost for cut in self.definitions]
        work = sum(cost.macs + cost.read + cost.written for cost in costs)
        return work > MUCH * len(costs)

    def run(self, feeds: Mapping[str, Any], timings: Timings | None = None) -> dict[str, Any]:
        """All values that are there afterwards; outputs share no memory with feeds or constants."""
        values, cuts = {**self.constants, **feeds}, self.cuts
        made: Mapping[str, Any] = {}
        if self.program is None:
            cuts = (*self.definitions, *cuts)
        elif timings is None:
            made = self.program.run(feeds)
        else:
            made, times = self.program.run_timed(feeds)
            timings.extend(zip(self.program.steps, times, strict=True))
        values.update(made)
        for cut in cuts:
            start = time.perf_counter_ns()
            results = cut.run(values)
            taken = Taken.alone(start)
            if timings is not None:
                shape = getattr(next(iter(results.values())), "shape", ())
                step = replace(cut.step, shape=shape)
                timings.append((step, taken))
            values.update(results)
        for name in self.outputs:
            if name not in made and isinstance(values[name], np.ndarray):
                values[name] = values[name].copy()  # a definition may give a view
        return values

    @property
    def steps(self) -> tuple[Step, ...]:
        first = self.program.steps if self.program else [cut.step for cut in self.definitions]
        return (*first, *(cut.step for cut in self.cuts))

    @property
    def arena_bytes(self) -> int:
        return self.program.arena_bytes if self.program else 0


@dataclass(frozen=True)
class Cut:
    """A node that runs by its definition, its bodies as stages of their own."""

    node: Node
    step: Step
    constants: Mapping[str, Array]
    """Those that it reads."""
    bodies: Mapping[int, Stages]
    """By the id of each body."""

    def run(self, values: Mapping[str, Any]) -> dict[str, Any]:
        operator = self.node.operator
        known = self.constants
        inputs = [
            (known[name] if name in known else values[name]) if name else None
            for name in self.node.inputs
        ]
        with naming(self.node):
            if isinstance(operator, ControlFlow):
                made = operator.run(self._run_body, *inputs)
            else:
                self._require_memory(inputs)
                made = operator.numpy_all(inputs)
            named = zip(self.node.outputs, made, strict=False)
            return {name: _whole(value) for name, value in named if name}

    def _require_memory(self, inputs: Sequence[Value]) -> None:
        """An error for results that the data want larger than the memory."""
        types = [TensorType.of(x) if isinstance(x, np.ndarray) else None for x in inputs]
        if any(x is not None and t is None for x, t in zip(inputs, types, strict=True)):
            return  # sequences hold what is there already
        made = self.node.operator.infer(*types)
        for t in made if isinstance(made, tuple) else (made,):
            if t.static:
                require_memory(t.nbytes, "its output")

    def _run_body(self, body: Graph, values: Sequence[Value]) -> Sequence[Any]:
        feeds = {name: _whole(value) for name, value in zip(body.inputs, values, strict=True)}
        made = self.bodies[id(body)].run(feeds)
        return [made[name] for name in body.outputs]


def _whole(value: Any) -> Any:
    """An array as programs read it: in one piece."""
    return np.require(value, requirements=("C", "A")) if isinstance(value, np.ndarray) else value


def _specialised(graph: Graph, feeds: Mapping[str, Any]) -> Graph:
    """The graph for inputs of these shapes, with the types of all values."""

    def type_of(name: str) -> TensorType:
        value, declared = feeds[name], graph.types.get(name)
        if isinstance(value, np.ndarray) and (declared is None or declared.is_tensor):
            return TensorType(value.dtype, value.shape)
        if declared is None:
            raise SuanziError("the type of a sequence or optional must be declared", input=name)
        return declared

    typed = infer(graph.replace(types={name: type_of(name) for name in graph.inputs}))
    if all(_compiles(typed, node) for node in typed.nodes):
        return typed
    return dead_code(fold_constants(control_flow(typed)))


def _compiles(graph: Graph, node: Node) -> bool:
    """Whether a program can hold the node."""
    values = filter(None, (*node.inputs, *node.outputs))
    return not isinstance(node.operator, ControlFlow) and all(
        _is_native(graph.types[name]) for name in values
    )


def _is_native(t: TensorType) -> bool:
    """Whether a value of the type is bytes whose number is known."""
    return t.static and t.dtype != object


def _is_settled(graph: Graph, node: Node) -> bool:
    """Whether a cut stays one however much is known of its inputs' shapes."""
    values = filter(None, (*node.inputs, *node.outputs))
    return isinstance(node.operator, ControlFlow) or any(
        graph.types[name].dtype == object for name in values
    )


def _stage(graph: Graph, compiler: Compiler) -> Stage:
    """The first stage of a graph whose inputs' types are known."""
    compiled: list[Node] = []
    cuts: list[Node] = []
    later: list[Node] = []
    there = {*graph.inputs, *graph.constants}
    native = {name for name in there if _is_native(graph.types[name])}
    copied = native.intersection(graph.outputs)  # inputs and constants that are outputs too
    for node in graph.nodes:
        inputs, made = set(filter(None, node.inputs)), set(filter(None, node.outputs))
        if native >= inputs and _compiles(graph, node):
            compiled.append(node)
            native |= made
        elif there >= inputs and (native >= inputs or _is_settled(graph, node)):
            cuts.append(node)
        else:
            later.append(node)
            continue
        there |= made
    read = {name for node in (*cuts, *later) for name in node.inputs}
    results = {name for node in compiled for name in node.outputs if name}
    wanted = sorted(copied | (results & (read | set(graph.outputs))))
    part = graph.replace(
        inputs=tuple(name for name in graph.inputs if name in native),
        outputs=tuple(wanted),
        nodes=tuple(compiled),
        constants={name: x for name, x in graph.constants.items() if name in native},
    )
    outputs = tuple(name for name in graph.outputs if name in there)
    return Stage(
        part,
        tuple(_cut(graph, node, compiler) for node in compiled),
        tuple(_cut(graph, node, compiler) for node in cuts),
        outputs,
        {name: graph.constants[name] for name in outputs if name in graph.constants},
        Stages(_rest(graph, later, there), compiler) if later else None,
    )


def _rest(graph: Graph, nodes: Sequence[Node], there: set[str]) -> Graph:
    """The graph of the nodes that wait for what the stage makes."""
    read = dict.fromkeys(name for node in nodes for name in node.inputs)
    inputs = tuple(name for name in read if name in there and name not in graph.constants)
    return graph.replace(
        inputs=inputs,
        outputs=tuple(name for name in graph.outputs if name not in there),
        nodes=tuple(nodes),
        constants={name: x for name, x in graph.constants.items() if name in read},
        types={name: graph.types[name] for name in inputs},
    )


def _cut(graph: Graph, node: Node, compiler: Compiler) -> Cut:
    types, cost = graph.input_types(node), NO_COST
    bodies = {id(body): Stages(body, compiler) for body in bodies_of(node.operator)}
    if bodies:
        kernel, why = "bodies", "its bodies run as programs of their own"
    elif _compiles(graph, node):
        kernel, why = "NumPy", "the first run with these shapes: by its definition in NumPy"
        cost = node.operator.cost(*types)
    else:
        kernel, why = "NumPy", "only the data show its result's shape: by its definition in NumPy"
    constants = {name: graph.constants[name] for name in node.inputs if name in graph.constants}
    return Cut(node, Step(node, types, kernel, why, cost=cost), constants, bodies)
