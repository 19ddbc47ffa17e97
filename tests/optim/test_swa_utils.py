"""Averaged weights, and the schedule that goes with them."""

import numpy as np
import pytest

from suanzi import SuanziError, nn
from suanzi.optim import SGD
from suanzi.optim.swa_utils import SWALR, AveragedModel, get_ema_avg_fn, update_bn
from suanzi.tensor import tensor


@pytest.mark.parametrize("strategy", ["cos", "linear"])
@pytest.mark.parametrize("epochs", [0, 1, 5])
def test_rates_as_pytorch(strategy, epochs):
    torch = pytest.importorskip("torch")
    ours = SGD([tensor([1.0], requires_grad=True)], lr=0.1)
    theirs = torch.optim.SGD([torch.ones(1)], lr=0.1)
    a = SWALR(ours, 0.02, epochs, strategy)
    b = torch.optim.swa_utils.SWALR(theirs, 0.02, epochs, strategy)
    for _ in range(8):
        theirs.step()
        a.step()
        b.step()
        assert a.get_last_lr() == b.get_last_lr()


class Weights(nn.Module):
    def __init__(self, value):
        super().__init__()
        self.w = nn.Parameter(tensor([value]))
        self.register_buffer("b", tensor([value]))

    def forward(self, x):
        return self.w * x


def test_means():
    model = Weights(1.0)
    mean, smooth = (
        AveragedModel(model, use_buffers=True),
        AveragedModel(model, avg_fn=get_ema_avg_fn(0.5)),
    )
    for value in (1.0, 2.0, 6.0):
        model.w.data.fill_(value)
        model.b.fill_(value)
        mean.update_parameters(model)
        smooth.update_parameters(model)
    assert mean.module.w.item() == mean.module.b.item() == 3
    assert mean(tensor([2.0])).item() == 6
    assert smooth.module.w.item() == 3.75
    assert smooth.module.b.item() == 6
    assert mean.n_averaged.item() == 3
    with pytest.raises(SuanziError, match="avg_fn"):
        AveragedModel(model, avg_fn=get_ema_avg_fn(), multi_avg_fn=print)


def test_statistics_are_made_anew():
    if not hasattr(nn, "BatchNorm1d"):
        pytest.skip("no batch normalization yet")
    model = nn.BatchNorm1d(2).eval()
    batches = [
        tensor(np.random.default_rng(i).standard_normal((50, 2)).astype("f")) for i in (0, 1)
    ]
    update_bn([[batches[0], None], batches[1]], model)
    expected = np.concatenate([x.numpy() for x in batches]).mean(0)
    np.testing.assert_allclose(model.running_mean.numpy(), expected, rtol=1e-5, atol=1e-6)
    assert model.momentum == 0.1
    assert not model.training
