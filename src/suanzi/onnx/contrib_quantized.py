"""onnxruntime's quantized operators, written out in ONNX's."""

from collections.abc import Callable

import numpy as np

from suanzi.errors import SuanziError
from suanzi.onnx.contrib_steps import Steps, channels_first, joined_softmax
from suanzi.operators._operator import Array

FLOAT, INT32 = 1, 6
"""ONNX's numbers for the types."""


def q_linear(operator: str, count: int = 1) -> Callable[[Steps], str]:
    """The operator of ONNX between a DequantizeLinear of each input and a QuantizeLinear."""

    def write(s: Steps) -> str:
        *given, scale, zero_point = s.inputs(3 * count + 2)
        X = [s("DequantizeLinear", *given[3 * i : 3 * i + 3]) for i in range(count)]
        settings = s.but("channels_last")

        def inner(x: str) -> str:
            return s(operator, x, *X[1:], **settings)

        made = channels_first(s, X[0], inner) if s.attribute("channels_last", 0) else inner(X[0])
        return quantize(s, made, scale, zero_point, given[0])

    return write


def quantize(s: Steps, x: str, scale: str, zero_point: str, like: str) -> str:
    """x as numbers of the type that another value has."""
    return s("QuantizeLinear", x, scale, zero_point or s.like(0, like))


def q_linear_softmax(s: Steps) -> str:
    """The softmax as of the opset that the attribute says."""
    *given, scale, zero_point = s.inputs(5)
    X, axis = s("DequantizeLinear", *given), s.attribute("axis", -1)
    old = s.required("opset") < 13
    made = joined_softmax(s, X, axis) if old else s("Softmax", X, axis=axis)
    return quantize(s, made, scale, zero_point, given[0])


def q_linear_concat(s: Steps) -> str:
    """The inputs, each with a scale and a zero point of its own, one after another."""
    scale, zero_point, *given = s.call.inputs
    X = [s("DequantizeLinear", *given[i : i + 3]) for i in range(0, len(given), 3)]
    return quantize(s, s("Concat", *X, axis=s.required("axis")), scale, zero_point, given[0])


def q_linear_conv(s: Steps) -> str:
    """ONNX's, of channels that may be last."""
    x, *others = s.inputs(9)
    settings = s.but("channels_last")

    def write(x: str) -> str:
        return s("QLinearConv", x, *others, **settings)

    return channels_first(s, x, write) if s.attribute("channels_last", 0) else write(x)


def scaled(s: Steps, sums: str, *factors: str) -> str:
    """int32 sums as real numbers."""
    scale, *others = filter(None, factors)
    for other in others:
        scale = s("Mul", scale, other)
    return s("Mul", s("Cast", sums, to=FLOAT), scale)


def qgemm(s: Steps) -> str:
    """alpha · op(A) @ op(B) + C, C in units of alpha · a_scale · b_scale; quantized where y_scale
    is given."""
    A, a_scale, a_zero, B, b_scale, b_zero, C, y_scale, y_zero = s.inputs(9)
    A = s("Transpose", A, perm=(1, 0)) if s.attribute("transA", 0) else A
    B = s("Transpose", B, perm=(1, 0)) if s.attribute("transB", 0) else B
    sums = s.sum(s("MatMulInteger", A, B, a_zero, b_zero), C)
    alpha = s.attribute("alpha", 1.0)
    factor = "" if alpha == 1 else s.constant(alpha, np.float32)
    Y = scaled(s, sums, a_scale, b_scale, factor)
    return quantize(s, Y, y_scale, y_zero, A) if y_scale else Y


def matmul_integer_16(s: Steps) -> str:
    """A @ B of int16, the sums int32."""
    A, B = (s("Cast", name, to=INT32) for name in s.inputs(2))
    return s("MatMul", A, B)


def matmul_integer_to_float(s: Steps) -> str:
    """(A - a_zero_point) @ (B - b_zero_point) · a_scale · b_scale + bias."""
    A, B, a_scale, b_scale, a_zero, b_zero, bias = s.inputs(7)
    return s.sum(scaled(s, s("MatMulInteger", A, B, a_zero, b_zero), a_scale, b_scale), bias)


def dynamic_quantize_matmul(s: Steps) -> str:
    """MatMulIntegerToFloat of A, quantized as DynamicQuantizeLinear does."""
    A, B, b_scale, b_zero, bias = s.inputs(5)
    a, a_scale, a_zero = s.several(3, "DynamicQuantizeLinear", A)
    return s.sum(scaled(s, s("MatMulInteger", a, B, a_zero, b_zero), a_scale, b_scale), bias)


def matmul_n_bits(s: Steps) -> str:
    """A @ Wᵀ + bias, W[n, k] = (B[n, k] - zero_points[n, k // block_size]) · scales[...]: B's
    numbers of few bits, packed from the lowest bit on, made real once, here."""
    A, B, scales, zero_points, group, bias = s.inputs(6)
    N, K, size = (s.required(name) for name in ("N", "K", "block_size"))
    bits = s.attribute("bits", 4)
    if bits not in (2, 4, 8):
        raise SuanziError("wrong bits", expected="2, 4 or 8", found=bits)
    scale = s.known(scales).reshape(N, -1)
    blocks = scale.shape[1]
    q = unpack(s.known(B).reshape(N, -1), bits)[:, :K]
    if size < 1 or q.shape[1] < K:
        raise SuanziError("B and block_size don't give K numbers", expected=K, found=q.shape[1])
    zero: Array = np.full((N, blocks), 1 << (bits - 1), np.float32)
    if zero_points:
        given = s.known(zero_points)
        packed = given.dtype == np.uint8
        zero = unpack(given.reshape(N, -1), bits)[:, :blocks] if packed else given.reshape(N, -1)
    block = s.known(group)[:K] if group else np.arange(K) // size
    W = (q.astype(np.float32) - zero.astype(np.float32)[:, block]) * scale.astype(np.float32)[
        :, block
    ]
    made = s("MatMul", A, s.constant(W.T, scale.dtype))
    return s.sum(made, bias)


def unpack(rows: Array, bits: int) -> Array:
    """The numbers of so many bits that share bytes, the lowest bits first."""
    shifts = np.arange(0, 8, bits, dtype=np.uint8)
    return (rows[..., None] >> shifts & ((1 << bits) - 1)).reshape(len(rows), -1)
