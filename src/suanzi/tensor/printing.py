"""How a tensor prints: as PyTorch's do."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from suanzi.errors import SuanziError
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
    return _noted(f"tensor({numbers}", notes) + ")"


def _noted(text: str, notes: list[str]) -> str:
    """The notes after the numbers, on a new line where they'd be beyond the width."""
    indent = len("tensor(")
    last = len(text) - text.rfind("\n") + 1
    for note in notes:
        if last + len(note) + 2 > _options.linewidth:
            text += ",\n" + " " * indent + note
            last = indent + len(note)
        else:
            text += ", " + note
            last += len(note) + 2
    return text


@dataclass
class _Options:
    """What set_printoptions sets; PyTorch's defaults."""

    precision: int = 4
    threshold: float = 1000
    edgeitems: int = 3
    linewidth: int = 80
    sci_mode: bool | None = None


_options = _Options()
PROFILES = {
    "default": _Options(),
    "short": _Options(precision=2, edgeitems=2),
    "full": _Options(threshold=float("inf")),
}


def set_printoptions(
    precision: int | None = None, threshold: float | None = None, edgeitems: int | None = None,
    linewidth: int | None = None, profile: str | None = None, sci_mode: bool | None = None,
) -> None:  # fmt: skip
    """Sets how tensors print: digits, when to leave elements out, how wide."""
    global _options
    if profile is not None:
        if profile not in PROFILES:
            raise SuanziError("no such profile", input="profile", expected=", ".join(PROFILES),
                              found=profile)  # fmt: skip
        _options = PROFILES[profile]
    given = {"precision": precision, "threshold": threshold, "edgeitems": edgeitems,
             "linewidth": linewidth}  # fmt: skip
    changed: dict[str, Any] = {k: v for k, v in given.items() if v is not None}
    _options = replace(_options, **changed, sci_mode=sci_mode)


def _summarized(value: Any) -> Any:
    """The elements that are shown, which decide the form."""
    edge = _options.edgeitems
    if value.size <= _options.threshold:
        return value
    for at, size in enumerate(value.shape):
        if size > 2 * edge:
            value = np.take(value, [*range(edge), *range(size - edge, size)], at)
    return value


def _style(value: Any) -> Callable[[Any], str]:
    """How one number is written, by all that are shown."""
    if value.dtype.kind not in "fV":
        return lambda v: str(bool(v)) if value.dtype == np.bool_ else str(int(v))
    shown = _summarized(value).astype(np.float64).reshape(-1)
    digits = _options.precision
    sizes = np.abs(shown[np.isfinite(shown) & (shown != 0)])
    whole = bool((sizes == np.ceil(sizes)).all())
    scientific = _options.sci_mode
    if scientific is None:
        wide = sizes.size > 0 and sizes.max() / sizes.min() > 1000
        large = sizes.size > 0 and sizes.max() > 1e8
        small = sizes.size > 0 and sizes.min() < 1e-4
        scientific = bool(large or wide or (small and not whole))
    if scientific:
        return lambda v: f"{v:.{digits}e}"
    if whole:
        return lambda v: f"{v:.0f}." if np.isfinite(v) else f"{v:.0f}"
    return lambda v: f"{v:.{digits}f}"


def _numbers(value: Any) -> str:
    style = _style(value)
    shown = _summarized(value).reshape(-1)
    if value.dtype.kind in "fV":  # what is infinite or NaN may stand out
        wide = shown.astype(np.float64)
        shown = shown[np.isfinite(wide) & (wide != 0)]
    width = max((len(style(v)) for v in shown), default=1)
    return _rows(value, lambda v: style(v).rjust(width), width, len("tensor("))


def _rows(value: Any, style: Callable[[Any], str], width: int, indent: int) -> str:
    """Nested brackets, as PyTorch breaks them into lines."""
    edge = _options.edgeitems
    short = value.size > _options.threshold
    if value.ndim == 0:
        return style(value[()]).strip()
    return _nested(value, style, width, indent, edge if short else None)


def _nested(value: Any, style: Any, width: int, indent: int, edge: int | None) -> str:
    n = value.shape[0]
    cut = edge is not None and n > 2 * edge
    kept = [*range(edge), None, *range(n - edge, n)] if cut and edge is not None else [*range(n)]
    if value.ndim == 1:
        parts = [" ..." if i is None else style(value[i]) for i in kept]
        each = max(1, (_options.linewidth - indent) // (width + 2))
        lines = [", ".join(parts[i : i + each]) for i in range(0, len(parts), each)]
        return "[" + (",\n" + " " * (indent + 1)).join(lines) + "]"
    parts = [
        "..." if i is None else _nested(value[i], style, width, indent + 1, edge) for i in kept
    ]
    between = "," + "\n" * (value.ndim - 1) + " " * (indent + 1)
    return "[" + between.join(parts) + "]"
