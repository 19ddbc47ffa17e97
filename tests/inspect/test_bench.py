"""Comparisons: who is called when, and how outputs are told apart."""

import math

import numpy as np
import pytest

from suanzi import SuanziError, data
from suanzi.inspect import bench, peers
from suanzi.inspect.bench import compare, difference, interleaved

F32 = np.float32
FEEDS = {"Input3": data.digits()["4.png"]}


def test_rounds_are_interleaved(monkeypatch):
    for name in ("PAUSE", "WARMING", "TURN"):
        monkeypatch.setattr(bench, name, 0.0)
    calls = []
    times = interleaved({name: lambda n=name: calls.append(n) for name in "abc"}, 9.0, 4)
    assert {name: len(taken) for name, taken in times.items()} == dict.fromkeys("abc", 4)
    assert "".join(calls) == "aabbcc" + "bbccaa" + "ccaabb" + "aabbcc"  # each warmed up first
    assert len(interleaved({"a": lambda: None}, 0.0, 99)["a"]) == 5


@pytest.mark.parametrize(
    ("ours", "theirs", "apart"),
    [
        ([F32([1, 2])], [F32([1, 4])], 0.5),
        ([F32([1]), F32([3])], [F32([1]), F32([2])], 0.5),
        ([F32([np.nan, np.inf, 1])], [F32([np.nan, np.inf, 1])], 0.0),
        ([F32([np.nan, 1])], [F32([1, 1])], math.nan),
        ([F32([1, 1])], [F32([np.inf, 1])], math.nan),
        ([F32([1])], [F32([[1]])], math.nan),
        ([F32([])], [F32([])], 0.0),
        ([F32([0.5])], [F32([0])], 0.5),
    ],
)
def test_difference(ours, theirs, apart):
    assert difference(ours, theirs) == pytest.approx(apart, nan_ok=True)


@pytest.mark.parametrize("peer", ["onnxruntime", "openvino"])
def test_peers_agree(peer):
    pytest.importorskip(peer)
    found = compare("digits", data.digits_model(), FEEDS, [peer], threads=1, seconds=0)
    assert found.fastest_peer.runtime == peer
    assert found.fastest_peer.difference < 1e-5
    assert found.runs >= 5
    assert found.to_dict()["ratio"] == pytest.approx(found.ratio)


def test_without_peers():
    found = compare("digits", data.digits_model(), FEEDS, [], threads=1, seconds=0)
    assert found.ratio is None


def test_strict_precision(monkeypatch):
    given = []

    def ours(model, threads, precision):
        given.append(precision)
        return lambda feeds: [F32([1])]

    monkeypatch.setattr(peers, "suanzi", ours)
    found = compare("digits", b"", FEEDS, [], threads=1, seconds=0, precision="strict")
    assert given == [found.to_dict()["precision"]] == ["strict"]


def test_a_peer_that_fails(monkeypatch):
    def fails(model, threads):
        raise RuntimeError("no such operator")

    monkeypatch.setitem(peers.PEERS, "onnxruntime", fails)
    with pytest.raises(SuanziError, match="digits: onnxruntime can't run it: no such operator"):
        compare("digits", data.digits_model(), FEEDS, ["onnxruntime"], threads=1)
