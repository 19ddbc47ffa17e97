"""Convolution, its transpose, pooling, unfolding: a window over the input."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from suanzi.atlas.figures._sheet import (
    GAP,
    MOST_STEPS,
    Sheet,
    Tensor,
    factor,
    index_of,
    number,
)
from suanzi.atlas.figures._visitor import Visitor
from suanzi.atlas.scene import Fact, Scene, Step, Text
from suanzi.errors import SuanziError
from suanzi.operators import OPERATORS
from suanzi.operators._operator import Array, Operator, TensorType
from suanzi.operators._windows import Axis

KERNEL = Text("kernel", "窗口大小")
STRIDE = Text("stride", "步幅")
PAD = Text("padding", "填充")
DILATION = Text("dilation", "空洞")
DIMENSIONS = Text("spatial axes", "空间维数")
SIZE = Text("input size", "输入大小")
CHANNELS = Text("channels", "通道数")
MOST_TERMS = 27


def numbers(shape: Sequence[int], seed: int, low: int, high: int) -> Array:
    """Small whole numbers, the same each time."""
    return np.random.RandomState(seed).randint(low, high + 1, tuple(shape)).astype(np.float32)


def window(
    visitor: Visitor, kernel: int = 3, pad: int = 1
) -> tuple[tuple[int, ...], dict[str, Any]]:
    """The input's sizes, and the attributes that every sliding window has."""
    n = visitor.int("dimensions", DIMENSIONS, 2, 1, 3)
    size = visitor.ints("size", SIZE, ({1: 8, 2: 5, 3: 3}[n],) * n, 1, {1: 24, 2: 12, 3: 5}[n])
    kernel = min(kernel, 2) if n == 3 else kernel
    made = {
        "kernel_shape": visitor.ints("kernel", KERNEL, (kernel,) * n, 1, 7),
        "strides": visitor.ints("stride", STRIDE, (1 if pad else 2,) * n, 1, 4),
        "pads": visitor.ints("pad", PAD, (pad if n < 3 else 0,) * n, 0, 3) * 2,
        "dilations": visitor.ints("dilation", DILATION, (1,) * n, 1, 3),
    }  # fmt: skip
    return size, made


def convolution(name: str, visitor: Visitor) -> tuple[Operator, list[Array | None]]:
    size, made = window(visitor)
    group = visitor.int("group", Text("groups", "分组数"), 1, 1, 4)
    channels = visitor.int("channels", CHANNELS, max(2, group), 1, 4)
    filters = visitor.int("filters", Text("filters", "卷积核个数"), max(2, group), 1, 4)
    if channels % group or filters % group:
        raise SuanziError(
            "groups must divide channels and filters",
            expected=f"multiples of {group}", found=f"{channels} channels, {filters} filters",
        )  # fmt: skip
    n = len(size)
    transposed = name == "ConvTranspose"
    if transposed:
        made["output_padding"] = visitor.ints(
            "output_padding", Text("output padding", "输出填充"), (0,) * n, 0, 3
        )
    first, second = (channels, filters // group) if transposed else (filters, channels // group)
    W = numbers((first, second, *made["kernel_shape"]), 2, -2, 2)
    B = numbers((filters,), 3, -1, 1)
    cls: Any = OPERATORS[name]
    return cls(group=group, **made), [numbers((1, channels, *size), 1, 0, 5), W, B]


def pooling(name: str, visitor: Visitor) -> tuple[Operator, list[Array | None]]:
    channels_of = visitor.int("channels", CHANNELS, 1, 1, 4)
    if name.startswith("Global"):
        n = visitor.int("dimensions", DIMENSIONS, 2, 1, 3)
        most = {1: 24, 2: 10, 3: 5}[n]
        size = visitor.ints("size", SIZE, ({1: 8, 2: 5, 3: 3}[n],) * n, 1, most)
        made: dict[str, Any] = {}
    elif name.startswith("Adaptive"):
        n = visitor.int("dimensions", DIMENSIONS, 2, 1, 2)
        size = visitor.ints("size", SIZE, (7,) * n, 1, 12)
        output = Text("output size", "输出大小")
        made = {"output_size": visitor.ints("output", output, (3,) * n, 1, 12)}
    else:
        size, made = window(visitor, 2, 0)
        if name != "Unfold":
            made["ceil_mode"] = int(visitor.bool("ceil_mode", Text("ceil mode", "向上取整"), False))
    if name == "AveragePool":
        counted = Text("padding counts", "填充计入平均")
        made["count_include_pad"] = int(visitor.bool("count_include_pad", counted, False))
    if name.endswith("LpPool"):
        made["p"] = visitor.int("p", Text("p", "范数 p"), 2, 1, 4)
    return OPERATORS[name](**made), [numbers((1, channels_of, *size), 4, 0, 9)]


def axes_of(operator: Any, X: Array, W: Array | None) -> list[Axis]:
    kernel = None if W is None else W.shape[2:]
    return list(operator.explicit(X.shape[2:], kernel).axes(X.ndim - 2, kernel))


def taps(
    axes: Sequence[Axis], place: Sequence[int]
) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
    """Each tap of the window at a place: its place in the kernel, and where in the input it is."""

    def seen(k: tuple[int, ...]) -> tuple[int, ...]:
        each = zip(place, k, axes, strict=True)
        return tuple(o * a.stride + i * a.dilation - a.begin for o, i, a in each)

    return [(k, seen(k)) for k in itertools.product(*(range(a.kernel) for a in axes))]


def inside(at: Sequence[int], sizes: Sequence[int]) -> bool:
    return all(0 <= i < n for i, n in zip(at, sizes, strict=True))


def border_of(axes: Sequence[Axis], rows_are_channels: bool) -> tuple[int, int, int, int]:
    """The padding around a plane, whose last two axes are spatial unless there is one alone."""
    last = axes[-1]
    if rows_are_channels:
        return (0, last.begin, 0, last.end)
    return (axes[-2].begin, last.begin, axes[-2].end, last.end)


def size_facts(operator: Any, axes: Sequence[Axis], X: Array, Y: Array) -> list[Fact]:
    """The output's size along each axis, with its numbers."""
    label = Text("output size", "输出大小")
    ceil = getattr(operator, "ceil_mode", 0)
    left, right = (r"\lceil ", r" \rceil") if ceil else (r"\lfloor ", r" \rfloor")
    rows = [
        Fact(
            label,
            rf"{left}\frac{{{size} + {a.begin} + {a.end} "
            rf"- {a.dilation} \cdot ({a.kernel} - 1) - 1}}{{{a.stride}}}{right} + 1 = {made}",
        )
        for a, size, made in zip(axes, X.shape[2:], Y.shape[2:], strict=True)
    ]
    return list({f.latex: f for f in rows}.values())


def written(name: str, index: Sequence[int], terms: list[str], value: Any) -> str:
    """A cell's own sum, as far as it is short enough to read."""
    shown = terms[:MOST_TERMS]
    if len(terms) > MOST_TERMS:
        shown.append(r"\ldots")
    return f"{index_of(name, index)} = {' + '.join(shown) or '0'} = {number(value)}"


def draw_convolution(operator: Any, inputs: Sequence[Array | None], visitor: Visitor) -> Scene:
    X, W = inputs[0], inputs[1]
    assert X is not None
    assert W is not None
    B = inputs[2] if len(inputs) > 2 else None
    (Y,) = operator.numpy_all(inputs)
    axes = axes_of(operator, X, W)
    n = len(axes)
    sheet, across = Sheet(), 1 if n == 3 else 0
    x = sheet.tensor("X", X, 0, 0, border_of(axes, n == 1), across)
    begin = sheet.sign("∗", x.right + GAP, 1.2)
    w = sheet.tensor("W", W, begin, 0, across=across)
    bottom = w.bottom
    if B is not None:
        bottom = sheet.tensor("B", B, begin, bottom + 0.4).bottom
    begin = sheet.sign("=", max(w.right, begin + (0 if B is None else len(B))) + GAP, 1.2)
    y = sheet.tensor("Y", Y, begin, 0, across=across)
    b = None if B is None else Tensor("B", B.shape, {(): _plane(sheet, "B", len(B))}, 0, 0)
    steps = []
    per, made = W.shape[1], W.shape[0] // operator.group
    for index in itertools.islice(np.ndindex(*Y.shape), MOST_STEPS):
        sample, filter, *place = index
        first = filter // made * per
        read, padded, used, terms = [], [], [], []
        if B is not None:
            terms.append(factor(B[filter]))
        for c in range(per):
            for k, at in taps(axes, place):
                where = (sample, first + c, *at)
                used.append((filter, c, *k))
                if inside(at, X.shape[2:]):
                    read.append(where)
                    terms.append(rf"{factor(X[where])} \cdot {factor(W[(filter, c, *k)])}")
                else:
                    padded.append(where)
        marks = [
            *x.marks(read, "read"), *x.marks(padded, "padding"), *w.marks(used, "weight"),
            *([] if b is None else b.marks([(filter,)], "weight")), *y.marks([index], "write"),
        ]  # fmt: skip
        text = Text(
            f"Filter {filter}: {len(read)} elements times their weights"
            + (f"; {len(padded)} taps fall on padding, which is 0" if padded else ""),
            f"卷积核 {filter}：{len(read)} 个元素乘以权重后求和"
            + (f"；{len(padded)} 个位置落在填充（值为 0）上" if padded else ""),
        )
        steps.append(Step(marks, text, written("Y", index, terms, Y[index])))
    facts = size_facts(operator, axes, X, Y)
    product = r" \cdot ".join(map(str, W.shape))
    biases = 0 if B is None else B.size
    facts.append(Fact(Text("parameters", "参数量"), rf"{product} + {biases} = {W.size + biases}"))
    macs = operator.macs([_type(X), _type(W)], [_type(Y)])
    every = r" \cdot ".join(map(str, W.shape[1:]))
    facts.append(Fact(Text("multiply-adds", "乘加次数"), rf"{Y.size} \cdot {every} = {macs}"))
    title = Text("A window slides over the input", "窗口在输入上滑动")
    return _scene(operator, "window", title, sheet, visitor, steps, facts, Y.size)


def draw_transposed(operator: Any, inputs: Sequence[Array | None], visitor: Visitor) -> Scene:
    X, W = inputs[0], inputs[1]
    assert X is not None
    assert W is not None
    B = inputs[2] if len(inputs) > 2 else None
    (Y,) = operator.numpy_all(inputs)
    op = operator.explicit(X.shape[2:], W.shape[2:])
    axes = op.axes(X.ndim - 2)
    n, per, group = len(axes), W.shape[1], operator.group
    sheet, across = Sheet(), 1 if n == 3 else 0
    x = sheet.tensor("X", X, 0, 0, across=across)
    begin = sheet.sign("∗ᵀ", x.right + GAP, 1.2)
    w = sheet.tensor("W", W, begin, 0, across=across)
    begin = sheet.sign("=", w.right + GAP, 1.2)
    y = sheet.tensor("Y", Y, begin, 0, across=across)
    steps = []
    for index in itertools.islice(np.ndindex(*X.shape), MOST_STEPS):
        sample, channel, *place = index
        first = channel // (X.shape[1] // group) * per
        spread = [
            (sample, first + m, *at)
            for m in range(per)
            for _, at in taps(axes, place)
            if inside(at, Y.shape[2:])
        ]
        used = [(channel, m, *k) for m in range(per) for k, _ in taps(axes, place)]
        text = Text(
            f"This element, times the filter, is added at {len(spread)} places",
            f"该元素乘以卷积核，累加到输出的 {len(spread)} 个位置",
        )
        filter = rf"\cdot W_{{{channel}}}"
        latex = f"{index_of('X', index)} {filter} = {factor(X[index])} {filter}"
        marks = [*x.marks([index], "read"), *w.marks(used, "weight"), *y.marks(spread, "write")]
        steps.append(Step(marks, text, latex))
    facts = []
    for a, size, extra, made in zip(axes, X.shape[2:], op.output_padding, Y.shape[2:], strict=True):
        latex = (
            rf"({size} - 1) \cdot {a.stride} - {a.begin} - {a.end} + {a.dilation} \cdot "
            rf"({a.kernel} - 1) + {extra} + 1 = {made}"
        )
        facts.append(Fact(Text("output size", "输出大小"), latex))
        sizes = range(made, made + a.stride) if extra == 0 else ()
        if a.stride > 1 and len(sizes):
            several = ", ".join(map(str, sizes))
            facts.append(
                Fact(
                    Text("a Conv of these sizes gives X's", "卷积后大小同为 X 的输出大小"),
                    rf"{several} \to {size}",
                )
            )
    facts = list({f.latex: f for f in facts}.values())
    biases = 0 if B is None else B.size
    product = r" \cdot ".join(map(str, W.shape))
    facts.append(Fact(Text("parameters", "参数量"), rf"{product} + {biases} = {W.size + biases}"))
    macs = operator.macs([_type(X), _type(W)], [_type(Y)])
    facts.append(
        Fact(Text("multiply-adds", "乘加次数"),
             rf"{X.size} \cdot {W.size // W.shape[0]} = {macs}")
    )  # fmt: skip
    title = Text("Each element lays down its filter", "每个元素铺下一个卷积核")
    return _scene(operator, "scatter", title, sheet, visitor, steps, facts, X.size)


def draw_pooling(operator: Any, inputs: Sequence[Array | None], visitor: Visitor) -> Scene:
    X = inputs[0]
    assert X is not None
    outputs = operator.numpy_all([X])
    Y = outputs[0]
    name = operator.title
    sizes = X.shape[2:]
    n = len(sizes)
    sliding = hasattr(operator, "explicit")
    axes = operator.reach(sizes) if sliding else []
    sheet, across = Sheet(), 1 if n == 3 else 0
    x = sheet.tensor("X", X, 0, 0, border_of(axes, n == 1) if sliding else (0, 0, 0, 0), across)
    sign = {"Max": "max", "Ave": "mean", "Lp": "p"}
    word = next((s for key, s in sign.items() if key in name), "")
    begin = sheet.sign(word, x.right + GAP, 1.2)
    y = sheet.tensor("Y", Y, begin, 0, across=across)
    if len(outputs) > 1:
        sheet.tensor("Indices", outputs[1], y.right + GAP, 0, across=across)
    steps = []
    for index in itertools.islice(np.ndindex(*Y.shape), MOST_STEPS):
        place = index[2:]
        if sliding:
            seen = [at for _, at in taps(axes, place)]
        elif hasattr(operator, "bins"):
            spans = [
                range(s[i], e[i]) for (s, e), i in zip(operator.bins(sizes), place, strict=True)
            ]
            seen = [*itertools.product(*spans)]
        else:
            seen = [*np.ndindex(*sizes)]
        read = [(*index[:2], *at) for at in seen if inside(at, sizes)]
        padded = [(*index[:2], *at) for at in seen if not inside(at, sizes)]
        values = [X[i] for i in read]
        latex, winner = _pooled(operator, index, values, Y[index], axes, sizes)
        marks = x.marks(read, "read") + x.marks(padded, "padding") + y.marks([index], "write")
        if winner is not None and read:
            marks += x.marks([read[winner]], "weight")
        text = Text(
            f"{len(read)} elements make one"
            + (f"; {len(padded)} of the window lie outside" if padded else ""),
            f"{len(read)} 个元素得到 1 个" + (f"；窗口有 {len(padded)} 格在外" if padded else ""),
        )
        steps.append(Step(marks, text, latex))
    facts = size_facts(operator, operator.explicit(sizes).axes(n), X, Y) if sliding else []
    facts.append(Fact(Text("parameters", "参数量"), "0"))
    kept = rf"{Y.size} / {X.size} = {number(Y.size / max(1, X.size))}"
    facts.append(Fact(Text("elements kept", "保留的元素比例"), kept))
    title = Text("Each window becomes one number", "每个窗口化为一个数")
    return _scene(operator, "window", title, sheet, visitor, steps, facts, Y.size)


def _pooled(
    operator: Any,
    index: Sequence[int],
    values: list[Any],
    made: Any,
    axes: Sequence[Axis],
    sizes: Any,
) -> tuple[str, int | None]:
    """How a window's elements make one, written out; and the place of the one that is taken."""
    name, left = operator.title, index_of("Y", index)
    shown = [number(v) for v in values[:MOST_TERMS]]
    if len(values) > MOST_TERMS:
        shown.append(r"\ldots")
    if "Max" in name:
        winner = int(np.argmax(values)) if values else None
        return rf"{left} = \max({', '.join(shown)}) = {number(made)}", winner
    total = " + ".join(factor(v) for v in values[:MOST_TERMS]) or "0"
    if len(values) > MOST_TERMS:
        total += r" + \ldots"
    if "Lp" in name:
        powers = " + ".join(rf"|{number(v)}|^{operator.p}" for v in values[:MOST_TERMS]) or "0"
        return rf"{left} = ({powers})^{{1/{operator.p}}} = {number(made)}", None
    count = len(values)
    if hasattr(operator, "counts"):
        count = int(operator.counts(tuple(sizes))[tuple(index[2:])])
    return rf"{left} = \frac{{{total}}}{{{count}}} = {number(made)}", None


def draw_unfold(operator: Any, inputs: Sequence[Array | None], visitor: Visitor) -> Scene:
    X = inputs[0]
    assert X is not None
    (Y,) = operator.numpy_all([X])
    axes = axes_of(operator, X, None)
    sheet = Sheet()
    x = sheet.tensor("X", X, 0, 0, border_of(axes, len(axes) == 1), 1 if len(axes) == 3 else 0)
    begin = sheet.sign("→", x.right + GAP, 1.2)
    y = sheet.tensor("Y", Y, begin, 0)
    places = operator.places(X.shape[2:])
    steps = []
    for column, place in itertools.islice(enumerate(np.ndindex(*places)), MOST_STEPS):
        seen = [(0, c, *at) for c in range(X.shape[1]) for _, at in taps(axes, place)]
        kept = [i for i in seen if inside(i[2:], X.shape[2:])]
        marks = [
            *x.marks(kept, "read"),
            *x.marks([i for i in seen if i not in kept], "padding"),
            *y.marks([(0, row, column) for row in range(Y.shape[1])], "write"),
        ]
        text = Text(
            f"The window's place {column} is column {column}",
            f"窗口的第 {column} 个位置成为第 {column} 列",
        )
        steps.append(Step(marks, text))
    title = Text("Each window becomes a column", "每个窗口成为一列")
    facts = [Fact(Text("elements", "元素个数"), rf"{X.size} \to {Y.size}")]
    return _scene(operator, "window", title, sheet, visitor, steps, facts, math.prod(places))


def _plane(sheet: Sheet, block: str, columns: int) -> Any:
    from suanzi.atlas.figures._sheet import Plane

    return Plane(block, 1, columns, (0, 0, 0, 0))


def _type(array: Array) -> TensorType:
    return TensorType(array.dtype, array.shape)


def _scene(
    operator: Any, figure: str, title: Text, sheet: Sheet, visitor: Visitor,
    steps: list[Step], facts: list[Fact], whole: int,
) -> Scene:  # fmt: skip
    note = None
    if whole > len(steps):
        note = Text(f"{len(steps)} of {whole} steps", f"共 {whole} 步，此处为前 {len(steps)} 步")
    return Scene(
        operator.title, figure, title, sheet.width, sheet.height, visitor.controls,
        sheet.blocks, steps=steps, facts=facts, note=note,
    )  # fmt: skip
