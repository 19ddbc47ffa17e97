"""A run cancelled, a worker killed, a server gone: the page says so and goes on."""

import os
import signal
import sys
from pathlib import Path

import pytest


def start_long_profile(bench):
    bench.open("densenet")
    bench.view("Profile")
    bench.page.get_by_label("rounds").fill("10000")
    bench.page.get_by_role("button", name="Profile", exact=True).click()
    bench.page.get_by_role("button", name="Cancel").wait_for()


def test_what_runs_can_be_cancelled(own_server):
    bench, _ = own_server
    start_long_profile(bench)
    bench.page.wait_for_timeout(1500)
    bench.page.get_by_role("button", name="Cancel").click()
    bench.page.get_by_role("button", name="Cancel").wait_for(state="hidden")
    bench.view("Graph")
    bench.find("op:MaxPool")
    assert bench.selected()


@pytest.mark.skipif(sys.platform != "linux", reason="finds the workers in /proc")
def test_a_killed_worker_is_said_and_the_next_run_works(own_server):
    bench, server = own_server
    bench.open("small")
    bench.view("Run")
    bench.page.get_by_role("button", name="Run", exact=True).click()
    bench.page.locator(".results").wait_for(timeout=60_000)
    for child in Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text().split():
        if "resource_tracker" not in Path(f"/proc/{child}/cmdline").read_text():
            os.kill(int(child), signal.SIGKILL)
    bench.page.get_by_role("alert").first.wait_for()
    bench.page.get_by_role("button", name="Dismiss").first.click()
    bench.page.get_by_role("button", name="Run", exact=True).click()
    bench.page.locator(".results").wait_for(timeout=60_000)
    assert bench.page.get_by_role("alert").count() == 0


def test_a_server_that_is_gone_is_said_and_the_graph_stays(own_server):
    bench, server = own_server
    server.terminate()
    bench.page.get_by_text("The server can’t be reached").wait_for(timeout=20_000)
    bench.find("op:Conv")
    assert bench.page.locator("aside h2").first.inner_text().strip().startswith("Conv")
