"""The command `suanzi`: one module a command, imported when it is called."""

import importlib
import os
import sys
from collections.abc import Callable
from typing import Annotated, Any, Literal

import typer

from suanzi.errors import SuanziError

app = typer.Typer(
    help="Deep-learning operators: run, look into and measure ONNX models.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

Model = Annotated[
    str,
    typer.Argument(
        metavar="MODEL", help="an ONNX file, a model of the zoo, hf:OWNER/REPO/FILE, URL#sha256=..."
    ),
]
Offline = Annotated[bool, typer.Option("--offline", help="download nothing")]
Inputs = Annotated[
    list[str] | None,
    typer.Option(
        "--input",
        "-i",
        metavar="[NAME=]FILE",
        help="an input's contents: .npy, .npz, .pb or a picture; random where none is named",
    ),
]
Dims = Annotated[
    list[str] | None,
    typer.Option("--dim", "-d", metavar="NAME=SIZE", help="the size of a symbolic dimension"),
]
Shapes = Annotated[
    list[str] | None,
    typer.Option("--shape", "-s", metavar="NAME=1,3,640,640", help="an input's whole shape"),
]
Threads = Annotated[
    int | None, typer.Option(help="SUANZI_THREADS, else all cores", show_default=False)
]
Precision = Annotated[
    Literal["fast", "strict"],
    typer.Option(help="strict: no algorithm that rounds more than the direct sum"),
]
Seed = Annotated[int, typer.Option(min=0, help="of the random inputs")]
Json = Annotated[bool, typer.Option("--json", help="print data for programs")]
Mean = Annotated[str, typer.Option(help="subtracted from a picture's channels (0 to 1)")]
Std = Annotated[str, typer.Option(help="what a picture's channels are then divided by")]
Layout = Annotated[str, typer.Option(help="a picture's axes: NCHW or NHWC")]


def command(name: str, function: str = "main") -> Callable[..., Any]:
    """The function that does a command, imported now: what isn't called costs nothing."""
    found: Callable[..., Any] = getattr(importlib.import_module(f"suanzi.cli.{name}"), function)
    return found


def located(model: str, offline: bool) -> str:
    """The file of a command's MODEL, which may have to be downloaded first."""
    file: str = command("zoo", "located")(model, offline)
    return file


@app.command()
def demo(threads: Threads = None, json: Json = False) -> None:
    """Recognise handwritten digits with a small model; all of it is bundled."""
    command("demo")(threads, json)


@app.command()
def run(
    model: Model,
    input: Inputs = None,
    dim: Dims = None,
    shape: Shapes = None,
    save: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="an .npz of the outputs, or a .png of the answer"),
    ] = None,
    mean: Mean = "0",
    std: Std = "1",
    layout: Layout = "NCHW",
    threads: Threads = None,
    precision: Precision = "fast",
    seed: Seed = 0,
    offline: Offline = False,
    json: Json = False,
) -> None:
    """Run a model and print its outputs."""
    feeding = command("feeds")(input, dim, shape, mean, std, layout, seed, model)
    command("run")(located(model, offline), feeding, save, threads, precision, json)


@app.command()
def show(
    model: Model,
    stage: Annotated[
        str, typer.Option(help="model, graph (after all passes), plan, ir or asm")
    ] = "model",
    node: Annotated[
        str | None, typer.Option(help="only the step with this name, or that makes this value")
    ] = None,
    dim: Dims = None,
    shape: Shapes = None,
    threads: Threads = None,
    precision: Precision = "fast",
    offline: Offline = False,
    json: Json = False,
) -> None:
    """Show what a model is made of, or a stage of its way to machine code."""
    feeding = command("feeds")(None, dim, shape, "0", "1", "NCHW", 0)
    command("show")(located(model, offline), stage, node, feeding, threads, precision, json)


@app.command()
def profile(
    model: Model,
    input: Inputs = None,
    dim: Dims = None,
    shape: Shapes = None,
    rounds: Annotated[int, typer.Option(min=1, help="medians are of so many runs")] = 20,
    save: Annotated[
        str | None, typer.Option(metavar="FILE.json", help="the timeline, for Perfetto")
    ] = None,
    mean: Mean = "0",
    std: Std = "1",
    layout: Layout = "NCHW",
    threads: Threads = None,
    precision: Precision = "fast",
    seed: Seed = 0,
    offline: Offline = False,
    json: Json = False,
) -> None:
    """Time each step against what the machine could do."""
    feeding = command("feeds")(input, dim, shape, mean, std, layout, seed, model)
    command("profile")(located(model, offline), feeding, rounds, save, threads, precision, json)


@app.command()
def trace(
    model: Model,
    save: Annotated[str | None, typer.Option(metavar="DIR", help="a .npy for each value")] = None,
    input: Inputs = None,
    dim: Dims = None,
    shape: Shapes = None,
    mean: Mean = "0",
    std: Std = "1",
    layout: Layout = "NCHW",
    threads: Threads = None,
    precision: Precision = "fast",
    seed: Seed = 0,
    offline: Offline = False,
    json: Json = False,
) -> None:
    """Compute every value inside a model, and sum each up."""
    feeding = command("feeds")(input, dim, shape, mean, std, layout, seed, model)
    command("trace")(located(model, offline), feeding, save, threads, precision, json)


@app.command()
def bench(
    models: Annotated[
        list[str], typer.Argument(metavar="MODEL...", help="ONNX files, or models of the zoo")
    ],
    against: Annotated[str, typer.Option(help="peers")] = "onnxruntime,openvino",
    threads: Annotated[str, typer.Option(help="numbers of threads")] = "1,2",
    precision: Precision = "fast",
    dim: Dims = None,
    shape: Shapes = None,
    seconds: Annotated[float, typer.Option(min=0, help="for each comparison")] = 4.0,
    seed: Seed = 0,
    offline: Offline = False,
    json: Json = False,
) -> None:
    """Time models side by side with other runtimes, in interleaved rounds."""
    feeding = command("feeds")(None, dim, shape, "0", "1", "NCHW", seed)
    command("bench")(
        [located(model, offline) for model in models],
        feeding,
        against,
        threads,
        precision,
        seconds,
        json,
    )


@app.command()
def compare(
    model: Model,
    against: Annotated[
        str,
        typer.Option(
            help="onnxruntime, openvino, definitions (NumPy in float64), strict, target:avx2 ...; "
            "saved tensors (a folder of .npy, an .npz); PyTorch's exported program (.pt2)"
        ),
    ] = "onnxruntime",
    tolerance: Annotated[
        float,
        typer.Option(min=0, help="of a value's largest magnitude: what differs more is apart"),
    ] = 1e-3,
    save: Annotated[
        str | None,
        typer.Option(metavar="DIR", help="the smallest part that differs, with its inputs"),
    ] = None,
    input: Inputs = None,
    dim: Dims = None,
    shape: Shapes = None,
    mean: Mean = "0",
    std: Std = "1",
    layout: Layout = "NCHW",
    threads: Threads = None,
    precision: Precision = "fast",
    seed: Seed = 0,
    offline: Offline = False,
    json: Json = False,
) -> None:
    """Compare every value inside with another runtime: where do they part?"""
    feeding = command("feeds")(input, dim, shape, mean, std, layout, seed, model)
    command("compare")(
        located(model, offline), feeding, against, tolerance, save, threads, precision, json
    )


@app.command()
def optimize(
    model: Model,
    save: Annotated[str, typer.Argument(metavar="FILE", help="the ONNX file to write")],
    offline: Offline = False,
    json: Json = False,
) -> None:
    """Apply our passes, and write a plain ONNX model that any runtime runs to the same numbers."""
    command("convert", "optimized")(located(model, offline), save, json)


@app.command()
def convert(
    model: Model,
    save: Annotated[str, typer.Argument(metavar="FILE", help="the ONNX file to write")],
    opset: Annotated[
        int | None, typer.Option(help="the opset to write; else the lowest from 18 on that fits")
    ] = None,
    weights: Annotated[
        Literal["float16", "bfloat16"] | None,
        typer.Option(help="the type that float32 weights are kept in; all is computed in float32"),
    ] = None,
    offline: Offline = False,
    json: Json = False,
) -> None:
    """Write a model in another opset, or with weights of half the size."""
    command("convert", "converted")(located(model, offline), save, opset, weights, json)


@app.command()
def diff(
    model: Model,
    other: Annotated[str, typer.Argument(metavar="OTHER", help="another model")],
    offline: Offline = False,
    json: Json = False,
) -> None:
    """Compare two models: nodes added, removed, changed in structure, attributes, weights."""
    command("diff")(located(model, offline), located(other, offline), json)


@app.command()
def extract(
    model: Model,
    save: Annotated[str, typer.Argument(metavar="PART", help="the ONNX file to write")],
    inputs: Annotated[
        list[str] | None,
        typer.Option("--from", metavar="VALUE", help="where the part begins; else as the model"),
    ] = None,
    outputs: Annotated[
        list[str] | None,
        typer.Option("--to", metavar="VALUE", help="where the part ends; else as the model"),
    ] = None,
    offline: Offline = False,
    json: Json = False,
) -> None:
    """Save what lies between some values of a model as a model of its own."""
    command("extract")(located(model, offline), save, inputs or [], outputs or [], json)


@app.command()
def open(
    models: Annotated[
        list[str] | None,
        typer.Argument(metavar="[MODEL]...", help="ONNX files", show_default=False),
    ] = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any that is free")] = 0,
    browser: Annotated[bool, typer.Option(help="open the address in a browser")] = True,
    threads: Threads = None,
    offline: Offline = False,
) -> None:
    """Open the workbench in the browser: look at models, run them, see inside.

    Without a model it opens a small one that recognises digits. Over SSH give a port, and forward
    it: ssh -L 8000:localhost:8000 HOST suanzi open --port 8000
    """
    files = [located(model, offline) for model in models or []]
    command("open")(files, port, browser, threads)


@app.command()
def ops(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="one operator, whole", show_default=False)
    ] = None,
    family: Annotated[str | None, typer.Option(help="only those of a family: pooling")] = None,
    without: Annotated[
        str | None,
        typer.Option(
            help="only those that lack definition, formula, gradient, kernel, page, torch"
        ),
    ] = None,
    json: Json = False,
) -> None:
    """List every operator and what it has; or tell all of one."""
    command("ops")(name, family, without, json)


@app.command(context_settings={"ignore_unknown_options": True, "allow_extra_args": True})
def figure(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="an operator")],
    figure: Annotated[str | None, typer.Option(help="which, where it has several")] = None,
    step: Annotated[int | None, typer.Option(help="the step that is shown")] = None,
    theme: Annotated[Literal["light", "dark", "auto"], typer.Option(help="colours")] = "light",
    language: Annotated[Literal["en", "zh"], typer.Option(help="of the words")] = "en",
    moving: Annotated[bool, typer.Option("--moving", help="play all steps")] = False,
    save: Annotated[
        str | None, typer.Option("-o", "--save", metavar="FILE", help="an .svg, or a .json")
    ] = None,
    json: Json = False,
) -> None:
    """Draw an operator: suanzi figure Conv --kernel 3x5 --stride 2,1 -o conv.svg

    Each control of the figure is an option as well: --kernel, --pad, --channels, ...
    """
    command("figure")(name, figure, context.args, step, theme, language, moving, save, json)


@app.command()
def cache(
    action: Annotated[str, typer.Argument(metavar="[show|clear]")] = "show", json: Json = False
) -> None:
    """The compiled kernels that are kept for the next time."""
    command("cache")(action, json)


zoo = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
app.add_typer(zoo, name="zoo", help="Pretrained models by name: ONNX's model zoo.")


@zoo.command("list")
def zoo_list(
    tag: Annotated[str | None, typer.Option(help="only those with it: vision, text, ssd")] = None,
    max_size: Annotated[
        str | None, typer.Option(metavar="SIZE", help="only files at most so large: 50MB")
    ] = None,
    json: Json = False,
) -> None:
    """List the models."""
    command("zoo", "show_all")(tag, max_size, json)


@zoo.command("show")
def zoo_show(
    name: Annotated[str, typer.Argument(metavar="NAME", help="resnet50, resnet50@7:int8")],
    json: Json = False,
) -> None:
    """Tell all of a model that is known without its file."""
    command("zoo", "show")(name, json)


@zoo.command("get")
def zoo_get(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="of the zoo, hf:OWNER/REPO/FILE, URL#sha256=...")
    ],
    data: Annotated[bool, typer.Option("--data", help="its sample inputs and outputs")] = False,
    offline: Offline = False,
    json: Json = False,
) -> None:
    """Download a model, unless it is there, and print where it is."""
    command("zoo", "get")(name, data, offline, json)


def main() -> None:
    """Runs the command line. A mistake is one message and status 1; Ctrl-C is status 130."""
    try:
        try:
            app(prog_name="suanzi")
        finally:
            sys.stdout.flush()
    except SystemExit as end:  # typer's own mistakes, in the words on the command line, have 2
        sys.exit(1 if end.code == 2 else end.code)
    except SuanziError as error:
        from suanzi.cli._print import clean

        print(f"suanzi: {clean(error)}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:  # the reader has left: what is still to be written goes nowhere
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
