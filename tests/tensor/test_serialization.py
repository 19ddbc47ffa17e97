"""What is saved comes back; what others wrote is read; what could run code is refused."""

import io
import json
import os
import stat

import numpy as np
import pytest
import safetensors.numpy

from suanzi import SuanziError
from suanzi.tensor import dtypes, tensor
from suanzi.tensor.serialization import load, save


def same(a, b):
    """Holds values to one form, types and contents."""
    assert type(a) is type(b)
    if isinstance(a, dict):
        assert [*map(type, a)] == [*map(type, b)]
        assert [*a] == [*b]
        for key in a:
            same(a[key], b[key])
    elif isinstance(a, list | tuple):
        assert len(a) == len(b)
        for x, y in zip(a, b, strict=True):
            same(x, y)
    elif hasattr(a, "dtype"):
        assert a.dtype == b.dtype
        assert a.shape == b.shape
        assert np.asarray(a).tobytes() == np.asarray(b).tobytes()
    else:
        assert a == b or (a != a and b != b)


STATE = {
    "state": {
        0: {"step": tensor(3.0), "exp_avg": tensor([[1.0, 2.0]]), "none": None},
        1: {"step": tensor(3.0), "exp_avg": tensor([[4.0, 2.0]])},
    },
    "param_groups": [
        {"lr": 0.1, "betas": (0.9, 0.999), "amsgrad": False, "foreach": None, "params": [0, 1]}
    ],
    "name": '算子 \u2028 "quoted"',
    "limits": [float("inf"), -float("inf"), float("nan"), 2**70, -1, 1e-300, True],
    "empty": [{}, [], (), ""],
    "array": np.arange(6, dtype=np.int16).reshape(2, 3),
    "__metadata__": tensor([1]),
    None: {True: 1, 2.5: 2},
}


def test_nested_values(tmp_path):
    save(STATE, tmp_path / "state.safetensors")
    same(load(tmp_path / "state.safetensors"), STATE)


@pytest.mark.parametrize(
    "value", [tensor([1.0]), [tensor([1.0])] * 3, (), None, "text", {"a": {}}, {}, {1: tensor(2)}]
)
def test_small_values(value):
    file = io.BytesIO()
    save(value, file)
    file.seek(0)
    same(load(file), value)


def test_names_that_meet():
    value = {"a.b": tensor([1]), "a": {"b": tensor([2]), "b_": tensor([3])}}
    file = io.BytesIO()
    save(value, file)
    file.seek(0)
    same(load(file), value)


@pytest.mark.parametrize("dtype", dtypes.ALL, ids=lambda d: d.name)
def test_element_types_and_shapes(dtype, tmp_path):
    shapes = {"a": (), "b": (3,), "c": (2, 0, 3), "d": (2, 3, 4)}
    value = {
        name: tensor(np.arange(int(np.prod(shape))).reshape(shape), dtype=dtype)
        for name, shape in shapes.items()
    }
    save(value, tmp_path / "x.safetensors")
    same(load(tmp_path / "x.safetensors"), value)


def test_a_state_dict_is_a_plain_file_for_others(tmp_path):
    path = tmp_path / "x.safetensors"
    shared = tensor(np.arange(12.0).reshape(3, 4))
    save({"w": shared, "tied": shared, "turned": shared.t(), "row": shared[1]}, path)
    found = safetensors.numpy.load_file(path)
    np.testing.assert_array_equal(found["turned"], np.arange(12.0).reshape(3, 4).T)
    np.testing.assert_array_equal(found["tied"], found["w"])
    np.testing.assert_array_equal(found["row"], [4, 5, 6, 7])
    with safetensors.safe_open(path, "np") as file:
        assert file.metadata() is None


def test_what_torch_wrote(tmp_path):
    torch = pytest.importorskip("torch")
    from safetensors.torch import save_file

    theirs = {"fc.weight": torch.randn(3, 2), "n": torch.tensor(7), "h": torch.ones(2).bfloat16()}
    save_file(theirs, tmp_path / "x.safetensors", metadata={"format": "pt"})
    ours = load(tmp_path / "x.safetensors", map_location="cpu", weights_only=True)
    assert ours["fc.weight"].tolist() == theirs["fc.weight"].tolist()
    assert ours["n"].item() == 7
    assert ours["h"].dtype == dtypes.bfloat16


def test_loaded_tensors_may_be_changed_and_the_file_stays(tmp_path):
    path = tmp_path / "x.safetensors"
    save({"a": tensor([1.0, 2.0])}, path)
    before = path.read_bytes()
    a = load(path)["a"]
    a.add_(1)
    assert a.tolist() == [2.0, 3.0]
    assert path.read_bytes() == before
    save({"a": a}, path)  # over the file whose memory it uses
    assert a.tolist() == load(path)["a"].tolist() == [2.0, 3.0]


def test_unaligned_files_are_read(tmp_path):
    header = json.dumps({"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}).encode()
    header += b" " * (-len(header) % 8 + 1)
    data = np.array([1, 2], np.float32).tobytes()
    (tmp_path / "x").write_bytes(len(header).to_bytes(8, "little") + header + data)
    a = load(tmp_path / "x")["a"]
    assert a.tolist() == [1.0, 2.0]
    assert a.numpy().flags.aligned


@pytest.mark.skipif(os.name != "posix", reason="permissions are POSIX's")
def test_the_file_has_the_usual_permissions(tmp_path):
    save({}, tmp_path / "x.safetensors")
    (tmp_path / "y").touch()
    modes = {stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("x.safetensors", "y")}
    assert len(modes) == 1


def test_a_failed_save_leaves_the_old_file(tmp_path):
    path = tmp_path / "x.safetensors"
    save({"a": tensor([1.0])}, path)
    for bad in ({"a": object()}, {"a\ud800": tensor([1.0])}, {"a": np.array(["text"])}):
        with pytest.raises(SuanziError):
            save(bad, path)
    assert load(path)["a"].tolist() == [1.0]
    assert [p.name for p in tmp_path.iterdir()] == ["x.safetensors"]


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"a": {"b": {1, 2}}}, r"input a\.b: .* found set"),
        ({"a": {(1, 2): 3}}, "input a: a key .* found tuple"),
        (abs, "found builtin"),
        ([np.zeros(2, complex)], "complex128"),
    ],
)
def test_what_cannot_be_saved(value, words):
    with pytest.raises(SuanziError, match=words):
        save(value, io.BytesIO())


def test_a_value_in_itself():
    value = []
    value.append(value)
    with pytest.raises(SuanziError, match="deeply"):
        save(value, io.BytesIO())


def test_pickles_are_refused(tmp_path):
    torch = pytest.importorskip("torch")
    torch.save({"a": torch.ones(2)}, tmp_path / "x.pt")
    torch.save({"a": torch.ones(2)}, tmp_path / "y.pt", _use_new_zipfile_serialization=False)
    for name in ("x.pt", "y.pt"):
        with pytest.raises(SuanziError, match=rf"{name}: a pickle.*save_file"):
            load(tmp_path / name)


def file_of(header, data=b"", form=None):
    if form is not None:
        header = {**header, "__metadata__": {"suanzi": form}}
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


GOOD = {"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}


@pytest.mark.parametrize(
    "contents",
    [
        b"",
        b"{}",
        bytes(100),
        b"\xff" * 100,
        file_of(GOOD),
        file_of(GOOD, bytes(8)),
        file_of({"a": {**GOOD["a"], "shape": [2]}}, bytes(4)),
        file_of({"a": {**GOOD["a"], "dtype": "F8_E4M3", "shape": [4]}}, bytes(4)),
        file_of({"a": {**GOOD["a"], "data_offsets": [4, 8]}}, bytes(8)),
        file_of(GOOD, bytes(4), "{"),
        file_of(GOOD, bytes(4), '{"tensor": "b"}'),
        file_of(GOOD, bytes(4), '{"tensor": []}'),
        file_of(GOOD, bytes(4), '{"tensor": "a", "tuple": []}'),
        file_of(GOOD, bytes(4), '{"code": "a"}'),
        file_of(GOOD, bytes(4), '{"dict": [[[], 1]]}'),
        file_of(GOOD, bytes(4), '{"dict": [1]}'),
        file_of(GOOD, bytes(4), '{"tuple": 1}'),
        file_of(GOOD, bytes(4), "[" * 100_000),
    ],
)
def test_broken_files(contents, tmp_path):
    (tmp_path / "x").write_bytes(contents)
    with pytest.raises(SuanziError, match="x: "):
        load(tmp_path / "x")
    with pytest.raises(SuanziError):
        load(io.BytesIO(contents))


def test_no_file(tmp_path):
    with pytest.raises(SuanziError, match=r"nothing\.safetensors: can't be read"):
        load(tmp_path / "nothing.safetensors")
    with pytest.raises(SuanziError, match="can't be read"):
        load(tmp_path)
    with pytest.raises(SuanziError, match="can't be written"):
        save({}, tmp_path / "no" / "x")
