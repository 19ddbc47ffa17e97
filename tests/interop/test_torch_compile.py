"""torch.compile(model, backend="suanzi") held to PyTorch eager."""

import sys
import tomllib
import types
import warnings
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from suanzi.interop.torch_compile import UnsupportedWarning, _Compiled, backend, ours  # noqa: E402

ROOT = Path(__file__).parents[2]
nn, F = torch.nn, torch.nn.functional


@pytest.fixture(autouse=True)
def fresh():
    """Dynamo keeps what it has seen; its own modules warn of what they import."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", UnsupportedWarning)
        torch._dynamo.reset()
        torch.manual_seed(0)
        with torch.no_grad():
            yield


def network(module):
    """An example's network with PyTorch's own layers."""
    source = (ROOT / f"examples/networks/{module}.py").read_text().replace("suanzi", "torch")
    made = types.ModuleType(module)
    exec(compile(source, module, "exec"), made.__dict__)
    return made


class Bert(nn.Module):
    """Of PyTorch's own layers; padded tokens are masked."""

    def __init__(self, size=64, heads=4, depth=2, **options):
        super().__init__()
        self.tokens, self.places = nn.Embedding(100, size), nn.Embedding(32, size)
        self.norm = nn.LayerNorm(size)
        layer = nn.TransformerEncoderLayer(
            size, heads, 4 * size, activation="gelu", batch_first=True, **options
        )
        self.encoder = nn.TransformerEncoder(layer, depth, enable_nested_tensor=False)
        self.head = nn.Linear(size, 2)

    def forward(self, tokens, padding=None):
        x = self.norm(self.tokens(tokens) + self.places(torch.arange(tokens.shape[1])))
        return self.head(self.encoder(x, src_key_padding_mask=padding)[:, 0].tanh())


def close(found, wanted, tolerance=1e-4):
    assert found.shape == wanted.shape
    assert found.dtype == wanted.dtype
    assert (found - wanted).abs().max() <= tolerance * max(1, wanted.abs().max())


def held(model, *inputs, tolerance=1e-4):
    """The model compiled, run on inputs, held to itself."""
    compiled = torch.compile(model, backend=backend)
    wanted = model(*(x.clone() if isinstance(x, torch.Tensor) else x for x in inputs))
    close(compiled(*inputs), wanted, tolerance)
    return compiled


@pytest.mark.parametrize(
    ("module", "build"),
    [
        ("resnet", lambda m: m.resnet18()),
        ("mobile", lambda m: m.MobileNetV3()),
        ("vit", lambda m: m.TimmVisionTransformer(dim=96, heads=3)),
    ],
)
def test_networks(module, build):
    held(build(network(module)).eval(), torch.randn(1, 3, 224, 224))


@pytest.mark.parametrize("norm_first", [False, True])
@pytest.mark.parametrize("masked", [False, True])
def test_bert(norm_first, masked):
    model = Bert(norm_first=norm_first).eval()
    tokens = torch.randint(0, 100, (3, 20))
    padding = torch.arange(20) >= torch.tensor([20, 11, 5])[:, None]
    held(model, tokens, padding if masked else None)


def test_other_shapes_and_dynamic_ones():
    model = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(2)).eval()
    for dynamic in (False, True, None):
        torch._dynamo.reset()
        compiled = torch.compile(model, backend=backend, dynamic=dynamic)
        for size in ((1, 3, 8, 8), (2, 3, 9, 12), (5, 3, 16, 7)):
            x = torch.randn(size)
            close(compiled(x), model(x))


def test_sizes_in_the_mathematics():
    def function(x):
        n, c = x.shape
        return x.reshape(c, n) / n + torch.arange(n) * c

    compiled = torch.compile(function, backend=backend, dynamic=True)
    for size in ((2, 3), (4, 5), (7, 2)):
        x = torch.randn(size)
        close(compiled(x), function(x))


def test_weights_that_change():
    """In place, by loading, by other memory; often: then they are inputs."""
    model = nn.Linear(6, 4).eval()
    compiled, x = torch.compile(model, backend=backend), torch.randn(3, 6)
    for change in range(6):
        close(compiled(x), model(x))
        if change % 3 == 0:
            model.weight.mul_(2)
        elif change % 3 == 1:
            model.load_state_dict({k: torch.randn_like(v) for k, v in model.state_dict().items()})
        else:
            model.weight.data = torch.randn(4, 6)
    close(compiled(x), model(x))


def test_what_is_lacking_runs_in_pytorch():
    def function(x):
        y = torch.sin(x) * 2
        z = torch.fft.fft(y).real
        return torch.relu(z) + 1

    x = torch.randn(4, 8)
    with pytest.warns(UnsupportedWarning, match="fft"):
        close(torch.compile(function, backend=backend)(x), function(x))


@pytest.mark.parametrize(
    ("function", "why"),
    [
        (lambda x: x.to(torch.bfloat16) * 2, "bfloat16"),
        (lambda x: F.dropout(x, 0.5, training=True), "draws random numbers"),
        (lambda x: x.t(), "a view of what it is given"),
    ],
)
def test_reasons(function, why):
    with pytest.warns(UnsupportedWarning, match=why):
        torch.compile(function, backend=backend)(torch.randn(3, 4))


def test_gradients_are_pytorchs():
    model, x = nn.Linear(3, 2), torch.randn(5, 3)
    with torch.enable_grad(), pytest.warns(UnsupportedWarning, match="gradients are wanted"):
        torch.compile(model, backend=backend)(x).sum().backward()
    assert model.weight.grad is not None


def test_dropout_in_evaluation():
    held(nn.Sequential(nn.Linear(4, 4), nn.Dropout(0.5), nn.ReLU()).eval(), torch.randn(2, 4))


def test_inputs_that_are_not_in_one_piece_or_written_to():
    def function(x, y):
        x.add_(1)
        return x * y

    x = torch.randn(6, 8)
    mine, theirs = x.clone(), x.clone()
    compiled = torch.compile(function, backend=backend)
    for _ in range(2):
        close(compiled(mine.t()[::2], x.t()[::2]), function(theirs.t()[::2], x.t()[::2]))
        close(mine, theirs)


def test_outputs_are_their_own_memory():
    compiled = torch.compile(lambda x: torch.relu(x) + 1, backend=backend)
    x = torch.randn(64, 1024)
    first = compiled(x)
    kept = first.clone()
    compiled(x + 5)
    assert torch.equal(first, kept)


def test_numbers_and_structures():
    def function(x, scale, parts):
        a, b = parts
        return {"sum": a + b * scale, "max": x.max(dim=1).values, "split": (x * a).chunk(2, dim=1)}

    compiled = torch.compile(function, backend=backend)
    x = torch.randn(4, 6)
    for scale in (2, 3.5):
        found, wanted = (f(x, scale, (x, x + 1)) for f in (compiled, function))
        close(found["sum"], wanted["sum"])
        close(found["max"], wanted["max"])
        for a, b in zip(found["split"], wanted["split"], strict=True):
            close(a, b)


UNARY = [
    torch.relu, torch.sigmoid, torch.tanh, torch.abs, torch.neg, torch.cos, F.gelu, F.silu,
    lambda x: x.softmax(-1), lambda x: x.mean(-1, keepdim=True), lambda x: x.transpose(0, 1),
    lambda x: x.cumsum(0), lambda x: x[1:], lambda x: x[:, None].squeeze(1),
    lambda x: torch.where(x > 0, x, -x), lambda x: x.clamp(-1, 1),
    lambda x: x.flatten()[:, None], lambda x: x.expand(x.shape[0], x.shape[1]) * 2,
    lambda x: F.layer_norm(x, x.shape[1:]),
]  # fmt: skip
BINARY = [
    torch.add, torch.mul, torch.maximum, lambda a, b: torch.cat([a, b], 0),
    lambda a, b: a @ b.transpose(0, 1), lambda a, b: torch.stack([a, b]).sum(0),
]  # fmt: skip


@pytest.mark.parametrize("seed", range(25))
def test_random_programs(seed):
    """Some operations in a row, of one value or two of one shape, in float32 or float64."""
    rng = np.random.default_rng(seed)
    steps = [int(k) for k in rng.integers(0, len(UNARY) + len(BINARY), 7)]

    def function(x, y):
        for k in steps:
            one = k < len(UNARY)
            x = UNARY[k](x) if one else BINARY[k - len(UNARY)](x, x * 0.5 + 1)
            if x.shape[0] < 2:
                x = torch.cat([x, x], 0)
        return x + y

    dtype = torch.float64 if seed % 3 == 0 else torch.float32
    x, y = torch.randn(5, 6, dtype=dtype), torch.randn((), dtype=dtype)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnsupportedWarning)
        held(function, x, y, tolerance=1e-4)


def test_a_graph_that_fails_when_it_is_traced(monkeypatch):
    """It runs in PyTorch from then on, and says so once."""
    monkeypatch.setattr(_Compiled, "_do", lambda *args: (_ for _ in ()).throw(TypeError("no")))
    compiled, x = torch.compile(lambda x: x * 2, backend=backend), torch.randn(3)
    with pytest.warns(UnsupportedWarning, match="runs in PyTorch: no"):
        close(compiled(x), x * 2)
    close(compiled(x), x * 2)


def test_names():
    import suanzi.nn.functional as functional

    assert ours(F.conv2d) is functional.conv2d
    assert ours(torch.conv2d) is functional.conv2d
    assert ours(torch._C._nn.linear) is functional.linear
    assert ours(torch.matmul) is sys.modules["suanzi"].matmul


def test_the_entry_point():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["entry-points"]["torch_dynamo_backends"] == {
        "suanzi": f"{backend.__module__}:{backend.__name__}"
    }
