"""Groups of nodes: the scopes that names tell of; where names are flat, blocks that repeat.

Frameworks name nodes by the module that made them: "/layer1/layer1.0/conv1/Conv". Where they
don't, a network still repeats itself: the longest stretches of equal operators one after another
are its blocks.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from itertools import groupby

import numpy as np

from suanzi.graph import Graph, Node

Path = tuple[str, ...]

LEAST_BLOCK, LONGEST_BLOCK, MANY = 3, 600, 12
"""Nodes of a block; how many nodes must lie side by side for blocks among them to be of use."""


@dataclass
class Group:
    """Nodes that belong together. `like` is the same for groups of one structure."""

    name: str
    path: str
    parent: int | None
    kind: str
    members: list[int] = field(default_factory=list)
    """The nodes that are in no group within this one."""
    like: str | None = None


def hierarchy(graph: Graph) -> tuple[list[Group], list[int | None]]:
    """The groups, parents before children, and each node's group by its number."""
    constant = constants_alone(graph)
    moving = [i for i, same in enumerate(constant) if not same]
    paths = dict(zip(moving, scopes([graph.nodes[i] for i in moving]), strict=True))
    groups: list[Group] = []
    numbers: dict[Path, int] = {}
    where: list[int | None] = [None] * len(graph.nodes)

    def group_of(path: Path) -> int | None:
        if not path:
            return None
        if path not in numbers:
            parent = group_of(path[:-1])
            numbers[path] = len(groups)
            groups.append(Group(path[-1], "/".join(path), parent, "scope"))
        return numbers[path]

    for i, path in paths.items():
        where[i] = group_of(path)
    counts: Counter[int | None] = Counter()
    stretches = [(at, [*members]) for at, members in groupby(moving, lambda i: where[i])]
    for at, members in stretches:
        counts[at] += _add_blocks(graph, members, at, groups, where, counts[at])
    _place_constants(graph, constant, where)
    for i, at in enumerate(where):
        if at is not None:
            groups[at].members.append(i)
    _liken(graph, groups)
    return groups, where


def constants_alone(graph: Graph) -> list[bool]:
    """For each node, whether it depends on no input: its result is always the same."""
    known = set(graph.constants)
    found = []
    for node in graph.nodes:
        same = all(name in known for name in node.inputs if name) and node.operator.deterministic
        if same:
            known.update(node.outputs)
        found.append(same)
    return found


def scopes(nodes: Sequence[Node]) -> list[Path]:
    """Each node's scope by its name; all empty where the names tell of none."""
    names = [node.name or next(filter(None, node.outputs)) for node in nodes]
    slashes = sum("/" in name for name in names)
    separator = r"/|::" if 2 * slashes > len(names) else r"[/.]|::"
    paths = [
        _scope([part for part in re.split(separator, name.split(";")[0]) if part], node)
        for name, node in zip(names, nodes, strict=True)
    ]
    while (first := {path[:1] for path in paths}) and len(first) == 1 and first != {()}:
        paths = [path[1:] for path in paths]  # what all have in common tells nothing
    paths = [_once(path) for path in paths]
    sizes = Counter(path[:depth] for path in paths for depth in range(1, len(path) + 1))
    paths = [_while(path, lambda part: sizes[part] > 1) for path in paths]
    inside = sum(bool(path) for path in paths)
    return paths if 3 * inside > len(paths) else [()] * len(paths)


def _scope(parts: list[str], node: Node) -> Path:
    """What comes before the operator's own name: in "p2o.Conv.0" it is "p2o"."""
    title = node.operator.title.lower()
    for i, part in enumerate(parts):
        if re.sub(r"[^a-z].*", "", part.lower()) == title:
            return tuple(parts[:i])
    return tuple(parts[:-1])


def _once(path: Path) -> Path:
    """PyTorch writes layer1/layer1.0/...: the second names the first again.

    >>> _once(("layer1", "layer1.0", "conv"))
    ('layer1', '0', 'conv')
    """
    short = [
        part.removeprefix(f"{before}.") for before, part in zip(("", *path), path, strict=False)
    ]
    return tuple(short)


def _while(path: Path, holds: Callable[[Path], bool]) -> Path:
    while path and not holds(path):
        path = path[:-1]
    return path


def token(node: Node) -> Hashable:
    """What makes nodes alike when blocks are sought: the operator and its window."""
    window = getattr(node.operator, "kernel_shape", None)
    return node.operator.title, tuple(window) if window else None


def _add_blocks(
    graph: Graph,
    members: Sequence[int],
    parent: int | None,
    groups: list[Group],
    where: list[int | None],
    before: int = 0,
) -> int:
    """Makes groups of the blocks among nodes that follow one another, and of those within a block;
    how many. Their numbers follow those `before`."""
    if len(members) < MANY:
        return 0
    ids: dict[Hashable, int] = {}
    tokens = np.array([ids.setdefault(token(graph.nodes[i]), len(ids)) for i in members])
    path = "" if parent is None else groups[parent].path + "/"
    found = blocks(tokens)
    for number, (begin, end) in enumerate(found, before + 1):
        name = f"block {number}"
        at = len(groups)
        groups.append(Group(name, path + name, parent, "block"))
        for i in members[begin:end]:
            where[i] = at
        _add_blocks(graph, members[begin:end], at, groups, where)
    return len(found)


def blocks(tokens: np.ndarray) -> list[tuple[int, int]]:
    """The stretches that repeat one after another, in order: [begin, end) of each repetition.

    >>> blocks(np.array([9, 1, 2, 3, 1, 2, 3, 8, 4, 5, 6, 4, 5, 6]))
    [(1, 4), (4, 7), (8, 11), (11, 14)]
    """
    found: list[tuple[int, int]] = []
    todo = [(0, len(tokens))]
    while todo:
        begin, end = todo.pop()
        run = _longest_run(tokens[begin:end])
        if run is None:
            continue
        start, period, times = run
        start += begin
        found += [(start + i * period, start + (i + 1) * period) for i in range(times)]
        todo += [(begin, start), (start + times * period, end)]
    return sorted(found)


def _longest_run(tokens: np.ndarray) -> tuple[int, int, int] | None:
    """Where most nodes are repetitions: the start, the period, how often. Of runs that cover as
    much, the shortest period that isn't one operator again and again."""
    best, covered = None, 0
    for period in range(LEAST_BLOCK, min(len(tokens) // 2, LONGEST_BLOCK) + 1):
        same = np.concatenate(([False], tokens[:-period] == tokens[period:], [False]))
        edges = np.flatnonzero(same[1:] != same[:-1])
        starts, ends = edges[::2], edges[1::2]
        lengths = ends - starts
        if not lengths.size or lengths.max() < period:
            continue
        i = int(lengths.argmax())
        times = int(lengths[i]) // period + 1
        start = int(starts[i])
        if times * period > covered and len(set(tokens[start : start + period].tolist())) > 1:
            best, covered = (start, period, times), times * period
    return best


def _place_constants(graph: Graph, constant: Sequence[bool], where: list[int | None]) -> None:
    """Nodes that only make constants go where these are read first."""
    readers: dict[str, int] = {}
    for i, node in reversed(list(enumerate(graph.nodes))):
        if constant[i]:
            first = min((readers[name] for name in node.outputs if name in readers), default=None)
            where[i] = None if first is None else where[first]
        for name in node.inputs:
            readers[name] = i


def _liken(graph: Graph, groups: list[Group]) -> None:
    """Gives groups of one structure the same text, those that stand alone none."""
    inside: dict[int, list[int]] = defaultdict(list)
    structures: dict[Hashable, int] = {}
    kinds: dict[int, int] = {}
    for number, group in reversed(list(enumerate(groups))):
        own = tuple(token(graph.nodes[i]) for i in group.members)
        structure = (own, tuple(inside[number]))
        kinds[number] = structures.setdefault(structure, len(structures))
        if group.parent is not None:
            inside[group.parent].append(kinds[number])
    counts = Counter(kinds.values())
    names: dict[int, str] = {}
    for number, group in enumerate(groups):
        if counts[kinds[number]] > 1:
            group.like = names.setdefault(kinds[number], f"kind {len(names) + 1}")
