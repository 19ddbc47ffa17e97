"""suanzi figure."""

import json
import xml.etree.ElementTree as ET


def test_an_svg(suanzi, tmp_path):
    path = tmp_path / "conv.svg"
    words = ["--kernel", "3x5", "--stride", "2,1", "--language", "zh", "--theme", "dark"]
    done = suanzi("figure", "Conv", *words, "--step", 1, "-o", path)
    assert "Conv, window" in done.out
    assert "卷积核" in "".join(ET.parse(path).getroot().itertext())


def test_data(suanzi, tmp_path):
    scene = suanzi("figure", "Relu", "--json").json
    assert scene["figure"] == "curve"
    path = tmp_path / "pool.json"
    suanzi("figure", "MaxPool", "--ceil-mode", "-o", path)
    controls = {c["name"]: c["value"] for c in json.loads(path.read_text())["controls"]}
    assert controls["ceil_mode"] is True


def test_mistakes(refused, tmp_path):
    refused(["figure", "Magic"], "no such operator")
    refused(["figure", "Conv", "--magic", "3"], "no such parameter")
    refused(["figure", "Conv", "--step", "999"], "no such step")
    refused(["figure", "Conv", "-o", tmp_path / "conv.gif"], "no such kind of file")
    refused(["figure", "Conv", "-o", tmp_path / "none" / "conv.svg"], "cannot be written")
