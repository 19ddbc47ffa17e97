"""Options of a session and of a run, by onnxruntime's names, and what its module says of itself.

What means something here is done; the rest is taken, and told of once.
"""

import enum
import warnings
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from suanzi.errors import SuanziError

CPU = "CPUExecutionProvider"
_told: set[str] = set()


class GraphOptimizationLevel(enum.IntEnum):
    """All passes are always applied: of these nothing depends."""

    ORT_DISABLE_ALL = 0
    ORT_ENABLE_BASIC = 1
    ORT_ENABLE_EXTENDED = 2
    ORT_ENABLE_LAYOUT = 3
    ORT_ENABLE_ALL = 99


class ExecutionMode(enum.IntEnum):
    """Steps are always run in order, each on all threads."""

    ORT_SEQUENTIAL = 0
    ORT_PARALLEL = 1


class ExecutionOrder(enum.IntEnum):
    DEFAULT = 0
    PRIORITY_BASED = 1
    MEMORY_EFFICIENT = 2


class _Options:
    """Attributes with defaults; one that means nothing here is told of when it is changed."""

    _ignored: ClassVar[Mapping[str, str]] = {}
    _entries: dict[str, str]

    def __setattr__(self, name: str, value: Any) -> None:
        if not hasattr(type(self), name):
            known = ", ".join(n for n in dir(type(self)) if not n.startswith("_"))
            raise SuanziError(f"no such option: {name}", expected=known, found=name)
        if name in self._ignored and value != getattr(type(self), name):
            _tell(f"{type(self).__name__}.{name}", self._ignored[name])
        object.__setattr__(self, name, value)

    def _add_entry(self, key: str, value: str) -> None:
        _tell(f"the entry {key}", "there is no such setting")
        self._entries[key] = value


class SessionOptions(_Options):
    """`intra_op_num_threads` (0: all cores), `enable_profiling`, `profile_file_prefix` and
    `optimized_model_filepath` mean what they mean in onnxruntime.

    >>> options = SessionOptions()
    >>> options.intra_op_num_threads = 1
    >>> options.graph_optimization_level.name
    'ORT_ENABLE_ALL'
    """

    intra_op_num_threads: int = 0
    enable_profiling: bool = False
    profile_file_prefix: str = "suanzi_profile"
    optimized_model_filepath: str = ""
    # There is no log, and one pool of threads for all.
    log_severity_level: int = 2
    log_verbosity_level: int = 0
    logid: str = ""
    inter_op_num_threads: int = 0
    enable_cpu_mem_arena: bool = True
    enable_mem_pattern: bool = True
    enable_mem_reuse: bool = True
    execution_mode: ExecutionMode = ExecutionMode.ORT_SEQUENTIAL
    execution_order: ExecutionOrder = ExecutionOrder.DEFAULT
    graph_optimization_level: GraphOptimizationLevel = GraphOptimizationLevel.ORT_ENABLE_ALL
    use_deterministic_compute: bool = False
    use_per_session_threads: bool = True
    _entries: dict[str, str]
    _ignored: ClassVar[Mapping[str, str]] = {
        "enable_cpu_mem_arena": "a program has one arena, planned before it runs",
        "enable_mem_pattern": "a program has one arena, planned before it runs",
        "enable_mem_reuse": "a program has one arena, planned before it runs",
        "execution_mode": "steps run in order, each on all threads",
        "execution_order": "steps run in the graph's order",
        "graph_optimization_level": "all passes are always applied",
        "use_per_session_threads": "all sessions share one pool of threads",
    }

    def __init__(self) -> None:
        object.__setattr__(self, "_entries", {})

    def add_session_config_entry(self, key: str, value: str) -> None:
        self._add_entry(key, value)

    def get_session_config_entry(self, key: str) -> str:
        if key not in self._entries:
            raise SuanziError("no such entry", found=key)
        return self._entries[key]

    def add_free_dimension_override_by_name(self, name: str, size: int) -> None:
        _tell("add_free_dimension_override_by_name", "every run is compiled for its own sizes")

    def add_free_dimension_override_by_denotation(self, name: str, size: int) -> None:
        _tell("add_free_dimension_override_by_denotation", "runs are compiled for their own sizes")

    def register_custom_ops_library(self, path: str) -> None:
        raise SuanziError(
            "operators of a library for onnxruntime can't be loaded", found=path,
            hint="Define the operator in suanzi.operators.",
        )  # fmt: skip


class RunOptions(_Options):
    """Taken, and without meaning: a run can't be ended from outside, and nothing is logged."""

    log_severity_level: int = 2
    log_verbosity_level: int = 0
    logid: str = ""
    only_execute_path_to_fetches: bool = False
    terminate: bool = False
    training_mode: bool = False
    _entries: dict[str, str]
    _ignored: ClassVar[Mapping[str, str]] = {
        "terminate": "a run isn't ended from outside",
        "training_mode": "a model runs as its file says",
    }

    def __init__(self) -> None:
        object.__setattr__(self, "_entries", {})

    def add_run_config_entry(self, key: str, value: str) -> None:
        self._add_entry(key, value)

    def get_run_config_entry(self, key: str) -> str:
        if key not in self._entries:
            raise SuanziError("no such entry", found=key)
        return self._entries[key]


def _tell(what: str, why: str) -> None:
    if what not in _told:
        _told.add(what)
        warnings.warn(f"suanzi ignores {what}: {why}", stacklevel=4)


def check_providers(providers: Sequence[Any] | None, options: Sequence[Any] | None) -> None:
    """Tells of providers that there aren't, as onnxruntime does: the processor does it all."""
    if options is not None and len(options) != len(providers or ()):
        raise SuanziError(
            "provider_options are one for each provider", input="provider_options",
            expected=len(providers or ()), found=len(options),
        )  # fmt: skip
    for provider in providers or ():
        name = provider[0] if isinstance(provider, tuple | list) else provider
        if not isinstance(name, str):
            raise SuanziError(
                "a provider is a name, or a name with options", input="providers", found=provider
            )
        if name != CPU:
            warnings.warn(
                f"Specified provider '{name}' is not in available provider names. "
                f"Available providers: '{CPU}'",
                stacklevel=3,
            )


def get_available_providers() -> list[str]:
    return [CPU]


get_all_providers = get_available_providers


def get_device() -> str:
    return "CPU"


def set_default_logger_severity(severity: int) -> None:
    """Nothing is logged."""


def set_default_logger_verbosity(verbosity: int) -> None:
    """Nothing is logged."""


def disable_telemetry_events() -> None:
    """Nothing is ever sent."""


def enable_telemetry_events() -> None:
    _tell("enable_telemetry_events", "nothing is ever sent")
