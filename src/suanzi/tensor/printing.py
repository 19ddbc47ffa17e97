"""How a tensor prints: as PyTorch's do."""

from typing import TYPE_CHECKING

import numpy as np

from suanzi.tensor import dtypes

if TYPE_CHECKING:
    from suanzi.tensor.core import Tensor


def text(x: "Tensor") -> str:
    """The numbers, and what isn't plain about the tensor."""
    if type(x._value) is not np.ndarray:
        return f"tensor(<traced>, size={tuple(x.shape)}, dtype={x.dtype})"
    value = x._value
    notes = []
    if value.size == 0 and value.shape != (0,):
        notes.append(f"size={tuple(x.shape)}")
    if x.dtype not in (dtypes.get_default_dtype(), dtypes.int64, dtypes.bool_):
        notes.append(f"dtype={x.dtype}")
    if x.grad_fn is not None:
        notes.append(f"grad_fn={x.grad_fn!r}")
    elif x.requires_grad:
        notes.append("requires_grad=True")
    numbers = _numbers(value)
    return f"tensor({', '.join([numbers, *notes])})"


def _numbers(value: "np.ndarray[tuple[int, ...], np.dtype[np.generic]]") -> str:
    if value.dtype.kind not in "iub":
        value = value.astype(np.float64)
        finite = value[np.isfinite(value)]
        whole = bool((finite == np.rint(finite)).all())
        large = finite.size and np.abs(finite).max() >= 1e8
        small = finite[finite != 0]
        tiny = small.size and np.abs(small).min() < 1e-4
        spread = small.size and np.abs(small).max() / np.abs(small).min() > 1e3
        scientific = bool((tiny and not whole) or large or (spread and not whole))
        style = (lambda v: f"{v:.4e}") if scientific else (
            (lambda v: f"{v:.0f}.") if whole else (lambda v: f"{v:.4f}")
        )  # fmt: skip
        formatter = {"float_kind": lambda v: style(v) if np.isfinite(v) else str(v)}
    else:
        formatter = {"bool": lambda v: str(bool(v))}
    return np.array2string(
        value, separator=", ", prefix="tensor(", formatter=formatter, threshold=1000, edgeitems=3,
        max_line_width=80,
    )  # fmt: skip
