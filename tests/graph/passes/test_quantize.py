"""Quantized models in small integers: what is found, and that it means the same."""

import numpy as np
import pytest

from graph_support import Net, counts
from suanzi.graph.evaluate import evaluate
from suanzi.graph.passes.dead_code import dead_code
from suanzi.graph.passes.quantize import LONGEST, quantize
from suanzi.graph.pipeline import optimize
from suanzi.graph.verify import verify
from suanzi.operators.activation import Relu
from suanzi.operators.arithmetic import Mul
from suanzi.operators.cast import Cast
from suanzi.operators.convolution import Conv
from suanzi.operators.integer_convolution import QLinearConv
from suanzi.operators.linear import Gemm, MatMul
from suanzi.operators.quantization import (
    DequantizeLinear,
    DynamicQuantizeLinear,
    MatMulInteger,
    QLinearMatMul,
    QuantizeLinear,
)

F32 = np.float32
RNG = np.random.default_rng(0)
ONE = (F32(0.04), np.uint8(120))
OUT = (F32(0.3), np.uint8(100))


def rewritten(graph, quantum):
    """The graph after the pass; what is quantized may be one quantum off, as sums are exact now."""
    after = dead_code(quantize(graph))
    verify(after)
    x = {n: RNG.standard_normal(graph.types[n].sizes).astype(F32) for n in graph.inputs}
    before, now = evaluate(graph, x), evaluate(after, x)
    for name in graph.outputs:
        assert now[name].dtype == before[name].dtype
        difference = np.abs(now[name].astype(np.float64) - before[name])
        assert difference.max() <= quantum
        assert difference.mean() <= quantum / 50
    return after


def weights(*shape):
    return RNG.integers(-128, 128, shape).astype(np.int8)


def quantized(net, x):
    return net(DequantizeLinear(), net(QuantizeLinear(), x, *ONE), *ONE)


@pytest.mark.parametrize("columns", [False, True])
def test_matmul(columns):
    net = Net()
    x = net.input("x", (3, 5, 8))
    scales = RNG.uniform(0.01, 0.03, 6).astype(F32) if columns else F32(0.02)
    w = net(DequantizeLinear(axis=-1), weights(8, 6), scales)
    y = net(MatMul(), quantized(net, x), w)
    after = rewritten(net.graph(net(QuantizeLinear(), net(Relu(), y), *OUT)), 1)
    assert counts(after) == {"Quantize": 2, "QuantizedMatMul": 1, "Relu": 1}
    fused = optimize(net.graph(net(QuantizeLinear(), net(Relu(), y), *OUT)))
    assert counts(fused) == {"Chain": 1, "Fused": 1}


def test_both_arrive():
    net = Net()
    x, y = quantized(net, net.input("x", (2, 5, 8))), quantized(net, net.input("y", (2, 8, 4)))
    after = rewritten(net.graph(net(MatMul(), x, y)), 1e-4)
    assert counts(after) == {"Quantize": 2, "QuantizedMatMul": 1}
    assert counts(dead_code(quantize(after))) == counts(after)


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("transB", [0, 1])
def test_gemm(bias, transB):
    net = Net()
    x = net.input("x", (5, 8))
    shape = (6, 8) if transB else (8, 6)
    scale = RNG.uniform(0.01, 0.03, 6).astype(F32)
    w = net(DequantizeLinear(axis=1 - transB), weights(*shape), scale, np.zeros(6, np.int8))
    C = [RNG.standard_normal(6).astype(F32)] if bias else []
    after = rewritten(net.graph(net(Gemm(transB=transB), quantized(net, x), w, *C)), 1e-4)
    assert counts(after) == {"Quantize": 1, "QuantizedMatMul": 1} | ({"Add": 1} if bias else {})


def test_qlinear_matmul_to_the_bit():
    net = Net()
    q = net(QuantizeLinear(), net.input("x", (5, 8)), *ONE)
    columns = RNG.uniform(0.01, 0.03, 6).astype(F32), np.zeros(6, np.int8)
    y = net(QLinearMatMul(), q, *ONE, weights(8, 6), *columns, *OUT)
    after = rewritten(net.graph(y), 0)
    assert counts(after) == {"Quantize": 2, "QuantizedMatMul": 1}


def test_dynamic():
    net = Net()
    q, scale, zero = net(DynamicQuantizeLinear(), net.input("x", (5, 8)), outputs=3)
    product = net(Cast(to=1), net(MatMulInteger(), q, weights(8, 6), zero))
    y = net(Mul(), product, net(Mul(), scale, F32(0.02)))
    after = rewritten(net.graph(y), 1e-5)
    assert counts(after) == {"DynamicQuantizeLinear": 1, "QuantizedMatMul": 1, "Mul": 2}


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("columns", [False, True])
def test_conv(bias, columns):
    net = Net()
    x = net.input("x", (2, 3, 7, 8))
    scale = RNG.uniform(0.01, 0.03, 6).astype(F32) if columns else F32(0.02)
    w = net(DequantizeLinear(axis=0), weights(6, 3, 3, 3), scale)
    B = [RNG.standard_normal(6).astype(F32)] if bias else []
    y = net(Conv(pads=(1, 1, 1, 1), strides=(2, 1)), quantized(net, x), w, *B)
    rewritten(net.graph(y), 1e-3)
    y = net(QuantizeLinear(), net(Relu(), y), *OUT)
    after = rewritten(net.graph(y), 1)
    found = {"Quantize": 2, "QuantizedConv": 1, "Relu": 1}
    assert counts(after) == found | ({"Add": 1, "Reshape": 1} if bias else {})
    assert counts(optimize(net.graph(y))) == {"Chain": 1, "Fused": 1}


@pytest.mark.parametrize(
    ("operator", "filters"),
    [(QLinearConv(), (5, 16, 3, 3)), (QLinearConv(group=16), (16, 1, 3, 3))],
)
@pytest.mark.parametrize("bias", [False, True])
def test_qlinear_conv(operator, filters, bias):
    net = Net()
    q = net(QuantizeLinear(), net.input("x", (1, 16, 7, 8)), *ONE)
    M = filters[0]
    columns = RNG.uniform(0.01, 0.03, M).astype(F32), np.zeros(M, np.int8)
    B = [RNG.integers(-1000, 1000, M).astype(np.int32)] if bias else []
    y = net(operator, q, *ONE, weights(*filters), *columns, *OUT, *B)
    after = counts(rewritten(net.graph(y), 1))
    assert after["QLinearConv"] == 0
    assert after["Conv" if operator.group > 1 else "QuantizedConv"] == 1


def test_what_stays():
    net = Net()
    x = net.input("x", (5, 8))
    rows = net(DequantizeLinear(axis=0), weights(8, 6), np.full(8, 0.02, F32))
    plain = RNG.standard_normal((8, 6)).astype(F32)
    wide = net(DequantizeLinear(), net(QuantizeLinear(), x, F32(0.04), np.uint16(9)), *ONE[:1])
    column = net(DequantizeLinear(), weights(8, 6), F32(0.02))
    made = [
        net(MatMul(), quantized(net, x), rows),
        net(MatMul(), quantized(net, x), plain),
        net(MatMul(), wide, column),
        net(Gemm(alpha=0.5), quantized(net, x), column),
    ]
    after = rewritten(net.graph(*made), 1e-4)
    assert counts(after)["MatMul"] == 3
    assert counts(after)["Gemm"] == 1
    assert counts(after)["QuantizeLinear"] == 1


def test_sums_that_int32_may_not_hold_stay_float():
    net = Net()
    x = quantized(net, net.input("x", (1, LONGEST + 1)))
    w = net(DequantizeLinear(), np.zeros((LONGEST + 1, 1), np.int8), F32(1))
    assert counts(dead_code(quantize(net.graph(net(MatMul(), x, w)))))["MatMul"] == 1
