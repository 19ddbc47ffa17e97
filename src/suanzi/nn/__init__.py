"""PyTorch's `torch.nn` on Suanzi's operators."""

from suanzi.nn import init, parameter, utils
from suanzi.nn.containers import ModuleDict, ModuleList, Sequential
from suanzi.nn.lazy import LazyModuleMixin
from suanzi.nn.module import Module
from suanzi.nn.parameter import Buffer, Parameter, UninitializedBuffer, UninitializedParameter
from suanzi.nn.parameter_containers import ParameterDict, ParameterList

__all__ = [
    "Buffer",
    "LazyModuleMixin",
    "Module",
    "ModuleDict",
    "ModuleList",
    "Parameter",
    "ParameterDict",
    "ParameterList",
    "Sequential",
    "UninitializedBuffer",
    "UninitializedParameter",
    "init",
    "parameter",
    "utils",
]
