from dataclasses import replace

import numpy as np
import pytest

from kernel_support import RUNNABLE, make_site, run_site
from suanzi.kernels.quantized_recurrent import choose
from suanzi.operators.contributed import DynamicQuantizeLSTM

LSTM = DynamicQuantizeLSTM(hidden_size=1)


def data(operator, T, N, I, H, bias=True, initial=True, columns=False):  # noqa: E741
    """The operator with H units, and its twelve inputs; scales of columns, or of directions."""
    rng = np.random.default_rng(T + N + I + H)
    D = operator.directions
    real = [
        rng.standard_normal(shape).astype(np.float32) / 2
        for shape in (
            (N, T, I) if operator.layout else (T, N, I),
            (D, 8 * H),
            *[(N, D, H) if operator.layout else (D, N, H)] * 2,
        )
    ]
    q = [rng.integers(-128, 128, (D, size, 4 * H)).astype(np.int8) for size in (I, H)]
    shape = (D, 4 * H) if columns else (D,)
    scales = [rng.uniform(0.002, 0.006, shape).astype(np.float32) for _ in q]
    zero = np.zeros(shape, np.int8)
    states = real[2:] if initial else [None, None]
    B = real[1] if bias else None
    inputs = [real[0], *q, B, None, *states, None, scales[0], zero, scales[1], zero]
    return replace(operator, hidden_size=H), inputs


def site_of(operator, inputs, **more):
    constants = [i for i in (1, 2, 3, 8, 9, 10, 11) if inputs[i] is not None]
    return make_site(operator, inputs, constants=constants, **more)


def check(operator, inputs, **more):
    got = run_site(choose, site_of(operator, inputs, **more), inputs)
    assert got is not None
    for mine, right in zip(got, operator.numpy_all(inputs), strict=True):
        # A tie that rounds the other way is one step of h times a weight, once.
        np.testing.assert_allclose(mine, right, rtol=0, atol=2e-3)
        assert np.median(np.abs(mine - right)) < 1e-4


@pytest.mark.parametrize("target", RUNNABLE, ids=lambda t: t.name)
@pytest.mark.parametrize("direction", ["forward", "reverse", "bidirectional"])
def test_every_direction_and_target(direction, target):
    operator = replace(LSTM, direction=direction)
    check(*data(operator, 5, 2, 7, 2 * target.lanes), target=target)


@pytest.mark.parametrize("layout", [0, 1])
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize(("N", "bias", "initial"), [(1, True, False), (2, False, True)])
def test_any_layer(layout, threads, N, bias, initial):
    both = replace(LSTM, direction="bidirectional", layout=layout)
    check(*data(both, 9, N, 16, 64, bias, initial, columns=threads == 2), threads=threads)


@pytest.mark.parametrize(
    ("place", "value"), [(4, np.array([3], np.int32)), (7, np.ones((1, 96), np.float32))]
)
def test_what_is_left_to_numpy(place, value):
    operator, inputs = data(LSTM, 4, 1, 3, 32)
    inputs[place] = value
    assert choose(site_of(operator, inputs)) is None


def test_sizes_and_zero_points_that_are_left_to_numpy():
    for sizes in ((4, 1, 3, 17), (4, 3, 3, 32)):
        assert choose(site_of(*data(LSTM, *sizes))) is None
    operator, inputs = data(LSTM, 4, 1, 3, 32)
    inputs[11] = np.ones(1, np.int8)
    assert choose(site_of(operator, inputs)) is None
