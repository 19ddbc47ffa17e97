"""onnxruntime's interface: the same calls in both, with the same results."""

import json
import threading
import warnings
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

import suanzi
from suanzi import data, options
from suanzi.errors import SuanziError

F32 = np.float32
BOTH = pytest.mark.parametrize("ort", [suanzi, onnxruntime], ids=["suanzi", "onnxruntime"])


@pytest.fixture
def seven():
    return data.digits()["7.png"]


@pytest.fixture
def expected(seven):
    return onnxruntime.InferenceSession(data.digits_model()).run(None, {"Input3": seven})[0]


def digits(ort, **options):
    return ort.InferenceSession(data.digits_model(), **options)


def close(found, expected):
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-2)


@BOTH
def test_options_and_providers(ort, seven, expected):
    made = ort.SessionOptions()
    made.intra_op_num_threads = 1
    made.inter_op_num_threads = 1
    made.log_severity_level = 3
    made.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
    providers = [("CPUExecutionProvider", {})]
    session = ort.InferenceSession(data.digits_model(), made, providers)
    assert session.get_providers() == ["CPUExecutionProvider"]
    assert session.get_session_options().intra_op_num_threads == 1
    assert session.get_overridable_initializers() == []
    assert "CPUExecutionProvider" in ort.get_available_providers()
    assert ort.get_device() == "CPU"
    run = ort.RunOptions()
    run.log_severity_level = 4
    close(session.run(["Plus214_Output_0"], {"Input3": seven}, run)[0], expected)
    close(session.run([], {"Input3": seven})[0], expected)


def test_threads():
    made = suanzi.SessionOptions()
    made.intra_op_num_threads = 1
    assert digits(suanzi, sess_options=made).compiler.threads == 1
    assert digits(suanzi, sess_options=made, threads=2).compiler.threads == 2


def test_what_means_nothing_is_told_of_once(monkeypatch):
    monkeypatch.setattr(options, "_told", set())
    made = suanzi.SessionOptions()
    with pytest.warns(UserWarning, match="enable_cpu_mem_arena: a program has one arena"):
        made.enable_cpu_mem_arena = False
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        made.enable_cpu_mem_arena = False
        suanzi.SessionOptions().enable_cpu_mem_arena = False
        made.enable_mem_pattern = True  # as it is anyway
    with pytest.warns(UserWarning, match="session.set_denormal_as_zero"):
        made.add_session_config_entry("session.set_denormal_as_zero", "1")
    assert made.get_session_config_entry("session.set_denormal_as_zero") == "1"
    with pytest.raises(SuanziError, match="no such option"):
        made.number_of_threads = 3


@BOTH
def test_a_provider_that_there_is_not(ort):
    with pytest.warns(UserWarning, match="'CUDAExecutionProvider' is not in available"):
        digits(ort, providers=["CUDAExecutionProvider", "CPUExecutionProvider"])


@BOTH
def test_values(ort, seven, expected):
    value = ort.OrtValue.ortvalue_from_numpy(seven)
    assert value.shape() == [1, 1, 28, 28]
    assert (value.data_type(), value.element_type()) == ("tensor(float)", 1)
    assert (value.is_tensor(), value.has_value(), value.device_name()) == (True, True, "cpu")
    (y,) = digits(ort).run_with_ort_values(None, {"Input3": value})
    close(y.numpy(), expected)
    empty = ort.OrtValue.ortvalue_from_shape_and_type([1, 1, 28, 28], F32)
    empty.update_inplace(seven)
    np.testing.assert_array_equal(empty.numpy(), seven)
    assert ort.OrtValue.ortvalue_from_shape_and_type([2], np.int64).element_type() == 7


@BOTH
def test_binding(ort, seven, expected):
    session = digits(ort)
    binding = session.io_binding()
    binding.bind_cpu_input("Input3", seven)
    binding.bind_output("Plus214_Output_0")
    session.run_with_iobinding(binding)
    close(binding.copy_outputs_to_cpu()[0], expected)
    close(binding.get_outputs()[0].numpy(), expected)


@BOTH
def test_binding_to_memory(ort, seven, expected):
    session = digits(ort)
    x, y = seven.copy(), np.full((1, 10), 7, F32)
    binding = session.io_binding()
    binding.bind_input("Input3", "cpu", 0, F32, x.shape, x.ctypes.data)
    binding.bind_output("Plus214_Output_0", "cpu", 0, F32, y.shape, y.ctypes.data)
    session.run_with_iobinding(binding)
    close(y, expected)
    x[:] = data.digits()["3.png"]  # the same memory, other contents
    session.run_with_iobinding(binding)
    assert y.argmax() == 3
    value = ort.OrtValue.ortvalue_from_shape_and_type([1, 10], F32)
    binding.clear_binding_outputs()
    binding.bind_ortvalue_output("Plus214_Output_0", value)
    binding.bind_ortvalue_input("Input3", ort.OrtValue.ortvalue_from_numpy(seven))
    session.run_with_iobinding(binding)
    close(value.numpy(), expected)


def test_memory_of_another_type_is_refused(seven):
    session = digits(suanzi)
    for memory in (np.zeros((1, 9), F32), np.zeros((1, 10), np.float64)):
        binding = session.io_binding()
        binding.bind_cpu_input("Input3", seven)
        binding.bind_ortvalue_output("Plus214_Output_0", suanzi.OrtValue(memory))
        with pytest.raises(SuanziError, match="the memory is of another type"):
            session.run_with_iobinding(binding)
        assert not memory.any()
    binding = session.io_binding()
    with pytest.raises(SuanziError, match="no such memory"):
        binding.bind_input("Input3", "cpu", 0, F32, (1, 1, 28, 28), 0)
    with pytest.raises(SuanziError, match="no such device"):
        binding.bind_input("Input3", "cuda", 0, F32, (1, 1, 28, 28), 4096)
    with pytest.raises(SuanziError, match="of another type"):
        suanzi.OrtValue.ortvalue_from_numpy(seven).update_inplace(np.zeros(3, F32))
    with pytest.raises(SuanziError, match="another size"):
        suanzi.OrtValue.ortvalue_from_numpy_with_onnx_type(np.zeros(3, F32), 16)


def test_halves_by_their_bytes():
    bits = np.array([0x3F80, 0xC000], np.uint16)
    value = suanzi.OrtValue.ortvalue_from_numpy_with_onnx_type(bits, 16)
    assert value.numpy().astype(F32).tolist() == [1.0, -2.0]
    assert value.data_type() == "tensor(bfloat16)"


@BOTH
def test_another_thread(ort, seven, expected):
    done, found = threading.Event(), []

    def callback(outputs, data, error):
        found.append((outputs, data, error))
        done.set()

    session = digits(ort)
    session.run_async(None, {"Input3": seven}, callback, "mine")
    assert done.wait(30)
    ((outputs, told, error),) = found
    assert (told, error) == ("mine", "")
    close(outputs[0], expected)


def test_an_error_on_another_thread(seven):
    done, found = threading.Event(), []
    digits(suanzi).run_async(None, {"x": seven}, lambda *got: (found.extend(got), done.set()), None)
    assert done.wait(30)
    assert found[0] == []
    assert "no such input" in found[2]


def test_a_profile_and_the_optimized_model(seven, tmp_path):
    made = suanzi.SessionOptions()
    made.enable_profiling = True
    made.profile_file_prefix = str(tmp_path / "profile")
    made.optimized_model_filepath = str(tmp_path / "less.onnx")
    session = digits(suanzi, sess_options=made)
    session.run(None, {"Input3": seven})
    file = session.end_profiling()
    events = json.loads(Path(file).read_text())["traceEvents"]
    assert {event["name"] for event in events} >= {"ReLU32", "Pooling66"}
    assert digits(suanzi).end_profiling() == ""
    onnxruntime.InferenceSession(tmp_path / "less.onnx").run(None, {"Input3": seven})


def test_names():
    """What programs take from onnxruntime's module, by attribute or by `from ... import`."""
    names = """InferenceSession SessionOptions RunOptions OrtValue IOBinding NodeArg ModelMetadata
        GraphOptimizationLevel ExecutionMode ExecutionOrder get_available_providers
        get_all_providers get_device set_default_logger_severity set_default_logger_verbosity
        disable_telemetry_events enable_telemetry_events __version__"""
    for name in names.split():
        assert hasattr(onnxruntime, name)
        assert hasattr(suanzi, name)
    for level in suanzi.GraphOptimizationLevel:
        assert level == getattr(onnxruntime.GraphOptimizationLevel, level.name)
    ours = {n for n in dir(suanzi.SessionOptions) if not n.startswith("_")}
    assert ours <= set(dir(onnxruntime.SessionOptions))
