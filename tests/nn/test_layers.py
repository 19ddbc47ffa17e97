"""The layers as PyTorch documents them: its own examples, run on both; representations, arguments,
states and first values beside PyTorch's."""

import inspect

import numpy as np
import pytest

import suanzi
from suanzi import nn

torch = pytest.importorskip("torch")

LEFT_OUT = {
    "Container", "DataParallel",  # old, and for several devices
}  # fmt: skip
NAMES = sorted(
    name for name, value in vars(torch.nn).items()
    if isinstance(value, type) and issubclass(value, torch.nn.Module) and name not in LEFT_OUT
)  # fmt: skip
ELSEWHERE = {
    "SyncBatchNorm",  # several processes
    "MultiheadAttention",  # PyTorch's example leaves out its first lines
    "TripletMarginWithDistanceLoss",  # PyTorch's own fails: a second backward
}
DRAWN_SIZES = {"CTCLoss"}
"""Layers whose examples have tensors of sizes drawn at random."""


def example(cls):
    """The code of the example in PyTorch's documentation of a class."""
    text = (inspect.getdoc(cls) or "").partition("Example")[2]
    code, depth = [], 0
    for line in text.splitlines():
        if line.strip().startswith((">>> ", "... ")):
            line = line.strip()[4:]
        elif not depth:
            continue  # what it prints; else the rest of a call
        depth += sum(line.count(c) for c in "([{") - sum(line.count(c) for c in ")]}")
        code.append(line)
    return "\n".join(line for line in code if not line.startswith(("import torch", "from torch")))


WITH_EXAMPLES = [n for n in NAMES if n not in ELSEWHERE and example(getattr(torch.nn, n))]


def seen(name, value):
    """What is compared of a variable that an example leaves."""
    if isinstance(value, torch.Tensor | suanzi.Tensor):
        return name, tuple(value.shape), str(value.dtype).split(".")[1], value.requires_grad
    if isinstance(value, torch.nn.Module | nn.Module):
        return name, repr(value).replace("suanzi.", "torch."), shapes(value)
    if isinstance(value, tuple | list):
        return name, [seen("", v) for v in value]
    return name, type(value).__name__


def shapes(module):
    return {k: tuple(v.shape) for k, v in module.state_dict().items()}


def run(code, T):
    names = {"torch": T, "nn": T.nn, "F": T.nn.functional}
    T.manual_seed(0)
    exec(code, names)
    kept = {k: v for k, v in names.items() if k not in ("torch", "nn", "F") and k[0] != "_"}
    return [seen(k, v) for k, v in kept.items() if not inspect.isroutine(v)]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", WITH_EXAMPLES)
def test_examples_of_the_documentation(name):
    code = example(getattr(torch.nn, name))
    mine, theirs = run(code, suanzi), run(code, torch)
    if name in DRAWN_SIZES:
        mine, theirs = ([(x[0], type(x)) for x in found] for found in (mine, theirs))
    assert mine == theirs


LAYERS = [
    ("Conv1d", (4, 6, 3), {"padding": "same", "bias": False}),
    ("Conv2d", (4, 6, (3, 5)), {"stride": 2, "padding": 1, "dilation": 2, "groups": 2}),
    ("Conv2d", (4, 6, 3), {"padding": 1, "padding_mode": "reflect"}),
    ("Conv3d", (1, 2, 1), {}),
    ("ConvTranspose1d", (4, 6, 3), {"stride": 2, "output_padding": 1}),
    ("ConvTranspose2d", (4, 6, 3), {"groups": 2, "dilation": 2, "bias": False}),
    ("ConvTranspose3d", (4, 6, 3), {"padding": (1, 0, 1)}),
    ("LazyConv1d", (6, 3), {}),
    ("LazyConv2d", (6, 3), {"bias": False}),
    ("LazyConv3d", (6, 3), {}),
    ("LazyConvTranspose1d", (6, 3), {}),
    ("LazyConvTranspose2d", (6, 3), {}),
    ("LazyConvTranspose3d", (6, 3), {}),
    ("Linear", (30, 20), {}),
    ("Linear", (30, 20), {"bias": False}),
    ("LazyLinear", (20,), {}),
    ("Bilinear", (5, 6, 7), {}),
    ("Identity", (54,), {"unused": 1}),
    ("BatchNorm1d", (5,), {}),
    ("BatchNorm2d", (5,), {"affine": False}),
    ("BatchNorm2d", (5,), {"bias": False}),
    ("BatchNorm3d", (5, 1e-3, None), {"track_running_stats": False}),
    ("SyncBatchNorm", (5,), {}),
    ("LazyBatchNorm1d", (), {}),
    ("LazyBatchNorm2d", (), {}),
    ("LazyBatchNorm3d", (), {"affine": False}),
    ("InstanceNorm1d", (5,), {}),
    ("InstanceNorm2d", (5,), {"affine": True}),
    ("InstanceNorm3d", (5,), {"track_running_stats": True}),
    ("LazyInstanceNorm1d", (), {}),
    ("LazyInstanceNorm2d", (), {}),
    ("LazyInstanceNorm3d", (), {}),
    ("LayerNorm", (5,), {}),
    ("LayerNorm", ([5, 2],), {"bias": False}),
    ("LayerNorm", ((5, 2),), {"elementwise_affine": False}),
    ("RMSNorm", (5,), {}),
    ("RMSNorm", ([5, 2],), {"eps": 1e-3, "elementwise_affine": False}),
    ("GroupNorm", (3, 6), {}),
    ("GroupNorm", (3, 6), {"affine": False}),
    ("LocalResponseNorm", (2,), {}),
    ("CrossMapLRN2d", (2,), {}),
    *((f"MaxPool{n}d", (3,), {"stride": 2, "padding": 1, "ceil_mode": True}) for n in (1, 2, 3)),
    *((f"MaxUnpool{n}d", (3,), {"stride": 2}) for n in (1, 2, 3)),
    *((f"AvgPool{n}d", (3,), {"stride": 2}) for n in (1, 2, 3)),
    *((f"LPPool{n}d", (1.2, 3), {"stride": 2}) for n in (1, 2, 3)),
    *((f"AdaptiveAvgPool{n}d", (3,), {}) for n in (1, 2, 3)),
    *((f"AdaptiveMaxPool{n}d", (3,), {}) for n in (1, 2, 3)),
    ("FractionalMaxPool2d", (3,), {"output_size": 5}),
    ("FractionalMaxPool3d", (3,), {"output_ratio": 0.5}),
    *((f"{kind}Pad{n}d", (2,), {}) for n in (1, 2, 3)
      for kind in ("Reflection", "Replication", "Zero", "Circular")),
    *((f"ConstantPad{n}d", (2, 3.5), {}) for n in (1, 2, 3)),
    ("ZeroPad2d", ((1, 2, 3, -1),), {}),
    *((name, (), {}) for name in (
        "CELU", "ELU", "GELU", "GLU", "Hardshrink", "Hardsigmoid", "Hardswish", "Hardtanh",
        "LeakyReLU", "LogSigmoid", "LogSoftmax", "Mish", "PReLU", "RReLU", "ReLU", "ReLU6", "SELU",
        "SiLU", "Sigmoid", "Softmax", "Softmax2d", "Softmin", "Softplus", "Softshrink", "Softsign",
        "Tanh", "Tanhshrink")),
    *((name, (), {"inplace": True}) for name in (
        "CELU", "ELU", "Hardsigmoid", "Hardswish", "Hardtanh", "LeakyReLU", "Mish", "RReLU",
        "ReLU", "ReLU6", "SELU", "SiLU")),
    ("Threshold", (0.1, 20), {}),
    ("Threshold", (0.1, 20, True), {}),
    ("GELU", ("tanh",), {}),
    ("PReLU", (4, 0.1), {}),
    ("Softmax", (1,), {}),
    *((name, (0.3,), {}) for name in (
        "Dropout", "Dropout1d", "Dropout2d", "Dropout3d", "AlphaDropout", "FeatureAlphaDropout")),
    ("Dropout", (), {"inplace": True}),
    ("Embedding", (10, 3), {}),
    ("Embedding", (10, 3), {"padding_idx": -1, "max_norm": 1.0, "norm_type": 1.0, "sparse": True}),
    ("Embedding", (10, 3), {"scale_grad_by_freq": True}),
    ("EmbeddingBag", (10, 3), {}),
    ("EmbeddingBag", (10, 3), {"mode": "sum", "padding_idx": 2, "max_norm": 1, "norm_type": 3.0}),
    ("Flatten", (), {}),
    ("Unflatten", (1, (2, 5)), {}),
    ("Fold", ((4, 5), (2, 2)), {}),
    ("Unfold", ((2, 3),), {"padding": 1}),
    ("PixelShuffle", (3,), {}),
    ("PixelUnshuffle", (3,), {}),
    ("ChannelShuffle", (2,), {}),
    ("Upsample", (), {"scale_factor": 2, "mode": "bicubic", "align_corners": True}),
    ("Upsample", ((3, 4),), {}),
    ("UpsamplingNearest2d", (), {"scale_factor": (2, 3)}),
    ("UpsamplingBilinear2d", (5,), {}),
]  # fmt: skip


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("name", "args", "kwargs"), LAYERS, ids=[f"{i}-{entry[0]}" for i, entry in enumerate(LAYERS)]
)
def test_what_a_layer_holds_and_shows(name, args, kwargs):
    mine = getattr(nn, name)(*args, **kwargs)
    theirs = getattr(torch.nn, name)(*args, **kwargs)
    assert repr(mine) == repr(theirs)
    assert list(mine.state_dict()) == list(theirs.state_dict())
    if "Lazy" not in name:
        assert shapes(mine) == shapes(theirs)
    assert [n for n, _ in mine.named_parameters()] == [n for n, _ in theirs.named_parameters()]
    assert [n for n, _ in mine.named_buffers()] == [n for n, _ in theirs.named_buffers()]


OLD = {"min_value", "max_value"}
"""Arguments that PyTorch has deprecated."""


def arguments(function):
    listed = inspect.signature(function).parameters.values()
    return [(p.name, p.default) for p in listed if p.name not in OLD]


@pytest.mark.parametrize("name", sorted({entry[0] for entry in LAYERS}))
def test_the_same_arguments(name):
    mine, theirs = getattr(nn, name), getattr(torch.nn, name)
    assert arguments(mine) == arguments(theirs)
    if "forward" in vars(theirs):
        assert arguments(mine.forward) == arguments(theirs.forward)


DRAWN = [
    ("Linear", (300, 200)), ("Bilinear", (30, 20, 50)), ("Conv1d", (60, 80, 5)),
    ("Conv2d", (30, 40, 5)), ("Conv3d", (20, 20, 3)), ("ConvTranspose1d", (60, 80, 5)),
    ("ConvTranspose2d", (30, 40, 5)), ("ConvTranspose3d", (20, 20, 3)), ("Embedding", (200, 200)),
    ("EmbeddingBag", (200, 200)), ("PReLU", (5,)), ("LayerNorm", (5,)), ("BatchNorm1d", (5,)),
    ("GroupNorm", (1, 5)), ("InstanceNorm1d", (5, 1e-5, 0.1, True)), ("RMSNorm", (5,)),
]  # fmt: skip


@pytest.mark.parametrize(("name", "args"), DRAWN, ids=[entry[0] for entry in DRAWN])
def test_first_values_come_from_the_same_distribution(name, args):
    torch.manual_seed(0)
    suanzi.manual_seed(0)
    mine = getattr(nn, name)(*args).state_dict()
    for key, expected in getattr(torch.nn, name)(*args).state_dict().items():
        a, b = mine[key].numpy().astype(float), expected.numpy().astype(float)
        if b.size < 1000:  # too few to measure: the same range
            np.testing.assert_array_less(np.abs(a), np.abs(b).max() * 1.5 + 1e-9)
        else:
            np.testing.assert_allclose(a.std(), b.std(), rtol=0.03)
            np.testing.assert_allclose(a.mean(), b.mean(), atol=0.03 * b.std())
            np.testing.assert_allclose(a.max(), b.max(), rtol=0.02 if "Emb" not in name else 0.3)
            np.testing.assert_allclose(a.min(), b.min(), rtol=0.02 if "Emb" not in name else 0.3)


WRONG = [
    (lambda: nn.Conv2d(3, 4, 3)(suanzi.ones(1, 2, 5, 5)), "input", "3 channels"),
    (lambda: nn.Conv2d(3, 4, 3)(suanzi.ones(1, 3, 2, 5)), "input", "at least 3"),
    (lambda: nn.Conv2d(3, 4, 3)(suanzi.ones(3, 5)), "input", "4 axes"),
    (lambda: nn.Conv2d(3, 4, 3, groups=2), "in_channels", "multiple of 2"),
    (lambda: nn.Conv2d(2, 3, 3, groups=2), "out_channels", "multiple of 2"),
    (lambda: nn.Conv2d(2, 3, 3, stride=0), "stride", "from 1 on"),
    (lambda: nn.Conv2d(2, 3, (3, 3, 3)), "kernel_size", "2 of them"),
    (lambda: nn.Conv2d(2, 3, 3, padding="same", stride=2), "padding", "stride=1"),
    (lambda: nn.Conv2d(2, 3, 3, padding_mode="wrap"), "padding_mode", "circular"),
    (lambda: nn.ConvTranspose2d(1, 1, 3, stride=2)(suanzi.ones(1, 1, 4, 4), (20, 20)),
     "output_size", r"\[9, 9\] to \[10, 10\]"),
    (lambda: nn.Linear(3, 4)(suanzi.ones(2, 4)), "input", "3 along the last axis"),
    (lambda: nn.BatchNorm2d(3)(suanzi.ones(1, 3, 1, 1)), "input", "more than 1 value"),
    (lambda: nn.BatchNorm2d(3)(suanzi.ones(2, 3, 4)), "input", "4 axes"),
    (lambda: nn.BatchNorm2d(3)(suanzi.ones(2, 4, 3, 3)), "weight", "4"),
    (lambda: nn.InstanceNorm1d(3)(suanzi.ones(2, 3, 1)), "input", "more than 1"),
    (lambda: nn.GroupNorm(4, 6), "num_channels", "multiple of num_groups"),
    (lambda: nn.LayerNorm(5)(suanzi.ones(2, 4)), "input", r"\(5,\)"),
    (lambda: nn.MaxPool2d(3, padding=2)(suanzi.ones(1, 1, 5, 5)), "padding", "half"),
    (lambda: nn.MaxPool2d(5)(suanzi.ones(1, 1, 3, 3)), "", "larger|at least"),
    (lambda: nn.AvgPool2d(2, divisor_override=0)(suanzi.ones(1, 1, 3, 3)), "divisor", "0"),
    (lambda: nn.ReflectionPad1d(4)(suanzi.ones(1, 1, 4)), "pad", "at most 3"),
    (lambda: nn.ReflectionPad2d((1, 2, 3)), "padding", "4"),
    (lambda: nn.CircularPad1d(5)(suanzi.ones(1, 1, 4)), "pad", "at most 4"),
    (lambda: nn.Embedding(4, 2)(suanzi.tensor([4])), "input", "0 to 3"),
    (lambda: nn.Embedding(4, 2, padding_idx=4), "padding_idx", "-4 to 3"),
    (lambda: nn.EmbeddingBag(4, 2)(suanzi.tensor([1])), "offsets", "1 axis"),
    (lambda: nn.PixelShuffle(2)(suanzi.ones(1, 3, 2, 2)), "input", "multiple of 4"),
    (lambda: nn.PixelUnshuffle(2)(suanzi.ones(1, 3, 3, 2)), "input", "multiples of 2"),
    (lambda: nn.ChannelShuffle(2)(suanzi.ones(1, 3, 2, 2)), "groups", "divisor of 3"),
    (lambda: nn.Fold((4, 5), 2)(suanzi.ones(1, 12, 11)), "input", "12 columns"),
    (lambda: nn.Unfold(5)(suanzi.ones(1, 1, 3, 3)), "input", "window"),
    (lambda: nn.Upsample(scale_factor=2, mode="bilinear")(suanzi.ones(1, 1, 3)), "input", "4 axes"),
    (lambda: nn.Upsample()(suanzi.ones(1, 1, 3)), "size", "one of the two"),
    (lambda: nn.Upsample(2, align_corners=True)(suanzi.ones(1, 1, 3)), "align_corners", "bilinear"),
    (lambda: nn.Unflatten(1, 5.0), "unflattened_size", "whole numbers"),
    (lambda: nn.Dropout(1.5), "p", "from 0 to 1"),
    (lambda: nn.Hardtanh(2.0, 1.0), "min_val", "less than max_val"),
    (lambda: nn.GLU()(suanzi.ones(3)), "input", "even"),
    (lambda: nn.PReLU(3)(suanzi.ones(2, 4)), "weight", "4: one for each"),
    (lambda: nn.Softmax2d()(suanzi.ones(2, 2)), "input", "3 or 4 axes"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "argument", "expected"), WRONG, ids=range(len(WRONG)))
def test_errors_name_the_argument_and_what_is_expected(call, argument, expected):
    with pytest.raises(suanzi.SuanziError, match=expected) as caught:
        call()
    assert argument in str(caught.value)


def test_embedding_from_a_table():
    table = suanzi.tensor([[1, 2.3, 3], [4, 5.1, 6.3]])
    frozen = nn.Embedding.from_pretrained(table)
    assert not frozen.weight.requires_grad
    np.testing.assert_allclose(frozen(suanzi.tensor([1])).numpy(), [[4, 5.1, 6.3]], rtol=1e-6)
    bag = nn.EmbeddingBag.from_pretrained(table, freeze=False)
    assert bag.weight.requires_grad
    made = bag(suanzi.tensor([[1, 0]])).detach().numpy()
    np.testing.assert_allclose(made, [[2.5, 3.7, 4.65]], rtol=1e-6)


def test_a_lazy_layer_becomes_the_layer():
    for T in (suanzi, torch):
        layers = T.nn.Sequential(
            T.nn.LazyConv2d(4, 3), T.nn.LazyBatchNorm2d(), T.nn.Flatten(), T.nn.LazyLinear(2)
        )
        assert layers(T.zeros(2, 3, 5, 5)).shape == (2, 2)
        names = [type(layer).__name__ for layer in layers]
        assert names == ["Conv2d", "BatchNorm2d", "Flatten", "Linear"]
        assert shapes(layers)["3.weight"] == (2, 36)


@pytest.mark.parametrize("mode", ["nearest", "nearest-exact"])
def test_nearest_takes_the_elements_that_pytorch_takes(mode):
    """Where a place lies on the edge between two elements, rounding decides."""
    for size, outputs in {39: range(45, 50), 5: range(1, 30), 7: (3, 11, 21)}.items():
        x = np.arange(size, dtype=np.float32)[None, None]
        for output in outputs:
            mine = nn.functional.interpolate(suanzi.tensor(x), output, mode=mode)
            theirs = torch.nn.functional.interpolate(torch.tensor(x), output, mode=mode)
            assert mine.tolist() == theirs.tolist()


@pytest.mark.parametrize("mode", ["bilinear", "bicubic"])
@pytest.mark.parametrize("size", [(3, 4), (13, 20), (7, 2)])
def test_antialias(mode, size):
    x = np.random.default_rng(0).normal(size=(1, 2, 7, 9)).astype(np.float32)
    mine = nn.functional.interpolate(suanzi.tensor(x), size, mode=mode, antialias=True)
    theirs = torch.nn.functional.interpolate(torch.tensor(x), size, mode=mode, antialias=True)
    np.testing.assert_allclose(mine.numpy(), theirs.numpy(), atol=1e-5)


@pytest.mark.parametrize("p", [1.0, 2.0, 3.0, 1.5, float("inf"), -float("inf")])
@pytest.mark.parametrize("ceil_mode", [True, False])
def test_powers_of_pooling(p, ceil_mode):
    x = np.random.default_rng(0).uniform(0.1, 2, size=(1, 2, 7, 9)).astype(np.float32)
    mine = nn.LPPool2d(p, 3, 2, ceil_mode)(suanzi.tensor(x))
    theirs = torch.nn.LPPool2d(p, 3, 2, ceil_mode)(torch.tensor(x))
    np.testing.assert_allclose(mine.numpy(), theirs.numpy(), rtol=1e-4)
