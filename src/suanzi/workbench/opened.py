"""An opened model in its worker process: every request about it is a method here."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Mapping
from typing import Any, Literal
from urllib.parse import quote

import numpy as np

from suanzi.errors import SuanziError
from suanzi.graph import Graph
from suanzi.graph.infer import infer
from suanzi.inspect.compare import compare_values
from suanzi.inspect.diff import diff
from suanzi.inspect.extract import extract
from suanzi.inspect.feeds import input_types
from suanzi.inspect.model import describe
from suanzi.inspect.model import sizes as model_sizes
from suanzi.inspect.node import node_detail
from suanzi.inspect.nodes import at_batch_one, find_graph, find_node, is_weight
from suanzi.inspect.plan import Prepared, code, plan, prepared, static
from suanzi.inspect.receptive import receptive_field
from suanzi.inspect.statistics import brief
from suanzi.inspect.values import Values, top
from suanzi.onnx.cut import Original
from suanzi.operators._operator import Array, TensorType
from suanzi.session import InferenceSession
from suanzi.workbench import tensors
from suanzi.workbench.messages import MissingError, Reply, reply, sizes, take
from suanzi.workbench.specs import File, feeds_of, file_of

Progress = Callable[[str, float | None], None]
Source = str | bytes
Theme = Literal["light", "dark", "auto"]

MOST_RUNS = 6
"""Runs whose values are kept; the oldest goes first, and is run again when asked for."""


class Opened:
    """A model, the files sent for its inputs, and its runs.

    Methods without an underscore answer requests; what may take long says how far it is.
    """

    def __init__(self, source: Source, name: str, threads: int | None = None) -> None:
        self.source, self.name = source, name
        self.session = InferenceSession(source, threads=threads)
        self.session.name = name
        self.files: dict[str, File] = {}
        self.specs: dict[str, Any] = {}
        """What was run, by the run's name: enough to run it again."""
        self.runs: dict[str, Values] = {}
        self.previews: dict[str, Array] = {}
        self._lock = threading.RLock()

    @property
    def graph(self) -> Graph:
        return self.session.graph

    @functools.cached_property
    def original(self) -> Original:
        return Original(self.source)

    # The model

    def document(self) -> Reply:
        return reply(describe(self.session))

    def node(self, id: str, run: str | None = None) -> Reply:
        types = self._types(run)
        steps = self._prepared(types).steps if types and static(types) else None
        return reply(node_detail(self.session, id, self.original, steps))

    def figure(
        self, id: str, kind: str | None, step: int | None, theme: Theme, parameters: Any
    ) -> Reply:
        """The operator's figure with this node's attributes, drawn at a step."""
        from suanzi.atlas.figures import names  # when they are asked for: a model opens sooner
        from suanzi.atlas.figures.nodes import node_figure
        from suanzi.atlas.svg import svg

        graph, node = find_node(self.graph, id)
        if not isinstance(parameters, dict):
            raise SuanziError("parameters are by name", input="parameters", expected="an object")
        kinds = names(type(node.operator).__name__)
        if not kinds:
            return reply({"figures": []})
        weights = graph.types.get(node.inputs[1]) if len(node.inputs) > 1 else None
        shape = weights.sizes if weights is not None and weights.static else None
        scene = node_figure(node.operator, shape, kind, parameters)
        shown = None if not scene.steps else min(max(0, step or 0), len(scene.steps) - 1)
        return reply(
            {
                "figures": [{"id": id, "title": title} for id, title in kinds],
                "figure": scene.figure,
                "steps": len(scene.steps),
                "controls": scene.controls,
                "text": None if shown is None else scene.steps[shown].text,
                "svg": svg(scene, shown, theme),
            }
        )

    def code(self, id: str, stage: str, run: str | None = None) -> Reply:
        if stage not in ("ir", "asm"):
            raise SuanziError("no such stage", expected="ir or asm", found=stage)
        find_node(self.graph, id)
        types = self._types(run)
        if not types or not static(types):
            raise SuanziError("the sizes of the inputs are open", hint="Run the model first")
        ready = self._prepared(types)
        wanted = {step.id for step in ready.steps if id in step.nodes}
        calls = [
            call
            for node in ready.graph.nodes
            if not wanted.isdisjoint(node.outputs)
            for call in ready.calls(node)
        ]
        texts = code(self.session, calls, stage)
        return reply({"kernels": [{"symbol": s, "text": t} for s, t in texts.items()]})

    def sizes(self, request: Any) -> Reply:
        return reply(model_sizes(self.graph, input_types(self.session, *sizes(request))))

    def plan(self, request: Any) -> Reply:
        return reply(plan(self.session, input_types(self.session, *sizes(request))))

    def _types(self, run: str | None) -> dict[str, TensorType]:
        """The inputs' types in a run, else those that are there with a batch of one."""
        if run is None:
            graph = at_batch_one(self.graph)
            return {name: graph.types[name] for name in graph.inputs}
        feeds = self._run(run).feeds
        return {
            name: TensorType(x.dtype, x.shape) if isinstance(x, np.ndarray) else declared
            for name, x in feeds.items()
            if (declared := self.graph.types[name])
        }

    def _prepared(self, types: Mapping[str, TensorType]) -> Prepared:
        key = tuple(str(t) for t in types.values())
        with self._lock:
            if getattr(self, "_last", (None,))[0] != key:
                self._last = (key, prepared(self.session, types))
            return self._last[1]

    # Inputs and runs

    def add_file(self, id: str, name: str, contents: bytes) -> Reply:
        file = File(name, contents)
        told = reply({"file": id, **file.describe()})
        self.files[id] = file
        return told

    def preview(self, request: Any) -> Reply:
        name = take(request, "input", str)
        made = feeds_of(self.session, take(request, "spec", dict), self.files, only=name)
        if name not in made:
            raise MissingError("the model has no such input", found=name)
        value = made[name]
        if not isinstance(value, np.ndarray):
            raise SuanziError("not a tensor", input=name)
        self.previews[f"preview {name}"] = value
        return reply(
            {"run": f"preview {name}", "value": name, "info": tensors.info(name, value, False)}
        )

    def remember(self, run: str, spec: Any) -> Reply:
        """Takes over a run of a worker before this one, to be run again when asked for."""
        self.specs[run] = spec
        return reply({})

    def run(self, progress: Progress, run: str, spec: Any, name: str) -> Reply:
        progress("making the inputs", None)
        labels = file_of(self.files, spec, "labels").labels() if spec.get("labels") else []
        feeds = feeds_of(self.session, spec, self.files)
        progress("compiling and running", None)
        values = Values(self.session, feeds)
        self.specs[run] = spec
        self._keep(run, values)
        return reply(
            {
                "run": run,
                "name": name,
                "seconds": values.seconds,
                "compile_seconds": values.compile_seconds,
                "spec": spec,
                "types": {
                    key: {"type": _type(t), "shape": None if t.shape is None else list(t.shape)}
                    for key, t in values.graph.types.items()
                },
                "inputs": [_output(key, values.feeds[key], [], False) for key in values.feeds],
                "outputs": [
                    _output(key, value, labels, True) for key, value in values.outputs.items()
                ],
            }
        )

    def _run(self, run: str) -> Values:
        """The values of a run, which is run again if it has been given up."""
        with self._lock:
            if run not in self.runs:
                if run not in self.specs:
                    raise MissingError("there is no such run", model=self.name, found=run)
                feeds = feeds_of(self.session, self.specs[run], self.files)
                self._keep(run, Values(self.session, feeds))
            return self.runs[run]

    def _keep(self, run: str, values: Values) -> None:
        with self._lock:
            while len(self.runs) >= MOST_RUNS:
                del self.runs[next(iter(self.runs))]
            self.runs[run] = values

    def statistics(self, progress: Progress, run: str) -> Reply:
        values = self._run(run)
        progress("computing every value", None)
        found = {}
        names = values.names
        for i, name in enumerate(names):
            value = values.get(name)
            if isinstance(value, np.ndarray):
                found[name] = brief(value)
            if i % 64 == 0:
                progress("summing up", i / len(names))
        return reply({"values": found})

    def profile(self, progress: Progress, run: str, rounds: int) -> Reply:
        values = self._run(run)
        progress(f"{rounds} runs, each step timed", None)
        return reply(self.session.profile(values.feeds, rounds).to_dict())

    # What a run is held to, and other models

    def compare(self, progress: Progress, run: str, against: str, tolerance: float) -> Reply:
        values = self._run(run)
        return reply(compare_values(values, self.original, against, tolerance, progress))

    def diff(self, progress: Progress, other: Source, name: str) -> Reply:
        progress(f"reading {name}", None)
        theirs = InferenceSession(other)
        return reply(diff(self.graph, theirs.graph, (self.name, name)))

    def receptive(self, request: Any) -> Reply:
        run = take(request, "run", str, None)
        if run is None:
            types = input_types(self.session, *sizes(request))
            graph, known = infer(self.graph, types), {}
        else:
            values = self._run(run)
            graph, known = values.graph, {**values.feeds, **values.outputs}
        box = take(request, "box", list)
        if not all(
            isinstance(side, list) and all(isinstance(end, int) for end in side) for side in box
        ):
            raise SuanziError("the request isn't understood", expected="box as [[from, to], ...]")
        return reply(receptive_field(graph, take(request, "value", str), box, known))

    def extract(self, request: Any) -> Reply:
        nodes = take(request, "nodes", list, [])
        if not all(isinstance(id, str) and id.isdecimal() for id in nodes):
            raise SuanziError("only nodes of the main graph can be cut out")
        inputs, outputs = (take(request, key, list, []) for key in ("inputs", "outputs"))
        if not all(isinstance(name, str) for name in (*inputs, *outputs)):
            raise SuanziError("the request isn't understood", expected="names of values")
        numbers = [int(id[:9]) for id in nodes]
        made = extract(self.graph, self.original, inputs, outputs, numbers)
        stem = self.name.removesuffix(".onnx")
        disposition = f"attachment; filename*=UTF-8''{quote(stem)}-part.onnx"
        return Reply(made, "application/octet-stream", (("Content-Disposition", disposition),))

    # Tensors

    def _tensor(self, value: str, run: str | None, graph: str) -> tuple[Array, bool]:
        """A value's contents, and whether it is a weight."""
        if run in self.previews:
            return self.previews[run], False
        constants = find_graph(self.graph, graph).constants
        if value in constants:
            return constants[value], is_weight(constants[value])
        if run is None:
            raise MissingError("there is no such constant", model=self.name, found=value)
        return self._run(run).array(value, graph), False

    def tensor_info(self, value: str, run: str | None, graph: str) -> Reply:
        return reply(tensors.info(value, *self._tensor(value, run, graph)))

    def tensor_statistics(
        self, value: str, run: str | None, graph: str, bins: int, axis: int | None
    ) -> Reply:
        return tensors.statistics(value, self._tensor(value, run, graph)[0], bins, axis)

    def tensor_data(self, value: str, run: str | None, graph: str, index: str, kind: str) -> Reply:
        return tensors.contents(self._tensor(value, run, graph)[0], index, kind)

    def tensor_text(self, value: str, run: str | None, graph: str, index: str) -> Reply:
        return tensors.text(self._tensor(value, run, graph)[0], index)

    def tensor_file(self, value: str, run: str | None, graph: str) -> Reply:
        return tensors.file(value, self._tensor(value, run, graph)[0])


def _type(t: TensorType) -> str:
    return str(t).replace("object", "string") if t.is_tensor else str(t)


def _output(name: str, value: Any, labels: list[str], scores: bool) -> dict[str, Any]:
    """An input or output of a run; the largest elements where it holds scores of classes."""
    if not isinstance(value, np.ndarray):
        kind = {"list": "sequence", "dict": "map"}.get(type(value).__name__, "none")
        written = repr(value)
        return {
            "value": name, "type": kind, "shape": None, "info": None, "text": written[:10_000]
        }  # fmt: skip
    told: dict[str, Any] = {
        "value": name,
        "type": _type(TensorType(value.dtype, value.shape)),
        "shape": value.shape,
        "info": tensors.info(name, value, False),
    }
    if scores and (best := top(value, 10, labels)):
        told["top"] = best
    if value.dtype == object:
        told["text"] = "\n".join(map(str, value.ravel()[:1000]))
    return told
