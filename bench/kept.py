"""Results that are kept: JSON files in bench/results/, with the machine named."""

import json
import os
import platform
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from suanzi.inspect.roofline import roofline
from suanzi.lang import host_target

RESULTS = Path(__file__).parent / "results"


def machine() -> dict[str, Any]:
    """The processor and its measured limits."""
    target = host_target()
    limits = {n: roofline(target, n) for n in (1, os.cpu_count() or 1)}
    return {
        "system": platform.system(),
        "processor": target.cpu,
        "target": target.name,
        "cores": os.cpu_count(),
        "l2 bytes": target.l2,
        "GFLOP/s by threads": {n: round(limit.gflops, 1) for n, limit in limits.items()},
        "GB/s by threads": {n: round(limit.gigabytes, 1) for n, limit in limits.items()},
    }


def keep(name: str, found: dict[str, Any]) -> None:
    """Writes the results, with the machine and the day."""
    RESULTS.mkdir(exist_ok=True)
    day = datetime.now(UTC).date().isoformat()
    text = json.dumps({"day": day, "machine": machine(), **found}, indent=1)
    (RESULTS / f"{name}.json").write_text(text + "\n")
