"""ONNX's Backend interface, and all of its cases."""

import numpy as np
import onnx
import pytest
from onnx import helper

from suanzi import SuanziError, data
from suanzi.interop import onnx_backend
from suanzi.interop.backend_cases import PASSING, main, run

MODEL = onnx.load_from_string(data.digits_model())


def test_as_many_cases_pass_as_did():
    found = {outcome.group: outcome.passed for outcome in run()}
    assert found == PASSING


def test_the_command_says_what_fails_and_why(capsys):
    assert main("^test_bernoulli_seed_cpu$|^test_abs_cpu$") == 0
    printed = capsys.readouterr().out
    assert "test_bernoulli_seed" in printed
    assert "Not equal" in printed
    assert "1 of     2 pass" in printed


def test_models_and_nodes():
    assert onnx_backend.supports_device("CPU")
    assert not onnx_backend.supports_device("CUDA:1")
    picture = np.zeros((1, 1, 28, 28), np.float32)
    (by_place,) = onnx_backend.run_model(MODEL, [picture])
    (by_name,) = onnx_backend.run_model(MODEL, {"Input3": picture})
    (alone,) = onnx_backend.prepare(MODEL).run(picture)
    np.testing.assert_array_equal(by_place, by_name)
    np.testing.assert_array_equal(by_place, alone)
    clip = helper.make_node("Clip", ["x", "", "max"], ["y"])
    (y,) = onnx_backend.run_node(clip, [np.float32([1, 9]), np.float32(5)], opset_version=13)
    np.testing.assert_array_equal(y, np.float32([1, 5]))


def test_more_inputs_than_there_are():
    with pytest.raises(SuanziError, match="too many inputs"):
        onnx_backend.run_model(MODEL, [np.zeros(1), np.zeros(1)])
