"""The nine zoo architectures of the onnx wheel, side by side with other runtimes.

    python bench/zoo.py [--threads 1,2] [--models resnet50,vgg19] [--seconds 6] [--keep NAME]

Random weights (weights.py), batch 1, float32. `--keep` writes the raw results to bench/results/.
"""

import argparse
import math
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import numpy as np
import onnx

from kept import keep
from suanzi.cli.bench import show
from suanzi.inspect.bench import Comparison, compare
from weights import randomize

FOLDER = Path(onnx.__file__).parent / "backend/test/data/light"
PEERS = ("onnxruntime", "openvino")


def models(names: list[str]) -> Iterator[tuple[str, bytes, dict[str, np.ndarray]]]:
    """Each architecture's name, file and input."""
    for path in sorted(FOLDER.glob("light_*.onnx")):
        name = path.stem.removeprefix("light_")
        if not names or name in names:
            model = randomize(onnx.load(path))
            fed = {t.name for t in model.graph.initializer}
            (image,) = (i for i in model.graph.input if i.name not in fed)
            shape = [d.dim_value for d in image.type.tensor_type.shape.dim]
            picture = np.random.default_rng(0).standard_normal(shape, dtype=np.float32)
            yield name, model.SerializeToString(), {image.name: picture}


def geometric_mean(found: list[Comparison]) -> float:
    ratios = [one.ratio for one in found if one.ratio]
    return math.exp(sum(map(math.log, ratios)) / len(ratios))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--models", default="")
    parser.add_argument("--seconds", type=float, default=6.0)
    parser.add_argument("--keep", metavar="NAME")
    arguments = parser.parse_args()
    names = [name for name in arguments.models.split(",") if name]
    found: list[Comparison] = []
    for name, content, feeds in models(names):
        for threads in map(int, arguments.threads.split(",")):
            found.append(compare(name, content, feeds, PEERS, threads, arguments.seconds))
            one = found[-1]
            print(f"{name}, threads {threads}: ratio {one.ratio:.2f}", flush=True)
    show(found, list(PEERS))
    if arguments.keep:
        keep(
            arguments.keep,
            {
                "versions": {name: version(name) for name in ("numpy", "llvmlite", *PEERS)},
                "geometric means": {
                    threads: geometric_mean([one for one in found if one.threads == threads])
                    for threads in sorted({one.threads for one in found})
                },
                "comparisons": [one.to_dict() for one in found],
            },
        )


if __name__ == "__main__":
    main()
