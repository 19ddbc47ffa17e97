"""Normalizations: which elements share a mean and a variance, and training against inference."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from suanzi.atlas.figures._sheet import LABEL, Sheet, number
from suanzi.atlas.figures._visitor import Visitor
from suanzi.atlas.scene import Fact, Plot, Scene, Series, Step, Text
from suanzi.errors import SuanziError
from suanzi.operators import (
    BatchNormalization,
    GroupNormalization,
    InstanceNormalization,
    LayerNormalization,
    RMSNormalization,
)
from suanzi.operators._operator import Array, Operator

FORMS = {
    "BatchNormalization": Text("Batch", "批归一化"),
    "LayerNormalization": Text("Layer", "层归一化"),
    "InstanceNormalization": Text("Instance", "实例归一化"),
    "GroupNormalization": Text("Group", "组归一化"),
    "RMSNormalization": Text("RMS", "均方根归一化"),
}
VALUE = Text("value", "值")
COUNT = Text("how many", "个数")


def forms(
    channels: int, sizes: Sequence[int], group: int
) -> dict[str, tuple[Operator, list[Array]]]:
    """Each normalization with the inputs it takes after X."""
    one, nothing = np.ones(channels, np.float32), np.zeros(channels, np.float32)
    whole = np.ones((channels, *sizes), np.float32)
    return {
        "BatchNormalization": (BatchNormalization(training_mode=1), [one, nothing, nothing, one]),
        "LayerNormalization": (LayerNormalization(axis=1), [whole, whole * 0]),
        "InstanceNormalization": (InstanceNormalization(), [one, nothing]),
        "GroupNormalization": (GroupNormalization(num_groups=group), [one, nothing]),
        "RMSNormalization": (RMSNormalization(axis=1), [whole]),
    }


def sharing(operator: Operator, X: Array, rest: Sequence[Array]) -> Array:
    """For each element a number of the set it is in, whose elements one of them changes all.

    Found by changing each in turn: the definition itself says what belongs together.
    """
    X = X + np.float32(0.5)  # no element is 0, which a scale would leave
    base = operator.numpy_all([X, *rest])[0]
    sets = np.full(X.size, -1)
    for i in range(X.size):
        if sets[i] < 0:
            other = X.copy()
            other.flat[i] += 10
            changed = (operator.numpy_all([other, *rest])[0] != base).ravel()
            sets[changed] = sets.max() + 1
    return sets.reshape(X.shape)


def bars(values: Sequence[Array], labels: Sequence[Text]) -> list[Series]:
    """Histograms of arrays over common bins."""
    joined = np.concatenate([v.ravel() for v in values])
    edges = np.linspace(float(joined.min()), float(joined.max()) + 1e-6, 13)
    middles = ((edges[1:] + edges[:-1]) / 2).round(3).tolist()
    return [
        Series(label, middles, np.histogram(v, edges)[0].astype(float).tolist())
        for v, label in zip(values, labels, strict=True)
    ]


def draw_sharing(name: str, visitor: Visitor) -> Scene:
    samples = visitor.int("samples", Text("samples N", "样本数 N"), 2, 1, 4)
    channels = visitor.int("channels", Text("channels C", "通道数 C"), 4, 1, 8)
    sizes = visitor.ints("size", Text("size H x W", "大小 H x W"), (2, 3), 1, 4)
    group = visitor.int("group", Text("groups G", "组数 G"), min(2, channels), 1, 8)
    if channels % group:
        raise SuanziError("groups must divide the channels", expected=channels, found=group)
    X = np.random.RandomState(5).randint(0, 10, (samples, channels, *sizes)).astype(np.float32)
    X += np.arange(channels, dtype=np.float32).reshape(1, -1, 1, 1) * 2
    sheet, plots, steps, facts = Sheet(), [], [], []
    y, right = 0.0, 0.0
    tall = max(3.0, samples * (sizes[0] + LABEL + 0.2) - 2.2)
    made = forms(channels, sizes, group)
    for form in (name, *(f for f in FORMS if f != name)):  # its own first
        operator, rest = made[form]
        title, sets = FORMS[form], sharing(operator, X, rest)
        x = sheet.tensor(form, X, 0, y, across=1, groups=sets, title=title)
        Y = operator.numpy_all([X, *rest])[0]
        plots.append((form, y, Y))
        right = max(right, x.right)
        if form == name:
            for group_number in range(int(sets.max()) + 1):
                members = np.argwhere(sets == group_number)
                taken = X[sets == group_number].astype(np.float64)
                after = Y[sets == group_number]
                text = Text(
                    f"These {len(members)} elements share a mean and a variance",
                    f"这 {len(members)} 个元素共用一组均值与方差",
                )
                mean, spread = number(taken.mean()), number(taken.var())
                latex = rf"\mu = {mean}, \sigma^2 = {spread}"
                if form == "RMSNormalization":
                    text = Text(
                        f"These {len(members)} elements share a mean square",
                        f"这 {len(members)} 个元素共用一个均方值",
                    )
                    latex = rf"\frac{{1}}{{{len(members)}}} \sum x^2 = {number((taken**2).mean())}"
                first = rf"x = {number(taken[0])} \to y = {number(after[0])}"
                steps.append(Step(x.marks(members.tolist(), "shared"), text, f"{latex}, {first}"))
            facts.append(
                Fact(
                    Text("elements that share", "共用统计量的元素"),
                    rf"{X.size} / {int(sets.max()) + 1} = {X.size // (int(sets.max()) + 1)}",
                )
            )
            scale = sum(r.size for r in rest[:2])
            facts.append(Fact(Text("parameters", "参数量"), str(scale)))
        y = max(x.bottom + 1.2, y + LABEL + tall + 2.2)
    before, after_text = Text("before", "之前"), Text("after", "之后")
    drawn = [
        Plot(
            f"histogram-{form}", FORMS[form], right + 2.5, top + LABEL, 10, tall, "bars",
            bars([X, Y], [before, after_text]), None, VALUE, COUNT,
        )
        for form, top, Y in plots
    ]  # fmt: skip
    sheet.grow(right + 13, y)
    for plot in drawn:
        sheet.grow(plot.x + plot.width, plot.y + plot.height + 1.2)
    title = Text("Which elements share a mean and a variance", "哪些元素共用均值与方差")
    return Scene(
        name, "sharing", title, sheet.width, sheet.height, visitor.controls, sheet.blocks,
        plots=drawn, steps=steps, facts=facts,
    )  # fmt: skip


def draw_training(name: str, visitor: Visitor) -> Scene:
    training = visitor.bool("training", Text("training", "训练模式"), True)
    count = visitor.int("batches", Text("batches", "批数"), 10, 2, 24)
    size = visitor.int("batch", Text("batch size", "批大小"), 8, 2, 64)
    momentum = visitor.float("momentum", Text("momentum (ONNX's)", "动量（ONNX）"), 0.9, 0.0, 1.0)
    random = np.random.RandomState(6)
    mean, var = np.zeros(1, np.float32), np.ones(1, np.float32)
    one, nothing = np.ones(1, np.float32), np.zeros(1, np.float32)
    learn = BatchNormalization(training_mode=1, momentum=momentum)
    table: list[list[float]] = []
    steps_of: list[tuple[str, str]] = []
    X = Y = np.zeros(0, np.float32)
    for _ in range(count):
        X = (random.standard_normal((size, 1, 4)) * 2 + 3).astype(np.float32)
        old = mean
        Y, mean, var = learn.numpy_all([X, one, nothing, mean, var])
        whole = BatchNormalization(training_mode=1, momentum=0.0)
        _, batch_mean, batch_var = whole.numpy_all([X, one, nothing, mean, var])
        table.append([float(v[0]) for v in (batch_mean, mean, batch_var, var)])
        steps_of.append((number(old[0]), number(batch_mean[0])))
    if not training:
        (Y,) = BatchNormalization().numpy_all([X, one, nothing, mean, var])
    sheet = Sheet()
    names = [
        Text("mean of the batch", "本批均值"), Text("running mean", "滑动均值"),
        Text("variance of the batch", "本批方差"), Text("running variance", "滑动方差"),
    ]  # fmt: skip
    rows, y = [], 0.0
    for i, label in enumerate(names):
        row = sheet.tensor(f"row{i}", [[line[i] for line in table]], 0, y, cell=1.3, title=label)
        rows.append(row)
        y = row.bottom + 0.2
    steps = []
    for i, (old_mean, of_batch) in enumerate(steps_of):
        marks = [
            m for row, role in zip(rows, ("read", "write", "read", "write"), strict=True)
            for m in row.marks([(0, i)], role)  # type: ignore[arg-type]
        ]  # fmt: skip
        latex = (
            rf"{old_mean} \cdot {number(momentum)} + {factor_of(of_batch)} \cdot "
            rf"(1 - {number(momentum)}) = {number(table[i][1])}"
        )
        text = Text(f"Batch {i}: the running mean follows", f"第 {i} 批：滑动均值跟随更新")
        steps.append(Step(marks, text, latex))
    numbers = [float(i) for i in range(count)]
    curves = [Series(label, numbers, [t[i] for t in table]) for i, label in enumerate(names)]
    wide = max(13.0, sheet.width)
    plots = [
        Plot("statistics", Text("statistics by batch", "各批统计量"), 1.5, y + 1.4, wide - 1.5, 6,
             "curve", curves, None, Text("batch", "批次"), VALUE),
        Plot("output", Text("the last batch, before and after", "最后一批：之前与之后"),
             1.5, y + 11, wide - 1.5, 5, "bars",
             bars([X, Y], [Text("X", "X"), Text("Y in training", "Y（训练）") if training
                           else Text("Y in inference", "Y（推理）")]), None, VALUE, COUNT),
    ]  # fmt: skip
    sheet.grow(wide, y + 18)
    which = Text("training", "训练") if training else Text("inference", "推理")
    facts = [
        Fact(Text("PyTorch's momentum", "PyTorch 的动量"),
             rf"1 - {number(momentum)} = {number(1 - momentum)}"),
        Fact(Text(f"mean of Y in {which.en}", f"{which.zh}时 Y 的均值"), number(Y.mean())),
        Fact(Text(f"variance of Y in {which.en}", f"{which.zh}时 Y 的方差"), number(Y.var())),
    ]  # fmt: skip
    title = Text("Training against inference", "训练与推理")
    return Scene(
        name, "training", title, sheet.width, sheet.height, visitor.controls, sheet.blocks,
        plots=plots, steps=steps, facts=facts,
    )  # fmt: skip


def factor_of(text: str) -> str:
    return f"({text})" if text.startswith("-") else text
