"""InferenceSession: a model compiled for the shapes it is given, behind onnxruntime's names."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar, get_args

from suanzi.arguments import NodeArg, accept
from suanzi.compiler import Compiler
from suanzi.errors import SuanziError
from suanzi.graph.infer import infer
from suanzi.graph.pipeline import optimize
from suanzi.kernels import Precision
from suanzi.lang import Target, host_target
from suanzi.runtime.cache import ObjectCache
from suanzi.runtime.threads import default_threads
from suanzi.stages import Stage, Stages

if TYPE_CHECKING:
    from onnx import ModelProto

    from suanzi.inspect.profile import Profile
    from suanzi.onnx import ModelMetadata

T = TypeVar("T")


class InferenceSession:
    """Runs an ONNX model.

    `model` is a path, a file's bytes or an onnx.ModelProto; `threads` how many threads a run may
    use (SUANZI_THREADS, else all of the process's cores); `precision` "strict" forgoes algorithms
    that round more than the direct sum: Winograd's convolution, whose error is up to 1e-4 of the
    largest output (see `suanzi.kernels.Precision`). The first run with inputs of new shapes
    compiles a program for them, which is kept; compiled kernels are kept across processes too.
    Any number of threads may use a session at once.

    >>> import numpy as np
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
        precision: Precision = "fast",
    ) -> None:
        from suanzi.onnx import read  # the onnx library takes longer to import than all else

        if threads is not None and threads < 1:
            raise SuanziError("a session needs a thread", expected="threads ≥ 1", found=threads)
        if precision not in get_args(Precision):
            known = " or ".join(get_args(Precision))
            raise SuanziError("no such precision", expected=known, found=precision)
        found = read(model)
        self.name = found.name
        self.opsets = found.opsets
        self._metadata = found.metadata
        self.graph = self._named(lambda: infer(found.graph))
        """The model's graph with the types of its values, as far as the file's shapes tell."""
        self._inputs = {name: self.graph.types[name] for name in self.graph.inputs}
        self.compiler = Compiler(
            target or host_target(),
            threads or default_threads(),
            ObjectCache(),
            precision=precision,
        )
        static = all(self.graph.types[name].static for name in self.graph.inputs)
        # What doesn't depend on shapes is done once, so that all programs share the constants.
        reduced = self.graph if static else self._named(lambda: optimize(self.graph))
        self.stages = Stages(reduced, self.compiler, at_once=True)

    def get_inputs(self) -> list[NodeArg]:
        return [NodeArg.of(name, self.graph.types[name]) for name in self.graph.inputs]

    def get_outputs(self) -> list[NodeArg]:
        return [NodeArg.of(name, self.graph.types[name]) for name in self.graph.outputs]

    def get_modelmeta(self) -> ModelMetadata:
        return self._metadata

    def run(self, output_names: Sequence[str] | None, input_feed: Mapping[str, Any]) -> list[Any]:
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
        outputs = self._named(lambda: self.stages.run(accept(input_feed, self._inputs)))
        return [outputs[name] for name in wanted]

    def profile(self, input_feed: Mapping[str, Any], rounds: int = 20) -> Profile:
        """What each step takes: time, multiply-adds, bytes, its share of the machine's limit."""
        from suanzi.inspect.profile import profile

        return profile(self, input_feed, rounds)

    def trace(self, input_feed: Mapping[str, Any]) -> dict[str, Any]:
        """Every value that a node of the model makes, by its name."""
        feeds = self.check(input_feed)
        names = [name for node in self.graph.nodes for name in node.outputs if name]
        graph = self.graph.replace(outputs=tuple(names))
        return self._named(lambda: Stages(graph, self.compiler, at_once=True).run(feeds))

    def program(self, feeds: Mapping[str, Any]) -> Stage:
        """What runs first for inputs of these shapes, compiled now if it is the first time."""
        return self._named(lambda: self.stages.at(feeds))

    def check(self, input_feed: Mapping[str, Any]) -> dict[str, Any]:
        """The feeds as the model's operators take them, held to what the model declares."""
        return self._named(lambda: accept(input_feed, self._inputs))

    def _named(self, action: Callable[[], T]) -> T:
        """Does it; an error on the way names the model."""
        try:
            return action()
        except SuanziError as error:
            raise error.at(model=self.name) from None
        except MemoryError as error:
            raise SuanziError(f"there isn't enough memory: {error}", model=self.name) from None
