"""The panel of a node: attributes, weights, activations, formulas, code, kernels, fields."""

import numpy as np


def test_attributes_inputs_and_outputs(bench):
    bench.bundled()
    bench.node("op:Conv")
    panel = bench.page.locator("aside")
    assert "[5, 5]" in bench.section("Attributes").inner_text()
    assert "8×1×5×5" in bench.section("Inputs").inner_text()
    bench.section("Outputs").get_by_role("button", name="Plus30").click()
    assert "Add" in panel.locator("h2").first.inner_text()


def test_filters_as_pictures_and_their_statistics(bench):
    bench.bundled()
    bench.node("op:Conv")
    inputs = bench.section("Inputs")
    inputs.get_by_text("Look at the weights").click()
    inputs.get_by_role("img", name="Parameter5 as pictures").wait_for()
    inputs.get_by_role("img", name="Histogram").wait_for()
    inputs.get_by_role("button", name="Per channel").click()
    inputs.locator("table tbody tr").nth(7).wait_for()
    assert inputs.locator("table tbody tr").count() == 8


def test_activations_save_as_npy(bench):
    bench.bundled()
    bench.node("op:Conv")
    part = bench.section("Activations")
    part.get_by_role("img", name="as pictures").wait_for()
    file = bench.download(lambda: part.get_by_role("link", name="Save .npy").click())
    assert np.load(file).shape == (1, 8, 28, 28)
    part.get_by_role("button", name="Numbers").click()
    part.locator("pre").wait_for()


def test_nan_and_infinity_are_said(bench):
    bench.open("small")
    bench.view("Run")
    bench.page.get_by_label("What goes into x").select_option("text")
    bench.page.get_by_label("Numbers for x").fill("1 nan 3")
    bench.page.get_by_role("button", name="Run", exact=True).click()
    bench.page.get_by_text("Results").wait_for()
    bench.node("op:MatMul")
    alarm = bench.page.locator(".alarm").first
    alarm.wait_for()
    assert "4 NaN" in alarm.inner_text()


def test_the_formula_is_set_and_the_documentation_told(bench):
    bench.bundled()
    bench.node("op:Conv")
    part = bench.section("What it does")
    part.locator(".katex").first.wait_for()
    assert "Slides each filter" in part.inner_text()


def test_as_code(bench):
    bench.bundled()
    bench.node("op:Conv")
    part = bench.section("As code")
    for name, text in [("PyTorch", "conv2d"), ("ONNX", "Conv"), ("Definition", "class Conv")]:
        part.get_by_role("tab", name=name).click()
        assert text in part.locator("pre").inner_text()


def test_the_kernel_why_and_its_machine_code(bench):
    bench.bundled()
    bench.node("op:Conv")
    part = bench.section("Kernel")
    part.get_by_text("Why", exact=True).wait_for()
    part.get_by_role("button", name="LLVM IR").click()
    part.locator("pre").first.wait_for()
    assert "define" in part.locator("pre").first.inner_text()
    part.get_by_role("button", name="Assembly").click()
    part.get_by_text(".text").first.wait_for()


def test_the_receptive_field_reaches_the_input(bench):
    bench.bundled()
    bench.node("op:MaxPool", 2)
    part = bench.section("Activations")
    part.get_by_label("Index of the element").fill("0, 0, 1, 1")
    part.get_by_role("button", name="Show", exact=True).click()
    part.get_by_role("img", name="receptive field framed").wait_for()
    assert "Conv" in part.inner_text()
    assert bench.page.get_by_label("Colour by").input_value() == "field"


def test_a_body_shows_its_nodes(bench):
    bench.open("small")
    bench.node("op:Exp")
    assert "Exp" in bench.page.locator("aside h2").first.inner_text()
    assert bench.selected() == ["n:4.then_branch.0"]


def changed(page, what, old):
    """Waits until the picture isn't what it was."""
    see = f"old => document.querySelector('[data-slot] img').{what} !== old"
    page.wait_for_function(see, arg=old)


def test_the_picture_has_the_nodes_own_parameters(bench):
    bench.bundled()
    bench.node("op:Conv")
    part = bench.section("Picture")
    picture = part.locator("img")
    picture.wait_for()
    kernel = part.get_by_label("kernel, axis 0")
    assert kernel.input_value() == "5"
    before, told = picture.get_attribute("src"), picture.get_attribute("alt")
    part.get_by_label("Step of the picture").fill("3")
    changed(bench.page, "src", before)
    kernel.fill("3")
    kernel.press("Enter")
    changed(bench.page, "alt", told)
    part.get_by_role("button", name="Play").click()
    moved = picture.get_attribute("src")
    changed(bench.page, "src", moved)
    part.get_by_role("button", name="Pause").click()
    bench.node("op:Relu")
    bench.section("Picture").get_by_label("Which picture").select_option("sources")
    bench.page.get_by_text("1 of").first.wait_for()
