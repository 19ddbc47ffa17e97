"""Suanzi's nn beside PyTorch's, on the same threads: networks, training steps, single calls.

    python bench/pytorch.py [--parts forward,training,layers,overhead] [--threads 2]
                            [--seconds 6] [--keep NAME]

Both run the same source: that of examples/networks, where `torch` is put for `suanzi` or not. Ours
is compiled (`suanzi.compile`) in `forward` and `training`, eager in `layers` (the shapes of the
documentation of PyTorch) and `overhead` (tensors of 4x4); PyTorch is eager throughout. *Ratio* is
PyTorch's median over ours.
"""

import argparse
import math
import types
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch

import suanzi
from kept import keep
from suanzi.inspect.bench import interleaved

NETWORKS = Path(__file__).parent.parent / "examples/networks"
Pair = tuple[str, Callable[[], object], Callable[[], object]]
"""What is measured: its name, ours, PyTorch's."""


def library(name: str, module: str) -> types.ModuleType:
    """An example's networks in one of the two libraries."""
    source = (NETWORKS / f"{module}.py").read_text().replace("suanzi", name)
    made = types.ModuleType(module)
    exec(compile(source, module, "exec"), made.__dict__)
    return made


def alike(build: Callable[[Any], Any]) -> tuple[Any, Any]:
    """A network in both libraries with the same parameters; `build` takes the library's name."""
    ours, theirs = build("suanzi"), build("torch")
    ours.load_state_dict({k: v.numpy() for k, v in theirs.state_dict().items()})
    return ours, theirs


def tensors(*arrays: np.ndarray) -> tuple[list[Any], list[Any]]:
    return [suanzi.tensor(a) for a in arrays], [torch.tensor(a) for a in arrays]


def forward() -> Iterator[Pair]:
    """Networks in evaluation, ours compiled."""
    networks: dict[str, Callable[[str], Any]] = {
        "ResNet-50": lambda name: library(name, "resnet").resnet50(),
        "MobileNetV3-Large": lambda name: library(name, "mobile").MobileNetV3(),
        "ViT-S/16": lambda name: library(name, "vit").TimmVisionTransformer(dim=384, heads=6),
    }
    for name, build in networks.items():
        ours, theirs = alike(build)
        ours.eval()
        theirs.eval()
        run = suanzi.compile(ours)
        for batch in (1, 16):
            (x,), (y,) = tensors(noise(batch, 3, 224, 224))
            yield f"{name}, batch {batch}", without(suanzi, run, x), without(torch, theirs, y)


def without(lib: Any, model: Any, x: Any) -> Callable[[], object]:
    def call() -> object:
        with lib.no_grad():
            return model(x)

    return call


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).standard_normal(shape, dtype=np.float32)


def digits_network(lib: Any) -> Any:
    """The network of examples/digits.py."""
    nn = lib.nn
    return nn.Sequential(
        nn.Conv2d(1, 32, 3, padding=1, bias=False), nn.BatchNorm2d(32), nn.ReLU(),
        nn.Conv2d(32, 64, 3, padding=1, bias=False), nn.BatchNorm2d(64), nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(64, 64, 3, padding=1, bias=False), nn.BatchNorm2d(64), nn.ReLU(),
        nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(256, 10),
    )  # fmt: skip


def transformer(lib: Any) -> Any:
    """Four encoder layers, d=256."""
    layer = lib.nn.TransformerEncoderLayer(256, 8, 1024, dropout=0.0, batch_first=True)
    return lib.nn.TransformerEncoder(layer, 4, enable_nested_tensor=False)


LIBRARIES = {"suanzi": suanzi, "torch": torch}


def training() -> Iterator[Pair]:
    """Forward, backward and update; ours as one program."""
    labels = np.random.default_rng(1).integers(0, 10, 64)
    networks: dict[str, tuple[Callable[[str], Any], list[np.ndarray]]] = {
        "ResNet-18, 16x3x64x64": (
            lambda name: library(name, "resnet").resnet18(),
            [noise(16, 3, 64, 64), labels[:16]],
        ),
        "digits, 64x1x8x8": (
            lambda name: digits_network(LIBRARIES[name]),
            [noise(64, 1, 8, 8), labels],
        ),
        "transformer, 8x128x256": (
            lambda name: transformer(LIBRARIES[name]),
            [noise(8, 128, 256), noise(8, 128, 256) * 0.5],
        ),
    }
    for name, (build, arrays) in networks.items():
        ours, theirs = alike(build)
        mine, others = tensors(*arrays)
        run = suanzi.compile(step(suanzi, ours))
        plain = step(torch, theirs)
        yield name, lambda run=run, mine=mine: run(*mine), lambda p=plain, o=others: p(*o)


def step(lib: Any, model: Any) -> Callable[[Any, Any], Any]:
    optimizer = lib.optim.AdamW(model.parameters(), lr=1e-4)
    functions = lib.nn.functional

    def take(x: Any, y: Any) -> Any:
        optimizer.zero_grad()
        made = model(x)
        loss = functions.mse_loss if y.is_floating_point() else functions.cross_entropy
        found = loss(made, y)
        found.backward()
        optimizer.step()
        return found

    return take


LAYERS: list[tuple[str, tuple[int, ...]]] = [
    ("Conv1d(16, 33, 3, stride=2)", (20, 16, 50)),
    ("Conv2d(16, 33, 3, stride=2)", (20, 16, 50, 100)),
    ("Conv2d(16, 33, (3, 5), stride=(2, 1), padding=(4, 2))", (20, 16, 50, 100)),
    ("Conv2d(16, 33, (3, 5), stride=(2, 1), padding=(4, 2), dilation=(3, 1))", (20, 16, 50, 100)),
    ("Conv3d(16, 33, 3, stride=2)", (20, 16, 10, 50, 100)),
    ("ConvTranspose2d(16, 33, 3, stride=2)", (20, 16, 50, 100)),
    ("ConvTranspose2d(16, 33, (3, 5), stride=(2, 1), padding=(4, 2))", (20, 16, 50, 100)),
    ("ConvTranspose3d(16, 33, 3, stride=2)", (20, 16, 10, 50, 100)),
    ("BatchNorm1d(100)", (20, 100)),
    ("BatchNorm2d(100)", (20, 100, 35, 45)),
    ("InstanceNorm2d(100)", (20, 100, 35, 45)),
    ("LayerNorm(10)", (20, 5, 10)),
    ("GroupNorm(3, 6)", (20, 6, 10, 10)),
    ("MaxPool2d(3, stride=2)", (20, 16, 50, 32)),
    ("AvgPool2d((3, 2), stride=(2, 1))", (20, 16, 50, 32)),
    ("MaxPool3d(3, stride=2)", (20, 16, 50, 44, 31)),
    ("AvgPool3d((3, 2, 2), stride=(2, 1, 2))", (20, 16, 50, 44, 31)),
    ("AdaptiveAvgPool2d((5, 7))", (1, 64, 8, 9)),
    ("AdaptiveMaxPool2d((5, 7))", (1, 64, 8, 9)),
    ("Linear(20, 30)", (128, 20)),
    ("ReLU()", (2, 100)),
    ("Softmax(dim=1)", (2, 3)),
    ("Upsample(scale_factor=2)", (1, 1, 2, 2)),
    ("LSTM(10, 20, 2)", (5, 3, 10)),
    ("GRU(10, 20, 2)", (5, 3, 10)),
    ("RNN(10, 20, 2)", (5, 3, 10)),
    ("Embedding(10, 3)", (2, 4)),
    ("TransformerEncoderLayer(d_model=512, nhead=8)", (10, 32, 512)),
]
"""PyTorch's documentation examples: the layer, and the shape of its input."""


def layers() -> Iterator[Pair]:
    """Single eager calls, without gradients."""
    for text, shape in LAYERS:
        ours, theirs = alike(lambda name, text=text: eval(f"nn.{text}", {"nn": LIBRARIES[name].nn}))
        indices = np.arange(math.prod(shape)).reshape(shape)
        (x,), (y,) = tensors(indices if text.startswith("Embedding") else noise(*shape))
        yield text, without(suanzi, ours, x), without(torch, theirs, y)


CALLS = (
    "a + b", "a * 2", "a > 0", "a @ b", "lib.exp(a)", "a.sum()", "a.mean(0)", "a.reshape(16)",
    "a[0]", "a.T", "lib.cat([a, b])", "F.relu(a)", "F.gelu(a)", "F.softmax(a, -1)",
    "F.linear(a, b)", "F.layer_norm(a, (4,))", "F.conv2d(x, w)", "F.max_pool2d(x, 2)",
    "F.batch_norm(x, None, None, training=True)", "g + b", "F.linear(g, b)",
    "(g * b).sum().backward()",
)  # fmt: skip


def overhead() -> Iterator[Pair]:
    """Eager calls on tiny tensors, a thousand at a time."""
    for call in CALLS:
        both = []
        for lib in (suanzi, torch):
            names = {
                "lib": lib, "F": lib.nn.functional, "a": lib.tensor(noise(4, 4)),
                "b": lib.tensor(noise(4, 4)), "x": lib.tensor(noise(1, 3, 8, 8)),
                "w": lib.tensor(noise(4, 3, 3, 3)), "g": lib.tensor(noise(4, 4)),
            }  # fmt: skip
            names["g"].requires_grad_()
            exec(f"def many():\n for _ in range(1000): {call}", names)
            names["many"]()  # type: ignore[operator]
            both.append(names["many"])
        yield call, both[0], both[1]  # type: ignore[misc]


PARTS = {"forward": forward, "training": training, "layers": layers, "overhead": overhead}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--parts", default=",".join(PARTS))
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=6.0)
    parser.add_argument("--keep", metavar="NAME")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    suanzi.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    found = []
    for part in arguments.parts.split(","):
        ratios = []
        for name, ours, theirs in PARTS[part]():
            for _ in range(3):  # compiled, and the caches filled
                ours()
                theirs()
            times = interleaved({"suanzi": ours, "torch": theirs}, arguments.seconds, 200)
            mine, others = (np.percentile(t, [10, 50, 90]) for t in times.values())
            ratios.append(others[1] / mine[1])
            found.append(
                {"part": part, "name": name, "suanzi": mine.tolist(), "torch": others.tolist()}
            )
            print(f"{name:72s} {mine[1] * 1e3:9.3f} ms {others[1] * 1e3:9.3f} ms "
                  f"{ratios[-1]:6.2f}", flush=True)  # fmt: skip
        mean = math.exp(sum(map(math.log, ratios)) / len(ratios))
        print(f"{part}: geometric mean {mean:.2f}, least {min(ratios):.2f}\n", flush=True)
    if arguments.keep:
        versions = {name: version(name) for name in ("numpy", "llvmlite", "torch")}
        keep(arguments.keep, {"versions": versions, "threads": arguments.threads,
                              "seconds (10, 50, 90 %)": found})  # fmt: skip


if __name__ == "__main__":
    main()
