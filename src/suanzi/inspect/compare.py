"""Two ways of computing a model, value by value: where they part, and by how much."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from suanzi.errors import SuanziError
from suanzi.graph import Graph, Node
from suanzi.graph.bodies import ControlFlow
from suanzi.graph.evaluate import evaluate_node
from suanzi.inspect.peers import PEERS, Source, peer
from suanzi.inspect.values import Values
from suanzi.lang import Target, runnable_targets
from suanzi.operators._operator import Array

if TYPE_CHECKING:
    from suanzi.kernels import Precision
    from suanzi.onnx.cut import Original

Given = Callable[[Sequence[str]], Mapping[str, Any]]
"""The other side: values by their names, of those that it has."""
Progress = Callable[[str, float | None], None]

DEFINITIONS, STRICT, TARGET = "definitions", "strict", "target:"
TOLERANCE = 1e-3
ROUNDING = 8 * float(np.finfo(np.float32).eps)
TINY = 1e-30


@dataclass(frozen=True)
class ValueDifference:
    """One value on both sides. `scale` is the largest magnitude of theirs, `max_rel` the largest
    difference over it; both differences are None where shapes differ, or NaN or infinity is on one
    side alone, which `note` tells. `at`, `ours` and `theirs` are of the largest difference."""

    value: str
    node: str | None
    operator: str
    max_abs: float | None
    max_rel: float | None
    mean_abs: float | None
    scale: float
    at: tuple[int, ...] | None
    ours: float | None
    theirs: float | None
    apart: bool
    note: str


@dataclass(frozen=True)
class ValueComparison:
    """All values, in the graph's order. `first` is the first node whose inputs agree and whose
    results don't, by its number; `worst` that with the largest relative difference. `missing` are
    the values that the other side doesn't have."""

    ours: str
    against: str
    tolerance: float
    values: tuple[ValueDifference, ...]
    first: str | None
    worst: str | None
    missing: tuple[str, ...]


def sides() -> list[str]:
    """What a model can be compared with on this machine, if it is installed."""
    targets = [f"{TARGET}{target.name}" for target in runnable_targets()]
    return [*PEERS, DEFINITIONS, STRICT, *targets]


def compare(
    model: Source, input_feed: Mapping[str, Any], against: str, tolerance: float = TOLERANCE
) -> ValueComparison:
    """Where a model, a path or a file's bytes, parts from another runtime on some inputs.

    >>> from suanzi.data import digits, digits_model
    >>> compare(digits_model(), {"Input3": digits()["7.png"]}, "definitions").first is None
    True
    """
    from suanzi.onnx.cut import Original
    from suanzi.session import InferenceSession

    values = Values(InferenceSession(model), input_feed)
    return compare_values(values, Original(model), against, tolerance)


def compare_values(
    values: Values,
    original: Original,
    against: str,
    tolerance: float = TOLERANCE,
    progress: Progress = lambda note, share: None,
) -> ValueComparison:
    """A run of ours held to another: onnxruntime, openvino, 'definitions' (NumPy in float64),
    'strict' (ours in that precision), or 'target:avx2' and the like. Apart is what differs by more
    than `tolerance` of the value's scale.
    """
    theirs = _side(values, original, against)
    graph = values.graph
    makers = {name: i for i, node in enumerate(graph.nodes) for name in node.outputs if name}
    found: dict[str, ValueDifference] = {}
    missing: list[str] = []
    for number, names in enumerate(values.chunks):
        progress(f"{against}: computing every value", number / len(values.chunks))
        given = theirs(names)
        for name in names:
            if name not in given:
                missing.append(name)
                continue
            node = graph.nodes[makers[name]]
            # What cancels out leaves the rounding of what it was made of.
            scale = max((found[n].scale for n in node.inputs if n in found), default=0.0)
            pair = values.get(name), given[name]
            found[name] = _difference(
                name, str(makers[name]), node, *pair, tolerance, ROUNDING * scale
            )
    parted = {name for name, d in found.items() if d.apart}
    first = next((str(i) for i, node in enumerate(graph.nodes) if _parts_here(node, parted)), None)
    measured = [d for d in found.values() if d.max_rel is not None]
    worst = max(measured, key=lambda d: d.max_rel or 0.0, default=None)
    compiler = values.session.compiler
    return ValueComparison(
        f"suanzi ({compiler.target.name}, {compiler.precision})",
        against,
        tolerance,
        tuple(found.values()),
        first,
        worst.node if worst and worst.max_rel else None,
        tuple(missing),
    )


def _parts_here(node: Node, parted: set[str]) -> bool:
    return not parted.isdisjoint(node.outputs) and parted.isdisjoint(node.inputs)


def _side(values: Values, original: Original, against: str) -> Given:
    session = values.session
    compiler = session.compiler
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


def _difference(
    name: str, number: str, node: Node, ours: Any, theirs: Any, tolerance: float, noise: float
) -> ValueDifference:
    """`noise`: a difference that tells nothing."""

    def told(
        note: str, apart: bool, measured: tuple[float, float, float] | None = None,
        scale: float = 0.0, at: tuple[int, ...] | None = None,
        pair: tuple[float | None, float | None] = (None, None),
    ) -> ValueDifference:  # fmt: skip
        most, relative, mean = measured or (None, None, None)
        title = node.operator.title
        return ValueDifference(
            name, number, title, most, relative, mean, scale, at, *pair, apart, note
        )

    if not isinstance(ours, np.ndarray) or not isinstance(theirs, np.ndarray):
        same = type(ours) is type(theirs) and len(ours or ()) == len(theirs or ())
        return told("not a tensor", not same)
    if ours.shape != theirs.shape:
        return told(f"shapes: {ours.shape} and {theirs.shape}", True)
    if ours.dtype == object or theirs.dtype.kind in "OSU":
        same = ours.astype(str).tolist() == theirs.astype(str).tolist()
        return told("texts", not same)
    a, b = _real(ours), _real(theirs)
    finite = np.isfinite(b)
    scale = float(np.abs(b[finite]).max(initial=0.0))
    other = ~(finite & np.isfinite(a)) & ~((a == b) | (np.isnan(a) & np.isnan(b)))
    if other.any():
        at = tuple(int(i) for i in np.argwhere(other)[0])
        note = f"NaN or infinity on one side alone: {a[at]} and {b[at]}"
        return told(note, True, None, scale, at)
    apart = np.where(finite, np.abs(np.where(finite, a, 0) - np.where(finite, b, 0)), 0)
    if not apart.size:
        return told("empty", False, (0.0, 0.0, 0.0))
    at = tuple(int(i) for i in np.unravel_index(int(apart.argmax()), apart.shape))
    most = float(apart[at])
    measured = (most, most / max(scale, TINY), float(apart.mean()))
    return told(
        "",
        most > max(tolerance * scale, noise, TINY),
        measured,
        scale,
        at,
        (float(a[at]), float(b[at])),
    )


def _real(x: Array) -> Array:
    return np.abs(x).astype(np.float64) if x.dtype.kind == "c" else x.astype(np.float64)
