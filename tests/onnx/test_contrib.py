"""onnxruntime's own operators, held to onnxruntime: models of one node, on random inputs."""

import functools

import numpy as np
import onnxruntime
import pytest
from onnx import ValueInfoProto, helper

from suanzi.errors import SuanziError
from suanzi.graph.evaluate import evaluate
from suanzi.onnx import read
from suanzi.onnx.contrib import EXPANSIONS
from suanzi.operators import OPERATORS

GRADIENT = "ai.onnx.preview.training.Gradient"
RNG = np.random.default_rng(7)


def model(op_type, inputs, attributes, outputs=1, domain="com.microsoft", constants=()):
    """One node; an output may be named "" to be left out."""
    names = ["" if x is None else f"x{i}" for i, x in enumerate(inputs)]
    made = [f"y{i}" for i in range(outputs)] if isinstance(outputs, int) else list(outputs)
    node = helper.make_node(op_type, names, made, domain=domain, **attributes)
    given = {name: x for name, x in zip(names, inputs, strict=True) if name}
    graph = helper.make_graph(
        [node],
        "test",
        [
            helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(x.dtype), x.shape)
            for name, x in given.items()
            if name not in constants
        ],
        [ValueInfoProto(name=name) for name in made if name],
        [
            helper.make_tensor(
                name, helper.np_dtype_to_tensor_dtype(x.dtype), x.shape, x.tobytes(), raw=True
            )
            for name, x in given.items()
            if name in constants
        ],
    )
    opsets = [helper.make_opsetid("", 16), helper.make_opsetid("com.microsoft", 1)]
    feeds = {name: x for name, x in given.items() if name not in constants}
    return helper.make_model(graph, opset_imports=opsets, ir_version=8), feeds


def agrees(proto, feeds, atol=1e-5):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        proto.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    expected = session.run(None, feeds)
    graph = read(proto).graph
    values = evaluate(graph, feeds)
    for name, e in zip(graph.outputs, expected, strict=True):
        y = values[name]
        assert (y.dtype, y.shape) == (e.dtype, e.shape)
        if y.dtype.kind in "iu":  # a tie may be rounded either way
            assert np.abs(y.astype(np.int64) - e.astype(np.int64)).max() <= (atol >= 1)
        else:
            np.testing.assert_allclose(y, e, 1e-4, atol)


def real(*shape):
    return RNG.normal(size=shape).astype(np.float32)


def small(*shape, dtype=np.uint8):
    limits = np.iinfo(dtype)
    return RNG.integers(limits.min, limits.max, shape, endpoint=True).astype(dtype)


def one(value, dtype=np.float32):
    return np.array(value, dtype)


CONV = {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}
U8, I8 = functools.partial(one, dtype=np.uint8), functools.partial(one, dtype=np.int8)
IDS = RNG.integers(0, 9, (2, 5)).astype(np.int32)
LAST = ("y0", "", "", "y3")
HEADS = {"num_heads": 2}
MASK = np.array([[1, 1, 1, 1, 0], [1, 1, 0, 0, 0]], np.int32)
ROTATED = real(10, 4), real(10, 4)
A8 = small(3, 4), one(0.1), U8(9)
Q8 = small(2, 3, 6, 6), one(0.05), U8(120)

CASES = [
    ("FusedMatMul", [real(2, 3, 4), real(2, 4, 5)], {"alpha": 0.5}),
    ("FusedMatMul", [real(2, 4, 3), real(2, 5, 4)], {"transA": 1, "transB": 1}),
    ("FusedMatMul", [real(3, 2, 4), real(2, 4, 5)], {"transBatchA": 1}),
    ("FusedMatMul", [real(4, 2, 3), real(2, 4, 5)], {"transBatchA": 1, "transA": 1}),
    ("FusedMatMul", [real(2, 3, 4), real(5, 2, 4)], {"transBatchB": 1, "transB": 1}),
    ("TransposeMatMul", [real(2, 4, 3), real(2, 4, 5)], {"transA": 1, "alpha": 2.0}),
    ("FusedConv", [real(1, 3, 6, 6), real(4, 3, 3, 3), real(4)], CONV | {"activation": "Relu"}),
    (
        "FusedConv",
        [real(1, 3, 6, 6), real(4, 3, 3, 3), real(4), real(1, 4, 6, 6)],
        CONV | {"activation": "Relu"},
    ),
    *(
        (
            "FusedConv",
            [real(1, 3, 6, 6), real(4, 3, 3, 3)],
            CONV | {"activation": name, "activation_params": parameters},
        )
        for name, parameters in (
            ("LeakyRelu", [0.2]),
            ("Clip", [-0.5, 0.5]),
            ("HardSigmoid", [0.3, 0.4]),
            ("Tanh", [0.0]),
            ("Sigmoid", [0.0]),
        )
    ),
    (
        "FusedGemm",
        [real(3, 4), real(5, 4), real(5)],
        {"transB": 1, "alpha": 0.5, "activation": "LeakyRelu", "activation_alpha": 0.3},
    ),
    ("Gelu", [real(3, 4)], {}),
    ("BiasGelu", [real(3, 4), real(4)], {}),
    ("FastGelu", [real(3, 4), real(4)], {}),
    ("FastGelu", [real(3, 4)], {}),
    ("QuickGelu", [real(3, 4)], {"alpha": 1.5}),
    ("QuickGelu", [real(3, 4)], {}),
    ("SkipLayerNormalization", [real(2, 3, 4), real(2, 3, 4), real(4), real(4), real(4)], {}),
    ("SkipLayerNormalization", [real(2, 3, 4), real(3, 4), real(4)], {"epsilon": 0.1}),
    ("SkipLayerNormalization", [real(2, 3, 4), real(1, 3, 4), real(4), None, real(4)], {}, LAST),
    ("SkipSimplifiedLayerNormalization", [real(2, 3, 4), real(2, 3, 4), real(4), real(4)], {}),
    ("SkipSimplifiedLayerNormalization", [real(2, 3, 4), real(2, 3, 4), real(4)], {}, LAST),
    ("SimplifiedLayerNormalization", [real(2, 3, 4), real(4)], {"epsilon": 1e-6}, 1, ""),
    ("LayerNormalization", [real(2, 3, 4), real(4), real(4)], {"axis": -1}, 1, ""),
    (
        "EmbedLayerNormalization",
        [IDS, IDS % 2, real(9, 4), real(7, 4), real(2, 4), real(4), real(4), MASK],
        {},
        3,
    ),
    (
        "EmbedLayerNormalization",
        [IDS, None, real(9, 4), real(7, 4), None, real(4), real(4), None, IDS % 7],
        {},
        2,
    ),
    ("EmbedLayerNormalization", [IDS, None, real(9, 4), real(7, 4), None, real(4), real(4)], {}, 2),
    ("RotaryEmbedding", [real(2, 3, 16), one([0], np.int64), *ROTATED], {}),
    ("RotaryEmbedding", [real(2, 3, 16), one([2], np.int64), *ROTATED], {"interleaved": 1}),
    ("RotaryEmbedding", [real(2, 2, 3, 8), IDS[:, :3].astype(np.int64), *ROTATED], {}),
    (
        "RotaryEmbedding",
        [real(2, 3, 20), IDS[:, :3].astype(np.int64), *ROTATED],
        {"rotary_embedding_dim": 8, "num_heads": 2},
    ),
    ("Attention", [real(2, 5, 6), real(6, 24), real(24)], HEADS),
    ("Attention", [real(2, 5, 6), real(6, 24), real(24)], HEADS | {"unidirectional": 1}),
    ("Attention", [real(2, 5, 6), real(6, 24), real(24), MASK], HEADS | {"scale": 0.3}),
    ("Attention", [real(2, 5, 6), real(6, 24), None, MASK], HEADS),
    ("Attention", [real(2, 5, 6), real(6, 24), real(24), one([3, 5], np.int32)], HEADS),
    ("Attention", [real(2, 5, 6), real(6, 24), real(24), one([3, 5, 1, 0], np.int32)], HEADS),
    ("Attention", [real(2, 5, 6), real(6, 24), real(24), MASK[:, None].repeat(5, 1)], HEADS),
    (
        "Attention",
        [real(2, 5, 6), real(6, 24), real(24), None, real(2, 2, 2, 3, 4)],
        HEADS | {"unidirectional": 1},
        2,
    ),
    (
        "Attention",
        [real(2, 5, 6), real(6, 24), real(24), None, None, real(2, 2, 5, 5)],
        HEADS,
    ),
    (
        "Attention",
        [real(2, 5, 6), real(6, 22), real(22)],
        HEADS | {"qkv_hidden_sizes": [8, 8, 6]},
    ),
    ("MultiHeadAttention", [real(2, 5, 8), real(2, 4, 8), real(2, 4, 6)], HEADS),
    ("MultiHeadAttention", [real(2, 5, 8), real(2, 4, 8), real(2, 4, 8), real(24)], HEADS),
    ("MultiHeadAttention", [real(2, 5, 8), real(2, 2, 4, 4), real(2, 2, 4, 4)], HEADS),
    ("MultiHeadAttention", [real(2, 5, 8)] * 3 + [None, MASK], HEADS),
    ("MultiHeadAttention", [real(2, 5, 8)] * 3 + [None, one([3, 5], np.int32)], HEADS),
    (
        "MultiHeadAttention",
        [real(2, 5, 8)] * 3 + [None, None, real(1, 2, 5, 5)],
        HEADS | {"unidirectional": 1},
    ),
    (
        "MultiHeadAttention",
        [real(2, 5, 8)] * 3 + [None, None, None, real(2, 2, 3, 4), real(2, 2, 3, 4)],
        HEADS,
        3,
    ),
    *(
        (
            "GroupQueryAttention",
            [real(N, T, 64), *(real(N, T, 32), real(N, T, 32)), *past]
            + [np.full(N, total - 1, np.int32), np.array(total, np.int32)]
            + ([real(10, 8), real(10, 8)] if rotary else []),
            {"num_heads": 4, "kv_num_heads": 2} | settings | {"do_rotary": int(rotary)},
            3,
        )
        for N, T, past, total, rotary, settings in (
            (2, 3, (None, None), 3, False, {}),
            (2, 3, (None, None), 3, True, {"rotary_interleaved": 1}),
            (2, 1, (real(2, 2, 4, 16), real(2, 2, 4, 16)), 5, True, {"scale": 0.2}),
            (2, 1, (real(2, 2, 4, 16), real(2, 2, 4, 16)), 5, False, {"local_window_size": 3}),
            (1, 2, (real(1, 2, 4, 16), real(1, 2, 4, 16)), 6, False, {"softcap": 2.0}),
        )
    ),
    (
        "GroupQueryAttention",
        [real(2, 3, 128), None, None, None, None, np.full(2, 2, np.int32), np.array(3, np.int32)],
        {"num_heads": 4, "kv_num_heads": 2},
        3,
    ),
    ("QLinearAdd", [*Q8, small(6), one(0.02), U8(3), one(0.1), U8(100)], {}),
    ("QLinearMul", [*Q8, small(6), one(0.02), U8(3), one(0.1), U8(100)], {}),
    ("QLinearSigmoid", [*Q8, one(1 / 256), U8(0)], {}),
    ("QLinearLeakyRelu", [*Q8, one(0.04), U8(50)], {"alpha": 0.2}),
    ("QLinearSoftmax", [*Q8, one(1 / 256), U8(0)], {"opset": 13, "axis": -1}),
    ("QLinearSoftmax", [*Q8, one(1 / 256), U8(0)], {"opset": 12, "axis": 1}),
    ("QLinearAveragePool", [*Q8, one(0.04), U8(50)], CONV),
    ("QLinearAveragePool", [*Q8, one(0.04), U8(50)], CONV | {"channels_last": 1}),
    ("QLinearGlobalAveragePool", [*Q8, one(0.04), U8(50)], {}),
    ("QLinearGlobalAveragePool", [*Q8, one(0.04), U8(50)], {"channels_last": 1}),
    (
        "QLinearConcat",
        [one(0.1), U8(9), *Q8, small(2, 2, 6, 6), one(0.2), U8(4)],
        {"axis": 1},
    ),
    (
        "QLinearConv",
        [*Q8, small(4, 6, 3, 3), one(0.1), U8(100), one(20), U8(128)],
        {"kernel_shape": [3, 3], "channels_last": 1},
    ),
    ("MatMulInteger16", [small(3, 4, dtype=np.int16), small(4, 5, dtype=np.int16)], {}),
    (
        "MatMulIntegerToFloat",
        [small(3, 4), small(4, 5, dtype=np.int8), one(0.1), real(5), U8(9), I8(range(5)), real(5)],
        {},
    ),
    ("DynamicQuantizeMatMul", [real(3, 4), small(4, 5), one(0.1), U8(9), real(5)], {}),
    ("DynamicQuantizeMatMul", [real(3, 4), small(4, 5, dtype=np.int8), real(5)], {}),
    (
        "QGemm",
        [*A8, small(5, 4, dtype=np.int8), real(5), I8([0] * 5), np.arange(5, dtype=np.int32)],
        {"transB": 1},
    ),
    (
        "QGemm",
        [small(3, 4), one(0.1), U8(9), small(4, 5), one(0.2), U8(100), None, one(9.0), U8(100)],
        {},
    ),
    ("NhwcMaxPool", [small(1, 6, 6, 3)], {"kernel_shape": [2, 2], "strides": [2, 2]}),
    ("Inverse", [real(2, 3, 3)], {}),
    ("ExpandDims", [real(2, 3), one(-1, np.int32)], {}),
    ("Trilu", [real(3, 4), one(1, np.int64)], {"upper": 0}),
    ("QuantizeLinear", [real(3, 4), one(0.1), one(5, np.int16)], {}),
    ("DequantizeLinear", [small(3, 4, dtype=np.int16), one(0.1), one(5, np.int16)], {}),
    *(
        (
            "DynamicQuantizeLSTM",
            [real(4, 2, 5), small(D, 5, 12, dtype=kind), small(D, 3, 12, dtype=kind), real(D, 24)]
            + [lens, *state, None]
            + [np.full(shape, 0.01, np.float32), one(np.zeros(shape), kind)] * 2,
            {"hidden_size": 3, "direction": "bidirectional" if D == 2 else "forward"},
            3,
        )
        for D, kind, shape, lens, state in (
            (1, np.int8, (1,), None, (None, None)),
            (2, np.uint8, (2,), one([4, 2], np.int32), (real(2, 2, 3), real(2, 2, 3))),
            (1, np.int8, (1, 12), None, (None, None)),
        )
    ),
]
NAMES = [f"{case[0]}-{i}" for i, case in enumerate(CASES)]
CONSTANT = {
    "DynamicQuantizeLSTM": ("x1", "x2", "x8", "x9", "x10", "x11"),
    "QLinearSigmoid": ("x1", "x2", "x3", "x4"),
    "QLinearLeakyRelu": ("x1", "x2", "x3", "x4"),
    "QLinearSoftmax": ("x1", "x2", "x3", "x4"),
    "QLinearConcat": ("x0", "x1", "x3", "x4", "x6", "x7"),
    "ExpandDims": ("x1",),
    "GroupQueryAttention": ("x6",),
}
ROUNDED = ("QLinear", "QGemm")


@pytest.mark.parametrize("case", CASES, ids=NAMES)
def test_agrees_with_onnxruntime(case):
    op_type, inputs, attributes, *rest = case
    proto, feeds = model(op_type, inputs, attributes, *rest, constants=CONSTANT.get(op_type, ()))
    # Which padded steps count for the range of the quantized state is onnxruntime's affair.
    loose = 1e-3 if op_type == "DynamicQuantizeLSTM" else 1e-5
    agrees(proto, feeds, atol=1 if op_type.startswith(ROUNDED) else loose)


@pytest.mark.parametrize("bits", [4, 8])
@pytest.mark.parametrize("zero", [False, True])
def test_matmul_n_bits(bits, zero):
    N, K, size = 5, 64, 32
    packed = small(N, K // size, size * bits // 8)
    scales = np.abs(real(N * K // size)) / 10
    zeros = small(N * -(-K // size * bits // 8)) if zero else None
    inputs = [real(3, K), packed, scales, zeros, None, real(N)]
    attributes = {"K": K, "N": N, "bits": bits, "block_size": size}
    constants = ("x1", "x2", "x3")
    proto, feeds = model("MatMulNBits", inputs, attributes, constants=constants)
    agrees(proto, feeds, 1e-3)
    with pytest.raises(SuanziError, match="constant"):
        read(model("MatMulNBits", inputs, attributes)[0])


def outcome(op_type, inputs, attributes, **changes):
    """What we make of operators for which onnxruntime has no kernel here."""
    proto, feeds = model(op_type, inputs, attributes, **changes)
    return evaluate(read(proto).graph, feeds)["y0"]


def test_operators_of_other_devices():
    X, bias = real(2, 3, 8), real(8)
    left, right = np.split(X + bias, 2, -1)
    gelu = OPERATORS["Gelu"]().numpy(right)
    np.testing.assert_allclose(outcome("BiasSplitGelu", [X, bias], {}), left * gelu, 1e-5)
    added = np.exp(X + bias)
    expected = added / added.sum((1, 2), keepdims=True)
    attributes = {"axis": 1, "is_inner_broadcast": 1}
    np.testing.assert_allclose(outcome("BiasSoftmax", [X, bias], attributes), expected, 1e-5)
    image, scale = real(2, 5, 5, 4), real(4)
    groups = image.reshape(2, 25, 2, 2)
    centred = groups - groups.mean((1, 3), keepdims=True)
    normal = centred / np.sqrt((centred**2).mean((1, 3), keepdims=True) + 1e-5)
    normal = normal.reshape(image.shape) * scale
    found = outcome("GroupNorm", [image, scale, 0 * scale], {"groups": 2, "activation": 1})
    np.testing.assert_allclose(found, normal / (1 + np.exp(-normal)), 1e-4, 1e-5)
    Q, K, V = real(3, 2, 5, 2, 4)
    plain = outcome("MultiHeadAttention", [x.reshape(2, 5, 8) for x in (Q, K, V)], HEADS)
    packed = outcome("MultiHeadAttention", [np.stack([Q, K, V], 3)], HEADS)
    np.testing.assert_array_equal(packed, plain)
    packed = outcome("MultiHeadAttention", [Q.reshape(2, 5, 8), np.stack([K, V], 3)], HEADS)
    np.testing.assert_array_equal(packed, plain)
    W = real(4, 4, 3, 3)
    found = outcome("NhwcConv", [image, W], CONV)
    plain = OPERATORS["Conv"](kernel_shape=(3, 3), pads=(1,) * 4)
    expected = plain.numpy(image.transpose(0, 3, 1, 2), W).transpose(0, 2, 3, 1)
    np.testing.assert_allclose(found, expected, 1e-5, 1e-5)
    fused = outcome("NhwcFusedConv", [image, W], CONV | {"activation": "Relu"})
    np.testing.assert_allclose(fused, np.maximum(expected, 0), 1e-5, 1e-5)


@pytest.mark.parametrize(
    ("op_type", "inputs", "attributes"),
    [
        ("FusedConv", [real(1, 3, 6, 6), real(4, 3, 3, 3)], {"activation": "Odd"}),
        ("MatMulNBits", [real(3, 4), small(4), real(4)], {}),
        ("Attention", [real(2, 5, 6), real(6, 24)], HEADS | {"do_rotary": 1}),
        ("MultiHeadAttention", [real(2, 5, 8)] * 3, {}),
        ("Quant", [real(2)], {}),
    ],
)
def test_wrong_nodes_are_named(op_type, inputs, attributes):
    with pytest.raises(SuanziError, match=op_type):
        read(model(op_type, inputs, attributes)[0])


def test_every_expansion_is_tested():
    tested = {case[0] for case in CASES} | {"MatMulNBits", "BiasSplitGelu", "BiasSoftmax"}
    tested |= {"GroupNorm", "NhwcConv", "NhwcFusedConv", "GatherND", "Pad", "Range"}
    assert {name.removeprefix("com.microsoft.") for name in EXPANSIONS} <= tested | {GRADIENT}
