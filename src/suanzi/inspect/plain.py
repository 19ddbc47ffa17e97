"""Any data of ours as JSON has it: dataclasses, arrays and numbers of NumPy's, types."""

import dataclasses
import math
from typing import Any

import numpy as np


def plain(value: Any) -> Any:
    """The same as dicts, lists, texts and numbers; numbers that JSON lacks become None.

    >>> plain({"x": np.float32([1, np.nan]), "shape": (2,), "type": np.dtype("int8")})
    {'x': [1.0, None], 'shape': [2], 'type': 'int8'}
    """
    match value:
        case None | bool() | str() | int():
            return value
        case float():
            return value if math.isfinite(value) else None
        case dict():
            return {str(key): plain(item) for key, item in value.items()}
        case list() | tuple():
            return [plain(item) for item in value]
        case np.ndarray() if value.dtype.kind == "V":  # bfloat16 and its like
            return plain(value.astype(np.float32))
        case np.ndarray() | np.generic():
            return plain(value.tolist())
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    return str(value)
