"""Recurrent layers beside PyTorch, where its database of modules has nothing."""

import numpy as np
import pytest

import suanzi
from torch_support import compare, ours, tensors

torch = pytest.importorskip("torch")

VARIANTS = [
    ("LSTM", {"bidirectional": True, "num_layers": 2}),
    ("LSTM", {"proj_size": 3, "bidirectional": True, "num_layers": 2}),
    ("LSTM", {"proj_size": 2, "bias": False, "batch_first": True}),
    ("GRU", {"bidirectional": True, "batch_first": True}),
    ("GRU", {"num_layers": 2, "bias": False}),
    ("RNN", {"nonlinearity": "relu", "bidirectional": True, "num_layers": 2}),
]


def pair(name, options, dtype=torch.float64):
    theirs = getattr(torch.nn, name)(4, 5, **options, dtype=dtype)
    mine = getattr(suanzi.nn, name)(4, 5, **options, dtype=ours(dtype))
    mine.load_state_dict(ours(dict(theirs.state_dict())))
    assert repr(mine) == repr(theirs)
    return mine, theirs


def states(name, options, batch):
    """First states, h and for LSTM c."""
    count = options.get("num_layers", 1) * (1 + options.get("bidirectional", False))
    sizes = [options.get("proj_size", 5), 5][: 2 if name == "LSTM" else 1]
    made = [torch.randn(count, *batch, n, dtype=torch.float64, requires_grad=True) for n in sizes]
    return tuple(made) if name == "LSTM" else made[0]


def held(mine, theirs, *inputs):
    my_inputs = ours(inputs)
    named = dict(mine.named_parameters())
    pairs = [(n, named[n], p) for n, p in theirs.named_parameters()]
    both = zip(tensors(my_inputs), tensors(inputs), strict=True)
    pairs += [
        (f"input {i}", a, b) for i, (a, b) in enumerate(both) if b.is_leaf and b.requires_grad
    ]
    compare(mine(*my_inputs), theirs(*inputs), pairs, 1e-9, 1e-8)


@pytest.mark.parametrize(("name", "options"), VARIANTS)
def test_padded(name, options):
    mine, theirs = pair(name, options)
    x = torch.randn(3, 3, 4, dtype=torch.float64, requires_grad=True)
    held(mine, theirs, x, states(name, options, (3,)))


@pytest.mark.parametrize(("name", "options"), VARIANTS)
def test_without_a_batch(name, options):
    mine, theirs = pair(name, options)
    held(mine, theirs, torch.randn(4, 4, dtype=torch.float64), states(name, options, ()))


@pytest.mark.parametrize("lengths", [(4, 3, 1), (2, 4, 3)], ids=["sorted", "unsorted"])
@pytest.mark.parametrize(("name", "options"), VARIANTS)
def test_packed(name, options, lengths):
    mine, theirs = pair(name, options)
    x = torch.randn(4, 3, 4, dtype=torch.float64)
    pack = torch.nn.utils.rnn.pack_padded_sequence
    packed = pack(x, lengths, enforce_sorted=lengths == (4, 3, 1))
    held(mine, theirs, packed)
    held(*pair(name, options), packed, states(name, options, (3,)))


def test_dropout_between_layers():
    mine = suanzi.nn.GRU(4, 5, 2, dropout=1.0)
    x = suanzi.randn(3, 2, 4)
    first = suanzi.nn.GRU(4, 5)
    nothing = mine(x)[0]
    again = mine(suanzi.randn(3, 2, 4))[0]
    np.testing.assert_array_equal(nothing.detach().numpy(), again.detach().numpy())
    mine.eval()
    assert not np.allclose(mine(x)[0].detach().numpy(), nothing.detach().numpy())
    assert first(x)[0].shape == mine(x)[0].shape


@pytest.mark.parametrize(("name", "options"), VARIANTS)
def test_compiled(name, options):
    layer = getattr(suanzi.nn, name)(4, 5, **options)
    x = suanzi.randn(3, 3, 4)

    def step(x):
        made = layer(x)[0]
        return made.detach(), suanzi.autograd.grad(made.sum(), [*layer.parameters()])

    eager, compiled = tensors(step(x)), tensors(suanzi.compile(step)(x))
    for a, b in zip(compiled, eager, strict=True):
        np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("change", "argument"),
    [
        ({"input_size": 0}, "input_size"),
        ({"hidden_size": 2.5}, "hidden_size"),
        ({"num_layers": 0}, "num_layers"),
        ({"dropout": True}, "dropout"),
        ({"bias": 1}, "bias"),
        ({"batch_first": None}, "batch_first"),
        ({"proj_size": 5}, "proj_size"),
    ],
)
def test_arguments(change, argument):
    with pytest.raises(suanzi.SuanziError, match=argument):
        suanzi.nn.LSTM(**({"input_size": 4, "hidden_size": 5} | change))


def test_inputs():
    layer = suanzi.nn.LSTM(4, 5)
    with pytest.raises(suanzi.SuanziError, match="input"):
        layer(suanzi.zeros(3, 2, 3))
    with pytest.raises(suanzi.SuanziError, match="input"):
        layer(suanzi.zeros(3, 2, 4, dtype=suanzi.float64))
    with pytest.raises(suanzi.SuanziError, match=r"hx\[1\]"):
        layer(suanzi.zeros(3, 2, 4), (suanzi.zeros(1, 2, 5), suanzi.zeros(1, 3, 5)))
    with pytest.raises(suanzi.SuanziError, match="proj_size"):
        suanzi.nn.GRU(4, 5, proj_size=2)
    with pytest.raises(suanzi.SuanziError, match="hx"):
        suanzi.nn.GRUCell(4, 5)(suanzi.zeros(3, 4), suanzi.zeros(1, 5))
