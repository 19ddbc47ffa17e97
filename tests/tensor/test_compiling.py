"""suanzi.compile: traced functions do what they do at once, and what changed is seen."""

import numpy as np
import pytest

import suanzi


def close(a, b):
    np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), 1e-5, 1e-6)


def test_structures():
    def function(pair, *, options):
        a, b = pair
        return {"sum": a + b, "rest": [a * options["by"], (b, "text")]}

    compiled = suanzi.compile(function)
    a, b = suanzi.randn(2, 3), suanzi.randn(3)
    for by in (2.0, 3.0):
        made = compiled((a, b), options={"by": by})
        close(made["sum"], a + b)
        close(made["rest"][0], a * by)
        assert made["rest"][1][1] == "text"


def test_new_shapes_and_types():
    compiled = suanzi.compile(lambda x: (x * 2).sum(-1))
    for x in (suanzi.ones(2, 3), suanzi.ones(4), suanzi.ones(4, dtype=suanzi.float64)):
        close(compiled(x), (x * 2).sum(-1))
        assert compiled(x).dtype is x.dtype


def test_what_is_changed_in_place():
    state, x = suanzi.zeros(2, 3), suanzi.randn(3)
    view = state[1]

    @suanzi.compile
    def step(x):
        state.add_(x)
        state[0].mul_(2)
        x += 1
        return state.sum()

    wanted, y = np.zeros((2, 3), np.float32), x.numpy().copy()
    for _ in range(3):
        total = step(x)
        wanted += y
        wanted[0] *= 2
        y += 1
        np.testing.assert_allclose(state.numpy(), wanted, 1e-5)
        np.testing.assert_allclose(total.item(), wanted.sum(), 1e-4)
    np.testing.assert_allclose(view.numpy(), wanted[1], 1e-5)


def test_what_is_captured_may_change():
    w = suanzi.ones(2)
    compiled = suanzi.compile(lambda x: x * w)
    assert compiled(suanzi.ones(2)).tolist() == [1, 1]
    w.fill_(3)
    assert compiled(suanzi.ones(2)).tolist() == [3, 3]


def test_guards():
    w = suanzi.ones(2, requires_grad=True)
    compiled = suanzi.compile(lambda x: x * w)
    assert compiled(suanzi.ones(2)).requires_grad
    w.requires_grad_(False)
    assert not compiled(suanzi.ones(2)).requires_grad


def test_random_numbers_are_new():
    compiled = suanzi.compile(lambda x: x + suanzi.rand(4))
    x = suanzi.zeros(4)
    a, b = compiled(x), compiled(x)
    assert not suanzi.equal(a, b)
    assert ((a >= 0) & (a < 1)).all()


def test_backward_through_a_compiled_function():
    x, w = (suanzi.randn(*s, requires_grad=True) for s in ((4, 3), (3, 2)))

    def function(x):
        return (x @ w).tanh(), x.sum()

    def gradients(call):
        x.grad = w.grad = None
        a, b = call(x)
        ((a * a).sum() * 2 + b).backward()
        return x.grad.clone(), w.grad.clone()

    for a, b in zip(gradients(suanzi.compile(function)), gradients(function), strict=True):
        close(a, b)


def test_backward_inside():
    w = suanzi.randn(3, requires_grad=True)

    def step(x):
        w.grad = None
        loss = ((x * w) ** 2).sum()
        loss.backward()
        return loss.detach()

    x = suanzi.randn(5, 3)
    wanted = step(x)
    gradient = w.grad.clone()
    compiled = suanzi.compile(step)
    for _ in range(2):
        close(compiled(x), wanted)
        close(w.grad, gradient)


def test_views_in_a_trace():
    def function(x):
        y = x * 1
        y[:, 1] = 5
        y.t()[0].add_(x[0, 0])
        y[y > 4] = -1
        return y, y.diagonal(), y[:, suanzi.tensor([0, 2])]

    x = suanzi.randn(3, 4)
    for a, b in zip(suanzi.compile(function)(x), function(x), strict=True):
        close(a, b)


def test_values_are_unknown():
    with pytest.raises(suanzi.SuanziError, match="traced"):
        suanzi.compile(lambda x: x * x.sum().item())(suanzi.ones(2))
    assert suanzi.ones(2).sum().item() == 2  # the trace was left


def test_decorated():
    @suanzi.compile(mode="max-autotune")
    def double(x):
        """Twice."""
        return x * 2

    assert double.__doc__ == "Twice."
    assert double(suanzi.ones(1)).item() == 2
