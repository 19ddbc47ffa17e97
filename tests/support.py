"""What the tests of operators share: ONNX's backend node cases, and operators made from nodes."""

import functools
import warnings
from collections import defaultdict
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import onnx
import onnx.defs
import onnx.helper
import onnx.numpy_helper
import onnxruntime
from onnx.backend.test.loader import load_node_model_tests

from suanzi.operators._operator import OPERATORS, Array, Operator, TensorType, qualified


@dataclass(frozen=True)
class NodeCase:
    """One backend node case; None stands for an optional input or output left out."""

    id: str
    operator: Operator
    inputs: list[Array | None]
    expected: list[Array | None]
    rtol: float
    atol: float

    def __iter__(self):
        return iter(getattr(self, f.name) for f in fields(self))

    def check(self) -> None:
        """The definition gives the expected outputs, and `infer` their types."""
        check(self.operator, self.inputs, self.expected, self.rtol, self.atol)


def check(operator, inputs, expected, rtol=1e-5, atol=1e-6) -> None:
    """Holds `numpy` to the expected outputs, and `infer` to their types."""
    # `infer_all` would compute what it can: here `infer` itself is on trial.
    types = operator.infer(*(None if x is None else TensorType.of(x) for x in inputs))
    types = types if isinstance(types, tuple) else (types,)
    found = operator.numpy_all(inputs)
    assert len(found) >= len(expected)
    for y, t, e in zip(found, types, expected, strict=False):
        if e is None:
            continue
        assert (y.dtype, y.shape) == (e.dtype, e.shape)
        assert (t.dtype, t.rank) == (e.dtype, e.ndim)
        assert all(d is None or d == size for d, size in zip(t.shape, e.shape, strict=True))
        if e.dtype.kind in "OUSTb":
            np.testing.assert_array_equal(y, e)
        elif e.dtype.kind == "V":  # a type of ml_dtypes, which NumPy's testing doesn't know
            np.testing.assert_allclose(y.astype(np.float32), e.astype(np.float32), rtol, atol)
        else:
            np.testing.assert_allclose(y, e, rtol, atol)


def operator_from_node(node: onnx.NodeProto) -> Operator:
    """The operator with the node's attributes; an attribute that it has no field for raises."""
    name = qualified(node.domain, node.op_type)
    return OPERATORS[name](**{a.name: _attribute(a) for a in node.attribute})


def _attribute(attribute: onnx.AttributeProto) -> Any:
    value = onnx.helper.get_attribute_value(attribute)
    if isinstance(value, onnx.TensorProto):
        return onnx.numpy_helper.to_array(value)
    if isinstance(value, bytes):
        return value.decode()
    if attribute.type == onnx.AttributeProto.STRINGS:
        return tuple(s.decode() for s in value)
    return value if isinstance(value, int | float) else tuple(value)


def _array(value: Any) -> Any:
    is_tensor = isinstance(value, onnx.TensorProto)  # how cases of types NumPy lacks are kept
    return onnx.numpy_helper.to_array(value) if is_tensor else value


@functools.cache
def _models() -> dict[str, list[Any]]:
    """The backend's cases of one node, by op_type, after its domain if it isn't ONNX's own."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # some cases divide by zero on purpose
        cases = load_node_model_tests()
    found = defaultdict(list)
    for case in cases:
        nodes = case.model.graph.node
        if len(nodes) == 1:
            found[qualified(nodes[0].domain, nodes[0].op_type)].append(case)
    return found


def node_cases(op_type: str, since: int | None = None) -> list[NodeCase]:
    """ONNX's cases whose node has the newest opset's meaning, or that of `since` or newer.

    Cases whose inputs or outputs aren't tensors (sequences, optionals) are left out.
    """
    domain, _, name = op_type.rpartition(".")
    newest = onnx.defs.get_schema(name, domain).since_version if since is None else since
    found = []
    for case in _models()[op_type]:
        (version,) = (o.version for o in case.model.opset_import if o.domain == domain)
        if onnx.defs.get_schema(name, version, domain).since_version < newest:
            continue
        (node,) = case.model.graph.node
        for data_set in case.data_sets:
            inputs, outputs = ([_array(x) for x in side] for side in data_set)
            if not all(isinstance(x, np.ndarray | np.generic) for x in [*inputs, *outputs]):
                continue
            given, made = iter(inputs), iter(outputs)
            found.append(
                NodeCase(
                    case.name,
                    operator_from_node(node),
                    [np.asarray(next(given)) if name else None for name in node.input],
                    [np.asarray(next(made)) if name else None for name in node.output],
                    case.rtol,
                    case.atol,
                )
            )
    return found


def _data_type(x: Array) -> int:
    text = x.dtype == object
    return onnx.TensorProto.STRING if text else onnx.helper.np_dtype_to_tensor_dtype(x.dtype)


def onnxruntime_outputs(operator: Operator, inputs, outputs: int = 1, opset: int = 22):
    """What onnxruntime gives for one node with these attributes and inputs."""
    names = ["" if x is None else f"x{i}" for i, x in enumerate(inputs)]
    results = [f"y{i}" for i in range(outputs)]
    # Defaults stay out, so that an attribute which `opset` hasn't got yet needn't be known.
    values = {f.name: getattr(operator, f.name) for f in fields(operator)}
    attributes = {
        f.name: onnx.numpy_helper.from_array(value) if isinstance(value, np.ndarray) else value
        for f in fields(operator)
        if isinstance(value := values[f.name], np.ndarray) or value != f.default
    }
    domain = operator.domain
    node = onnx.helper.make_node(
        type(operator).__name__, names, results, domain=domain, **attributes
    )
    given = {name: x for name, x in zip(names, inputs, strict=True) if name}
    graph = onnx.helper.make_graph(
        [node],
        "test",
        [
            onnx.helper.make_tensor_value_info(name, _data_type(x), x.shape)
            for name, x in given.items()
        ],
        [onnx.ValueInfoProto(name=name) for name in results],
    )
    model = onnx.helper.make_model(
        graph, opset_imports=[onnx.helper.make_opsetid(domain, opset)], ir_version=10
    )
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return session.run(None, given)
