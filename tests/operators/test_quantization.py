"""Quantized operators: ONNX's cases, onnxruntime's results, and what infer refuses."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from suanzi.errors import SuanziError
from suanzi.operators._operator import TensorType
from suanzi.operators.integer_convolution import ConvInteger, QLinearConv
from suanzi.operators.quantization import (
    DequantizeLinear,
    DynamicQuantizeLinear,
    MatMulInteger,
    QLinearMatMul,
    QuantizeLinear,
)
from support import check, node_cases, onnxruntime_outputs

NAMES = (
    "QuantizeLinear",
    "DequantizeLinear",
    "DynamicQuantizeLinear",
    "MatMulInteger",
    "QLinearMatMul",
    "ConvInteger",
    "QLinearConv",
)


@pytest.mark.parametrize("case", [c for n in NAMES for c in node_cases(n)], ids=lambda c: c.id)
def test_backend_case(case):
    case.check()


types = st.sampled_from([np.uint8, np.int8])


@settings(max_examples=30, deadline=None)
@given(
    st.sampled_from([np.uint8, np.int8, np.uint16, np.int16]),
    st.sampled_from(["tensor", "axis", "block"]),
    st.integers(0, 1000),
)
def test_to_and_from_integers_as_onnxruntime(dtype, granularity, seed):
    rng = np.random.default_rng(seed)
    x = (rng.standard_normal((2, 6, 3)) * 100).astype(np.float32)
    shape = {"tensor": (), "axis": (6,), "block": (2, 3, 3)}[granularity]
    scale = rng.uniform(0.1, 2, shape).astype(np.float32)
    zero = rng.integers(0, 100, shape).astype(dtype)
    attributes = {"axis": 1, "block_size": 2} if granularity == "block" else {"axis": 1}
    quantize, dequantize = QuantizeLinear(**attributes), DequantizeLinear(**attributes)
    quantized = onnxruntime_outputs(quantize, [x, scale, zero])
    check(quantize, [x, scale, zero], quantized, 0, 0)
    inputs = [quantized[0], scale, zero]
    check(dequantize, inputs, onnxruntime_outputs(dequantize, inputs), 0, 0)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 1000), st.floats(-10, 10))
def test_dynamic_quantization_as_onnxruntime(seed, offset):
    x = np.random.default_rng(seed).standard_normal((3, 4)).astype(np.float32)
    x += np.float32(offset)
    dynamic = DynamicQuantizeLinear()
    check(dynamic, [x], onnxruntime_outputs(dynamic, [x], outputs=3), 1e-7, 0)


def test_dynamic_quantization_of_zeros():
    y, scale, zero_point = DynamicQuantizeLinear().numpy(np.zeros(3, np.float32))
    assert (y.tolist(), scale, zero_point) == ([0, 0, 0], 1, 0)


@settings(max_examples=20, deadline=None)
@given(types, st.booleans(), st.integers(0, 1000))
def test_matmul_as_onnxruntime(dtype, by_column, seed):
    rng = np.random.default_rng(seed)

    def integers(dtype, *shape):
        limits = np.iinfo(dtype)
        return rng.integers(limits.min, limits.max, shape, dtype, endpoint=True)

    A, B = integers(np.uint8, 3, 7), integers(dtype, 7, 5)
    shape = (5,) if by_column else ()
    zeros = integers(np.uint8), integers(dtype, *shape)
    integer = MatMulInteger()
    check(integer, [A, B, *zeros], onnxruntime_outputs(integer, [A, B, *zeros]), 0, 0)
    scale = np.array(0.02, np.float32)
    scales = rng.uniform(0.01, 0.1, shape).astype(np.float32)
    y = np.array(0.05, np.float32), np.array(120, np.uint8)
    inputs = [A, scale, zeros[0], B, scales, zeros[1], *y]
    linear = QLinearMatMul()
    check(linear, inputs, onnxruntime_outputs(linear, inputs), 0, 0)


@settings(max_examples=20, deadline=None)
@given(types, st.booleans(), st.integers(1, 2), st.integers(0, 1000))
def test_convolution_as_onnxruntime(dtype, by_filter, group, seed):
    rng = np.random.default_rng(seed)

    def integers(dtype, *shape):
        return rng.integers(0, 100, shape).astype(dtype)

    attributes = {"group": group, "pads": (1, 0, 2, 1), "strides": (1, 2)}
    x, w = integers(np.uint8, 2, 4, 7, 6), integers(dtype, 6, 4 // group, 3, 2)
    zeros = integers(np.uint8), integers(dtype)
    conv = ConvInteger(**attributes)
    check(conv, [x, w, *zeros], onnxruntime_outputs(conv, [x, w, *zeros]), 0, 0)
    scale, B = np.array(0.02, np.float32), rng.integers(-1000, 1000, 6).astype(np.int32)
    scales = rng.uniform(0.01, 0.1, (6,) if by_filter else ()).astype(np.float32)
    w_zero = np.full(scales.shape, zeros[1], dtype)
    y = np.array(5, np.float32), np.array(120, np.uint8)
    inputs = [x, scale, zeros[0], w, scales, w_zero, *y, B]
    linear = QLinearConv(**attributes)
    check(linear, inputs, onnxruntime_outputs(linear, inputs), 0, 0)


U8, I8, F32 = np.uint8, np.int8, np.float32


@pytest.mark.parametrize(
    ("operator", "types", "input"),
    [
        (QuantizeLinear(), [(F32, (2, 3)), (F32, (2,))], "y_scale"),
        (QuantizeLinear(), [(F32, (2, 3)), (F32, (3,)), (U8, (2,))], "y_zero_point"),
        (QuantizeLinear(output_dtype=3), [(F32, (2, 3)), (F32, ()), (U8, ())], "y_zero_point"),
        (QuantizeLinear(block_size=2), [(F32, (2, 3)), (F32, (2, 1))], "y_scale"),
        (QuantizeLinear(), [(F32, (2, 3)), (F32, (2, 1))], None),
        (DequantizeLinear(), [(U8, (2, 3)), (F32, ()), (I8, ())], "x_zero_point"),
        (DequantizeLinear(axis=2), [(U8, (2, 3)), (F32, (3,))], "axis"),
        (DynamicQuantizeLinear(), [(np.float64, (2,))], "x"),
        (MatMulInteger(), [(U8, (2, 3)), (U8, (2, 3))], "B"),
        (MatMulInteger(), [(U8, (2, 3)), (U8, (3, 2)), (I8, ())], "a_zero_point"),
    ],
)
def test_what_does_not_fit_is_named(operator, types, input):
    with pytest.raises(SuanziError) as error:
        operator.infer(*(TensorType(*t) for t in types))
    assert error.value.input == input
