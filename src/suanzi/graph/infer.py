"""Types of all values: every operator's `infer`, in order."""

from collections.abc import Mapping

from suanzi.errors import SuanziError
from suanzi.graph.graph import Graph, Node
from suanzi.operators._operator import Dim, TensorType


def infer(graph: Graph, types: Mapping[str, TensorType] | None = None) -> Graph:
    """The graph with the types of all its values.

    `types` says more of some inputs than the graph declares (the sizes of this very call). A
    type that contradicts what the graph or an operator needs is a SuanziError.
    """
    known = {name: TensorType.of(array) for name, array in graph.constants.items()}
    given = types or {}
    for name in given.keys() - set(graph.inputs):
        raise SuanziError(
            "the model has no such input", input=name, expected=", ".join(graph.inputs)
        )
    for name in graph.inputs:
        declared = graph.types[name]
        known[name] = narrow(name, declared, given[name]) if name in given else declared
    for node in graph.nodes:
        known.update(zip(node.outputs, infer_node(node, known), strict=False))
    known.pop("", None)
    return graph.replace(types=known)


def infer_node(node: Node, types: Mapping[str, TensorType]) -> tuple[TensorType, ...]:
    """The types of a node's outputs; an error names the node."""
    try:
        made = node.operator.infer_all([types[name] if name else None for name in node.inputs])
    except SuanziError as error:
        raise error.at(node=node.label) from None
    if len(made) < len(node.outputs):
        raise SuanziError(
            "the node asks for more outputs than the operator has",
            node=node.label,
            expected=f"at most {len(made)}",
            found=len(node.outputs),
        )
    return made


def narrow(name: str, declared: TensorType, given: TensorType) -> TensorType:
    """The given type, where it agrees with the declared one; it may leave sizes open."""
    if given.dtype != declared.dtype:
        raise SuanziError("wrong type", input=name, expected=declared, found=given)
    if declared.shape is None or given.shape is None:
        return given if declared.shape is None else declared
    if len(given.shape) != len(declared.shape):
        raise SuanziError(
            "wrong rank",
            input=name,
            expected=f"{declared.rank} axes: {declared}",
            found=f"{given.rank}: {given}",
        )
    shape: list[Dim] = []
    for axis, (want, have) in enumerate(zip(declared.shape, given.shape, strict=True)):
        if isinstance(want, int) and isinstance(have, int) and want != have:
            raise SuanziError(
                f"wrong size of axis {axis}", input=name, expected=declared, found=given
            )
        shape.append(have if isinstance(have, int) else want if want is not None else have)
    return TensorType(given.dtype, tuple(shape), given.value)
