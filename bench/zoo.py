"""The nine zoo architectures of the onnx wheel, side by side with other runtimes.

    python bench/zoo.py [--threads 1,2] [--models resnet50,vgg19] [--batch 1] [--seconds 6]
                        [--keep NAME]

Random weights (weights.py), float32. `--keep` writes the raw results to bench/results/.
"""

import argparse
import math
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper

from kept import keep
from suanzi.cli.bench import show
from suanzi.inspect.bench import Comparison, compare
from weights import randomize

FOLDER = Path(onnx.__file__).parent / "backend/test/data/light"
PEERS = ("onnxruntime", "openvino")


def models(names: list[str], batch: int = 1) -> Iterator[tuple[str, bytes, dict[str, np.ndarray]]]:
    """Each architecture's name, file and input of `batch` pictures."""
    for path in sorted(FOLDER.glob("light_*.onnx")):
        name = path.stem.removeprefix("light_")
        if not names or name in names:
            model = randomize(onnx.load(path))
            fed = {t.name for t in model.graph.initializer}
            (image,) = (i for i in model.graph.input if i.name not in fed)
            _, *shape = (d.dim_value for d in image.type.tensor_type.shape.dim)
            set_batch(model, image, batch)
            picture = np.random.default_rng(0).standard_normal((batch, *shape), dtype=np.float32)
            yield name, model.SerializeToString(), {image.name: picture}


def set_batch(model: onnx.ModelProto, image: onnx.ValueInfoProto, batch: int) -> None:
    """Puts a batch in place of the one picture that the files are for, in what they reshape to as
    well."""
    if batch == 1:
        return
    image.type.tensor_type.shape.dim[0].dim_value = batch
    del model.graph.value_info[:]
    for output in model.graph.output:
        output.type.tensor_type.shape.dim[0].dim_value = batch
    shapes = {node.input[1] for node in model.graph.node if node.op_type == "Reshape"}
    for tensor in model.graph.initializer:
        if tensor.name in shapes:
            sizes = numpy_helper.to_array(tensor).copy()
            sizes[0] = batch if sizes[0] == 1 else sizes[0]
            tensor.CopyFrom(numpy_helper.from_array(sizes, tensor.name))


def geometric_mean(found: list[Comparison]) -> float:
    ratios = [one.ratio for one in found if one.ratio]
    return math.exp(sum(map(math.log, ratios)) / len(ratios))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--models", default="")
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=6.0)
    parser.add_argument("--keep", metavar="NAME")
    arguments = parser.parse_args()
    names = [name for name in arguments.models.split(",") if name]
    found: list[Comparison] = []
    for name, content, feeds in models(names, arguments.batch):
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
                "batch": arguments.batch,
                "geometric means": {
                    threads: geometric_mean([one for one in found if one.threads == threads])
                    for threads in sorted({one.threads for one in found})
                },
                "comparisons": [one.to_dict() for one in found],
            },
        )


if __name__ == "__main__":
    main()
