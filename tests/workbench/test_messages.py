"""What leaves as JSON, whatever it holds."""

import json
from dataclasses import dataclass

import numpy as np
import pytest

from suanzi.inspect.plain import plain
from suanzi.operators._operator import TensorType
from suanzi.workbench.messages import encode


@dataclass(frozen=True)
class Told:
    name: str
    values: tuple
    more: dict


FLOAT32 = TensorType(np.dtype(np.float32), (1, "N"))


@pytest.mark.parametrize(
    "value",
    [
        Told("x", (1, 2.5, None, True), {"a": Told("y", (), {}), "type": str(FLOAT32)}),
        [np.float32(0.5), np.int64(3), np.arange(4).reshape(2, 2), np.dtype("int8")],
        Told("bad", (float("nan"), float("inf"), np.float32("nan")), {"x": [-float("inf")]}),
        {"array": np.array([1.0, np.nan])},
        Told("算子", (FLOAT32,), {}),
    ],
    ids=["nested", "numpy", "no numbers", "no number in an array", "types"],
)
def test_json_says_what_plain_data_would(value):
    assert json.loads(encode(value)) == plain(value)
