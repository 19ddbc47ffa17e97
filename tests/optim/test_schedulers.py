"""Schedulers set the very learning rates, and momenta, that PyTorch's set."""

import pytest

from suanzi import SuanziError
from suanzi.optim import SGD, Adam, lr_scheduler
from suanzi.tensor import tensor

STEPS = 25

CASES = {
    "lambda": lambda s, o: s.LambdaLR(o, [lambda e: 0.95**e, lambda e: 1 / (e + 1)]),
    "multiplicative": lambda s, o: s.MultiplicativeLR(o, lambda e: 0.9),
    "step": lambda s, o: s.StepLR(o, 4),
    "step-gamma": lambda s, o: s.StepLR(o, step_size=3, gamma=0.7),
    "multi-step": lambda s, o: s.MultiStepLR(o, milestones=[3, 8, 8, 20], gamma=0.5),
    "constant": lambda s, o: s.ConstantLR(o, factor=0.4, total_iters=6),
    "linear": lambda s, o: s.LinearLR(o, start_factor=0.2, end_factor=0.9, total_iters=7),
    "exponential": lambda s, o: s.ExponentialLR(o, gamma=0.87),
    "polynomial": lambda s, o: s.PolynomialLR(o, total_iters=9, power=1.7),
    "cosine": lambda s, o: s.CosineAnnealingLR(o, T_max=6, eta_min=0.003),
    "restarts": lambda s, o: s.CosineAnnealingWarmRestarts(o, T_0=3, T_mult=2, eta_min=1e-4),
    "restarts-even": lambda s, o: s.CosineAnnealingWarmRestarts(o, 5),
    "cyclic": lambda s, o: s.CyclicLR(o, 0.01, 0.1, step_size_up=4, step_size_down=3),
    "cyclic2": lambda s, o: s.CyclicLR(o, [0.01, 0.02], 0.1, 3, mode="triangular2"),
    "cyclic-exp": lambda s, o: s.CyclicLR(o, 0.01, 0.1, 3, mode="exp_range", gamma=0.9),
    "cyclic-fn": lambda s, o: s.CyclicLR(
        o, 0.01, 0.1, 3, scale_fn=lambda x: 0.9**x, scale_mode="iterations", cycle_momentum=False
    ),
    "one-cycle": lambda s, o: s.OneCycleLR(o, max_lr=0.3, total_steps=STEPS),
    "one-cycle-three": lambda s, o: s.OneCycleLR(
        o, [0.3, 0.1], epochs=5, steps_per_epoch=5, three_phase=True, anneal_strategy="linear"
    ),
    "sequential": lambda s, o: s.SequentialLR(
        o,
        [s.ConstantLR(o, 0.1, 20), s.CosineAnnealingLR(o, 8), s.StepLR(o, 3)],
        milestones=[4, 15],
    ),
    "chained": lambda s, o: s.ChainedScheduler([s.ConstantLR(o, 0.1, 5), s.ExponentialLR(o, 0.9)]),
}


def followed(torch, schedulers, sgd, adam, make, with_adam):
    """Rates and momenta of each group over the steps."""
    w = [torch([1.0]), torch([2.0])]
    for x in w:
        x.requires_grad = True
    groups = [{"params": [w[0]]}, {"params": [w[1]], "lr": 0.02}]
    optimizer = adam(groups, lr=0.05) if with_adam else sgd(groups, lr=0.05, momentum=0.5)
    scheduler = make(schedulers, optimizer)
    seen = []
    for _ in range(STEPS - 1):
        optimizer.step()
        scheduler.step()
        momenta = [g["betas"][0] if with_adam else g["momentum"] for g in optimizer.param_groups]
        seen.append(([g["lr"] for g in optimizer.param_groups], momenta, scheduler.get_last_lr()))
    return seen


@pytest.mark.parametrize("with_adam", [False, True], ids=["sgd", "adam"])
@pytest.mark.parametrize("name", CASES)
def test_as_pytorch(name, with_adam):
    torch = pytest.importorskip("torch")
    optim = torch.optim
    theirs = followed(
        torch.tensor, optim.lr_scheduler, optim.SGD, optim.Adam, CASES[name], with_adam
    )
    ours = followed(tensor, lr_scheduler, SGD, Adam, CASES[name], with_adam)
    assert ours == theirs


def optimizer(lr=0.1):
    return SGD([tensor([1.0], requires_grad=True)], lr=lr, momentum=0.9)


PLATEAU = [3.0, 2.0, 2.0, 2.5, 1.99, 2.0, 2.0, 2.0, 2.1, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0]


@pytest.mark.parametrize(
    "options",
    [
        {"patience": 1},
        {"patience": 2, "factor": 0.5, "cooldown": 2},
        {"mode": "max", "patience": 0, "min_lr": 0.002},
        {"threshold_mode": "abs", "threshold": 0.02, "patience": 1, "eps": 0.005},
    ],
)
def test_plateau_as_pytorch(options):
    torch = pytest.importorskip("torch")
    theirs = torch.optim.SGD([torch.ones(1)], lr=0.1)
    ours = optimizer()
    a = torch.optim.lr_scheduler.ReduceLROnPlateau(theirs, **options)
    b = lr_scheduler.ReduceLROnPlateau(ours, **options)
    for metric in PLATEAU:
        a.step(metric)
        b.step(tensor(metric))
        assert ours.param_groups[0]["lr"] == theirs.param_groups[0]["lr"]
        assert b.get_last_lr() == a.get_last_lr()


def test_fractions_of_an_epoch_between_restarts():
    torch = pytest.importorskip("torch")
    theirs = torch.optim.SGD([torch.ones(1)], lr=0.1)
    ours = optimizer()
    a = torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(theirs, 2, 2)
    b = lr_scheduler.CosineAnnealingWarmRestarts(ours, 2, 2)
    for quarter in range(40):
        a.step(quarter / 4)
        b.step(quarter / 4)
        assert b.get_last_lr() == a.get_last_lr()


@pytest.mark.parametrize("name", sorted({*CASES} - {"cyclic-fn"}))
def test_state_goes_on(name):
    def make():
        group = {"params": [tensor([1.0], requires_grad=True)]}
        other = {"params": [tensor([2.0], requires_grad=True)], "lr": 0.02}
        made = SGD([group, other], lr=0.05, momentum=0.5)
        return made, CASES[name](lr_scheduler, made)

    (one, scheduler), (two, fresh) = make(), make()
    for _ in range(9):
        scheduler.step()
    two.load_state_dict(one.state_dict())
    fresh.load_state_dict(scheduler.state_dict())
    for _ in range(9):
        scheduler.step()
        fresh.step()
        assert [g["lr"] for g in two.param_groups] == [g["lr"] for g in one.param_groups]


def test_rate_in_a_tensor():
    held = tensor(0.5)
    of = optimizer(lr=held)
    scheduler = lr_scheduler.ExponentialLR(of, 0.5)
    scheduler.step()
    assert of.param_groups[0]["lr"] is held
    assert held.item() == 0.25
    assert scheduler.get_last_lr() == [0.25]


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: lr_scheduler.StepLR("sgd", 1), "optimizer"),
        (lambda: lr_scheduler.StepLR(optimizer(), 1, last_epoch=3), "last_epoch"),
        (lambda: lr_scheduler.LambdaLR(optimizer(), [abs, abs]), "lr_lambda"),
        (lambda: lr_scheduler.ConstantLR(optimizer(), factor=2), "factor"),
        (lambda: lr_scheduler.LinearLR(optimizer(), start_factor=0), "start_factor"),
        (lambda: lr_scheduler.CosineAnnealingWarmRestarts(optimizer(), 0), "T_0"),
        (lambda: lr_scheduler.CyclicLR(optimizer(), 0.1, 1.0, mode="square"), "mode"),
        (lambda: lr_scheduler.OneCycleLR(optimizer(), 0.1), "total_steps"),
        (lambda: lr_scheduler.ReduceLROnPlateau(optimizer(), factor=1), "factor"),
        (lambda: lr_scheduler.SequentialLR(optimizer(), [], []), "milestones"),
        (lambda: lr_scheduler.ChainedScheduler([]), "schedulers"),
    ],
)
def test_mistakes(make, words):
    with pytest.raises(SuanziError, match=words):
        make()


def test_a_cycle_that_is_over():
    scheduler = lr_scheduler.OneCycleLR(optimizer(), 0.1, total_steps=3)
    for _ in range(3):
        scheduler.step()
    with pytest.raises(SuanziError, match="over"):
        scheduler.step()
