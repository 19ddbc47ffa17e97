"""Products of matrices: ONNX's cases, onnxruntime's results, and what infer refuses."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from suanzi.errors import SuanziError
from suanzi.operators._operator import TensorType
from suanzi.operators.linear import Det, Gemm, MatMul
from support import check, node_cases, onnxruntime_outputs


@pytest.mark.parametrize(
    "case", [*node_cases("MatMul"), *node_cases("Gemm"), *node_cases("Det")], ids=lambda c: c.id
)
def test_backend_case(case):
    case.check()


@settings(max_examples=15, deadline=None)
@given(
    st.builds(
        Gemm,
        alpha=st.sampled_from([1.0, 0.5]),
        beta=st.sampled_from([1.0, -2.0]),
        transA=st.integers(0, 1),
        transB=st.integers(0, 1),
    ),
    st.tuples(*[st.integers(1, 5)] * 3),
    st.sampled_from([None, (), "N", "1N", "M1", "MN"]),
)
def test_gemm_as_onnxruntime(gemm, sizes, bias):
    M, N, K = sizes
    named = {"M": M, "N": N, "1": 1}
    rng = np.random.default_rng(M + 8 * N + 64 * K)
    A = rng.standard_normal((K, M) if gemm.transA else (M, K)).astype(np.float32)
    B = rng.standard_normal((N, K) if gemm.transB else (K, N)).astype(np.float32)
    C = None
    if bias is not None:
        C = rng.standard_normal([named[b] for b in bias]).astype(np.float32)
    check(gemm, [A, B, C], onnxruntime_outputs(gemm, [A, B, C]))


def test_half_precision_sums_in_float32():
    A = np.full((1, 4096), 0.1, np.float16)
    exact = A.astype(np.float64) @ A.T.astype(np.float64)
    assert MatMul().numpy(A, A.T) == exact.astype(np.float16)


def test_matmul_keeps_symbols():
    A, B = TensorType(np.float32, ("N", 1, "T", 8)), TensorType(np.float32, (4, 8, "D"))
    assert MatMul().infer(A, B).shape == ("N", 4, "T", "D")
    assert MatMul().infer(A, TensorType(np.float32, None)).shape is None


@pytest.mark.parametrize(
    ("operator", "shapes", "input"),
    [
        (MatMul(), [(2, 3), (4, 5)], "B"),
        (MatMul(), [(), (4, 5)], "A"),
        (Det(), [(2, 3, 4)], "X"),
        (Gemm(), [(2, 3), (4, 5)], "B"),
        (Gemm(), [(2, 3, 4), (4, 5)], "A"),
        (Gemm(), [(2, 3), (3, 5), (4,)], "C"),
    ],
)
def test_wrong_shapes_are_named(operator, shapes, input):
    with pytest.raises(SuanziError) as error:
        operator.infer(*(TensorType(np.float32, s) for s in shapes))
    assert error.value.input == input


def test_macs():
    A, B = TensorType(np.float32, (7, 2, 3)), TensorType(np.float32, (3, 5))
    assert MatMul().cost(A, B).macs == 7 * 2 * 3 * 5
    C = TensorType(np.float32, (3, 2))
    assert Gemm(transA=1).cost(C, B).macs == 2 * 3 * 5
