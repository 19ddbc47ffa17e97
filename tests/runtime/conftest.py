"""A chain of steps that tells whether each chunk was done once, in order, with its own scratch."""

import functools
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from suanzi.lang.target import host_target
from suanzi.runtime import machine
from suanzi.runtime.pool import Job, Step, Times

# args: { before, size of before, after, counts, scratch, delay, clashes }. Chunk c marks
# scratch[thread] as its own, counts[c] += 1, after[c] = before[7c mod size] + 1, waits, and gives
# its scratch back.
LINK = """
define void @link(ptr %args, i64 %begin, i64 %end, i64 %thread) {
entry:
  %before = load ptr, ptr %args
  %size.at = getelementptr i64, ptr %args, i64 1
  %size = load i64, ptr %size.at
  %after.at = getelementptr i64, ptr %args, i64 2
  %after = load ptr, ptr %after.at
  %counts.at = getelementptr i64, ptr %args, i64 3
  %counts = load ptr, ptr %counts.at
  %scratch.at = getelementptr i64, ptr %args, i64 4
  %scratch = load ptr, ptr %scratch.at
  %delay.at = getelementptr i64, ptr %args, i64 5
  %delay = load i64, ptr %delay.at
  %clashes.at = getelementptr i64, ptr %args, i64 6
  %clashes = load ptr, ptr %clashes.at
  %own = getelementptr i64, ptr %scratch, i64 %thread
  br label %chunk
chunk:
  %c = phi i64 [ %begin, %entry ], [ %c.next, %done ]
  %taken = atomicrmw xchg ptr %own, i64 1 seq_cst
  %clash = atomicrmw add ptr %clashes, i64 %taken seq_cst
  %count = getelementptr i64, ptr %counts, i64 %c
  %counted = atomicrmw add ptr %count, i64 1 seq_cst
  %mixed = mul i64 %c, 7
  %from = urem i64 %mixed, %size
  %from.at = getelementptr i64, ptr %before, i64 %from
  %x = load i64, ptr %from.at
  %y = add i64 %x, 1
  %to = getelementptr i64, ptr %after, i64 %c
  store i64 %y, ptr %to
  br label %wait
wait:
  %i = phi i64 [ 0, %chunk ], [ %i.next, %wait ]
  call void asm sideeffect "", ""()
  %i.next = add i64 %i, 1
  %waits = icmp ult i64 %i.next, %delay
  br i1 %waits, label %wait, label %done
done:
  store atomic i64 0, ptr %own seq_cst, align 8
  %c.next = add i64 %c, 1
  %more = icmp ult i64 %c.next, %end
  br i1 %more, label %chunk, label %leave
leave:
  ret void
}
"""


@functools.cache
def link_code() -> machine.Code:
    return machine.load({"link": machine.compile_object(LINK, host_target())})


class Chain:
    """Steps of the chunks given, each reading what the one before wrote in this very run."""

    def __init__(self, chunks: list[int], threads: int, delay: int = 1) -> None:
        self.values = [np.zeros(1, np.int64), *(np.zeros(n, np.int64) for n in chunks)]
        self.counts = [np.zeros(n, np.int64) for n in chunks]
        self.scratch = np.zeros(threads, np.int64)
        self.clashes = np.zeros(1, np.int64)
        self.runs = 0
        self.code = link_code()  # kept: machine code is unloaded when nobody holds it
        steps = []
        for i, n in enumerate(chunks):
            before, after = self.values[i], self.values[i + 1]
            arrays = before, after, self.counts[i], self.scratch, self.clashes
            a, b, c, s, k = (array.ctypes.data for array in arrays)
            args = np.array([a, before.size, b, c, s, delay, k], np.int64)
            steps.append(Step(self.code["link"], args, n))
        self.job = Job(steps, threads)

    def run(self, timed: bool = False) -> Times | None:
        """Runs the job on new data and checks all of it."""
        self.runs += 1
        self.values[0][:] = self.runs * 1000
        times = self.job.run_timed() if timed else self.job.run()
        for i, value in enumerate(self.values):
            assert (value == self.runs * 1000 + i).all()
        for count in self.counts:
            assert (count == self.runs).all()
        assert self.clashes == 0
        return times


@pytest.fixture(scope="session")
def chain() -> type[Chain]:
    return Chain


@pytest.fixture
def python():
    """Runs source in another process that may `from conftest import Chain`; returns its output."""
    here, package = Path(__file__).parent, Path(machine.__file__).parents[2]

    def run(source: str) -> str:
        done = subprocess.run(
            [sys.executable, "-W", "ignore::DeprecationWarning", "-c", source],
            env={**os.environ, "PYTHONPATH": f"{here}{os.pathsep}{package}"},
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        assert done.stderr == ""
        return done.stdout

    return run
