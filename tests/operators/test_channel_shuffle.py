import numpy as np
import pytest

from suanzi.errors import SuanziError
from suanzi.operators import ChannelShuffle, TensorType


def test_as_pytorch():
    torch = pytest.importorskip("torch")
    X = np.random.default_rng(0).standard_normal((2, 12, 3, 4), dtype=np.float32)
    for group in (1, 3, 4, 12):
        expected = torch.nn.ChannelShuffle(group)(torch.from_numpy(X)).numpy()
        np.testing.assert_array_equal(ChannelShuffle(group=group).numpy(X), expected)


def test_channels_that_groups_do_not_divide():
    with pytest.raises(SuanziError, match="a multiple of 4"):
        ChannelShuffle(group=4).infer(TensorType(np.float32, (1, 6, 2, 2)))
    with pytest.raises(SuanziError, match="at least 1"):
        ChannelShuffle(group=0).infer(TensorType(np.float32, (1, 6, 2, 2)))


def test_unknown_sizes_stay():
    X = TensorType(np.float32, ("N", "C", None))
    assert ChannelShuffle(group=2).infer(X).shape == ("N", "C", None)
