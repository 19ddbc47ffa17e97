"""Direct convolution on ResNet-50's layers at one thread, against the machine's measured peak.

    python bench/layers.py [--keep NAME]

Each layer runs as one step on blocked data that is warm, as in a network; the peak and the layers
are measured in the same rounds.
"""

import argparse
from collections.abc import Callable
from typing import Any

import numpy as np

from kept import keep
from suanzi.cli import _print
from suanzi.inspect.bench import interleaved
from suanzi.inspect.roofline import MultiplyAdds
from suanzi.kernels import conv_direct, conv_winograd
from suanzi.kernels._kernel import Call, Input, Kernel, Operand, Output, Packed, Scratch, Site
from suanzi.lang import Target, host_target
from suanzi.operators import Conv
from suanzi.operators._operator import TensorType
from suanzi.runtime.machine import compile_object, load
from suanzi.runtime.memory import allocate
from suanzi.runtime.pool import Job, Step

LAYERS = [  # C, H, K, kernel, stride
    (64, 56, 64, 3, 1), (128, 28, 128, 3, 1), (256, 14, 256, 3, 1), (512, 7, 512, 3, 1),
    (64, 56, 256, 1, 1), (256, 56, 64, 1, 1), (256, 56, 128, 1, 1), (512, 28, 128, 1, 1),
    (128, 28, 512, 1, 1), (512, 28, 256, 1, 1), (1024, 14, 256, 1, 1), (256, 14, 1024, 1, 1),
    (1024, 14, 512, 1, 1), (2048, 7, 512, 1, 1), (512, 7, 2048, 1, 1),
]  # fmt: skip


class Prepared:
    """Calls with their code and memory, ready to run again and again on one thread."""

    def __init__(self, calls: tuple[Call, ...], site: Site) -> None:
        self.kept: list[Any] = []
        operands = site.inputs
        scratch: dict[str, int] = {}
        steps = []
        inputs = [self.memory(o.elements) for o in operands if o is not None]
        output = self.memory(site.output.elements)
        for call in calls:
            words = []
            for argument in call.arguments:
                match argument:
                    case Input(number):
                        words.append(inputs[number])
                    case Output():
                        words.append(output)
                    case Scratch(name, nbytes):
                        words.append(scratch.setdefault(name, self.memory(nbytes // 4 + 1)))
                    case Packed(pack, sources):
                        packed = pack(*(operands[i].constant for i in sources))  # type: ignore
                        place = self.memory(packed.size)
                        self.kept[-1][: packed.size] = packed.ravel()
                        words.append(place)
            table = np.array([*words, *call.sizes], np.int64)
            steps.append(Step(self.code(call.kernel, site.target), table, call.chunks))
        self.job = Job(steps, 1)

    def memory(self, elements: int) -> int:
        array = allocate(elements * 4, "a layer").view(np.float32)
        array[:] = np.random.default_rng(0).standard_normal(elements, dtype=np.float32)
        self.kept.append(array)
        return int(array.ctypes.data)

    def code(self, kernel: Kernel, target: Target) -> int:
        loaded = load({kernel.symbol: compile_object(kernel.ir(target), target)})
        self.kept.insert(0, loaded)
        return loaded[kernel.symbol]


def site(C: int, H: int, K: int, R: int, stride: int, target: Target) -> Site:
    weights = np.random.default_rng(1).standard_normal((K, C, R, R), dtype=np.float32) / C
    conv = Conv(strides=(stride, stride), pads=(R // 2,) * 4)
    X, W = TensorType(np.dtype(np.float32), (1, C, H, H)), TensorType.of(weights)
    Y = conv.infer(X, W)
    inputs = (Operand(X, target.lanes), Operand(W, 0, weights))
    return Site(conv, inputs, (Operand(Y, target.lanes),), target)


class Peak:
    """Multiply-adds in registers alone."""

    def __init__(self, target: Target) -> None:
        kernel = MultiplyAdds(3_000)
        self.flops = kernel.flops(target.lanes)
        self.code = load({kernel.symbol: compile_object(kernel.ir(target), target)})
        self.sums = np.ones(kernel.SUMS * target.lanes, np.float32)
        words = np.array([self.sums.ctypes.data], np.int64)
        self.job = Job([Step(self.code[kernel.symbol], words, 1)], 1)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--keep", metavar="NAME")
    arguments = parser.parse_args()
    target = host_target()
    rows = []
    limit = Peak(target)
    for C, H, K, R, stride in LAYERS:
        one = site(C, H, K, R, stride, target)
        macs = one.operator.macs((one.inputs[0].type, one.inputs[1].type), (one.output.type,))  # type: ignore
        calls: dict[str, Callable[[], object]] = {"peak": limit.job.run}
        direct = conv_direct.choose(one)
        assert direct is not None
        prepared = {"direct": Prepared(direct, one)}
        other = conv_winograd.choose(one)
        if other is not None:
            prepared["winograd"] = Prepared(other, one)
        calls |= {name: ready.job.run for name, ready in prepared.items()}
        times = interleaved(calls, 3.0, 400)
        medians = {name: float(np.median(taken)) for name, taken in times.items()}
        top = limit.flops / medians.pop("peak") / 1e9
        rates = {name: 2 * macs / taken / 1e9 for name, taken in medians.items()}
        rows.append({"C": C, "H": H, "K": K, "kernel": R, "peak": top, **rates})
    _print.table(
        "One thread, GFLOP/s of the direct sum",
        ["layer", "peak", "direct", "of the peak", "Winograd"],
        [
            (
                f"{r['C']}x{r['H']}x{r['H']} to {r['K']}, {r['kernel']}x{r['kernel']}",
                f"{r['peak']:.0f}",
                f"{r['direct']:.0f}",
                f"{r['direct'] / r['peak']:.0%}",
                f"{r['winograd']:.0f}" if "winograd" in r else "",
            )
            for r in rows
        ],
    )
    if arguments.keep:
        keep(arguments.keep, {"layers": rows})


if __name__ == "__main__":
    main()
