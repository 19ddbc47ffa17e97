"""Sample data: only the tensors leave the archive, and nothing goes outside of its folder."""

import dataclasses
import hashlib
import io
import tarfile

import pytest

from suanzi import SuanziError, zoo
from suanzi.zoo.sources import folder

ENTRY = zoo.show("mnist@8")


def archive(names):
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as made:
        for name in names:
            member = tarfile.TarInfo(name)
            member.size = len(name)
            made.addfile(member, io.BytesIO(name.encode()))
    return packed.getvalue()


def entry_of(server, packed):
    """mnist@8, as if this were its archive."""
    path = ENTRY.samples.path
    server.files[f"/onnxmodelzoo/legacy_models/resolve/main/{path}"] = packed
    digest = hashlib.sha256(packed).hexdigest()
    samples = dataclasses.replace(ENTRY.samples, bytes=len(packed), sha256=digest)
    return dataclasses.replace(ENTRY, samples=samples)


def test_samples(server):
    sets = [f"mnist/test_data_set_{i}/{kind}put_0.pb" for i in range(2) for kind in ("in", "out")]
    entry = entry_of(server, archive(["mnist/model.onnx", *sets]))
    found = zoo.samples(entry)
    assert [path.name for path in found] == ["test_data_set_0", "test_data_set_1"]
    assert (found[0] / "input_0.pb").read_text() == sets[0]
    assert not [*folder().rglob("*.onnx"), *folder().rglob("*.gz")]
    asked = len(server.asked)
    assert zoo.samples(entry, offline=True) == found
    assert len(server.asked) == asked


@pytest.mark.parametrize("packed", [archive(["../../../outside.pb"]), b"no archive"])
def test_archives_that_are_refused(server, tmp_path, packed):
    with pytest.raises(SuanziError, match="can't unpack mnist-8"):
        zoo.samples(entry_of(server, packed))
    assert not [*tmp_path.rglob("outside.pb")]
    assert not [*folder().rglob("samples")]
