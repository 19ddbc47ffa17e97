"""Tensors with PyTorch's interface, on Suanzi's operators."""

# ruff: noqa: F401  (what is imported here are the package's names)

import sys
from types import ModuleType
from typing import Any

from suanzi.tensor import indexing as _indexing  # it gives tensors x[...]
from suanzi.tensor import views as _views
from suanzi.tensor.arithmetic import *  # noqa: F403
from suanzi.tensor.asking import *  # noqa: F403
from suanzi.tensor.autograd import Handle, backward, grad
from suanzi.tensor.compiling import compile
from suanzi.tensor.constants import *  # noqa: F403
from suanzi.tensor.core import Size, Tensor, apply, leaf, wrap
from suanzi.tensor.creation import *  # noqa: F403
from suanzi.tensor.creation import tensor
from suanzi.tensor.device import device
from suanzi.tensor.diagonals import *  # noqa: F403
from suanzi.tensor.distances import *  # noqa: F403
from suanzi.tensor.dtypes import (
    bfloat16,
    bool_,
    can_cast,
    dtype,
    finfo,
    float16,
    float32,
    float64,
    get_default_dtype,
    iinfo,
    int8,
    int16,
    int32,
    int64,
    promote_types,
    set_default_dtype,
    uint8,
    uint16,
    uint32,
    uint64,
)  # fmt: skip
from suanzi.tensor.exporting import export
from suanzi.tensor.function import Function
from suanzi.tensor.gathering import *  # noqa: F403
from suanzi.tensor.joining import *  # noqa: F403
from suanzi.tensor.legacy import *  # noqa: F403
from suanzi.tensor.mathematics import *  # noqa: F403
from suanzi.tensor.matrices import *  # noqa: F403
from suanzi.tensor.modes import (
    enable_grad,
    inference_mode,
    is_grad_enabled,
    no_grad,
    set_grad_enabled,
)  # fmt: skip
from suanzi.tensor.pointwise import *  # noqa: F403
from suanzi.tensor.printing import set_printoptions
from suanzi.tensor.products import *  # noqa: F403
from suanzi.tensor.random import *  # noqa: F403
from suanzi.tensor.reductions import *  # noqa: F403
from suanzi.tensor.scans import *  # noqa: F403
from suanzi.tensor.serialization import load, save
from suanzi.tensor.sorting import *  # noqa: F403
from suanzi.tensor.stacking import *  # noqa: F403
from suanzi.tensor.threads import get_num_threads, set_num_threads
from suanzi.tensor.tracing import eagerly, scalar
from suanzi.tensor.views import *  # noqa: F403

bool, half, float, double = bool_, float16, float32, float64
short, int, long = int16, int32, int64


class _Callable(ModuleType):
    """The package itself makes a tensor, as `torch.tensor` does.

    >>> import suanzi
    >>> suanzi.tensor([1.0, 2.0])
    tensor([1., 2.])
    """

    def __call__(self, *args: Any, **kwargs: Any) -> Tensor:
        return tensor(*args, **kwargs)


sys.modules[__name__].__class__ = _Callable
