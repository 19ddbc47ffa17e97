"""Boxes from a detector's outputs, one small dataclass for each form that outputs have.

Each gives boxes [n, 4] as left, top, right, bottom, their classes [n] and their scores [n].
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

import numpy as np

from suanzi.operators._operator import Array


class Boxes(NamedTuple):
    """`corners` are fractions of the picture that the model saw, or its pixels."""

    corners: Array
    classes: Array
    scores: Array
    pixels: bool = False


class Finding(Protocol):
    def __call__(self, outputs: Sequence[Array]) -> Boxes: ...


@dataclass(frozen=True)
class Listed:
    """Boxes [.., n, 4], classes [.., n], scores [.., n]: SSD and R-CNN."""

    order: Literal["xyxy", "yxyx"] = "xyxy"
    unit: Literal["fractions", "pixels"] = "fractions"

    def __call__(self, outputs: Sequence[Array]) -> Boxes:
        corners = outputs[0].reshape(-1, 4)
        if self.order == "yxyx":
            corners = corners[:, [1, 0, 3, 2]]
        classes, scores = (x.reshape(-1) for x in outputs[1:3])
        return Boxes(corners, classes.astype(int), scores, self.unit == "pixels")


@dataclass(frozen=True)
class Scored:
    """Scores [1, n, classes] with the background first, boxes [1, n, 4]: UltraFace."""

    def __call__(self, outputs: Sequence[Array]) -> Boxes:
        scores = outputs[0][0, :, 1:]
        return Boxes(outputs[1][0], scores.argmax(-1) + 1, scores.max(-1))


@dataclass(frozen=True)
class Selected:
    """Boxes [1, n, 4] as top, left, bottom, right in pixels, scores [1, classes, n], and those
    chosen, [.., (batch, class, box)]: YOLOv3."""

    def __call__(self, outputs: Sequence[Array]) -> Boxes:
        boxes, scores, chosen = outputs
        batch, classes, index = chosen.reshape(-1, 3).T
        corners = boxes[batch, index][:, [1, 0, 3, 2]]
        return Boxes(corners, classes, scores[batch, classes, index], pixels=True)


@dataclass(frozen=True)
class Cells:
    """Each cell of a grid tells of boxes, as shifts from its own place and from known sizes.

    center = (σ(t)·stretch - (stretch - 1)/2 + cell) / cells, size = exp(t)·anchor. An output is
    [1, anchors·(4 + 1 + classes), H, W] in logits (YOLOv2), or [1, H, W, anchors, 4 + 1 + classes]
    with probabilities (YOLOv4).
    """

    anchors: tuple[tuple[tuple[float, float], ...], ...]
    """Width and height, for each output."""
    unit: float
    """How many of the anchors' units make the whole side; 1 means a cell is the unit."""
    stretch: tuple[float, ...] = (1.0,)

    def __call__(self, outputs: Sequence[Array]) -> Boxes:
        parts = [
            self._one(x.astype(np.float32), np.array(anchors), stretch)
            for x, anchors, stretch in zip(outputs, self.anchors, self.stretch, strict=True)
        ]
        corners, classes, scores = map(np.concatenate, zip(*parts, strict=True))
        return Boxes(corners, classes, scores)

    def _one(self, x: Array, anchors: Array, stretch: float) -> tuple[Array, Array, Array]:
        if x.ndim == 4:
            _, _, H, W = x.shape
            x = x.reshape(len(anchors), -1, H, W).transpose(2, 3, 0, 1)
            sure, classes = sigmoid(x[..., 4]), softmax(x[..., 5:])
        else:
            _, H, W = x.shape[:3]
            x = x[0]
            sure, classes = x[..., 4], x[..., 5:]
        grid = np.stack(np.meshgrid(np.arange(W), np.arange(H)), -1)[:, :, None]
        cells = np.array([W, H])
        center = (sigmoid(x[..., :2]) * stretch - (stretch - 1) / 2 + grid) / cells
        half = np.exp(x[..., 2:4].clip(max=20)) * anchors / (cells if self.unit == 1 else self.unit)
        half = half / 2
        corners = np.concatenate([center - half, center + half], -1).reshape(-1, 4)
        scores = sure * classes.max(-1)
        return corners, classes.argmax(-1).reshape(-1), scores.reshape(-1)


def apart(boxes: Boxes, least: float, overlap: float) -> list[int]:
    """The boxes that score at least so much, best first; of those of one class that cover one
    another by more than `overlap` (intersection over union) the best alone.

    >>> corners = np.array([[0, 0, 2, 2], [0, 0, 2, 1.9], [5, 5, 6, 6], [0, 0, 1, 1]])
    >>> apart(Boxes(corners, np.zeros(4), np.array([0.8, 0.9, 0.7, 0.1])), 0.5, 0.5)
    [1, 2]
    """
    corners, classes, scores = boxes.corners, boxes.classes, boxes.scores
    area = np.prod((corners[:, 2:] - corners[:, :2]).clip(0), axis=1)
    rest = [int(i) for i in np.argsort(-scores) if scores[i] >= least]
    kept = []
    while rest:
        best, *rest = rest
        kept.append(best)
        low = np.maximum(corners[best, :2], corners[rest, :2])
        high = np.minimum(corners[best, 2:], corners[rest, 2:])
        both = np.prod((high - low).clip(0), axis=1)
        far = both <= overlap * (area[best] + area[rest] - both)
        other = classes[rest] != classes[best]
        rest = [i for i, keep in zip(rest, far | other, strict=True) if keep]
    return kept


def sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def softmax(x: Array) -> Array:
    powers = np.exp(x - x.max(-1, keepdims=True))
    return np.asarray(powers / powers.sum(-1, keepdims=True))
