"""suanzi show: what a model is made of, and each stage of its way to machine code."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from suanzi.cli import _print
from suanzi.cli.feeds import OPEN, Feeding
from suanzi.compiler import prepare, site_of
from suanzi.errors import SuanziError
from suanzi.graph import Graph, Node
from suanzi.graph.bodies import bodies_of
from suanzi.graph.infer import infer
from suanzi.kernels import choose
from suanzi.kernels._kernel import Call
from suanzi.operators._operator import TensorType, Value
from suanzi.placement import place
from suanzi.runtime.machine import assembly
from suanzi.session import InferenceSession

if TYPE_CHECKING:
    from suanzi.stages import Stage

STAGES = ("model", "graph", "plan", "ir", "asm")


def main(
    model: str, stage: str, node: str | None, feeding: Feeding, threads: int | None, json: bool
) -> None:
    if stage not in STAGES:
        raise SuanziError("no such stage", expected=", ".join(STAGES), found=stage)
    if node and stage == "model":
        raise SuanziError("--node needs a stage", expected="--stage graph, plan, ir or asm")
    session = InferenceSession(model, threads=threads)
    types = feeding.types(session)
    if stage == "model":
        _model(session, types, json)
        return
    graph, first = _prepared(session, types)
    steps = [_step(session, graph, n) for n in graph.nodes if node in (None, n.name, *n.outputs)]
    later = [row for n, row in _later(first) if node in (None, n.name, *n.outputs)]
    if not steps and not later:
        raise SuanziError(
            "no step has this name after the passes",
            model=session.name,
            found=node,
            hint="suanzi show MODEL --stage graph lists them",
        )
    if stage in ("graph", "plan"):
        free = {graph.nodes[number].outputs[0] for number in place(graph).free}
        rows = [_row(graph, n, calls, n.outputs[0] in free) for n, calls in steps]
        rows += later
        columns = ["step", "operator", "inputs", "output", "layout"]
        if stage == "plan":
            columns = ["step", "kernel", "chunks", "why", "plan"]
        if json:
            _print.data([{column: row[column] for column in columns} for row in rows])
        else:
            _print.table(
                f"{session.name} for {session.compiler.target.name}, "
                f"threads: {session.compiler.threads}, steps: {len(rows)}",
                columns,
                [[_lines(row[column]) for column in columns] for row in rows],
                words=len(columns),
                least=["plan"] if stage == "plan" else ["layout"],
            )
        return
    _code(session, stage, [call for _, calls in steps for call in calls], json)


def _prepared(
    session: InferenceSession, types: Mapping[str, TensorType]
) -> tuple[Graph, Stage | None]:
    """The graph after all passes; where the data decide upon shapes, that of the first stage."""
    compiler = session.compiler
    try:
        if not _static(types):
            return prepare(infer(session.graph, types), compiler.target, compiler.threads), None
        stage = session.stages.split(_zeros(types))
        return prepare(stage.graph, compiler.target, compiler.threads), stage
    except SuanziError as error:
        error.hint = error.hint or (None if _static(types) else OPEN)
        raise error.at(model=session.name) from None


def _step(session: InferenceSession, graph: Graph, node: Node) -> tuple[Node, tuple[Call, ...]]:
    """A node with the calls of kernels that do it."""
    site = site_of(graph, node, session.compiler.target, session.compiler.threads)
    return node, choose(site) or ()


def _row(graph: Graph, node: Node, calls: tuple[Call, ...], free: bool) -> dict[str, object]:
    """What each column holds."""
    if free:
        calls, kernel, why = (), "", "no work: the result lies in the same memory"
    else:
        kernel, why = "NumPy", "no kernel: by its definition"
    outputs = [name for name in node.outputs if name]
    lanes = graph.lanes.get(outputs[0])
    return {
        "step": node.name or outputs[0],
        "operator": node.operator.title,
        "inputs": [name for name in node.inputs if name],
        "output": [graph.types[name] for name in outputs],
        "layout": f"blocks of {lanes}" if lanes else "plain",
        "kernel": [type(call.kernel).__name__ for call in calls] or [kernel],
        "chunks": [call.chunks for call in calls],
        "why": [call.why for call in calls] or [why],
        "plan": [call.kernel for call in calls],
    }


def _later(stage: Stage | None) -> Iterator[tuple[Node, dict[str, object]]]:
    """What follows the first stage's program."""
    if stage is None:
        return
    steps = [(cut.node, cut.step.kernel, cut.step.why) for cut in stage.cuts]
    if stage.rest:
        why = "waits for what the data show: a later stage, compiled for the shapes that it meets"
        steps += [(node, "", why) for node in stage.rest.graph.nodes]
    for node, kernel, why in steps:
        row = _row(stage.graph, node, (), free=False)
        yield node, {**row, "kernel": [kernel], "why": [why]}


def _lines(value: object) -> str:
    return "\n".join(map(str, value)) if isinstance(value, list) else str(value)


def _code(session: InferenceSession, stage: str, calls: list[Call], json: bool) -> None:
    """The IR or the assembly of the kernels, each once."""
    target = session.compiler.target
    texts: dict[str, str] = {}
    for kernel in {call.kernel.symbol: call.kernel for call in calls}.values():
        text = kernel.ir(target)
        texts[kernel.symbol] = assembly(text, target) if stage == "asm" else text
    if not texts:
        raise SuanziError(
            "no kernel does this: it runs by its definition in NumPy", model=session.name
        )
    if json:
        _print.data(texts)
    else:
        print("\n".join(texts.values()))


def _model(session: InferenceSession, types: Mapping[str, TensorType], json: bool) -> None:
    graph = session.graph
    graphs = [graph, *_inside(graph)]
    nodes = [node for each in graphs for node in each.nodes]
    constants = {id(x): x for each in graphs for x in each.constants.values()}
    weights = [x for x in constants.values() if x.dtype.kind in "fV"]
    facts: dict[str, Any] = {
        "model": session.name,
        "producer": session.get_modelmeta().producer_name,
        "opsets": {domain or "ai.onnx": version for domain, version in session.opsets.items()},
        "inputs": {name: str(graph.types[name]) for name in graph.inputs},
        "outputs": {name: str(graph.types[name]) for name in graph.outputs},
        "operators": dict(Counter(node.operator.title for node in nodes).most_common()),
        "nodes": len(nodes),
        "parameters": sum(x.size for x in weights),
        "parameter_bytes": sum(x.nbytes for x in weights),
    }
    if _static(types):
        with _print.working(f"{session.name}: compiling"):
            stage = session.program(_zeros(types))
        facts["steps"] = len(stage.steps)
        facts["macs"] = sum(step.cost.macs for step in stage.steps)
        facts["memory_bytes"] = stage.arena_bytes
    if json:
        _print.data(facts)
        return
    opsets = ", ".join(f"{domain} {version}" for domain, version in facts["opsets"].items())
    _print.line(f"{session.name} by {facts['producer'] or 'an unnamed producer'}, opset {opsets}")
    for kind in ("inputs", "outputs"):
        for name, shape in facts[kind].items():
            _print.line(f"  {kind[:-1]:6} {name}: {shape}")
    print(
        f"{_print.count(facts['parameters'])} parameters, {_print.size(facts['parameter_bytes'])}"
    )
    if "macs" in facts:
        given = ", ".join(f"{name}: {kind}" for name, kind in types.items())
        _print.line(
            f"{_print.count(facts['macs'])} multiply-adds, {_print.size(facts['memory_bytes'])} of "
            f"memory beside the parameters, {facts['steps']} steps for {given}"
        )
    else:
        print(f"Multiply-adds and memory aren't known: a size is open. {OPEN}")
    print()
    _print.table(f"{facts['nodes']} nodes", ["operator", "nodes"], list(facts["operators"].items()))


def _inside(graph: Graph) -> Iterator[Graph]:
    """The bodies of its nodes, and theirs."""
    for node in graph.nodes:
        for body in bodies_of(node.operator):
            yield body
            yield from _inside(body)


def _zeros(types: Mapping[str, TensorType]) -> dict[str, Value]:
    """Tensors of these types that take no memory; the contents of others don't matter here."""
    return {
        name: np.broadcast_to(np.zeros((), t.dtype), t.sizes) if t.is_tensor else None
        for name, t in types.items()
    }


def _static(types: Mapping[str, TensorType]) -> bool:
    return all(kind.static for kind in types.values() if kind.is_tensor)
