"""A whole training step, forward, backward and update, as one program: the same trajectory."""

import numpy as np
import pytest

from suanzi import SuanziError, optim
from suanzi.tensor import tensor
from suanzi.tensor.compiling import compile

CASES = [
    ("SGD", {}),
    ("SGD", {"momentum": 0.9}),
    ("SGD", {"momentum": 0.9, "nesterov": True, "weight_decay": 0.1}),
    ("Adam", {}),
    ("Adam", {"amsgrad": True, "weight_decay": 0.1}),
    ("AdamW", {}),
    ("Adamax", {}),
    ("NAdam", {}),
    ("RAdam", {"betas": (0.5, 0.9)}),
    ("Adagrad", {"lr_decay": 0.1}),
    ("RMSprop", {"momentum": 0.5, "centered": True}),
    ("Adadelta", {}),
    ("ASGD", {"t0": 3}),
    ("Rprop", {}),
]


def training(name, options, cyclic):
    """A network of one layer: the step, its schedule, the optimizer and the weights."""
    rng = np.random.default_rng(0)
    w = tensor(rng.standard_normal((4, 3)).astype("f"), requires_grad=True)
    b = tensor(np.zeros(3, "f"), requires_grad=True)
    x, y = (tensor(rng.standard_normal((8, n)).astype("f")) for n in (4, 3))
    optimizer = getattr(optim, name)([w, b], **{"lr": 0.1, **options})
    if cyclic:
        schedule = optim.lr_scheduler.OneCycleLR(optimizer, 0.2, total_steps=20)
    else:
        schedule = optim.lr_scheduler.ExponentialLR(optimizer, 0.8)

    def step():
        optimizer.zero_grad()
        loss = ((x @ w + b - y) ** 2).mean()
        loss.backward()
        optimizer.step()
        return loss

    return step, schedule, optimizer, w


@pytest.mark.parametrize(("name", "options"), CASES)
def test_as_eager(name, options):
    cyclic = "momentum" in options or name in ("Adam", "NAdam")
    step, schedule, optimizer, w = training(name, options, cyclic)
    again, its_schedule, its_optimizer, its_w = training(name, options, cyclic)
    compiled = compile(again)
    for _ in range(10):
        assert compiled().item() == pytest.approx(step().item(), rel=1e-4)
        schedule.step()
        its_schedule.step()
    np.testing.assert_allclose(its_w.detach().numpy(), w.detach().numpy(), rtol=2e-4, atol=1e-5)
    before = optimizer.state_dict()["state"]
    for number, entries in its_optimizer.state_dict()["state"].items():
        for key, value in entries.items():
            np.testing.assert_allclose(
                value.numpy(), before[number][key].numpy(), rtol=2e-3, atol=1e-4
            )


def test_a_loaded_state_is_seen_by_a_compiled_step():
    step, _, optimizer, _ = training("SGD", {}, False)
    compiled = compile(step)
    compiled()
    state = optimizer.state_dict()
    state["param_groups"][0]["lr"] = 0.0
    optimizer.load_state_dict(state)
    assert compiled().item() == compiled().item()


def test_the_first_damped_step():
    step, *_ = training("SGD", {"momentum": 0.9, "dampening": 0.5}, False)
    with pytest.raises(SuanziError, match="dampening"):
        compile(step)()
