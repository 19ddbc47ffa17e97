"""Functions of one number, with their slope; softmax and dropout."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np

from suanzi.atlas.figures._sheet import GAP, Sheet, number
from suanzi.atlas.figures._visitor import Visitor
from suanzi.atlas.scene import Fact, Plot, Scene, Series, Step, Text, same
from suanzi.operators import OPERATORS, Dropout
from suanzi.operators._elementwise import Pointwise
from suanzi.operators._operator import Array, Operator


def is_curve(name: str) -> bool:
    """Whether the operator makes one number of one number."""
    kind = OPERATORS[name]
    if not issubclass(kind, Pointwise):
        return False
    example = kind.examples()[0].inputs
    x = example[0]
    numbers = isinstance(x, np.ndarray) and x.dtype.kind == "f"
    return numbers and (name == "Clip" or sum(i is not None for i in example) == 1)


def slope(operator: Operator, Y: Array, X: Array) -> Array | None:
    """The derivative, by the operator's own gradient; None where it has none."""
    if operator.grad is None:
        return None
    found = operator.grad(np.ones_like(Y), Y, X)
    made = (found if isinstance(found, tuple) else (found,))[0]
    made = made() if callable(made) else made
    return None if made is None else np.broadcast_to(np.asarray(made), X.shape)


def attributes(name: str, visitor: Visitor) -> dict[str, Any]:
    """The operator's own numbers as controls."""
    made: dict[str, Any] = {}
    for f in dataclasses.fields(OPERATORS[name]):
        if isinstance(f.default, float):
            made[f.name] = visitor.float(f.name, same(f.name), f.default, -10.0, 10.0)
        elif f.name == "approximate":
            made[f.name] = visitor.choice(f.name, same(f.name), "none", ("none", "tanh"))
    return made


def draw_curve(name: str, visitor: Visitor) -> Scene:
    operator = OPERATORS[name](**attributes(name, visitor))
    reach = visitor.float("reach", Text("range", "范围"), 5.0, 0.5, 50.0)
    cursor = visitor.float("x", same("x"), min(1.0, reach), -reach, reach)
    x = np.linspace(-reach, reach, 401)
    inputs: list[Any] = [x]
    if name == "Clip":
        inputs += [np.array(-1.0), np.array(1.0)]
    with np.errstate(all="ignore"):
        (y,) = operator.numpy_all(inputs)
        d = slope(operator, y, x) if len(inputs) == 1 else _clip_slope(operator, y, inputs)
        at = [np.array([cursor]), *inputs[1:]]
        (value,) = operator.numpy_all(at)
        steep = slope(operator, value, at[0]) if len(at) == 1 else _clip_slope(operator, value, at)
    series = [Series(Text("function", "函数"), x.tolist(), _plain(y))]
    facts = [Fact(Text("value", "函数值"), rf"f({number(cursor)}) = {_shown(value)}")]
    if d is not None and steep is not None:
        series.append(Series(Text("derivative", "导数"), x.tolist(), _plain(d)))
        facts.append(Fact(Text("derivative", "导数"), rf"f'({number(cursor)}) = {_shown(steep)}"))
    plot = Plot(
        "curve", same(name), 1.5, 1.4, 16, 10, "curve", series, cursor, same("x"), same("y")
    )
    title = Text("The function and its derivative", "函数与导数")
    return Scene(name, "curve", title, 18, 13.5, visitor.controls, plots=[plot], facts=facts)


def _clip_slope(operator: Any, y: Array, inputs: list[Any]) -> Array | None:
    found = operator.grad(np.ones_like(y), y, *inputs)[0]
    return np.asarray(found() if callable(found) else found)


def _plain(y: Array) -> list[float | None]:
    """Finite numbers: what is far off would flatten the rest."""
    return [float(v) if math.isfinite(v) and abs(v) < 1e3 else None for v in y.tolist()]


def _shown(value: Array) -> str:
    v = float(value.ravel()[0])
    return number(v) if math.isfinite(v) else r"\text{undefined}"


def draw_softmax(name: str, visitor: Visitor) -> Scene:
    temperature = visitor.float("temperature", Text("temperature", "温度"), 1.0, 0.05, 20.0)
    count = visitor.int("classes", Text("classes", "类别数"), 6, 2, 12)
    cls: Any = OPERATORS[name]
    operator = cls(axis=-1)
    x = np.array([[2, 1, 0.5, -1, 3, 0, 1.5, -2, 2.5, -0.5, 0.25, 1.25][:count]], np.float64)
    (y,) = operator.numpy_all([x / temperature])
    sheet = Sheet()
    a = sheet.tensor("x", x, 0, 0, cell=1.3)
    b = sheet.tensor("y", y, 0, a.bottom + 0.4, cell=1.3)
    shares = np.exp(x / temperature)
    total = number(shares.sum())
    steps = []
    for i in range(count):
        marks = [*a.marks([(0, j) for j in range(count)], "read"), *b.marks([(0, i)], "write")]
        latex = rf"y_{{{i}}} = {number(y[0, i])}"
        if name == "Softmax":
            power = rf"e^{{{number(x[0, i])} / {number(temperature)}}}"
            latex = rf"y_{{{i}}} = \frac{{{power}}}{{{total}}} = {number(y[0, i])}"
        text = Text("Each answer depends on all scores", "每个输出都取决于全部得分")
        steps.append(Step(marks, text, latex))
    classes = [float(i) for i in range(count)]
    (cold,) = operator.numpy_all([x])
    series = [Series(same("T = 1"), classes, cold[0].tolist())]
    if temperature != 1:
        series.append(Series(same(f"T = {number(temperature)}"), classes, y[0].tolist()))
    wide = max(10.0, sheet.width)
    plot = Plot("shares", Text("output by class", "各类输出"),
                1.5, b.bottom + 1.6, wide - 1.5, 6, "bars", series, None,
                Text("class", "类别"), same("y"))  # fmt: skip
    facts = [Fact(Text("sum", "总和"), rf"\sum y = {number(y.sum())}")]
    if name == "Softmax":
        entropy = -float((y * np.log(np.maximum(y, 1e-300))).sum())
        facts.append(Fact(Text("entropy", "熵"), rf"-\sum y \ln y = {number(entropy)}"))
    title = Text("Scores, divided by a temperature", "得分除以温度")
    return Scene(
        name, "temperature", title, wide, plot.y + 8, visitor.controls, sheet.blocks,
        plots=[plot], steps=steps, facts=facts,
    )  # fmt: skip


def draw_dropout(name: str, visitor: Visitor) -> Scene:
    ratio = visitor.float("ratio", Text("ratio", "丢弃率"), 0.5, 0.0, 0.9)
    training = visitor.bool("training", Text("training", "训练模式"), True)
    seed = visitor.int("seed", Text("seed", "随机种子"), 0, 0, 99)
    x = np.random.RandomState(7).randint(1, 10, (4, 6)).astype(np.float32)
    y, mask = Dropout(seed=seed).numpy_all([x, np.array(ratio, np.float32), np.array(training)])
    sheet = Sheet()
    a = sheet.tensor("data", x, 0, 0)
    begin = sheet.sign("×", a.right + GAP, 1.2)
    b = sheet.tensor("mask", mask, begin, 0)
    begin = sheet.sign("=", b.right + GAP, 1.2)
    c = sheet.tensor("output", y, begin, 0)
    scale = 1 / (1 - ratio) if training else 1.0
    steps = []
    for index in np.ndindex(*x.shape):
        marks = [*a.marks([index], "read"), *b.marks([index], "weight"), *c.marks([index], "write")]
        text = Text("kept and scaled", "保留并放大") if mask[index] else Text("dropped", "丢弃")
        product = rf"{number(x[index])} \cdot {int(mask[index])} \cdot {number(scale)}"
        latex = f"{product} = {number(y[index])}"
        steps.append(Step(marks, text, latex))
    facts = [
        Fact(Text("scale", "放大系数"),
             rf"\frac{{1}}{{1 - {number(ratio)}}} = {number(1 / (1 - ratio))}"),
        Fact(Text("mean before and after", "之前与之后的均值"),
             rf"{number(x.mean())} \to {number(y.mean())}"),
    ]  # fmt: skip
    title = Text("A random mask, and the rest scaled", "随机掩码，其余放大")
    return Scene(
        name, "mask", title, sheet.width, sheet.height, visitor.controls, sheet.blocks,
        steps=steps, facts=facts,
    )  # fmt: skip
