"""Non-maximum suppression: of boxes that overlap, the best one."""

import numpy as np

from suanzi.operators._checks import require_shape
from suanzi.operators._operator import Array, Example, Operator, TensorType, operator


@operator(family="vision", torch="torchvision.ops.batched_nms")
class NonMaxSuppression(Operator):
    """The boxes that are left, best first, when each takes away those of less score that it
    overlaps: whose intersection over union with it is above iou_threshold.

    boxes [N, B, 4]: two opposite corners (y1, x1, y2, x2), or if center_point_box (x, y, width,
    height); scores [N, classes, B], of which only those above score_threshold count;
    selected_indices [S, 3] (picture, class, box), by picture, then class, then score, at most
    max_output_boxes_per_class (absent: 0) of each class. Of equal scores the first box goes first.
    Source: https://onnx.ai/onnx/operators/onnx__NonMaxSuppression.html (opset 11, as 10)
    """

    center_point_box: int = 0

    def infer(
        self,
        boxes: TensorType,
        scores: TensorType,
        max_output_boxes_per_class: TensorType | None = None,
        iou_threshold: TensorType | None = None,
        score_threshold: TensorType | None = None,
    ) -> TensorType:
        require_shape(boxes, (None, None, 4), "boxes")
        N, B = (None, None) if boxes.shape is None else boxes.shape[:2]
        require_shape(scores, (N, None, B), "scores")
        return TensorType(np.dtype(np.int64), (None, 3))

    def numpy(
        self,
        boxes: Array,
        scores: Array,
        max_output_boxes_per_class: Array | None = None,
        iou_threshold: Array | None = None,
        score_threshold: Array | None = None,
    ) -> Array:
        most = 0 if max_output_boxes_per_class is None else int(max_output_boxes_per_class.item())
        threshold = 0.0 if iou_threshold is None else iou_threshold.item()
        enough = (
            np.ones(scores.shape, bool) if score_threshold is None else scores > score_threshold
        )
        corners = self._corners(boxes)
        selected = [np.empty((0, 3), np.int64)]
        for n, c in np.ndindex(scores.shape[:2]):
            found = np.flatnonzero(enough[n, c])
            order = found[np.argsort(-scores[n, c, found], stable=True)]
            best = _suppress(corners[n], order, most, threshold)
            selected.append(np.array([(n, c, box) for box in best], np.int64).reshape(-1, 3))
        return np.concatenate(selected)

    def _corners(self, boxes: Array) -> Array:
        """The boxes as (least y, least x, largest y, largest x), or x and y the other way round."""
        first, second = boxes[..., :2], boxes[..., 2:]
        if self.center_point_box:
            first, second = first - second / 2, first + second / 2
        return np.concatenate([np.minimum(first, second), np.maximum(first, second)], -1)

    @classmethod
    def examples(cls) -> list[Example]:
        boxes = np.array([[0, 0, 2, 2], [0, 0.5, 2, 2.5], [1, 4, 3, 2.5]], np.float32)[None]
        scores = np.array([[[0.8, 0.9, 0.3], [0.1, 0.5, 0.7]]], np.float32)
        most, iou, score = np.array(2), np.array(0.5, np.float32), np.array(0.2, np.float32)
        return [
            Example(cls(), (boxes, scores, most, iou, score)),
            Example(cls(center_point_box=1), (boxes, scores, np.array([3]), iou)),
            Example(cls(), (boxes, scores)),
        ]


BLOCK = 64
"""How many boxes are compared with each other at a time."""


def _suppress(corners: Array, order: Array, most: int, threshold: float) -> list[int]:
    """Which boxes stay, of those listed from the best to the worst."""
    best: list[int] = []
    for first in range(0, len(order), BLOCK):
        if len(best) >= most:
            break
        block = order[first : first + BLOCK]
        left = block[~_overlap(corners[block], corners[best], threshold).any(1)]
        taken = _overlap(corners[left], corners[left], threshold)
        stays = np.ones(len(left), bool)
        for i in range(len(left)):
            if stays[i]:
                stays[i + 1 :] &= ~taken[i, i + 1 :]
        best.extend(left[stays].tolist())
    return best[:most]


def _overlap(A: Array, B: Array, threshold: float) -> Array:
    """Whether intersection over union is above the threshold: each box of A with each of B."""
    a, b = A[:, None], B[None]
    low, high = np.maximum(a[..., :2], b[..., :2]), np.minimum(a[..., 2:], b[..., 2:])
    area = _area(np.maximum(high - low, 0))
    union = _area(A[:, 2:] - A[:, :2])[:, None] + _area(B[:, 2:] - B[:, :2]) - area
    # Boxes without an area overlap nothing.
    return np.asarray((area > 0) & (area > threshold * union))


def _area(sides: Array) -> Array:
    return np.asarray(sides[..., 0] * sides[..., 1])
