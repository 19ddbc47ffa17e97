"""The facts of operators, held to ONNX's schemas, to PyTorch's names and to the kernels."""

import dataclasses

import numpy as np
import onnx
import pytest

from suanzi import SuanziError
from suanzi.inspect.operators import every_operator, facts, find, worked_examples
from suanzi.kernels import CHOOSERS
from suanzi.lang import TARGETS
from suanzi.operators import OPERATORS, Operator

EVERY = {known.name: known for known in every_operator()}
NEWEST = {
    f"{schema.domain}.{schema.name}".lstrip("."): schema
    for schema in onnx.defs.get_all_schemas()
    if not schema.deprecated
}
OWN = {"captures": ("If", "Loop", "Scan", "SequenceMap"), "auto_pad": ("DeformConv",)}
"""Attributes of ours that ONNX's operators don't have."""


def test_all_are_there():
    assert EVERY.keys() >= OPERATORS.keys() | NEWEST.keys() | {
        "Upsample",
        "com.microsoft.FusedConv",
    }
    assert len(EVERY) == len(every_operator())


def test_each_has_a_definition_or_something_in_its_place():
    for name, known in EVERY.items():
        assert bool(known.definition) != bool(known.read_as), name
        assert known.summary, name
        assert bool(known.family) == bool(known.definition), name


@pytest.mark.parametrize("name", sorted(OPERATORS))
def test_no_hole_where_none_may_be(name):
    cls = OPERATORS[name]
    assert cls.infer is not Operator.infer
    assert cls.numpy is not Operator.numpy
    assert cls.examples()
    assert EVERY[name].has("definition")


@pytest.mark.parametrize("name", sorted(OPERATORS.keys() & NEWEST.keys()))
def test_attributes_are_those_of_onnx(name):
    ours = {a.name: a for a in EVERY[name].attributes}
    for attribute, only in OWN.items():
        if name in only:
            del ours[attribute]
    theirs = NEWEST[name].attributes
    assert ours.keys() == theirs.keys()
    for attribute, schema in theirs.items():
        kind = schema.type.name.lower().removesuffix("_proto")
        assert ours[attribute].type == kind, attribute


def test_versions_and_types_are_those_of_onnx():
    conv = EVERY["Conv"]
    assert (conv.domain, conv.family, conv.versions) == ("ai.onnx", "convolution", (1, 11, 22))
    assert conv.types == ("bfloat16", "float16", "float32", "float64")
    assert [(p.name, p.option) for p in conv.inputs] == [("X", ""), ("W", ""), ("B", "optional")]
    assert EVERY["Scatter"].versions == (9, 11)
    assert EVERY["SequenceAt"].inputs[0].types[0] == "sequence(bool)"
    assert {"string", "float32"} <= set(EVERY["SequenceAt"].types)


def test_what_onnx_lacks_is_told_by_the_definition():
    shuffle = EVERY["ChannelShuffle"]
    assert (shuffle.domain, shuffle.versions, shuffle.types) == ("suanzi", (), ())
    assert [(p.name, p.option) for p in shuffle.inputs] == [("X", "")]
    assert EVERY["com.microsoft.GroupQueryAttention"].domain == "com.microsoft"


@pytest.mark.parametrize("target", TARGETS)
def test_kernels(target):
    kernels = {name: known.kernels.get(target, ()) for name, known in EVERY.items()}
    assert {"conv_direct", "conv_winograd"} <= set(kernels["Conv"])
    assert kernels["Relu"] == ("elementwise",)
    assert kernels["BatchNormalization"] == ("elementwise", "reduce")  # as the passes write it
    assert "quantized_conv" in kernels["QLinearConv"]
    assert kernels["NonZero"] == ()
    for name, cls in OPERATORS.items():
        assert kernels[name] or cls not in CHOOSERS


def test_a_formula_is_one_that_kernels_trace():
    assert EVERY["Relu"].has("formula")
    assert not EVERY["BitwiseNot"].has("formula")  # NumPy's alone
    assert not EVERY["Conv"].has("formula")


@pytest.mark.parametrize("name", sorted(n for n, known in EVERY.items() if known.torch))
def test_pytorch_has_what_is_named(name):
    torch = pytest.importorskip("torch")
    for axes in (1, 2, 3):
        first, *rest = EVERY[name].torch.format(n=axes).split(".")
        short = {"nn": torch.nn, "F": torch.nn.functional, "optim": torch.optim, "torch": torch}
        found = short.get(first) or pytest.importorskip(first)
        for part in rest:
            found = getattr(found, part)


def test_a_domain_may_be_left_out():
    assert find("Conv") == find("ai.onnx.Conv") == "Conv"
    assert find("FusedConv") == "com.microsoft.FusedConv"
    assert find("Attention") == "Attention"


@pytest.mark.parametrize(
    ("name", "meant"),
    [("conv", "Conv"), ("Sofmax", "Softmax"), ("BatchNorm", "BatchNormalization")],
)
def test_a_mistake_gets_suggestions(name, meant):
    with pytest.raises(SuanziError, match=f"no such operator; found {name}. maybe .*{meant}"):
        find(name)


def test_nothing_like_it():
    with pytest.raises(SuanziError, match="suanzi ops lists all"):
        find("xyzzy")


@pytest.mark.parametrize("name", sorted(OPERATORS))
def test_worked_examples(name):
    examples = worked_examples(EVERY[name])
    assert len(examples) == len(OPERATORS[name].examples())
    for example, worked in zip(OPERATORS[name].examples(), examples, strict=True):
        assert len(worked.inputs) == len(dict(worked.inputs)) == len(example.inputs)
        assert len(worked.outputs) == len(dict(worked.outputs)) > 0


def test_a_worked_example_has_names_and_numbers():
    split = next(e for e in worked_examples(facts("Split")) if len(e.outputs) == 2)
    assert [name for name, _ in split.outputs] == ["outputs_0", "outputs_1"]
    (x, y), *_ = [
        (dict(e.inputs)["X"], dict(e.outputs)["Y"]) for e in worked_examples(facts("Relu"))
    ]
    np.testing.assert_array_equal(y, np.maximum(x, 0))
    assert [name for name, _ in worked_examples(facts("If"))[0].inputs] == ["cond", "captures"]


def test_facts_are_data():
    assert dataclasses.asdict(facts("Elu"))["attributes"] == (
        {"name": "alpha", "type": "float", "default": "1.0"},
    )
