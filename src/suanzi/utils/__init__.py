"""PyTorch's `torch.utils`, as far as Suanzi has it: `data`."""

from suanzi.utils import data

__all__ = ["data"]
