"""Dropout: the identity at inference, random zeros in training."""

from typing import Any, ClassVar

import numpy as np

from suanzi.operators._checks import widen
from suanzi.operators._gradients import like
from suanzi.operators._operator import Array, Example, Operator, TensorType, operator, require
from suanzi.operators.cast import cast
from suanzi.operators.logic import Where, masked


@operator(family="dropout", torch="nn.Dropout")
class Dropout(Operator):
    """output = data · mask / (1 - ratio), where each element of the mask holds (is 1) with
    probability 1 - ratio; unless training_mode is true, output = data, and the mask holds.

    data and output one shape and type, mask bool; ratio (0.5) and training_mode (false) scalars.
    With `seed` the mask is that of ONNX's reference: NumPy's RandomState. Before opset 12
    there was no training_mode and ratio was an attribute; before 10 the mask had data's type;
    before 7 is_test said whether it was inference.
    Source: https://onnx.ai/onnx/operators/onnx__Dropout.html (opset 22)
    """

    seed: int | None = None
    deterministic: ClassVar[bool] = False  # in training without a seed

    def infer(
        self,
        data: TensorType,
        ratio: TensorType | None = None,
        training_mode: TensorType | None = None,
    ) -> tuple[TensorType, TensorType]:
        mask = TensorType(np.dtype(np.bool_), data.shape)
        return TensorType(data.dtype, data.shape), mask

    def numpy(
        self, data: Array, ratio: Array | None = None, training_mode: Array | None = None
    ) -> tuple[Array, Array]:
        probability = 0.5 if ratio is None else float(ratio.item())
        valid = 0 <= probability < 1
        require(valid, "wrong ratio", "ratio", "from 0 up to, not including, 1", probability)
        if training_mode is None or not training_mode.any() or probability == 0:
            return data, np.ones(data.shape, np.bool_)
        random = np.random.RandomState(None if self.seed is None else self.seed % 2**32)
        mask = np.asarray(random.uniform(0, 1, data.shape) >= probability)
        return (mask * widen(data) * (1 / (1 - probability))).astype(data.dtype), mask

    def grad(
        self,
        dY: tuple[Any, Any],
        Y: tuple[Any, Any],
        _data: Any,
        ratio: Any = None,
        training_mode: Any = None,
    ) -> tuple[Any, ...]:
        d = dY[0]
        if training_mode is None:
            return (d,)
        kept = 1 - cast(like(0.5, d) if ratio is None else ratio, d.dtype)
        return (masked(Y[1], d / Where()(training_mode, kept, like(1, d))),)

    @classmethod
    def examples(cls) -> list[Example]:
        data, ratio = np.arange(1, 9, dtype=np.float32), np.array(0.5, np.float32)
        return [
            Example(cls(), (data, ratio)),
            Example(cls(seed=0), (data, ratio, np.array(True))),
        ]
