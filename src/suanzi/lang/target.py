"""What the kernels are written for: a processor's vectors, registers and caches."""

import functools
import os
import platform
from dataclasses import dataclass, replace
from pathlib import Path

from suanzi.errors import SuanziError

KIB = 1024


@dataclass(frozen=True)
class Target:
    """A processor as a kernel's plan sees it. `lanes` are float32 elements of one vector."""

    name: str
    lanes: int
    registers: int
    """Vector registers that a tile of accumulators, its weights and its inputs may fill."""
    memory_operand: bool
    """Whether a multiply-add can broadcast its operand from memory, which saves a register."""
    triple: str
    cpu: str
    features: str
    l1: int = 32 * KIB
    l2: int = 512 * KIB
    vnni: bool = False
    """Whether x86's instructions for sums of products of four bytes are there."""


AVX512 = Target(
    name="avx512",
    lanes=16,
    registers=32,
    memory_operand=True,
    triple="x86_64-unknown-linux-gnu",
    cpu="x86-64-v4",
    features="-prefer-256-bit",
)
AVX2 = Target(
    name="avx2",
    lanes=8,
    registers=16,
    memory_operand=False,
    triple="x86_64-unknown-linux-gnu",
    cpu="x86-64-v3",
    features="",
)
NEON = Target(
    name="neon",
    lanes=4,
    registers=32,
    memory_operand=False,  # but multiplies by one lane of a register, so the cost is the same
    triple="aarch64-unknown-linux-gnu",
    cpu="generic",
    features="+neon",
)
PORTABLE = Target(
    name="portable",
    lanes=4,
    registers=16,
    memory_operand=False,
    triple="x86_64-unknown-linux-gnu",
    cpu="generic",
    features="",
)
TARGETS = {target.name: target for target in (AVX512, AVX2, NEON, PORTABLE)}


def runnable_targets() -> list[Target]:
    """The targets that this machine runs, the best first."""
    import llvmlite.binding as llvm

    features = llvm.get_host_cpu_features()
    runs = [PORTABLE]
    if platform.machine() in ("aarch64", "arm64"):
        runs.insert(0, NEON)
    if all(features.get(f) for f in ("avx2", "fma", "bmi2", "f16c")):
        runs.insert(0, AVX2)
    if all(features.get(f) for f in ("avx512f", "avx512bw", "avx512dq", "avx512vl")):
        runs.insert(0, AVX512)
    return [replace(target, triple=llvm.get_process_triple()) for target in runs]


@functools.cache
def host_target() -> Target:
    """The best target for this machine, or the one that SUANZI_TARGET names.

    >>> host_target().lanes in (4, 8, 16)
    True
    """
    import llvmlite.binding as llvm

    runs = runnable_targets()
    wanted = os.environ.get("SUANZI_TARGET") or runs[0].name
    target = next((t for t in runs if t.name == wanted), None)
    if target is None:
        raise SuanziError(
            "SUANZI_TARGET names a target that this machine doesn't run",
            expected=" or ".join(t.name for t in runs),
            found=wanted,
        )
    if target is runs[0] and len(runs) > 1:  # tune for the very processor
        features = llvm.get_host_cpu_features()
        vnni = features.get({16: "avx512vnni", 8: "avxvnni"}.get(target.lanes, ""), False)
        target = replace(target, cpu=llvm.get_host_cpu_name(), vnni=bool(vnni))
    return replace(
        target,
        l1=_cache_bytes(1, target.l1),
        l2=_cache_bytes(2, target.l2),
    )


def _cache_bytes(level: int, default: int) -> int:
    """The size of the data cache at a level, where the system tells it."""
    for index in sorted(Path("/sys/devices/system/cpu/cpu0/cache").glob("index*")):
        try:
            here = int((index / "level").read_text())
            kind = (index / "type").read_text().strip()
            size = (index / "size").read_text().strip()
        except (OSError, ValueError):
            continue
        if here == level and kind != "Instruction" and size.endswith("K"):
            return int(size[:-1]) * KIB
    return default
