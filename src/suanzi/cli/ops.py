"""suanzi ops: every operator and what it has; or one, whole."""

import re
from collections.abc import Callable, Sequence
from dataclasses import asdict

import numpy as np

from suanzi.cli import _print
from suanzi.errors import SuanziError
from suanzi.inspect.operators import (
    FACETS,
    OperatorFacts,
    WorkedExample,
    every_operator,
    facts,
    find,
    worked_examples,
)
from suanzi.operators._operator import TensorType, Value

SHOWN = 64
"""An array of more elements is shown by its ends."""

LEAST = ("types", "domain", "versions", "PyTorch", "family")


def main(name: str | None, family: str | None, without: str | None, json: bool) -> None:
    if name is not None:
        if family or without:
            raise SuanziError("--family and --without are of the list", found=f"operator {name}")
        _one(facts(find(name)), json)
        return
    chosen = _chosen(every_operator(), family, without)
    if json:
        _print.data([asdict(known) for known in chosen])
        return
    ours = [known for known in chosen if known.definition]
    _table(ours)
    others = [known for known in chosen if not known.definition]
    if others:
        print()
        rows = [[known.name, known.read_as] for known in others]
        title = f"{len(others)} operators in whose place the reader puts others"
        _print.table(title, ["operator", "what it means"], rows, words=2)


def _chosen(
    known: Sequence[OperatorFacts], family: str | None, without: str | None
) -> list[OperatorFacts]:
    """Those of a family; those that lack a facet (but not what others stand for anyway)."""
    families = list(dict.fromkeys(each.family for each in known if each.family))
    if family is not None and family not in families:
        raise SuanziError("no such family", expected=", ".join(families), found=family)
    if without is not None and without not in FACETS:
        raise SuanziError("nothing that an operator has", expected=", ".join(FACETS), found=without)
    return [
        each
        for each in known
        if family in (None, each.family)
        and (without is None or (each.definition and not each.has(without)))
    ]


def _table(known: Sequence[OperatorFacts]) -> None:
    counts = {facet: sum(each.has(facet) for each in known) for facet in FACETS}
    columns: dict[str, Callable[[OperatorFacts], str]] = {
        "family": lambda each: each.family,
        "operator": lambda each: each.name.removeprefix(f"{each.domain}."),
        "domain": lambda each: each.domain,
        "versions": lambda each: brief_versions(each.versions),
        "types": lambda each: brief_types(each.types),
        "kernel": brief_kernels,
        "PyTorch": lambda each: each.torch or "",
    }
    for facet in ("gradient", "page"):  # a column that says no throughout says it in the title
        if counts[facet]:
            columns[facet] = lambda each, facet=facet: "yes" if each.has(facet) else ""  # type: ignore[misc]
    having = ", ".join(f"{facet}: {count}" for facet, count in counts.items())
    _print.table(
        f"{len(known)} operators, with {having}",
        list(columns),
        [[show(each) for show in columns.values()] for each in known],
        words=len(columns),
        least=LEAST,
    )


def brief_versions(versions: Sequence[int]) -> str:
    """
    >>> brief_versions((1, 6, 13)), brief_versions((1, 6, 9, 13, 19, 21))
    ('1, 6, 13', '1, 6, ..., 21')
    """
    ends = versions if len(versions) <= 4 else (*versions[:2], "...", versions[-1])
    return ", ".join(map(str, ends))


def brief_types(types: Sequence[str]) -> str:
    """
    >>> brief_types(("float16", "float32", "float64", "bfloat16")), brief_types(("int8", "uint8"))
    ('floats', 'int8, uint8')
    """
    if len(types) <= 2:
        return ", ".join(types)
    stems = {re.sub(r"\d.*", "", name) for name in types}
    kinds = {
        "floats": {"float", "bfloat"},
        "integers": {"int", "uint"},
        "numbers": {"float", "bfloat", "int", "uint"},
    }
    return next((kind for kind, members in kinds.items() if stems <= members), "most")


def brief_kernels(known: OperatorFacts) -> str:
    """The algorithms, each on a line, and for which targets where that isn't all of them."""
    targets: dict[str, list[str]] = {}
    for target, names in known.kernels.items():
        for name in names:
            targets.setdefault(name, []).append(target)
    every = len(known.kernels)
    return "\n".join(
        name if len(on) == every else f"{name} ({', '.join(on)})" for name, on in targets.items()
    )


def _one(known: OperatorFacts, json: bool) -> None:
    examples = worked_examples(known)
    if json:
        worked = [
            {
                "operator": str(each.operator),
                "inputs": {name: _data(value) for name, value in each.inputs},
                "outputs": {name: _data(value) for name, value in each.outputs},
            }
            for each in examples
        ]
        _print.data({**asdict(known), "examples": worked})
        return
    print(signature(known))
    print()
    print(known.doc or known.summary)
    print()
    for what, text in _facts(known).items():
        print(f"{what:11} {text}")
    if known.attributes:
        print()
        rows = [[a.name, a.type, a.default or "must be given"] for a in known.attributes]
        _print.table("Attributes", ["name", "type", "default"], rows, words=3)
    for what, parameters in (("Inputs", known.inputs), ("Outputs", known.outputs)):
        if parameters:
            print()
            rows = [[p.name, p.option, all_types(p.types)] for p in parameters]
            _print.table(what, ["name", "", "types"], rows, words=3)
    for number, example in enumerate(examples, 1):
        print()
        _example(number, example)


def _facts(known: OperatorFacts) -> dict[str, str]:
    """What the docstring doesn't tell, a line each."""
    opsets = ", ".join(map(str, known.versions))
    where = f"{known.domain}, opset {opsets}" if opsets else known.domain
    if not known.definition:
        return {"domain": where, "definition": "none: the reader writes it in other operators"}
    by_target = {target: ", ".join(names) or "none" for target, names in known.kernels.items()}
    alike = len(set(by_target.values())) == 1
    kernels = (
        f"{next(iter(by_target.values()))}" + f" ({', '.join(by_target)})" * known.has("kernel")
        if alike
        else "; ".join(f"{target}: {names}" for target, names in by_target.items())
    )
    return {
        "domain": where,
        "family": known.family,
        "definition": known.definition + ", a formula that kernels trace" * known.formula,
        "gradient": "yes" if known.gradient else "none yet",
        "kernels": kernels,
        "page": "yes" if known.page else "none yet",
        "PyTorch": known.torch or "none",
    }


def signature(known: OperatorFacts) -> str:
    """The inputs and outputs; the attributes have a table of their own.

    >>> signature(facts("Conv")), signature(facts("Concat"))
    ('Conv(X, W, B=None) -> Y', 'Concat(*inputs) -> concat_result')
    """
    marks = {"": "{}", "optional": "{}=None", "any number": "*{}"}
    inputs = ", ".join(marks[p.option].format(p.name) for p in known.inputs)
    outputs = ", ".join(f"*{p.name}" if p.option == "any number" else p.name for p in known.outputs)
    arrow = f" -> {outputs}" if outputs else ""
    return f"{known.name}({inputs}){arrow}" if known.definition else known.name


def all_types(types: Sequence[str]) -> str:
    """
    >>> all_types(("float32", "int8", "sequence(float32)", "sequence(int8)"))
    'float32, int8, sequence(float32, int8)'
    """
    groups: dict[tuple[str, str], list[str]] = {}
    for name in types:
        before, element, after = re.split(r"(\w+)(?=\)*$)", name)
        groups.setdefault((before, after), []).append(element)
    return ", ".join(
        f"{before}{', '.join(each)}{after}" for (before, after), each in groups.items()
    )


def _example(number: int, example: WorkedExample) -> None:
    given = {
        name: value
        for name, value in vars(example.operator).items()
        if not _same(value, getattr(type(example.operator), name, ...))
    }
    settings = ", ".join(f"{name}={_setting(value)}" for name, value in given.items())
    print(f"Example {number}: {type(example.operator).__name__}({settings})")
    for name, value in example.inputs:
        print(f"  {name} {shown(value)}")
    for name, value in example.outputs:
        print(f"  -> {name} {shown(value)}")


def _setting(value: object) -> str:
    return "..." if hasattr(value, "nodes") else repr(value)


def _same(value: object, default: object) -> bool:
    return value is default or (not isinstance(value, np.ndarray) and value == default)


def _data(value: Value) -> object:
    """An array with its type, since JSON has one kind of number and no shape for what is empty."""
    if not isinstance(value, np.ndarray | np.generic):
        return value
    array = np.asarray(value)
    return {"type": array.dtype.name, "shape": array.shape, "values": array}


def shown(value: Value) -> str:
    """A value's type and its elements.

    >>> print(shown(np.eye(2, dtype=np.float32)))
    float32[2, 2]
        [[1. 0.]
         [0. 1.]]
    """
    if not isinstance(value, np.ndarray | np.generic):
        return "left out" if value is None else str(value)
    array = np.asarray(value)
    text = np.array2string(
        array, threshold=SHOWN, edgeitems=2, precision=4, suppress_small=True, max_line_width=90
    )
    kind = str(TensorType(array.dtype, array.shape)).replace("object", "string")
    if "\n" not in text:
        return f"{kind} {text}"
    return "\n    ".join([kind, *filter(None, text.split("\n"))])
