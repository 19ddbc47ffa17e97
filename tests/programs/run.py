"""Runs a program that uses onnxruntime on its own demo: python run.py PROGRAM RUNTIME INPUT.

RUNTIME is onnxruntime, or suanzi, which then takes onnxruntime's place: nothing else changes. What
the program says is printed as JSON.
"""

import importlib
import json
import logging
import sys
import warnings
from pathlib import Path

import numpy as np


def rapidocr_onnxruntime(page):
    """The texts of a picture, where they are and how sure it is."""
    from rapidocr_onnxruntime import RapidOCR

    found, _ = RapidOCR()(page)
    return [
        [text, np.round(box).astype(int).tolist(), round(float(p), 3)] for box, text, p in found
    ]


def magika(folder):
    """What kind of file each is."""
    from magika import Magika

    made = Magika()
    files = sorted(path for path in Path(folder).iterdir() if path.is_file())
    said = made.identify_paths(files)
    said += [made.identify_bytes(b"import os\n\n\ndef f(x):\n    return os.path.join(x)\n" * 20)]
    return [[each.output.label, round(each.score, 3)] for each in said]


def silero_vad(sound):
    """When somebody speaks: by the model itself, and in chunks as they come."""
    import wave

    import torch
    from silero_vad import get_speech_timestamps, load_silero_vad

    with wave.open(sound) as file:
        assert file.getframerate() == 16000
        samples = np.frombuffer(file.readframes(file.getnframes()), np.int16) / 32768
    x = torch.from_numpy(samples.astype(np.float32))
    model = load_silero_vad(onnx=True)
    times = get_speech_timestamps(x, model, sampling_rate=16000)
    model.reset_states()
    chunks = [float(model(part, 16000)) for part in x.split(512) if len(part) == 512]
    return [times, [round(p, 3) for p in chunks]]


def basic_pitch(sound):
    """The notes: from when to when, which, how loud."""
    from basic_pitch import ICASSP_2022_MODEL_PATH
    from basic_pitch.inference import predict

    model = Path(ICASSP_2022_MODEL_PATH).with_name("nmp.onnx")
    _, _, notes = predict(sound, model)
    return sorted([round(a, 2), round(b, 2), int(pitch), round(float(v), 2)]
                  for a, b, pitch, v, _ in notes)  # fmt: skip


if __name__ == "__main__":
    program, runtime, given = sys.argv[1:]
    logging.disable()
    warnings.simplefilter("ignore")
    if runtime == "suanzi":
        sys.modules["onnxruntime"] = importlib.import_module("suanzi")
    print(json.dumps(globals()[program](given)))
    taken = sys.modules["onnxruntime"].__name__
    assert taken == runtime, taken
