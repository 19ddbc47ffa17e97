"""Processors that this machine isn't: NEON's plans compile for aarch64, and x86's smaller targets
run whole models."""

import os
import subprocess
import sys
from dataclasses import replace

import llvmlite.binding as llvm
import numpy as np
import pytest

from kernel_support import RUNNABLE, make_site
from suanzi.graph.fused import Chain, Link, Reorder
from suanzi.kernels import choose
from suanzi.kernels._kernel import Kernel
from suanzi.lang.target import NEON, host_target
from suanzi.operators.activation import Gelu, Relu
from suanzi.operators.channel_shuffle import ChannelShuffle
from suanzi.operators.contributed import DynamicQuantizeLSTM
from suanzi.operators.convolution import Conv, ConvTranspose, ConvWeightGradient
from suanzi.operators.indexing import Gather, ScatterND
from suanzi.operators.integer_convolution import ConvInteger
from suanzi.operators.linear import MatMul
from suanzi.operators.normalization import LRN, LayerNormalization
from suanzi.operators.pooling import GlobalAveragePool, MaxPool
from suanzi.operators.pooling_gradient import MaxPoolGradient
from suanzi.operators.quantization import DynamicQuantizeLinear, MatMulInteger
from suanzi.operators.recurrent import GRU, LSTM, RNN
from suanzi.operators.reduction import ReduceMean
from suanzi.operators.resize import Resize
from suanzi.operators.shape import Transpose
from suanzi.operators.softmax import Softmax
from suanzi.runtime.machine import compile_object

V = NEON.lanes
BLOCKS = {"input_lanes": V, "output_lanes": V}
WEIGHTS_OF_3, READ = ConvWeightGradient(kernel_shape=(3, 3)), {"input_lanes": V}
ARRIVING = {"input_lanes": (V, 0), "output_lanes": V}
FILTERS = {"input_lanes": (V, 0), "output_lanes": V, "constants": (1,)}


def zeros(*shape):
    return np.zeros(shape, np.float32)


BYTES = np.zeros((17, 30), np.uint8)
IMAGE = zeros(1, 30, 28, 28)
QUANTIZED = (
    ConvInteger(pads=(1, 1, 1, 1)),
    [IMAGE.astype(np.uint8), np.zeros((16, 30, 3, 3), np.int8)],
    {"constants": (1,)},
)
SEQUENCE = ([zeros(3, 1, 7), zeros(1, 15, 7), zeros(1, 15, 5)], {"constants": (1, 2)})
RELU = Chain(1, (Link(Relu(), (0,)),))
QUANTIZED_LSTM = (
    DynamicQuantizeLSTM(hidden_size=2 * V),
    [
        zeros(3, 1, 7),
        zeros(1, 7, 8 * V).astype(np.int8),
        zeros(1, 2 * V, 8 * V).astype(np.int8),
        *(None,) * 5,
        *(zeros(1), zeros(1).astype(np.int8)) * 2,
    ],
    {"constants": (1, 2, 8, 9, 10, 11)},
)
SITES = {
    "Apply": (Chain(1, (Link(Gelu(), (0,)),)), [IMAGE], {}),
    "ConvDepthwise": (Conv(group=30), [IMAGE, zeros(30, 1, 3, 3)], FILTERS),
    "ConvDirect": (Conv(strides=(2, 2)), [IMAGE, zeros(32, 30, 3, 3)], {**FILTERS, "chain": RELU}),
    "ConvFlat": (Conv(), [IMAGE, zeros(6, 30, 3, 3)], {"constants": (1,)}),
    "ConvRows": (Conv(), [IMAGE[..., :3], zeros(6, 30, 3, 1)], {"constants": (1,)}),
    "ConvSamples": (Conv(), [zeros(8, 30, 4, 4), zeros(32, 30, 3, 3)], ARRIVING),
    "ConvTransposeLanes": (
        ConvTranspose(strides=(2, 2)),
        [IMAGE, zeros(30, 1, 2, 2)],
        {"input_lanes": (V, 0), "constants": (1,)},
    ),
    "ConvWeightSums": (WEIGHTS_OF_3, [zeros(1, 30, 9, 9), zeros(1, 20, 7, 7)], READ),
    "ConvWeightWrite": (
        WEIGHTS_OF_3,
        [zeros(8, 3, 30, 30), zeros(8, 12, 28, 28)],
        {"input_lanes": (0, V)},
    ),
    "DepthwiseWeightSums": (
        replace(WEIGHTS_OF_3, group=30),
        [zeros(1, 30, 9, 9), zeros(1, 30, 7, 7)],
        READ,
    ),
    "DynamicRange": (DynamicQuantizeLinear(), [zeros(17, 30)], {}),
    "GRUWalk": (GRU(hidden_size=5, linear_before_reset=1), *SEQUENCE),
    "GlobalPoolKernel": (GlobalAveragePool(), [IMAGE], BLOCKS),
    "LSTMWalk": (
        LSTM(hidden_size=5),
        [zeros(3, 1, 7), zeros(1, 20, 7), zeros(1, 20, 5)],
        {"constants": (1, 2)},
    ),
    "LRNKernel": (LRN(size=5), [IMAGE], BLOCKS),
    "MatMulRows": (MatMul(), [zeros(5, 7), zeros(70, 7, 7)], {"constants": (0,)}),
    "MatMulTiles": (MatMul(), [zeros(17, 30), zeros(30, 20)], {"constants": (1,)}),
    "NormalizeRows": (LayerNormalization(), [zeros(17, 30), zeros(30)], {"outputs": 1}),
    "PadBytes": QUANTIZED,
    "PackQuadRows": (MatMulInteger(), [BYTES, BYTES.T], {}),
    "PoolGradient": (
        MaxPoolGradient(kernel_shape=(3, 3), pads=(1, 1, 1, 1)),
        [IMAGE, IMAGE],
        BLOCKS,
    ),
    "PoolKernel": (
        MaxPool(kernel_shape=(3, 3), strides=(1, 1), dilations=(1, 1), pads=(0,) * 4),
        [IMAGE],
        {**BLOCKS, "outputs": 1},
    ),
    "PoolRows": (MaxPool(kernel_shape=(3, 3), strides=(2, 2)), [IMAGE], {"outputs": 1}),
    "Put": (
        ScatterND(reduction="add"),
        [zeros(9, 30), np.zeros((4, 1), np.int64), zeros(4, 30)],
        {},
    ),
    "QuantizedConvTiles": QUANTIZED,
    "QuantizeWhole": QUANTIZED_LSTM,
    "QuantizedLSTMWalk": QUANTIZED_LSTM,
    "QuantizedTiles": (MatMulInteger(), [BYTES, BYTES.T], {"constants": (1,)}),
    "Reduce": (ReduceMean(keepdims=0), [zeros(17, 30), np.array([1])], {"constants": (1,)}),
    "ReorderKernel": (Reorder(V), [IMAGE], {"output_lanes": V}),
    "RNNWalk": (
        RNN(hidden_size=5),
        [zeros(3, 1, 7), zeros(1, 5, 7), zeros(1, 5, 5)],
        {"constants": (1, 2)},
    ),
    "ResetGRUWalk": (GRU(hidden_size=5), *SEQUENCE),
    "ResizeKernel": (
        Resize(mode="linear"),
        [IMAGE, None, np.array([1, 1, 2, 2], np.float32)],
        {"input_lanes": (V, 0, 0), "output_lanes": V, "constants": (2,)},
    ),
    "ShuffleKernel": (ChannelShuffle(group=3), [IMAGE], BLOCKS),
    "SoftmaxColumns": (Softmax(axis=0), [zeros(17, 30)], {}),
    "SoftmaxRows": (Softmax(), [zeros(17, 30)], {}),
    "StridedCopy": (Transpose(perm=(1, 0)), [zeros(17, 30)], {}),
    "SumBias": (
        RNN(hidden_size=5),
        [zeros(3, 1, 7), zeros(1, 5, 7), zeros(1, 5, 5), zeros(1, 10)],
        {},
    ),
    "Take": (Gather(), [zeros(9, 30), np.zeros(4, np.int64)], {}),
    "WinogradProduct": (Conv(pads=(1, 1, 1, 1)), [IMAGE, zeros(64, 30, 3, 3)], FILTERS),
    "WinogradWeights": (Conv(pads=(1, 1, 1, 1)), [IMAGE, zeros(64, 30, 3, 3)], ARRIVING),
}
"""By kernel, a site that has it on NEON."""


@pytest.mark.parametrize("kernel", SITES)
def test_neon(kernel):
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    operator, inputs, described = SITES[kernel]
    calls = choose(make_site(operator, inputs, target=NEON, **described))
    assert kernel in {type(call.kernel).__name__ for call in calls}
    for call in calls:
        code = compile_object(call.kernel.ir(NEON), NEON)
        assert code[:6] == b"\x7fELF\x02\x01"  # 64 bits, the low byte first
        assert int.from_bytes(code[18:20], "little") == 183  # the machine: AArch64


ABSTRACT = {"RecurrentWalk"}


def below(kind):
    """All classes derived from one."""
    return {found for sub in kind.__subclasses__() for found in (sub, *below(sub))}


def test_every_kernel_is_there():
    """But for the one that only goes before WinogradProduct, where weights are large."""
    found = [kind for kind in below(Kernel) if kind.__module__.startswith("suanzi.kernels.")]
    kernels = {kind.__name__ for kind in found} - ABSTRACT
    assert kernels - {"WinogradInput"} == SITES.keys()


MODELS = """
import numpy as np, onnx, onnxruntime
from pathlib import Path
from suanzi.data import digits_model
from suanzi.session import InferenceSession
from weights import randomize

light = Path(onnx.__file__).parent / "backend/test/data/light/light_squeezenet.onnx"
squeezenet = randomize(onnx.load(light)).SerializeToString()
for model in (digits_model(), squeezenet):
    session = InferenceSession(model, threads=2)
    (image,) = session.get_inputs()
    feeds = {image.name: np.random.default_rng(0).standard_normal(image.shape, np.float32)}
    (found,) = session.run(None, feeds)
    (expected,) = onnxruntime.InferenceSession(model).run(None, feeds)
    assert abs(found - expected).max() <= 1e-4 * abs(expected).max()
    print(session.compiler.target.name)
"""


@pytest.mark.parametrize(
    "target", [t for t in RUNNABLE if t != host_target()], ids=lambda t: t.name
)
def test_models_on_smaller_targets(target, tmp_path):
    environment = {**os.environ, "SUANZI_TARGET": target.name, "SUANZI_CACHE_DIR": str(tmp_path)}
    environment["PYTHONPATH"] = os.pathsep.join(sys.path)
    command = [sys.executable, "-c", MODELS]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [target.name] * 2
