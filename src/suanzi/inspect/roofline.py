"""The machine's two limits, measured: multiply-adds a second, bytes a second from memory."""

import functools
import time
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from suanzi.kernels._kernel import Kernel
from suanzi.lang import Target, Trace
from suanzi.runtime.machine import compile_object, load
from suanzi.runtime.memory import allocate
from suanzi.runtime.pool import Job, Step


@dataclass(frozen=True)
class Roofline:
    """What `threads` threads reach at the most: GFLOP/s (a multiply-add is two), and GB/s."""

    gflops: float
    gigabytes: float
    threads: int

    def seconds(self, macs: int, nbytes: int) -> float:
        """The least time that this work could take with its data in memory."""
        return max(2 * macs / (self.gflops * 1e9), nbytes / (self.gigabytes * 1e9))


@dataclass(frozen=True)
class MultiplyAdds(Kernel):
    """Independent sums in registers: 12 of them cover the wait of 4 cycles at 2 a cycle, and each
    turn of the loop does so many multiply-adds that the loop itself costs nothing."""

    rounds: int
    pointers: ClassVar[int] = 1
    SUMS: ClassVar[int] = 12
    TURNS: ClassVar[int] = 8

    def flops(self, lanes: int) -> float:
        """Of one chunk; a multiply-add is two."""
        return 2.0 * self.rounds * self.TURNS * self.SUMS * lanes

    def chunk(self, k: Trace) -> None:
        y = k.tensor(0, self.SUMS * k.lanes)
        sums = [k.var(y.vec(i * k.lanes)) for i in range(self.SUMS)]
        factor = y.bcast(0)
        for _ in k.range(self.rounds):
            for total in sums * self.TURNS:
                total.set(k.fma(total.get(), factor, factor))
        whole = sums[0].get()
        for total in sums[1:]:
            whole = whole + total.get()
        with k.when(k.chunk < 0):  # never: but the compiler must believe that the sums matter
            y.put(whole, 0)


@dataclass(frozen=True)
class Read(Kernel):
    """Adds up a stretch of memory, several vectors at a time."""

    elements: int
    pointers: ClassVar[int] = 1
    VECTORS: ClassVar[int] = 8

    def chunk(self, k: Trace) -> None:
        step = self.VECTORS * k.lanes
        x = k.tensor(0, self.elements // step, self.VECTORS, k.lanes)
        rows = self.elements // step
        sums = [k.var(k.zero()) for _ in range(self.VECTORS)]
        for i in k.range(rows):
            for v, total in enumerate(sums):
                total.set(total.get() + x.vec(k.chunk * rows + i, v, 0))
        whole = sums[0].get()
        for total in sums[1:]:
            whole = whole + total.get()
        with k.when(k.chunk < 0):
            x.put(whole, 0, 0, 0)


@functools.cache
def roofline(target: Target, threads: int) -> Roofline:
    """Measures this machine; about a quarter of a second, once a process."""
    sums, elements, chunks = MultiplyAdds(3_000), 1 << 16, 1 << 10
    memory = allocate(elements * chunks * 4, "the bandwidth measurement").view(np.float32)
    memory[:] = 0
    best = []
    for kernel, count in ((sums, 8 * threads), (Read(elements), chunks)):
        code = load({kernel.symbol: compile_object(kernel.ir(target), target)})
        words = np.array([memory.ctypes.data], np.int64)
        job = Job([Step(code[kernel.symbol], words, count)], threads)
        best.append(min(_seconds(job) for _ in range(8)))
    flops = sums.flops(target.lanes) * 8 * threads
    return Roofline(flops / best[0] / 1e9, memory.nbytes / best[1] / 1e9, threads)


def _seconds(job: Job) -> float:
    start = time.perf_counter()
    job.run()
    return time.perf_counter() - start
