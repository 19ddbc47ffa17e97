"""Feeding, running, results, cutting out."""

import io
import wave

import numpy as np
import onnx
from PIL import Image

import suanzi


def run(bench):
    bench.page.get_by_role("button", name="Run", exact=True).click()
    bench.page.locator(".results").wait_for(timeout=60_000)
    bench.page.get_by_role("button", name="Run", exact=True).and_(
        bench.page.locator(":enabled")
    ).wait_for(timeout=60_000)
    assert bench.page.locator("aside .error").count() == 0


def picture():
    data = io.BytesIO()
    Image.fromarray(np.arange(3000, dtype=np.uint32).reshape(50, 60).astype(np.uint8)).save(
        data, "PNG"
    )
    return {"name": "grey.png", "mimeType": "image/png", "buffer": data.getvalue()}


def npy(array):
    data = io.BytesIO()
    np.save(data, array)
    return {"name": "x.npy", "mimeType": "application/octet-stream", "buffer": data.getvalue()}


def sound():
    data = io.BytesIO()
    with wave.open(data, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16000)
        file.writeframes(np.arange(-8000, 8000, dtype=np.int16).tobytes())
    return {"name": "x.wav", "mimeType": "audio/wav", "buffer": data.getvalue()}


def test_a_digit_is_recognised(bench):
    bench.bundled()
    bench.view("Run")
    bench.page.get_by_label("What goes into Input3").select_option("sample")
    bench.page.get_by_label("picture").select_option("3.png")
    run(bench)
    bench.page.get_by_label("Output Plus214_Output_0").wait_for()
    top = bench.page.get_by_label("Output Plus214_Output_0").locator("tbody tr").first
    top.get_by_text("3", exact=True).first.wait_for()


def test_an_image_is_shown_before_and_after(bench):
    bench.bundled()
    bench.view("Run")
    bench.page.get_by_label("What goes into Input3").select_option("image")
    bench.page.get_by_label("File for Input3").set_input_files(picture())
    bench.page.get_by_text("60×50").wait_for()
    bench.page.get_by_label("mean").fill("0.5")
    bench.page.get_by_label("std").fill("0.25")
    bench.page.get_by_role("button", name="Preview").click()
    bench.page.get_by_role("img", name="Input3 before").wait_for()
    bench.page.get_by_role("img", name="Input3 as pictures").wait_for()
    run(bench)


def test_an_array_and_numbers_and_sizes(bench):
    bench.open("small")
    bench.view("Run")
    bench.page.get_by_label("What goes into x").select_option("array")
    bench.page.get_by_label("File for x").set_input_files(npy(np.ones((1, 3), np.float32)))
    bench.page.get_by_text("x.npy").wait_for()
    run(bench)
    bench.page.get_by_label("What goes into x").select_option("random")
    bench.page.get_by_label("Size N").fill("1")
    run(bench)


def test_sound(bench):
    bench.open("silero")
    bench.view("Run")
    bench.page.get_by_label("What goes into input").select_option("wav")
    bench.page.get_by_label("File for input").set_input_files(sound())
    bench.page.get_by_text("16000 Hz").wait_for()
    bench.page.get_by_label("What goes into sr").select_option("constant")
    bench.page.get_by_label("value").fill("16000")
    for size, value in {"input, axis 0": 1, "input, axis 1": 576, "state, axis 1": 1}.items():
        bench.page.get_by_label(f"Size of {size}").fill(str(value))
    run(bench)
    bench.page.get_by_label("Output output").wait_for()


def test_an_error_of_a_run_is_said_where_it_arose(bench):
    bench.open("small")
    bench.view("Run")
    bench.page.get_by_label("What goes into x").select_option("text")
    bench.page.get_by_label("Numbers for x").fill("one two")
    bench.page.get_by_role("button", name="Run", exact=True).click()
    bench.page.locator("aside .error").wait_for()
    assert "x" in bench.page.locator("aside .error").inner_text()


def test_labels_name_the_classes(bench):
    bench.bundled()
    bench.view("Run")
    names = "zero\none\ntwo\nthree\nfour\nfive\nsix\nseven\neight\nnine"
    file = {"name": "labels.txt", "mimeType": "text/plain", "buffer": names.encode()}
    bench.page.get_by_label("Labels of the classes").set_input_files(file)
    bench.page.get_by_text("10 labels").wait_for()
    bench.page.get_by_label("What goes into Input3").select_option("sample")
    run(bench)
    bench.page.get_by_text("seven").wait_for()


def test_selected_nodes_are_cut_out_and_run(bench):
    bench.open("small")
    bench.find("op:MatMul")
    bench.graph.focus()
    box = bench.graph.bounding_box()
    bench.page.keyboard.press("0")
    bench.page.keyboard.down("Shift")
    bench.page.mouse.move(box["x"] + 5, box["y"] + 60)
    bench.page.mouse.down()
    bench.page.mouse.move(box["x"] + box["width"] - 5, box["y"] + box["height"] - 60, steps=4)
    bench.page.mouse.up()
    bench.page.keyboard.up("Shift")
    bench.page.get_by_text("nodes selected").wait_for()
    save = bench.page.get_by_role("button", name="Save as ONNX")
    file = bench.download(save.click)
    cut = suanzi.InferenceSession(onnx.load(file))
    assert cut.run(None, {"x": np.ones((1, 3), np.float32)})
