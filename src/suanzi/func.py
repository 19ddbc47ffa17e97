"""Modules as functions of their parameters: a part of PyTorch's `torch.func`."""

from suanzi.nn.utils.stateless import functional_call

__all__ = ["functional_call"]
