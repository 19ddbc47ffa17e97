"""Single operators beside PyTorch's functional calls and onnxruntime.

    python bench/operators.py [--threads 1,2] [--operators conv,softmax] [--seconds 4] [--keep NAME]

Ours and onnxruntime run a session of one node (adaptive pooling, which ONNX lacks, is written out
in its operators) on plain arrays, so whatever we move to and from blocks of channels counts.
PyTorch runs in inference mode on the same threads, with its input as it is and channels last,
and the better one counts. *Limit* is the least time in which the machine could read the inputs,
write the output and do the multiply-adds, over ours: above 1 the data was in a cache.
"""

import argparse
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import numpy as np
import onnx
import torch
from onnx import helper, numpy_helper
from torch.nn import functional

import suanzi
from kept import keep
from suanzi.cli import _print
from suanzi.inspect import peers
from suanzi.inspect.bench import Comparison, Timing, difference, interleaved
from suanzi.inspect.roofline import roofline
from suanzi.lang import host_target
from suanzi.operators._operator import Array

Call = Callable[..., torch.Tensor]


@dataclass(frozen=True)
class Case:
    """An operator on one shape: as ONNX has it, and as PyTorch does."""

    name: str
    model: bytes
    torch: Call
    """Of the input and the weights."""
    x: Array
    weights: tuple[Array, ...] = ()


def noise(*shape: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).standard_normal(shape, dtype=np.float32)


def case(
    name: str, operator: str, call: Call, x: Array, *weights: Array, **attributes: Any
) -> Case:
    """A model of one node whose first input is x; its others are weights, in the model."""
    names = [f"w{i}" for i in range(len(weights))]
    node = helper.make_node(operator, ["x", *names], ["y"], **attributes)
    graph = helper.make_graph(
        [node],
        operator,
        [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, x.shape)],
        [helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, None)],
        [numpy_helper.from_array(w, n) for n, w in zip(names, weights, strict=True)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    title = f"{name} on {'x'.join(map(str, x.shape))}"
    return Case(title, model.SerializeToString(), call, x, weights)


def convolutions() -> Iterator[Case]:
    x = noise(20, 16, 50, 100)
    forms: list[tuple[str, tuple[int, int], dict[str, Any]]] = [
        ("3, stride=2", (3, 3), {"stride": (2, 2)}),
        ("(3, 5), stride=(2, 1), padding=(4, 2)", (3, 5), {"stride": (2, 1), "padding": (4, 2)}),
        (
            "(3, 5), stride=(2, 1), padding=(4, 2), dilation=(3, 1)",
            (3, 5),
            {"stride": (2, 1), "padding": (4, 2), "dilation": (3, 1)},
        ),
    ]
    for text, kernel, given in forms:
        w, b = noise(33, 16, *kernel, seed=1) / 12, noise(33, seed=2)
        attributes: dict[str, Any] = {
            "strides": given["stride"],
            "pads": given.get("padding", (0, 0)) * 2,
            "dilations": given.get("dilation", (1, 1)),
        }

        def convolve(x: Any, w: Any, b: Any, given: Any = given) -> torch.Tensor:
            return functional.conv2d(x, w, b, **given)

        yield case(f"Conv2d(16, 33, {text})", "Conv", convolve, x, w, b, **attributes)
        if "dilation" in given:
            continue

        def transposed(x: Any, w: Any, b: Any, given: Any = given) -> torch.Tensor:
            return functional.conv_transpose2d(x, w, b, **given)

        turned = np.ascontiguousarray(w.swapaxes(0, 1))
        name = f"ConvTranspose2d(16, 33, {text})"
        yield case(name, "ConvTranspose", transposed, x, turned, b, **attributes)


def normalizations() -> Iterator[Case]:
    x = noise(20, 100, 35, 45)
    scale, bias, mean = (noise(100, seed=i) for i in (1, 2, 3))
    variance = np.abs(noise(100, seed=4)) + 0.5
    yield case(
        "BatchNorm2d(100)", "BatchNormalization",
        lambda x, w, b, m, v: functional.batch_norm(x, m, v, w, b), x, scale, bias, mean, variance,
    )  # fmt: skip
    yield case(
        "InstanceNorm2d(100)", "InstanceNormalization",
        lambda x, w, b: functional.instance_norm(x, weight=w, bias=b), x, scale, bias,
    )  # fmt: skip
    for shape in ((20, 5, 10), (8, 128, 768)):
        n = shape[-1]
        yield case(
            f"LayerNorm({n})", "LayerNormalization",
            lambda x, w, b, n=n: functional.layer_norm(x, (n,), w, b),
            noise(*shape), noise(n, seed=1), noise(n, seed=2),
        )  # fmt: skip
    for groups, shape in ((3, (20, 6, 10, 10)), (32, (8, 256, 56, 56))):
        c = shape[1]
        yield case(
            f"GroupNorm({groups}, {c})", "GroupNormalization",
            lambda x, w, b, groups=groups: functional.group_norm(x, groups, w, b),
            noise(*shape), noise(c, seed=1), noise(c, seed=2), num_groups=groups,
        )  # fmt: skip


def pools() -> Iterator[Case]:
    window = {"kernel_shape": (3, 3), "strides": (2, 2)}
    for shape in ((20, 16, 50, 32), (8, 64, 112, 112)):
        x = noise(*shape)
        largest: Call = lambda x: functional.max_pool2d(x, 3, 2)  # noqa: E731
        mean: Call = lambda x: functional.avg_pool2d(x, 3, 2)  # noqa: E731
        yield case("MaxPool2d(3, stride=2)", "MaxPool", largest, x, **window)
        yield case("AvgPool2d(3, stride=2)", "AveragePool", mean, x, **window)
    for shape in ((1, 64, 8, 9), (8, 2048, 7, 7)):
        for size in (1, 7, (5, 7)):
            x = noise(*shape)
            layer = suanzi.nn.AdaptiveAvgPool2d(size)
            model = suanzi.export(layer, (suanzi.tensor(x),), input_names=["x"])
            name = f"AdaptiveAvgPool2d({size}) on {'x'.join(map(str, shape))}"

            def pool(x: Any, size: Any = size) -> torch.Tensor:
                return functional.adaptive_avg_pool2d(x, size)

            yield Case(name, model.SerializeToString(), pool, x)


def others() -> Iterator[Case]:
    x = noise(8, 1024, 1024)
    yield case("softmax", "Softmax", lambda x: functional.softmax(x, -1), x, axis=-1)
    yield case("gelu", "Gelu", functional.gelu, x)
    yield case("exp", "Exp", torch.exp, x)
    for rows, inner, columns in ((1024, 1024, 1024), (1, 2048, 1000)):
        yield case(
            f"matmul by {inner}x{columns}", "MatMul", torch.matmul,
            noise(rows, inner), noise(inner, columns, seed=1) / math.sqrt(inner),
        )  # fmt: skip


def cases(wanted: list[str]) -> Iterator[Case]:
    for family in (convolutions, normalizations, pools, others):
        for one in family():
            if not wanted or any(part.lower() in one.name.lower() for part in wanted):
                yield one


def runners(case: Case, threads: int) -> dict[str, Callable[[], object]]:
    """Ours and the peers', each ready to be called; PyTorch's tensors share the arrays' memory."""
    feeds = {"x": case.x}
    x, *weights = (torch.from_numpy(a) for a in (case.x, *case.weights))

    def call(x: torch.Tensor, *weights: torch.Tensor) -> Callable[[], object]:
        def run() -> object:
            with torch.inference_mode():
                return case.torch(x, *weights)

        return run

    ours, theirs = (make(case.model, threads) for make in (peers.suanzi, peers.onnxruntime))
    made = {"suanzi": lambda: ours(feeds), "torch": call(x, *weights)}
    if x.ndim == 4:
        last = [
            t.contiguous(memory_format=torch.channels_last) if t.ndim == 4 else t
            for t in (x, *weights)
        ]
        made["torch, channels last"] = call(*last)
    made["onnxruntime"] = lambda: theirs(feeds)
    return made


def least(case: Case, threads: int) -> float:
    """The least time that the machine's limits allow."""
    session = suanzi.InferenceSession(case.model)
    macs = sum(
        node.operator.cost(*session.graph.input_types(node)).macs for node in session.graph.nodes
    )
    moved = [session.graph.types[n].nbytes for n in (*session.graph.inputs, *session.graph.outputs)]
    moved += [w.nbytes for w in case.weights]
    return roofline(host_target(), threads).seconds(macs, sum(moved))


def measure(case: Case, threads: int, seconds: float) -> tuple[Comparison, float]:
    """The times, and the share of the machine's limit."""
    torch.set_num_threads(threads)
    calls = runners(case, threads)
    outputs = {name: np.asarray(_array(call())) for name, call in calls.items()}
    times = interleaved(calls, seconds, 200)
    timings = []
    for name, taken in times.items():
        low, median, high = np.percentile(taken, [10, 50, 90])
        apart = difference([outputs["suanzi"]], [outputs[name]])
        if not apart <= 1e-4:
            raise SystemExit(f"{case.name}: {name} differs by {apart:.1e} of the largest")
        timings.append(Timing(name, float(median), float(low), float(high), apart))
    found = Comparison(case.name, threads, len(times["suanzi"]), tuple(timings))
    return found, least(case, threads) / found.ours.median


def _array(output: Any) -> Any:
    return output[0] if isinstance(output, list) else output


def against(one: Comparison, *names: str) -> float:
    """The fastest of these peers' median over ours."""
    medians = [t.median for t in one.timings if t.runtime in names]
    return min(medians) / one.ours.median


PEERS = {
    "the fastest": ("torch", "torch, channels last", "onnxruntime"),
    "torch's call": ("torch",),
    "torch, the better layout": ("torch", "torch, channels last"),
    "onnxruntime": ("onnxruntime",),
}


def means(found: list[Comparison]) -> dict[str, float]:
    """The geometric mean of the ratios, against each of PEERS."""
    return {
        peer: math.exp(sum(math.log(against(one, *names)) for one in found) / len(found))
        for peer, names in PEERS.items()
    }


def show(found: list[tuple[Comparison, float]]) -> None:
    rows: list[list[object]] = []
    for one, share in found:
        medians = {t.runtime: t.median for t in one.timings}
        plain = medians.pop("torch")
        best = min(plain, medians.pop("torch, channels last", plain))
        rest = [_print.seconds(t) for t in (one.ours.median, best, medians["onnxruntime"])]
        rows.append([one.model, one.threads, *rest, f"{one.ratio:.2f}", f"{share:.2f}"])
    columns = ["operator", "threads", "suanzi", "torch", "onnxruntime", "ratio", "limit"]
    _print.table("Medians of interleaved rounds; ratio: the fastest peer's / ours", columns, rows)
    for threads in sorted({one.threads for one, _ in found}):
        some = [one for one, _ in found if one.threads == threads]
        low = min(one.ratio or 0 for one in some)
        mean = ", ".join(f"{mean:.2f} against {peer}" for peer, mean in means(some).items())
        print(f"threads: {threads}: geometric means {mean}; least {low:.2f}")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--operators", default="", help="parts of their names")
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--keep", metavar="NAME")
    arguments = parser.parse_args()
    wanted = [name for name in arguments.operators.split(",") if name]
    found: list[tuple[Comparison, float]] = []
    for threads in map(int, arguments.threads.split(",")):
        for one in cases(wanted):
            found.append(measure(one, threads, arguments.seconds))
            (made, share) = found[-1]
            times = ", ".join(f"{t.runtime} {t.median * 1e3:.3f}" for t in made.timings)
            print(f"{one.name}, threads {threads}: {made.ratio:.2f}, limit {share:.2f} "
                  f"(ms: {times})", flush=True)  # fmt: skip
    show(found)
    if arguments.keep:
        names = ("numpy", "llvmlite", "onnxruntime", "torch")
        counts = sorted({one.threads for one, _ in found})
        keep(
            arguments.keep,
            {
                "versions": {name: version(name) for name in names},
                "geometric means": {
                    n: means([one for one, _ in found if one.threads == n]) for n in counts
                },
                "comparisons": [{**one.to_dict(), "limit": share} for one, share in found],
            },
        )


if __name__ == "__main__":
    main()
