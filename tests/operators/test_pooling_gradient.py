"""Gradients of pooling and of what undoes it, held to PyTorch's."""

import numpy as np
import pytest

from suanzi.operators import (
    AveragePool,
    AveragePoolGradient,
    Col2Im,
    GlobalAveragePool,
    GlobalMaxPool,
    LpPool,
    MaxPool,
    MaxPoolGradient,
    Unfold,
)
from torch_gradients import check_against_torch, gradients

torch = pytest.importorskip("torch")
F = torch.nn.functional
RNG = np.random.default_rng(0)
SHAPES = [(2, 3, 11), (2, 3, 9, 8), (1, 2, 5, 6, 7)]


def window(n, **others):
    """The attributes as we and as PyTorch name them, in n spatial axes."""
    kernel, stride, pad = (3, 2, 3)[:n], (2, 2, 1)[:n], (1, 0, 1)[:n]
    ours = {"kernel_shape": kernel, "strides": stride, "pads": pad * 2}
    return ours, {"kernel_size": kernel, "stride": stride, "padding": pad}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("ceil", [0, 1])
@pytest.mark.parametrize("dilation", [1, 2])
def test_max_pool(shape, ceil, dilation):
    n = len(shape) - 2
    ours, theirs = window(n)
    pool = getattr(F, f"max_pool{n}d")
    check_against_torch(
        MaxPool(**ours, ceil_mode=ceil, dilations=(dilation,) * n),
        [RNG.standard_normal(shape)],
        lambda x: pool(x, **theirs, ceil_mode=bool(ceil), dilation=dilation),
    )


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("ceil", [0, 1])
@pytest.mark.parametrize("include", [0, 1])
def test_average_pool(shape, ceil, include):
    n = len(shape) - 2
    ours, theirs = window(n)
    pool = getattr(F, f"avg_pool{n}d")
    check_against_torch(
        AveragePool(**ours, ceil_mode=ceil, count_include_pad=include),
        [RNG.standard_normal(shape)],
        lambda x: pool(x, **theirs, ceil_mode=bool(ceil), count_include_pad=bool(include)),
    )


def test_of_equal_elements_the_first_gets_the_gradient():
    op = MaxPool(kernel_shape=(2, 2), strides=(2, 2))
    X = np.zeros((1, 1, 4, 4))
    check_against_torch(op, [X], lambda x: F.max_pool2d(x, 2))
    check_against_torch(GlobalMaxPool(), [X], lambda x: F.adaptive_max_pool2d(x, 1))
    (dX,) = gradients(op, (np.ones((1, 1, 2, 2)), None), X)
    assert dX[0, 0, ::2, ::2].all()
    assert dX.sum() == 4


@pytest.mark.parametrize("p", [1, 2, 3])
def test_lp_pool(p):
    X = np.abs(RNG.standard_normal((2, 3, 8, 7))) + 0.1  # PyTorch takes powers without | |
    check_against_torch(
        LpPool(kernel_shape=(3, 2), strides=(2, 1), p=p),
        [X],
        lambda x: F.lp_pool2d(x, p, (3, 2), (2, 1)),
        1e-6,
    )
    (dX,) = gradients(LpPool(kernel_shape=(2,), p=p), np.ones((1, 1, 1)), np.zeros((1, 1, 2)))
    assert not dX.any()


def test_global_average_pool():
    X = RNG.standard_normal((2, 3, 4, 5))
    check_against_torch(GlobalAveragePool(), [X], lambda x: x.mean((2, 3), keepdim=True))


@pytest.mark.parametrize("op", [MaxPool, AveragePool])
def test_gradients_of_gradients(op):
    """Both are linear in dY: the gradient of the gradient is what PyTorch's twice gives."""
    ours, theirs = window(2)
    X, dY = RNG.standard_normal((1, 2, 7, 6)), RNG.standard_normal((1, 2, 4, 3))
    if op is MaxPool:
        twice, inputs = MaxPoolGradient(**ours), [dY, X]
        pool = F.max_pool2d
    else:
        twice, inputs = AveragePoolGradient(**ours, sizes=(7, 6), count_include_pad=1), [dY]
        pool = F.avg_pool2d
    x, d = torch.tensor(X, requires_grad=True), torch.tensor(dY, requires_grad=True)
    (dx,) = torch.autograd.grad(pool(x, **theirs), x, d, create_graph=True)
    dZ = RNG.standard_normal(X.shape)
    (expected,) = torch.autograd.grad(dx, d, torch.tensor(dZ))
    np.testing.assert_allclose(twice(*inputs), dx.detach().numpy())
    np.testing.assert_allclose(gradients(twice, dZ, *inputs)[0], expected.numpy())


@pytest.mark.parametrize("dilation", [1, 2])
def test_unfold_and_fold(dilation):
    attributes = {"strides": (2, 1), "pads": (1, 2, 1, 2), "dilations": (dilation,) * 2}
    theirs = {"stride": (2, 1), "padding": (1, 2), "dilation": dilation}
    unfold = Unfold(kernel_shape=(3, 2), **attributes)
    X = RNG.standard_normal((2, 3, 7, 6))
    check_against_torch(unfold, [X], lambda x: F.unfold(x, (3, 2), **theirs))
    image, block = np.array([7, 6]), np.array([3, 2])
    check_against_torch(
        Col2Im(**attributes),
        [unfold(X), image, block],
        lambda x, *_: F.fold(x, (7, 6), (3, 2), **theirs),
    )
