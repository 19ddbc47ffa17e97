"""Other runtimes behind one interface, set up as their documentation advises for latency."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from suanzi.errors import SuanziError
from suanzi.operators._operator import Array

if TYPE_CHECKING:
    from suanzi.kernels import Precision

Runner = Callable[[Mapping[str, Array]], list[Array]]
"""Runs the model on arrays by input name, and gives its outputs in the model's order."""
Source = str | bytes
"""A model's path or its file's bytes."""


def suanzi(model: Source, threads: int, precision: Precision = "fast") -> Runner:
    from suanzi.session import InferenceSession

    session = InferenceSession(model, threads=threads, precision=precision)
    return lambda feeds: session.run(None, feeds)


def onnxruntime(model: Source, threads: int) -> Runner:
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    return lambda feeds: list(session.run(None, dict(feeds)))


def openvino(model: Source, threads: int) -> Runner:
    import openvino as ov

    core = ov.Core()
    compiled = core.compile_model(
        core.read_model(model),
        "CPU",
        {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_NUM_THREADS": threads,
            "INFERENCE_PRECISION_HINT": "f32",  # else it may compute in bfloat16
        },
    )
    request = compiled.create_infer_request()

    def run(feeds: Mapping[str, Array]) -> list[Array]:
        results: Any = request.infer(dict(feeds), share_inputs=True)
        return [results[port] for port in compiled.outputs]

    return run


PEERS: dict[str, Callable[[Source, int], Runner]] = {
    "onnxruntime": onnxruntime,
    "openvino": openvino,
}


def peer(name: str) -> Callable[[Source, int], Runner]:
    """The maker of a peer's runner, by name; an error where it isn't known or not installed."""
    import importlib.util

    if name not in PEERS:
        raise SuanziError("no such runtime", expected=" or ".join(PEERS), found=name)
    if importlib.util.find_spec(name) is None:
        raise SuanziError(f"{name} isn't installed", hint=f"pip install {name}")
    return PEERS[name]
