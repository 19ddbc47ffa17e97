"""InferenceSession: a model compiled for the shapes it is given, behind onnxruntime's names."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, get_args

from suanzi.arguments import NodeArg, accept
from suanzi.binding import IOBinding, OrtValue
from suanzi.compiler import Compiler
from suanzi.errors import SuanziError
from suanzi.graph.infer import infer
from suanzi.graph.pipeline import optimize
from suanzi.kernels import Precision
from suanzi.lang import Target, host_target
from suanzi.options import CPU, RunOptions, SessionOptions, check_providers
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

    `path_or_bytes` is a path, a file's bytes or an onnx.ModelProto; `threads` how many threads a
    run may use (`sess_options.intra_op_num_threads`, SUANZI_THREADS, else all of the process's
    cores); `providers` are taken as onnxruntime takes them, but there is one; `precision` "strict"
    forgoes algorithms that round more than the direct sum: Winograd's convolution, whose error is
    up to 1e-4 of the largest output (see `suanzi.kernels.Precision`). The first run with inputs of
    new shapes compiles a program for them, which is kept; compiled kernels are kept across
    processes too. Any number of threads may use a session at once.

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
        path_or_bytes: str | os.PathLike[str] | bytes | ModelProto,
        sess_options: SessionOptions | None = None,
        providers: Sequence[Any] | None = None,
        provider_options: Sequence[Any] | None = None,
        *,
        threads: int | None = None,
        target: Target | None = None,
        precision: Precision = "fast",
    ) -> None:
        from suanzi.onnx import read  # the onnx library takes longer to import than all else

        self._options = sess_options or SessionOptions()
        check_providers(providers, provider_options)
        threads = threads if threads is not None else self._options.intra_op_num_threads or None
        if threads is not None and threads < 1:
            raise SuanziError("a session needs a thread", expected="threads ≥ 1", found=threads)
        if precision not in get_args(Precision):
            known = " or ".join(get_args(Precision))
            raise SuanziError("no such precision", expected=known, found=precision)
        found = read(path_or_bytes)
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
        self._began = time.perf_counter_ns()
        self._profiled: Mapping[str, Any] | None = None
        """The inputs of the last run, where it is to be profiled."""
        if self._options.optimized_model_filepath:
            from suanzi.onnx.convert import optimize as write_optimized

            write_optimized(path_or_bytes, self._options.optimized_model_filepath)

    def get_inputs(self) -> list[NodeArg]:
        return [NodeArg.of(name, self.graph.types[name]) for name in self.graph.inputs]

    def get_outputs(self) -> list[NodeArg]:
        return [NodeArg.of(name, self.graph.types[name]) for name in self.graph.outputs]

    def get_modelmeta(self) -> ModelMetadata:
        return self._metadata

    def get_overridable_initializers(self) -> list[NodeArg]:
        return []

    def get_session_options(self) -> SessionOptions:
        return self._options

    def get_providers(self) -> list[str]:
        return [CPU]

    def get_provider_options(self) -> dict[str, dict[str, str]]:
        return {CPU: {}}

    def set_providers(
        self, providers: Sequence[Any] | None = None, provider_options: Sequence[Any] | None = None
    ) -> None:
        check_providers(providers, provider_options)

    def disable_fallback(self) -> None:
        """There is nothing to fall back to."""

    def enable_fallback(self) -> None:
        """There is nothing to fall back to."""

    def run(
        self,
        output_names: Sequence[str] | None,
        input_feed: Mapping[str, Any],
        run_options: RunOptions | None = None,
    ) -> list[Any]:
        """The outputs with these names (None or none: all), for arrays by input name."""
        wanted = list(output_names or self.graph.outputs)
        for name in wanted:
            if name not in self.graph.outputs:
                raise SuanziError(
                    "the model has no such output",
                    model=self.name,
                    expected=" or ".join(self.graph.outputs),
                    found=name,
                )
        outputs = self._named(lambda: self.stages.run(accept(input_feed, self._inputs)))
        if self._options.enable_profiling:
            self._profiled = {**input_feed}
        return [outputs[name] for name in wanted]

    def run_async(
        self,
        output_names: Sequence[str] | None,
        input_feed: Mapping[str, Any],
        callback: Callable[[list[Any], Any, str], Any],
        user_data: Any,
        run_options: RunOptions | None = None,
    ) -> None:
        """Runs on another thread, which calls `callback(outputs, user_data, error)`; the error is
        empty where there is none."""

        def run() -> None:
            try:
                outputs, error = self.run(output_names, input_feed), ""
            except SuanziError as failed:
                outputs, error = [], str(failed)
            callback(outputs, user_data, error)

        threading.Thread(target=run, name="suanzi-run-async").start()

    def run_with_ort_values(
        self,
        output_names: Sequence[str] | None,
        input_dict_ort_values: Mapping[str, OrtValue],
        run_options: RunOptions | None = None,
    ) -> list[OrtValue]:
        """`run` with OrtValues in place of arrays."""
        feeds = {name: value.numpy() for name, value in input_dict_ort_values.items()}
        return [OrtValue(y) for y in self.run(output_names, feeds)]

    def io_binding(self) -> IOBinding:
        return IOBinding(self)

    def run_with_iobinding(
        self, iobinding: IOBinding, run_options: RunOptions | None = None
    ) -> None:
        """Runs on what is bound; the outputs are the binding's then."""
        iobinding.run()

    def get_profiling_start_time_ns(self) -> int:
        return self._began

    def end_profiling(self) -> str:
        """Writes the last run's steps, timed anew, as a Chrome trace (it opens in Perfetto) and
        tells its file; with `enable_profiling` alone, else there is none, and the name is empty."""
        if self._profiled is None:
            return ""
        from suanzi.inspect.chrome import chrome_trace
        from suanzi.inspect.plain import plain

        made = chrome_trace(self.profile(self._profiled).to_dict())
        path = f"{self._options.profile_file_prefix}_{time.strftime('%Y-%m-%d_%H-%M-%S')}.json"
        try:
            Path(path).write_text(json.dumps(plain(made)), encoding="utf-8")
        except OSError as error:
            raise SuanziError(f"can't write the profile: {error.strerror}", found=path) from None
        return path

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
