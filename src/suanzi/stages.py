"""Graphs that the data decide upon: run in stages, each compiled for what the ones before made.

A stage is a program of all nodes whose types are known, and the cuts after it: nodes whose results'
shapes only the data show, that run other graphs, or that handle sequences, optionals or texts. The
cuts run by their definitions; then the types of the rest are known, and it is the next stage.
"""

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from suanzi.compiler import Compiler
from suanzi.errors import SuanziError
from suanzi.graph import Graph, Node
from suanzi.graph.bodies import ControlFlow
from suanzi.graph.evaluate import naming
from suanzi.graph.infer import infer
from suanzi.graph.memory import require_memory
from suanzi.graph.passes.control_flow import control_flow
from suanzi.graph.passes.dead_code import dead_code
from suanzi.graph.passes.fold_constants import fold_constants
from suanzi.operators._operator import Array, TensorType, Value
from suanzi.program import Program, Step

MOST_PROGRAMS = 64  # of one graph, for as many combinations of input shapes; the oldest goes first

Timings = list[tuple[Step, int]]
"""Steps in the order in which they ran, and the nanoseconds of each."""


class Stages:
    """A graph, run for inputs of any shapes; what is compiled for some is kept.

    Any number of threads may use it at once.
    """

    def __init__(self, graph: Graph, compiler: Compiler) -> None:
        self.graph, self.compiler = graph, compiler
        self._made: dict[Any, Stage] = {}
        self._lock = threading.Lock()

    def at(self, feeds: Mapping[str, Any]) -> "Stage":
        """The first stage for inputs of these shapes, compiled now if it is the first time."""
        key = tuple(getattr(feeds[name], "shape", None) for name in self.graph.inputs)
        stage = self._made.get(key)
        if stage is None:
            with self._lock:
                stage = self._made.get(key)
                if stage is None:
                    stage = _stage(_specialised(self.graph, feeds), self.compiler)
                    while len(self._made) >= MOST_PROGRAMS:
                        del self._made[next(iter(self._made))]
                    self._made[key] = stage
        return stage

    def run(self, feeds: Mapping[str, Any], timings: Timings | None = None) -> dict[str, Any]:
        """The outputs by name; what each step took is added to `timings`."""
        stages: Stages | None = self
        outputs: dict[str, Any] = {}
        while stages is not None:
            stage = stages.at(feeds)
            feeds = stage.run(feeds, timings)
            outputs.update((name, feeds[name]) for name in stage.outputs)
            stages = stage.rest
        return outputs


@dataclass(frozen=True)
class Stage:
    """A program, the cuts after it, and the rest of the graph."""

    program: Program
    outputs: tuple[str, ...]
    """Those of the graph's outputs that this stage makes."""
    constants: Mapping[str, Array]
    """What the cuts read."""
    cuts: tuple["Cut", ...]
    rest: Stages | None

    def run(self, feeds: Mapping[str, Any], timings: Timings | None = None) -> dict[str, Any]:
        """All values that are there afterwards."""
        if timings is None:
            made = self.program.run(feeds)
        else:
            made, times = self.program.run_timed(feeds)
            timings.extend(zip(self.program.steps, times.tolist(), strict=True))
        values = {**self.constants, **feeds, **made}
        for cut in self.cuts:
            start = time.perf_counter_ns()
            results = cut.run(values)
            if timings is not None:
                shape = getattr(next(iter(results.values())), "shape", ())
                step = replace(cut.step, shape=shape)
                timings.append((step, time.perf_counter_ns() - start))
            values.update(results)
        return values

    @property
    def steps(self) -> tuple[Step, ...]:
        return (*self.program.steps, *(cut.step for cut in self.cuts))

    @property
    def arena_bytes(self) -> int:
        return self.program.arena_bytes


@dataclass(frozen=True)
class Cut:
    """A node that runs by its definition, its bodies as stages of their own."""

    node: Node
    step: Step
    bodies: Mapping[int, Stages]
    """By the id of each body."""

    def run(self, values: Mapping[str, Any]) -> dict[str, Any]:
        operator = self.node.operator
        inputs = [values[name] if name else None for name in self.node.inputs]
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
    program = compiler.compile(
        graph.replace(
            inputs=tuple(name for name in graph.inputs if name in native),
            outputs=tuple(wanted),
            nodes=tuple(compiled),
            constants={name: x for name, x in graph.constants.items() if name in native},
        )
    )
    outputs = tuple(name for name in graph.outputs if name in there)
    return Stage(
        program,
        outputs,
        {name: x for name, x in graph.constants.items() if name in read or name in outputs},
        tuple(_cut(graph, node, compiler) for node in cuts),
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
    types = graph.input_types(node)
    held = [getattr(node.operator, field.name) for field in fields(node.operator)]
    bodies = {id(body): Stages(body, compiler) for body in held if isinstance(body, Graph)}
    if bodies:
        kernel, why = "bodies", "its bodies run as programs of their own"
    else:
        kernel, why = "NumPy", "only the data show its result's shape: by its definition in NumPy"
    return Cut(node, Step(node, types, kernel, why), bodies)
