"""Programs made for onnxruntime run on Suanzi, their import alone replaced: the same results."""

import json
import os
import subprocess
import sys
import wave
from pathlib import Path

import numpy as np
import pytest

from model_support import fetched

ROOT = Path(__file__).parents[1]
PROGRAMS = ROOT / "programs"
RUN = ROOT / "tests/programs/run.py"


def said(program, runtime, given):
    """What the program prints, run in a process of its own; its packages come after ours."""
    path = os.pathsep.join([*filter(None, sys.path), str(PROGRAMS)])
    done = subprocess.run(
        [sys.executable, RUN, program, runtime, given],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(autouse=True)
def installed():
    if not (PROGRAMS / "installed.txt").is_file():
        pytest.skip("run scripts/fetch_programs.py")


def both(program, given):
    ours, theirs = said(program, "suanzi", given), said(program, "onnxruntime", given)
    assert flat(ours) == pytest.approx(flat(theirs), abs=0.02)
    return ours


def flat(value):
    return [x for part in value for x in flat(part)] if isinstance(value, list) else [unlike(value)]


def unlike(value):
    return json.dumps(value, sort_keys=True) if isinstance(value, dict) else value


def test_rapidocr_reads_a_page():
    found = both("rapidocr_onnxruntime", fetched("skimage/data/page.png"))
    texts = " ".join(text for text, _, _ in found)
    assert "markers" in texts
    assert "background" in texts


def test_magika_names_files(tmp_path):
    (tmp_path / "a.md").write_text("# Title\n\nA *paragraph* with `code` and [a link](x.md).\n" * 9)
    rows = [{"id": i, "name": f"n{i}", "tags": ["a", "b"]} for i in range(30)]
    (tmp_path / "b.json").write_text(json.dumps(rows, indent=2))
    (tmp_path / "c.c").write_text('#include <stdio.h>\nint main(void) { puts("x"); return 0; }\n')
    labels = [label for label, _ in both("magika", str(tmp_path))]
    assert labels == ["markdown", "json", "c", "python"]


def test_silero_finds_speech():
    pytest.importorskip("torch")
    times, chunks = both("silero_vad", fetched("pipecat/services/aws/nova_sonic/ready.wav"))
    assert len(times) == 1
    assert max(chunks) > 0.9


def test_basic_pitch_writes_notes(tmp_path):
    """Three tones with overtones, one after the other: C4, E4, G4."""
    rate = 22050
    t = np.arange(rate) / rate
    fade = np.minimum(1, np.minimum(t / 0.02, (1 - t) / 0.1))
    tones = [
        fade * sum(np.sin(2 * np.pi * f * k * t) / k**2 for k in range(1, 6))
        for f in (261.63, 329.63, 392.0)
    ]
    path = tmp_path / "tones.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes((np.concatenate(tones) * 9000).astype(np.int16).tobytes())
    notes = both("basic_pitch", str(path))
    assert [pitch for _, _, pitch, loud in notes if loud > 0.5] == [60, 64, 67]
