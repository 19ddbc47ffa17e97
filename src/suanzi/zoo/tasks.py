"""What the zoo's models are for, as data: how a picture becomes their input, and what they answer.

The numbers are those of the models' pages in ONNX's zoo; where a page is silent, those with which
Intel's Neural Compressor measured the same file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from suanzi.errors import SuanziError
from suanzi.inspect.feeds import Picture, open_picture
from suanzi.operators._operator import Array, TensorType
from suanzi.zoo.answers import Answer, Answering, Classes, Detection, Regions, Repainted, Sharpened
from suanzi.zoo.detection import Cells, Listed, Scored, Selected

if TYPE_CHECKING:
    from PIL.Image import Image

    from suanzi.session import InferenceSession

MOST_PROPORTION = 10
"""Of the sides of a picture whose longer one isn't bounded."""


@dataclass(frozen=True)
class Task:
    """Pictures in, answers out."""

    picture: Picture
    answer: Answering | None
    """None: the outputs are no words and no picture."""
    size: tuple[int, int] = (0, 0)
    """Height and width, where the model leaves them open ..."""
    shorter: int = 0
    """... or the length of the shorter side, the other in proportion, in multiples of 32."""

    def feeds(self, session: InferenceSession, file: bytes) -> dict[str, Array]:
        """The model's inputs for a picture's file."""
        name, *others = session.graph.inputs
        image = open_picture(file)
        feeds = {name: self._tensor(session.graph.types[name], file, image)}
        for other in others:  # YOLOv3's second: the picture's height and width
            kind = session.graph.types[other]
            feeds[other] = np.array([[image.height, image.width]], kind.dtype)
        return feeds

    def _tensor(self, kind: TensorType, file: bytes, image: Image) -> Array:
        known = [dim if isinstance(dim, int) else 0 for dim in kind.shape or ()]
        batch = [1] if len(known) == 3 else []  # R-CNN's input is one picture, not a batch of them
        whole = [*batch, *known]
        rows = 2 if self.picture.layout == "NCHW" else 1
        if len(whole) == 4:
            whole[0] = 1
            for axis, size in enumerate(self._size(image), rows):
                whole[axis] = whole[axis] or size
        made = self.picture(file, TensorType(kind.dtype, tuple(whole)))
        return made[0] if batch else made

    def _size(self, image: Image) -> tuple[int, int]:
        if not self.shorter:
            return self.size
        scale = self.shorter / min(image.height, image.width)
        if max(image.height, image.width) > MOST_PROPORTION * min(image.height, image.width):
            raise SuanziError("the picture is too long", found=f"{image.width} x {image.height}")
        height, width = (max(1, round(n * scale / 32)) * 32 for n in (image.height, image.width))
        return height, width

    def tell(
        self, feeds: Mapping[str, Array], outputs: Mapping[str, Any], file: bytes
    ) -> Answer | None:
        """What the outputs say of the picture."""
        if self.answer is None:
            return None
        shape = next(iter(feeds.values())).shape
        height, width = shape[-2:] if self.picture.layout == "NCHW" else shape[-3:-1]
        image = open_picture(file).convert("RGB")
        arrays = [np.asarray(value) for value in outputs.values()]
        return self.answer(arrays, image, (height, width), self.picture.resize)


IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
NORMAL = Picture(resize="crop", central=0.875, mean=IMAGENET_MEAN, std=IMAGENET_STD)
CAFFE = Picture(scale=1.0, color="BGR", mean=(103.939, 116.779, 123.68))
BYTES = Picture(scale=1.0)
BOXED = Picture(resize="pad", fill=128)

IMAGENET = Task(NORMAL, Classes("imagenet"))
CAFFE_IMAGENET = Task(CAFFE, Classes("imagenet"))
R_CNN = Task(
    Picture(scale=1.0, color="BGR", mean=(102.9801, 115.9465, 122.7717)),
    Detection(Listed(unit="pixels"), "coco", skip=True),
    shorter=800,
)
YOLO_V3 = Task(BOXED, Detection(Selected(), "coco80", least=0.3, of="picture"), size=(416, 416))
V2_VOC = ((1.08, 1.19), (3.42, 4.41), (6.63, 11.38), (9.42, 5.11), (16.62, 10.52))
V2_COCO = (
    (0.57273, 0.677385), (1.87446, 2.06253), (3.33843, 5.47434), (7.88282, 3.52778),
    (9.77052, 9.16828),
)  # fmt: skip
V4 = (
    ((12, 16), (19, 36), (40, 28)),
    ((36, 75), (76, 55), (72, 146)),
    ((142, 110), (192, 243), (459, 401)),
)

TASKS: dict[str, Task] = {
    **dict.fromkeys(
        [
            "resnet18", "resnet34", "resnet50", "resnet101", "resnet152", "resnet18-v2",
            "resnet34-v2", "resnet50-v2", "resnet101-v2", "resnet152-v2", "resnet50-caffe2",
            "mobilenetv2", "shufflenet", "shufflenet-v2", "squeezenet1.0", "squeezenet1.1",
            "densenet121", "vgg16", "vgg16-bn", "vgg19", "vgg19-bn",
        ],
        IMAGENET,
    ),
    **dict.fromkeys(
        [
            "alexnet", "caffenet", "googlenet", "inception-v1", "inception-v2", "vgg19-caffe2",
            "zfnet512",
        ],
        CAFFE_IMAGENET,
    ),
    "efficientnet-lite4": Task(
        Picture("NHWC", "crop", scale=1.0, central=0.875, mean=(127.0,), std=(128.0,)),
        Classes("imagenet"),
    ),
    "mnist": Task(BYTES, Classes("digits")),
    "emotion-ferplus": Task(BYTES, Classes("emotions")),
    "ultraface-320": Task(
        Picture(scale=1.0, mean=(127.0,), std=(128.0,)), Detection(Scored(), "faces", least=0.7)
    ),
    "faster-rcnn": R_CNN,
    "mask-rcnn": R_CNN,
    "ssd": Task(replace(NORMAL, resize="stretch"), Detection(Listed(), "coco", skip=True)),
    "ssd-mobilenet-v1": Task(
        Picture("NHWC"), Detection(Listed(order="yxyx"), "coco"), size=(300, 300)
    ),
    "tiny-yolov2": Task(BYTES, Detection(Cells((V2_VOC,), 1.0), "voc20", least=0.3)),
    "yolov2": Task(Picture(), Detection(Cells((V2_COCO,), 1.0), "coco80", least=0.3)),
    "tiny-yolov3": YOLO_V3,
    "yolov3": YOLO_V3,
    "yolov4": Task(
        replace(BOXED, layout="NHWC"),
        Detection(Cells(V4, 416.0, stretch=(1.2, 1.1, 1.05)), "coco80", least=0.3),
        size=(416, 416),
    ),
    "fcn-resnet50": Task(replace(NORMAL, resize="stretch"), Regions("voc"), shorter=520),
    "retinanet": Task(replace(NORMAL, resize="stretch"), None),
    **dict.fromkeys(["candy", "mosaic", "pointilism", "rain-princess", "udnie"],
                    Task(BYTES, Repainted())),
    "super-resolution": Task(Picture(color="L"), Sharpened()),
}  # fmt: skip
"""By the model's name; what isn't here takes no picture, or needs more than one."""
TASKS["ultraface-640"] = TASKS["ultraface-320"]
TASKS["fcn-resnet101"] = TASKS["fcn-resnet50"]
