"""Gradients under `torch.autograd`'s names."""

from suanzi.tensor.autograd import Node, backward, grad
from suanzi.tensor.checking import GradcheckError, gradcheck, gradgradcheck
from suanzi.tensor.derivatives import functional
from suanzi.tensor.function import Function
from suanzi.tensor.modes import enable_grad, inference_mode, no_grad, set_grad_enabled

__all__ = [
    "Function", "GradcheckError", "Node", "backward", "enable_grad", "functional", "grad",
    "gradcheck", "gradgradcheck", "inference_mode", "no_grad", "set_grad_enabled",
]  # fmt: skip
