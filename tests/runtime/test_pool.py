import os
import random
import threading
import time

import numpy as np
import pytest

from suanzi.lang.target import AVX2, NEON
from suanzi.runtime import machine, pool, system
from suanzi.runtime.pool import Job, Pool, Step


@pytest.fixture(params=[True, False], ids=["futex", "portable"], autouse=True)
def fresh_pool(request, monkeypatch):
    """A pool of its own for each test, of both ways to sleep."""
    if request.param and not system.HAS_FUTEX:
        pytest.skip("this system has no futex")
    made = Pool(futex=request.param)
    monkeypatch.setattr(pool, "_pool", made)
    yield made
    made.close()
    assert not any(worker.is_alive() for worker in made._workers)


def mixed(count: int, seed: int = 0) -> list[int]:
    """Sizes of steps: single ones, pairs, and some of many chunks."""
    choose = random.Random(seed).choice
    return [choose([1, 1, 1, 2, 2, 3, 5, 8, 64]) for _ in range(count)]


@pytest.mark.parametrize("threads", [1, 2, 3, 4])
def test_each_chunk_once_and_in_order(chain, threads):
    work = chain(mixed(200), threads)
    for _ in range(200):
        work.run()


@pytest.mark.parametrize("threads", [2, 4])
def test_chunks_that_take_time(chain, threads):
    work = chain(mixed(40), threads, delay=2000)
    for _ in range(20):
        work.run()


def test_workers_that_slept_between_runs(chain):
    work = chain([4, 1, 16], 3, delay=3000)
    for pause in (0, 0.0001, 0.0003, 0.001, 0.01) * 20:
        time.sleep(pause)
        work.run()


def test_workers_do_take_part(chain):
    work = chain([64], 2, delay=200_000)
    helped = 0
    seen = threading.Event()

    # Who works marks its own scratch, so a look from outside shows the worker at it.
    def watch() -> None:
        nonlocal helped
        while not seen.is_set():
            helped += int(work.scratch[1])

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        end = time.monotonic() + 10  # a busy machine may not let a worker on a core at once
        while not helped and time.monotonic() < end:
            work.run()
    finally:
        seen.set()
        watcher.join()
    assert helped


def test_steps_without_chunks_are_passed_over(chain):
    kernel = chain([3], 2)
    (step,) = kernel.job.steps
    none = Step(0, np.zeros(0, np.int64), 0)  # calling address 0 would end the process
    kernel.job = Job([none, step, none], 2)
    kernel.run()
    Job([], 2).run()


def test_arguments_change_between_runs(chain):
    work = chain([8], 2)
    other = np.array([500], np.int64)
    work.run()
    work.job.steps[0].args[0] = other.ctypes.data
    work.job.run()
    assert (work.values[1] == 501).all()


@pytest.mark.parametrize("threads", [1, 2])
def test_a_timed_run_is_a_run(chain, threads):
    work = chain([1, 8, 1, 64], threads, delay=20_000)
    begin = time.perf_counter_ns()
    times = work.run(timed=True)
    total = time.perf_counter_ns() - begin
    assert times.taken.shape == (4,)
    assert (times.taken > 0).all()
    assert times.taken.sum() <= total
    assert begin <= times.begin
    work.run()


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_when_each_thread_was_at_each_step(chain, threads):
    work = chain([1, 8, 1, 64], threads, delay=20_000)
    for _ in range(5):
        times = work.run(timed=True)
        assert times.threads.shape == (4, threads, 2)
        ends = np.cumsum(times.taken)
        for step, spans in enumerate(times.threads):
            took_part = spans[:, 1] > 0
            assert took_part.any()
            assert (spans[~took_part] == 0).all()
            begins, done = spans[took_part].T
            assert (begins < done).all()
            # It began after the step before had ended, and the step ended with its last thread.
            assert begins.min() >= ends[step] - times.taken[step]
            assert done.max() <= ends[step]
        assert times.threads[[0, 2], 1:].sum() == 0  # one chunk is the caller's


def test_a_helper_has_a_span_of_its_own(chain):
    work = chain([64], 2, delay=200_000)
    end = time.monotonic() + 10  # a busy machine may not let a worker on a core at once
    main, helper = work.run(timed=True).threads[0]
    while not helper[1] and time.monotonic() < end:
        main, helper = work.run(timed=True).threads[0]
    assert max(main[0], helper[0]) < min(main[1], helper[1])  # they worked side by side


def test_a_run_that_is_not_timed_leaves_no_stamps(chain):
    work = chain([64, 3], 2, delay=2000)
    times = work.run(timed=True)
    before = times.threads.copy()
    for _ in range(20):
        work.run()
    np.testing.assert_array_equal(times.threads, before)


def test_steps_without_chunks_have_no_spans(chain):
    kernel = chain([3], 2)
    (step,) = kernel.job.steps
    none = Step(0, np.zeros(0, np.int64), 0)
    kernel.job = Job([none, step], 2)
    times = kernel.run(timed=True)
    assert (times.threads[0] == 0).all()
    assert times.threads[1].any()


def test_the_clock_of_cycles_is_scaled(chain, monkeypatch):
    monkeypatch.setattr(system, "POSIX", False)
    times = chain([1, 8], 1, delay=20_000).run(timed=True)
    assert (times.taken > 0).all()
    assert (times.threads[:, 0, 1] > times.threads[:, 0, 0]).all()


def test_jobs_of_fewer_threads_on_a_larger_pool(chain, fresh_pool):
    many, few, one = (chain(mixed(50, n), n) for n in (4, 2, 1))
    one.run()
    assert len(fresh_pool._workers) == 0
    many.run()
    assert len(fresh_pool._workers) == 3
    for _ in range(100):
        for work in (many, few, one):
            work.run()
    assert len(fresh_pool._workers) == 3


def test_several_threads_run_jobs_at_once(chain):
    failures = []

    def session(seed: int) -> None:
        try:
            work = chain(mixed(60, seed), 1 + seed % 4, delay=50)
            for _ in range(100):
                work.run()
        except BaseException as failure:
            failures.append(failure)

    threads = [threading.Thread(target=session, args=(seed,)) for seed in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_jobs_run_after_the_pool_is_closed(chain, fresh_pool):
    work = chain(mixed(50), 3)
    work.run()
    fresh_pool.close()
    work.run()
    chain(mixed(50), 4).run()
    fresh_pool.close()


def test_a_pool_closes_under_a_running_job(chain, fresh_pool):
    work = chain([64] * 20, 2, delay=20_000)
    running = threading.Thread(target=work.run)
    running.start()
    time.sleep(0.005)
    fresh_pool.close()
    running.join()
    assert work.counts[-1].tolist() == [1] * 64


def test_no_thread_to_be_had(chain, fresh_pool, monkeypatch):
    def refuse(_):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    work = chain(mixed(50), 4)
    work.run()
    work.run()
    assert fresh_pool._workers == []


def test_an_idle_pool_uses_no_processor(chain):
    work = chain(mixed(50), 4)
    work.run()
    time.sleep(0.05)
    before = os.times()
    time.sleep(0.5)
    after = os.times()
    assert after.user + after.system - before.user - before.system < 0.25


@pytest.mark.parametrize(("target", "pause"), [(AVX2, "pause"), (NEON, "isb")])
@pytest.mark.parametrize("posix", [True, False])
def test_other_systems_compile(monkeypatch, target, pause, posix):
    if not posix:
        monkeypatch.setattr(system, "_POSIX", system._WINDOWS)
    text = machine.assembly(pool._ir(target, futex=False), target)
    assert pause in text
    assert "syscall" not in text
    assert ("SwitchToThread" in text) != posix


def test_what_native_code_would_misread_is_refused():
    for args in (np.zeros(4, np.int32), np.zeros(8, np.int64)[::2]):
        with pytest.raises(TypeError):
            Job([Step(0, args, 1)], 1)
    with pytest.raises(ValueError):
        Job([Step(0, np.zeros(1, np.int64), 1 << 32)], 1)


PRELUDE = """
import os, sys, threading, time
from conftest import Chain
from suanzi.runtime import pool
pool._pool = pool.Pool(futex={futex})
work = Chain([1, 8, 2, 64] * 10, 2, delay=100)
work.run()
"""

FORK = """
stop = False
def others():
    mine = Chain([8] * 50, 2, delay=500)
    while not stop:
        mine.run()
busy = threading.Thread(target=others)
busy.start()
for _ in range(20):
    child = os.fork()
    if not child:
        for _ in range(5):
            work.run()
        assert len(pool._pool._workers) == 1
        os._exit(7)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    work.run()
stop = True
busy.join()
print("done")
"""

EXITS = {
    "falls off the end": "",
    "sys.exit": "sys.exit(0)",
    "os._exit": "os._exit(0)",
    "sys.exit in a thread": "t = threading.Thread(target=sys.exit); t.start(); t.join()",
    "while a daemon thread runs": (
        "def forever():\n    while True: work.run()\n"
        "threading.Thread(target=forever, daemon=True).start(); time.sleep(0.05)"
    ),
    "while a thread runs": (
        "def some():\n    for _ in range(100): work.run()\nthreading.Thread(target=some).start()"
    ),
    "runs at exit": "import atexit; atexit.register(work.run)",
    "first runs at exit": (
        "import atexit; late = Chain([8] * 9, 4); atexit.register(late.run)\n"
        "pool._pool = pool.Pool()"
    ),
    "in a forked child": (
        "child = os.fork()\nif child:\n    assert os.waitpid(child, 0)[1] == 0\n"
        "else:\n    work.run()"
    ),
    "runs in a finalizer": "class Late:\n    def __del__(self): work.run()\nlate = Late()",
}


@pytest.mark.parametrize("way", EXITS)
def test_the_process_leaves_cleanly(python, way, fresh_pool):
    if "fork" in way and not hasattr(os, "fork"):
        pytest.skip("this system has no fork")
    source = PRELUDE.format(futex=fresh_pool._futex) + 'print("ran", flush=True)\n' + EXITS[way]
    assert python(source).startswith("ran\n")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_child_has_a_pool_of_its_own(python, fresh_pool):
    assert python(PRELUDE.format(futex=fresh_pool._futex) + FORK) == "done\n"
