"""L-BFGS finds the same way as PyTorch's."""

import numpy as np
import pytest

from suanzi import SuanziError
from suanzi.optim import LBFGS, SGD
from suanzi.tensor import tensor

START = [[-1.2, 1.0], [0.5, -0.7], [2.0, 2.0]]


def path(make, optimizer, start, options, steps):
    """Rosenbrock's valley from a start; the places after each step, and how many evaluations."""
    x, y = (make(np.asarray(value), requires_grad=True) for value in start)
    found = optimizer([x, y], **options)

    def closure():
        found.zero_grad()
        loss = (1 - x) ** 2 + 100 * (y - x * x) ** 2
        loss.backward()
        return loss

    places = []
    for _ in range(steps):
        loss = found.step(closure).item()
        places.append([loss, x.item(), y.item(), found.state[x]["func_evals"]])
    return places


@pytest.mark.parametrize("start", START)
@pytest.mark.parametrize(
    ("options", "steps"),
    [
        ({"line_search_fn": "strong_wolfe"}, 4),
        ({"line_search_fn": "strong_wolfe", "max_iter": 3, "history_size": 2}, 12),
        ({"line_search_fn": "strong_wolfe", "lr": 0.3, "max_eval": 6}, 8),
        ({"lr": 0.01, "max_iter": 4}, 6),
        ({"lr": 0.003, "history_size": 3}, 2),
    ],
)
def test_as_pytorch(options, steps, start):
    torch = pytest.importorskip("torch")
    ours = path(tensor, LBFGS, start, options, steps)
    theirs = path(torch.tensor, torch.optim.LBFGS, start, options, steps)
    np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-7)


def test_the_valley_is_gone_down():
    *_, (loss, x, y, _) = path(tensor, LBFGS, START[0], {"line_search_fn": "strong_wolfe"}, 4)
    assert loss < 1e-8
    assert (x, y) == pytest.approx((1, 1), abs=1e-4)


def test_mistakes():
    p = tensor([1.0], requires_grad=True)
    with pytest.raises(SuanziError, match="line_search_fn"):
        LBFGS([p], line_search_fn="golden")
    with pytest.raises(SuanziError, match="one group"):
        LBFGS([{"params": [p]}, {"params": [tensor([1.0], requires_grad=True)]}])
    with pytest.raises(SuanziError, match="closure"):
        LBFGS([p]).step()
    assert SGD([p]).step() is None
