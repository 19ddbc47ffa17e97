"""Profiles: the sums agree with the steps, and the steps with the program."""

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from suanzi import InferenceSession, data
from suanzi.inspect.roofline import Roofline, roofline
from suanzi.lang import host_target


@pytest.fixture(scope="module")
def found():
    session = InferenceSession(data.digits_model(), threads=1)
    return session.profile({"Input3": data.digits()["2.png"]}, rounds=3)


def test_sums(found):
    assert found.rounds == 3
    assert found.macs == sum(step.macs for step in found.steps) == 786_560
    assert found.gflops == pytest.approx(2 * found.macs / found.seconds / 1e9)
    assert found.seconds >= max(step.seconds for step in found.steps)


def test_steps(found):
    convolution = found.steps[0]
    assert convolution.operator == "Conv+Relu"
    assert convolution.shape == (1, 8, 28, 28)
    assert convolution.macs == 8 * 28 * 28 * 25
    assert convolution.bytes == 4 * (28 * 28 + 8 * 25 + 8 + 8 * 28 * 28)
    assert convolution.kernel in convolution.plan
    assert convolution.why
    for step in found.steps:
        least = found.roofline.seconds(step.macs, step.bytes)
        assert step.share == pytest.approx(least / step.seconds)


def test_as_data(found):
    plain = found.to_dict()
    assert plain["macs"] == found.macs
    assert plain["steps"][0]["gflops"] == pytest.approx(found.steps[0].gflops)
    assert plain["roofline"]["threads"] == 1


def test_the_machines_limits():
    measured = roofline(host_target(), 1)
    assert measured.gflops > 0.1
    assert measured.gigabytes > 0.1
    assert roofline(host_target(), 1) is measured
    limits = Roofline(gflops=100, gigabytes=10, threads=1)
    assert limits.seconds(macs=10**9, nbytes=1) == pytest.approx(0.02)
    assert limits.seconds(macs=1, nbytes=10**9) == pytest.approx(0.1)
    assert np.isfinite(limits.seconds(0, 0))


def test_the_kernels_of_one_node_are_one_step():
    """A transposed convolution has a kernel's call for each phase, whose times add up."""
    weights = np.ones((16, 16, 4, 4), np.float32)
    node = helper.make_node("ConvTranspose", ["x", "w"], ["y"], strides=[2, 2])
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        [node],
        "phases",
        [value("x", TensorProto.FLOAT, [1, 16, 9, 9])],
        [value("y", TensorProto.FLOAT, [1, 16, 20, 20])],
        [numpy_helper.from_array(weights, "w")],
    )
    session = InferenceSession(helper.make_model(graph, ir_version=10), threads=1)
    feeds = {"x": np.ones((1, 16, 9, 9), np.float32)}
    (step,) = (s for s in session.profile(feeds, 3).steps if s.operator == "ConvTranspose")
    assert len([s for s in session.program(feeds).program.steps if s.kernel == "ConvDirect"]) == 4
    assert (step.kernel, step.macs) == ("ConvDirect", 16 * 16 * 4 * 4 * 9 * 9)
