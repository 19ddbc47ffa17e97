"""A node as code with PyTorch's functions."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from suanzi.errors import SuanziError
from suanzi.graph import Graph, Node
from suanzi.inspect.code import settings, variables
from suanzi.operators import (
    activation,
    cast,
    convolution,
    filling,
    indexing,
    joining,
    linear,
    normalization,
    pooling,
    resize,
    shape,
    softmax,
)
from suanzi.operators._operator import Operator, TensorType
from suanzi.operators._types import element_type
from suanzi.operators._windows import Axis, Windowed
from suanzi.operators.reduction import Reduction

Types = Sequence[TensorType | None]


def torch_code(graph: Graph, node: Node) -> str | None:
    """The node with PyTorch's functions, where PyTorch has it."""
    inputs, outputs = variables(node)
    operator = node.operator
    types = tuple(graph.types.get(name) if name else None for name in node.inputs)
    arguments = [
        _constant(graph, name) or written for name, written in zip(node.inputs, inputs, strict=True)
    ]
    writer = next((w for kind, w in WRITERS.items() if isinstance(operator, kind)), None)
    if writer is not None:
        try:
            call = writer(operator, arguments, types)
        except SuanziError:  # what isn't known yet of the types
            return None
    elif operator.torch:
        call = _call(operator.torch, operator, arguments, types)
    else:
        return None
    heads = {
        "F.": "import torch.nn.functional as F",
        "nn.": "from torch import nn",
        "torch.": "import torch",
        "torchvision.": "import torchvision",
    }
    used = [
        line for head, line in heads.items() if re.search(rf"(?<![\w.]){re.escape(head)}", call)
    ]
    head = "\n".join(sorted(used, reverse=True)) + "\n\n" if used else ""
    return f"{head}{', '.join(outputs)} = {call}"


def _constant(graph: Graph, name: str) -> str | None:
    """A small constant as PyTorch takes it: a number, or a tuple of them."""
    x = graph.constants.get(name)
    if x is None or x.size > 8 or x.dtype.kind not in ("i" if x.ndim else "ifb") or x.ndim > 1:
        return None
    return repr(tuple(x.tolist()) if x.ndim else x.item())


def _call(torch: str, operator: Operator, arguments: Sequence[str], types: Types) -> str:
    """By the name that the operator knows: a function, a method or a module. What attributes say is
    a remark, since PyTorch has other words for it."""
    given = [a for a in arguments if a != "None"]
    name = torch.replace("{n}", str(max(1, _rank(types) - 2)))
    told = settings(operator)
    remark = f"  # {told}" if told else ""
    inside = "..." if told else ""
    if name.startswith("nn."):
        return f"{name}({inside})({', '.join(given)}){remark}"
    method = name.removeprefix("torch.Tensor.")
    if method == "__getitem__":
        return f"{given[0]}[...]  # by {', '.join(given[1:])}"
    if method != name:
        return f"{given[0]}.{method}({', '.join(given[1:])}){remark}"
    listed = f"[{', '.join(given)}]" if name == "torch.cat" else ", ".join(given)
    return f"{name}({listed}){remark}"


def _rank(types: Types) -> int:
    return (types[0].rank or 4) if types and types[0] else 4


def _keywords(**given: object) -> str:
    return "".join(f", {key}={value!r}" for key, value in given.items() if value is not None)


def _one(values: Sequence[int]) -> int | tuple[int, ...]:
    """One number where all are alike, as PyTorch writes it."""
    return values[0] if len(set(values)) == 1 else tuple(values)


def _window(operator: Windowed, types: Types, kernel: tuple[int, ...] | None) -> list[Axis]:
    X = types[0]
    kernel = kernel or operator.kernel_shape
    known = next(filter(None, (kernel, operator.strides, operator.dilations)), None)
    n = len(known) if known else max(1, _rank(types) - 2)
    if X is not None and X.shape is not None and all(isinstance(d, int) for d in X.shape[2:]):
        operator = operator.explicit(X.sizes[2:] if X.static else _ints(X.shape[2:]), kernel)
    return operator.axes(n, kernel)


def _ints(dims: Sequence[Any]) -> tuple[int, ...]:
    return tuple(int(d) for d in dims)


def _padded(x: str, axes: Sequence[Axis], value: str = "") -> tuple[str, int | tuple[int, ...]]:
    """The input, padded before where the two sides differ, and the padding that is left."""
    if all(a.begin == a.end for a in axes):
        return x, _one([a.begin for a in axes])
    sides = tuple(side for a in reversed(axes) for side in (a.begin, a.end))
    return f"F.pad({x}, {sides}{value})", 0


def _convolution(op: convolution.Convolution, given: Sequence[str], types: Types) -> str:
    W = types[1]
    kernel = op.kernel_shape or (_ints(W.shape[2:]) if W is not None and W.shape else None)
    axes = _window(op, types, kernel)
    turned = isinstance(op, convolution.ConvTranspose)
    x, padding = (given[0], 0) if turned else _padded(given[0], axes)
    extra = {}
    if turned:
        padding = _one([a.begin for a in axes])
        if any(op.output_padding or ()):  # type: ignore[attr-defined]
            extra["output_padding"] = _one(op.output_padding)  # type: ignore[attr-defined]
    settings = _keywords(
        stride=_one([a.stride for a in axes]),
        padding=padding,
        **extra,
        dilation=_one([a.dilation for a in axes]),
        groups=op.group,
    )
    bias = f", {given[2]}" if len(given) > 2 and given[2] != "None" else ""
    name = f"conv_transpose{len(axes)}d" if turned else f"conv{len(axes)}d"
    return f"F.{name}({x}, {given[1]}{bias}{settings})"


def _pool(op: pooling.Pool, given: Sequence[str], types: Types) -> str:
    axes = _window(op, types, op.kernel_shape)
    settings: dict[str, Any] = {"stride": _one([a.stride for a in axes])}
    kernel = _one([a.kernel for a in axes])
    if isinstance(op, pooling.LpPool):
        return f"F.lp_pool{len(axes)}d({given[0]}, {op.p}, {kernel}{_keywords(**settings)})"
    least = ", value=float('-inf')" if isinstance(op, pooling.MaxPool) else ""
    x, settings["padding"] = _padded(given[0], axes, least)
    if isinstance(op, pooling.AveragePool):
        name = f"avg_pool{len(axes)}d"
        settings["count_include_pad"] = bool(op.count_include_pad)
    else:
        name = f"max_pool{len(axes)}d"
        settings["dilation"] = _one([a.dilation for a in axes])
    if op.ceil_mode:
        settings["ceil_mode"] = True
    return f"F.{name}({x}, {kernel}{_keywords(**settings)})"


def _global_pool(op: pooling.GlobalPool, given: Sequence[str], types: Types) -> str:
    kind = "max" if isinstance(op, pooling.GlobalMaxPool) else "avg"
    return f"F.adaptive_{kind}_pool{max(1, _rank(types) - 2)}d({given[0]}, 1)"


def _batch_norm(op: normalization.BatchNormalization, given: Sequence[str], types: Types) -> str:
    x, scale, bias, mean, var = given
    return f"F.batch_norm({x}, {mean}, {var}, {scale}, {bias}, eps={op.epsilon:.3g})"


def _layer_norm(op: normalization.LayerNormalization, given: Sequence[str], types: Types) -> str:
    scale = types[1]
    over = _ints(scale.shape) if scale is not None and scale.static and scale.shape else "..."
    rest = ", ".join(a for a in given[1:] if a != "None")
    return f"F.layer_norm({given[0]}, {over}, {rest}, eps={op.epsilon:.3g})"


def _gemm(op: linear.Gemm, given: Sequence[str], types: Types) -> str:
    a, b = given[0] + ".T" * op.transA, given[1] + ".T" * op.transB
    c = given[2] if len(given) > 2 and given[2] != "None" else None
    if op.alpha == op.beta == 1 and op.transB and not op.transA:
        return f"F.linear({a}, {given[1]}{f', {c}' if c else ''})"
    left = f"{a} @ {b}" if op.alpha == 1 else f"{op.alpha:.6g} * ({a} @ {b})"
    return left + (f" + {c}" if op.beta == 1 else f" + {op.beta:.6g} * {c}") * bool(c)


def _reduce(op: Reduction, given: Sequence[str], types: Types) -> str:
    axes = given[1] if len(given) > 1 and given[1] != "None" else "None"
    names = {
        "ReduceSum": "sum", "ReduceMean": "mean", "ReduceMax": "amax", "ReduceMin": "amin",
        "ReduceLogSumExp": "logsumexp",
    }  # fmt: skip
    name = names.get(type(op).__name__)
    keep = bool(op.keepdims)
    if name is None:
        return _call(op.torch or "torch.sum", op, given, types)
    return f"torch.{name}({given[0]}, dim={axes}, keepdim={keep})"


def _transpose(op: shape.Transpose, given: Sequence[str], types: Types) -> str:
    perm = op.perm if op.perm is not None else tuple(reversed(range(_rank(types))))
    return f"{given[0]}.permute{tuple(perm)}"


def _slice(op: joining.Slice, given: Sequence[str], types: Types) -> str:
    values = [None if t is None else t.value for t in types[1:]]
    if any(v is None for v in values[:2]) or any(
        v is None and t is not None for v, t in zip(values, types[1:], strict=True)
    ):
        return f"{given[0]}[...]  # from {given[1]} to {given[2]}"
    starts, ends, axes, steps, *_ = [*values, None, None]
    assert starts is not None
    assert ends is not None
    over = range(len(starts)) if axes is None else axes.tolist()
    rank = _rank(types)
    parts = [":"] * rank
    for i, axis in enumerate(over):
        begin, end, step = int(starts[i]), int(ends[i]), 1 if steps is None else int(steps[i])
        if step < 0:
            return f"{given[0]}.flip(...)  # from {begin} to {end} by {step} along {axis}"
        last = "" if end >= 2**31 - 1 else str(end)
        parts[axis] = f"{begin or ''}:{last}" + (f":{step}" if step != 1 else "")
    return f"{given[0]}[{', '.join(parts)}]"


def _gather(op: indexing.Gather, given: Sequence[str], types: Types) -> str:
    before = ":, " * op.axis if op.axis >= 0 else "..., "
    after = "" if op.axis >= 0 else ", :" * (-op.axis - 1)
    return f"{given[0]}[{before}{_only(given[1])}{after}]"


def _cast(op: cast.Cast, given: Sequence[str], types: Types) -> str:
    return f"{given[0]}.to(torch.{element_type(op.to).name})"


def _clip(op: activation.Clip, given: Sequence[str], types: Types) -> str:
    low, high, *_ = [*given[1:], "None", "None"]
    return f"torch.clamp({given[0]}, {low}, {high})"


def _resize(op: resize.Resize, given: Sequence[str], types: Types) -> str:
    def contents(i: int) -> list[float] | None:
        t = types[i] if len(types) > i else None
        return None if t is None or t.value is None or not t.value.size else t.value.tolist()

    scales, sizes = contents(2), contents(3)
    spatial = slice(0, None) if op.axes is not None else slice(2, None)
    modes = {1: "linear", 2: "bilinear", 3: "trilinear"}
    n = max(1, _rank(types) - 2)
    mode = modes.get(n, "linear") if op.mode == "linear" else op.mode
    mode = "bicubic" if mode == "cubic" else mode
    settings: dict[str, Any] = {"mode": mode}
    if sizes:
        settings["size"] = tuple(sizes[spatial])
    elif scales:
        settings["scale_factor"] = tuple(scales[spatial])
    if op.coordinate_transformation_mode == "align_corners":
        settings["align_corners"] = True
    return f"F.interpolate({given[0]}{_keywords(**settings)})"


def _split(op: joining.Split, given: Sequence[str], types: Types) -> str:
    if len(given) > 1 and given[1] != "None":
        return f"torch.split({given[0]}, {given[1]}, dim={op.axis})"
    return f"torch.chunk({given[0]}, {op.num_outputs or '...'}, dim={op.axis})"


def _full(op: filling.ConstantOfShape, given: Sequence[str], types: Types) -> str:
    value = 0.0 if op.value is None else np.asarray(op.value).reshape(-1)[0].item()
    return f"torch.full({given[0]}, {value!r})"


def _softmax(op: softmax.AlongAxis, given: Sequence[str], types: Types) -> str:
    name = "log_softmax" if isinstance(op, softmax.LogSoftmax) else "softmax"
    return f"F.{name}({given[0]}, dim={op.axis})"


Writer = Callable[[Any, Sequence[str], Types], str]
WRITERS: dict[type[Operator], Writer] = {
    convolution.Conv: _convolution,
    convolution.ConvTranspose: _convolution,
    pooling.Pool: _pool,
    pooling.GlobalMaxPool: _global_pool,
    pooling.GlobalAveragePool: _global_pool,
    normalization.BatchNormalization: _batch_norm,
    normalization.LayerNormalization: _layer_norm,
    linear.Gemm: _gemm,
    Reduction: _reduce,
    shape.Transpose: _transpose,
    shape.Reshape: lambda op, given, types: f"{given[0]}.reshape({given[1]})",
    shape.Flatten: lambda op, given, types: f"torch.flatten({given[0]}, {op.axis})",
    shape.Unsqueeze: lambda op, given, types: f"torch.unsqueeze({given[0]}, dim={_only(given[1])})",
    shape.Squeeze: lambda op, given, types: f"torch.squeeze({', '.join(given)})",
    shape.Expand: lambda op, given, types: f"{given[0]}.expand({given[1]})",
    joining.Concat: lambda op, given, types: f"torch.cat([{', '.join(given)}], dim={op.axis})",
    joining.Slice: _slice,
    joining.Split: _split,
    indexing.Gather: _gather,
    cast.Cast: _cast,
    activation.Clip: _clip,
    activation.LeakyRelu: lambda op, given, types: f"F.leaky_relu({given[0]}, {op.alpha:.6g})",
    activation.Elu: lambda op, given, types: f"F.elu({given[0]}, {op.alpha:.6g})",
    activation.Gelu: lambda op, given, types: f"F.gelu({given[0]}, approximate={op.approximate!r})",
    resize.Resize: _resize,
    filling.ConstantOfShape: _full,
    filling.Shape: lambda op, given, types: f"torch.tensor({given[0]}.shape)",
    softmax.Softmax: _softmax,
    softmax.LogSoftmax: _softmax,
}
"""How the operators are written that PyTorch calls with arguments of its own."""


def _only(axes: str) -> str:
    found = re.fullmatch(r"\((-?\d+),\)", axes)
    return found[1] if found else axes
