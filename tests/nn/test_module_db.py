"""Every module of PyTorch's own database, with all its inputs, beside PyTorch."""

import random

import numpy as np
import pytest

import suanzi
from torch_support import compare, keep_gradients, ours, tensors

torch = pytest.importorskip("torch")
pytest.importorskip("expecttest")

with pytest.MonkeyPatch.context() as patch:
    patch.setattr("warnings.warn", lambda *_, **__: None)
    from torch.testing._internal.common_modules import module_db

FLOATS = [m for m in module_db if not m.name.startswith("nn.quantized")]
DOUBLE = {"nn.FractionalMaxPool2d", "nn.FractionalMaxPool3d"}
"""Modules whose inputs in the database come with arguments of float64."""


@pytest.fixture(autouse=True)
def _seeds():
    torch.manual_seed(0)
    torch.set_num_threads(1)  # small tensors, and ours run beside
    np.random.seed(0)
    random.seed(0)


def build(info, sample):
    """PyTorch's module and ours with the same arguments."""
    args, kwargs = sample.constructor_input.args, sample.constructor_input.kwargs
    theirs = info.module_cls(*args, **kwargs)
    name = info.name.removeprefix("nn.")
    return getattr(suanzi.nn, name)(*ours(args), **ours(kwargs)), theirs


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("training", [True, False], ids=["training", "evaluation"])
@pytest.mark.parametrize("info", FLOATS, ids=lambda info: info.name)
def test_as_pytorch(info, training):
    kind = torch.float64 if info.name in DOUBLE else torch.float32
    samples = info.module_inputs_func(
        info, device="cpu", dtype=kind, requires_grad=True, training=training
    )
    for number, sample in enumerate(samples):
        mine, theirs = build(info, sample)
        mine.train(training)
        theirs.train(training)
        if sample.forward_input is None:
            continue
        args, kwargs = sample.forward_input.args, sample.forward_input.kwargs
        my_args, my_kwargs = ours(args), ours(kwargs)
        keep_gradients((args, kwargs))
        if "Lazy" in info.name:
            mine(*my_args, **my_kwargs)
            theirs(*args, **kwargs)
        state = {k: suanzi.tensor(v.detach().numpy()) for k, v in theirs.state_dict().items()}
        mine.load_state_dict(state)
        expected = theirs(*args, **kwargs)
        made = mine(*my_args, **my_kwargs)
        named = dict(mine.named_parameters())
        pairs = [(name, named[name], p) for name, p in theirs.named_parameters()]
        inputs = zip(tensors((my_args, my_kwargs)), tensors((args, kwargs)), strict=True)
        pairs += [(f"input {i}", a, b) for i, (a, b) in enumerate(inputs) if b.requires_grad]
        try:
            compare(made, expected, pairs)
        except AssertionError as error:
            raise AssertionError(f"{info.name}, input {number} ({sample.desc}): {error}") from None
        buffers = zip(mine.buffers(), theirs.buffers(), strict=True)
        for a, b in buffers:
            np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-4, atol=1e-5)


WRONG = [m for m in FLOATS if m.module_error_inputs_func is not None]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("info", WRONG, ids=lambda info: info.name)
def test_errors_as_pytorch(info):
    samples = info.module_error_inputs_func(
        info, device="cpu", dtype=torch.float32, requires_grad=False, training=True
    )
    count = 0
    for sample in samples:
        given = sample.module_error_input
        name = info.name.removeprefix("nn.")
        args, kwargs = ours(given.constructor_input.args), ours(given.constructor_input.kwargs)
        on_construction = str(sample.error_on).endswith("CONSTRUCTION_ERROR")
        if on_construction:
            with pytest.raises(suanzi.SuanziError):
                getattr(suanzi.nn, name)(*args, **kwargs)
        else:
            mine = getattr(suanzi.nn, name)(*args, **kwargs)
            with pytest.raises(suanzi.SuanziError):
                mine(*ours(given.forward_input.args), **ours(given.forward_input.kwargs))
        count += 1
    assert count
