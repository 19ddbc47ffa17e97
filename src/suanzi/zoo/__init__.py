"""Pretrained models by name: `suanzi.zoo.load("resnet50").answer("cat.jpg")`.

The catalogue is that of ONNX's model zoo. A model is downloaded when it is first asked for, its
sha256 verified, and kept in one folder.
"""

from suanzi.zoo.answers import Answer as Answer
from suanzi.zoo.answers import Guess as Guess
from suanzi.zoo.catalogue import Entry as Entry
from suanzi.zoo.catalogue import find as show
from suanzi.zoo.catalogue import models as list
from suanzi.zoo.pretrained import Pretrained as Pretrained
from suanzi.zoo.pretrained import load, task_of
from suanzi.zoo.sources import path, samples
from suanzi.zoo.sources import path as get
from suanzi.zoo.tasks import Task as Task

__all__ = ["get", "list", "load", "path", "samples", "show", "task_of"]
