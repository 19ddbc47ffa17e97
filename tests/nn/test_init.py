"""First values: their distributions, and PyTorch's where nothing is drawn."""

import math
import warnings

import numpy as np
import pytest

import suanzi
from nn_support import fails, same
from suanzi.nn import init

SHAPE = (120, 40, 3)
FAN_IN, FAN_OUT = 120, 360


@same
def test_gains(T):
    names = [
        "linear",
        "conv2d",
        "conv_transpose3d",
        "sigmoid",
        "tanh",
        "relu",
        "leaky_relu",
        "selu",
    ]
    gain = T.nn.init.calculate_gain
    return [
        [gain(name) for name in names], gain("leaky_relu", 0.3), fails(gain, "nothing"),
        fails(gain, "leaky_relu", True), fails(gain, "leaky_relu", "x"),
    ]  # fmt: skip


@same
def test_what_is_not_drawn(T):
    init = T.nn.init
    p = T.nn.Parameter(T.zeros(3, 5))
    told = [init.constant_(p, 2.5) is p, p.clone(), init.ones_(p).clone(), init.zeros_(p).clone()]
    told += [init.eye_(p).clone(), init.eye_(T.zeros(4, 2, dtype=T.float64)), p.requires_grad]
    for shape, groups in ((4, 2, 3), 1), ((4, 2, 3, 4), 2), ((6, 3, 1, 2, 3), 2), ((2, 5, 3), 1):
        told.append(init.dirac_(T.zeros(*shape), groups))
    return [
        *told, fails(init.eye_, T.zeros(3)), fails(init.dirac_, T.zeros(3, 3)),
        fails(init.dirac_, T.zeros(3, 3, 3), 2), fails(init.xavier_normal_, T.zeros(3)),
        fails(init.kaiming_uniform_, T.zeros(3, 3), mode="fan"),
        fails(init.sparse_, T.zeros(3), 0.1),
        fails(init.orthogonal_, T.zeros(3)), p.grad_fn is None,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("fill", "mean", "std", "bound"),
    [
        (lambda t, g: init.uniform_(t, -1, 3, g), 1, 4 / math.sqrt(12), (-1, 3)),
        (lambda t, g: init.normal_(t, 2, 3, g), 2, 3, None),
        (lambda t, g: init.trunc_normal_(t, generator=g), 0, 0.8796, (-2, 2)),
        (lambda t, g: init.trunc_normal_(t, 0, 1, 2, 3, generator=g), 2.3158, 0.2449, (2, 3)),
        (
            lambda t, g: init.xavier_uniform_(t, 2, g),
            0,
            2 * math.sqrt(2 / (FAN_IN + FAN_OUT)),
            None,
        ),
        (lambda t, g: init.xavier_normal_(t, 2, g), 0, 2 * math.sqrt(2 / (FAN_IN + FAN_OUT)), None),
        (
            lambda t, g: init.kaiming_uniform_(t, math.sqrt(5), generator=g),
            0,
            1 / math.sqrt(3 * FAN_IN),
            (-1 / math.sqrt(FAN_IN), 1 / math.sqrt(FAN_IN)),
        ),
        (
            lambda t, g: init.kaiming_normal_(t, 0, "fan_out", "relu", g),
            0,
            math.sqrt(2 / FAN_OUT),
            None,
        ),
    ],
)
def test_distributions(fill, mean, std, bound):
    tensor = suanzi.nn.Parameter(suanzi.zeros(SHAPE))
    assert fill(tensor, suanzi.Generator().manual_seed(3)) is tensor
    value = tensor.detach().numpy()
    assert abs(value.mean() - mean) < 5 * std / math.sqrt(value.size)
    assert abs(value.std() / std - 1) < 0.03
    if bound is not None:
        assert bound[0] <= value.min()
        assert value.max() <= bound[1]
    again = fill(suanzi.zeros(SHAPE), suanzi.Generator().manual_seed(3))
    np.testing.assert_array_equal(again.numpy(), value)


@pytest.mark.parametrize("shape", [(5, 5), (3, 7), (7, 3), (4, 2, 3)])
def test_orthogonal(shape):
    value = init.orthogonal_(suanzi.zeros(shape), gain=2).numpy().reshape(shape[0], -1)
    gram = value @ value.T if value.shape[0] <= value.shape[1] else value.T @ value
    np.testing.assert_allclose(gram, 4 * np.eye(len(gram)), atol=1e-5)


def test_sparse():
    value = init.sparse_(suanzi.zeros(10, 6), 0.25).numpy()
    assert ((value == 0).sum(0) == 3).all()


def test_warnings():
    for fill in init.kaiming_uniform_, init.kaiming_normal_:
        with pytest.warns(UserWarning, match="no-op"):
            fill(suanzi.zeros(0, 3))
    with pytest.warns(UserWarning, match="more than 2 std"):
        init.trunc_normal_(suanzi.zeros(3), -6.0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        init.orthogonal_(suanzi.zeros(0, 3))
