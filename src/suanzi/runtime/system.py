"""What pool.ll needs of the processor and of the operating system, as LLVM IR."""

import os
import sys
import time

from suanzi.lang.target import Target

POSIX = hasattr(time, "CLOCK_MONOTONIC")
"""Whether the native clock counts nanoseconds; else it counts the processor's cycles."""

_FUTEX = {"x86_64": 202, "aarch64": 98, "riscv64": 98}  # the number of Linux's system call
HAS_FUTEX = sys.platform == "linux" and os.uname().machine in _FUTEX
"""Whether native code can sleep until it is woken; else Python has to wait for it."""

_PAUSE = {
    "x86_64": "call void @llvm.x86.sse2.pause()",
    "aarch64": "call void @llvm.aarch64.isb(i32 15)",  # `yield` is no operation there
    "arm64": "call void @llvm.aarch64.isb(i32 15)",
}


def definitions(target: Target, futex: bool) -> str:
    """The functions that pool.ll calls but doesn't define."""
    pause = _PAUSE.get(target.triple.split("-")[0], "")
    declare = f"declare {pause.removeprefix('call ')}\n" if pause else ""
    declare = declare.replace("i32 15", "i32 immarg")
    return "\n".join(
        [
            declare + f"define internal void @pause() {{\n  {pause}\n  ret void\n}}",
            _POSIX.replace("CLOCK", str(time.CLOCK_MONOTONIC)) if POSIX else _WINDOWS,
            _SLEEP.replace("FUTEX", str(_FUTEX[os.uname().machine])) if futex else _RETURN,
        ]
    )


_POSIX = """
declare i32 @sched_yield()
declare i32 @clock_gettime(i32, ptr)
define internal void @yield() nounwind {
  %ignored = call i32 @sched_yield()
  ret void
}
define internal i64 @now() nounwind {
  %time = alloca { i64, i64 }
  %ignored = call i32 @clock_gettime(i32 CLOCK, ptr %time)
  %seconds = load i64, ptr %time
  %rest.at = getelementptr { i64, i64 }, ptr %time, i64 0, i32 1
  %rest = load i64, ptr %rest.at
  %whole = mul i64 %seconds, 1000000000
  %sum = add i64 %whole, %rest
  ret i64 %sum
}
"""

_WINDOWS = """
declare i32 @SwitchToThread()
declare i64 @llvm.readcyclecounter()
define internal void @yield() nounwind {
  %ignored = call i32 @SwitchToThread()
  ret void
}
define internal i64 @now() nounwind {
  %cycles = call i64 @llvm.readcyclecounter()
  ret i64 %cycles
}
"""

# 128 is FUTEX_WAIT_PRIVATE: sleeps if the word is still 1. 129 is FUTEX_WAKE_PRIVATE.
_SLEEP = """
declare i64 @syscall(i64, ...)
define internal i1 @sleep(ptr %word) nounwind {
entry:
  br label %look
look:
  %state = load atomic i32, ptr %word acquire, align 4
  %woken = icmp eq i32 %state, 0
  br i1 %woken, label %leave, label %bed
bed:
  %ignored = call i64 (i64, ...) @syscall(i64 FUTEX, ptr %word, i64 128, i64 1, ptr null)
  br label %look
leave:
  ret i1 true
}
define internal void @wake(ptr %word) nounwind {
  %ignored = call i64 (i64, ...) @syscall(i64 FUTEX, ptr %word, i64 129, i64 1)
  ret void
}
define internal i1 @may_sleep(ptr %pool) nounwind {
  ret i1 true
}
"""

# Only between two jobs: who runs one can't wake a worker that waits in Python.
_RETURN = """
define internal i1 @sleep(ptr %word) nounwind {
  ret i1 false
}
define internal void @wake(ptr %word) nounwind {
  ret void
}
define internal i1 @may_sleep(ptr %pool) nounwind {
  %busy = load atomic i64, ptr %pool acquire, align 8
  %idle = icmp eq i64 %busy, 0
  ret i1 %idle
}
"""
