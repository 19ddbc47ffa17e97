"""Attention with a state: ONNX's cases, and step by step the same."""

import numpy as np
import pytest

from suanzi.errors import SuanziError
from suanzi.operators import CausalConvWithState, LinearAttention, TensorType
from support import node_cases


@pytest.mark.parametrize(
    "case", [*node_cases("LinearAttention"), *node_cases("CausalConvWithState")], ids=lambda c: c.id
)
def test_backend_case(case):
    case.check()


def data(*shapes):
    rng = np.random.default_rng(0)
    return [rng.standard_normal(shape).astype(np.float32) for shape in shapes]


@pytest.mark.parametrize("rule", ["linear", "gated", "delta", "gated_delta"])
def test_in_two_parts_it_is_the_same(rule):
    query, key, value, decay, beta = data((2, 6, 12), (2, 6, 6), (2, 6, 10), (2, 6, 2), (2, 6, 1))
    decay, beta = -np.abs(decay), np.abs(beta)
    gates = [decay if "gated" in rule else None, beta if "delta" in rule else None]
    attention = LinearAttention(q_num_heads=4, kv_num_heads=2, update_rule=rule)
    whole, last = attention.numpy(query, key, value, None, *gates)
    state, parts = None, []
    for part in (slice(0, 2), slice(2, 6)):
        cut = [None if g is None else g[:, part] for g in gates]
        made, state = attention.numpy(query[:, part], key[:, part], value[:, part], state, *cut)
        parts.append(made)
    np.testing.assert_allclose(np.concatenate(parts, 1), whole, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(state, last, rtol=1e-5, atol=1e-5)


def test_a_convolution_in_two_parts_is_the_same():
    x, weight, bias = data((2, 3, 7), (3, 1, 4), (3,))
    conv = CausalConvWithState(activation="silu")
    whole, last = conv.numpy(x, weight, bias)
    first, state = conv.numpy(x[:, :, :2], weight, bias)
    second, state = conv.numpy(x[:, :, 2:], weight, bias, state)
    parts = np.concatenate([first, second], 2)
    np.testing.assert_allclose(parts, whole, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(state, last)
    np.testing.assert_array_equal(last, x[:, :, -3:])


def test_symbols_stay():
    query, key = TensorType(np.float32, ("N", "T", 12)), TensorType(np.float32, ("N", "T", 6))
    attention = LinearAttention(q_num_heads=4, kv_num_heads=2, update_rule="linear")
    made = attention.infer(query, key, key)
    assert [t.shape for t in made] == [("N", "T", 12), ("N", 2, 3, 3)]
    x, weight = TensorType(np.float32, ("N", 3, "T")), TensorType(np.float32, (3, 1, 4))
    assert [t.shape for t in CausalConvWithState().infer(x, weight)] == [x.shape, ("N", 3, 3)]


def test_what_does_not_fit_is_named():
    query, key = TensorType(np.float32, (2, 5, 12)), TensorType(np.float32, (2, 5, 6))
    with pytest.raises(SuanziError) as error:
        LinearAttention(q_num_heads=4, kv_num_heads=2).infer(query, key, key)
    assert error.value.input == "decay"
    with pytest.raises(SuanziError):
        LinearAttention(q_num_heads=4, kv_num_heads=3).infer(query, key, key)
    x, weight = TensorType(np.float32, (2, 3, 7)), TensorType(np.float32, (2, 1, 4))
    with pytest.raises(SuanziError) as error:
        CausalConvWithState().infer(x, weight)
    assert error.value.input == "weight"
