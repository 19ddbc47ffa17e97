"""What ONNX says of each operator: its versions, its inputs and outputs and their types."""

import functools
import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from onnx import TensorProto
from onnx.defs import OpSchema, get_all_schemas_with_history

from suanzi.onnx.adapt import RENAMED
from suanzi.onnx.contrib import EXPANSIONS
from suanzi.operators._operator import qualified
from suanzi.operators._types import element_type

OPTIONS = {
    OpSchema.FormalParameterOption.Single: "",
    OpSchema.FormalParameterOption.Optional: "optional",
    OpSchema.FormalParameterOption.Variadic: "any number",
}


@dataclass(frozen=True)
class Parameter:
    """An input or an output; `option` is empty, 'optional' or 'any number'."""

    name: str
    option: str
    types: tuple[str, ...]


@dataclass(frozen=True)
class Schema:
    """An operator as ONNX defines it; of the parameters the newest form.

    `read_as` says what stands for it in a graph, where the reader puts something in its place.
    """

    domain: str
    name: str
    versions: tuple[int, ...] = ()
    inputs: tuple[Parameter, ...] = ()
    outputs: tuple[Parameter, ...] = ()
    read_as: str = ""


@functools.cache
def schemas() -> dict[str, Schema]:
    """Every operator that a file may have, by the name that OPERATORS has or would have.

    >>> schemas()["Relu"].versions
    (1, 6, 13, 14)
    """
    forms: dict[str, list[OpSchema]] = defaultdict(list)
    for schema in get_all_schemas_with_history():
        forms[qualified(schema.domain, schema.name)].append(schema)
    known = {name: _schema(each) for name, each in forms.items()}
    for name in EXPANSIONS.keys() - known.keys():
        domain, _, short = name.rpartition(".")
        known[name] = Schema(domain, short, read_as=_read_as(name))
    return known


def _schema(forms: list[OpSchema]) -> Schema:
    forms = sorted(forms, key=lambda form: form.since_version)
    name = qualified(forms[-1].domain, forms[-1].name)
    form = [f for f in forms if not f.deprecated][-1]  # what is deprecated says nothing
    return Schema(
        form.domain,
        form.name,
        tuple(f.since_version for f in forms),
        _parameters(form.inputs),
        _parameters(form.outputs),
        _read_as(name, forms[-1]),
    )


def _read_as(name: str, form: OpSchema | None = None) -> str:
    """What the reader makes of an operator that has no definition of ours."""
    if name in RENAMED:
        return f"{RENAMED[name]}, as it is called today"
    if name in EXPANSIONS:
        told = (EXPANSIONS[name].__doc__ or "").split("\n\n")[0]
        return " ".join(told.split()) or "ONNX's own operators"
    if name == "Constant":
        return "a constant of the graph"
    if any(
        getattr(form, f"has_{kind}", False) for kind in ("function", "context_dependent_function")
    ):
        return "the body that ONNX gives it"
    return ""


def _parameters(formal: Iterable[OpSchema.FormalParameter]) -> tuple[Parameter, ...]:
    return tuple(
        Parameter(p.name, OPTIONS[p.option], tuple(sorted(map(_type, p.types), key=natural)))
        for p in formal
    )


def natural(name: str) -> list[str | int]:
    """A key that sorts names with numbers as people do.

    >>> sorted(["int16", "float64", "int8"], key=natural)
    ['float64', 'int8', 'int16']
    """
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", name)]


def _type(name: str) -> str:
    """ONNX's name of a type in NumPy's words.

    >>> _type("seq(tensor(float))"), _type("map(int64, double)"), _type("tensor(string)")
    ('sequence(float32)', 'map(int64, float64)', 'string')
    """
    name = re.sub(r"tensor\((\w+)\)", r"\1", name).replace("seq(", "sequence(")
    return re.sub(r"\w+(?=$|[,)])", lambda match: _element(match[0]), name)


@functools.cache
def _element(name: str) -> str:
    if name == "string":
        return name
    return element_type(TensorProto.DataType.Value(name.upper())).name
