"""Names as people type them."""

import pytest

from suanzi import SuanziError, zoo


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("resnet50", "resnet50-v1-12.onnx"),
        ("ResNet-50", "resnet50-v1-12.onnx"),
        ("resnet", "resnet50-v1-12.onnx"),
        ("resnet50@7", "resnet50-v1-7.onnx"),
        ("resnet50:int8", "resnet50-v1-12-int8.onnx"),
        ("resnet50:qdq@12", "resnet50-v1-12-qdq.onnx"),
        ("resnet50@12:fp32", "resnet50-v1-12.onnx"),
        ("resnet50-v1-7", "resnet50-v1-7.onnx"),
        ("resnet50-v2", "resnet50-v2-7.onnx"),
        ("mobilenet", "mobilenetv2-12.onnx"),
        ("squeezenet", "squeezenet1.0-12.onnx"),
        ("squeezenet1.1", "squeezenet1.1-7.onnx"),
        ("squeezenet:qdq", "squeezenet1.0-13-qdq.onnx"),
        ("yolov4", "yolov4.onnx"),
        ("ssd", "ssd-12.onnx"),
        ("SSD-MobilenetV1", "ssd_mobilenet_v1_12.onnx"),
        ("Super_Resolution", "super-resolution-10.onnx"),
        ("mnist", "mnist-12.onnx"),
        ("bert", "bertsquad-12.onnx"),
        ("gpt2", "gpt2-10.onnx"),
        ("DenseNet-121", "densenet-12.onnx"),
    ],
)
def test_names(name, file):
    assert zoo.show(name).file.path.endswith(f"/{file}")


def test_every_label_means_its_own_file():
    entries = zoo.list()
    assert len(entries) == 184
    assert [zoo.show(entry.label) for entry in entries] == entries
    assert [zoo.show(entry.stem) for entry in entries] == entries
    assert len({entry.file.sha256 for entry in entries}) >= 180  # some files are the same
    assert all(entry.file.bytes > 0 and entry.samples.bytes > 0 for entry in entries)


@pytest.mark.parametrize(
    ("name", "texts"),
    [
        ("resnt50", ["no such model", "resnt50", "Did you mean resnet50"]),
        ("mobilnet", ["Did you mean mobilenetv2"]),
        ("zzzzzz", ["suanzi zoo list"]),
        ("", ["no such model"]),
        ("resnet50@8", ["no such version", "resnet50@7", "resnet50@12:int8", "resnet50@8"]),
        ("resnet50:int4", ["isn't understood", "int8", "resnet50:int4"]),
        ("resnet50@new", ["isn't understood"]),
    ],
)
def test_mistakes(name, texts):
    with pytest.raises(SuanziError) as told:
        zoo.show(name)
    for text in texts:
        assert text in str(told.value)


def test_filters():
    small = zoo.list("vision", 50e6)
    assert small
    assert all(entry.file.bytes <= 50e6 and "vision" in entry.tags for entry in small)
    assert {entry.name for entry in zoo.list("TEXT")} >= {"gpt2", "bertsquad"}
