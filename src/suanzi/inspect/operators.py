"""What there is to know of each operator, as data: for the command, the documentation, pages."""

import dataclasses
import difflib
import inspect
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import NoneType, UnionType
from typing import Any, get_args, get_origin

import numpy as np

import suanzi.graph.control_flow  # noqa: F401 - fills OPERATORS, as suanzi.operators does
from suanzi.errors import SuanziError
from suanzi.graph import Graph
from suanzi.graph.bodies import ControlFlow
from suanzi.inspect.coverage import algorithms
from suanzi.lang import TARGETS
from suanzi.onnx.schemas import Parameter, Schema, natural, schemas
from suanzi.operators import OPERATORS
from suanzi.operators._elementwise import Elementwise
from suanzi.operators._operator import Operator, TensorType, Value

FACETS = ("definition", "formula", "gradient", "kernel", "page", "torch")
"""What an operator may have. `formula`: one that the kernel language traces as well."""


CAPTURES = Parameter("captures", "any number", ())
"""What bodies read from outside: in our graphs further inputs."""


@dataclass(frozen=True)
class Attribute:
    """`default` as Python writes it; empty where the attribute must be given."""

    name: str
    type: str
    default: str


@dataclass(frozen=True)
class OperatorFacts:
    """One operator. `versions` are the opsets of its domain at which its schema changed, `types`
    the element types of the input or output that admits the most; both are empty where ONNX has no
    such operator. `kernels` lists the algorithms by target."""

    name: str
    domain: str
    family: str = ""
    summary: str = ""
    doc: str = ""
    definition: str = ""
    read_as: str = ""
    versions: tuple[int, ...] = ()
    types: tuple[str, ...] = ()
    attributes: tuple[Attribute, ...] = ()
    inputs: tuple[Parameter, ...] = ()
    outputs: tuple[Parameter, ...] = ()
    formula: bool = False
    gradient: bool = False
    kernels: dict[str, tuple[str, ...]] = field(default_factory=dict)
    page: bool = False
    torch: str | None = None

    def has(self, facet: str) -> bool:
        """Whether it has one of FACETS."""
        if facet == "kernel":
            return any(self.kernels.values())
        return bool(getattr(self, facet))


def every_operator() -> list[OperatorFacts]:
    """All that a model may have and all of ours, by family and name. Those without a family,
    in whose place the reader puts others, come last."""
    found = map(facts, OPERATORS.keys() | schemas().keys())
    return sorted(found, key=lambda f: (not f.family, f.family, f.domain, natural(f.name)))


def facts(name: str) -> OperatorFacts:
    """Of an operator by its name in OPERATORS or, if we don't define it, in ONNX.

    >>> facts("LeakyRelu").attributes
    (Attribute(name='alpha', type='float', default='0.01'),)
    """
    cls = OPERATORS.get(name)
    schema = schemas().get(name)
    if schema is None:
        assert cls is not None
        schema = Schema(cls.domain, cls.__name__)
    both = (*schema.inputs, *schema.outputs)
    known = OperatorFacts(
        name=name,
        domain=schema.domain or "ai.onnx",
        versions=schema.versions,
        types=max(map(_elements, both), key=len, default=()),
        inputs=schema.inputs or _inputs(cls),
        outputs=schema.outputs,
    )
    if cls is None:
        return dataclasses.replace(known, summary=schema.read_as, read_as=schema.read_as)
    doc = inspect.cleandoc(cls.__doc__ or "")
    kernels = {target.name: algorithms(cls, target) for target in TARGETS.values()}
    return dataclasses.replace(
        known,
        domain=known.domain if cls.domain or schema.versions else "suanzi",
        family=cls.family,
        summary=" ".join(doc.split("\n\n")[0].split()),
        inputs=known.inputs + ((CAPTURES,) if issubclass(cls, ControlFlow) else ()),
        doc=doc,
        definition=f"{cls.__module__}.{cls.__name__}",
        attributes=attributes(cls),
        formula=issubclass(cls, Elementwise) and any(kernels.values()),
        gradient=cls.grad is not None,
        kernels=kernels,
        torch=cls.torch,
    )


def _elements(parameter: Parameter) -> tuple[str, ...]:
    """What the tensors, sequences, optionals and maps of a parameter are of in the end."""
    ends = {match[1] for t in parameter.types if (match := re.search(r"(\w+)\)*$", t))}
    return tuple(sorted(ends, key=natural))


def attributes(cls: type[Operator]) -> tuple[Attribute, ...]:
    """An operator's attributes in its own order, their kinds by ONNX's names."""
    return tuple(
        Attribute(
            f.name, _kind(f.type), "" if f.default is dataclasses.MISSING else repr(f.default)
        )
        for f in dataclasses.fields(cls)
    )


def _kind(annotation: Any) -> str:
    if isinstance(annotation, UnionType):
        return _kind(next(each for each in get_args(annotation) if each is not NoneType))
    if get_origin(annotation) is tuple:
        return f"{_kind(get_args(annotation)[0])}s"
    kinds = {str: "string", np.ndarray: "tensor", Graph: "graph", TensorType: "type"}
    kind: type = get_origin(annotation) or annotation
    return kinds.get(kind, kind.__name__)


def _inputs(cls: type[Operator] | None) -> tuple[Parameter, ...]:
    """The inputs by the definition itself, where ONNX has no such operator."""
    if cls is None:
        return ()
    given = list(inspect.signature(cls.numpy).parameters.values())[1:]
    return tuple(Parameter(p.name, _option(p), ()) for p in given)


def _option(parameter: inspect.Parameter) -> str:
    if parameter.kind is parameter.VAR_POSITIONAL:
        return "any number"
    return "" if parameter.default is parameter.empty else "optional"


def find(name: str) -> str:
    """An operator's whole name; its domain may be left out. An error suggests what is like it.

    >>> find("ai.onnx.Conv"), find("TreeEnsemble")
    ('Conv', 'ai.onnx.ml.TreeEnsemble')
    """
    known = OPERATORS.keys() | schemas().keys()
    if name in known:
        return name
    short = name.removeprefix("ai.onnx.")
    found = sorted(whole for whole in known if short in (whole, whole.rpartition(".")[2]))
    if found:
        return found[0]
    names = {whole.rpartition(".")[2].lower(): whole for whole in sorted(known, reverse=True)}
    close = difflib.get_close_matches(short.rpartition(".")[2].lower(), names, n=5)
    hint = f"maybe {', '.join(names[word] for word in close)}" if close else "suanzi ops lists all"
    raise SuanziError("no such operator", found=name, hint=hint)


@dataclass(frozen=True)
class WorkedExample:
    """An example with what the definition makes of it; what was left out is None."""

    operator: Operator
    inputs: tuple[tuple[str, Value], ...]
    outputs: tuple[tuple[str, Value], ...]


def worked_examples(known: OperatorFacts) -> list[WorkedExample]:
    """An operator's examples, computed; none where it has no definition."""
    cls = OPERATORS.get(known.name)
    return [
        WorkedExample(
            example.operator,
            _named(known.inputs, example.inputs),
            _named(known.outputs, example.operator.numpy_all(example.inputs)),
        )
        for example in (cls.examples() if cls else ())
    ]


def _named(
    parameters: Sequence[Parameter], values: Sequence[Value]
) -> tuple[tuple[str, Value], ...]:
    """Values with their parameters' names; those of one that takes several are numbered."""
    names = [p.name for p in parameters] or ["Y"]
    last = names.pop()
    several = range(len(values) - len(names))
    names += [f"{last}_{i}" for i in several] if len(several) > 1 else [last]
    return tuple(zip(names, values, strict=False))
