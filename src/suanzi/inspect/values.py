"""A run whose every value can be looked at: computed when first asked for, not all kept."""

from __future__ import annotations

import functools
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from suanzi.errors import SuanziError
from suanzi.graph import Graph
from suanzi.graph.control_flow import If
from suanzi.graph.infer import infer
from suanzi.inspect.nodes import find_graph, find_node, named_bodies
from suanzi.operators._operator import Array, TensorType
from suanzi.stages import Stages

if TYPE_CHECKING:
    from suanzi.session import InferenceSession

MOST_BYTES = 1 << 30
"""Of the values inside that a run keeps."""


class Values:
    """What a session makes of some inputs: the outputs at once, what is inside when asked for."""

    def __init__(
        self, session: InferenceSession, feeds: Mapping[str, Any], most_bytes: int = MOST_BYTES
    ) -> None:
        self.session, self.most_bytes = session, most_bytes
        self.feeds = session.check(feeds)
        begin = time.perf_counter()
        session.program(self.feeds)
        self.compile_seconds = time.perf_counter() - begin
        begin = time.perf_counter()
        made = session.run(None, self.feeds)
        self.seconds = time.perf_counter() - begin
        self.outputs = dict(zip(session.graph.outputs, made, strict=True))
        self.graph = specialised(session.graph, self.feeds)
        """The model's graph with the sizes of this run."""
        self._inside: dict[str, Any] = {}
        self._bodies: dict[str, dict[str, Any]] = {}
        self._lock, self._bodies_lock = threading.Lock(), threading.Lock()

    @property
    def names(self) -> list[str]:
        """All values of the graph: inputs, what nodes make, outputs."""
        made = [name for node in self.graph.nodes for name in node.outputs if name]
        return list(dict.fromkeys((*self.graph.inputs, *made)))

    def get(self, name: str) -> Any:
        """A value by its name; an error where the graph has none."""
        for known in (self.feeds, self.outputs, self.graph.constants, self._inside):
            if name in known:
                return known[name]
        if name not in self.graph.types:
            raise SuanziError("the run has no such value", model=self.session.name, found=name)
        with self._lock:
            if name not in self._inside:
                self._compute(name)
            return self._inside[name]

    def array(self, name: str, graph: str = "") -> Array:
        """A value that is a tensor, of the main graph or of a branch that ran."""
        value = self.inside(graph, name)
        if not isinstance(value, np.ndarray):
            kinds = {"list": "a sequence", "dict": "a map"}
            kind = kinds.get(type(value).__name__, "nothing")
            raise SuanziError("not a tensor", input=name, found=kind)
        return value

    def inside(self, graph: str, name: str) -> Any:
        """A value of the branch of an If that ran, by the branch's id; see `nodes`."""
        if not graph:
            return self.get(name)
        with self._bodies_lock:
            if graph not in self._bodies:
                self._bodies = {**self._bodies, graph: self._branch(graph)}
        values = self._bodies[graph]
        if name not in values:
            raise SuanziError("the run has no such value", model=self.session.name, found=name)
        return values[name]

    def _branch(self, id: str) -> dict[str, Any]:
        """All values of a branch, computed from what it captures."""
        at, _, attribute = id.rpartition(".")
        around, _, _ = at.rpartition(".")
        _, node = find_node(self.session.graph, at)
        body = dict(named_bodies(node.operator)).get(attribute)
        if body is None:
            raise SuanziError("the model has no such graph", found=id)
        if not isinstance(node.operator, If):
            raise SuanziError("what is inside a loop isn't kept", node=node.label)
        condition, *captures = (self._held(around, name) for name in node.inputs)
        if node.operator.taken(condition) is not body:
            raise SuanziError("this branch didn't run", node=node.label)
        feeds = dict(zip(body.inputs, captures, strict=True))
        names = [name for each in body.nodes for name in each.outputs if name]
        stages = Stages(body.replace(outputs=tuple(names)), self.session.compiler)
        return {**feeds, **stages.run(feeds)}

    def _held(self, graph: str, name: str) -> Any:
        constants = find_graph(self.session.graph, graph).constants
        if name in constants:
            return constants[name]
        if not graph:
            return self.get(name)
        if graph not in self._bodies:
            self._bodies = {**self._bodies, graph: self._branch(graph)}
        return self._bodies[graph][name]

    def _compute(self, name: str) -> None:
        """All values of the chunk that this one is in, in the place of those before."""
        chunk = next((names for names in self.chunks if name in names), [name])
        graph = self.session.graph.replace(outputs=tuple(chunk))
        try:
            self._inside = Stages(graph, self.session.compiler, at_once=True).run(self.feeds)
        except SuanziError as error:
            raise error.at(model=self.session.name) from None

    @functools.cached_property
    def chunks(self) -> list[list[str]]:
        """The names of what nodes make, in order, so that those of one chunk fit in memory."""
        found: list[list[str]] = [[]]
        size = 0
        for name in (name for node in self.graph.nodes for name in node.outputs if name):
            t = self.graph.types[name]
            size += t.nbytes if t.is_tensor and t.static else 0
            if size > self.most_bytes and found[-1]:
                found.append([])
                size = 0
            found[-1].append(name)
        return found


def specialised(graph: Graph, feeds: Mapping[str, Any]) -> Graph:
    """The graph with the types that its values have for these inputs."""
    types = {}
    for name in graph.inputs:
        value = feeds[name]
        if isinstance(value, np.ndarray) and graph.types[name].is_tensor:
            small = value if value.size <= 1024 else None
            types[name] = TensorType(value.dtype, value.shape, small)
    try:
        return infer(graph, types)
    except SuanziError:  # contents that the data of another run would not have
        return graph


@dataclass(frozen=True)
class Score:
    """One of an output's largest elements. `share`: of all, as softmax has it, or the element
    itself where the output is one already."""

    index: tuple[int, ...]
    value: float
    share: float
    label: str | None


def top(x: Array, count: int = 10, labels: Sequence[str] = ()) -> list[Score] | None:
    """The largest of scores of classes; None where the array isn't a vector of scores.

    >>> [(s.index, s.label) for s in top(np.float32([[0.1, 3, 2]]), 2, ["a", "b", "c"])]
    [((0, 1), 'b'), ((0, 2), 'c')]
    """
    longest = max(x.shape, default=0)
    if x.dtype.kind != "f" or not 2 <= x.size == longest or not np.isfinite(x).all():
        return None
    scores = x.ravel().astype(np.float64)
    if scores.min() >= 0 and abs(scores.sum() - 1) < 1e-2:
        shares = scores
    else:
        shares = np.exp(scores - scores.max())
        shares /= shares.sum()
    return [
        Score(
            tuple(int(k) for k in np.unravel_index(i, x.shape)),
            float(scores[i]),
            float(shares[i]),
            labels[i] if i < len(labels) else None,
        )
        for i in np.argsort(-scores, kind="stable")[:count].tolist()
    ]


LAYOUTS = {0: "scalar", 1: "vector", 2: "matrix", 3: "sequence", 4: "maps"}


def layout(x: Array, weight: bool = False) -> str:
    """How an array is best shown first: image, maps, filters, sequence, matrix, vector, scalar.

    >>> layout(np.zeros((1, 3, 64, 64))), layout(np.zeros((8, 1, 5, 5)), weight=True)
    ('image', 'filters')
    """
    if x.size == 1:
        return "scalar"
    if x.size == max(x.shape):
        return "vector"
    if x.ndim == 4 and weight:
        return "filters"
    if x.ndim == 4 and x.shape[0] == 1 and x.shape[1] in (1, 3) and min(x.shape[2:]) >= 8:
        return "image"
    return LAYOUTS.get(x.ndim, "maps")
