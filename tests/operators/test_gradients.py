"""Gradients of every operator, held to differences of values on its examples, in float64."""

import dataclasses

import ml_dtypes
import numpy as np
import pytest

from gradient_support import EPS, check, floating, rule
from suanzi.graph.evaluate import evaluate
from suanzi.graph.gradient import backward
from suanzi.graph.trace import Symbol, Trace
from suanzi.operators import OPERATORS, TensorType

FLOAT64 = 11


AWAY = {
    "Abs": 0.1, "Celu": 0.1, "Clip": 0.13, "HardSigmoid": 0.1, "HardSwish": 0.1, "LeakyRelu": 0.1,
    "Elu": 0.1, "PRelu": 0.1, "Relu": 0.1, "Selu": 0.1, "Shrink": 0.1, "ThresholdedRelu": 0.1,
    "Sign": 0.1, "Floor": 0.1, "Ceil": 0.1, "Round": 0.1, "Acosh": 0.1, "Mod": 0.1, "ReduceL1": 0.1,
    "ReduceLogSum": 7.5,
    "GridSample": 0.01, "LpNormalization": 0.1,
}  # fmt: skip
"""What is added to the examples' inputs where they stand at a kink or an end of a domain."""

EXCEPTIONS = {
    "CTCLoss-0": "the gradient is PyTorch's: that of what a LogSoftmax makes",
    "CTCLoss-1": "likewise",
    "RandomNormalLike-1": "random anew each time",
    "RandomUniformLike-1": "likewise",
    "Cast-3": "to float16, whose steps are larger than the differences",
    "ScatterND-1": "joined by max, of which there is no gradient",
}
"""Examples that aren't tried, and why."""

ONCE = {"CTCLoss", "EmbeddingBag", "GridSample"}
"""Operators whose gradients have none themselves; PyTorch's have none either."""

LEFT_OUT = {
    "Resize": (1, 2, 3),  # roi, scales, sizes
    "ResizeGradient": (1, 2, 3),
    "FractionalMaxPool": (1,),  # where the windows lie
    "NegativeLogLikelihoodLoss": (2,),  # PyTorch gives weights of classes none either
    "SoftmaxCrossEntropyLoss": (2,),
}
"""Inputs of floating-point numbers that have no gradient."""

VARIED = {"Max", "Min", "ReduceMax", "ReduceMin", "TopK", "MaxPool", "GlobalMaxPool", "Hardmax"}
"""Of whose examples equal elements are the point: they are told apart, the ties tried below."""


def apart(name, x):
    """The example's input away from kinks."""
    if not floating(x):
        return x
    x = x.astype(np.float64)
    if name in VARIED:
        return x + np.linspace(0, 0.01, x.size).reshape(x.shape)
    return x + AWAY.get(name, 0)


def in_float64(operator):
    """The operator, computing in float64 where it has a type to compute in."""
    if hasattr(operator, "stash_type"):
        return dataclasses.replace(operator, stash_type=FLOAT64)
    return operator


def cases(but=()):
    for name, cls in sorted(OPERATORS.items()):
        for i, example in enumerate(cls.examples() if cls.grad and name not in but else ()):
            id = f"{name}-{i}"
            made = example.operator.numpy_all(example.inputs)
            if any(map(floating, example.inputs)) and floating(made[0]) and id not in EXCEPTIONS:
                yield pytest.param(name, example, id=id)


@pytest.mark.parametrize(("name", "example"), [*cases()])
def test_of_examples(name, example):
    inputs = [apart(name, x) for x in example.inputs]
    check(in_float64(example.operator), *inputs, but=LEFT_OUT.get(name, ()))


@pytest.mark.parametrize(("name", "example"), [*cases(ONCE)])
def test_of_gradients(name, example):
    """The gradients' own gradients, along one random direction."""
    operator, random = in_float64(example.operator), np.random.default_rng(1)
    inputs = [apart(name, x) for x in example.inputs]
    wanted = [floating(x) and i not in LEFT_OUT.get(name, ()) for i, x in enumerate(inputs)]
    feeds = {f"x{i}": inputs[i] for i in np.flatnonzero(wanted)}
    trace = Trace()
    given = [
        trace.input(TensorType(x.dtype, x.shape), f"x{i}") if want else x
        for i, (x, want) in enumerate(zip(inputs, wanted, strict=True))
    ]
    outputs = operator(*given)
    outputs = outputs if isinstance(outputs, tuple) else (outputs,)
    dY: list[Symbol | None] = [None] * len(outputs)
    for i, y in enumerate(operator.numpy_all(inputs)):
        if floating(y):
            feeds[f"d{i}"] = random.normal(size=y.shape)
            dY[i] = trace.input(TensorType(y.dtype, y.shape), f"d{i}")
    made = [dX for dX in rule(operator, tuple(dY), outputs, given, wanted) if dX is not None]
    weights = {trace.symbol(dX).name: trace.constant(random.normal(size=dX.shape)) for dX in made}
    first = trace.graph([trace.symbol(dX) for dX in made])
    found = backward(first.nodes, weights, feeds, lambda n: Symbol(trace, n, trace.types[n]))
    values = evaluate(trace.graph([*found.values()]), feeds)
    direction = {n: random.normal(size=x.shape) for n, x in feeds.items()}
    slope = sum((values[y.name] * direction[n]).sum() for n, y in found.items())

    def total(step):
        at = evaluate(first, {n: x + step * direction[n] for n, x in feeds.items()})
        return sum((at[n] * values[w.name]).sum() for n, w in weights.items())

    np.testing.assert_allclose(slope, (total(EPS) - total(-EPS)) / (2 * EPS), 1e-5, 1e-6)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, ml_dtypes.bfloat16])
@pytest.mark.parametrize(("name", "example"), [*cases({"Range"})])
def test_gradients_have_the_type_of_their_inputs(name, example, dtype):
    trace, inputs, wanted = Trace(), [], []
    for i, x in enumerate(example.inputs):
        wanted.append(floating(x) and i not in LEFT_OUT.get(name, ()))
        symbolic = TensorType(dtype, x.shape) if wanted[i] else None
        kept = x.astype(dtype) if floating(x) and name != "Resize" else x
        inputs.append(trace.input(symbolic, f"x{i}") if symbolic else kept)
    Y = example.operator(*inputs)
    Y = Y if isinstance(Y, tuple) else (Y,)
    dY = tuple(None if y.dtype.kind in "iub" else y for y in Y)
    made = rule(example.operator, dY, Y, inputs, wanted)
    assert all(g.type == x.type for g, x in zip(made, inputs, strict=True) if g is not None)


WITHOUT = {
    "to be written": """DeformConv DequantizeLinear
        LinearAttention MaxRoiPool RoiAlign STFT com.microsoft.GroupQueryAttention""",
    "gradients, of which PyTorch has none either": """CTCLossGradient EmbeddingBagGradient
        GridSampleGradient""",
    "made once, not learned through": "MelWeightMatrix",
    "rounded": "DynamicQuantizeLinear com.microsoft.DynamicQuantizeLSTM",
    "PyTorch's has none": "Unique",
    "values other than tensors": "Optional OptionalGetElement",
    "ends of a pipeline, not layers": """ai.onnx.ml.ArrayFeatureExtractor ai.onnx.ml.Binarizer
        ai.onnx.ml.FeatureVectorizer ai.onnx.ml.Imputer ai.onnx.ml.LinearClassifier
        ai.onnx.ml.LinearRegressor ai.onnx.ml.Normalizer ai.onnx.ml.SVMClassifier
        ai.onnx.ml.SVMRegressor ai.onnx.ml.Scaler ai.onnx.ml.TreeEnsemble
        ai.onnx.ml.TreeEnsembleClassifier ai.onnx.ml.TreeEnsembleRegressor""",
    "steps of training": """ai.onnx.preview.training.Adagrad ai.onnx.preview.training.Adam
        ai.onnx.preview.training.Momentum""",
}
"""Operators of numbers in floating point that have no rule, all of them, by the reason."""


def differentiable(cls):
    sides = ((e.inputs, e.operator.numpy_all(e.inputs)) for e in cls.examples())
    return any(any(map(floating, given)) and any(map(floating, made)) for given, made in sides)


def test_what_has_no_rule_is_known():
    ours = {n: c for n, c in OPERATORS.items() if c.__module__.startswith("suanzi.operators.")}
    found = [n for n, cls in ours.items() if cls.grad is None and differentiable(cls)]
    assert sorted(found) == sorted(" ".join(WITHOUT.values()).split())
