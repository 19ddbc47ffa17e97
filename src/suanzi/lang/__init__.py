"""The kernel language: Python functions that trace to LLVM IR."""

from suanzi.lang.target import TARGETS, Target, host_target, runnable_targets
from suanzi.lang.tensor import Tensor
from suanzi.lang.trace import Trace, ceil_div, trace
from suanzi.lang.values import Condition, Index, Lanes, Mask, Var

__all__ = [
    "TARGETS",
    "Condition",
    "Index",
    "Lanes",
    "Mask",
    "Target",
    "Tensor",
    "Trace",
    "Var",
    "ceil_div",
    "host_target",
    "runnable_targets",
    "trace",
]
