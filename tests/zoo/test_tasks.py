"""Pictures in, words out: each task's input fits its model, each form of boxes is read back."""

import io
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import onnx
import pytest
from PIL import Image

from suanzi import SuanziError, data, zoo
from suanzi.inspect.feeds import Picture
from suanzi.operators import TensorType
from suanzi.zoo import Pretrained
from suanzi.zoo.answers import Classes
from suanzi.zoo.labels import labels
from suanzi.zoo.tasks import IMAGENET, TASKS

OWN = "/onnxmodelzoo/mnist-8/resolve/main/mnist-8.onnx"
WIDTH, HEIGHT = 200, 120


def encoded(pixels):
    file = io.BytesIO()
    Image.fromarray(np.asarray(pixels, np.uint8)).save(file, "png")
    return file.getvalue()


PICTURE = encoded(np.full((HEIGHT, WIDTH, 3), [200, 100, 50]))


def kind_of(text):
    """'float32[N, 3, 224, 224]' as a type."""
    dtype, _, sizes = text.rstrip("]").partition("[")
    dims = [int(size) if size.isdecimal() else size for size in sizes.split(", ")]
    return TensorType(np.dtype(dtype), tuple(dims))


def session_of(entry):
    """As much of a session as a task looks at, from the catalogue alone."""
    types = {name: kind_of(text) for name, text in entry.inputs.items()}
    return SimpleNamespace(graph=SimpleNamespace(inputs=tuple(types), types=types))


def feeds_of(name, picture=PICTURE):
    return TASKS[name].feeds(session_of(zoo.show(name)), picture)


@pytest.mark.parametrize("name", TASKS)
def test_a_picture_becomes_the_models_input(name):
    for entry in zoo.list():
        if entry.name != name or not entry.inputs:
            continue
        feeds = TASKS[name].feeds(session_of(entry), PICTURE)
        assert feeds.keys() == entry.inputs.keys()
        for port, text in entry.inputs.items():
            kind = kind_of(text)
            assert feeds[port].dtype == kind.dtype
            assert feeds[port].ndim == len(kind.shape)
            for size, wanted in zip(feeds[port].shape, kind.shape, strict=True):
                assert size == wanted or (isinstance(wanted, str) and size > 0)


@pytest.mark.parametrize("name", [n for n, t in TASKS.items() if isinstance(t.answer, Classes)])
def test_there_is_a_word_for_each_class(name):
    (output, *_) = map(kind_of, zoo.show(name).outputs.values())
    assert max(size for size in output.shape if isinstance(size, int)) == len(
        labels(TASKS[name].answer.names)
    )


def test_normalization():
    """What the pages of ONNX's zoo compute, on a picture of one colour."""
    red, green, blue = 200, 100, 50
    found = feeds_of("resnet50")["data"][0, :, 100, 100]
    wanted = (np.array([red, green, blue]) / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    np.testing.assert_allclose(found, wanted, rtol=1e-5)
    found = feeds_of("googlenet")["data_0"][0, :, 5, 5]
    np.testing.assert_allclose(found, [blue - 103.939, green - 116.779, red - 123.68], rtol=1e-5)
    found = feeds_of("efficientnet-lite4")["images:0"][0, 7, 7]
    np.testing.assert_allclose(found, (np.array([red, green, blue]) - 127) / 128, rtol=1e-5)
    found = feeds_of("faster-rcnn")["image"]
    assert found.shape == (3, 800, 1344)
    wanted = [blue - 102.9801, green - 115.9465, red - 122.7717]
    np.testing.assert_allclose(found[:, 9, 9], wanted, rtol=1e-5)
    assert (feeds_of("ssd-mobilenet-v1")["inputs"][0, 3, 3] == [red, green, blue]).all()


def test_the_crop_is_that_of_256_and_then_224():
    rng = np.random.default_rng(0)
    image = Image.fromarray(rng.integers(0, 256, (4, 6, 3), np.uint8)).resize((480, 320))
    found = IMAGENET.feeds(session_of(zoo.show("resnet50")), encoded(np.asarray(image)))["data"]
    small = image.resize((384, 256), Image.Resampling.BILINEAR).crop((80, 16, 304, 240))
    wanted = (np.asarray(small) / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    assert np.abs(found[0].transpose(1, 2, 0) - wanted).max() < 0.06


def test_sides_are_grey():
    file = encoded(np.full((10, 20, 3), 255))
    found = Picture(resize="pad", fill=128)(file, TensorType(np.dtype(np.float32), (1, 3, 20, 20)))
    assert found[0, :, 10, 10] == pytest.approx(1)
    assert found[0, :, 0, 0] == pytest.approx(128 / 255)


DOG = (40.0, 30.0, 120.0, 90.0)
"""A box on a picture of 200 x 120, and in each detector's input."""


def logit(p):
    return np.log(p / (1 - p))


def stretched():
    return np.array([40 / 200, 30 / 120, 120 / 200, 90 / 120])


def letterboxed():
    """On a square whose upper and lower fifth are grey."""
    left, top, right, bottom = DOG
    return np.array([left, top + 40, right, bottom + 40]) / 200


def grid(name, cells, anchors, stretch, box, number, best):
    """The whole output of one scale: everywhere nothing, but in one cell the box, by its `best`
    anchor; the neighbouring anchor has it too, less surely."""
    whole = np.full((cells, cells, len(anchors), 5 + number), -9.0, np.float32)
    center, size = (box[:2] + box[2:]) / 2 * cells, box[2:] - box[:2]
    column, row = np.floor(center).astype(int)
    for anchor, sure in ((best, 8.0), ((best + 1) % len(anchors), 4.0)):
        cell = whole[row, column, anchor]
        cell[:2] = logit((center - [column, row] + (stretch - 1) / 2) / stretch)
        cell[2:4] = np.log(size / anchors[anchor])
        cell[4] = sure
        cell[5 + labels(name).index("dog")] = 9.0
    return whole


def yolo_v2(name, number):
    (anchors,) = TASKS[{20: "tiny-yolov2", 80: "yolov2"}[number]].answer.find.anchors
    made = grid(name, 13, np.array(anchors) / 13, 1.0, stretched(), number, 2)
    return [made.transpose(2, 3, 0, 1).reshape(1, -1, 13, 13)]


def yolo_v4():
    find, made = TASKS["yolov4"].answer.find, []
    for cells, anchors, stretch in zip((52, 26, 13), find.anchors, find.stretch, strict=True):
        one = grid("coco80", cells, np.array(anchors) / 416, stretch, letterboxed(), 80, 1)
        one[..., 4:] = 1 / (1 + np.exp(-one[..., 4:]))
        made.append(one[None])
    return made


def listed(classes, box, order=(0, 1, 2, 3), batch=True):
    boxes = np.stack([box, box + 0.01, box * 0 + [0, 0, 0.1, 0.1]])[:, order]
    made = [boxes, np.array([classes] * 3), np.array([0.9, 0.8, 0.2])]
    return [x[None].astype(np.float32) for x in made] if batch else made


def yolo_v3():
    top, left, bottom, right = np.array(DOG)[[1, 0, 3, 2]]
    boxes = np.array([[[0, 0, 5, 5], [top, left, bottom, right]]], np.float32)
    scores = np.zeros((1, 80, 2), np.float32)
    scores[0, labels("coco80").index("dog"), 1] = 0.9
    return [boxes, scores, np.array([[0, labels("coco80").index("dog"), 1]], np.int32)]


def faces():
    boxes, _, scores = listed(1, stretched())
    return [np.stack([1 - scores, scores], -1), boxes]


def pixels_of_r_cnn():
    return np.array(DOG) / [200, 120, 200, 120] * [1344, 800, 1344, 800]


CONTIGUOUS = [word for word in labels("coco") if word != "N/A"].index("dog")


@pytest.mark.parametrize(
    ("name", "outputs"),
    [
        ("ssd", listed(CONTIGUOUS, stretched())),
        ("ssd-mobilenet-v1", listed(labels("coco").index("dog"), stretched(), (1, 0, 3, 2))),
        ("faster-rcnn", listed(CONTIGUOUS, pixels_of_r_cnn(), batch=False)),
        ("tiny-yolov2", yolo_v2("voc20", 20)),
        ("yolov2", yolo_v2("coco80", 80)),
        ("yolov3", yolo_v3()),
        ("tiny-yolov3", yolo_v3()),
        ("yolov4", yolo_v4()),
        ("ultraface-320", faces()),
    ],
)
def test_boxes(name, outputs):
    named = {str(i): value for i, value in enumerate(outputs)}
    answer = TASKS[name].tell(feeds_of(name), named, PICTURE)
    (guess,) = answer.guesses
    assert guess.label == ("face" if name == "ultraface-320" else "dog")
    assert guess.score > 0.85
    np.testing.assert_allclose(guess.box, DOG, atol=0.05)
    assert answer.picture.size == (WIDTH, HEIGHT)
    assert answer.picture.getpixel((80, 90)) != (200, 100, 50)
    assert answer.picture.getpixel((150, 60)) == (200, 100, 50)


def test_regions():
    scores = np.zeros((1, 21, 520, 864), np.float32)
    scores[0, 0] = 1
    scores[0, 12, 260:, :432] = 2
    answer = TASKS["fcn-resnet50"].tell(feeds_of("fcn-resnet50"), {"out": scores}, PICTURE)
    (guess,) = answer.guesses
    assert (guess.label, guess.score) == ("dog", 0.25)
    assert answer.picture.getpixel((20, 100)) != (200, 100, 50)
    assert answer.picture.getpixel((150, 20)) == (200, 100, 50)


def test_pictures_that_are_made():
    painted = np.full((1, 3, 4, 6), 300.0, np.float32)
    answer = TASKS["candy"].tell(feeds_of("candy"), {"y": painted}, PICTURE)
    assert answer.picture.size == (6, 4)
    assert answer.picture.getpixel((0, 0)) == (255, 255, 255)
    feeds = feeds_of("super-resolution")
    bright = np.full((1, 1, 360, 600), 0.5, np.float32)
    answer = TASKS["super-resolution"].tell(feeds, {"y": bright}, PICTURE)
    assert answer.picture.size == (600, 360)
    assert answer.picture.convert("L").getpixel((9, 9)) == pytest.approx(128, abs=2)


@pytest.mark.parametrize("softmax", [True, False])
def test_scores_before_and_after_a_softmax(softmax):
    logits = np.zeros((1, 1000), np.float32)
    logits[0, 281], logits[0, 282] = 20, 19
    if softmax:
        logits = np.exp(logits) / np.exp(logits).sum()
    answer = TASKS["resnet50"].tell(feeds_of("resnet50"), {"y": logits}, PICTURE)
    assert [guess.label for guess in answer.guesses[:2]] == ["tabby", "tiger cat"]
    assert answer.guesses[0].score == pytest.approx(1 / (1 + np.exp(-1)), rel=1e-3)


def test_a_whole_architecture():
    """The zoo's SqueezeNet, whose weights onnx's own tests replace by one number."""
    folder = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light"
    session = Pretrained(folder / "light_squeezenet.onnx", TASKS["squeezenet1.0"], threads=1)
    answer = session.answer(PICTURE)
    assert len(answer.guesses) == 5
    assert answer.picture is None


def test_load(server):
    server.files[OWN] = data.digits_model()
    session = zoo.load("mnist@8", threads=1)
    for file, pixels in data.digits().items():
        (first, *_) = session.answer(encoded(pixels[0, 0])).guesses
        assert first.label == file[0]
    for wrong in (b"no picture", "none.png"):
        with pytest.raises(SuanziError, match="can't read the picture"):
            session.answer(wrong)


def test_a_file_has_no_task(tmp_path):
    (tmp_path / "x.onnx").write_bytes(data.digits_model())
    session = zoo.load(tmp_path / "x.onnx", threads=1)
    assert session.task is None
    with pytest.raises(SuanziError, match="isn't known how"):
        session.answer(b"")


def test_a_picture_that_is_too_long():
    with pytest.raises(SuanziError, match="too long"):
        feeds_of("faster-rcnn", encoded(np.zeros((2, 90, 3))))
