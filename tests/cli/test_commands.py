"""What the commands print and write, for people and for programs."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from suanzi import InferenceSession, data
from suanzi.cli import _print

SEVEN = "7.png"


@pytest.fixture
def picture(tmp_path):
    path = tmp_path / "seven.png"
    Image.fromarray(data.digits()[SEVEN][0, 0].astype(np.uint8)).save(path)
    return path


@pytest.fixture
def open_model(tmp_path):
    """Relu of float32[N, 3, H, W], and a sum."""
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 3, "H", "W"])
    y = helper.make_tensor_value_info("file", TensorProto.FLOAT, None)
    nodes = [helper.make_node("Relu", ["x"], ["file"], name="[bold]é/relu")]
    model = helper.make_model(helper.make_graph(nodes, "g", [x], [y]))
    onnx.save(model, tmp_path / "open.onnx")
    return str(tmp_path / "open.onnx")


def scores(digits, picture=SEVEN):
    return InferenceSession(digits).run(None, {"Input3": data.digits()[picture]})[0]


def test_demo(suanzi):
    done = suanzi("demo")
    assert done.status == 0
    for digit in range(10):
        assert f"{digit}.png{digit:>15}\n" in done.out
    assert "GFLOP/s" in done.out
    assert "ConvDirect" in done.out


def test_demo_json(suanzi):
    found = suanzi("demo", "--json", "--threads", 1).json
    assert found["digits"] == {f"{digit}.png": digit for digit in range(10)}
    assert found["profile"]["roofline"]["threads"] == 1


def test_run_with_a_picture(suanzi, digits, picture):
    found = suanzi("run", digits, "-i", f"Input3={picture}", "--std", 1 / 255, "--json").json
    (output,) = found.values()
    assert (output["type"], output["shape"]) == ("float32", [1, 10])
    np.testing.assert_allclose(output["values"], scores(digits), rtol=1e-3)


@pytest.mark.parametrize("kind", ["npy", "npz", "pb"])
def test_run_with_arrays(suanzi, digits, tmp_path, kind):
    x, path = data.digits()[SEVEN], tmp_path / f"x.{kind}"
    if kind == "npy":
        np.save(path, x)
    elif kind == "npz":
        np.savez(path, other=x[..., ::-1], Input3=x)
    else:
        path.write_bytes(numpy_helper.from_array(x).SerializeToString())
    done = suanzi("run", digits, "--input", f"Input3={path}", "--save", tmp_path / "y.npz")
    assert "Plus214_Output_0: float32[1, 10]" in done.out
    with np.load(tmp_path / "y.npz") as found:
        np.testing.assert_array_equal(found["Plus214_Output_0"], scores(digits))
    assert sorted(p.name for p in tmp_path.iterdir()) == [path.name, "y.npz"]


def test_a_picture_in_other_layouts(suanzi, open_model, picture):
    """Three channels from a grey picture, mean and std of each, the picture's own size."""
    options = ["--mean", "0.1,0.2,0.3", "--std", "1,2,4", "--json"]
    found = suanzi("run", open_model, "-i", f"x={picture}", *options).json["file"]
    grey = data.digits()[SEVEN] / 255
    mean, std = np.array([0.1, 0.2, 0.3]), np.array([1.0, 2.0, 4.0])
    wanted = np.maximum((grey - mean.reshape(1, 3, 1, 1)) / std.reshape(1, 3, 1, 1), 0)
    np.testing.assert_allclose(found["values"], wanted, atol=1e-6)
    resized = suanzi("run", open_model, "-i", f"x={picture}", "-d", "H=5", "-d", "W=9", "--json")
    assert resized.json["file"]["shape"] == [1, 3, 5, 9]


def test_random_inputs_are_seeded(suanzi, open_model):
    shape = ["--shape", "x=2,3,4,5", "--json"]
    first, again, other = (
        suanzi("run", open_model, *shape, "--seed", seed).json for seed in (1, 1, 2)
    )
    assert first == again
    assert first != other
    assert first["file"]["shape"] == [2, 3, 4, 5]


def test_saved_outputs_may_have_any_name(suanzi, open_model, tmp_path):
    assert suanzi("run", open_model, "-s", "x=1,3,2,2", "--save", tmp_path / "y.npz").status == 0
    with np.load(tmp_path / "y.npz") as found:  # `np.savez` would refuse the name "file"
        assert found["file"].shape == (1, 3, 2, 2)


def test_show(suanzi, digits):
    out = suanzi("show", digits).out
    for text in ("mnist-8.onnx", "input  Input3: float32[1, 1, 28, 28]", "5.99 k parameters"):
        assert text in out
    assert "786.56 k multiply-adds" in out
    found = suanzi("show", digits, "--json").json
    assert found["operators"]["Conv"] == 2
    assert found["macs"] == 8 * 28 * 28 * 25 + 16 * 14 * 14 * 25 * 8 + 2560
    assert found["memory_bytes"] > 0


def test_show_says_what_is_open(suanzi, open_model):
    assert "a size is open" in suanzi("show", open_model).out
    assert "macs" not in suanzi("show", open_model, "--json").json
    assert "float32[1, 3, 4, 5]" in suanzi("show", open_model, "-d", "H=4", "-d", "W=5").out


def test_stages(suanzi, digits, monkeypatch):
    monkeypatch.setenv("SUANZI_TARGET", "portable")
    monkeypatch.setenv("COLUMNS", "50")
    graph = suanzi("show", digits, "--stage", "graph").out
    assert "Conv+Relu" in graph
    plan = suanzi("show", digits, "--stage", "plan", "--json").json
    assert {"step", "kernel", "chunks", "why", "plan"} == plan[0].keys()
    one = ["--node", plan[0]["step"]]
    (name,) = suanzi("show", digits, "--stage", "ir", *one, "--json").json
    ir = suanzi("show", digits, "--stage", "ir", *one).out
    assert f'@"{name}_chunk"' in ir
    asm = suanzi("show", digits, "--stage", "asm", *one).out
    assert name in asm
    assert "ret" in asm


def test_strict_precision(suanzi, refused, tmp_path):
    """Every command that runs a model takes it, and the plan shows it."""
    shape = [1, 64, 32, 32]
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, shape)
    W = np.random.default_rng(0).standard_normal((64, 64, 3, 3), np.float32) / 24
    node = helper.make_node("Conv", ["x", "w"], ["y"], pads=[1, 1, 1, 1])
    graph = helper.make_graph([node], "g", [x], [y], [numpy_helper.from_array(W, "w")])
    model = tmp_path / "conv.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)]), model)
    strict = ["--precision", "strict"]
    plan = ["show", model, "--stage", "plan"]
    assert "Winograd" in suanzi(*plan).out
    assert "precision: strict" in (out := suanzi(*plan, *strict).out)
    assert "Winograd" not in out
    steps = suanzi("profile", model, "--rounds", 1, *strict, "--json").json["steps"]
    assert not any("Winograd" in step["kernel"] for step in steps)
    run = suanzi("run", model, *strict, "--json").json["y"]
    assert run["shape"] == shape
    assert run["values"] != suanzi("run", model, "--json").json["y"]["values"]
    (traced,) = suanzi("trace", model, *strict, "--json").json
    assert traced["value"] == "y"
    against = ["compare", model, "--against", "strict"]
    assert "they agree" in suanzi(*against).out
    assert suanzi(*against, *strict, "--json").json["values"][0]["max_abs"] == 0
    bench = ["bench", model, "--against", "", "--threads", 1, "--seconds", 0]
    (one,) = suanzi(*bench, *strict, "--json").json
    assert one["precision"] == "strict"
    refused(["run", model, "--precision", "exact"], "--precision", "fast", "strict")


def test_profile(suanzi, digits):
    done = suanzi("profile", digits, "--rounds", 2)
    assert "786.56 k multiply-adds" in done.out
    found = suanzi("profile", digits, "--rounds", 2, "--threads", 2, "--json").json
    assert found["rounds"] == 2
    assert found["macs"] == sum(step["macs"] for step in found["steps"])


@pytest.mark.parametrize("columns", [60, 80, 100, 160])
def test_tables_fit(suanzi, digits, monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", str(columns))
    out = suanzi("profile", digits, "--rounds", 1).out
    table = out.split("\n\n")[0].splitlines()[1:]
    assert max(map(len, table)) <= columns
    assert "GFLOP/s" in out.splitlines()[0]  # the title stays on one line
    for heading in ("step", "operator", "kernel", "time", "%", "of limit"):
        assert heading in table[0]
    assert ("bytes" in table[0]) == (columns == 160)


def test_names_do_not_act_on_the_terminal(suanzi, open_model, tmp_path):
    out = suanzi("show", open_model, "--stage", "graph", "-s", "x=1,3,2,2").out
    assert "[bold]é/relu" in out
    model = onnx.load(open_model)
    model.graph.node[0].name = "evil\x1b[2Jname"
    onnx.save(model, tmp_path / "evil.onnx")
    out = suanzi("show", tmp_path / "evil.onnx", "--stage", "graph", "-s", "x=1,3,2,2").out
    assert "\x1b" not in out
    assert "evil\ufffd[2Jname" in out


def test_trace(suanzi, digits, tmp_path):
    folder = tmp_path / "deep" / "trace"
    done = suanzi("trace", digits, "--save", folder)
    assert "12 files in" in done.out
    found = suanzi("trace", digits, "--save", folder, "--json").json  # a second time, in its place
    assert len(found) == 12
    assert sorted(row["file"] for row in found) == sorted(p.name for p in folder.iterdir())
    for row in found:
        x = np.load(folder / row["file"])
        assert list(x.shape) == row["shape"]
        assert row["largest"] == pytest.approx(float(x.max()))


def test_names_of_values_become_names_of_files():
    from suanzi.inspect.saved import file_names

    names = ["a/b:0", "a b 0", "A_B_0", "../../etc/passwd", "..", "", "é" * 300, "con\0"]
    files = file_names(names).values()
    assert len({file.lower() for file in files}) == len(names)
    for file in files:
        assert "/" not in file
        assert not file.startswith(".")
        assert len(file) < 120


def test_bench(suanzi, digits):
    words = ["bench", digits, digits, "--against", "onnxruntime", "--threads", "1,2"]
    done = suanzi(*words, "--seconds", 0)
    assert done.out.count("mnist-8.onnx") == 4
    assert "geometric mean" in done.out
    found = suanzi(*words, "--seconds", 0, "--json").json
    assert [one["threads"] for one in found] == [1, 2, 1, 2]
    for one in found:
        ours, theirs = one["timings"]
        assert (ours["runtime"], theirs["runtime"]) == ("suanzi", "onnxruntime")
        assert theirs["difference"] < 1e-5
        assert one["ratio"] == pytest.approx(theirs["median"] / ours["median"])


def test_cache(suanzi, digits, tmp_path, monkeypatch):
    monkeypatch.setenv("SUANZI_CACHE_DIR", str(tmp_path / "kernels"))
    suanzi("run", digits)
    found = suanzi("cache", "--json").json
    assert found["folder"] == str(tmp_path / "kernels")
    assert found["files"] == len(list((tmp_path / "kernels").iterdir())) > 0
    assert f"{found['files']} kernels removed" in suanzi("cache", "clear").out
    assert suanzi("cache", "--json").json["files"] == 0
    monkeypatch.setenv("SUANZI_CACHE", "0")
    assert "switched off" in suanzi("cache").out


def test_json_has_no_number_that_json_lacks(capsys):
    _print.data({"x": np.float32([1, np.nan, np.inf]), "y": (np.int64(3), None, True)})
    assert capsys.readouterr().out == '{"x": [1.0, null, null], "y": [3, null, true]}\n'
