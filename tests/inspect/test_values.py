"""Values of a run, their statistics, the best scores; and what inputs are made of."""

import io
import math
import wave

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from onnx import helper

from inspect_support import branching, digits, make, seven
from suanzi import InferenceSession
from suanzi.errors import SuanziError
from suanzi.inspect import feeds
from suanzi.inspect.plain import plain
from suanzi.inspect.statistics import brief, tensor_statistics
from suanzi.inspect.values import Values, layout, top
from suanzi.operators._operator import TensorType

F32 = np.float32


def kind(*shape, dtype=F32):
    return TensorType(dtype, shape)


def same(found, wanted):
    np.testing.assert_allclose(found, wanted, atol=1e-5 * np.abs(wanted).max())


# Runs


def test_values_of_a_run():
    values = Values(digits(), seven())
    assert values.names[0] == "Input3"
    assert values.names[-1] == "Plus214_Output_0"
    traced = digits().trace(seven())
    for name in traced:
        same(values.array(name), traced[name])
    assert values.get("Parameter87").shape == (16, 8, 5, 5)
    assert values.seconds > 0


def test_values_in_chunks():
    """With little memory the values are computed in several goes, and are the same."""
    small = Values(digits(), seven(), most_bytes=40_000)
    assert len(small.chunks) > 2
    whole = Values(digits(), seven())
    for name in small.names:
        same(small.array(name), whole.array(name))
    assert sum(x.nbytes for x in small._inside.values()) <= 40_000


def test_values_that_are_not_there():
    values = Values(digits(), seven())
    with pytest.raises(SuanziError, match="no such value"):
        values.get("nobody")


def test_sequences_are_no_tensors():
    value = helper.make_tensor_value_info
    node = helper.make_node("SplitToSequence", ["x"], ["y"], axis=0)
    element = helper.make_tensor_type_proto(1, None)
    out = helper.make_value_info("y", helper.make_sequence_type_proto(element))
    values = Values(InferenceSession(make([node], [value("x", 1, [2, 2])], [out])),
                    {"x": np.ones((2, 2), F32)})  # fmt: skip
    assert len(values.get("y")) == 2
    with pytest.raises(SuanziError, match="not a tensor"):
        values.array("y")


def test_values_inside_branches():
    feeds = {"x": F32([[1, -2, 3]]), "cond": np.array(True)}
    values = Values(InferenceSession(branching()), feeds)
    same(values.array("sum", "0.then_branch"), F32([[2, -4, 6]]))
    same(values.array("a", "0.then_branch"), F32([[2, 0, 6]]))
    for graph, name, why in (
        ("0.else_branch", "b", "didn't run"),
        ("0.then_branch", "b", "no such value"),
        ("0.body", "a", "no such graph"),
        ("7.then_branch", "a", "no such node"),
    ):
        with pytest.raises(SuanziError, match=why):
            values.array(name, graph)


# Statistics


@given(arrays.arrays(F32, arrays.array_shapes(), elements=st.floats(width=32)))
def test_statistics(x):
    found = brief(x)
    finite = x[np.isfinite(x)].astype(np.float64)
    assert found.nan == np.isnan(x).sum()
    assert found.inf == np.isinf(x).sum()
    assert found.zeros == pytest.approx((x == 0).mean())
    if finite.size:
        assert (found.least, found.largest) == (finite.min(), finite.max())
        assert math.isclose(found.mean, finite.mean(), rel_tol=1e-6, abs_tol=1e-30)
    else:
        assert found.least is None
    whole = tensor_statistics(x, 8, axis=0)
    assert whole.whole == found
    if finite.size:
        assert whole.histogram.counts.sum() == finite.size
        assert len(whole.channels) == x.shape[0]
        if found.not_finite:
            assert not np.isfinite(x[whole.first_bad])
    plain(whole)


@pytest.mark.parametrize("dtype", ["int64", "uint8", "bool", "float16", "float64", "complex64"])
def test_statistics_of_other_types(dtype):
    found = tensor_statistics(np.array([0, 1, 1], dtype), 4)
    assert (found.whole.least, found.whole.largest) == (0, 1)
    assert found.whole.zeros == pytest.approx(1 / 3)
    assert found.dtype == dtype


def test_statistics_of_nothing_and_of_texts():
    assert tensor_statistics(np.zeros((0, 3), F32)).whole.size == 0
    assert tensor_statistics(np.array(["a"], object)).dtype == "string"
    with pytest.raises(SuanziError, match="no such axis"):
        tensor_statistics(np.zeros(3, F32), axis=1)


def test_the_best_scores():
    scores = top(F32([[1, 3, 2]]), 2, ["a", "b", "c"])
    assert [(s.index, s.label) for s in scores] == [((0, 1), "b"), ((0, 2), "c")]
    assert scores[0].share == pytest.approx(math.e**2 / (1 + math.e + math.e**2))
    assert top(F32([0.25, 0.75]))[0].share == 0.75
    for none in (np.zeros((2, 3), F32), np.zeros(1, F32), np.zeros(3, int), F32([1, np.nan])):
        assert top(none) is None


@pytest.mark.parametrize(
    ("shape", "weight", "wanted"),
    [
        ((), False, "scalar"),
        ((1, 1), False, "scalar"),
        ((1, 10), False, "vector"),
        ((1, 3, 32, 32), False, "image"),
        ((1, 16, 14, 14), False, "maps"),
        ((1, 3, 4, 4), False, "maps"),
        ((8, 3, 3, 3), True, "filters"),
        ((4, 5), True, "matrix"),
        ((1, 7, 5), False, "sequence"),
    ],
)
def test_layouts(shape, weight, wanted):
    assert layout(np.zeros(shape), weight) == wanted


# Inputs


def png(pixels):
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


PICTURE = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)


def test_a_picture_whole():
    made = feeds.Picture(scale=1.0)(png(PICTURE), kind(1, 3, "H", "W"))
    np.testing.assert_array_equal(made, PICTURE.transpose(2, 0, 1)[None])
    made = feeds.Picture(scale=1.0, layout="NHWC", color="BGR")(png(PICTURE), kind(1, 4, 6, 3))
    np.testing.assert_array_equal(made, PICTURE[None, :, :, ::-1])


def test_a_picture_scaled():
    mean, std = (0.1, 0.2, 0.3), (1.0, 2.0, 4.0)
    made = feeds.Picture(mean=mean, std=std)(png(PICTURE), kind(1, 3, None, None))
    wanted = (PICTURE / 255 - mean) / std
    np.testing.assert_allclose(made[0].transpose(1, 2, 0), wanted, atol=1e-6)


@pytest.mark.parametrize("how", ["stretch", "crop", "pad"])
def test_a_picture_of_other_proportions(how):
    white = np.full((4, 8, 3), 255, np.uint8)
    made = feeds.Picture(resize=how)(png(white), kind(1, 3, 8, 8))
    assert made.shape == (1, 3, 8, 8)
    assert made[0, 0, 4].min() == 1
    assert made[0, 0, 0].max() == (0 if how == "pad" else 1)


def test_pictures_that_do_not_fit():
    with pytest.raises(SuanziError, match="4 axes"):
        feeds.Picture()(png(PICTURE), kind(3, 4))
    with pytest.raises(SuanziError, match="doesn't fit"):
        feeds.Picture(mean=(1.0, 2.0))(png(PICTURE), kind(1, 3, 4, 4))
    with pytest.raises(SuanziError, match="can't be 0"):
        feeds.Picture(std=(0.0,))(png(PICTURE), kind(1, 3, 4, 4))


def test_a_picture_that_is_too_large(monkeypatch):
    monkeypatch.setattr(feeds, "MOST_PIXELS", 20)
    with pytest.raises(SuanziError, match="too large"):
        feeds.open_picture(png(PICTURE))


def wav(samples, width, rate=8000):
    file = io.BytesIO()
    with wave.open(file, "wb") as opened:
        opened.setnchannels(samples.shape[1])
        opened.setsampwidth(width)
        opened.setframerate(rate)
        if width == 3:
            whole = np.round(samples * 2**31).astype("<i4").reshape(-1)
            opened.writeframes(whole.view(np.uint8).reshape(-1, 4)[:, 1:].tobytes())
        elif width == 1:
            opened.writeframes(np.round(samples * 128 + 128).astype(np.uint8).tobytes())
        else:
            opened.writeframes(
                np.round(samples * 2 ** (8 * width - 1)).astype(f"<i{width}").tobytes()
            )
    return file.getvalue()


WAVE = np.array([[0.5, -0.5], [0.25, 0.75], [-0.75, 0.25]])


@pytest.mark.parametrize("width", [1, 2, 3, 4])
def test_sound(width):
    found, rate = feeds.sound(wav(WAVE, width))
    np.testing.assert_allclose(found, WAVE, atol=2.0 ** (1 - 8 * width))
    assert rate == 8000


def test_sound_as_an_input():
    file = wav(WAVE, 2)
    np.testing.assert_allclose(feeds.from_sound(file, kind(1, 5)), [[0, 0.5, -0.25, 0, 0]])
    np.testing.assert_allclose(feeds.from_sound(file, kind(1, "T"), start=1), [[0.5, -0.25]])
    assert feeds.from_sound(file, kind("T"), rate=16000).shape == (6,)
    with pytest.raises(SuanziError, match="longer than 1"):
        feeds.from_sound(file, kind(2, 5))


@pytest.mark.parametrize("text", ["1 2 3 4", "1, 2,3,4", "[[1, 2], [3, 4]]", "1\n2\n3\n4"])
def test_numbers_as_text(text):
    np.testing.assert_array_equal(feeds.from_text(text, kind(2, 2)), [[1, 2], [3, 4]])


def test_text():
    assert feeds.from_text("7", kind(2, 2)).tolist() == [[7, 7], [7, 7]]
    words = feeds.from_text("a b\nc", TensorType(np.dtype(object), (2,)))
    assert words.tolist() == ["a b", "c"]
    for wrong in ("one", "[1, [2]]", "", "[" * 100_000):
        with pytest.raises(SuanziError):
            feeds.from_text(wrong, kind(2, 2))
    with pytest.raises(SuanziError, match="too many or too few"):
        feeds.from_text("1 2 3", kind(2, 2))


def test_random_numbers():
    made = feeds.random(kind(100), np.random.default_rng(0), -2, 5)
    assert -2 <= made.min() < -1
    assert 4 < made.max() <= 5
    whole = feeds.random(kind(100, dtype=np.int64), np.random.default_rng(0), 1, 3)
    assert set(whole.tolist()) == {1, 2, 3}
    with pytest.raises(SuanziError, match="a size is open"):
        feeds.random(kind("N"), np.random.default_rng(0))
