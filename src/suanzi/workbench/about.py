"""What the page shows of the machine, and of what is installed on it."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import platform
from typing import Any

import suanzi
from suanzi import data
from suanzi.inspect.peers import PEERS
from suanzi.lang import host_target, runnable_targets


def about(threads: int) -> dict[str, Any]:
    """As plain data; `threads`: how many a run uses."""
    return {
        "version": suanzi.__version__,
        "machine": {
            "target": host_target().name,
            "targets": [target.name for target in runnable_targets()],
            "threads": threads,
            "cpu": platform.processor() or platform.machine(),
        },
        "runtimes": [{"name": name, **_runtime(name)} for name in PEERS],
        "samples": [{"name": name, "kind": "image"} for name in data.digits()],
    }


def _runtime(name: str) -> dict[str, Any]:
    if importlib.util.find_spec(name) is None:
        return {"installed": False, "version": None}
    try:
        version = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        version = None
    return {"installed": True, "version": version}
