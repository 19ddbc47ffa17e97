"""How soon a model runs: import, the first compilation, loading from the cache; new processes each.

python bench/start.py [--rounds 5] [--keep NAME]
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

import onnx

from kept import keep
from weights import randomize
from zoo import FOLDER

IMPORT = "import suanzi"
LOAD = """
import numpy as np
from suanzi import InferenceSession
start = time.perf_counter()
session = InferenceSession({path!r})
feeds = {{i.name: np.zeros(i.shape, np.float32) for i in session.get_inputs()}}
session.run(None, feeds)
"""
PROGRAM = """
import json, time
start = time.perf_counter()
{body}
print(json.dumps(time.perf_counter() - start))
"""


def seconds(body: str, folder: str) -> float:
    """What a new process measures of itself."""
    environment = {**os.environ, "SUANZI_CACHE_DIR": folder}
    program = PROGRAM.format(body=body)
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, check=True
    )
    return float(json.loads(done.stdout))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--models", default="resnet50,densenet121")
    parser.add_argument("--keep", metavar="NAME")
    arguments = parser.parse_args()
    found: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        imports = [seconds(IMPORT, folder) for _ in range(arguments.rounds)]
        found["import suanzi"] = {"seconds": median(imports)}
        for name in arguments.models.split(","):
            path = Path(folder) / f"{name}.onnx"
            onnx.save(randomize(onnx.load(FOLDER / f"light_{name}.onnx")), path)
            body = LOAD.format(path=str(path))
            first, again = [], []
            for number in range(arguments.rounds):
                cache = str(Path(folder) / f"{name}-{number}")
                first.append(seconds(body, cache))
                again.append(seconds(body, cache))
            found[name] = {"first": median(first), "again": median(again)}
    for name, times in found.items():
        print(name, *(f"{what} {value:.3f} s" for what, value in times.items()))
    if arguments.keep:
        keep(arguments.keep, found)


if __name__ == "__main__":
    main()
