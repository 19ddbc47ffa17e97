"""Tensors beside NumPy's arrays, PyTorch's tensors and Python's numbers; how they print."""

import copy

import numpy as np
import pytest

import suanzi


def test_memory_is_shared_with_numpy():
    array = np.zeros(3, np.float32)
    x = suanzi.from_numpy(array)
    x[0] = 1
    array[1] = 2
    assert x.tolist() == [1, 2, 0]
    assert x.numpy() is array
    assert suanzi.as_tensor(array).data_ptr() == x.data_ptr()
    assert suanzi.tensor(array).data_ptr() != x.data_ptr()


def test_numpy_functions():
    x = suanzi.tensor([0.0, 1.0])
    assert isinstance(np.exp(x), suanzi.Tensor)
    np.testing.assert_allclose(np.exp(x).numpy(), np.exp([0, 1]), 1e-6)
    assert isinstance(np.ones(2) * x, suanzi.Tensor)
    assert np.asarray(x).dtype == np.float32
    assert np.zeros(2, suanzi.int32).dtype == np.int32
    with pytest.raises(suanzi.SuanziError, match="detach"):
        np.exp(suanzi.ones(2, requires_grad=True))


def test_dlpack_with_numpy():
    x = suanzi.arange(4.0)
    array = np.from_dlpack(x)
    array[0] = 9
    assert x[0].item() == 9
    suanzi.from_dlpack(array)[1] = 8
    assert x[1].item() == 8


def test_dlpack_with_torch():
    torch = pytest.importorskip("torch")
    x = suanzi.arange(6.0).reshape(2, 3)
    y = torch.from_dlpack(x.t())
    y[0, 1] = 9
    assert x[1, 0].item() == 9
    z = suanzi.from_dlpack(torch.from_numpy(x.numpy()))
    z[0] = 0
    assert x[0].tolist() == [0, 0, 0]


def test_numbers():
    x = suanzi.tensor(2.5)
    assert (float(x), int(x), bool(x), f"{x:.1f}") == (2.5, 2, True, "2.5")
    assert [10, 20, 30][suanzi.tensor(1)] == 20
    assert len(suanzi.zeros(3, 2)) == 3
    assert [row.tolist() for row in suanzi.arange(2).unsqueeze(1)] == [[0], [1]]
    assert 2.5 in suanzi.tensor([1.0, 2.5])
    with pytest.raises(suanzi.SuanziError, match="ambiguous"):
        bool(suanzi.ones(2))


def test_copies():
    x = suanzi.ones(2, requires_grad=True)
    y = copy.deepcopy(x)
    y.detach()[0] = 5
    assert y.requires_grad
    assert x.tolist() == [1, 1]
    with pytest.raises(suanzi.SuanziError, match="leaves"):
        copy.deepcopy(x * 2)


RANDOM = np.random.default_rng(0)
PRINTED = [
    np.arange(3000).reshape(50, 60),
    RANDOM.normal(size=(3, 40)).astype(np.float32),
    RANDOM.normal(size=(30, 3, 40)).astype(np.float32),
    np.array([1e-5, 1.0, 2.0]),
    np.array([1.0, 1e9]),
    np.array([np.nan, 1, -2.5, np.inf]),
    np.array([np.inf, 1, 2]),
    np.array(3.5),
    np.array(7),
    np.zeros((0, 3), np.float32),
    np.array([]),
    np.ones((2, 2, 2), bool),
    RANDOM.normal(size=(2, 3, 4)) * 1e5,
    np.array([1, -100], np.int8),
    np.array([0.5, 2], np.float16),
]


def as_theirs(text):
    return text.replace("suanzi.", "torch.")


@pytest.mark.parametrize("array", PRINTED, ids=range(len(PRINTED)))
def test_prints_as_pytorch(array):
    torch = pytest.importorskip("torch")
    assert as_theirs(repr(suanzi.from_numpy(array))) == repr(torch.from_numpy(array))


def test_prints_what_is_not_plain():
    torch = pytest.importorskip("torch")
    for T in (torch, suanzi):
        T.set_printoptions(precision=2, sci_mode=False, linewidth=40)
    try:
        values = RANDOM.normal(size=30) * 1e6
        assert as_theirs(repr(suanzi.tensor(values))) == repr(torch.tensor(values))
    finally:
        for T in (torch, suanzi):
            T.set_printoptions(profile="default")
    one = suanzi.ones(1, requires_grad=True)
    assert repr(one) == "tensor([1.], requires_grad=True)"
    assert repr(one * 2) == "tensor([2.], grad_fn=<MulBackward0>)"
    shown = [as_theirs(repr(T.sort(T.tensor([2, 1])))) for T in (suanzi, torch)]
    assert shown[0] == shown[1]
    assert repr(one.shape) == "suanzi.Size([1])"
