"""Threads that run a list of native steps with no Python between them.

Python makes the lists and starts the threads; the rest is pool.ll. A step is one kernel,
`void kernel(int64 *args, int64 begin, int64 end, int64 thread)`, that does the chunks begin to end;
`thread` (0 to threads - 1) tells which scratch memory is its own. A kernel that writes past the
caches (non-temporal stores) fences before it returns.
"""

import atexit
import ctypes
import functools
import os
import threading
import time
from collections.abc import Callable, Sequence
from importlib import resources
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from suanzi.lang.target import Target, host_target
from suanzi.runtime import machine, system
from suanzi.runtime.cache import ObjectCache, cache_key

MOST_THREADS = 1024
LINE = 128  # bytes of a part of the pool that one thread writes, as in pool.ll

Int64s = npt.NDArray[np.int64]


class Step(NamedTuple):
    """A kernel at an address, its table of arguments, which may change between runs, its chunks."""

    address: int
    args: Int64s
    chunks: int


class Times(NamedTuple):
    """When the steps of a job ran, in nanoseconds."""

    begin: int
    """Of the run, by `time.perf_counter_ns`."""
    taken: Int64s
    """By each step."""
    threads: Int64s
    """[step, thread, 2]: from when to when, since `begin`, a thread was at a step's chunks; 0 and 0
    where it had no part in it."""


class Job:
    """Steps to run in order, again and again, each on up to `threads` threads.

    A step begins when the one before is done. The job keeps the tables of arguments alive, not what
    they point to, nor the code. One thread at a time may run a job; different jobs run at once.
    """

    def __init__(self, steps: Sequence[Step], threads: int) -> None:
        for step in steps:
            if step.args.dtype != np.int64 or not step.args.flags.c_contiguous:
                raise TypeError("a step's args are one contiguous array of int64")
            if step.chunks >= 1 << 32:
                raise ValueError("a step has fewer than 2**32 chunks")
        self.steps = tuple(steps)
        self.threads = max(1, min(threads, MOST_THREADS))
        rows = [(step.address, step.args.ctypes.data, step.chunks) for step in steps]
        self._table = np.array(rows, np.int64)
        self._address = self._table.ctypes.data

    def run(self) -> None:
        """Runs all steps; returns when they are done."""
        _pool.run(self._address, len(self.steps), self.threads, 0)

    def run_timed(self) -> "Times":
        """Runs all steps; tells when."""
        count = len(self.steps)
        stamps = np.zeros(count + 1 + 2 * count * self.threads, np.int64)
        begin = time.perf_counter_ns()
        _pool.run(self._address, count, self.threads, stamps.ctypes.data)
        total = time.perf_counter_ns() - begin
        since = np.where(stamps, stamps - stamps[0], 0)
        if not system.POSIX:  # cycles
            since = since * total // max(1, int(since.max()))
        steps, threads = since[: count + 1], since[count + 1 :]
        return Times(begin, np.diff(steps), threads.reshape(count, self.threads, 2))


class Pool:
    """Workers that help whoever runs a job. They serve one job at a time; others run alone.

    No job needs them: whoever runs one does every chunk that no worker takes.
    """

    def __init__(self, futex: bool = system.HAS_FUTEX) -> None:
        self._futex = futex
        self._memory = np.zeros((MOST_THREADS + 3) * LINE, np.uint8)
        self._address = -(-self._memory.ctypes.data // LINE) * LINE
        self._lock = threading.Lock()
        self._grows = True
        self._workers: list[threading.Thread] = []
        self._bells: list[threading.Event] = []  # what workers wait for where there's no futex

    def run(self, steps: int, count: int, threads: int, times: int) -> None:
        """Runs `count` steps at the address `steps`, and writes when each began to `times`, if any.

        A worker that was still awake a moment ago may miss a bell, and so this job: no harm.
        """
        native = _native(self._futex)
        if threads - 1 > len(self._workers) and self._grows:
            self._grow(native, threads - 1)
        for bell in self._bells[: threads - 1]:
            bell.set()
        native.run(self._address, steps, count, threads, times)

    def close(self) -> None:
        """Ends the workers, each after the chunk it is at. Jobs still run, each on its thread."""
        with self._lock:
            self._grows = False
            if self._workers:
                _native(self._futex).stop(self._address, len(self._workers) + 1)
            for bell in self._bells:
                bell.set()
            for worker in self._workers:
                worker.join()

    def _grow(self, native: "_Native", workers: int) -> None:
        with self._lock:
            while self._grows and len(self._workers) < workers:
                bell = None
                if not self._futex:
                    bell = threading.Event()
                    self._bells.append(bell)
                number = len(self._workers) + 1
                worker = threading.Thread(
                    target=self._work,
                    args=(native, number, bell),
                    name=f"suanzi-{number}",
                    daemon=True,
                )
                try:
                    worker.start()
                except RuntimeError:  # no more threads, or the interpreter is leaving
                    self._grows = False
                else:
                    self._workers.append(worker)

    def _work(self, native: "_Native", number: int, bell: threading.Event | None) -> None:
        while native.worker(self._address, number):
            assert bell is not None  # a worker that can sleep by itself returns 0 alone
            bell.wait()
            bell.clear()


class _Native(NamedTuple):
    run: Callable[[int, int, int, int, int], None]
    worker: Callable[[int, int], int]
    stop: Callable[[int, int], None]
    code: machine.Code  # kept, for the functions are in it


def _ir(target: Target, futex: bool) -> str:
    text = (resources.files("suanzi.runtime") / "pool.ll").read_text()
    return text + system.definitions(target, futex)


@functools.cache
def _native(futex: bool) -> _Native:
    """The functions of pool.ll; a call of one leaves the interpreter to other threads."""
    target = host_target()

    def make() -> bytes:
        return machine.compile_object(_ir(target, futex), target)

    code = ObjectCache().get_or_make(cache_key(f"pool, futex {futex}", target), make)
    loaded = machine.load(dict.fromkeys(("suanzi_run", "suanzi_worker", "suanzi_stop"), code))
    i64 = ctypes.c_int64
    return _Native(
        ctypes.CFUNCTYPE(None, i64, i64, i64, i64, i64)(loaded["suanzi_run"]),
        ctypes.CFUNCTYPE(i64, i64, i64)(loaded["suanzi_worker"]),
        ctypes.CFUNCTYPE(None, i64, i64)(loaded["suanzi_stop"]),
        loaded,
    )


def _renew() -> None:
    """A forked child has none of its parent's threads, maybe a job half done: it starts anew."""
    global _pool
    _pool = Pool()


_pool = Pool()
atexit.register(lambda: _pool.close())
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew)
