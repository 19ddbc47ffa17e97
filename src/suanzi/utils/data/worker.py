"""The processes that read a dataset: one pair of pipes each, tasks in and batches out.

A worker answers its tasks in their order, so whoever asks workers in turn hears them in turn. A
pipe has one writer, so the end of a process, however it came, ends its answers, and any wait.
"""

import contextlib
import enum
import os
import pickle
import queue
import random
import signal
import threading
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.context import BaseContext
from typing import Any

import numpy as np

from suanzi.errors import SuanziError
from suanzi.tensor import set_num_threads
from suanzi.tensor.random import manual_seed
from suanzi.utils.data.dataset import IterableDataset, samples

PATIENCE = 5  # seconds in which a worker that was told to end may end by itself


class Sign(enum.Enum):
    """What isn't a batch."""

    BEGIN = enum.auto()  # the task that starts an epoch
    BEGUN = enum.auto()  # the answer to it
    FINISHED = enum.auto()  # the answer when an IterableDataset has no more
    END = enum.auto()  # the task to end


@dataclass(frozen=True)
class WorkerInfo:
    """Which worker this process is, of how many, and its own copy of the dataset."""

    id: int
    num_workers: int
    seed: int
    dataset: Any


_info: WorkerInfo | None = None


def get_worker_info() -> WorkerInfo | None:
    """Which worker of a DataLoader this process is; None in the main process."""
    return _info


@dataclass(frozen=True)
class Failed:
    """The answer of a worker in which something was raised."""

    error: BaseException


@dataclass
class Fetcher:
    """Makes batches of a dataset: `indices` is one number, or a list where there are batches."""

    dataset: Any
    collate: Callable[[Any], Any]
    batched: bool
    drop_last: bool
    rest: Iterator[Any] | None = None

    def __call__(self, indices: Any) -> Any:
        """The next batch; FINISHED when an IterableDataset has no more."""
        if indices is Sign.BEGIN:
            if isinstance(self.dataset, IterableDataset):
                self.rest = iter(self.dataset)
            return Sign.BEGUN
        if self.rest is None:
            found = samples(self.dataset, indices) if self.batched else self.dataset[indices]
        elif self.batched:
            found = [sample for _, sample in zip(indices, self.rest, strict=False)]
            if not found or (self.drop_last and len(found) < len(indices)):
                return Sign.FINISHED
        else:
            found = next(self.rest, Sign.FINISHED)
            if found is Sign.FINISHED:
                return found
        return self.collate(found)


class Worker:
    """A process, as the one that started it sees it."""

    def __init__(
        self,
        context: BaseContext,
        fetcher: Fetcher,
        number: int,
        count: int,
        seed: int,
        init: Callable[[int], Any] | None,
        timeout: float,
    ) -> None:
        self.number, self.timeout = number, timeout
        inbox, self._tasks = context.Pipe(duplex=False)
        self._answers, outbox = context.Pipe(duplex=False)
        info = WorkerInfo(number, count, seed + number, fetcher.dataset)
        pipes = (inbox, outbox, self._tasks, self._answers)
        self.process = context.Process(  # type: ignore[attr-defined]
            target=work, args=(pipes, fetcher, info, init), daemon=True
        )
        with warnings.catch_warnings():  # of a fork with threads: Suanzi's start anew in the child
            warnings.simplefilter("ignore", DeprecationWarning)
            self.process.start()
        inbox.close()
        outbox.close()  # so that the process alone holds the end that it writes to

    def put(self, task: Any) -> None:
        with contextlib.suppress(BrokenPipeError):  # of one that died: `get` says so
            self._tasks.send(task)

    def get(self) -> Any:
        """The answer to the first task not yet answered; what the worker raised is raised here."""
        try:
            if self.timeout and not self._answers.poll(self.timeout):
                raise SuanziError(
                    f"worker {self.number} of the DataLoader took too long",
                    input="timeout",
                    expected=f"a batch within {self.timeout:g} s",
                )
            answer = receive(self._answers)
        except (EOFError, ConnectionResetError):
            raise self._death() from None
        if isinstance(answer, Failed):
            raise answer.error
        return answer

    def end(self, deadline: float) -> None:
        """Sees to it that the process, which has its task to END, does so by then."""

        def left() -> float:
            return max(0.0, deadline - time.monotonic())

        with contextlib.suppress(EOFError, OSError):
            while self._answers.poll(left()):  # it may be about to send what no one wants
                self._answers.recv_bytes()
        self.process.join(left())
        if self.process.exitcode is None:
            self.process.kill()
            self.process.join()
        self._tasks.close()
        self._answers.close()
        self.process.close()

    def _death(self) -> SuanziError:
        self.process.join(PATIENCE)
        code, pid = self.process.exitcode, self.process.pid
        killed = code is not None and code < 0
        return SuanziError(
            f"worker {self.number} of the DataLoader (process {pid}) ended unexpectedly",
            found=f"signal {signal.Signals(-code).name}" if killed else f"exit status {code}",
            hint="The system kills processes when memory runs out: try fewer workers"
            if killed
            else "num_workers=0 shows what the dataset does",
        )


def work(
    pipes: tuple[Connection, ...],
    fetcher: Fetcher,
    info: WorkerInfo,
    init: Callable[[int], Any] | None,
) -> None:
    """What a worker's process does, from its begin to its end."""
    global _info
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for whoever started it
    inbox, outbox, *others = pipes
    for other in others:  # of which a fork has copies: while they are open no pipe has an end
        other.close()
    set_num_threads(1)
    random.seed(info.seed)
    np.random.seed(info.seed % 2**32)
    manual_seed(info.seed)
    _info = info
    tasks: queue.SimpleQueue[Any] = queue.SimpleQueue()
    ending = threading.Event()
    threading.Thread(target=_listen, args=(inbox, tasks, ending), daemon=True).start()
    failure: Failed | None = None
    try:
        if init is not None:
            init(info.id)
    except Exception as error:
        failure = _told(error, info.id)
    answer = pack(failure)
    while (task := tasks.get()) is not Sign.END and not ending.is_set():
        if failure is None:
            try:
                answer = pack(fetcher(task))
            except Exception as error:
                answer = pack(_told(error, info.id))
        send(outbox, *answer)


def _listen(inbox: Connection, tasks: "queue.SimpleQueue[Any]", ending: threading.Event) -> None:
    """Takes tasks off the pipe at once, so that their sender needn't wait for a busy worker."""
    try:
        while (task := inbox.recv()) is not Sign.END:
            tasks.put(task)
    except (EOFError, OSError):  # whoever wanted the answers is gone
        os._exit(1)
    ending.set()
    tasks.put(Sign.END)


def _told(error: Exception, number: int) -> Failed:
    """The error with its traceback as a note, or what says as much where it can't be sent."""
    trace = f"Raised in worker {number} of the DataLoader:\n{traceback.format_exc()}"
    try:
        copy: BaseException = pickle.loads(pickle.dumps(error))
    except Exception:
        copy = RuntimeError(f"{type(error).__name__}: {error}")
    copy.add_note(trace)
    return Failed(copy)


Packed = tuple[bytes, list[memoryview]]


def pack(value: Any) -> Packed:
    """A value as bytes, and beside them the memory of its arrays, not copied."""
    parts: list[pickle.PickleBuffer] = []
    text = pickle.dumps(value, protocol=5, buffer_callback=parts.append)
    return text, [part.raw() for part in parts]


def send(pipe: Connection, text: bytes, parts: list[memoryview]) -> None:
    """Writes a packed value."""
    pipe.send([len(part) for part in parts])
    pipe.send_bytes(text)
    for part in parts:
        pipe.send_bytes(part)


def receive(pipe: Connection) -> Any:
    """Reads what `send` has written; the arrays can be written to."""
    sizes = pipe.recv()
    text = pipe.recv_bytes()
    parts = [bytearray(size) for size in sizes]
    for part in parts:
        pipe.recv_bytes_into(part)
    return pickle.loads(text, buffers=parts)
