"""suanzi open: the workbench in the browser."""

from suanzi.cli import _print
from suanzi.workbench.serve import serve


def main(models: list[str], port: int, browser: bool, threads: int | None) -> None:
    def announce(address: str) -> None:
        _print.line(f"The workbench is at {address}")
        _print.line("It is for this machine alone. Ctrl-C ends it.")

    serve(models, port, threads, browser, announce)
