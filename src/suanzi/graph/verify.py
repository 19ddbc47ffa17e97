"""What must hold of every graph. A pass that breaks it is our mistake, not the user's."""

from suanzi.graph.graph import Graph
from suanzi.graph.infer import infer_node
from suanzi.operators._operator import TensorType


def verify(graph: Graph, before: Graph | None = None) -> None:
    """Raises RuntimeError unless the graph is sound.

    Each value is made once and before it is used; the types are known, and are those that the
    operators infer; only float32 values with channels and space lie in blocks of channels. What
    stood in `before`, which was verified, with the same types, isn't inferred again.
    """
    verified = {id(node) for node in before.nodes} if before else set()
    old = before.types if before else {}
    made = set(graph.inputs)
    if len(made) < len(graph.inputs):
        _fail(graph, "two inputs have one name")
    for name, array in graph.constants.items():
        if name in made:
            _fail(graph, f"{name} is both an input and a constant")
        if not name or _known(graph, name) != TensorType(array.dtype, array.shape):
            _fail(graph, f"constant {name} is {array.dtype}{array.shape}, not {graph.types[name]}")
    made.update(graph.constants)
    for node in graph.nodes:
        for name in node.inputs:
            if name and name not in made:
                _fail(graph, f"{node.label} uses {name} before it is made")
        for name in filter(None, node.outputs):
            if name in made:
                _fail(graph, f"{node.label} makes {name}, which is made already")
            made.add(name)
        values = [name for name in (*node.inputs, *node.outputs) if name]
        if id(node) in verified and all(_known(graph, n) is old.get(n) for n in values):
            continue
        try:
            inferred = infer_node(node, graph.types)
        except Exception as error:
            raise RuntimeError(f"graph {graph.name!r} is broken: {error}") from error
        for name, type in zip(node.outputs, inferred, strict=False):
            if name and not _agree(type, _known(graph, name)):
                _fail(graph, f"{node.label}: {name} is {type}, not {graph.types[name]}")
    for name in graph.outputs:
        if name not in made:
            _fail(graph, f"output {name} is never made")
    for name, lanes in graph.lanes.items():
        type = _known(graph, name)
        if lanes < 2 or name not in made or type.dtype != "float32" or (type.rank or 0) < 3:
            _fail(graph, f"{name}, {type}, cannot lie in blocks of {lanes} channels")


def _known(graph: Graph, name: str) -> TensorType:
    if name not in graph.types:
        _fail(graph, f"the type of {name} is unknown")
    return graph.types[name]


def _agree(a: TensorType, b: TensorType) -> bool:
    """Whether two types may be one value's: no known size contradicts another."""
    if a.dtype != b.dtype or a.shape is None or b.shape is None:
        return a.dtype == b.dtype
    return len(a.shape) == len(b.shape) and all(
        x == y or not (isinstance(x, int) and isinstance(y, int))
        for x, y in zip(a.shape, b.shape, strict=True)
    )


def _fail(graph: Graph, what: str) -> None:
    raise RuntimeError(f"graph {graph.name!r} is broken: {what}")
