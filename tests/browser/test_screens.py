"""What is on the screen fits there: nothing past the edge, and a name for everything."""

import gzip
import re
from pathlib import Path

import pytest

import suanzi

STATIC = Path(suanzi.__file__).parent / "workbench" / "static"
SIZES = [(1280, 720), (1920, 1080)]
OUTSIDE = """() => [...document.querySelectorAll('body *')].filter(e => {
    const r = e.getBoundingClientRect();
    const scrolls = p => p && (['auto', 'scroll', 'hidden'].includes(getComputedStyle(p).overflowX)
        || scrolls(p.parentElement));
    return r.width && r.right > innerWidth + 1 && !scrolls(e.parentElement);
}).map(e => e.outerHTML.slice(0, 120))"""
NAMELESS = """() => [...document.querySelectorAll('button, input, select, textarea, canvas, svg')]
    .filter(e => e.checkVisibility() && !e.closest('[aria-hidden=true]')
        && !e.closest('[role=img]:not(svg, canvas)'))
    .filter(e => !(e.getAttribute('aria-label') || e.innerText?.trim() || e.labels?.length
        || e.getAttribute('aria-hidden') || e.parentElement.getAttribute('aria-label')))
    .map(e => e.outerHTML.slice(0, 120))"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES, ids=lambda s: f"{s[0]}x{s[1]}")
def test_every_view_fits(bench, size, scheme):
    page = bench.page
    page.set_viewport_size({"width": size[0], "height": size[1]})
    page.emulate_media(color_scheme=scheme)
    bench.bundled()
    for act in [
        lambda: bench.find("op:Conv"),
        lambda: bench.view("Run"),
        lambda: bench.view("Profile"),
        lambda: bench.view("Passes"),
        lambda: bench.view("Compare"),
        lambda: bench.view("Graph"),
    ]:
        act()
        page.wait_for_timeout(200)
        assert page.evaluate(OUTSIDE) == []
        assert page.evaluate(NAMELESS) == []
        assert page.evaluate("document.documentElement.scrollHeight <= innerHeight")


def test_the_page_is_small():
    """Its own code, before what is loaded later: ECharts, KaTeX, and the views that few open."""
    page = (STATIC / "index.html").read_text()
    files = [STATIC / name for name in re.findall(r'(?:src|href)="\./(assets/[^"]+)"', page)]
    files += STATIC.glob("assets/layout.worker-*.js")
    assert len(files) == 3
    assert sum(len(gzip.compress(file.read_bytes())) for file in files) < 400_000
