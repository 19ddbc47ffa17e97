"""An ONNX file to a Graph of the newest operators, checked on the way: a file is untrusted."""

import os
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from onnx import ModelProto, NodeProto

from suanzi.errors import SuanziError
from suanzi.graph import Graph
from suanzi.onnx.adapt import RENAMED
from suanzi.onnx.contrib import EXPANSIONS
from suanzi.onnx.functions import inline, walk, write_out
from suanzi.onnx.graphs import to_graph
from suanzi.onnx.nodes import CONTRIBUTED, NEWEST_OPSET, domain_of, schema
from suanzi.onnx.parse import parse
from suanzi.operators._operator import OPERATORS, qualified


@dataclass(frozen=True)
class ModelMetadata:
    """What a file says of itself; the fields of onnxruntime's ModelMetadata."""

    producer_name: str = ""
    graph_name: str = ""
    domain: str = ""
    description: str = ""
    graph_description: str = ""
    version: int = 0
    custom_metadata_map: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Model:
    """A graph, and what its file says besides; `name` is the file's, or '<bytes>'."""

    graph: Graph
    name: str
    metadata: ModelMetadata
    opsets: dict[str, int]


def read(source: str | os.PathLike[str] | bytes | ModelProto) -> Model:
    """Reads a model: a path, a file's bytes, or an onnx.ModelProto.

    Weights that lie in other files are read from the folder of `source` alone. Whatever is wrong
    with the file is a SuanziError that names the model, the node and the tensor.
    """
    name = Path(source).name if isinstance(source, str | os.PathLike) else "<bytes>"
    folder = Path(source).parent if isinstance(source, str | os.PathLike) else None
    try:
        return _model(parse(source), name, folder)
    except SuanziError as error:
        raise error.at(model=name) from None
    except UnicodeDecodeError as error:
        raise SuanziError("a text isn't UTF-8", model=name, found=error.object[:40]) from None


def _model(proto: ModelProto, name: str, folder: Path | None) -> Model:
    opsets = {domain_of(o): o.version for o in proto.opset_import}
    opset = opsets.setdefault("", 1)  # files before opsets were invented
    if not 1 <= opset <= NEWEST_OPSET:
        raise SuanziError(
            "an opset that we don't have", expected=f"1 to {NEWEST_OPSET}", found=opset
        )
    proto = _only_ours(proto, opsets)
    graph = proto.graph
    return Model(
        to_graph(graph, opsets, folder),
        name,
        ModelMetadata(
            proto.producer_name,
            graph.name,
            proto.domain,
            proto.doc_string,
            graph.doc_string,
            proto.model_version,
            {entry.key: entry.value for entry in proto.metadata_props},
        ),
        opsets,
    )


def _lacking(nodes: Iterable[NodeProto], opsets: dict[str, int]) -> Counter[tuple[str, str]]:
    """The operators that we don't have, by domain and name, and how often each is used."""
    opset = opsets[""]
    found: Counter[tuple[str, str]] = Counter()
    for node in nodes:
        domain = domain_of(node, opset)
        name = qualified(domain, node.op_type)
        if domain == CONTRIBUTED or name in EXPANSIONS:
            known = name in EXPANSIONS or name in OPERATORS
        else:
            rules = schema(node.op_type, opsets.get(domain, opset), domain)
            renamed = None if domain else RENAMED.get(node.op_type)
            ours = name == "Constant" or (renamed or name) in OPERATORS
            known = ours and rules is not None and not (renamed and rules.deprecated)
        if not known:
            found[domain, node.op_type] += 1
    return found


def _only_ours(proto: ModelProto, opsets: dict[str, int]) -> ModelProto:
    """The model in operators that we have: others, where ONNX defines them by such, written out.

    One error for all that remain.
    """
    proto = inline(proto)
    lacking = _lacking(walk(proto.graph.node), opsets)
    bodies = [key for key in lacking if _has_body(*key, opsets)]
    if bodies:
        proto = write_out(proto, bodies)
        lacking = _lacking(walk(proto.graph.node), opsets)
    if lacking:
        counts = ", ".join(f"{qualified(*key)} ({n})" for key, n in sorted(lacking.items()))
        raise SuanziError(
            "the model has operators that we don't",
            expected=f"those of opset {opsets['']} that suanzi.operators has",
            found=counts,
        )
    return proto


def _has_body(domain: str, name: str, opsets: dict[str, int]) -> bool:
    rules = schema(name, opsets.get(domain, opsets[""]), domain)
    return any(
        getattr(rules, f"has_{kind}", False) for kind in ("function", "context_dependent_function")
    )
