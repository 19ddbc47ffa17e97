"""A session goes on in a forked child, as servers that fork their workers need it."""

import os
import subprocess
import sys

import pytest

FORK = """
import os
import numpy as np
from onnx import TensorProto, helper
from suanzi.session import InferenceSession

kind = TensorProto.FLOAT
graph = helper.make_graph(
    [helper.make_node("MatMul", ["x", "w"], ["p"]), helper.make_node("Softmax", ["p"], ["y"])],
    "net",
    [helper.make_tensor_value_info("x", kind, ["rows", 256])],
    [helper.make_tensor_value_info("y", kind, ["rows", 256])],
    [helper.make_tensor("w", kind, (256, 256), np.eye(256).ravel())],
)
session = InferenceSession(helper.make_model(graph), threads=2)

def run(rows):
    x = np.random.default_rng(rows).standard_normal((rows, 256), np.float32)
    (y,) = session.run(None, {"x": x})
    e = np.exp(x)
    assert np.allclose(y, e / e.sum(1, keepdims=True), atol=1e-6)

run(512)
for _ in range(3):
    child = os.fork()
    if not child:
        run(512)  # with the program that the parent compiled
        run(300)  # with one of its own
        os._exit(7)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    run(512)
print("done")
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_session_in_a_forked_child(tmp_path):
    paths = os.pathsep.join(sys.path)
    environment = {**os.environ, "SUANZI_CACHE_DIR": str(tmp_path), "PYTHONPATH": paths}
    command = [sys.executable, "-c", FORK]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr
