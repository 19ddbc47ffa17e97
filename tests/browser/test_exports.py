"""Pictures of the graph, and the page that a colleague opens offline."""

from xml.etree import ElementTree

from PIL import Image


def export(bench, name):
    bench.page.locator("summary", has_text="Export").click()
    return bench.download(bench.page.get_by_role("button", name=name).click)


def test_svg(bench):
    bench.bundled()
    root = ElementTree.parse(export(bench, "SVG")).getroot()
    texts = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
    assert {"Conv", "MaxPool", "1×8×28×28"} <= set(texts)


def test_png(bench):
    bench.bundled()
    with Image.open(export(bench, "PNG")) as image:
        assert image.width > 200
        assert len(image.convert("RGB").getcolors(1 << 24)) > 10


def test_the_offline_page_needs_no_server(bench, context, tmp_path):
    bench.open("small")
    bench.find("op:If")
    bench.graph.focus()
    bench.page.keyboard.press("Enter")
    bench.state()
    page = tmp_path / "small.html"
    page.write_bytes(export(bench, "offline").read_bytes())
    other = context.new_page()
    asked, wrong = [], []
    other.on("request", lambda request: asked.append(request.url))
    other.on("pageerror", lambda error: wrong.append(str(error)))
    context.set_offline(True)
    other.goto(page.as_uri())
    other.wait_for_selector("canvas[data-drawn]")
    other.get_by_label("Find nodes").fill("op:Exp")
    other.get_by_label("Find nodes").press("Enter")
    assert "Exp" in other.locator("aside h2").inner_text()
    context.set_offline(False)
    assert wrong == []
    assert [url for url in asked if not url.startswith(("file:", "data:", "blob:"))] == []
