"""Datasets, samplers and the DataLoader, here and in worker processes."""

import collections
import gc
import multiprocessing
import os
import signal
import time
from multiprocessing import resource_tracker

import numpy as np
import pytest

from suanzi import SuanziError
from suanzi.tensor import Tensor, dtypes, random, tensor
from suanzi.utils.data import (
    BatchSampler,
    ChainDataset,
    ConcatDataset,
    DataLoader,
    Dataset,
    IterableDataset,
    RandomSampler,
    SequentialSampler,
    StackDataset,
    Subset,
    SubsetRandomSampler,
    TensorDataset,
    WeightedRandomSampler,
    dataloader,
    default_collate,
    default_convert,
    get_worker_info,
    random_split,
)


class Squares(Dataset):
    def __init__(self, size):
        self.size = size

    def __len__(self):
        return self.size

    def __getitem__(self, index):
        if not 0 <= index < self.size:
            raise IndexError(index)
        return np.full((2, 2), index**2, np.float32), index


class Stream(IterableDataset):
    """The numbers up to `size`; of several workers each yields its part."""

    def __init__(self, size):
        self.size = size

    def __iter__(self):
        info = get_worker_info()
        start, step = (0, 1) if info is None else (info.id, info.num_workers)
        return iter(range(start, self.size, step))


class Does(Dataset):
    """Each sample is what a function returns."""

    def __init__(self, function, size=8):
        self.function, self.size = function, size

    def __len__(self):
        return self.size

    def __getitem__(self, index):
        return self.function(index)


if os.name == "posix":  # its pipe isn't left behind by us
    resource_tracker.ensure_running()


def generator(seed=0):
    return random.Generator().manual_seed(seed)


def values(loader):
    return [np.asarray(batch[1]).tolist() for batch in loader]


@pytest.fixture(autouse=True)
def nothing_is_left_behind():
    files = len(os.listdir("/proc/self/fd")) if os.path.exists("/proc/self/fd") else 0
    yield
    if multiprocessing.active_children():
        gc.collect()
        assert not multiprocessing.active_children()
    if files:
        assert len(os.listdir("/proc/self/fd")) <= files


# --- datasets


def test_rows_of_tensors():
    rows = TensorDataset(tensor([[1, 2], [3, 4], [5, 6]]), tensor([7, 8, 9]))
    assert len(rows) == 3
    assert [x.tolist() for x in rows[1]] == [[3, 4], 8]
    with pytest.raises(SuanziError, match="lengths differ"):
        TensorDataset(tensor([1]), tensor([1, 2]))


def test_one_after_the_other():
    both = Squares(2) + Squares(3)
    assert isinstance(both, ConcatDataset)
    assert [both[i][1] for i in range(5)] == [0, 1, 0, 1, 2]
    assert both[-1][1] == 2
    assert [x[1] for x in both] == [0, 1, 0, 1, 2]
    for wrong in (5, -6):
        with pytest.raises(IndexError):
            both[wrong]
    with pytest.raises(SuanziError, match="ChainDataset"):
        ConcatDataset([Stream(2)])
    chained = Stream(2) + Stream(3)
    assert isinstance(chained, ChainDataset)
    assert [*chained] == [0, 1, 0, 1, 2]
    with pytest.raises(SuanziError, match="ConcatDataset"):
        [*ChainDataset([Squares(2)])]


def test_side_by_side():
    assert StackDataset(Squares(3), ["a", "b", "c"])[1][1] == "b"
    named = StackDataset(x=[1, 2, 3], y=Subset(["a", "b", "c", "d"], [3, 2, 1]))
    assert named[0] == {"x": 1, "y": "d"}
    assert named.__getitems__([2, 0]) == [{"x": 3, "y": "b"}, {"x": 1, "y": "d"}]
    assert StackDataset([1, 2], [3, 4]).__getitems__([1]) == [(2, 4)]
    assert len(named) == 3
    for columns, named in (([[1], [1, 2]], {}), ([], {}), ([[1]], {"y": [2]})):
        with pytest.raises(SuanziError):
            StackDataset(*columns, **named)


def test_parts():
    part = Subset([10, 20, 30], [2, 0])
    assert [part[0], part[1], len(part)] == [30, 10, 2]
    with pytest.raises(NotImplementedError, match="__getitems__"):
        type("Half", (Subset,), {"__getitem__": lambda self, i: 0})([1], [0])


def test_random_parts():
    parts = random_split(range(10), [0.5, 0.25, 0.25], generator=generator())
    assert [len(part) for part in parts] == [6, 2, 2]
    assert sorted(x for part in parts for x in part) == [*range(10)]
    again = random_split(range(10), [6, 2, 2], generator=generator())
    assert [[*part] for part in parts] == [[*part] for part in again]
    for wrong in ([5, 4], [0.5, 0.4], [-1, 11], [1.5, -0.5]):
        with pytest.raises(SuanziError, match="lengths"):
            random_split(range(10), wrong)
    with pytest.warns(UserWarning, match="empty"):
        random_split(range(1), [0.5, 0.5])


# --- samplers


def test_orders():
    assert [*SequentialSampler("abc")] == [0, 1, 2]
    once = [*RandomSampler(range(50), generator=generator())]
    assert sorted(once) == [*range(50)] != once
    assert once == [*RandomSampler(range(50), generator=generator())]
    rounds = [*RandomSampler(range(3), num_samples=7)]
    assert sorted(rounds[:3]) == sorted(rounds[3:6]) == [0, 1, 2]
    assert len(rounds) == 7
    drawn = [*RandomSampler(range(3), replacement=True, num_samples=70)]
    assert {*drawn} == {0, 1, 2}
    assert len(drawn) == 70
    assert sorted(SubsetRandomSampler([3, 5, 9])) == [3, 5, 9]
    weighted = [*WeightedRandomSampler([0.0, 1.0, 3.0], 400)]
    counts = collections.Counter(weighted)
    assert counts[0] == 0 < counts[1] < counts[2]
    assert sorted(WeightedRandomSampler([0.1, 1.0, 3.0], 3, replacement=False)) == [0, 1, 2]


@pytest.mark.parametrize("drop_last", [False, True])
@pytest.mark.parametrize("size", [0, 5, 6])
def test_batches_as_pytorch(size, drop_last):
    torch = pytest.importorskip("torch")
    ours = BatchSampler(SequentialSampler(range(size)), 3, drop_last)
    theirs = torch.utils.data.BatchSampler(range(size), 3, drop_last)
    assert [*ours] == [*theirs]
    assert len(ours) == len(theirs)


@pytest.mark.parametrize(
    "make",
    [
        lambda: RandomSampler([]),
        lambda: RandomSampler([1], replacement=1),
        lambda: RandomSampler([1], num_samples=0),
        lambda: WeightedRandomSampler([[1.0]], 1),
        lambda: WeightedRandomSampler([1.0], True),
        lambda: BatchSampler([1], 0, False),
        lambda: BatchSampler([1], 1, None),
    ],
)
def test_mistakes_in_samplers(make):
    with pytest.raises(SuanziError):
        make()


# --- batches

Pair = collections.namedtuple("Pair", "x y")
SAMPLES = [
    [1, 2, 3],
    [1.5, 2.5],
    [True, False],
    ["a", "b"],
    [np.float32(1), np.float32(2)],
    [np.arange(3), np.arange(3)],
    [{"a": 1, "b": [1.0, "x"]}, {"a": 2, "b": [2.0, "y"]}],
    [(1, 2.0), (3, 4.0)],
    [Pair(1, np.ones(2)), Pair(2, np.zeros(2))],
]


def told(value):
    """A value with its tensors as type and contents."""
    if hasattr(value, "dtype"):
        return str(value.dtype).split(".")[-1], value.tolist()
    if isinstance(value, dict):
        return {key: told(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return type(value).__name__, [told(part) for part in value]
    return value


@pytest.mark.parametrize("samples", SAMPLES, ids=lambda s: type(s[0]).__name__)
def test_collate_as_pytorch(samples):
    torch = pytest.importorskip("torch")
    for ours, theirs in (
        (default_collate, torch.utils.data.default_collate),
        (default_convert, torch.utils.data.default_convert),
    ):
        assert told(ours(samples)) == told(theirs(samples))


def test_tensors_are_stacked():
    assert default_collate([tensor([1.0]), tensor([2.0])]).tolist() == [[1.0], [2.0]]
    x = tensor([1.0], requires_grad=True)
    default_collate([x * 2, x]).sum().backward()
    assert x.grad.tolist() == [3.0]
    with pytest.raises(SuanziError, match="shapes differ"):
        default_collate([tensor([1.0]), tensor([1.0, 2.0])])
    with pytest.raises(SuanziError, match="collate_fn"):
        default_collate([object()])
    with pytest.raises(SuanziError, match="length"):
        default_collate([[1], [1, 2]])


# --- the loader

WORKERS = pytest.mark.parametrize("workers", [0, 1, 3])


@WORKERS
def test_order_and_sizes(workers):
    loader = DataLoader(Squares(10), batch_size=4, num_workers=workers)
    assert values(loader) == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    assert len(loader) == 3
    x, y = next(iter(loader))
    assert isinstance(x, Tensor)
    assert x.shape == (4, 2, 2)
    assert x.dtype is dtypes.float32
    assert x[3].tolist() == [[9.0, 9.0], [9.0, 9.0]]
    assert y.dtype is dtypes.int64
    x.add_(1)  # the memory is one's own
    dropping = DataLoader(Squares(10), 4, drop_last=True, num_workers=workers)
    assert len(values(dropping)) == len(dropping) == 2


@WORKERS
def test_shuffled_by_a_generator(workers):
    def order():
        loader = DataLoader(
            Squares(20), 20, shuffle=True, generator=generator(), num_workers=workers
        )
        return values(loader)[0]

    assert sorted(order()) == [*range(20)] != order()
    assert order() == order()


@WORKERS
def test_other_orders(workers):
    batches = DataLoader(Squares(9), batch_sampler=[[3, 1], [8]], num_workers=workers)
    assert values(batches) == [[3, 1], [8]]
    assert len(batches) == 2
    chosen = DataLoader(Squares(9), 2, sampler=[5, 4, 3], num_workers=workers)
    assert values(chosen) == [[5, 4], [3]]
    single = DataLoader(Squares(2), batch_size=None, num_workers=workers)
    assert [(type(x), y) for x, y in single] == [(Tensor, 0), (Tensor, 1)]
    own = DataLoader(Squares(4), 2, collate_fn=lambda batch: [y for _, y in batch])
    assert [*own] == [[0, 1], [2, 3]]


@WORKERS
@pytest.mark.parametrize("size", [0, 1, 7, 12])
def test_streams(workers, size):
    loader = DataLoader(Stream(size), batch_size=2, num_workers=workers)
    batches = [batch.tolist() for batch in loader]
    assert sorted(x for batch in batches for x in batch) == [*range(size)]
    singles = DataLoader(Stream(size), batch_size=None, num_workers=workers)
    assert [*singles] == [*range(size)]
    whole = DataLoader(Stream(size), batch_size=2, drop_last=True, num_workers=workers)
    assert all(len(batch) == 2 for batch in whole)


def test_what_passes_a_process_border():
    kinds = [
        tensor([1.0, 2.0], dtype=dtypes.bfloat16),
        tensor([], dtype=dtypes.float64),
        np.arange(6).reshape(2, 3).T,
        {"s": "text", "n": None, "t": (1, tensor(3))},
        tensor(np.zeros((300, 500))),
    ]
    loader = DataLoader(kinds, batch_size=None, num_workers=2, collate_fn=lambda x: x)
    found = [*loader]
    assert found[0].dtype is dtypes.bfloat16
    assert [told(x) for x in found[:4]] == [told(x) for x in kinds[:4]]
    assert found[4].shape == (300, 500)


def test_large_tasks_and_answers_do_not_wait_for_each_other():
    dataset = Does(lambda i: np.zeros(64), size=200_000)
    sampler = [[*range(100_000, 200_000)]] * 6
    loader = DataLoader(
        dataset, batch_sampler=sampler, num_workers=1, collate_fn=lambda b: np.zeros(1_000_000)
    )
    assert [x.size for x in loader] == [1_000_000] * 6


def test_each_worker_knows_itself():
    def about(index):
        info = get_worker_info()
        return info.id, info.num_workers, info.seed, int(random.randint(0, 2**31, ()).item())

    loader = DataLoader(
        Does(about), batch_size=None, num_workers=2, generator=generator(), collate_fn=tuple
    )
    first = [*loader]
    assert [x[0] for x in first] == [0, 1] * 4
    assert first[1][2] == first[0][2] + 1
    assert len({x[3] for x in first}) == 8
    loader.generator = generator()
    assert [*loader] == first
    assert get_worker_info() is None


def test_workers_are_prepared():
    def prepare(number):
        os.environ["SUANZI_TEST_WORKER"] = str(number)

    read = Does(lambda i: os.environ["SUANZI_TEST_WORKER"], size=2)
    loader = DataLoader(read, batch_size=None, num_workers=2, worker_init_fn=prepare)
    assert [*loader] == ["0", "1"]

    def fail(number):
        raise KeyError("unprepared")

    with pytest.raises(KeyError, match="unprepared"):
        list(DataLoader(read, num_workers=2, worker_init_fn=fail))


def test_workers_that_persist():
    loader = DataLoader(
        Does(lambda i: os.getpid()), batch_size=None, num_workers=2, persistent_workers=True
    )
    first = {*loader}
    assert len(first) == 2
    assert {*loader} == first
    next(iter(loader))  # an epoch that is broken off
    gc.collect()
    assert {*loader} == first
    at_once = zip(loader, loader, strict=True)  # two epochs at a time
    assert len({x for pair in at_once for x in pair}) == 4
    streams = DataLoader(Stream(5), batch_size=None, num_workers=2, persistent_workers=True)
    assert [*streams] == [*streams] == [*range(5)]


class OwnError(Exception):
    def __init__(self, a, b):
        super().__init__(f"{a} and {b}")


def test_errors_of_a_worker():
    def fail(index):
        if index == 3:
            raise ValueError("sample three is bad")
        return index

    loader = DataLoader(Does(fail), batch_size=2, num_workers=2)
    seen = []
    with pytest.raises(ValueError, match="sample three is bad") as caught:
        seen += [batch.tolist() for batch in loader]
    assert "in fail" in caught.value.__notes__[0]
    assert "worker 1" in caught.value.__notes__[0]

    def fail_oddly(index):
        raise OwnError(1, 2)

    with pytest.raises(RuntimeError, match="OwnError: 1 and 2"):
        list(DataLoader(Does(fail_oddly), num_workers=1))
    with pytest.raises(AttributeError, match="pickle"):
        list(DataLoader(Does(lambda i: lambda: i), num_workers=1, collate_fn=lambda b: b[0]))


@pytest.mark.parametrize("persistent", [False, True])
def test_a_worker_that_is_killed(persistent):
    def die(index):
        if index == 4:
            os.kill(os.getpid(), signal.SIGKILL)
        return index

    loader = DataLoader(Does(die), num_workers=2, persistent_workers=persistent)
    for _ in range(2):
        with pytest.raises(SuanziError, match=r"worker 0 .* ended unexpectedly.*SIGKILL"):
            list(loader)
    with pytest.raises(SuanziError, match="exit status 3"):
        list(DataLoader(Does(lambda i: os._exit(3)), num_workers=1))


def test_a_worker_that_takes_too_long(monkeypatch):
    monkeypatch.setattr(dataloader, "PATIENCE", 0.1)
    loader = DataLoader(Does(lambda i: time.sleep(60)), num_workers=1, timeout=0.2)
    with pytest.raises(SuanziError, match=r"timeout: worker 0 .* too long"):
        list(loader)


def test_an_epoch_broken_off():
    for size in (1, 300_000):
        for batch in DataLoader(Does(lambda i, n=size: np.zeros(n), size=50), num_workers=2):
            assert batch.shape == (1, size)
            break


def test_spawned_workers():
    loader = DataLoader(
        TensorDataset(tensor([[1.0], [2.0], [3.0]])), 2, num_workers=1,
        multiprocessing_context="spawn",
    )  # fmt: skip
    assert [x.tolist() for (x,) in loader] == [[[1.0], [2.0]], [[3.0]]]


def test_workers_end_with_their_parent(tmp_path):
    def report(index):
        (tmp_path / str(os.getpid())).touch()
        return np.zeros(1_000_000)

    child = os.fork() if hasattr(os, "fork") else pytest.skip("this system has no fork")
    if not child:
        next(iter(DataLoader(Does(report), num_workers=3)))
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)
    workers = [int(path.name) for path in tmp_path.iterdir()]
    assert workers
    for _ in range(200):
        if not any(map(alive, workers)):
            return
        time.sleep(0.05)
    pytest.fail("workers are left")


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"num_workers": -1}, "num_workers"),
        ({"timeout": -1}, "timeout"),
        ({"prefetch_factor": 2}, "prefetch_factor"),
        ({"persistent_workers": True}, "persistent_workers"),
        ({"multiprocessing_context": "fork"}, "multiprocessing_context"),
        ({"multiprocessing_context": "thread", "num_workers": 1}, "multiprocessing_context"),
        ({"shuffle": True, "sampler": [0]}, "sampler decides"),
        ({"batch_sampler": [[0]], "batch_size": 2}, "batch_size"),
        ({"batch_sampler": [[0]], "drop_last": True}, "drop_last"),
        ({"batch_size": None, "drop_last": True}, "drop_last"),
        ({"batch_size": 0}, "batch_size"),
        ({"prefetch_factor": 0, "num_workers": 1}, "prefetch_factor"),
    ],
)
def test_mistakes(options, words):
    with pytest.raises(SuanziError, match=words):
        DataLoader(Squares(3), **options)


def test_mistakes_with_streams():
    for options in ({"shuffle": True}, {"sampler": [0]}, {"batch_sampler": [[0]]}):
        with pytest.raises(SuanziError, match="own order"):
            DataLoader(Stream(3), **options)
    with pytest.raises(TypeError):
        len(DataLoader(Stream(3)))
