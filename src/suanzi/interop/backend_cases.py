"""ONNX's backend cases, all of them: `python -m suanzi.interop.backend_cases`.

Prints how many pass in each group and why the others don't; exits 1 when fewer pass than did.
"""

import sys
import time
import unittest
import warnings
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from onnx.backend.test.runner import Runner

from suanzi.interop import onnx_backend

PASSING = {
    "NodeModel": 1878,  # of 1884; not Bernoulli's six, whose random numbers are onnx's own
    "SimpleModel": 23,
    "PyTorchConvertedModel": 82,
    "PyTorchOperatorModel": 35,
}
"""How many cases of each group pass: fewer are a defect, of more the number is to be put here."""


class Cases(Runner):
    """ONNX's runner. Of sequences its comparison looks into the elements, which may be scalars."""

    @classmethod
    def assert_similar_outputs(
        cls,
        ref_outputs: Sequence[Any],
        outputs: Sequence[Any],
        rtol: float,
        atol: float,
        model_dir: str | None = None,
    ) -> None:
        assert [_length(x) for x in outputs] == [_length(x) for x in ref_outputs]
        found, expected = _tensors(outputs), _tensors(ref_outputs)
        super().assert_similar_outputs(expected, found, rtol, atol, model_dir)


def _length(value: Any) -> int | None:
    return len(value) if isinstance(value, list) else None


def _tensors(values: Sequence[Any]) -> list[Any]:
    return [y for x in values for y in (x if isinstance(x, list) else [x])]


@dataclass
class Outcome(unittest.TestResult):
    """The cases of one group: how many passed, and what the others raised."""

    group: str
    passed: int = 0
    failed: dict[str, BaseException] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__init__()

    def addSuccess(self, test: unittest.TestCase) -> None:
        self.passed += 1

    def addError(self, test: unittest.TestCase, err: object) -> None:
        assert isinstance(err, tuple)
        self.failed[test.id().rpartition(".")[2].removesuffix("_cpu")] = err[1]

    addFailure = addError  # noqa: N815


def run(pattern: str = "") -> list[Outcome]:
    """Runs the cases whose names match the pattern; ONNX's own comparison decides."""
    outcomes = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # some cases divide by zero on purpose
        cases = Cases(onnx_backend.SuanziBackend, __name__).include(pattern or "_cpu$").test_cases
        for group in PASSING:
            outcome = Outcome(group)
            unittest.defaultTestLoader.loadTestsFromTestCase(cases[f"OnnxBackend{group}Test"]).run(
                outcome
            )
            outcomes.append(outcome)
    return outcomes


def reasons(outcome: Outcome) -> dict[str, list[str]]:
    """The names of the failed cases by what they raised, names and numbers aside."""
    found: dict[str, list[str]] = defaultdict(list)
    for name, error in outcome.failed.items():
        text = f"{type(error).__name__}: {' '.join(str(error).split())}"
        found[text[:160]].append(name)
    return found


def main(pattern: str = "") -> int:
    started = time.perf_counter()
    outcomes = run(pattern)
    for outcome in outcomes:
        for reason, names in sorted(reasons(outcome).items(), key=lambda item: -len(item[1])):
            print(f"{len(names):5} {reason}\n      {' '.join(names[:6])}")
    for outcome in outcomes:
        total = outcome.passed + len(outcome.failed)
        print(f"{outcome.group:22} {outcome.passed:5} of {total:5} pass")
    print(f"{time.perf_counter() - started:.0f} s")
    return int(not pattern and any(o.passed < PASSING[o.group] for o in outcomes))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
