"""Channels of several groups mixed, as ShuffleNet does between its grouped convolutions."""

from typing import Any

import numpy as np

from suanzi.errors import SuanziError
from suanzi.operators._operator import Array, Example, Operator, TensorType, operator, require


@operator(family="shape", torch="nn.ChannelShuffle")
class ChannelShuffle(Operator):
    """Y[n, j·group + i, ...] = X[n, i·C/group + j, ...]: one channel of each group in turn.

    X and Y [N, C, ...], C a multiple of group. ONNX has no such operator: its models reshape to
    [N, group, C/group, ...], transpose the two axes and reshape back.
    Source: https://arxiv.org/abs/1707.01083
    """

    group: int

    def infer(self, X: TensorType) -> TensorType:
        if self.group < 1:
            raise SuanziError("wrong group", expected="at least 1", found=self.group)
        require(X.rank is None or X.rank > 1, "wrong rank", "X", "2 axes or more", X)
        if X.shape is not None and isinstance(X.shape[1], int):
            whole, expected = X.shape[1] % self.group == 0, f"a multiple of {self.group}"
            require(whole, "wrong number of channels", "X", expected, X.shape[1])
        return TensorType(X.dtype, X.shape)

    def numpy(self, X: Array) -> Array:
        N, C, *sizes = X.shape
        grouped = X.reshape(N, self.group, C // self.group, *sizes)
        return grouped.swapaxes(1, 2).reshape(X.shape)

    def grad(self, dY: Any, _Y: Any, _X: Any) -> tuple[Any, ...]:
        return (ChannelShuffle(group=max(_X.shape[1] // self.group, 1))(dY),)

    @classmethod
    def examples(cls) -> list[Example]:
        X = np.arange(12, dtype=np.float32).reshape(1, 6, 2)
        return [Example(cls(group=2), (X,)), Example(cls(group=3), (X[..., None],))]
