"""Losses and distances beside PyTorch, where its databases have nothing."""

import numpy as np
import pytest

import suanzi
from torch_support import compare, ours, tensors

torch = pytest.importorskip("torch")

pytestmark = pytest.mark.filterwarnings("ignore")

LOGITS = torch.linspace(-2, 3, 30, dtype=torch.float64).sin().reshape(5, 3, 2)
CLASSES = torch.tensor([[0, 2], [1, -100], [2, 2], [-100, -100], [0, 1]])
WEIGHT = torch.tensor([0.5, 2.0, 1.0], dtype=torch.float64)


def same(name, inputs, options, of=None, tolerance=1e-9):
    """A function of nn.functional, or a layer with its first arguments `of`."""
    inputs = [t.clone().requires_grad_(t.is_floating_point()) for t in inputs]
    mine = ours(inputs)
    if of is None:
        made = getattr(suanzi.nn.functional, name)(*mine, **ours(options))
        expected = getattr(torch.nn.functional, name)(*inputs, **options)
    else:
        layer, theirs = getattr(suanzi.nn, name)(*of, **ours(options)), getattr(torch.nn, name)
        theirs = theirs(*of, **options)
        assert repr(layer) == repr(theirs)
        layer.load_state_dict(ours(dict(theirs.state_dict())))
        made, expected = layer(*mine), theirs(*inputs)
    floats = [(str(i), a, b) for i, (a, b) in enumerate(zip(mine, inputs, strict=True))]
    compare(made, expected, [p for p in floats if p[2].requires_grad], 1e-9, tolerance)


@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
@pytest.mark.parametrize("smoothing", [0.0, 0.3])
@pytest.mark.parametrize("weight", [None, WEIGHT])
def test_ignored_classes(reduction, smoothing, weight):
    options = {"reduction": reduction, "label_smoothing": smoothing, "weight": weight}
    same("cross_entropy", [LOGITS, CLASSES], options)


def test_all_ignored():
    same("cross_entropy", [LOGITS, torch.full((5, 2), -100)], {})
    same("nll_loss", [LOGITS, torch.full((5, 2), 7)], {"ignore_index": 7})


@pytest.mark.parametrize("flags", [(True, True), (False, True), (None, False), (True, None)])
def test_size_average_and_reduce(flags):
    options = dict(zip(("size_average", "reduce"), flags, strict=True))
    same("mse_loss", [LOGITS, LOGITS.cos()], options)
    same("L1Loss", [LOGITS, LOGITS.cos()], options, ())
    same("cross_entropy", [LOGITS, CLASSES], options)


@pytest.mark.parametrize("name", ["l1_loss", "mse_loss", "huber_loss"])
@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
def test_weights_of_elements(name, reduction):
    options = {"weight": LOGITS.abs(), "reduction": reduction}
    same(name, [LOGITS, LOGITS.cos()], options)


def test_binary_cross_entropy_at_the_ends():
    x = torch.tensor([0.0, 1.0, 0.0, 1.0, 0.5], dtype=torch.float64)
    y = torch.tensor([0.0, 1.0, 1.0, 0.0, 0.3], dtype=torch.float64)
    same("binary_cross_entropy", [x, y], {"reduction": "none"}, tolerance=1e-8)


def test_adaptive_softmax():
    given = (12, 30, [4, 9])
    theirs = torch.nn.AdaptiveLogSoftmaxWithLoss(*given, div_value=2.0, head_bias=True)
    mine = suanzi.nn.AdaptiveLogSoftmaxWithLoss(*given, div_value=2.0, head_bias=True)
    mine.load_state_dict(ours(dict(theirs.state_dict())))
    assert repr(mine) == repr(theirs)
    x, y = torch.randn(6, 12, requires_grad=True), torch.tensor([0, 5, 29, 3, 9, 8])
    my_x, my_y = ours([x, y])
    named = dict(mine.named_parameters())
    pairs = [("x", my_x, x), *((n, named[n], p) for n, p in theirs.named_parameters())]
    compare(mine(my_x, my_y), theirs(x, y), pairs)
    np.testing.assert_array_equal(mine.predict(my_x).numpy(), theirs.predict(x).numpy())
    made, expected = mine.log_prob(my_x), theirs.log_prob(x)
    np.testing.assert_allclose(made.detach().numpy(), expected.detach().numpy(), 1e-5, 1e-5)
    compare(mine(my_x[0], my_y[0]), theirs(x[0], y[0]), [])


@pytest.mark.parametrize("size", [1, 2, 3])
@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
def test_chunks_of_a_linear_cross_entropy(size, reduction):
    x, W, b = suanzi.randn(5, 4), suanzi.randn(3, 4), suanzi.randn(3)
    y = suanzi.tensor([0, 2, -100, 1, 1])
    options = suanzi.nn.LinearCrossEntropyOptions(batch_chunk_size=size)
    found = []
    for how in (None, options):
        leaves = [t.detach().clone().requires_grad_() for t in (x, W, b)]
        loss = suanzi.nn.functional.linear_cross_entropy(
            leaves[0], leaves[1], y, linear_bias=leaves[2], reduction=reduction, options=how,
            weight=suanzi.tensor([1.0, 2.0, 0.5]),
        )  # fmt: skip
        found.append([loss, *suanzi.autograd.grad(loss.sum(), leaves)])
    for a, b in zip(*found, strict=True):
        np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), rtol=1e-5, atol=1e-6)


def test_compiled():
    x, y = suanzi.randn(5, 4, requires_grad=True), suanzi.tensor([0, 3, -100, 1, 2])
    F = suanzi.nn.functional

    def step(x, y):
        total = F.cross_entropy(x, y, label_smoothing=0.1) + F.mse_loss(x, x.detach() * 2)
        total = total + F.multi_margin_loss(x, y.clamp(min=0)) + F.smooth_l1_loss(x, -x.detach())
        total = total + F.binary_cross_entropy_with_logits(x, x.detach().sigmoid())
        total = total + F.binary_cross_entropy(x.sigmoid(), x.detach().sigmoid())
        return total.detach(), suanzi.autograd.grad(total, [x])

    for a, b in zip(tensors(suanzi.compile(step)(x, y)), tensors(step(x, y)), strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-4, atol=1e-5)


X, C = suanzi.zeros(2, 3), suanzi.tensor([0, 1])
WRONG = {
    "reduction": lambda F: F.mse_loss(X, X, reduction="average"),
    "target: no such class": lambda F: F.cross_entropy(X, suanzi.tensor([0, 3])),
    "target: the target": lambda F: F.nll_loss(X, suanzi.tensor([0])),
    "target: classes are": lambda F: F.nll_loss(X, X[:, 0]),
    "weight": lambda F: F.cross_entropy(X, C, weight=suanzi.ones(2)),
    "label_smoothing": lambda F: F.cross_entropy(X, C, label_smoothing=2),
    "input: no prob": lambda F: F.binary_cross_entropy(X + 2, X),
    "target: target and": lambda F: F.binary_cross_entropy_with_logits(X, X[:1]),
    "var": lambda F: F.gaussian_nll_loss(X, X, X - 1),
    "p": lambda F: F.multi_margin_loss(X, C, p=3),
    "margin": lambda F: F.triplet_margin_loss(X, X, X, margin=0),
    "beta": lambda F: F.smooth_l1_loss(X, X, beta=-1),
    "delta": lambda F: F.huber_loss(X, X, delta=0),
    "x2": lambda F: F.cosine_similarity(X, suanzi.zeros(4, 5)),
    "ignore_index": lambda F: F.cross_entropy(X, X, ignore_index=1),
}


@pytest.mark.parametrize("argument", WRONG)
def test_arguments(argument):
    with pytest.raises(suanzi.SuanziError, match=argument):
        WRONG[argument](suanzi.nn.functional)
