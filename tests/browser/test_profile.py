"""Colouring, profile, comparison, difference."""

import json

import pytest


@pytest.fixture
def profiled(bench):
    bench.bundled()
    bench.view("Profile")
    bench.page.get_by_role("button", name="Profile", exact=True).click()
    bench.page.locator(".scroll table tbody tr").first.wait_for(timeout=60_000)
    return bench


def test_the_steps_sort(profiled):
    column = profiled.page.locator(".scroll tbody tr td:nth-child(1)")
    by_time = column.all_inner_texts()
    profiled.page.get_by_role("columnheader", name="#").get_by_role("button").click()
    assert column.all_inner_texts() == sorted(by_time, key=int)
    profiled.page.locator(".scroll tbody button").first.click()
    assert profiled.selected()


@pytest.mark.parametrize("part", ["Roofline", "Threads", "Memory"])
def test_charts(profiled, part):
    profiled.view(part)
    profiled.page.locator(".chart canvas").first.wait_for()
    assert profiled.page.locator(".chart").first.get_attribute("aria-label")


def test_passes_side_by_side(profiled):
    profiled.view("Passes")
    profiled.page.get_by_text("After the passes").wait_for()
    assert profiled.page.locator(".sides ol").first.locator("li").count() == 12
    conv = profiled.page.locator(".sides ol").first.get_by_role("button", name="Conv").first
    conv.hover()
    assert profiled.page.locator(".sides .lit").count() >= 2


def test_exports(profiled):
    trace = profiled.page.get_by_role("link", name="Chrome trace")
    assert "traceEvents" in json.loads(profiled.download(trace.click).read_text())
    plain = profiled.page.get_by_role("link", name="JSON")
    assert json.loads(profiled.download(plain.click).read_text())["steps"]


def test_colours_with_legend_and_thresholds(profiled):
    profiled.view("Graph")
    for measure in ["time", "macs", "bytes", "params", "share", "sparsity"]:
        profiled.page.get_by_label("Colour by").select_option(measure)
        profiled.page.locator(".legend .bar").wait_for(timeout=20_000)
    lower = profiled.page.get_by_label("Lower threshold")
    before = lower.get_attribute("aria-valuetext")
    lower.fill("0.5")
    assert lower.get_attribute("aria-valuetext") != before
    assert "found" in profiled.find("time>1ns", 0).inner_text()


@pytest.mark.parametrize("against", ["onnxruntime", "strict"])
def test_another_runtime_agrees(bench, against):
    bench.bundled()
    bench.view("Compare")
    bench.page.get_by_label("against").select_option(against)
    bench.page.get_by_role("button", name="Compare", exact=True).click()
    bench.page.get_by_text("values compared").wait_for(timeout=60_000)
    assert "all alike" in bench.page.locator(".compare").inner_text()
    bench.page.get_by_role("button", name="On the graph").click()
    assert bench.page.get_by_label("Colour by").input_value() == "error"


def test_two_models_differ(bench):
    bench.open("changed")
    bench.open("small")
    bench.view("Compare")
    bench.page.get_by_role("tab", name="Another model").click()
    bench.page.locator(".compare select").select_option(label="changed.onnx")
    bench.page.get_by_role("button", name="Find the differences").click()
    table = bench.page.locator(".compare tbody")
    table.get_by_text("added").first.wait_for()
    assert "extra" in table.inner_text()
    assert "weight" in table.inner_text()
    bench.page.get_by_role("button", name="On the graph").click()
    assert bench.page.get_by_label("Colour by").input_value() == "difference"
