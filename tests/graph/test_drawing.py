"""A graph's picture: sound XML, every box apart from the others, names harmless."""

import xml.etree.ElementTree as ET

import numpy as np
import pytest

from suanzi import InferenceSession, data
from suanzi.graph import Graph, Node, drawing
from suanzi.operators import Add, Conv, Relu
from suanzi.operators._operator import TensorType

SVG = "{http://www.w3.org/2000/svg}"


def parts(graph):
    """The boxes as (x, y, width, height), and the texts."""
    root = ET.fromstring(graph._repr_svg_())
    boxes = [
        tuple(float(box.get(key)) for key in ("x", "y", "width", "height"))
        for box in root.iter(f"{SVG}rect")
        if box.get("x")
    ]
    return root, boxes, [text.text for text in root.iter(f"{SVG}text")]


def chain(count, name="n"):
    """Additions of the value and the one before it."""
    nodes, before = [], ["x", "x"]
    for i in range(count):
        nodes.append(Node(Add(), (before[-1], before[-2]), (f"v{i}",), f"{name}{i}"))
        before.append(f"v{i}")
    types = {"x": TensorType(np.float32, (1,))}
    return Graph(("x",), (before[-1],), tuple(nodes), {}, types)


def test_the_digits():
    graph = InferenceSession(data.digits_model(), threads=1).graph
    _, boxes, texts = parts(graph)
    assert len(boxes) == 11 + 2  # one node is a constant's; an input and an output
    assert {"Conv", "Convolution28", "Input3", "input", "1x8x28x28"} <= set(texts)


@pytest.mark.parametrize("count", [0, 1, 12])
def test_boxes_are_apart_and_inside(count):
    root, boxes, _ = parts(chain(count))
    width, height = float(root.get("width")), float(root.get("height"))
    for i, (x, y, w, h) in enumerate(boxes):
        assert 0 <= x <= x + w <= width
        assert 0 <= y <= y + h <= height
        for x2, y2, w2, h2 in boxes[i + 1 :]:
            assert x + w <= x2 or x2 + w2 <= x or y + h <= y2 or y2 + h2 <= y


def test_branches_side_by_side():
    nodes = tuple(Node(Relu(), ("x",), (f"y{i}",), f"branch {i}") for i in range(5))
    graph = Graph(("x",), tuple(f"y{i}" for i in range(5)), nodes)
    _, boxes, _ = parts(graph)
    assert len({y for _, y, _, _ in boxes}) == 3


def test_weights_are_left_out():
    node = Node(Conv(), ("x", "w"), ("y",))
    weights = Node(Relu(), ("c",), ("w",))
    graph = Graph(("x",), ("y",), (weights, node), {"c": np.ones((1, 1, 1), np.float32)})
    assert parts(graph)[2] == ["x", "input", "Conv", "y", "output"]


def test_names_are_harmless():
    svg = chain(1, '<script>&"\x1b')._repr_svg_()
    assert "<script" not in svg
    assert "&lt;script&gt;&amp;" in svg
    ET.fromstring(svg)


def test_too_many_nodes(monkeypatch):
    monkeypatch.setattr(drawing, "MOST_NODES", 3)
    assert "and 4 nodes more" in parts(chain(7))[2]
