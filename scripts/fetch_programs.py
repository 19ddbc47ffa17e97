"""Installs programs that use onnxruntime, to be run on Suanzi in its place by the tests.

    python scripts/fetch_programs.py [FOLDER]

The folder is `programs/` beside this script's by default, and isn't committed. Nothing is
installed into the environment: the programs need older packages than ours.
"""

import argparse
import subprocess
import sys
from pathlib import Path

PROGRAMS = [
    "rapidocr-onnxruntime==1.4.4",
    "magika==1.0.3",
    "silero-vad==6.2.3",
    "basic-pitch==0.4.0",
]
NEEDED = [
    # rapidocr
    "opencv-python-headless==5.0.0.93", "pyclipper==1.4.0", "pyyaml==6.0.3", "shapely==2.2.0",
    "six==1.17.0", "tqdm==4.70.1",
    # magika
    "python-dotenv==1.2.4",
    # basic-pitch
    "audioread==3.1.0", "cffi==2.1.1", "decorator==5.3.1", "importlib_resources==7.1.0",
    "joblib==1.6.0", "lazy_loader==0.6", "librosa==0.11.0", "mido==1.3.3", "mir_eval==0.8.2",
    "msgpack==1.2.4", "numba==0.68.1", "pooch==1.9.0", "pretty_midi==0.2.11.post0",
    "pycparser==3.12", "resampy==0.4.3", "soundfile==0.14.0", "soxr==1.1.0",
    "threadpoolctl==3.8.0",
]  # fmt: skip
"""What they need beside NumPy, SciPy, Pillow, click, packaging and PyTorch, without these."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    default = Path(__file__).resolve().parents[1] / "programs"
    parser.add_argument("folder", nargs="?", type=Path, default=default)
    folder = parser.parse_args().folder
    wanted, done = "\n".join(PROGRAMS + NEEDED), folder / "installed.txt"
    if done.is_file() and done.read_text() == wanted:
        print("already there")
        return
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--upgrade"]
    subprocess.run([*command, f"--target={folder}", *PROGRAMS, *NEEDED], check=True)
    done.write_text(wanted)
    print(f"{len(PROGRAMS)} programs in {folder}")


if __name__ == "__main__":
    main()
