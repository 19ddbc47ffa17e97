"""Hostile models: what operators' examples become when attributes, shapes and contents go wrong.

As a program it runs models of the seeds FIRST to LAST, and ends with status 1 at the first whose
outcome is neither a result, which the definitions agree with, nor a SuanziError:

    python tests/hostile.py FIRST LAST
"""

import random
import resource
import sys
import traceback
from dataclasses import fields

import numpy as np
from onnx import ModelProto, defs, helper, numpy_helper

from suanzi import InferenceSession, SuanziError
from suanzi.graph.evaluate import evaluate
from suanzi.operators import OPERATORS, Example, TensorType

INTS = [0, 1, -1, 2, 3, 5, 17, -7, 1000, 2**16 + 1, 2**31, 2**40, 2**62, -(2**63), 2**63 - 1]
FLOATS = [0.0, -0.0, 1.0, -2.5, 1e-38, 3e38, float("inf"), float("nan")]
TEXTS = ["", "SAME_UPPER", "SAME_LOWER", "VALID", "NOTSET", "linear", "cubic", "reflect", "edge"]


def plain(example: Example) -> bool:
    """Whether its inputs are tensors of numbers, and its attributes what `damaged` knows."""
    values = [x for x in example.inputs if x is not None]
    attributes = [getattr(example.operator, f.name) for f in fields(example.operator)]
    return all(isinstance(x, np.ndarray) and x.dtype.kind not in "OUS" for x in values) and all(
        isinstance(x, int | float | str | tuple | np.ndarray | None) for x in attributes
    )


DICE = {"Bernoulli", "Dropout", "Multinomial", *(n for n in OPERATORS if n.startswith("Random"))}
CASES = [
    (name, example)
    for name, cls in sorted(OPERATORS.items())
    if defs.has(name) and name not in DICE
    for example in cls.examples()
    if plain(example)
]


def hostile(seed: int) -> tuple[str, ModelProto, dict[str, np.ndarray]]:
    """A model with one damaged node, perhaps between others, and its inputs."""
    dice = random.Random(seed)
    name, example = dice.choice(CASES)
    operator = example.operator
    attributes = {
        f.name: value
        for f in fields(operator)
        if (value := getattr(operator, f.name)) is not None and not f.name.startswith("_")
    }
    arrays = [None if x is None else np.asarray(x) for x in example.inputs]
    for _ in range(dice.choice([0, 1, 1, 1, 2, 3])):
        if attributes and dice.random() < 0.6:
            key = dice.choice(sorted(attributes))
            attributes[key] = damaged(attributes[key], dice)
        elif arrays and (x := arrays[at := dice.randrange(len(arrays))]) is not None:
            arrays[at] = damaged_array(x, dice)
    feeds, constants, names = {}, [], []
    for i, x in enumerate(arrays):
        names.append("" if x is None else f"x{i}")
        if x is not None and (x.dtype.kind != "f" or i > 0) and dice.random() < 0.7:
            constants.append(numpy_helper.from_array(x, f"x{i}"))
        elif x is not None:
            feeds[f"x{i}"] = x
    made = operator.infer_all([None if x is None else TensorType.of(x) for x in example.inputs])
    outputs = [f"y{i}" for i in range(len(made))]
    nodes = [helper.make_node(name, names, outputs, name="hostile", **encoded(attributes))]
    if feeds and dice.random() < 0.5:  # something before it and after, to be fused or laid out
        first = next(iter(feeds))
        nodes[0].input[:] = ["before" if n == first else n for n in nodes[0].input]
        nodes.insert(0, helper.make_node("Identity", [first], ["before"]))
        if feeds[first].dtype == np.float32:
            nodes[0].op_type = "Relu"
        if made[0].dtype == np.float32:
            nodes += [
                helper.make_node("Sigmoid", ["y0"], ["after"]),
                helper.make_node("Add", ["after", "y0"], ["z"]),
            ]
            outputs.append("z")
    graph = helper.make_graph(
        nodes,
        "hostile",
        [
            helper.make_tensor_value_info(
                n, helper.np_dtype_to_tensor_dtype(x.dtype), open_shape(x.shape, dice)
            )
            for n, x in feeds.items()
        ],
        [helper.make_empty_tensor_value_info(n) for n in outputs],
        constants,
    )
    return name, helper.make_model(graph, opset_imports=[helper.make_opsetid("", 26)]), feeds


def encoded(attributes):
    return {
        key: numpy_helper.from_array(v) if isinstance(v, np.ndarray) else v
        for key, v in attributes.items()
        if not (isinstance(v, tuple) and not v)
    }


def open_shape(shape, dice):
    """The shape, at times with a size left open, at times not told at all."""
    if dice.random() < 0.1:
        return None
    return [f"d{i}" if dice.random() < 0.15 else size for i, size in enumerate(shape)]


def damaged(value, dice):
    match value:
        case bool() | int():
            return dice.choice(INTS)
        case float():
            return dice.choice(FLOATS)
        case str():
            return dice.choice(TEXTS)
        case tuple():
            items = list(value)
            if items and dice.random() < 0.7:
                at = dice.randrange(len(items))
                items[at] = damaged(items[at], dice)
            elif items and dice.random() < 0.5:
                items.pop()
            else:
                items.append(items[0] if items else 1)
            return tuple(items)
        case np.ndarray():
            return damaged_array(value, dice)
    return value


def damaged_array(x, dice):
    """Other contents for indices, other shapes for all."""
    if x.dtype.kind in "iu" and x.size and dice.random() < 0.7:
        x = x.copy()
        wanted = dice.choice(INTS)
        limits = np.iinfo(x.dtype)
        x.flat[dice.randrange(x.size)] = min(max(wanted, limits.min), limits.max)
        return x
    shape = list(x.shape)
    kind = dice.randrange(4)
    if kind == 0 or not shape:
        shape.insert(dice.randrange(len(shape) + 1), dice.choice([1, 2, 0]))
    elif kind == 1:
        shape.pop(dice.randrange(len(shape)))
    else:
        shape[dice.randrange(len(shape))] = dice.choice([0, 1, 2, 3, 17, 33])
    return np.resize(x, shape) if x.size else np.zeros(shape, x.dtype)


def outcome(model: ModelProto, feeds: dict[str, np.ndarray]) -> str:
    """Runs the model: "refused", "agrees", or an exception that tells what is wrong."""
    try:
        session = InferenceSession(model)
        found = session.run(None, feeds)
        with np.errstate(all="ignore"):
            wanted = evaluate(session.graph, feeds)
    except SuanziError:
        return "refused"
    for name, x in zip(session.graph.outputs, found, strict=True):
        if isinstance(x, np.ndarray):  # not a sequence
            check(name, x, wanted[name])
    return "agrees"


def check(name: str, found: np.ndarray, wanted: np.ndarray) -> None:
    assert (found.shape, found.dtype) == (wanted.shape, wanted.dtype), name
    a, b = found.astype(np.float64), wanted.astype(np.float64)
    finite = np.isfinite(b)
    scale = abs(b[finite]).max(initial=1.0)
    if scale < 1e30:  # beyond, one overflows in float32 where another doesn't
        with np.errstate(all="ignore"):
            assert (abs(a[finite] - b[finite]) <= 2e-5 * scale).all(), f"{name} is wrong"


def main() -> None:
    # What asks for more gets a MemoryError, and soon.
    resource.setrlimit(resource.RLIMIT_AS, (8 << 30, 8 << 30))
    for seed in range(int(sys.argv[1]), int(sys.argv[2])):
        print(f"{seed}: ", end="", flush=True)  # so that a crash tells where
        name, model, feeds = hostile(seed)
        print(f"{name}: ", end="", flush=True)
        try:
            print(outcome(model, feeds), flush=True)
        except Exception:
            traceback.print_exc()
            sys.exit(1)


if __name__ == "__main__":
    main()
