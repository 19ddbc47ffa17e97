"""A profile as Chrome's trace format, which Perfetto opens: one bar for each step and thread."""

from collections.abc import Mapping
from typing import Any

MICROSECONDS = 1e6


def chrome_trace(profile: Mapping[str, Any]) -> dict[str, Any]:
    """Of a profile as plain data."""
    steps = profile["steps"]
    events: list[dict[str, Any]] = [
        {
            "name": "process_name",
            "ph": "M",
            "pid": 1,
            "args": {"name": f"suanzi: {profile['model']}"},
        }
    ]
    for bar in profile["timeline"]:
        step = steps[bar["step"]]
        told = ("operator", "kernel", "shape", "macs", "bytes", "gflops", "share", "why")
        events.append(
            {
                "name": step["node"],
                "cat": step["operator"],
                "ph": "X",
                "pid": 1,
                "tid": bar["thread"] + 1,
                "ts": bar["start"] * MICROSECONDS,
                "dur": bar["seconds"] * MICROSECONDS,
                "args": {key: step[key] for key in told},
            }
        )
    memory = profile.get("memory")
    if memory:
        starts: dict[int, float] = {}
        for bar in profile["timeline"]:
            starts[bar["step"]] = min(bar["start"], starts.get(bar["step"], bar["start"]))
        for step, used in enumerate(memory["used"]):
            if step not in starts:  # there was nothing to do
                continue
            events.append(
                {
                    "name": "memory",
                    "ph": "C",
                    "pid": 1,
                    "ts": starts[step] * MICROSECONDS,
                    "args": {"bytes": used},
                }
            )
    return {"traceEvents": events, "displayTimeUnit": "ns"}
