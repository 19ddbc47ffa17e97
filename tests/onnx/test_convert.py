"""Models written anew: optimized, in another opset, with half the weights."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import helper

from inspect_support import make, value
from model_support import OCR, fetched, peer
from suanzi import InferenceSession, data
from suanzi.errors import SuanziError
from suanzi.onnx.convert import convert, optimize

F32 = np.float32
LIGHT = Path(onnx.__file__).parent / "backend/test/data/light"


def results(model, feeds):
    return peer(model.SerializeToString()).run(None, feeds)


def test_the_optimized_digits_are_the_same_to_onnxruntime():
    feeds = {"Input3": data.digits()["7.png"]}
    before = onnxruntime.InferenceSession(data.digits_model()).run(None, feeds)
    after = results(optimize(data.digits_model()), feeds)
    np.testing.assert_allclose(after[0], before[0], rtol=1e-4, atol=1e-2)


@pytest.mark.parametrize("path", sorted(LIGHT.glob("light_*.onnx")), ids=lambda path: path.stem)
def test_optimized_architectures_run_in_onnxruntime(path):
    made = optimize(path)
    before = peer(str(path))
    assert len(made.graph.node) < len(InferenceSession(path).graph.nodes)
    (given,) = (i for i in before.get_inputs())
    x = {given.name: np.random.default_rng(0).random(given.shape, F32)}
    for a, b in zip(before.run(None, x), results(made, x), strict=True):
        np.testing.assert_allclose(b, a, rtol=1e-3, atol=1e-4 * np.abs(a).max())


@pytest.mark.parametrize(
    ("name", "shapes"),
    [
        (f"{OCR}/ch_PP-OCRv4_rec_infer.onnx", {"x": (1, 3, 48, 96)}),
        (f"{OCR}/ch_PP-OCRv4_det_infer.onnx", {"x": (1, 3, 96, 160)}),
        ("silero_vad/data/silero_vad.onnx", {"input": (1, 512), "state": (2, 1, 128), "sr": ()}),
    ],
)
def test_optimized_real_models(name, shapes):
    model = fetched(name)
    rng = np.random.default_rng(0)
    feeds = {n: rng.random(s, F32) for n, s in shapes.items()}
    if "sr" in feeds:
        feeds["sr"] = np.array(16000)
    for made in (optimize(model), convert(model, opset=21)):
        for a, b in zip(peer(model).run(None, feeds), results(made, feeds), strict=True):
            np.testing.assert_allclose(b, a, rtol=1e-3, atol=1e-4)


def test_open_sizes_stay_open():
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"]),
        helper.make_node("BatchNormalization", ["c", "a", "b", "b", "a"], ["n"]),
        helper.make_node("Relu", ["n"], ["y"]),
        helper.make_node("Relu", ["n"], ["z"]),
    ]
    W = np.random.default_rng(0).standard_normal((3, 3, 1, 1), F32)
    ones = {"a": np.full(3, 2, F32), "b": np.full(3, 0.5, F32), "w": W}
    shape = ["N", 3, "H", "W"]
    model = make(nodes, [value("x", shape)], [value("y", shape), value("z", shape)], ones)
    made = optimize(model)
    assert [node.op_type for node in made.graph.node] == ["Conv", "Relu", "Identity"]
    for size in (2, 5):
        x = {"x": np.random.default_rng(size).standard_normal((size, 3, size, 4), F32)}
        for a, b in zip(results(model, x), results(made, x), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("opset", [9, 13, 18, 24])
def test_another_opset(opset):
    made = convert(data.digits_model(), opset=opset)
    assert made.opset_import[0].version == opset
    onnx.checker.check_model(made)
    feeds = {"Input3": data.digits()["3.png"]}
    before = onnxruntime.InferenceSession(data.digits_model()).run(None, feeds)
    np.testing.assert_allclose(results(made, feeds)[0], before[0], rtol=1e-5, atol=1e-3)


def test_an_opset_without_the_operator():
    nodes = [helper.make_node("Gelu", ["x"], ["y"])]
    model = make(nodes, [value("x", [4])], [value("y", [4])])
    with pytest.raises(SuanziError, match="opset"):
        convert(model, opset=40)


@pytest.mark.parametrize(("kind", "close"), [("float16", 1e-3), ("bfloat16", 1e-2)])
def test_weights_of_half_the_size(kind, close):
    W = np.random.default_rng(0).standard_normal((64, 64), F32)
    big = W.copy()
    big[3, 4] = 1e6  # more than float16 holds
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["a"]),
        helper.make_node("MatMul", ["a", "big"], ["b"]),
        helper.make_node("Add", ["b", "few"], ["y"]),
    ]
    weights = {"w": W, "big": big, "few": np.ones(64, F32)[:32].repeat(2)[:64]}
    model = make(nodes, [value("x", [2, 64])], [value("y", [2, 64])], weights)
    made = convert(model, weights=kind)
    types = {t.name: t.data_type for t in made.graph.initializer}
    assert ("big" in types) == (kind == "float16")
    assert made.ByteSize() < model.ByteSize() * (0.8 if kind == "float16" else 0.6)
    x = {"x": np.random.default_rng(1).standard_normal((2, 64), F32)}
    before, after = results(model, x)[0], results(made, x)[0]
    assert np.abs(after - before).max() < close * np.abs(before).max()
    ours = InferenceSession(made.SerializeToString()).run(None, x)[0]
    np.testing.assert_allclose(ours, after, rtol=1e-4, atol=1e-4 * np.abs(after).max())


def test_no_such_weights():
    with pytest.raises(SuanziError, match="no such type of weights"):
        convert(data.digits_model(), weights="int3")
