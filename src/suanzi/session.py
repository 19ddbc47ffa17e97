"""InferenceSession: a model compiled for the shapes it is given, behind onnxruntime's names."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from suanzi.compiler import Compiler
from suanzi.errors import SuanziError
from suanzi.graph import Graph
from suanzi.graph.infer import infer
from suanzi.graph.pipeline import optimize
from suanzi.lang import Target, host_target
from suanzi.operators._operator import Array, Dim, TensorType
from suanzi.program import Program
from suanzi.runtime.cache import ObjectCache
from suanzi.runtime.threads import default_threads

if TYPE_CHECKING:
    from onnx import ModelProto

    from suanzi.inspect.profile import Profile
    from suanzi.onnx import ModelMetadata

T = TypeVar("T")
MOST_PROGRAMS = 64  # for as many combinations of input shapes; the oldest goes first


@dataclass(frozen=True)
class NodeArg:
    """An input or output: its name, its element type as onnxruntime writes it, its shape."""

    name: str
    type: str
    shape: list[Dim]


class InferenceSession:
    """Runs an ONNX model.

    `model` is a path, a file's bytes or an onnx.ModelProto; `threads` how many threads a run may
    use (SUANZI_THREADS, else all of the process's cores). The first run with inputs of new shapes
    compiles a program for them, which is kept; compiled kernels are kept across processes too.
    Any number of threads may use a session at once.

    >>> from suanzi.data import digits_model
    >>> session = InferenceSession(digits_model())
    >>> [(i.name, i.type, i.shape) for i in session.get_inputs()]
    [('Input3', 'tensor(float)', [1, 1, 28, 28])]
    >>> (scores,) = session.run(None, {"Input3": np.zeros((1, 1, 28, 28), np.float32)})
    >>> scores.shape
    (1, 10)
    """

    def __init__(
        self,
        model: str | os.PathLike[str] | bytes | ModelProto,
        *,
        threads: int | None = None,
        target: Target | None = None,
    ) -> None:
        from suanzi.onnx import read  # the onnx library takes longer to import than all else

        if threads is not None and threads < 1:
            raise SuanziError("a session needs a thread", expected="threads ≥ 1", found=threads)
        found = read(model)
        self.name = found.name
        self.opsets = found.opsets
        self._metadata = found.metadata
        self.graph = self._named(lambda: infer(found.graph))
        """The model's graph with the types of its values, as far as the file's shapes tell."""
        self.compiler = Compiler(
            target or host_target(), threads or default_threads(), ObjectCache()
        )
        self._programs: dict[Any, Program] = {}
        self._lock = threading.Lock()
        static = all(self.graph.types[name].static for name in self.graph.inputs)
        # What doesn't depend on shapes is done once, so that all programs share the constants.
        self._reduced = self.graph if static else self._named(lambda: optimize(self.graph))

    def get_inputs(self) -> list[NodeArg]:
        return [self._argument(name) for name in self.graph.inputs]

    def get_outputs(self) -> list[NodeArg]:
        return [self._argument(name) for name in self.graph.outputs]

    def get_modelmeta(self) -> ModelMetadata:
        return self._metadata

    def run(self, output_names: Sequence[str] | None, input_feed: Mapping[str, Any]) -> list[Array]:
        """The outputs with these names (None: all), for arrays by input name."""
        wanted = list(self.graph.outputs if output_names is None else output_names)
        for name in wanted:
            if name not in self.graph.outputs:
                raise SuanziError(
                    "the model has no such output",
                    model=self.name,
                    expected=" or ".join(self.graph.outputs),
                    found=name,
                )
        feeds = self.check(input_feed)
        program = self.program(feeds)
        outputs = self._named(lambda: program.run(feeds))
        return [outputs[name] for name in wanted]

    def profile(self, input_feed: Mapping[str, Any], rounds: int = 20) -> Profile:
        """What each step takes: time, multiply-adds, bytes, its share of the machine's limit."""
        from suanzi.inspect.profile import profile

        return profile(self, input_feed, rounds)

    def trace(self, input_feed: Mapping[str, Any]) -> dict[str, Array]:
        """Every value that a node of the model makes, by its name."""
        feeds = self.check(input_feed)
        names = [name for node in self.graph.nodes for name in node.outputs if name]
        graph = self.graph.replace(outputs=tuple(names))
        program = self._named(lambda: self.compiler.compile(self._specialised(graph, feeds)))
        return self._named(lambda: program.run(feeds))

    def program(self, feeds: Mapping[str, Array]) -> Program:
        """The program for inputs of these shapes, compiled now if it is the first time."""
        key = tuple(feeds[name].shape for name in self.graph.inputs)
        program = self._programs.get(key)
        if program is None:
            with self._lock:
                program = self._programs.get(key)
                if program is None:
                    program = self._named(
                        lambda: self.compiler.compile(self._specialised(self._reduced, feeds))
                    )
                    while len(self._programs) >= MOST_PROGRAMS:
                        del self._programs[next(iter(self._programs))]
                    self._programs[key] = program
        return program

    def check(self, input_feed: Mapping[str, Any]) -> dict[str, Array]:
        """The feeds as contiguous arrays, held to what the model declares."""
        expected = " and ".join(self.graph.inputs) or "no input"
        if not isinstance(input_feed, Mapping):
            raise SuanziError(
                "the inputs aren't arrays by name", model=self.name, expected=expected
            )
        for name in input_feed:
            if name not in self.graph.inputs:
                raise SuanziError(
                    "the model has no such input", model=self.name, expected=expected, found=name
                )
        feeds = {}
        for name in self.graph.inputs:
            if name not in input_feed:
                raise SuanziError(
                    "an input is missing",
                    model=self.name,
                    input=name,
                    expected=self.graph.types[name],
                    found=", ".join(input_feed) or "no inputs",
                )
            feeds[name] = self._array(name, input_feed[name])
        return feeds

    def _array(self, name: str, given: Any) -> Array:
        declared = self.graph.types[name]
        try:
            array = np.asarray(given)
        except ValueError as error:  # lists of unequal lengths
            raise SuanziError(f"not an array: {error}", model=self.name, input=name) from None
        fits = array.dtype == declared.dtype and (
            declared.shape is None
            or (
                array.ndim == len(declared.shape)
                and all(
                    not isinstance(want, int) or want == have
                    for want, have in zip(declared.shape, array.shape, strict=True)
                )
            )
        )
        if not fits:
            raise SuanziError(
                "wrong type or shape",
                model=self.name,
                input=name,
                expected=declared,
                found=TensorType(array.dtype, array.shape) if array.dtype != object else "objects",
            )
        return np.require(array, requirements=("C", "A"))  # unlike ascontiguousarray, keeps rank 0

    def _specialised(self, graph: Graph, feeds: Mapping[str, Array]) -> Graph:
        types = {name: TensorType(a.dtype, a.shape) for name, a in feeds.items()}
        return infer(graph, types)

    def _argument(self, name: str) -> NodeArg:
        kind = self.graph.types[name]
        return NodeArg(
            name,
            f"tensor({_ELEMENTS.get(kind.dtype.name, kind.dtype.name)})",
            list(kind.shape or ()),
        )

    def _named(self, action: Callable[[], T]) -> T:
        """Does it; an error on the way names the model."""
        try:
            return action()
        except SuanziError as error:
            raise error.at(model=self.name) from None
        except MemoryError as error:
            raise SuanziError(f"there isn't enough memory: {error}", model=self.name) from None


_ELEMENTS = {"float32": "float", "float64": "double", "object": "string"}
