"""Attention: ONNX's cases, onnxruntime's and PyTorch's results, and what infer refuses."""

import numpy as np
import pytest

from suanzi.errors import SuanziError
from suanzi.operators import Attention, TensorType
from support import check, node_cases


@pytest.mark.parametrize("case", [*node_cases("Attention", since=23)], ids=lambda c: c.id)
def test_backend_case(case):
    case.check()


def data(*shapes):
    rng = np.random.default_rng(0)
    return [rng.standard_normal(shape).astype(np.float32) for shape in shapes]


@pytest.mark.parametrize("causal", [False, True])
def test_as_pytorch(causal):
    torch = pytest.importorskip("torch")
    Q, K, V = data((2, 4, 5, 8), (2, 4, 5, 8), (2, 4, 5, 6))
    expected = torch.nn.functional.scaled_dot_product_attention(
        *map(torch.from_numpy, (Q, K, V)), is_causal=causal
    )
    check(Attention(is_causal=int(causal)), [Q, K, V], [expected.numpy()], rtol=1e-4)


def test_a_step_with_the_past_is_a_row_of_the_whole():
    Q, K, V = data((2, 4, 6, 8), (2, 2, 6, 8), (2, 2, 6, 3))
    attention = Attention(is_causal=1, left_window_size=3)
    whole = attention.numpy(Q, K, V)[0]
    step, key, value, _ = attention.numpy(
        Q[:, :, 5:], K[:, :, 5:], V[:, :, 5:], None, K[:, :, :5], V[:, :, :5]
    )
    np.testing.assert_allclose(step, whole[:, :, 5:], rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(key, K)
    np.testing.assert_array_equal(value, V)
    cached = attention.numpy(Q[:, :, 5:], K, V, None, None, None, np.array([6, 6]))[0]
    np.testing.assert_allclose(cached, whole[:, :, 5:], rtol=1e-5, atol=1e-6)


def test_symbols_stay():
    Q = TensorType(np.float32, ("N", 4, "T", 8))
    K = TensorType(np.float32, ("N", 2, "S", 8))
    V = TensorType(np.float32, ("N", 2, "S", 6))
    Y, key, value, qk = Attention().infer(Q, K, V)
    assert (Y.shape, qk.shape) == (("N", 4, "T", 6), ("N", 4, "T", "S"))
    assert (key.shape, value.shape) == (K.shape, V.shape)
    flat = TensorType(np.float32, ("N", "T", 32))
    made = Attention(q_num_heads=4, kv_num_heads=4).infer(flat, flat, flat)
    assert [t.shape for t in made[:2]] == [("N", "T", 32), ("N", 4, "T", 8)]


def test_both_products_count():
    Q, K, V = (TensorType(np.float32, s) for s in [(2, 4, 5, 8), (2, 2, 7, 8), (2, 2, 7, 3)])
    assert Attention().cost(Q, K, V).macs == 2 * 4 * 5 * 7 * (8 + 3)


@pytest.mark.parametrize(
    ("index", "shape", "input"),
    [
        (0, (2, 3, 5, 8), "K"),
        (1, (2, 2, 7, 9), "K"),
        (2, (2, 2, 6, 3), "V"),
        (3, (4, 8), "attn_mask"),
        (4, (2, 2, 1, 9), "past_key"),
        (0, (2, 5, 32), "Q"),
    ],
)
def test_what_does_not_fit_is_named(index, shape, input):
    shapes = [(2, 4, 5, 8), (2, 2, 7, 8), (2, 2, 7, 3), (5, 8), (2, 2, 1, 8), (2, 2, 1, 3)]
    shapes[index] = shape
    with pytest.raises(SuanziError) as error:
        Attention().infer(*(TensorType(np.float32, s) for s in shapes))
    assert error.value.input == input
