"""The words for a model's classes, from data/*.txt; NOTICE says where the lists are from."""

import functools
from importlib import resources


@functools.cache
def labels(name: str) -> tuple[str, ...]:
    """
    >>> labels("imagenet")[281], labels("coco")[17], labels("coco80")[15], len(labels("coco80"))
    ('tabby', 'cat', 'cat', 80)
    """
    match name:
        case "digits":
            return tuple("0123456789")
        case "faces":
            return ("background", "face")
        case "coco80":  # without the background and the numbers that were never used
            return tuple(word for word in labels("coco")[1:] if word != "N/A")
        case "voc20":
            return labels("voc")[1:]
    text = (resources.files("suanzi.zoo") / "data" / f"{name}.txt").read_text(encoding="utf-8")
    return tuple(text.splitlines())
