"""Optimizers take the steps that PyTorch's take, and their states are exchanged with PyTorch's."""

import numpy as np
import pytest

from suanzi import SuanziError, optim
from suanzi.tensor import dtypes, tensor
from suanzi.tensor.serialization import load, save

STEPS = 20

CASES = [
    ("SGD", {}),
    ("SGD", {"lr": 0.1, "momentum": 0.9}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "dampening": 0.3, "weight_decay": 0.1}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True, "maximize": True}),
    ("SGD", {"lr": 0.1, "weight_decay": 0.1, "foreach": True}),
    ("Adam", {}),
    ("Adam", {"lr": 0.1, "amsgrad": True, "weight_decay": 0.1}),
    ("Adam", {"betas": (0.5, 0.9), "eps": 1e-3, "maximize": True}),
    ("Adam", {"weight_decay": 0.1, "decoupled_weight_decay": True}),
    ("AdamW", {}),
    ("AdamW", {"lr": 0.1, "amsgrad": True, "weight_decay": 0.3}),
    ("Adamax", {}),
    ("Adamax", {"lr": 0.1, "weight_decay": 0.1, "maximize": True}),
    ("NAdam", {}),
    ("NAdam", {"lr": 0.1, "weight_decay": 0.1, "momentum_decay": 0.1}),
    ("NAdam", {"lr": 0.1, "weight_decay": 0.1, "decoupled_weight_decay": True}),
    ("RAdam", {}),
    ("RAdam", {"lr": 0.1, "weight_decay": 0.1, "betas": (0.8, 0.9)}),
    ("RAdam", {"lr": 0.1, "weight_decay": 0.1, "decoupled_weight_decay": True}),
    ("Adagrad", {}),
    ("Adagrad", {"lr": 0.1, "lr_decay": 0.1, "weight_decay": 0.1, "maximize": True}),
    ("Adagrad", {"initial_accumulator_value": 0.5, "eps": 1e-3}),
    ("RMSprop", {}),
    ("RMSprop", {"lr": 0.1, "alpha": 0.9, "momentum": 0.5, "centered": True}),
    ("RMSprop", {"lr": 0.1, "centered": True, "weight_decay": 0.1, "maximize": True}),
    ("Adadelta", {}),
    ("Adadelta", {"lr": 0.5, "rho": 0.7, "weight_decay": 0.1, "maximize": True}),
    ("ASGD", {}),
    ("ASGD", {"lr": 0.1, "lambd": 0.1, "t0": 5, "weight_decay": 0.1}),
    ("Rprop", {}),
    ("Rprop", {"lr": 0.1, "etas": (0.3, 1.5), "step_sizes": (0.01, 0.2), "maximize": True}),
]
IDS = [f"{name}-{'-'.join(f'{k}={v}' for k, v in options.items())}" for name, options in CASES]
SHAPES = [(3, 4), (5,), (), (17_000,)]


def starts():
    rng = np.random.default_rng(0)
    return [np.asarray(rng.standard_normal(shape)) for shape in SHAPES]


def gradients(number):
    rng = np.random.default_rng(number + 1)
    return [np.asarray(rng.standard_normal(shape)) for shape in SHAPES]


def steps(make, optimizer, params, first, last):
    for number in range(first, last):
        for i, (p, g) in enumerate(zip(params, gradients(number), strict=True)):
            p.grad = None if (number + i) % 5 == 4 else make(g)  # some steps have no gradient
        optimizer.step()


def groups(params, last_lr):
    return [{"params": params[:2]}, {"params": params[2:], "lr": last_lr}]


def close(ours, theirs):
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(("name", "options"), CASES, ids=IDS)
def test_as_pytorch(name, options):
    torch = pytest.importorskip("torch")
    ours = [tensor(x, requires_grad=True) for x in starts()]
    theirs = [torch.tensor(x, requires_grad=True) for x in starts()]
    a = getattr(optim, name)(groups(ours, 0.02), **options)
    b = getattr(torch.optim, name)(groups(theirs, 0.02), **options)
    steps(tensor, a, ours, 0, STEPS)
    steps(torch.tensor, b, theirs, 0, STEPS)
    close(ours, theirs)
    mine, its = a.state_dict(), b.state_dict()
    assert mine["param_groups"] == its["param_groups"]
    assert mine["state"].keys() == its["state"].keys()
    for number, entries in its["state"].items():
        assert mine["state"][number].keys() == entries.keys()
        for key, value in entries.items():
            if value is not None:
                close([mine["state"][number][key]], [value])
                assert str(mine["state"][number][key].dtype)[7:] == str(value.dtype)[6:]


@pytest.mark.parametrize(("name", "options"), CASES, ids=IDS)
def test_states_are_exchanged(name, options, tmp_path):
    """PyTorch begins, Suanzi goes on from its state, saved and loaded."""
    torch = pytest.importorskip("torch")
    theirs = [torch.tensor(x, requires_grad=True) for x in starts()]
    b = getattr(torch.optim, name)(theirs, **options)
    steps(torch.tensor, b, theirs, 0, 3)
    ours = [tensor(x.detach().numpy().copy(), requires_grad=True) for x in theirs]
    a = getattr(optim, name)(ours)
    save(translated(b.state_dict(), torch), tmp_path / "state.safetensors")
    a.load_state_dict(load(tmp_path / "state.safetensors"))
    state, b = b.state_dict(), getattr(torch.optim, name)(theirs)
    b.load_state_dict(state)
    steps(tensor, a, ours, 3, 6)
    steps(torch.tensor, b, theirs, 3, 6)
    close(ours, theirs)


def translated(value, torch):
    if isinstance(value, torch.Tensor):
        return tensor(value.numpy())
    if isinstance(value, dict):
        return {key: translated(part, torch) for key, part in value.items()}
    return [translated(part, torch) for part in value] if isinstance(value, list) else value


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
@pytest.mark.parametrize(("name", "options"), CASES, ids=IDS)
def test_types_stay(name, options, dtype):
    p = tensor([0.01, -0.02], dtype=getattr(dtypes, dtype), requires_grad=True)
    start = p.tolist()
    optimizer = getattr(optim, name)([p], **{"lr": 0.1, **options})
    for _ in range(8):
        p.grad = p.detach().clone()
        optimizer.step()
    state = optimizer.state.get(p, {})
    numbers = ("step", "eta", "mu", "mu_product")
    assert all(x.dtype is p.dtype for key, x in state.items() if key not in numbers)
    assert p.dtype is getattr(dtypes, dtype)
    assert p.tolist() != start


def test_parameters_that_are_views_or_transposed():
    whole = tensor(np.arange(40_000.0).reshape(2, 20_000))
    row, turned = whole[0].requires_grad_(), whole[1:].t().requires_grad_()
    optimizer = optim.SGD([row, turned], lr=1.0)
    row.grad, turned.grad = row.detach() * 0.5, turned.detach() * 0 + 1
    optimizer.step()
    np.testing.assert_array_equal(whole[0].numpy(), np.arange(20_000) / 2)
    np.testing.assert_array_equal(whole[1].numpy(), np.arange(20_000.0, 40_000) - 1)


def test_closure_and_hooks():
    p = tensor([2.0], requires_grad=True)
    optimizer = optim.SGD([p], lr=0.25)
    seen = []
    before = optimizer.register_step_pre_hook(lambda o, args, kwargs: seen.append("before"))
    optimizer.register_step_post_hook(lambda o, args, kwargs: seen.append("after"))

    def closure():
        optimizer.zero_grad()
        loss = (p * p).sum()
        loss.backward()
        return loss

    assert optimizer.step(closure).item() == 4
    assert p.item() == 1
    before.remove()
    optimizer.step(closure)
    assert seen == ["before", "after", "after"]


def test_gradients_are_forgotten():
    p = tensor([2.0], requires_grad=True)
    optimizer = optim.SGD([p], lr=0.25)
    p.grad = tensor([1.0])
    optimizer.zero_grad(set_to_none=False)
    assert p.grad.tolist() == [0.0]
    optimizer.zero_grad()
    assert p.grad is None


def test_names_of_parameters():
    p, q = tensor([1.0], requires_grad=True), tensor([2.0], requires_grad=True)
    optimizer = optim.SGD([("p", p), ("q", q)], lr=0.1)
    assert optimizer.param_groups[0]["param_names"] == ["p", "q"]
    assert optimizer.state_dict()["param_groups"][0]["params"] == [0, 1]
    assert "SGD (\nParameter Group 0\n    dampening: 0\n" in repr(optimizer)


def test_a_loaded_state_is_a_copy():
    p = tensor([1.0], requires_grad=True)
    a, b = optim.Adam([p]), optim.Adam([p])
    p.grad = tensor([1.0])
    a.step()
    b.load_state_dict(a.state_dict())
    a.step()
    assert b.state[p]["step"].item() == 1
    assert b.param_groups[0]["params"] == [p]


X = tensor([1.0], requires_grad=True)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: optim.SGD([]), "nothing to optimize"),
        (lambda: optim.SGD(X), "params"),
        (lambda: optim.SGD([1.0]), "params"),
        (lambda: optim.SGD([X * 2]), "leaves"),
        (lambda: optim.SGD([{"params": {X}}]), "no order"),
        (lambda: optim.SGD([{"params": [X]}, {"params": [X]}]), "two groups"),
        (lambda: optim.SGD([("x", X), tensor([1.0], requires_grad=True)]), "all or none"),
        (lambda: optim.SGD([X], lr=-1), "lr"),
        (lambda: optim.SGD([X], lr=float("nan")), "lr"),
        (lambda: optim.SGD([X], lr=tensor([1.0, 2.0])), "1 element"),
        (lambda: optim.SGD([X], nesterov=True), "momentum"),
        (lambda: optim.SGD([X], differentiable=True), "differentiable"),
        (lambda: optim.Adam([X], betas=(0.9, 1.0)), "betas"),
        (lambda: optim.Rprop([X], etas=(1.5, 1.2)), "etas"),
        (lambda: optim.Adadelta([X], rho=2), "rho"),
        (lambda: optim.SGD([X]).load_state_dict({"state": {}, "param_groups": []}), "groups"),
    ],
)
def test_mistakes(make, words):
    with pytest.raises(SuanziError, match=words):
        make()
