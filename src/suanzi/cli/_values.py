"""Values of any kind for people, for programs and for files: tensors, texts, sequences, maps."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from suanzi.operators._operator import Array, TensorType

MOST_SHOWN = 64  # elements that are still shown whole


def described(value: Any) -> dict[str, Any]:
    """For JSON: the type, and the values.

    >>> described([np.array([1, 2])])["values"][0]["shape"]
    (2,)
    """
    match value:
        case None:
            return {"type": "none", "values": None}
        case list():
            return {"type": "sequence", "values": [described(x) for x in value]}
        case dict():
            return {"type": "map", "values": value}
    x = np.asarray(value)
    return {"type": type_name(x), "shape": x.shape, "values": x}


def type_name(x: Array) -> str:
    return "string" if x.dtype == object else x.dtype.name


def lines(name: str, value: Any) -> Iterator[str]:
    """The value under its name; what a sequence or a map holds is set in.

    >>> print(*lines("s", [np.array(["a"], object), None]), sep="\\n")
    s: sequence of 2
      0: string[1]
      ['a']
      1: none
    """
    match value:
        case None:
            yield f"{name}: none"
        case list():
            yield f"{name}: sequence of {len(value)}"
            for i, x in enumerate(value):
                yield from (f"  {line}" for line in lines(str(i), x))
        case dict():
            yield f"{name}: map of {len(value)}"
            yield from (f"  {key}: {x}" for key, x in value.items())
        case _:
            x = np.asarray(value)
            yield f"{name}: {str(TensorType(x.dtype, x.shape)).replace('object', 'string')}"
            with np.printoptions(threshold=MOST_SHOWN, precision=5, suppress=True):
                yield from str(x).split("\n")


def arrays(name: str, value: Any) -> Iterator[tuple[str, Array]]:
    """The arrays of a value, each with a name: a sequence's elements, a map's keys and values.

    >>> [(name, x.tolist()) for name, x in arrays("m", [{"a": 1.5}, np.array(2)])]
    [('m[0].keys', ['a']), ('m[0].values', [1.5]), ('m[1]', 2)]
    """
    match value:
        case None:
            return
        case list():
            for i, x in enumerate(value):
                yield from arrays(f"{name}[{i}]", x)
        case dict():
            keys = np.array([*value])
            yield f"{name}.keys", keys.astype(object) if keys.dtype.kind == "U" else keys
            yield f"{name}.values", np.array([*value.values()])
        case _:
            yield name, np.asarray(value)
