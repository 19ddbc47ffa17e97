"""The functions of torch.nn.functional in PyTorch's own database, with all its samples, beside
PyTorch: in float32 and float64, and gradients of gradients where PyTorch has them."""

import numpy as np
import pytest

import suanzi
from suanzi.autograd import gradgradcheck
from torch_support import compare, ours, replaced, tensors

torch = pytest.importorskip("torch")
pytest.importorskip("expecttest")

with pytest.MonkeyPatch.context() as patch:
    patch.setattr("warnings.warn", lambda *_, **__: None)
    from torch.testing._internal.common_methods_invocations import op_db

FUNCTIONS = [op for op in op_db if op.name.startswith("nn.functional.")]
RANDOM = {"dropout", "dropout2d", "dropout3d", "alpha_dropout", "feature_alpha_dropout", "rrelu"}
"""Functions that draw numbers which can't be given: where they do, held to shapes and types."""
COMPLEX = {"nn.functional.silu.complex"}
"""Variants for complex numbers, which there are none of here."""


def function(op):
    return getattr(suanzi.nn.functional, op.name.removeprefix("nn.functional."))


SWAPPED = {"embedding", "embedding_bag"}
"""Functions that the database calls with the weight first."""


def call(op, args, kwargs):
    if op.name.removeprefix("nn.functional.") in SWAPPED:
        args = (args[1], args[0], *args[2:])
    return function(op)(*args, **kwargs)


def given_numbers(op, sample):
    """The keywords; with the random numbers that fractional pooling would draw by itself, and
    attention's dropout, whose numbers can't be given, switched off."""
    kwargs = dict(sample.kwargs)
    if "attention" in op.name:
        kwargs |= {k: 0 for k in ("dropout_p", "training") if k in kwargs}
    if "fractional" in op.name:
        x = sample.input
        axes = int(op.name[-2])
        leading = x.shape[:2] if x.ndim == axes + 2 else (1, x.shape[0])
        kwargs.setdefault("_random_samples", torch.rand(*leading, axes, dtype=x.dtype))
    return kwargs


def draws(op, kwargs):
    name = op.name.removeprefix("nn.functional.")
    return name in RANDOM and kwargs.get("training", "alpha" not in name and name != "rrelu")


def identity(op):
    return op.name + (f".{op.variant_test_name}" if op.variant_test_name else "")


@pytest.fixture(autouse=True)
def _seeds():
    torch.manual_seed(0)
    torch.set_num_threads(1)  # small tensors, and ours run beside
    np.random.seed(0)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("op", FUNCTIONS, ids=identity)
def test_as_pytorch(op, dtype):
    if identity(op) in COMPLEX:
        pytest.skip("complex numbers alone")
    kind = getattr(torch, dtype)
    if op.supported_dtypes("cpu") and kind not in op.supported_dtypes("cpu"):
        kind = torch.int64
    wanted = op.supports_autograd and kind.is_floating_point
    for number, sample in enumerate(op.sample_inputs("cpu", kind, requires_grad=wanted)):
        args, kwargs = (sample.input, *sample.args), given_numbers(op, sample)
        my_args, my_kwargs = ours(args), ours(kwargs)
        for t in tensors((args, kwargs)):
            t.grad = None  # samples share tensors
        expected = op.op(*args, **kwargs)
        made = call(op, my_args, my_kwargs)
        if draws(op, kwargs):
            assert [t.shape for t in tensors(made)] == [tuple(t.shape) for t in tensors(expected)]
            continue
        inputs = zip(tensors((my_args, my_kwargs)), tensors((args, kwargs)), strict=True)
        pairs = [(f"input {i}", a, b) for i, (a, b) in enumerate(inputs) if b.requires_grad]
        try:
            compare(made, expected, pairs)
        except AssertionError as error:
            raise AssertionError(f"{identity(op)}, sample {number}: {error}") from None


SMALL = 3  # samples of each function whose second gradients are taken: each takes many runs


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "op", [op for op in FUNCTIONS if op.supports_gradgrad and op.supports_autograd], ids=identity
)
def test_gradients_of_gradients(op):
    if identity(op) in COMPLEX:
        pytest.skip("complex numbers alone")
    if op.name == "nn.functional.one_hot":
        pytest.skip("of whole numbers there are no gradients")
    samples = op.sample_inputs("cpu", torch.float64, requires_grad=True)
    chosen = sorted(samples, key=lambda s: sum(t.numel() for t in tensors((s.input, s.args))))
    for sample in [s for s in chosen if not draws(op, s.kwargs)][:SMALL]:
        args = ours((sample.input, *sample.args))
        kwargs = ours(given_numbers(op, sample))
        found = {id(t): t for t in tensors((args, kwargs)) if t.requires_grad and t.numel()}
        leaves = [*found.values()]

        def run(*given, args=args, kwargs=kwargs, leaves=leaves):
            new = {id(t): g for t, g in zip(leaves, given, strict=True)}
            made = tensors(call(op, replaced(args, new), replaced(kwargs, new)))
            return tuple(t for t in made if t.dtype.is_floating_point)

        if leaves and sum(t.numel() for t in leaves) <= 400:
            assert gradgradcheck(run, leaves, fast_mode=True)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "op", [op for op in FUNCTIONS if op.error_inputs_func is not None], ids=identity
)
def test_errors_as_pytorch(op):
    for wrong in op.error_inputs("cpu"):
        sample = wrong.sample_input
        if any(t.is_complex() for t in tensors((sample.input, sample.args))):
            continue
        args, kwargs = ours((sample.input, *sample.args)), ours(sample.kwargs)
        with pytest.raises(suanzi.SuanziError):
            call(op, args, kwargs)
