"""Recurrent layers: ONNX's cases, onnxruntime's results, and what infer refuses."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from suanzi.errors import SuanziError
from suanzi.operators._operator import TensorType
from suanzi.operators.recurrent import GRU, LSTM, RNN
from support import check, node_cases, onnxruntime_outputs

T, N, I, H = 5, 3, 4, 6  # noqa: E741


@pytest.mark.parametrize(
    "case", [c for n in ("RNN", "GRU", "LSTM") for c in node_cases(n)], ids=lambda c: c.id
)
def test_backend_case(case):
    case.check()


def inputs_of(layer, present):
    """Random inputs; those of `present` (B, lens, h, c, P) are there, the others left out."""
    rng = np.random.default_rng(0)
    D, G = layer.directions, layer.gates * H

    def random(*shape):
        return rng.uniform(-1, 1, shape).astype(np.float32)

    state = (N, D, H) if layer.layout else (D, N, H)
    optional = {
        "B": random(D, 2 * G),
        "lens": np.array([5, 2, 3], np.int32),
        "h": random(*state),
        "c": random(*state),
        "P": random(D, 3 * H),
    }
    names = list(optional) if isinstance(layer, LSTM) else ["B", "lens", "h"]
    X = random(N, T, I) if layer.layout else random(T, N, I)
    return [
        X,
        random(D, G, I),
        random(D, G, H),
        *(optional[n] if n in present else None for n in names),
    ]


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from([RNN, GRU, LSTM]),
    st.sampled_from(["forward", "reverse", "bidirectional"]),
    st.sets(st.sampled_from(["B", "lens", "h", "c", "P"])),
    st.sampled_from([None, 0.75]),
    st.booleans(),
    st.booleans(),
)
def test_as_onnxruntime(kind, direction, present, clip, special, other_functions):
    attributes = {"hidden_size": H, "direction": direction, "clip": clip}
    if special and kind is GRU:
        attributes["linear_before_reset"] = 1
    if special and kind is LSTM:
        attributes["input_forget"] = 1
    if other_functions:
        names = {RNN: ("LeakyRelu",), GRU: ("HardSigmoid", "Softsign")}
        names[LSTM] = ("HardSigmoid", "ScaledTanh", "Affine")
        attributes["activations"] = names[kind] * (2 if direction == "bidirectional" else 1)
        count = len(attributes["activations"])
        attributes["activation_alpha"] = (0.25, 0.5, 0.75) * (count // len(names[kind]))
        attributes["activation_beta"] = (0.5, 1.5, 0.125) * (count // len(names[kind]))
    layer = kind(**attributes)
    inputs = inputs_of(layer, present)
    expected = onnxruntime_outputs(layer, inputs, outputs=3 if kind is LSTM else 2)
    check(layer, inputs, expected, 1e-4, 1e-5)


@pytest.mark.parametrize("kind", [RNN, GRU, LSTM])
@pytest.mark.parametrize("direction", ["forward", "reverse", "bidirectional"])
def test_layout_swaps_axes_alone(kind, direction):
    plain = kind(hidden_size=H, direction=direction)
    batchwise = kind(hidden_size=H, direction=direction, layout=1)
    inputs = inputs_of(plain, {"B", "lens", "h", "c"})
    Y, *last = plain.numpy(*inputs)
    swapped = [
        x if x is None or i not in (0, 5, 6) else x.swapaxes(0, 1) for i, x in enumerate(inputs)
    ]
    check(batchwise, swapped, [Y.transpose(2, 0, 1, 3), *(s.swapaxes(0, 1) for s in last)])


def test_symbols_stay():
    X = TensorType(np.float32, ("T", "N", I))
    W, R = TensorType(np.float32, (1, 3 * H, I)), TensorType(np.float32, (1, 3 * H, H))
    Y, Y_h = GRU().infer(X, W, R)
    assert Y.shape == ("T", 1, "N", H)
    assert Y_h.shape == (1, "N", H)


@pytest.mark.parametrize(
    ("attributes", "shapes", "input"),
    [
        ({}, [(T, N), (1, 3 * H, I), (1, 3 * H, H)], "X"),
        ({}, [(T, N, I), (1, 4 * H, I), (1, 3 * H, H)], "W"),
        ({"direction": "bidirectional"}, [(T, N, I), (1, 3 * H, I), (2, 3 * H, H)], "W"),
        ({}, [(T, N, I), (1, 3 * H, I), (1, 3 * H, H), (1, 3 * H)], "B"),
        ({}, [(T, N, I), (1, 3 * H, I), (1, 3 * H, H), None, None, (1, T, H)], "initial_h"),
        ({"direction": "backward"}, [(T, N, I), (1, 3 * H, I), (1, 3 * H, H)], None),
        ({"activations": ("Tanh",)}, [(T, N, I), (1, 3 * H, I), (1, 3 * H, H)], None),
        ({"activations": ("Tanh", "Sin")}, [(T, N, I), (1, 3 * H, I), (1, 3 * H, H)], None),
    ],
)
def test_what_does_not_fit_is_named(attributes, shapes, input):
    with pytest.raises(SuanziError) as error:
        GRU(**attributes).infer(*(s and TensorType(np.float32, s) for s in shapes))
    assert error.value.input == input


def test_lengths_beyond_the_sequence_are_refused():
    layer = GRU(hidden_size=H)
    inputs = inputs_of(layer, {"lens"})
    inputs[4] = np.array([1, 2, T + 1], np.int32)
    with pytest.raises(SuanziError, match="sequence_lens"):
        layer.numpy(*inputs)


def test_macs():
    layer = LSTM(hidden_size=H, direction="bidirectional")
    types = [TensorType.of(x) for x in inputs_of(layer, set())[:3]]
    assert layer.cost(*types).macs == T * N * 2 * 4 * H * (I + H)
