"""Gradients of losses, held to PyTorch's; CTCLoss and its own."""

import numpy as np
import pytest

from suanzi.errors import SuanziError
from suanzi.operators import CTCLoss, NegativeLogLikelihoodLoss, SoftmaxCrossEntropyLoss, TensorType
from torch_gradients import check_against_torch

torch = pytest.importorskip("torch")
F = torch.nn.functional
RNG = np.random.default_rng(0)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("ignored", [None, 2, -100])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("shape", [(6, 4), (2, 4, 3, 2)])
def test_classes(reduction, ignored, weighted, shape):
    x, target = RNG.standard_normal(shape), RNG.integers(0, 4, (shape[0], *shape[2:]))
    if ignored is not None:
        target.flat[1] = ignored
    weight = RNG.random(4) if weighted else None
    options = {"reduction": reduction}
    theirs = options if ignored is None else {**options, "ignore_index": ignored}
    w = None if weight is None else torch.tensor(weight)
    check_against_torch(
        Fixed(NegativeLogLikelihoodLoss(**options, ignore_index=ignored), weight),
        [x, target],
        lambda x, t: F.nll_loss(x, t, w, **theirs),
    )
    check_against_torch(
        Fixed(SoftmaxCrossEntropyLoss(**options, ignore_index=ignored), weight),
        [x, target],
        lambda x, t: (F.cross_entropy(x, t, w, **theirs), F.log_softmax(x, 1)),
    )


class Fixed:
    """A loss with these weights, which have no gradient."""

    def __init__(self, operator, weight):
        self.operator, self.weight = operator, weight

    def __call__(self, *inputs):
        return self.operator(*inputs, self.weight)

    def numpy_all(self, inputs):
        return self.operator.numpy_all([*inputs, self.weight])

    def grad(self, dY, Y, *inputs):
        return self.operator.grad(dY, Y, *inputs, self.weight)[:2]


@pytest.mark.parametrize("zero_infinity", [0, 1])
@pytest.mark.parametrize("steps", [(9, 9, 7, 3), (9, 2, 1, 0)])
@pytest.mark.parametrize("blank", [0, 3])
@pytest.mark.parametrize("flat", [False, True])
def test_ctc(zero_infinity, steps, blank, flat):
    log_probs = torch.tensor(RNG.standard_normal((9, 4, 6))).log_softmax(2).numpy()
    letters = np.array([4, 2, 3, 0])
    rows = RNG.integers(0, 5, (4, 4))
    rows += rows >= blank
    rows[0, 1] = rows[0, 0]
    targets = np.concatenate([r[:n] for r, n in zip(rows, letters, strict=True)]) if flat else rows

    def reference(x, t, inputs, outputs):
        return F.ctc_loss(
            x, t, inputs, outputs, blank, reduction="none", zero_infinity=bool(zero_infinity)
        )

    check_against_torch(
        CTCLoss(blank=blank, zero_infinity=zero_infinity),
        [log_probs, targets, np.array(steps), letters],
        reference,
    )


def test_ctc_refuses():
    log_probs, targets = np.zeros((5, 2, 4), np.float32), np.array([[1, 2], [3, 3]])
    lengths = np.array([5, 5]), np.array([2, 2])
    with pytest.raises(SuanziError, match="no such blank"):
        CTCLoss(blank=4).infer(*map(TensorType.of, (log_probs, targets, *lengths)))
    with pytest.raises(SuanziError, match="no such class"):
        CTCLoss().numpy(log_probs, targets + 1, *lengths)
    with pytest.raises(SuanziError, match="too long"):
        CTCLoss().numpy(log_probs, targets, lengths[0], np.array([2, 3]))
    with pytest.raises(SuanziError, match="wrong lengths"):
        CTCLoss().numpy(log_probs, targets, np.array([6, 5]), lengths[1])
