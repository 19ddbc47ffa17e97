"""Figures as data, and as SVG: what they tell is what the operator computes."""

import itertools
import json
import math
import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from suanzi.atlas.figures import figure, names
from suanzi.atlas.figures.nodes import node_figure
from suanzi.atlas.svg import svg
from suanzi.errors import SuanziError
from suanzi.inspect.plain import plain
from suanzi.operators import (
    OPERATORS,
    AveragePool,
    Conv,
    ConvTranspose,
    LayerNormalization,
    MaxPool,
)

ALL = [(name, kind) for name in OPERATORS for kind, _ in names(name)]
WINDOWED = {
    "Conv": [
        {},
        {"kernel": [3, 5], "stride": [2, 1], "pad": [1, 2], "size": [7, 9]},
        {"dilation": 2, "group": 2, "channels": 4, "filters": 2, "size": 7},
        {"dimensions": 1, "kernel": 4, "size": 12},
        {"dimensions": 3, "kernel": 2, "stride": 2, "size": 4},
    ],
    "ConvTranspose": [
        {},
        {"stride": 2, "output_padding": 1, "pad": 1},
        {"dimensions": 1, "kernel": 3, "stride": 3, "pad": 0},
        {"group": 2, "channels": 4, "filters": 4},
    ],
    "MaxPool": [{}, {"kernel": 3, "stride": 1, "pad": 1}, {"ceil_mode": True, "size": 6}],
    "AveragePool": [
        {},
        {"kernel": 3, "pad": 1, "stride": 2, "count_include_pad": True},
        {"kernel": 3, "pad": 1, "stride": 2, "count_include_pad": False},
    ],
    "LpPool": [{}, {"p": 1}, {"p": 3, "kernel": 3}],
    "GlobalAveragePool": [{}, {"size": [3, 4]}, {"channels": 3}],
    "AdaptiveAveragePool": [{}, {"output": [2, 3]}, {"dimensions": 1, "size": 11, "output": 4}],
    "AdaptiveMaxPool": [{}, {"output": [2, 3]}, {"size": [8, 9], "output": [5, 7]}],
}
CASES = [(name, given) for name, many in WINDOWED.items() for given in many]


def whole(scene):
    """What must hold of any scene: cells within blocks, marks on blocks, numbers that JSON has."""
    blocks = {block.id: block for block in scene.blocks}
    assert len(blocks) == len(scene.blocks)
    for block in scene.blocks:
        for values in (block.values, block.groups):
            top, left, bottom, right = block.border
            inner = (block.rows - top - bottom) * (block.columns - left - right)
            assert values is None or len(values) in (inner, block.rows * block.columns)
    for step in scene.steps:
        assert step.text.en
        assert step.text.zh
        for mark in step.marks:
            block = blocks[mark.block]
            assert all(0 <= cell < block.rows * block.columns for cell in mark.cells)
    json.dumps(plain(scene), allow_nan=False)
    return scene


@pytest.mark.parametrize(("name", "kind"), ALL)
def test_every_figure_in_both_languages_and_themes(name, kind):
    scene = whole(figure(name, figure=kind))
    assert (scene.operator, scene.figure) == (name, kind)
    for language, theme in itertools.product(("en", "zh"), ("light", "dark", "auto")):
        drawn = svg(scene, 0 if scene.steps else None, theme, language)
        root = ET.fromstring(drawn)
        texts = "".join(root.itertext())
        assert scene.title[language] in texts
        assert not re.search(r'="[^"]*(nan|inf)[^"]*"', drawn)
        assert (language == "zh") == bool(re.search(r"[\u4e00-\u9fff]", texts))


@pytest.mark.parametrize("moving", [False, True])
def test_all_steps_are_drawn_where_it_moves(moving):
    scene = figure("Conv", {"size": 4})
    drawn = ET.fromstring(svg(scene, moving=moving))
    told = "".join(drawn.itertext())
    assert all((step.text.en[:9] in told) == moving for step in scene.steps)


@pytest.mark.parametrize(("name", "given"), CASES)
def test_windows(name, given):
    """Each step's formula gives the cell that it writes; what it reads is what the cell needs."""
    scene = whole(figure(name, given))
    blocks = {block.id: block for block in scene.blocks}
    assert scene.steps
    for step in scene.steps:
        written = {m.block: m.cells for m in step.marks if m.role == "write"}
        if name == "ConvTranspose":
            assert written  # what one input element adds to
            continue
        block, cells = next((b, c) for b, c in written.items() if blocks[b].tensor == "Y")
        value = blocks[block].values[cells[0]]
        assert value_of(step.latex) == pytest.approx(value, rel=2e-3, abs=1e-6), step.latex


def value_of(latex):
    """What stands right of the first sign of equality, and before the last, computed."""
    _, *middle, result = latex.split("=")
    if not middle or "dots" in latex:
        return float(result)
    text = middle[0]
    while (found := re.search(r"\\frac\{([^{}]*)\}\{([^{}]*)\}", text)) is not None:
        text = text.replace(found[0], f"(({found[1]})/({found[2]}))")
    text = re.sub(r"\|(-?[\d.]+)\|", r"abs(\1)", text)
    text = text.replace(r"\cdot", "*").replace(r"\max", "max").replace("^{", "**(")
    text = re.sub(r"\*\*\(([^}]*)\}", r"**(\1)", text).replace("^", "**")
    text = re.sub(r"max\(([^,()]*)\)", r"(\1)", text)
    assert re.fullmatch(r"[\d\s.+*/(),e-]*", re.sub("abs|max", "", text)), text
    return eval(text)


@pytest.mark.parametrize(("name", "given"), [c for c in CASES if c[0] == "Conv"])
def test_the_size_is_the_outputs(name, given):
    scene = figure(name, given)
    sizes = [int(f.latex.rsplit("=", 1)[1]) for f in scene.facts if f.label.en == "output size"]
    (one, *_) = [b for b in scene.blocks if b.tensor == "Y"]
    assert [one.rows, one.columns][-len(sizes) :] == sizes[-2:]


def test_which_elements_share():
    """The colours of the five forms: as many classes as means, of equal sizes."""
    scene = figure("GroupNormalization")
    counts = {}
    for block in scene.blocks:
        if block.groups:
            form = counts.setdefault(block.tensor, {})
            for group in block.groups:
                form[group] = form.get(group, 0) + 1
    N, C, size = 2, 4, 6
    for form, means in {"Batch": C, "Layer": N, "Instance": N * C, "Group": N * 2}.items():
        found = counts[f"{form}Normalization"]
        assert sorted(found.values()) == [N * C * size // means] * means


@pytest.mark.parametrize("name", ["Relu", "Sigmoid", "Gelu", "Mish", "Elu"])
def test_a_curve_and_its_derivative(name):
    (plot,) = figure(name).plots
    function, derivative = plot.series
    x, y = np.array(function.x), np.array(function.y)
    by_hand = (y[2:] - y[:-2]) / (x[2:] - x[:-2])
    near = np.abs(x[1:-1]) > 0.1  # Relu has a corner
    np.testing.assert_allclose(np.array(derivative.y)[1:-1][near], by_hand[near], atol=0.02)


def test_training_against_inference():
    """The running statistics move in training alone."""
    for training in (True, False):
        scene = whole(figure("BatchNormalization", {"training": training}, figure="training"))
        assert len(scene.steps) > 2


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("Conv", {"kernel": 99}),
        ("Conv", {"kernel": [3, 3, 3]}),
        ("Conv", {"kernel": "3"}),
        ("Conv", {"size": 10**9}),
        ("Conv", {"group": 3, "channels": 2}),
        ("Conv", {"magic": 1}),
        ("Conv", {"kernel": 5, "size": 3, "pad": 0}),
        ("Softmax", {"temperature": math.nan}),
        ("Dropout", {"training": "yes"}),
    ],
)
def test_what_a_visitor_gets_wrong(name, given):
    with pytest.raises(SuanziError):
        figure(name, given)


def test_no_such_figure():
    with pytest.raises(SuanziError, match="no such figure"):
        figure("Conv", figure="magic")
    with pytest.raises(SuanziError, match="no such operator"):
        figure("Magic")


@pytest.mark.parametrize(
    ("operator", "weights", "expected"),
    [
        (Conv(strides=(2, 2), pads=(3, 3, 3, 3)), (64, 3, 7, 7), {"kernel": (7, 7), "pad": (3, 3)}),
        (Conv(group=32), (32, 1, 3, 3), {"group": 2, "kernel": (3, 3)}),
        (Conv(dilations=(2, 2)), (8, 8, 3, 3), {"dilation": (2, 2)}),
        (Conv(auto_pad="SAME_UPPER"), (8, 1, 5, 5), {"pad": (2, 2)}),
        (Conv(), (8, 8, 5), {"dimensions": 1, "kernel": (5,)}),
        (ConvTranspose(strides=(2, 2)), (8, 4, 2, 2), {"stride": (2, 2)}),
        (MaxPool(kernel_shape=(3, 3), strides=(2, 2)), None, {"kernel": (3, 3)}),
        (AveragePool(kernel_shape=(30, 30)), None, {}),  # too large to draw
        (LayerNormalization(axis=-1), (768,), {}),
    ],
)
def test_a_node_has_its_own_parameters(operator, weights, expected):
    scene = whole(node_figure(operator, weights))
    controls = {c.name: c.value for c in scene.controls}
    assert {k: controls[k] for k in expected} == expected
