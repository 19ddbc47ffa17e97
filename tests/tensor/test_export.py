"""suanzi.export: modules as ONNX files, which onnxruntime runs to the same numbers."""

import inspect
import io

import numpy as np
import onnx
import onnxruntime
import pytest

import suanzi
import suanzi.nn as nn
import suanzi.nn.functional as F  # noqa: N812
from suanzi.errors import SuanziError
from suanzi.tensor import structure


@pytest.fixture(autouse=True)
def seed():
    suanzi.manual_seed(0)


def ran(model, *inputs):
    """onnxruntime's outputs, by name."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    names = [given.name for given in session.get_inputs()]
    made = session.run(None, {n: x.numpy() for n, x in zip(names, inputs, strict=True)})
    return dict(zip([o.name for o in session.get_outputs()], made, strict=True))


def held(module, *inputs, others=(), training=False, **options):
    """The model of a module, its outputs held to the module's own; `others` are further inputs."""
    before = {name: t.clone() for name, t in getattr(module, "state_dict", dict)().items()}
    model = suanzi.export(module, inputs, training=training, **options)
    onnx.checker.check_model(model, full_check=True)
    if before:
        for name, tensor in module.state_dict().items():
            assert (tensor == before[name]).all(), f"{name} changed"
    for fed in (inputs, *others):
        made = ran(model, *fed)
        if before:
            module.load_state_dict(before)
            module.train(training)
        expected = structure.flatten(module(*fed))[0]
        for found, wanted in zip(made.values(), expected, strict=False):
            assert found.shape == tuple(wanted.shape)
            np.testing.assert_allclose(found, wanted.detach().numpy(), 1e-4, 1e-5)
        for name, tensor in before.items():
            if f"{name}_updated" in made:
                now = module.state_dict()[name].numpy()
                np.testing.assert_allclose(made[f"{name}_updated"], now, 1e-4, 1e-5)
                assert not np.array_equal(now, tensor.numpy())
    return model


def kinds(model):
    return [node.op_type for node in model.graph.node]


def sizes(value):
    return [d.dim_param or d.dim_value for d in value.type.tensor_type.shape.dim]


def small():
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.AdaptiveAvgPool2d((3, 2)),
        nn.Flatten(),
        nn.Linear(48, 10),
    )


def test_names_and_operators():
    model = held(small(), suanzi.randn(2, 3, 12, 16))
    assert kinds(model) == [
        "Conv", "BatchNormalization", "Relu", "MaxPool", "AveragePool", "Reshape", "Gemm",
    ]  # fmt: skip
    stored = {tensor.name for tensor in model.graph.initializer}
    kept = {name for name in small().state_dict() if "tracked" not in name}
    assert kept <= stored
    assert [x.name for x in model.graph.input] == ["input"]
    assert [y.name for y in model.graph.output] == ["output"]
    assert sizes(model.graph.output[0]) == [2, 10]
    assert model.opset_import[0].version == 18


class Several(nn.Module):
    """Arguments and results of all kinds."""

    def forward(self, a, pair, *, scale=None, flag=True):
        left, right = pair
        scale = 1.0 if scale is None else scale
        return {"sum": a + left * scale, "rest": [right - a, a]} if flag else a


def test_nested_arguments_and_results():
    a, b, c, d = (suanzi.randn(2, 3) for _ in range(4))
    module = Several()
    model = suanzi.export(module, (a, (b, c)), kwargs={"scale": d})
    assert [x.name for x in model.graph.input] == ["a", "pair_0", "pair_1", "scale"]
    made = ran(model, a, b, c, d)
    assert [*made] == ["output_0", "output_1", "output_2"]
    expected = module(a, (b, c), scale=d)
    np.testing.assert_allclose(made["output_0"], expected["sum"].numpy(), 1e-5)
    np.testing.assert_allclose(made["output_1"], expected["rest"][0].numpy(), 1e-5)
    np.testing.assert_allclose(made["output_2"], a.numpy())
    named = suanzi.export(
        module, (a, (b, c)), input_names=["x", "y", "z"], output_names=["one", "two"]
    )
    assert [x.name for x in named.graph.input] == ["x", "y", "z"]
    assert [y.name for y in named.graph.output] == ["one", "two", "output_2"]


def test_the_mode_is_restored():
    net = nn.Sequential(nn.Dropout(0.5), nn.BatchNorm1d(3))
    net[1].eval()
    suanzi.export(net, suanzi.randn(4, 3))
    assert (net.training, net[0].training, net[1].training) == (True, True, False)


def test_files_and_streams(tmp_path):
    net, x = nn.Linear(3, 2), suanzi.randn(4, 3)
    path = tmp_path / "linear.onnx"
    suanzi.export(net, x, path)
    session = suanzi.InferenceSession(path)
    np.testing.assert_allclose(session.run(None, {"input": x.numpy()})[0], net(x).detach(), 1e-5)
    with pytest.raises(SuanziError, match="can't write the model"):
        suanzi.export(net, x, tmp_path / "nowhere" / "linear.onnx")
    stream = io.BytesIO()
    suanzi.onnx.export(
        net, (x,), stream, input_names=["x"], output_names=["y"], opset_version=17,
        dynamic_axes={"x": {0: "batch"}, "y": {0: "batch"}}, do_constant_folding=True,
    )  # fmt: skip
    model = onnx.load_from_string(stream.getvalue())
    assert model.opset_import[0].version == 17
    assert sizes(model.graph.output[0]) == ["batch", 2]
    with pytest.raises(SuanziError, match="export_params"):
        suanzi.onnx.export(net, x, io.BytesIO(), export_params=False)


# --- layers


class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(4, 4, 3, padding=1, groups=2)
        self.norm = nn.GroupNorm(2, 4)
        self.act = nn.SiLU()

    def forward(self, x):
        return self.act(self.norm(self.conv(x))) + x


LAYERS = {
    "adaptive": (lambda: nn.AdaptiveMaxPool2d((3, 2), return_indices=True), (1, 2, 7, 5)),
    "adaptive mean": (lambda: nn.AdaptiveAvgPool2d((3, 2)), (2, 2, 7, 5)),
    "attention": (lambda: nn.TransformerEncoderLayer(16, 4, 32, batch_first=True), (2, 5, 16)),
    "gelu": (lambda: nn.Sequential(nn.LayerNorm(6), nn.GELU(), nn.Softmax(-1)), (2, 3, 6)),
    "gru": (lambda: nn.GRU(4, 5, num_layers=2, bidirectional=True), (7, 2, 4)),
    "lstm": (lambda: nn.LSTM(4, 5, batch_first=True), (2, 7, 4)),
    "pixels": (lambda: nn.Sequential(nn.PixelShuffle(2), nn.ChannelShuffle(2)), (2, 8, 3, 3)),
    "pool": (lambda: nn.AvgPool2d(3, 2, 1, ceil_mode=True), (1, 2, 6, 7)),
    "residual": (Residual, (2, 4, 6, 6)),
    "unfold": (lambda: nn.Unfold(3, padding=1, stride=2), (2, 3, 7, 6)),
    "upsample": (lambda: nn.Upsample(scale_factor=2, mode="bilinear"), (2, 3, 4, 5)),
    "up": (lambda: nn.ConvTranspose2d(3, 4, 3, 2, 1, output_padding=1), (2, 3, 4, 5)),
    "instance": (lambda: nn.InstanceNorm2d(3, affine=True), (2, 3, 4, 5)),
    "power": (lambda: nn.LPPool2d(2, 3, ceil_mode=True), (2, 3, 7, 8)),
}


@pytest.mark.parametrize("name", LAYERS)
def test_layers(name):
    make, shape = LAYERS[name]
    held(make(), suanzi.randn(*shape))


@pytest.mark.parametrize("name", ["attention", "gelu", "residual", "upsample", "lstm"])
def test_older_opsets(name):
    make, shape = LAYERS[name]
    for opset in (13, 17):
        model = held(make(), suanzi.randn(*shape), opset_version=opset)
        assert model.opset_import[0].version == opset


def test_activations_at_an_older_opset():
    net = nn.Sequential(nn.RMSNorm(4), nn.Hardswish(), nn.Mish(), nn.LogSoftmax(-1), nn.ELU())
    model = held(net, suanzi.randn(2, 4), opset_version=11)
    assert "Mish" not in kinds(model)


def test_embeddings_and_losses():
    held(nn.Embedding(10, 4), suanzi.tensor([[1, 2], [3, 9]]))
    bag = suanzi.tensor([1, 2, 4, 5, 4, 3]), suanzi.tensor([0, 4])
    for mode in ("sum", "mean", "max"):
        held(nn.EmbeddingBag(10, 3, mode=mode), *bag)
    scores = F.log_softmax(suanzi.randn(6, 2, 5), -1)
    targets = suanzi.tensor([[1, 2, 2], [3, 4, 1]])
    lengths = suanzi.tensor([6, 5]), suanzi.tensor([3, 2])
    held(nn.CTCLoss(), scores, targets, *lengths)
    others = [(F.log_softmax(suanzi.randn(9, 2, 5), -1), targets, *lengths)]
    held(nn.CTCLoss(), scores, targets, *lengths, others=others,
         dynamic_axes={"log_probs": {0: "steps"}})  # fmt: skip
    held(nn.CrossEntropyLoss(), suanzi.randn(3, 5), suanzi.tensor([0, 4, 2]))


# --- dynamic sizes


def test_a_dynamic_batch():
    others = [(suanzi.randn(n, 3, 12, 16),) for n in (1, 5)]
    model = held(
        small(), suanzi.randn(2, 3, 12, 16), others=others, dynamic_axes={"input": {0: "batch"}}
    )
    assert kinds(model) == [
        "Conv", "BatchNormalization", "Relu", "MaxPool", "AveragePool", "Reshape", "Gemm",
    ]  # fmt: skip
    assert sizes(model.graph.output[0]) == ["batch", 10]
    assert all(sizes(info)[0] == "batch" for info in model.graph.value_info)


def test_dynamic_sizes_of_a_picture():
    net = nn.Sequential(
        nn.Conv2d(3, 4, 3, 2, 1), nn.MaxPool2d(2), nn.Upsample(scale_factor=2.0), nn.Flatten(2)
    )
    others = [(suanzi.randn(2, 3, h, w),) for h, w in ((9, 17), (30, 8), (13, 13))]
    axes = {"input": {2: "height", 3: "width"}}
    held(net, suanzi.randn(2, 3, 12, 16), others=others, dynamic_axes=axes)


@pytest.mark.parametrize("axes", [{0: "n"}, {1: "time"}, {0: "n", 1: "time"}], ids=str)
@pytest.mark.parametrize("name", ["attention", "lstm", "gelu"])
def test_dynamic_sequences(name, axes):
    make, shape = LAYERS[name]
    grown = [[d + 3 * (i in axes) for i, d in enumerate(shape)],
             [1 if i in axes else d for i, d in enumerate(shape)]]  # fmt: skip
    others = [(suanzi.randn(*s),) for s in grown]
    module = make()
    given = next(iter(inspect.signature(module.forward).parameters))
    held(module, suanzi.randn(*shape), others=others, dynamic_axes={given: axes})


class Positions(nn.Module):
    """Sizes as numbers in all places."""

    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(64, 6)

    def forward(self, x):
        B, T, _ = x.shape
        mask = suanzi.triu(suanzi.ones(T, T), 1).bool()
        y = x + self.table(suanzi.arange(T)) + suanzi.arange(T, dtype=suanzi.float32).view(1, T, 1)
        y = y.view(B, T, 2, 3).transpose(1, 2)
        scores = (y @ y.transpose(-1, -2)).masked_fill(mask, -1e9).softmax(-1)
        mean = scores.sum((1, 2, 3)) / (B * T)
        halves = y[:, :, : T // 2].reshape(B, -1)
        return scores, mean, halves.sum(), suanzi.cat([x, suanzi.zeros(B, T, 2)], -1)


def test_sizes_as_numbers():
    others = [(suanzi.randn(n, t, 6),) for n, t in ((1, 5), (4, 9), (3, 2))]
    axes = {"x": {0: "n", 1: "t"}}
    model = held(Positions(), suanzi.randn(2, 4, 6), others=others, dynamic_axes=axes)
    assert sizes(model.graph.output[0]) == ["n", 2, "t", "t"]


def test_what_fixes_a_size_is_named():
    with pytest.raises(SuanziError, match=r"\(MatMul\).*dynamic"):
        suanzi.export(
            nn.AdaptiveAvgPool2d((3, 2)), suanzi.randn(1, 2, 7, 5), dynamic_axes={"input": [2]}
        )
    with pytest.raises(SuanziError, match="height can be no other size than 4"):
        suanzi.export(nn.Linear(4, 2), suanzi.randn(3, 4), dynamic_axes={"input": {1: "height"}})

    def unrolled(x):
        total = x[0]
        for row in x[1:]:
            total = total + row
        return total

    with pytest.raises(SuanziError, match="decide which operations"):
        suanzi.export(unrolled, suanzi.randn(3, 4), dynamic_axes={"x": [0]})
    with pytest.raises(SuanziError, match="dynamic_axes"):
        suanzi.export(unrolled, suanzi.randn(3, 4), dynamic_axes={"y": [0]})


# --- training


def test_training_form():
    model = held(small(), suanzi.randn(4, 3, 12, 16), training=True)
    assert [y.name for y in model.graph.output] == [
        "output", "1.num_batches_tracked_updated", "1.running_mean_updated",
        "1.running_var_updated",
    ]  # fmt: skip
    others = [(suanzi.randn(n, 3, 12, 16),) for n in (2, 7)]
    axes = {"input": {0: "batch"}}
    held(small(), suanzi.randn(4, 3, 12, 16), others=others, training=True, dynamic_axes=axes)


@pytest.mark.parametrize("axes", [None, {"input": {0: "n"}}], ids=["static", "dynamic"])
def test_dropout_in_training(axes):
    net, x = nn.Dropout(0.25), suanzi.ones(200, 300)
    assert kinds(suanzi.export(net, x, dynamic_axes=axes)) in ([], ["Identity"])
    model = suanzi.export(net, x, training=True, dynamic_axes=axes)
    made = ran(model, x)["output"]
    assert set(np.unique(made)) == {0, np.float32(1 / 0.75)}
    assert abs((made == 0).mean() - 0.25) < 0.02
    if axes:
        assert ran(model, suanzi.ones(20, 300))["output"].shape == (20, 300)


def test_random_numbers_are_drawn_by_the_graph():
    def draws(x):
        return (
            suanzi.rand_like(x), suanzi.randn(100, 100), suanzi.bernoulli(x * 0.3),
            x.clone().exponential_(2.0), suanzi.randint(3, 6, (50, 50)), suanzi.randperm(20),
        )  # fmt: skip

    x = suanzi.ones(100, 100)
    uniform, normal, bernoulli, exponential, whole, order = ran(suanzi.export(draws, x), x).values()
    assert 0 <= uniform.min() < 0.01
    assert 0.99 < uniform.max() < 1
    assert abs(normal.mean()) < 0.05
    assert abs(normal.std() - 1) < 0.05
    assert abs(bernoulli.mean() - 0.3) < 0.05
    assert abs(exponential.mean() - 0.5) < 0.05
    assert set(np.unique(whole)) == {3, 4, 5}
    assert sorted(order) == list(range(20))
    rates = suanzi.ones(3)
    with pytest.raises(SuanziError, match="draws such numbers"):
        suanzi.export(lambda x: suanzi.poisson(rates) * x, suanzi.ones(3))


def test_a_whole_training_step():
    """Forward, backward and update, as one file."""
    net = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(),
                        nn.MaxPool2d(2), nn.Flatten(), nn.Linear(64, 3))  # fmt: skip
    optimizer = suanzi.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    x, y = suanzi.randn(5, 1, 8, 8), suanzi.tensor([0, 1, 2, 1, 0])

    def step(x, y):
        optimizer.zero_grad()
        loss = F.cross_entropy(net(x), y)
        loss.backward()
        optimizer.step()
        return loss

    model = suanzi.export(step, (x, y))
    onnx.checker.check_model(model, full_check=True)
    made = ran(model, x, y)
    loss = step(x, y)
    np.testing.assert_allclose(made["output"], loss.item(), 1e-5)
    for name, tensor in net.state_dict().items():
        np.testing.assert_allclose(made[f"{name}_updated"], tensor.numpy(), 1e-3, 1e-5)
