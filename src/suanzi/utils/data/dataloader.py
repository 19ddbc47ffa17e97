"""Batches of a dataset, made here or by worker processes."""

import contextlib
import itertools
import multiprocessing
import time
import weakref
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from multiprocessing.context import BaseContext
from typing import Any

from suanzi.errors import SuanziError
from suanzi.tensor.random import Generator, randint
from suanzi.utils.data.collate import default_collate, default_convert
from suanzi.utils.data.dataset import IterableDataset
from suanzi.utils.data.sampler import BatchSampler, RandomSampler, SequentialSampler, batches
from suanzi.utils.data.worker import PATIENCE, Fetcher, Sign, Worker


class DataLoader:
    """Iterates over batches of `dataset`, each made of `batch_size` samples by `collate_fn`.

    - `shuffle`, or `sampler`, or `batch_sampler` set the order; `drop_last` drops a last batch that
      is shorter; `batch_size=None` yields samples, not batches.
    - `num_workers` processes read ahead, `prefetch_factor` batches each, and are kept for the next
      epoch with `persistent_workers`. `multiprocessing_context` says how they start: by default as
      Python's multiprocessing does, and what isn't forked must be able to be pickled. The batches'
      order is the same with any number of workers.
    - What a worker raises is raised here, its traceback in the notes; one that dies is a
      `SuanziError`, and so is a wait for a batch of more than `timeout` seconds (0: no limit).
    - `generator` draws the shuffles and the workers' seeds; `worker_init_fn(id)` is called in each
      worker first.

    `pin_memory`, `pin_memory_device` and `in_order` are PyTorch's, and mean nothing here.

    >>> [batch.tolist() for batch in DataLoader([1, 2, 3, 4, 5], batch_size=2)]
    [[1, 2], [3, 4], [5]]
    """

    def __init__(
        self,
        dataset: Any,
        batch_size: int | None = 1,
        shuffle: bool | None = None,
        sampler: Iterable[Any] | None = None,
        batch_sampler: Iterable[Any] | None = None,
        num_workers: int = 0,
        collate_fn: Callable[[Any], Any] | None = None,
        pin_memory: bool = False,
        drop_last: bool = False,
        timeout: float = 0,
        worker_init_fn: Callable[[int], Any] | None = None,
        multiprocessing_context: BaseContext | str | None = None,
        generator: Generator | None = None,
        *,
        prefetch_factor: int | None = None,
        persistent_workers: bool = False,
        pin_memory_device: str = "",
        in_order: bool = True,
    ) -> None:
        self._stream = isinstance(dataset, IterableDataset)
        if self._stream:
            _exclude(
                "an IterableDataset has its own order",
                shuffle=shuffle,
                sampler=sampler,
                batch_sampler=batch_sampler,
            )
        if batch_sampler is not None:
            _exclude(
                "batch_sampler decides the batches alone",
                batch_size=batch_size != 1,
                shuffle=shuffle,
                sampler=sampler,
                drop_last=drop_last,
            )
            batch_size = None
        elif batch_size is None:
            _exclude("without batch_size there are no batches", drop_last=drop_last)
        if sampler is not None:
            _exclude("sampler decides the order alone", shuffle=shuffle)
        for name, value in (("num_workers", num_workers), ("timeout", timeout)):
            if value < 0:
                raise SuanziError("wrong value", input=name, expected="0 or more", found=value)
        if num_workers == 0:
            _exclude(
                "only workers need it: num_workers is 0",
                prefetch_factor=prefetch_factor,
                persistent_workers=persistent_workers,
                multiprocessing_context=multiprocessing_context,
            )
        elif prefetch_factor is not None and prefetch_factor < 1:
            raise SuanziError(
                "wrong value", input="prefetch_factor", expected="1 or more", found=prefetch_factor
            )
        if sampler is None:
            if self._stream:
                sampler = itertools.repeat(None)
            elif shuffle:
                sampler = RandomSampler(dataset, generator=generator)
            else:
                sampler = SequentialSampler(dataset)
        if batch_size is not None:
            batch_sampler = BatchSampler(sampler, batch_size, drop_last)
        self.dataset, self.batch_size, self.drop_last = dataset, batch_size, drop_last
        self.sampler, self.batch_sampler = sampler, batch_sampler
        self.num_workers, self.worker_init_fn, self.timeout = num_workers, worker_init_fn, timeout
        self.prefetch_factor = (prefetch_factor or 2) if num_workers else None
        self.persistent_workers, self.generator = persistent_workers, generator
        self.pin_memory, self.pin_memory_device = pin_memory, pin_memory_device
        self.in_order = in_order
        if isinstance(multiprocessing_context, str):
            known = multiprocessing.get_all_start_methods()
            if multiprocessing_context not in known:
                raise SuanziError(
                    "no such way to start a process here",
                    input="multiprocessing_context",
                    expected=", ".join(known),
                    found=multiprocessing_context,
                )
            multiprocessing_context = multiprocessing.get_context(multiprocessing_context)
        self.multiprocessing_context = multiprocessing_context
        self._batched = batch_sampler is not None
        self.collate_fn = collate_fn or (default_collate if self._batched else default_convert)
        self._idle: list[Worker] = []
        """Persistent workers that wait for an epoch."""
        self._owed: list[Worker] = []
        """Which of them owe answers that no one wants any more, once for each."""
        if persistent_workers:
            weakref.finalize(self, _end, self._idle)

    def __len__(self) -> int:
        if not self._stream:
            return len(self._tasks())  # type: ignore[arg-type]
        samples = len(self.dataset)  # list() asks too, and takes a TypeError for an answer
        return batches(samples, self.batch_size, self.drop_last) if self.batch_size else samples

    def __iter__(self) -> Iterator[Any]:
        return self._from_workers() if self.num_workers else self._from_here()

    def _tasks(self) -> Iterable[Any]:
        """What to fetch: lists of numbers, or numbers where there are no batches."""
        return self.sampler if self.batch_sampler is None else self.batch_sampler

    def _fetcher(self) -> Fetcher:
        return Fetcher(self.dataset, self.collate_fn, self._batched, self.drop_last)

    def _from_here(self) -> Iterator[Any]:
        fetcher = self._fetcher()
        fetcher(Sign.BEGIN)
        for task in self._tasks():
            batch = fetcher(task)
            if batch is Sign.FINISHED:
                return
            yield batch

    def _from_workers(self) -> Iterator[Any]:
        """Asks the workers in turn, and hears them in turn."""
        workers = self._take() or self._start()
        asked = deque[Worker]()  # who owes an answer, once for each, the next first
        keep = self.persistent_workers

        def ask(worker: Worker, task: Any) -> None:
            worker.put(task)
            asked.append(worker)

        try:
            for worker in workers:
                ask(worker, Sign.BEGIN)
            tasks = iter(self._tasks())
            turns = deque(workers * (self.prefetch_factor or 1))
            for worker, task in zip(turns, tasks, strict=False):
                ask(worker, task)
            turns = deque(workers)
            while asked:
                worker = asked.popleft()
                batch = worker.get()
                if batch is Sign.BEGUN:
                    continue
                if batch is Sign.FINISHED:
                    if worker in turns:
                        turns.remove(worker)
                    continue
                if turns and (task := next(tasks, _NONE)) is not _NONE:
                    ask(turns[0], task)
                    turns.rotate(-1)
                yield batch
        except Exception:
            keep = False
            raise
        finally:
            if keep and not self._idle:
                self._idle[:], self._owed = workers, [*asked]
            else:
                _end(workers)

    def _start(self) -> list[Worker]:
        context = self.multiprocessing_context or multiprocessing.get_context()
        seed = int(randint(0, 2**62, (), generator=self.generator).item())
        count, fetcher, workers = self.num_workers, self._fetcher(), list[Worker]()
        try:
            for i in range(count):
                workers.append(
                    Worker(context, fetcher, i, count, seed, self.worker_init_fn, self.timeout)
                )
        except BaseException:
            _end(workers)
            raise
        return workers

    def _take(self) -> list[Worker]:
        """The persistent workers, if they wait, and owe nothing any more."""
        workers, owed = [*self._idle], self._owed
        self._idle.clear()
        self._owed = []
        for worker in owed:
            with contextlib.suppress(Exception):
                worker.get()
        return workers


_NONE = object()


def _end(workers: list[Worker]) -> None:
    for worker in workers:
        worker.put(Sign.END)
    deadline = time.monotonic() + PATIENCE
    for worker in workers:
        worker.end(deadline)


def _exclude(why: str, **arguments: Any) -> None:
    """Refuses arguments that were given."""
    for name, value in arguments.items():
        if value is not None and value is not False:
            raise SuanziError(why, input=name, expected="nothing", found=value)
