"""What a model's values can be held to: another runtime, our own definitions, other plans of ours,
tensors that were saved, PyTorch's exported program."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from suanzi.errors import SuanziError
from suanzi.graph import Graph, Node
from suanzi.graph.bodies import ControlFlow
from suanzi.graph.evaluate import evaluate_node
from suanzi.inspect.peers import PEERS, peer
from suanzi.inspect.saved import saved_values
from suanzi.inspect.values import Values
from suanzi.lang import Target, runnable_targets

if TYPE_CHECKING:
    from suanzi.kernels import Precision
    from suanzi.onnx.cut import Original

Given = Callable[[Sequence[str]], Mapping[str, Any]]
"""The other side: values by their names, of those that it has."""

DEFINITIONS, STRICT, TARGET, PROGRAM = "definitions", "strict", "target:", ".pt2"


def sides() -> list[str]:
    """What a model can be compared with on this machine, if it is installed."""
    targets = [f"{TARGET}{target.name}" for target in runnable_targets()]
    return [*PEERS, DEFINITIONS, STRICT, *targets]


def recorded(against: str) -> bool:
    """Whether the other side is values alone, and runs nothing."""
    return against.endswith((".npz", PROGRAM)) or Path(against).is_dir()


def by_name(known: Mapping[str, Any]) -> Given:
    return lambda names: {name: known[name] for name in names if name in known}


def side(values: Values, original: Original, against: str) -> Given:
    """The other side by its name; see `compare_values`."""
    session = values.session
    compiler = session.compiler
    if against.endswith(PROGRAM):
        from suanzi.inspect.torch_program import program_values

        return by_name(program_values(Path(against), values))
    if against.endswith(".npz") or Path(against).is_dir():
        return by_name(saved_values(Path(against), values))
    if against == DEFINITIONS:
        return Definitions(values)
    if against == STRICT:
        return _otherwise(values, original, compiler.target, "strict")
    if against.startswith(TARGET):
        name = against.removeprefix(TARGET)
        target = next((t for t in runnable_targets() if t.name == name), None)
        if target is None:
            known = ", ".join(t.name for t in runnable_targets())
            raise SuanziError("this machine runs no such target", expected=known, found=name)
        return _otherwise(values, original, target, compiler.precision)
    make = peer(against)

    def run(names: Sequence[str]) -> dict[str, Any]:
        model, outputs = original.with_outputs(names)
        wanted = set(names)
        try:
            results = make(model, compiler.threads)(values.feeds)
        except Exception as error:
            raise SuanziError(f"{against} can't run it: {error}", model=session.name) from error
        return {n: x for n, x in zip(outputs, results, strict=True) if n in wanted}

    return run


def _otherwise(values: Values, original: Original, target: Target, precision: Precision) -> Given:
    """The same session for another target or in another precision."""
    session = values.session
    threads = session.compiler.threads
    other = type(session)(original.proto, threads=threads, target=target, precision=precision)
    other.name = session.name
    made = Values(other, values.feeds, values.most_bytes)
    return lambda names: {name: made.get(name) for name in names}


class Definitions:
    """Every operator by its definition in NumPy, real numbers in float64; asked for values in
    the graph's order, it keeps no more than it still needs."""

    def __init__(self, values: Values) -> None:
        graph = self.graph = values.graph
        self.known: dict[str, Any] = {
            name: _wide(x) for name, x in {**graph.constants, **values.feeds}.items()
        }
        self.readers = Counter(name for node in graph.nodes for name in set(node.inputs))
        self.next = 0

    def __call__(self, names: Sequence[str]) -> dict[str, Any]:
        wanted, found = set(names), {}
        while wanted and self.next < len(self.graph.nodes):
            node = self.graph.nodes[self.next]
            self.next += 1
            for name, value in self._run(node).items():
                self.known[name] = value
                if name in wanted:
                    found[name] = value
                    wanted.discard(name)
            for name in set(node.inputs):
                self.readers[name] -= 1
                if not self.readers[name]:
                    self.known.pop(name, None)
        return found

    def _run(self, node: Node) -> dict[str, Any]:
        inputs = [self.known[name] if name else None for name in node.inputs]
        narrow = [_narrow(self.graph, n, x) for n, x in zip(node.inputs, inputs, strict=True)]
        tries = [narrow] if isinstance(node.operator, ControlFlow) else [inputs, narrow]
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            for i, given in enumerate(tries):
                try:
                    made = evaluate_node(node, given)
                    break
                except SuanziError:  # some definitions take only the types that they are given
                    if i == len(tries) - 1:
                        raise
        return {n: _wide(x) for n, x in zip(node.outputs, made, strict=False) if n}


def _wide(x: Any) -> Any:
    real = isinstance(x, np.ndarray) and x.dtype in (np.float32, np.float16)
    return x.astype(np.float64) if real else x


def _narrow(graph: Graph, name: str, x: Any) -> Any:
    """The value in the type that the graph gives it."""
    t = graph.types.get(name)
    wide = isinstance(x, np.ndarray) and t is not None and t.is_tensor and x.dtype == np.float64
    return x.astype(t.dtype) if wide and t else x
