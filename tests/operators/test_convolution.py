"""Convolutions: ONNX's cases, onnxruntime's results (ONNX's own evaluator errs on auto_pad)."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from suanzi.errors import SuanziError
from suanzi.operators._operator import TensorType
from suanzi.operators.convolution import Conv, ConvTranspose, ConvWeightGradient
from support import check, node_cases, onnxruntime_outputs


@pytest.mark.parametrize(
    "case", [*node_cases("Conv"), *node_cases("ConvTranspose")], ids=lambda c: c.id
)
def test_backend_case(case):
    case.check()


@st.composite
def attributes(draw, n, auto_pads=("NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER")):
    """What Conv and ConvTranspose share, for n spatial axes, and the kernel's shape."""

    def numbers(low, high, count=n):
        return draw(st.tuples(*[st.integers(low, high)] * count))

    kernel, auto_pad = numbers(1, 3), draw(st.sampled_from(auto_pads))
    made = {"strides": numbers(1, 3), "group": draw(st.integers(1, 3)), "auto_pad": auto_pad}
    made["dilations"] = (1,) * n if auto_pad.startswith("SAME") else numbers(1, 2)
    if auto_pad == "NOTSET":
        made["pads"] = tuple(
            min(p, k - 1) for p, k in zip(numbers(0, 2, 2 * n), kernel * 2, strict=True)
        )
    return made, kernel


def data(*shapes):
    rng = np.random.default_rng(0)
    return [rng.standard_normal(shape).astype(np.float32) for shape in shapes]


@settings(max_examples=60, deadline=None)
@given(st.data(), st.integers(1, 3))
def test_conv_as_onnxruntime(draw, n):
    made, kernel = draw.draw(attributes(n))
    sizes = draw.draw(st.tuples(*[st.integers(5, 8)] * n))
    conv = Conv(**made)
    X, W, B = data((2, 2 * conv.group, *sizes), (3 * conv.group, 2, *kernel), (3 * conv.group,))
    expected = onnxruntime_outputs(conv, [X, W, B])
    check(conv, [X, W, B], expected, 1e-4, 1e-5)
    check(conv.explicit(sizes, kernel), [X, W, B], expected, 1e-4, 1e-5)


@settings(max_examples=60, deadline=None)
@given(st.data(), st.integers(1, 2))
def test_conv_transpose_as_onnxruntime(draw, n):
    made, kernel = draw.draw(attributes(n, ("NOTSET", "VALID")))
    sizes = draw.draw(st.tuples(*[st.integers(3, 6)] * n))
    made["output_padding"] = tuple(
        min(draw.draw(st.integers(0, 1)), s - 1) for s in made["strides"]
    )
    conv = ConvTranspose(**made)
    X, W, B = data((2, 2 * conv.group, *sizes), (2 * conv.group, 3, *kernel), (3 * conv.group,))
    expected = onnxruntime_outputs(conv, [X, W, B])
    check(conv, [X, W, B], expected, 1e-4, 1e-5)
    check(conv.explicit(sizes, kernel), [X, W, B], expected, 1e-4, 1e-5)


@pytest.mark.parametrize(
    "conv",
    [
        ConvTranspose(strides=(2, 2), output_shape=(7, 8)),
        ConvTranspose(strides=(2, 2), output_shape=(6, 6)),
        ConvTranspose(strides=(3, 3), output_shape=(8, 11)),
        ConvTranspose(strides=(2, 2), auto_pad="SAME_UPPER"),
        ConvTranspose(strides=(2, 3), auto_pad="SAME_LOWER"),
    ],
)
def test_conv_transpose_of_a_given_size_as_onnxruntime(conv):
    X, W = data((1, 2, 3, 3), (2, 2, 3, 3))
    expected = onnxruntime_outputs(conv, [X, W])
    check(conv, [X, W], expected, 1e-4, 1e-5)
    check(conv.explicit((3, 3), (3, 3)), [X, W], expected, 1e-4, 1e-5)


def test_transposed_is_the_adjoint():
    """⟨Conv(X), Y⟩ = ⟨X, ConvTranspose(Y)⟩ with the same weights."""
    X, Y, W = data((1, 4, 9, 7), (1, 6, 5, 4), (6, 2, 3, 3))
    made = {"strides": (2, 2), "pads": (1, 1, 1, 1), "group": 2}
    forward = np.vdot(Conv(**made).numpy(X, W), Y)
    assert forward == pytest.approx(np.vdot(X, ConvTranspose(**made).numpy(Y, W)), rel=1e-4)


def test_half_precision_sums_in_float32():
    X, W = np.full((1, 4096, 1), 0.1, np.float16), np.full((1, 4096, 1), 0.1, np.float16)
    exact = X[0, :, 0].astype(np.float64) @ W[0, :, 0].astype(np.float64)
    assert Conv().numpy(X, W).item() == np.float16(exact)


def test_symbols_stay_where_sizes_do():
    X, W = TensorType(np.float32, ("N", 3, "H", 20)), TensorType(np.float32, (8, 3, 3, 3))
    assert Conv(pads=(1, 1, 1, 1)).infer(X, W).shape == ("N", 8, "H", 20)
    assert Conv(auto_pad="SAME_LOWER").infer(X, W).shape == ("N", 8, "H", 20)
    assert Conv(strides=(2, 2)).infer(X, W).shape == ("N", 8, None, 9)
    assert Conv().infer(X, TensorType(np.float32, ("M", 3, "k", 3))).shape == ("N", "M", None, None)
    assert Conv().infer(TensorType(np.float32, None), W).shape is None
    transposed = ConvTranspose(strides=(2, 2)).infer(X, TensorType(np.float32, (3, 5, 2, 2)))
    assert transposed.shape == ("N", 5, None, 40)


@pytest.mark.parametrize(
    ("conv", "X", "W", "B", "input"),
    [
        (Conv(), (1, 3), (4, 3), None, "X"),
        (Conv(), (1, 3, 8, 8), (4, 3, 3), None, "W"),
        (Conv(), (1, 3, 8, 8), (4, 2, 3, 3), None, "W"),
        (Conv(group=2), (1, 4, 8, 8), (5, 2, 3, 3), None, "W"),
        (Conv(kernel_shape=(5, 5)), (1, 3, 8, 8), (4, 3, 3, 3), None, "W"),
        (Conv(), (1, 3, 8, 8), (4, 3, 3, 3), (3,), "B"),
        (Conv(), (1, 3, 8, 2), (4, 3, 3, 3), None, "X"),
        (Conv(strides=(0, 1)), (1, 3, 8, 8), (4, 3, 3, 3), None, None),
        (Conv(pads=(1, 1)), (1, 3, 8, 8), (4, 3, 3, 3), None, None),
        (Conv(auto_pad="SAME"), (1, 3, 8, 8), (4, 3, 3, 3), None, None),
        (Conv(group=0), (1, 3, 8, 8), (4, 3, 3, 3), None, None),
        (ConvTranspose(), (1, 3, 8, 8), (4, 3, 3, 3), None, "W"),
        (ConvTranspose(group=2), (1, 3, 8, 8), (3, 3, 3, 3), None, "X"),
        (ConvTranspose(group=2), (1, 4, 8, 8), (4, 3, 3, 3), (3,), "B"),
        (ConvTranspose(pads=(9, 9, 9, 9)), (1, 3, 8, 8), (3, 3, 3, 3), None, "X"),
    ],
)
def test_what_does_not_fit_is_named(conv, X, W, B, input):
    with pytest.raises(SuanziError) as error:
        conv.infer(*(s and TensorType(np.float32, s) for s in (X, W, B)))
    assert error.value.input == input


def test_macs():
    X = TensorType(np.float32, (2, 4, 8, 8))
    conv = Conv(group=2, pads=(1, 1, 1, 1))
    assert conv.cost(X, TensorType(np.float32, (6, 2, 3, 3))).macs == 2 * 6 * 64 * 2 * 9
    transposed = ConvTranspose(group=2, strides=(2, 2))
    assert transposed.cost(X, TensorType(np.float32, (4, 3, 2, 2))).macs == 2 * 4 * 64 * 3 * 4


@st.composite
def gradient_cases(draw):
    """A Conv or a ConvTranspose with inputs that PyTorch differentiates too."""
    n, group = draw(st.integers(1, 3)), draw(st.integers(1, 3))

    def numbers(low, high, count=n):
        return draw(st.tuples(*[st.integers(low, high)] * count))

    transposed = draw(st.booleans())
    strides, dilations, pads = numbers(1, 3), numbers(1, 3), numbers(0, 2)
    kernel = numbers(1, 3)
    extra = (0,) * n
    if transposed:  # as far as PyTorch goes
        limits = [max(s, d) - 1 for s, d in zip(strides, dilations, strict=True)]
        extra = tuple(draw(st.integers(0, limit)) for limit in limits)
    extents = [(k - 1) * d + 1 for k, d in zip(kernel, dilations, strict=True)]
    sizes = tuple(e + draw(st.integers(0, 3)) for e in extents)
    bias = draw(st.booleans())
    return transposed, group, strides, dilations, pads, kernel, extra, sizes, bias


@settings(max_examples=60, deadline=None)
@given(gradient_cases())
def test_gradients_as_pytorch(case):
    """The gradients of the inputs, and what flows back through the gradients themselves."""
    torch = pytest.importorskip("torch")
    transposed, group, strides, dilations, pads, kernel, extra, sizes, bias = case
    n = len(kernel)
    made = {"strides": strides, "dilations": dilations, "pads": (*pads, *pads), "group": group}
    if transposed:
        operator = ConvTranspose(output_padding=extra, **made)
        weights = (2 * group, 3, *kernel)
    else:
        operator = Conv(**made)
        weights = (3 * group, 2, *kernel)
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal(s) for s in ((2, 2 * group, *sizes), weights, (3 * group,))]
    arrays = arrays if bias else arrays[:2]
    try:
        Y = operator.numpy(*arrays)
    except SuanziError:
        return  # the padding takes all
    if Y.size == 0:
        return
    dY = rng.standard_normal(Y.shape)
    mine = [g() for g in operator.grad(dY, Y, *arrays)]

    leaves = [torch.tensor(a, requires_grad=True) for a in arrays]
    dy = torch.tensor(dY, requires_grad=True)
    if transposed:
        f = getattr(torch.nn.functional, f"conv_transpose{n}d")
        y = f(*leaves, *([] if bias else [None]), strides, pads, extra, group, dilations)
    else:
        f = getattr(torch.nn.functional, f"conv{n}d")
        y = f(*leaves, *([] if bias else [None]), strides, pads, dilations, group)
    np.testing.assert_allclose(Y, y.detach().numpy(), 1e-9, 1e-9)
    theirs = torch.autograd.grad(y, leaves, dy, create_graph=True)
    for a, b in zip(mine, theirs, strict=True):
        np.testing.assert_allclose(a, b.detach().numpy(), 1e-9, 1e-9)

    ddW = rng.standard_normal(weights)
    again = torch.autograd.grad(theirs[1], [leaves[0], dy], torch.tensor(ddW))
    first, second = (dY, arrays[0]) if transposed else (arrays[0], dY)
    weight_gradient = ConvWeightGradient(kernel_shape=kernel, **made)
    back = [g() for g in weight_gradient.grad(ddW, None, first, second)]
    for a, b in zip(back[::-1] if transposed else back, again, strict=True):
        np.testing.assert_allclose(a, b.detach().numpy(), 1e-9, 1e-9)


@pytest.mark.parametrize("auto_pad", ["SAME_UPPER", "SAME_LOWER", "VALID"])
@pytest.mark.parametrize("kind", [Conv, ConvTranspose])
def test_gradients_by_differences(kind, auto_pad):
    """auto_pad and uneven pads, which PyTorch lacks: the operators are linear, so exactly."""
    rng = np.random.default_rng(0)
    for pads in ({"auto_pad": auto_pad}, {"pads": (0, 1, 2, 1)}):
        operator = kind(strides=(2, 3), **pads)
        X, W = rng.standard_normal((2, 4, 7, 8)), rng.standard_normal((4, 4, 3, 4))
        Y = operator.numpy(X, W)
        dY = rng.standard_normal(Y.shape)
        dX, dW = operator.grad(dY, Y, X, W)
        assert np.vdot(dX(), X) == pytest.approx(np.vdot(dY, Y))
        assert np.vdot(dW(), W) == pytest.approx(np.vdot(dY, Y))
        other = rng.standard_normal(X.shape)
        assert np.vdot(dX(), other) == pytest.approx(np.vdot(dY, operator.numpy(other, W)))


@pytest.mark.parametrize(
    ("operator", "X", "dY", "input"),
    [
        (ConvWeightGradient(kernel_shape=(3, 3)), (1, 2, 5, 5), (1, 4, 4, 3), "dY"),
        (ConvWeightGradient(kernel_shape=(3, 3)), (1, 2, 5, 5), (2, 4, 3, 3), "dY"),
        (ConvWeightGradient(kernel_shape=(3, 3)), (1, 2, 5, 5), (1, 4, 3), "dY"),
        (ConvWeightGradient(kernel_shape=(3, 3)), (1, 2), (1, 4), "X"),
        (ConvWeightGradient(kernel_shape=(3, 3), group=2), (1, 3, 5, 5), (1, 4, 3, 3), "X"),
        (ConvWeightGradient(kernel_shape=(3, 3), group=2), (1, 4, 5, 5), (1, 3, 3, 3), "dY"),
    ],
)
def test_what_does_not_fit_a_weight_gradient_is_named(operator, X, dY, input):
    with pytest.raises(SuanziError) as error:
        operator.infer(TensorType(np.float32, X), TensorType(np.float32, dY))
    assert error.value.input == input
