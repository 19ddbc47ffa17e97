"""Models of the zoo, on a server whose network is a folder of this machine."""

import re

import pytest


@pytest.fixture
def offline(monkeypatch, tmp_path):
    """The server that is started next reaches nobody, and has downloaded nothing."""
    monkeypatch.setenv("SUANZI_CACHE_DIR", str(tmp_path))
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")


@pytest.fixture
def asked(offline, own_server):
    """The page with the list of the zoo's models open."""
    bench, _ = own_server
    bench.page.get_by_label("Open a model").click()
    bench.page.locator(".sheet li button").first.wait_for()
    return bench


def test_the_list_is_searched(asked):
    every = asked.page.locator(".sheet li button").count()
    asked.page.get_by_label(re.compile("^Search .* models of the zoo")).fill("resnet50 int8")
    names = asked.page.locator(".sheet li .name").all_inner_texts()
    assert 0 < len(names) < every
    assert all("resnet50" in name and ":int8" in name for name in names), names
    asked.page.get_by_label(re.compile("^Search .* models of the zoo")).fill("resnet50")
    versions = asked.page.get_by_label("Versions of ResNet50-fp32").locator("option")
    assert any("int8" in text for text in versions.all_inner_texts())
    asked.page.keyboard.press("Escape")
    assert not asked.page.locator(".sheet", has_text="zoo").is_visible()


def test_without_a_network_the_tab_says_so(asked):
    asked.page.get_by_label(re.compile("^Search .* models of the zoo")).fill("mnist")
    asked.page.locator(".sheet li button").first.click()
    tab = asked.page.get_by_role("tab", name=re.compile("mnist@"))
    tab.wait_for()
    error = asked.page.locator("main .error")
    error.wait_for(timeout=30_000)
    assert "can't download" in error.inner_text()
    assert "network" in error.inner_text()
    asked.bundled()  # and the page goes on
    assert error.count() == 0
