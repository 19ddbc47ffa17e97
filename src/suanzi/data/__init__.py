"""The bundled model and pictures; README.md beside this file says where they are from."""

from importlib import resources

import numpy as np

from suanzi.operators._operator import Array


def digits_model() -> bytes:
    """mnist-8 from the ONNX Model Zoo, as a file's bytes."""
    return (resources.files(__name__) / "mnist-8.onnx").read_bytes()


def digits() -> dict[str, Array]:
    """Ten pictures of handwritten digits by file name, each named after what it shows, as the
    model's input: float32 [1, 1, 28, 28], 0 to 255.

    >>> digits()["7.png"].shape
    (1, 1, 28, 28)
    """
    from PIL import Image

    pictures = {}
    for file in sorted((resources.files(__name__) / "digits").iterdir(), key=lambda f: f.name):
        with file.open("rb") as opened, Image.open(opened) as image:
            pictures[file.name] = np.asarray(image.convert("L"), np.float32)[None, None]
    return pictures
