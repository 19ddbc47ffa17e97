"""Gradients of recurrent layers, held to PyTorch's and to finite differences."""

import numpy as np
import pytest

from suanzi.operators import GRU, LSTM, RNN
from torch_gradients import gradients

torch = pytest.importorskip("torch")
RNG = np.random.default_rng(0)
T, N, WIDTH, H = 5, 3, 4, 2
ORDER = {"RNN": [0], "GRU": [1, 0, 2], "LSTM": [0, 3, 1, 2]}
"""Where PyTorch has each of ONNX's gates: reset first in GRU; i, f, g, o in LSTM."""


def rearranged(parts, order):
    """Weights of PyTorch's gates in ONNX's order, one direction after another."""
    blocks = [torch.cat([p.chunk(len(order))[k] for k in order]) for p in parts]
    return torch.stack(blocks).detach().numpy()


@pytest.mark.parametrize("operator", [RNN, GRU, LSTM])
@pytest.mark.parametrize("both", [False, True])
@pytest.mark.parametrize("layout", [0, 1])
@pytest.mark.parametrize("lengths", [None, (5, 3, 1)])
def test_against_torch(operator, both, layout, lengths):
    name = operator.__name__
    D, order = 1 + both, ORDER[name]
    layer = getattr(torch.nn, name)(
        WIDTH, H, bidirectional=both, batch_first=bool(layout), dtype=torch.float64
    )
    sides = ["", "_reverse"][:D]
    wi, wh, bi, bh = (
        [getattr(layer, f"{kind}_l0{side}") for side in sides]
        for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    )
    B = np.concatenate([rearranged(bi, order), rearranged(bh, order)], 1)
    x = torch.tensor(
        RNG.standard_normal((N, T, WIDTH) if layout else (T, N, WIDTH)), requires_grad=True
    )
    states = [
        torch.tensor(RNG.standard_normal((D, N, H)), requires_grad=True)
        for _ in range(2 if name == "LSTM" else 1)
    ]

    read = x
    if lengths is not None:
        read = torch.nn.utils.rnn.pack_padded_sequence(x, lengths, bool(layout))
    y, last = layer(read, tuple(states) if name == "LSTM" else states[0])
    if lengths is not None:
        y, _ = torch.nn.utils.rnn.pad_packed_sequence(y, bool(layout))
    last = last if isinstance(last, tuple) else (last,)

    options = {"linear_before_reset": 1} if name == "GRU" else {}
    op = operator(
        hidden_size=H, direction="bidirectional" if both else "forward", layout=layout, **options
    )

    def turned(s):
        return s.swapaxes(0, 1) if layout else s

    inputs = [
        x.detach().numpy(),
        rearranged(wi, order),
        rearranged(wh, order),
        B,
        None if lengths is None else np.array(lengths, np.int32),
        *(turned(s.detach().numpy()) for s in states),
    ]

    def ours(y):
        """PyTorch's output, whose directions are side by side."""
        parts = y.reshape(*y.shape[:2], D, H)
        return parts if layout else parts.swapaxes(1, 2)

    outputs = op.numpy_all(inputs)
    np.testing.assert_allclose(outputs[0], ours(y.detach().numpy()), atol=1e-12)
    for found, expected in zip(outputs[1:], last, strict=True):
        np.testing.assert_allclose(found, turned(expected.detach().numpy()), atol=1e-12)

    d_y = RNG.standard_normal(y.shape)
    d_last = [RNG.standard_normal(s.shape) for s in last]
    leaves = [x, *wi, *wh, *bi, *bh, *states]
    found = torch.autograd.grad([y, *last], leaves, [torch.tensor(d) for d in (d_y, *d_last)])
    dx, *rest = found
    weights = [rearranged(rest[k * D : (k + 1) * D], order) for k in range(4)]
    expected = [
        dx.numpy(),
        weights[0],
        weights[1],
        np.concatenate(weights[2:], 1),
        None,
        *(turned(s.numpy()) for s in rest[4 * D :]),
    ]
    made = gradients(op, (ours(d_y), *map(turned, d_last)), *inputs)
    for name_, g, e in zip("XWRBlhc", made, expected, strict=False):
        if e is None:
            assert g is None
        else:
            np.testing.assert_allclose(g, e, atol=1e-10, err_msg=name_)


NAMED = ("HardSigmoid", "Softsign", "ScaledTanh")


@pytest.mark.parametrize(
    "op",
    [
        RNN(hidden_size=2, activations=("Affine",), activation_alpha=(0.5,), clip=1.0),
        GRU(hidden_size=2, clip=0.75, direction="reverse"),
        GRU(hidden_size=2, linear_before_reset=1, activations=NAMED[:2]),
        LSTM(hidden_size=2, input_forget=1, clip=0.75),
        LSTM(hidden_size=2, activations=NAMED, direction="reverse"),
    ],
    ids=str,
)
@pytest.mark.parametrize("lengths", [None, (2, 3, 1)])
def test_against_finite_differences(op, lengths):
    G = op.gates * 2
    shapes = [(3, 3, 2), (1, G, 2), (1, G, 2), (1, 2 * G), None, (1, 3, 2)]
    shapes += [(1, 3, 2), (1, 6)] if isinstance(op, LSTM) else []
    inputs = [None if s is None else RNG.standard_normal(s) for s in shapes]
    inputs[4] = None if lengths is None else np.array(lengths, np.int32)
    dY = tuple(RNG.standard_normal(y.shape) for y in op.numpy_all(inputs))
    made = gradients(op, dY, *inputs)
    for i, x in enumerate(inputs):
        if i == 4 or x is None:
            assert made[i] is None
            continue
        towards = RNG.standard_normal(x.shape)

        def moved(by, i=i, x=x, towards=towards):
            changed = [*inputs[:i], x + by * towards, *inputs[i + 1 :]]
            return sum((d * y).sum() for d, y in zip(dY, op.numpy_all(changed), strict=True))

        slope = (moved(1e-6) - moved(-1e-6)) / 2e-6
        np.testing.assert_allclose((made[i] * towards).sum(), slope, 1e-5, 1e-6)


def test_a_part_of_the_outputs_alone():
    inputs = [RNG.standard_normal(s) for s in ((T, N, WIDTH), (1, 4 * H, WIDTH), (1, 4 * H, H))]
    op = LSTM(hidden_size=H)
    Y, Y_h, Y_c = op.numpy_all(inputs)
    whole = gradients(op, (Y, Y_h, Y_c), *inputs)
    parts = [
        gradients(op, d, *inputs) for d in ((Y, None, None), (None, Y_h, None), (None, None, Y_c))
    ]
    for g, *each in zip(whole[:3], *(p[:3] for p in parts), strict=True):
        np.testing.assert_allclose(g, sum(each), atol=1e-12)
