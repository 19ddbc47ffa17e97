"""suanzi show: what a model is made of, and each stage of its way to machine code."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from suanzi.cli import _print
from suanzi.cli.feeds import Feeding
from suanzi.errors import SuanziError
from suanzi.graph import Graph
from suanzi.graph.bodies import bodies_of
from suanzi.inspect.feeds import OPEN
from suanzi.inspect.plan import PlanStep, code, prepared, static, zeros
from suanzi.kernels import Precision
from suanzi.operators._operator import TensorType
from suanzi.session import InferenceSession

STAGES = ("model", "graph", "plan", "ir", "asm")


def main(
    model: str,
    stage: str,
    node: str | None,
    feeding: Feeding,
    threads: int | None,
    precision: Precision,
    json: bool,
) -> None:
    if stage not in STAGES:
        raise SuanziError("no such stage", expected=", ".join(STAGES), found=stage)
    if node and stage == "model":
        raise SuanziError("--node needs a stage", expected="--stage graph, plan, ir or asm")
    session = InferenceSession(model, threads=threads, precision=precision)
    types = feeding.types(session)
    if stage == "model":
        _model(session, types, json)
        return
    ready = prepared(session, types)
    steps = [s for s in ready.steps if node in (None, s.name, *s.outputs)]
    if not steps:
        raise SuanziError(
            "no step has this name after the passes",
            model=session.name,
            found=node,
            hint="suanzi show MODEL --stage graph lists them",
        )
    if stage in ("graph", "plan"):
        rows = [_row(step) for step in steps]
        columns = ["step", "operator", "inputs", "output", "layout"]
        if stage == "plan":
            columns = ["step", "kernel", "chunks", "why", "plan"]
        if json:
            _print.data([{column: row[column] for column in columns} for row in rows])
        else:
            _print.table(
                f"{session.name} for {session.compiler.target.name}, "
                f"threads: {session.compiler.threads}, precision: {precision}, steps: {len(rows)}",
                columns,
                [[_lines(row[column]) for column in columns] for row in rows],
                words=len(columns),
                least=["plan"] if stage == "plan" else ["layout"],
            )
        return
    calls = [call for n in ready.step_nodes(node) for call in ready.calls(n)]
    _code(code(session, calls, stage), session.name, json)


def _row(step: PlanStep) -> dict[str, object]:
    """What each column holds."""
    return {**vars(step), "step": step.label, "output": step.types}


def _lines(value: object) -> str:
    return "\n".join(map(str, value)) if isinstance(value, list) else str(value)


def _code(texts: Mapping[str, str], model: str, json: bool) -> None:
    """The IR or the assembly of the kernels, each once."""
    if not texts:
        raise SuanziError("no kernel does this: it runs by its definition in NumPy", model=model)
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
    if static(types):
        with _print.working(f"{session.name}: compiling"):
            stage = session.program(zeros(types))
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
