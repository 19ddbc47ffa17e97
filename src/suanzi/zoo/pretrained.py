"""A model of the zoo, opened: a session that takes pictures and answers with words."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from suanzi.errors import SuanziError
from suanzi.session import InferenceSession
from suanzi.zoo import sources
from suanzi.zoo.answers import Answer
from suanzi.zoo.catalogue import find
from suanzi.zoo.download import Progress
from suanzi.zoo.tasks import TASKS, Task


class Pretrained(InferenceSession):
    """An InferenceSession with `task`: what the model is for, or None where that isn't known."""

    def __init__(self, model: str | os.PathLike[str], task: Task | None, **options: Any) -> None:
        super().__init__(model, **options)
        self.task = task

    def answer(self, picture: str | os.PathLike[str] | bytes) -> Answer | None:
        """What the model says of a picture, a path or a file's bytes; None where its outputs are no
        words and no picture: `run` has them."""
        if self.task is None:
            raise SuanziError("it isn't known how this model takes pictures", model=self.name)
        try:
            file = picture if isinstance(picture, bytes) else Path(picture).read_bytes()
            feeds = self.task.feeds(self, file)
        except SuanziError as error:
            raise error.at(model=self.name) from None
        except Exception as error:  # a damaged file makes Pillow raise anything
            raise SuanziError(f"can't read the picture: {error}", model=self.name) from None
        return self.task.tell(
            feeds, dict(zip(self.graph.outputs, self.run(None, feeds), strict=True)), file
        )


def task_of(reference: str) -> Task | None:
    """The task of a model by its name in the zoo; other models have none that is known."""
    if not sources.is_reference(reference) or reference.startswith(("hf:", "http")):
        return None
    return TASKS.get(find(reference).name)


def load(
    reference: str | os.PathLike[str],
    *,
    threads: int | None = None,
    offline: bool = False,
    progress: Progress | None = None,
) -> Pretrained:
    """A model by its name in the zoo, `hf:OWNER/REPO/FILE.onnx`, a URL with `#sha256=...`, or a
    file; downloaded if it isn't there yet."""
    file = sources.path(reference, offline=offline, progress=progress)
    return Pretrained(file, task_of(os.fspath(reference)), threads=threads)
