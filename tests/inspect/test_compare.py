"""Where two ways of computing part; what differs between models; parts cut out."""

import itertools

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from inspect_support import branching, digits, make, seven, value
from suanzi import InferenceSession, data
from suanzi.errors import SuanziError
from suanzi.inspect import compare as compare_module
from suanzi.inspect import shrink as shrink_module
from suanzi.inspect.compare import compare, compare_values
from suanzi.inspect.diff import diff
from suanzi.inspect.extract import borders, extract
from suanzi.inspect.memory import memory
from suanzi.inspect.saved import keep
from suanzi.inspect.shrink import shrink
from suanzi.inspect.sides import sides
from suanzi.inspect.values import Values
from suanzi.lang import host_target
from suanzi.onnx.cut import Original

F32 = np.float32


def original():
    return Original(data.digits_model())


# Compare


@pytest.mark.parametrize("against", [s for s in sides() if s != "openvino"])
def test_the_digits_agree(against):
    values = Values(digits(), seven(), most_bytes=60_000)  # in several chunks
    found = compare_values(values, original(), against)
    assert [d.value for d in found.values] == values.names[1:]
    assert not any(d.apart for d in found.values)
    assert (found.first, found.missing) == (None, ())
    assert all(d.max_rel < 1e-5 for d in found.values)


def test_openvino():
    pytest.importorskip("openvino")
    found = compare_values(Values(digits(), seven()), original(), "openvino")
    assert found.values
    assert found.first is None


def test_strict_precision():
    """Of our own plans: they part by Winograd's rounding, where it is used, and that is little."""
    W = np.random.default_rng(0).standard_normal((64, 64, 3, 3), F32) / F32(24)
    nodes = [helper.make_node("Conv", ["x", "w"], ["y"], pads=[1, 1, 1, 1])]
    shape = [1, 64, 32, 32]
    model = make(nodes, [value("x", shape)], [value("y", shape)], {"w": W}).SerializeToString()
    x = {"x": np.random.default_rng(1).standard_normal(shape, F32)}
    (found,) = compare(model, x, "strict").values
    assert 0 < found.max_rel < 1e-4
    strict = Values(InferenceSession(model, precision="strict"), x)
    same = compare_values(strict, Original(model), "strict")
    assert same.values[0].max_abs == 0
    assert same.ours == f"suanzi ({host_target().name}, strict)"


def test_where_they_part(monkeypatch):
    """The other side makes one node's result wrong: that node is first, though later ones differ
    more, and only what depends on it is apart."""
    values = Values(digits(), seven())
    true = {name: values.get(name) for name in values.names}

    def wrong(names):
        given = {name: true[name].copy() for name in names}
        given["Plus112_Output_0"] += 100
        given["Times212_Output_0"] *= 3
        given["ReLU32_Output_0"] = given["ReLU32_Output_0"][..., 1:]
        given["Pooling66_Output_0"][0, 3, 2, 1] = np.nan
        del given["Pooling160_Output_0"]
        return given

    monkeypatch.setattr(compare_module, "side", lambda *args: wrong)
    found = compare_values(values, original(), "definitions")
    by_value = {d.value: d for d in found.values}
    assert by_value["Plus112_Output_0"].max_abs == pytest.approx(100, rel=1e-4)
    assert by_value["Pooling66_Output_0"].at == (0, 3, 2, 1)
    assert "NaN" in by_value["Pooling66_Output_0"].note
    assert "shapes" in by_value["ReLU32_Output_0"].note
    assert {d.value for d in found.values if d.apart} == {
        "Plus112_Output_0", "Times212_Output_0", "ReLU32_Output_0", "Pooling66_Output_0"
    }  # fmt: skip
    assert digits().graph.nodes[int(found.first)].name == "ReLU32"
    assert digits().graph.nodes[int(found.worst)].name == "Times212"
    assert found.missing == ("Pooling160_Output_0",)


def test_what_cancels_out_is_rounding():
    nodes = [
        helper.make_node("Add", ["x", "w"], ["a"]),
        helper.make_node("Sub", ["a", "w"], ["b"]),
    ]
    model = make(nodes, [value("x", [4])], [value("b", [4])], {"w": F32([1e6] * 4)})
    session = InferenceSession(model)
    found = compare_values(
        Values(session, {"x": F32([1e-3, 2e-3, 0.1, 0])}), Original(model), "definitions"
    )
    assert found.values[1].max_rel > 0.01
    assert not found.values[1].apart


def test_bodies_and_texts():
    model = branching()
    feeds = {"x": F32([[1, 2, 3]]), "cond": np.array(True)}
    values = Values(InferenceSession(model), feeds)
    for against in ("onnxruntime", "definitions", "target:portable"):
        assert compare_values(values, Original(model), against).first is None


def test_sides_that_are_not_there():
    values = Values(digits(), seven())
    with pytest.raises(SuanziError, match="no such runtime"):
        compare_values(values, original(), "magic")
    with pytest.raises(SuanziError, match="no such target"):
        compare_values(values, original(), "target:abacus")


def test_saved_tensors(tmp_path):
    """Values that another device might have made: a folder, and an .npz of some; one is wrong."""
    values = Values(digits(), seven())
    true = {name: values.get(name) for name in values.names}
    keep(true, tmp_path / "all")
    assert not any(
        d.apart for d in compare_values(values, original(), str(tmp_path / "all")).values
    )
    some = {name: true[name].copy() for name in ("ReLU32_Output_0", "Plus214_Output_0")}
    some["ReLU32_Output_0"][0, 2, 3, 4] += 2
    np.savez(tmp_path / "some.npz", **some)
    found = compare_values(values, original(), str(tmp_path / "some.npz"))
    assert len(found.missing) == len(values.names) - 3
    (wrong,) = [d for d in found.values if d.apart]
    assert (wrong.value, wrong.at) == ("ReLU32_Output_0", (0, 2, 3, 4))
    part = shrink(values, original(), found)
    assert [digits().graph.nodes[i].name for i in part.nodes] == ["ReLU32"]
    (theirs,) = part.theirs.values()
    assert theirs[0, 2, 3, 4] - part.ours["ReLU32_Output_0"][0, 2, 3, 4] == pytest.approx(2)
    (tmp_path / "none").mkdir()
    with pytest.raises(SuanziError, match="none of the model's values"):
        compare_values(values, original(), str(tmp_path / "none"))
    (tmp_path / "bad.npz").write_bytes(b"no archive")
    with pytest.raises(SuanziError, match="can't read"):
        compare_values(values, original(), str(tmp_path / "bad.npz"))


def test_a_program_of_pytorch(tmp_path):
    torch = pytest.importorskip("torch")

    class Net(torch.nn.Module):
        def forward(self, x):
            return torch.relu(x) * 2.0

    program = torch.export.export(Net(), (torch.zeros(2, 3),))
    torch.export.save(program, tmp_path / "net.pt2")
    nodes = [
        helper.make_node("Relu", ["x"], ["relu"]),
        helper.make_node("Mul", ["relu", "k"], ["y"]),
    ]
    x = {"x": np.random.default_rng(0).standard_normal((2, 3), F32)}
    for k in (2, 3):
        model = make(nodes, [value("x", [2, 3])], [value("y", [2, 3])], {"k": F32(k)})
        values, whole = Values(InferenceSession(model), x), Original(model)
        found = compare_values(values, whole, str(tmp_path / "net.pt2"))
        assert [d.value for d in found.values] == ["relu", "y"]
        assert [d.apart for d in found.values] == [False, k == 3]
        part = shrink(values, whole, found)
        assert part is None if k == 2 else part.nodes == (1,)
    wide = make(nodes, [value("x", [2, 4])], [value("y", [2, 4])], {"k": F32(2)})
    run = Values(InferenceSession(wide), {"x": np.zeros((2, 4), F32)})
    with pytest.raises(SuanziError, match="can't run the program"):
        compare_values(run, Original(wide), str(tmp_path / "net.pt2"))


def chain(count):
    """Additions one after the other; each rounds."""
    names = ["x", *(f"v{i}" for i in range(count))]
    nodes = [helper.make_node("Mul", [a, "k"], [b], name=b) for a, b in itertools.pairwise(names)]
    return make(nodes, [value("x", [64])], [value(names[-1], [64])], {"k": F32(1.0000001)})


@pytest.mark.parametrize("needed", [1, 3, 8])
def test_shrinking_finds_the_least_part_that_differs(monkeypatch, needed):
    """The other side is wrong from one node on, where so many nodes are seen together."""
    model = chain(12)
    whole, session = Original(model), InferenceSession(model)
    values = Values(session, {"x": np.linspace(1, 2, 64, dtype=F32)})

    def side(run, *_):
        long = len(run.graph.nodes) >= needed
        given = {name: run.get(name).copy() for name in run.names}
        for i in range(9, 12):
            if long and f"v{i}" in given:
                given[f"v{i}"] = given[f"v{i}"] + F32(1)
        return lambda names: {name: given[name] for name in names}

    monkeypatch.setattr(compare_module, "side", side)
    monkeypatch.setattr(shrink_module, "side", side)
    found = compare_values(values, whole, "onnxruntime")
    assert session.graph.nodes[int(found.first)].name == "v9"
    part = shrink(values, whole, found)
    assert part.nodes == tuple(range(10 - needed, 10))
    made = onnxruntime.InferenceSession(part.model)
    (theirs,) = made.run(None, dict(part.inputs))
    np.testing.assert_allclose(theirs, part.ours["v9"], rtol=1e-5)
    np.testing.assert_allclose(part.theirs["v9"], part.ours["v9"] + 1, rtol=1e-5)


def test_nothing_to_shrink():
    values = Values(digits(), seven())
    assert shrink(values, original(), compare_values(values, original(), "onnxruntime")) is None


# Diff


def changed(change):
    model = onnx.load_from_string(data.digits_model())
    change(model)
    return InferenceSession(model).graph


def test_the_same_model():
    found = diff(digits().graph, changed(lambda model: None))
    assert found.same
    assert found.counts == {"added": 0, "removed": 0, "changed": 0, "same": 12}


def test_a_weight_and_an_attribute():
    def change(model):
        for tensor in model.graph.initializer:
            if tensor.name == "Parameter87":
                x = numpy_helper.to_array(tensor).copy()
                x[0, 0, 0, 0] += 0.5
                tensor.CopyFrom(numpy_helper.from_array(x, tensor.name))
        for node in model.graph.node:
            if node.name == "Pooling66":
                kernel = next(a for a in node.attribute if a.name == "kernel_shape")
                kernel.ints[:] = [1, 1]

    found = diff(digits().graph, changed(change))
    assert [(d.name, d.change, d.ours == d.theirs) for d in found.nodes] == [
        ("Pooling66", "changed", True), ("Convolution110", "changed", True)
    ]  # fmt: skip
    (attribute,) = found.nodes[0].what
    assert (attribute.kind, attribute.name, attribute.ours, attribute.theirs) == (
        "attribute", "kernel_shape", "[2, 2]", "[1, 1]"
    )  # fmt: skip
    (weight,) = found.nodes[1].what
    assert (weight.kind, weight.max_abs) == ("weight", pytest.approx(0.5, rel=1e-4))
    assert not found.same


def test_a_node_more_and_a_node_less():
    """Everything renamed, an activation replaced, one more at the end."""

    def change(model):
        names = {}
        for node in model.graph.node:
            node.name = f"n_{node.name}"
            for i, name in enumerate(node.output):
                names[name] = node.output[i] = f"v_{name}"
            for i, name in enumerate(node.input):
                node.input[i] = names.get(name, name)
            if node.op_type == "Relu":
                node.op_type = "Tanh"
        last = model.graph.output[0]
        model.graph.node.add(op_type="Exp", input=[names[last.name]], output=["end"], name="end")
        last.name = "end"

    found = diff(digits().graph, changed(change))
    told = sorted((d.operator, d.change) for d in found.nodes)
    assert told == [
        ("Exp", "added"), ("Relu", "removed"), ("Relu", "removed"),
        ("Tanh", "added"), ("Tanh", "added"),
    ] or {t for t in told if t[1] != "changed"} == {
        ("Exp", "added"), ("Relu", "removed"), ("Tanh", "added"),
    }  # fmt: skip
    assert found.outputs == (
        "Plus214_Output_0: only the first has it",
        "end: only the second has it",
    )
    assert found.counts["added"] == 3


def test_bodies():
    other = branching()
    body = next(a for a in other.graph.node[0].attribute if a.name == "then_branch").g
    body.node[1].op_type = "Abs"
    found = diff(InferenceSession(branching()).graph, InferenceSession(other).graph)
    (node,) = found.nodes
    assert "1 added" in node.what[0].theirs


# Extract


def run(part, feeds):
    session = onnxruntime.InferenceSession(part, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(None, feeds), strict=True))


def test_a_part_runs_and_gives_the_same():
    values = Values(digits(), seven())
    part = extract(
        digits().graph, original(), ["Pooling66_Output_0"], ["Plus112_Output_0", "ReLU114_Output_0"]
    )
    made = run(part, {"Pooling66_Output_0": values.get("Pooling66_Output_0")})
    for name, x in made.items():
        np.testing.assert_allclose(x, values.get(name), atol=1e-5 * np.abs(x).max())
    assert [*made] == ["Plus112_Output_0", "ReLU114_Output_0"]
    ours = InferenceSession(part)
    assert [n.name for n in ours.graph.nodes] == ["Convolution110", "Plus112", "ReLU114"]


def test_nodes_that_are_chosen():
    graph = digits().graph
    inputs, outputs = borders(graph, [5, 6])
    assert (inputs, outputs) == (["Pooling66_Output_0"], ["Plus112_Output_0"])
    part = InferenceSession(extract(graph, original(), nodes=[5, 6]))
    assert [type(n.operator).__name__ for n in part.graph.nodes] == ["Conv", "Add"]
    # What only constants lead to comes along.
    assert borders(graph, [10])[0] == ["Pooling160_Output_0_reshape0"]
    part = InferenceSession(extract(graph, original(), nodes=[10]))
    assert {type(n.operator).__name__ for n in part.graph.nodes} == {"Reshape", "MatMul"}


def test_bodies_are_cut_with_what_they_capture():
    model = branching()
    relu = model.graph.node.add(op_type="Relu", input=["y"], output=["z"])
    assert relu.op_type == "Relu"
    model.graph.output[0].name = "z"
    part = extract(InferenceSession(model).graph, Original(model), [], ["y"])
    feeds = {"x": F32([[1, 1, 1]]), "cond": np.array(False)}
    np.testing.assert_array_equal(run(part, feeds)["y"], [[1, -2, 3]])


def test_weights_beside_the_file(tmp_path):
    weights = F32(np.arange(100))
    model = make([helper.make_node("Add", ["x", "w"], ["y"])], [value("x", [100])],
                 [value("y", [100])], {"w": weights})  # fmt: skip
    path = tmp_path / "m.onnx"
    onnx.save(model, path, save_as_external_data=True, location="w.bin", size_threshold=0)
    part = extract(InferenceSession(path).graph, Original(path), ["x"], ["y"])
    np.testing.assert_array_equal(run(part, {"x": weights})["y"], 2 * weights)


def test_parts_that_cannot_be():
    graph = digits().graph
    with pytest.raises(SuanziError, match="no such value"):
        extract(graph, original(), ["nobody"], [])
    with pytest.raises(SuanziError, match="nothing lies between"):
        extract(graph, original(), ["ReLU32_Output_0"], ["ReLU32_Output_0"])
    with pytest.raises(SuanziError, match="no such node"):
        extract(graph, original(), nodes=[99])


# Memory


def test_memory_over_time():
    profile = digits().profile(seven(), 1)
    found = profile.memory
    program = digits().program(seven()).program
    assert found.arena_bytes == program.arena_bytes
    assert len(found.used) == len(profile.steps)
    assert max(found.used) <= found.arena_bytes
    assert found.used[found.peak_step] == max(found.used)
    for storage in found.storages:
        assert 0 <= storage.first <= storage.last < len(profile.steps)
        assert storage.offset + storage.bytes <= found.arena_bytes
    for a in found.storages:
        for b in found.storages:
            together = a.first <= b.last and b.first <= a.last and a is not b
            apart = a.offset + a.bytes <= b.offset or b.offset + b.bytes <= a.offset
            assert not together or apart or program.steps != profile.steps
    assert memory(program, profile.steps) == found


def test_the_profile_tells_of_the_models_nodes():
    profile = digits().profile(seven(), 1)
    assert sum(profile.nodes.values()) == pytest.approx(
        sum(step.seconds for step in profile.steps if step.nodes)
    )
    convolution = next(i for i, n in enumerate(digits().graph.nodes) if n.name == "Convolution28")
    assert profile.nodes[convolution] == profile.steps[0].seconds
    assert profile.timeline[0].start == 0
    assert {bar.step for bar in profile.timeline} == set(range(len(profile.steps)))


def test_a_thread_is_at_one_step_at_a_time():
    profile = digits().profile(seven(), 3)
    end: dict[int, float] = {}
    for bar in sorted(profile.timeline, key=lambda bar: bar.start):
        assert bar.seconds > 0
        assert bar.start >= end.get(bar.thread, 0)
        end[bar.thread] = bar.start + bar.seconds
    assert max(step.threads for step in profile.steps) <= profile.roofline.threads
    assert {bar.thread for bar in profile.timeline} <= set(range(profile.roofline.threads))


def test_types_of_outputs_are_kept():
    model = make([helper.make_node("Cast", ["x"], ["y"], to=TensorProto.INT64)],
                 [value("x", ["N"])], [value("y", ["N"], TensorProto.INT64)])  # fmt: skip
    part = InferenceSession(extract(InferenceSession(model).graph, Original(model)))
    assert str(part.graph.types["y"]) == "int64[N]"
