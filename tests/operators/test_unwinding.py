"""From windows back to the picture: ONNX's cases, and PyTorch's results."""

import numpy as np
import pytest

from suanzi.errors import SuanziError
from suanzi.operators import Col2Im, MaxPool, MaxUnpool, TensorType
from support import check, node_cases


@pytest.mark.parametrize(
    "case", [*node_cases("MaxUnpool"), *node_cases("Col2Im")], ids=lambda c: c.id
)
def test_backend_case(case):
    case.check()


@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_max_unpool_undoes_max_pool(n):
    X = np.random.default_rng(0).standard_normal((2, 3, *(4, 6, 2, 4)[:n])).astype(np.float32)
    window = {"kernel_shape": (2,) * n, "strides": (2,) * n}
    Y, places = MaxPool(**window).numpy(X)
    back = np.where(np.isin(X, Y), X, 0)
    check(MaxUnpool(**window), [Y, places], [back])


@pytest.mark.parametrize(
    "attributes",
    [
        {},
        {"strides": (2, 3), "pads": (1, 1, 1, 1)},
        {"dilations": (2, 1), "strides": (1, 2), "pads": (0, 2, 0, 2)},
    ],
)
def test_col2im_as_pytorch(attributes):
    torch = pytest.importorskip("torch")
    given = {
        "stride": attributes.get("strides", 1),
        "padding": attributes.get("pads", (0, 0))[:2],
        "dilation": attributes.get("dilations", 1),
    }
    picture = torch.ones(2, 3, 7, 8)
    columns = torch.nn.functional.unfold(picture, (3, 2), **given).shape
    X = np.random.default_rng(0).standard_normal(columns).astype(np.float32)
    expected = torch.nn.functional.fold(torch.from_numpy(X), (7, 8), (3, 2), **given).numpy()
    check(Col2Im(**attributes), [X, np.array([7, 8]), np.array([3, 2])], [expected], atol=1e-5)


@pytest.mark.parametrize("place", [-1, 16])
def test_a_place_that_there_is_not(place):
    X, places = np.ones((1, 1, 2, 2), np.float32), np.array([[[[0, 1], [2, place]]]])
    with pytest.raises(SuanziError, match="no such place"):
        MaxUnpool(kernel_shape=(2, 2), strides=(2, 2)).numpy(X, places)


def test_symbols_stay():
    X = TensorType(np.float32, ("N", "C", 3, "W"))
    unpool = MaxUnpool(kernel_shape=(2, 2), strides=(2, 2))
    places = TensorType(np.int64, X.shape)
    assert unpool.infer(X, places).shape == ("N", "C", 6, None)
    columns = TensorType(np.float32, ("N", 12, "L"))
    image, block = TensorType(np.int64, (2,)), TensorType.of(np.array([2, 2]))
    assert Col2Im().infer(columns, image, block).shape == ("N", 3, None, None)


def test_what_does_not_fit_is_named():
    image, block = (TensorType.of(np.array([n, n])) for n in (5, 2))
    for shape in ((1, 12, 15), (1, 10, 16)):
        with pytest.raises(SuanziError) as error:
            Col2Im().infer(TensorType(np.float32, shape), image, block)
        assert error.value.input == "input"
