"""What the tests of real models share: the fetched files, the peer, and the models' own formats."""

from pathlib import Path

import numpy as np
import onnxruntime
import pytest

F32 = np.float32
FETCHED = Path(__file__).parents[1] / "models"
OCR = "rapidocr_onnxruntime/models"


def fetched(name: str, script: str = "fetch_models") -> str:
    path = FETCHED / name
    if not path.is_file():
        pytest.skip(f"{path} isn't there: run scripts/{script}.py")
    return str(path)


def peer(model):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def normalized(picture):
    """A picture as PP-OCR's detection of text takes it: [1, 3, H, W]."""
    mean, std = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    return pixels(picture, mean, std)[None]


def pixels(image, mean, std):
    """As PP-OCR normalises a picture: [3, H, W]."""
    return ((np.asarray(image, F32) / 255 - mean) / std).transpose(2, 0, 1).astype(F32)


def characters(session):
    """What each class of PP-OCR's recognition stands for; the first is CTC's blank."""
    table = session.get_modelmeta().custom_metadata_map["character"]
    return ["", *table.splitlines(), " "]


def read(scores, characters):
    """CTC's greedy decoding: the best of each step, repetitions and blanks left out."""
    best = scores.argmax(-1)
    kept = best[(best != 0) & (best != np.roll(best, 1))]
    return "".join(characters[i] for i in kept)
