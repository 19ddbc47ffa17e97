"""Where ONNX's schema has a function body, the definition gives what the body gives."""

import warnings
from dataclasses import fields

import numpy as np
import onnx
import pytest
from onnx.reference import ReferenceEvaluator

from suanzi.operators import OPERATORS

UNKNOWN = onnx.TypeProto()


def schema(name):
    return onnx.defs.get_schema(name) if onnx.defs.has(name) else None


def node(operator, inputs):
    """The node that applies the operator, its outputs all asked for."""
    rules = schema(type(operator).__name__)
    values = {f.name: getattr(operator, f.name) for f in fields(operator)}
    given = {name: v for name, v in values.items() if v is not None and name in rules.attributes}
    names = ["" if x is None else f"x{i}" for i, x in enumerate(inputs)]
    outputs = [f"y{i}" for i in range(len(rules.outputs))]
    return onnx.helper.make_node(rules.name, names, outputs, **given)


def tensor_type(x):
    if x is None:
        return UNKNOWN
    number = onnx.helper.np_dtype_to_tensor_dtype(x.dtype)
    return onnx.helper.make_tensor_type_proto(number, x.shape)


def body_of(made, inputs):
    """The function that ONNX says the node stands for; None where this form has none."""
    rules = schema(made.op_type)
    if rules.has_function:
        return rules.function_body
    types = [tensor_type(x).SerializeToString() for x in inputs]
    text = rules.get_context_dependent_function(made.SerializeToString(), types)
    return onnx.FunctionProto.FromString(text) if text else None


def has_body(name):
    rules = schema(name)
    return rules is not None and (rules.has_function or rules.has_context_dependent_function)


def inlined(body, made, feeds):
    """The body as a model: attributes and inputs that the node hasn't got are left out."""
    given = {a.name: a for a in made.attribute}
    defaults = {a.name: a for a in body.attribute_proto}
    absent = set(body.input) - set(feeds)
    nodes = []
    for step in body.node:
        new = onnx.NodeProto()
        new.CopyFrom(step)
        del new.input[:], new.attribute[:]
        new.input.extend("" if name in absent else name for name in step.input)
        for attribute in step.attribute:
            value = attribute
            if attribute.ref_attr_name:
                value = given.get(attribute.ref_attr_name, defaults.get(attribute.ref_attr_name))
            if value is not None:
                new.attribute.add().CopyFrom(value)
                new.attribute[-1].name = attribute.name
        nodes.append(new)
    graph = onnx.helper.make_graph(
        nodes,
        "body",
        [onnx.helper.make_value_info(name, tensor_type(x)) for name, x in feeds.items()],
        [onnx.helper.make_empty_tensor_value_info(name) for name in body.output],
    )
    return onnx.helper.make_model(graph, opset_imports=body.opset_import)


ODD = {
    "AffineGrid-0": "the evaluator cannot split within this branch",
    "AffineGrid-1": "as AffineGrid-0",
    "Range": "the evaluator gives a loop's numbers an axis",
    "DynamicQuantizeLinear-2": "of nothing but zeros the body makes 0 / 0",
}
"""Where it isn't the definition that the evaluator or the body differs from."""

EXAMPLES = [
    pytest.param(example, id=f"{name}-{i}")
    for name, cls in sorted(OPERATORS.items())
    if has_body(name) and cls.deterministic
    for i, example in enumerate(cls.examples())
    if name not in ODD and f"{name}-{i}" not in ODD
]


@pytest.mark.parametrize("example", EXAMPLES)
def test_the_definition_is_the_body(example):
    made = node(example.operator, example.inputs)
    body = body_of(made, example.inputs)
    if body is None:
        pytest.skip("ONNX writes no body for this form")
    given = zip(body.input, example.inputs, strict=False)
    feeds = {name: x for name, x in given if x is not None}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = ReferenceEvaluator(inlined(body, made, feeds)).run(None, feeds)
    found = example.operator.numpy_all(example.inputs)
    for y, e in zip(found, expected, strict=False):
        assert (y.dtype, y.shape) == (e.dtype, e.shape)
        np.testing.assert_allclose(y, e, rtol=1e-4, atol=1e-5)
