"""x[...] and x[...] = y with random indices, held to PyTorch, gradients too."""

import numpy as np
import pytest

import suanzi

torch = pytest.importorskip("torch")


def some_slice(random, size):
    if random.random() < 0.3:
        return slice(None)
    begin, end = (int(v) for v in random.integers(-size - 1, size + 2, 2))
    return slice(begin, end, int(random.integers(1, 4)))


def some_index(random, shape, advanced):
    """Parts for some of the axes; arrays stand for tensors."""
    parts, at, count = [], 0, random.integers(0, len(shape) + 1)
    wide = tuple(int(n) for n in random.integers(1, 3, random.integers(0, 3)))
    while at < count:
        size, kind = shape[at], random.integers(0, 6)
        if kind == 0:
            parts.append(None)
            continue
        if kind == 1:
            parts.append(int(random.integers(-size, size)))
        elif kind in (2, 3) and advanced:
            parts.append(random.integers(-size, size, wide))
        elif kind == 4 and advanced and not any(isinstance(p, np.ndarray) for p in parts):
            parts.append(random.random(size) < 0.5)
            wide = (int(parts[-1].sum()),)
        else:
            parts.append(some_slice(random, size))
        at += 1
    if random.random() < 0.4:
        parts.insert(int(random.integers(0, len(parts) + 1)), Ellipsis)
    return parts


def of(T, parts):
    return tuple(T.from_numpy(p) if isinstance(p, np.ndarray) else p for p in parts)


def taken(T, array, parts):
    x = T.tensor(array, requires_grad=True)
    y = x[of(T, parts)]
    (y * y).sum().backward()
    return y.detach().numpy(), x.grad.numpy()


def put(T, array, parts, value):
    x, v = T.tensor(array, requires_grad=True), T.tensor(value, requires_grad=True)
    y = x * 1.0
    y[of(T, parts)] = v
    (y * y).sum().backward()
    return y.detach().numpy(), x.grad.numpy(), v.grad.numpy()


@pytest.mark.parametrize("seed", range(150))
def test_as_pytorch(seed):
    random = np.random.default_rng(seed)
    shape = tuple(int(n) for n in random.integers(1, 5, random.integers(1, 5)))
    array = random.normal(size=shape)
    parts = some_index(random, shape, advanced=seed % 3 > 0)
    try:
        wanted = taken(torch, array, parts)
    except (IndexError, RuntimeError):
        with pytest.raises(suanzi.SuanziError):
            taken(suanzi, array, parts)
        return
    for a, b in zip(taken(suanzi, array, parts), wanted, strict=True):
        np.testing.assert_allclose(a, b)
        assert a.shape == b.shape
    arrays = [p for p in parts if isinstance(p, np.ndarray)]
    places = np.arange(array.size).reshape(shape)
    chosen = torch.from_numpy(places)[of(torch, parts)]
    if arrays and len(np.unique(chosen)) < chosen.numel():
        return  # which of several writes to one place wins isn't told
    value = random.normal(size=tuple(chosen.shape) if seed % 2 else ())
    wanted = put(torch, array, parts, value)
    for a, b in zip(put(suanzi, array, parts, value), wanted, strict=True):
        np.testing.assert_allclose(a, b)


def test_basic_indices_are_views():
    x = suanzi.zeros(3, 4)
    x[1][2] = 5.0
    x[:, ::2].add_(1)
    x.t()[3, 0] = 7
    x.diagonal().fill_(-1)
    assert x.tolist() == [[-1, 0, 1, 7], [1, -1, 6, 0], [1, 0, -1, 0]]


def test_masks():
    x = suanzi.arange(6.0).reshape(2, 3)
    x[x > 3] = 0
    assert x.tolist() == [[0, 1, 2], [3, 0, 0]]
    assert x[x > 0].tolist() == [1, 2, 3]
    x[suanzi.tensor([True, False])] = suanzi.tensor([7.0, 8.0, 9.0])
    assert x[0].tolist() == [7, 8, 9]


@pytest.mark.parametrize(
    "index", [3, (0, 0, 0), slice(None, None, -1), [0, 5], 1.5, suanzi.zeros(2)]
)
def test_mistakes(index):
    with pytest.raises(suanzi.SuanziError):
        suanzi.zeros(2, 3)[index]
