"""Gradients as an engine gives them: in-place changes, views, hooks, graphs of graphs."""

import gc
import weakref

import numpy as np
import pytest

import suanzi
from nn_support import same


def leaf(T, *shape, seed=0):
    values = np.random.default_rng(seed).normal(size=shape).astype(np.float32)
    return T.tensor(values, requires_grad=True)


@same
def test_in_place_on_a_view(T):
    x = leaf(T, 3, 4)
    y = x * 2
    y[1:, ::2].mul_(3)
    row = y[0]
    y.add_(x)
    row *= 2
    (y * y).sum().backward()
    return [y, row, x.grad]


@same
def test_views_of_views(T):
    x = leaf(T, 2, 3, 4)
    y = x.exp()
    z = y.transpose(0, 2)[1].reshape(-1).view(3, 2).t()
    z[0] += x[0, 0, :3]
    (y.sum() * y[0, 0, 1] + z.prod()).backward()
    return [y, z, x.grad]


@same
def test_write_of_what_needs_a_gradient(T):
    x, buffer = leaf(T, 4), T.zeros(2, 4)
    buffer[0] = x * 2
    buffer[1].copy_(x**2)
    buffer.t()[0].zero_()
    buffer.sum().backward()
    return [buffer, x.grad]


@same
def test_retained_and_accumulated(T):
    x = leaf(T, 3)
    y = (x.exp() * x).sum()
    y.backward(retain_graph=True)
    y.backward()
    middle = x * 3
    middle.retain_grad()
    (middle * x).sum().backward()
    return [x.grad, middle.grad]


@same
def test_second_derivatives(T):
    x, w = leaf(T, 4, 3), leaf(T, 3, 2, seed=1)
    y = T.tanh(x @ w).softmax(-1)
    gx, gw = T.autograd.grad((y * y).sum(), (x, w), create_graph=True)
    (gx.pow(2).sum() + gw.abs().sum()).backward()
    return [gx, gw, x.grad, w.grad]


@same
def test_third_derivative(T):
    x = T.tensor(0.7, requires_grad=True)
    y = T.sin(x) * x**3
    for _ in range(3):
        (y,) = T.autograd.grad(y, x, create_graph=True)
    return y


@same
def test_hooks(T):
    x, told = leaf(T, 3), []
    y = x * 2
    first = y.register_hook(lambda g: g * 10)
    y.register_hook(lambda g: told.append(g.sum().item()))
    x.register_hook(lambda g: g + 1)
    x.register_post_accumulate_grad_hook(lambda t: told.append(t.grad.sum().item()))
    y.sum().backward()
    first.remove()
    (x * 2).sum().backward()
    return [x.grad, told]


@same
def test_inputs_of_backward_and_unused(T):
    x, w, other = leaf(T, 3), leaf(T, 3, seed=1), leaf(T, 2)
    (x * w).sum().backward(inputs=[w])
    found = T.autograd.grad((x * w).sum(), [x, other], allow_unused=True)
    zeros = T.autograd.grad((x * w).sum(), [x, other], materialize_grads=True)
    return [x.grad is None, w.grad, found[0], found[1] is None, *zeros]


@same
def test_given_gradients(T):
    x = leaf(T, 2, 3)
    T.autograd.backward([x * 2, x.exp()], [T.ones(2, 3), T.full((2, 3), 0.5)])
    return x.grad


@same
def test_own_function(T):
    class Clamped(T.autograd.Function):
        @staticmethod
        def forward(ctx, x, most):
            ctx.save_for_backward(x)
            ctx.most = most
            return x.clamp(max=most), (x > most)

        @staticmethod
        def backward(ctx, dy, _):
            (x,) = ctx.saved_tensors
            return dy * (x < ctx.most) * 3 + x * 0, None

    x = leaf(T, 5)
    y, over = Clamped.apply(x, 0.3)
    (g,) = T.autograd.grad((y * y).sum(), x, create_graph=True)
    g.sum().backward()
    return [y, over, g, x.grad]


@same
def test_modes(T):
    x = leaf(T, 2)
    with T.no_grad():
        a = x * 2
        with T.enable_grad():
            b = x * 2
    frozen = T.no_grad()(lambda: x * 2)()
    with T.set_grad_enabled(False):
        c = x * 2
    with T.inference_mode():
        d = x * 2
    return [t.requires_grad for t in (a, b, frozen, c, d)] + [x.detach().requires_grad]


@same
def test_leaves(T):
    x = leaf(T, 2)
    y = x * 2
    return [x.is_leaf, y.is_leaf, x.grad_fn is None, y.grad_fn is None, y.detach().is_leaf,
            T.ones(2).is_leaf]  # fmt: skip


def test_stale_values_are_an_error():
    x = suanzi.ones(3, requires_grad=True)
    y = x.exp()
    z = y * y
    y.add_(1)
    with pytest.raises(suanzi.SuanziError, match="in-place"):
        z.sum().backward()
    w = suanzi.ones(3)
    y = x * w
    w[0] = 5
    with pytest.raises(suanzi.SuanziError, match="version"):
        y.sum().backward()


@pytest.mark.parametrize(
    ("mistake", "words"),
    [
        (lambda x: x.add_(1), "leaf"),
        (lambda x: x[0].zero_(), "leaf"),
        (lambda x: (x * 2).backward(), "single number"),
        (lambda x: x.detach().sum().backward(), "requires a gradient"),
        (lambda x: x.numpy(), "detach"),
        (lambda x: suanzi.ones(2, dtype=suanzi.int64).requires_grad_(), "floating"),
        (lambda x: [y := x.sum() * 2, y.backward(), y.backward()], "retain_graph"),
        (lambda x: suanzi.autograd.grad(x.sum(), suanzi.ones(2, requires_grad=True)), "used"),
        (lambda x: (x * 2).requires_grad_(False), "leaf"),
    ],
)
def test_mistakes(mistake, words):
    with pytest.raises(suanzi.SuanziError, match=words):
        mistake(suanzi.ones(3, requires_grad=True))


def test_memory_is_freed_as_the_pass_goes():
    x = suanzi.ones(3, requires_grad=True)
    middle = x.exp()
    loss = (middle * middle).sum()
    kept = weakref.ref(middle)
    del middle
    loss.backward()
    gc.collect()
    assert kept() is None
    assert x.grad is not None


def test_gradients_have_memory_of_their_own():
    x, y = (suanzi.ones(3, requires_grad=True) for _ in range(2))
    (x + y).sum().backward()
    x.grad.add_(1)
    assert y.grad.tolist() == [1, 1, 1]


def test_gradcheck():
    x = suanzi.randn(3, 2, dtype=suanzi.float64, requires_grad=True)
    assert suanzi.autograd.gradcheck(lambda x: (x.tanh() @ x.T).softmax(0), (x,))
    assert suanzi.autograd.gradgradcheck(lambda x: x.tanh() * x.exp(), (x,))

    class Wrong(suanzi.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, dy):
            return dy * 3

    with pytest.raises(suanzi.autograd.GradcheckError):
        suanzi.autograd.gradcheck(Wrong.apply, (x,))
    assert not suanzi.autograd.gradcheck(Wrong.apply, (x,), raise_exception=False)


def test_outputs_that_serve_nobody_are_not_made():
    x = leaf(suanzi, 1, 2, 6, 6)
    y = suanzi.nn.functional.max_pool2d(x, 2)
    assert y.grad_fn.output_types[1] is None
    y.sum().backward()
    assert x.grad.sum().item() == y.numel()
    y, places = suanzi.nn.functional.max_pool2d(x, 2, return_indices=True)
    assert (x.flatten()[places.flatten()[:9]] == y.flatten()[:9]).all()
