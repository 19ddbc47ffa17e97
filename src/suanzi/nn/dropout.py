"""Layers of dropout."""

from typing import Any

from suanzi.errors import SuanziError
from suanzi.nn import functional as F  # noqa: N812  (everybody's name for it)
from suanzi.nn.module import Module
from suanzi.tensor import Tensor


class _Dropout(Module):
    _function: Any

    def __init__(self, p: float = 0.5, inplace: bool = False) -> None:
        super().__init__()
        if not 0 <= p <= 1:
            raise SuanziError("wrong probability", input="p", expected="from 0 to 1", found=p)
        self.p, self.inplace = p, inplace

    def forward(self, input: Tensor) -> Tensor:
        """In evaluation the input as it is."""
        made: Tensor = self._function(input, self.p, self.training, self.inplace)
        return made

    def extra_repr(self) -> str:
        return f"p={self.p}, inplace={self.inplace}"


class Dropout(_Dropout):
    """Each element zero with the probability p, in training; the others times 1 / (1 - p)."""

    _function = staticmethod(F.dropout)


class Dropout1d(_Dropout):
    """Whole channels zero with the probability p, in training: input (N, C, L) or (C, L)."""

    _function = staticmethod(F.dropout1d)


class Dropout2d(_Dropout):
    """Whole channels zero with the probability p, in training: input (N, C, H, W)."""

    _function = staticmethod(F.dropout2d)


class Dropout3d(_Dropout):
    """Whole channels zero with the probability p, in training: input (N, C, D, H, W)."""

    _function = staticmethod(F.dropout3d)


class AlphaDropout(_Dropout):
    """Dropout that keeps the mean and the variance of what SELU gives."""

    _function = staticmethod(F.alpha_dropout)


class FeatureAlphaDropout(_Dropout):
    """AlphaDropout of whole channels."""

    _function = staticmethod(F.feature_alpha_dropout)
